//! Sensitive values that look real: valid checksums, assigned ranges, no real person's.

use super::random::Random;

/// What a planted value is; named as the detector that must find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A payment card number that passes Luhn, of an assigned issuer range.
    CreditCard,
    /// A US social security number of the assignable ranges.
    UsSsn,
    /// An e-mail address.
    Email,
    /// A phone number in international form.
    Phone,
    /// An IBAN whose check digits are right.
    Iban,
    /// A public IPv4 address.
    Ipv4,
    /// An AWS access key id.
    AwsAccessKeyId,
    /// A GitHub token whose checksum is right.
    GithubToken,
    /// A JSON web token.
    Jwt,
    /// A Slack bot token.
    SlackToken,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::CreditCard,
        Self::UsSsn,
        Self::Email,
        Self::Phone,
        Self::Iban,
        Self::Ipv4,
        Self::AwsAccessKeyId,
        Self::GithubToken,
        Self::Jwt,
        Self::SlackToken,
    ];

    /// Id of the detector that must find it.
    pub fn detector(self) -> &'static str {
        match self {
            Self::CreditCard => "credit_card",
            Self::UsSsn => "us_ssn",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Iban => "iban",
            Self::Ipv4 => "ipv4",
            Self::AwsAccessKeyId => "aws_access_key_id",
            Self::GithubToken => "github_token",
            Self::Jwt => "jwt",
            Self::SlackToken => "slack_token",
        }
    }

    /// Name of the field that such a value stands in.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::CreditCard => "pan",
            Self::UsSsn => "ssn",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Iban => "iban",
            Self::Ipv4 => "client_ip",
            Self::AwsAccessKeyId => "access_key",
            Self::GithubToken | Self::SlackToken => "token",
            Self::Jwt => "authorization",
        }
    }

    /// A sentence that such a value stands in, before and after it.
    pub(super) fn sentence(self) -> (&'static str, &'static str) {
        match self {
            Self::CreditCard => ("payment with ", " accepted"),
            Self::UsSsn => ("identity check ssn ", " passed"),
            Self::Email => ("receipt sent to ", " after 2 attempts"),
            Self::Phone => ("code sent to ", " by text message"),
            Self::Iban => ("refund to ", " queued"),
            Self::Ipv4 => ("login from ", " refused"),
            Self::AwsAccessKeyId => ("upload signed with ", " failed"),
            Self::GithubToken => ("clone with ", " failed"),
            Self::Jwt => ("session ", " expired"),
            Self::SlackToken => ("notification with ", " delivered"),
        }
    }

    /// A value of this kind.
    pub fn value(self, random: &mut Random) -> String {
        match self {
            Self::CreditCard => credit_card(random),
            Self::UsSsn => us_ssn(random),
            Self::Email => email(random),
            Self::Phone => phone(random),
            Self::Iban => iban(random),
            Self::Ipv4 => ipv4(random),
            Self::AwsAccessKeyId => format!("AKIA{}", random.text(BASE32, 16)),
            Self::GithubToken => github_token(random),
            Self::Jwt => jwt(random),
            Self::SlackToken => slack_token(random),
        }
    }
}

const DIGITS: &str = "0123456789";
const BASE32: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE62: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE64URL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Given names, for addresses.
const NAMES: &[&str] =
    &["amina", "bjorn", "carla", "deepak", "elena", "farid", "greta", "hiro", "ines", "jonas"];
/// Family names, for addresses.
const FAMILIES: &[&str] =
    &["okafor", "lindqvist", "moreau", "sharma", "petrova", "haddad", "schulz", "tanaka"];
/// Domains of addresses; the reserved ones (RFC 2606) belong to nobody.
const DOMAINS: &[&str] = &["example.com", "example.org", "mail.example.net", "corp.example.co.uk"];

/// Issuer prefixes and lengths: Visa, Mastercard (both ranges), American Express, Discover.
const ISSUERS: &[(&str, usize)] = &[("4", 16), ("53", 16), ("2345", 16), ("37", 15), ("6011", 16)];

fn credit_card(random: &mut Random) -> String {
    let (prefix, length) = ISSUERS[random.below(ISSUERS.len() as u64) as usize];
    let body = format!("{prefix}{}", random.text(DIGITS, length - prefix.len() - 1));
    let number = format!("{body}{}", luhn_digit(&body));
    match random.below(3) {
        0 if length == 16 => grouped(&number, ' '),
        1 if length == 16 => grouped(&number, '-'),
        _ => number,
    }
}

/// The digit that makes `body` pass Luhn (ISO/IEC 7812-1, annex B).
pub(super) fn luhn_digit(body: &str) -> u64 {
    let doubled = |digit: u64| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let digits = body.bytes().rev().map(|byte| u64::from(byte - b'0')).enumerate();
    let sum: u64 = digits.map(|(place, digit)| if place % 2 == 0 { doubled(digit) } else { digit }).sum();
    (10 - sum % 10) % 10
}

fn grouped(digits: &str, separator: char) -> String {
    let groups: Vec<&str> = (0..digits.len()).step_by(4).map(|start| &digits[start..start + 4]).collect();
    groups.join(&separator.to_string())
}

/// Areas 666 and above 899 are not assigned; groups and serials start at 1.
fn us_ssn(random: &mut Random) -> String {
    let area = random.between(100, 665);
    format!("{area:03}-{:02}-{:04}", random.between(11, 99), random.between(1000, 9998))
}

fn email(random: &mut Random) -> String {
    let (name, family) = (random.pick(NAMES), random.pick(FAMILIES));
    format!("{name}.{family}{}@{}", random.below(1000), random.pick(DOMAINS))
}

fn phone(random: &mut Random) -> String {
    format!("+1 {}-555-{:04}", random.pick(&["212", "415", "303", "617"]), random.between(1000, 9998))
}

/// German IBANs: 18 digits behind the check digits (ISO 13616, ISO/IEC 7064 mod 97-10).
fn iban(random: &mut Random) -> String {
    let account = format!("{}{}", random.between(1, 9), random.text(DIGITS, 17));
    // D is 13 and E is 14; the check digits count as 00 while they are computed.
    let remainder =
        format!("{account}131400").bytes().fold(0, |sum, byte| (sum * 10 + u64::from(byte - b'0')) % 97);
    format!("DE{:02}{account}", 98 - remainder)
}

/// Addresses that look public: none of the private, shared, loopback or multicast blocks.
fn ipv4(random: &mut Random) -> String {
    let first = random.pick(&["23", "52", "81", "104", "151", "203"]);
    format!("{first}.{}.{}.{}", random.between(1, 254), random.between(1, 254), random.between(1, 254))
}

/// GitHub's format: 30 random characters, then the CRC-32 of them in base 62, six characters.
fn github_token(random: &mut Random) -> String {
    let body = random.text(BASE62, 30);
    let mut crc = flate2::Crc::new();
    crc.update(body.as_bytes());
    format!("ghp_{body}{}", base62(u64::from(crc.sum())))
}

fn base62(mut number: u64) -> String {
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62.as_bytes()[(number % 62) as usize];
        number /= 62;
    }
    digits.iter().map(|byte| char::from(*byte)).collect()
}

/// The header is `{"alg":"HS256","typ":"JWT"}`; payload and signature are random.
fn jwt(random: &mut Random) -> String {
    let (claims, signature) = (random.text(BASE64URL, 40), random.text(BASE64URL, 43));
    format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI{claims}.{signature}")
}

fn slack_token(random: &mut Random) -> String {
    let (team, user) =
        (random.between(100_000_000_000, 999_999_999_999), random.between(100_000_000_000, 999_999_999_999));
    format!("xoxb-{team}-{user}-{}", random.text(BASE62, 24))
}
