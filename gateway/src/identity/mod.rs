//! Who sends a request, as Kafka prints it: `User:name`.

use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::{AttributeTypeAndValue, RelativeDistinguishedName, X509Name};

/// Principal of a client whose identity cannot be read.
const UNKNOWN: &str = "User:unknown";

/// The principal of a verified client certificate: its subject as Kafka's default principal builder prints it, the
/// RFC 2253 form with the most specific attribute first, such as `User:CN=billing,OU=apps,O=Example,C=US`. A subject of
/// which one attribute cannot be read is unknown as a whole: a principal with a gap would be that of other subjects too.
pub fn certificate_principal(der: &[u8]) -> String {
    let certificate = X509Certificate::from_der(der).ok();
    let name = certificate.and_then(|(_, certificate)| distinguished_name(certificate.subject()));
    name.map_or_else(|| UNKNOWN.to_owned(), |name| format!("User:{name}"))
}

/// RFC 2253 section 2: attributes of the last relative name first, joined by commas; attributes of one relative name
/// are joined by plus signs. `None` when a value is no string of one byte a character or UTF-8.
fn distinguished_name(name: &X509Name<'_>) -> Option<String> {
    let attribute = |attribute: &AttributeTypeAndValue<'_>| {
        let value = attribute.as_str().ok()?;
        Some(format!("{}={}", keyword(&attribute.attr_type().to_id_string()), escape(value)))
    };
    let relative = |relative: &RelativeDistinguishedName<'_>| {
        Some(relative.iter().map(attribute).collect::<Option<Vec<_>>>()?.join("+"))
    };
    let mut relative: Vec<String> = name.iter_rdn().map(relative).collect::<Option<_>>()?;
    relative.reverse();
    Some(relative.join(","))
}

/// Keyword of an attribute type, RFC 2253 section 2.3; others keep their dotted number.
fn keyword(oid: &str) -> &str {
    match oid {
        "2.5.4.3" => "CN",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        other => other,
    }
}

/// RFC 2253 section 2.4: a backslash before special characters, before a leading `#` or space and a trailing space.
fn escape(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut escaped = String::with_capacity(value.len());
    for (position, character) in value.chars().enumerate() {
        let at_edge =
            (character == ' ' && (position == 0 || position == last)) || (character == '#' && position == 0);
        if at_edge || matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subject_is_printed_as_kafka_prints_it() {
        let mut parameters = rcgen::CertificateParams::default();
        let mut name = rcgen::DistinguishedName::new();
        name.push(rcgen::DnType::CountryName, "US");
        name.push(rcgen::DnType::OrganizationName, "Example, Inc.");
        name.push(rcgen::DnType::CommonName, "billing");
        parameters.distinguished_name = name;
        let key = rcgen::KeyPair::generate().expect("aws-lc-rs makes keys");
        let certificate = parameters.self_signed(&key).expect("a plain certificate");

        assert_eq!(certificate_principal(certificate.der()), r"User:CN=billing,O=Example\, Inc.,C=US");
    }

    #[test]
    fn a_certificate_that_cannot_be_read_is_unknown() {
        assert_eq!(certificate_principal(b"no certificate"), "User:unknown");
    }

    #[test]
    fn subjects_with_an_attribute_that_is_no_plain_string_share_no_name() {
        let mut parameters = rcgen::CertificateParams::default();
        let mut name = rcgen::DistinguishedName::new();
        name.push(rcgen::DnType::OrganizationName, "Example");
        let wide = rcgen::string::BmpString::try_from("billing").expect("of the basic plane");
        name.push(rcgen::DnType::CommonName, rcgen::DnValue::BmpString(wide));
        parameters.distinguished_name = name;
        let key = rcgen::KeyPair::generate().expect("aws-lc-rs makes keys");
        let certificate = parameters.self_signed(&key).expect("a plain certificate");

        assert_eq!(certificate_principal(certificate.der()), "User:unknown");
    }

    #[test]
    fn special_characters_are_escaped() {
        assert_eq!(escape(" a#b;c "), r"\ a#b\;c\ ");
        assert_eq!(escape("#a"), r"\#a");
    }
}
