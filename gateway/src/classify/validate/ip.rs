//! Internet addresses: IPv4 in dotted decimal without leading zeros, IPv6 as in RFC 4291 section 2.2.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::{Match, names};

/// Whether the match is an address of a host, or a network, and not a version number.
pub(super) fn is_v4(found: &Match<'_>) -> bool {
    address_of(found, 32).is_some_and(|found| is_v4_address(&found))
}

fn is_v4_address(found: &Match<'_>) -> bool {
    let Some(address) = parse::<Ipv4Addr>(found.bytes()) else { return false };
    let [first, rest @ ..] = address.octets();
    // 120.0.0.0 is a version of a browser, and network addresses name no host.
    first != 0 && rest != [0; 3] && !follows_product(found) && !is_required(found) && !is_version(found)
}

/// Whether the match is an address with at least two groups and a digit, or a network.
pub(super) fn is_v6(found: &Match<'_>) -> bool {
    address_of(found, 128).is_some_and(|found| is_v6_address(&found))
}

fn is_v6_address(found: &Match<'_>) -> bool {
    let bytes = found.bytes();
    let groups = bytes.split(|byte| *byte == b':').filter(|group| !group.is_empty()).count();
    let has_digit = bytes.iter().any(u8::is_ascii_digit);
    // Eight groups of two digits each are an EUI-64, not an address.
    let is_eui64 = bytes.len() == 23 && bytes.iter().skip(2).step_by(3).all(|byte| *byte == b':');
    let is_loopback = bytes == b"::1";
    let after = found.field.get(found.end..).unwrap_or_default();
    let goes_on = matches!(after, [b':', next, ..] if *next == b':' || next.is_ascii_alphanumeric());
    (groups >= 2 && has_digit || is_loopback) && !is_eui64 && !goes_on && parse::<Ipv6Addr>(bytes).is_some()
}

/// The address before the `/` and the number of bits after it. In a URL those would be a path.
fn address_of<'a>(found: &Match<'a>, bits_max: u8) -> Option<Match<'a>> {
    let Some(slash) = found.bytes().iter().position(|byte| *byte == b'/') else { return Some(*found) };
    let in_url = found.field[..found.start].ends_with(b"//") || found.field.get(found.end) == Some(&b'/');
    let bits = parse::<u8>(&found.bytes()[slash + 1..]).filter(|bits| !in_url && *bits <= bits_max);
    bits.map(|_| Match { end: found.start + slash, ..*found })
}

fn parse<T: FromStr>(bytes: &[u8]) -> Option<T> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// Whether a word of letters and a `/` come before, as in `Chrome/120.0.6099.71`; `localhost/127.0.0.1` is how
/// Java prints an address.
fn follows_product(found: &Match<'_>) -> bool {
    let before = found.field.get(..found.start).unwrap_or_default();
    let Some(before) = before.strip_suffix(b"/") else { return false };
    let word =
        before.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte)).count();
    let word = &before[before.len() - word..];
    !word.is_empty() && word.iter().all(u8::is_ascii_alphabetic) && word != b"localhost"
}

/// Whether the key or the words before say that it is a version. What stands in a sentence between such a word and
/// its number is short, or another version; `/v1/login from 8.8.8.8` has an address.
fn is_version(found: &Match<'_>) -> bool {
    let mut last = None;
    for word in names::words_of_key(found) {
        if names::is_one_of(word, VERSIONS_IN_KEYS) {
            return true;
        }
        last = Some(word);
    }
    last.or_else(|| word_before(found)).is_some_and(|word| {
        let ends = |word: &[u8]| names::is_one_of(word, VERSIONS);
        ends(word) || names::words(word).last().is_some_and(ends)
    })
}

/// Whether a sign says which versions will do, `^1.2.3.4`, or a word of a build goes on, `1.2.3.4+rc`.
fn is_required(found: &Match<'_>) -> bool {
    let before = &found.field[..found.start];
    let goes_on = matches!(&found.field[found.end..], [b'+', next, ..] if next.is_ascii_alphabetic());
    goes_on || [&b"^"[..], b"~", b">=", b"<="].iter().any(|sign| before.ends_with(sign))
}

/// The last word before the match that is not between a word and its version.
fn word_before<'a>(found: &Match<'a>) -> Option<&'a [u8]> {
    let is_version = |word: &[u8]| word.iter().filter(|byte| **byte == b'.').count() == 3;
    names::words_before(found).find(|word| !names::is_one_of(word, BETWEEN) && !is_version(word))
}

/// Words that speak of a version wherever they stand in a key.
const VERSIONS_IN_KEYS: &[&str] = &["version", "versions"];
/// Words just before a version, or at the end of its key.
const VERSIONS: &[&str] = &[
    "version",
    "versions",
    "ver",
    "v",
    "build",
    "release",
    "firmware",
    "fw",
    "revision",
    "rev",
    "tag",
    "sdk",
    "kernel",
    "driver",
    "software",
    "patch",
    "oid",
    "section",
    "chapter",
    "clause",
    "upgrade",
    "upgraded",
    "downgraded",
    "versión",
    "versões",
    "versão",
    "versione",
    "ios",
    "android",
    "chrome",
    "firefox",
    "python",
    "java",
];
/// What may stand between them and the version.
const BETWEEN: &[&str] =
    &["is", "was", "of", "number", "no", "from", "to", "and", "or", "e", "b", "y", "und", "et", "auf", "von"];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, value: &str, is_valid: fn(&Match<'_>) -> bool) -> bool {
        let start = text.find(value).unwrap();
        is_valid(&Match { field: text.as_bytes(), start, end: start + value.len() })
    }

    #[test]
    fn v4_is_an_address_and_no_version() {
        let cases = [
            ("from 8.168.151.99", "8.168.151.99", true),
            ("http://10.1.2.3/", "10.1.2.3", true),
            ("localhost/127.0.0.1:9092", "127.0.0.1", true),
            ("/192.168.1.1:80", "192.168.1.1", true),
            ("Chrome/120.0.60.71", "120.0.60.71", false),
            ("GET /v2/users 52.1.2.3 200", "52.1.2.3", true),
            (r#"{"build_host":"52.1.2.3"}"#, "52.1.2.3", true),
            (r#"{"versionName":"1.2.3.4"}"#, "1.2.3.4", false),
            (r#"{"minBuild":"1.2.3.4"}"#, "1.2.3.4", false),
            ("Upgraded from 1.2.3.4 to 1.2.3.5", "1.2.3.5", false),
            (r#"AssemblyVersion("1.2.3.4")"#, "1.2.3.4", false),
            ("acme>=1.2.3.4", "1.2.3.4", false),
            ("1.2.3.4+build", "1.2.3.4", false),
            ("version 7.8 from 8.168.1.1", "8.168.1.1", true),
            ("120.0.0.0", "120.0.0.0", false),
            ("0.0.0.0", "0.0.0.0", false),
            ("1.2.3.256", "1.2.3.256", false),
            ("01.2.3.4", "01.2.3.4", false),
        ];
        for (text, value, expected) in cases {
            assert_eq!(check(text, value, is_v4), expected, "{text}");
        }
    }

    #[test]
    fn v6_has_two_groups_and_a_digit() {
        let cases = [
            ("2001:db8::8a2e:370:7334", true),
            ("b7b0:b3d1:deb0:6e62:23f5:bf3a:42b3:4308", true),
            ("::ffff:192.0.2.128", true),
            ("fe80::1", true),
            ("::1", true),
            ("::", false),
            ("::a", false),
            ("ad::face", false),
            ("12:34:56", false),
            ("00:11:22:33:44:55:66:77", false),
            ("1:2:3:4:5:6:7:8:9", false),
        ];
        for (text, expected) in cases {
            assert_eq!(check(text, text, is_v6), expected, "{text}");
        }
    }

    #[test]
    fn a_network_has_few_enough_bits_and_is_no_path() {
        let cases = [
            ("10.20.0.0/16", "10.20.0.0/16", true),
            ("route 192.168.1.0/24.", "192.168.1.0/24", true),
            ("10.20.0.0/33", "10.20.0.0/33", false),
            ("http://10.1.2.3/12", "10.1.2.3/12", false),
            ("10.1.2.3/12/items", "10.1.2.3/12", false),
        ];
        for (text, value, expected) in cases {
            assert_eq!(check(text, value, is_v4), expected, "{text}");
        }
        assert!(check("2001:db8::/32", "2001:db8::/32", is_v6));
        assert!(!check("2001:db8::/129", "2001:db8::/129", is_v6));
    }
}
