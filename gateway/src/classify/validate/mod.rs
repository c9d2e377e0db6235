//! Checks of matched bytes: structure, checksums, known samples. One file per check, each names its source.

mod aws;
mod card;
mod crc32;
mod email;
mod entropy;
mod github;
mod iban;
mod ip;
mod jwt;
mod luhn;
mod mod11;
mod mod97;
mod password;
mod phone;
mod private_key;
mod secret;
mod ssn;
mod verhoeff;

use serde::Deserialize;

use super::spec::SpecError;

/// A match of a pattern within its field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Match<'a> {
    /// The whole field: a check may look around the match.
    pub(super) field: &'a [u8],
    /// First byte.
    pub(super) start: usize,
    /// One past the last byte.
    pub(super) end: usize,
}

impl<'a> Match<'a> {
    /// The matched bytes.
    pub(super) fn bytes(&self) -> &'a [u8] {
        &self.field[self.start..self.end]
    }

    /// The values of the digits among the matched bytes.
    pub(super) fn digits(&self) -> Digits {
        Digits::of(self.bytes())
    }
}

/// The digits of a number, without separators; at most 32, more make it longer than any number checked here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digits {
    values: [u8; 32],
    count: usize,
}

impl Digits {
    /// The digits among `bytes`.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut digits = Self { values: [0; 32], count: 0 };
        for byte in bytes.iter().filter(|byte| byte.is_ascii_digit()) {
            if let Some(value) = digits.values.get_mut(digits.count) {
                *value = byte - b'0';
                digits.count += 1;
            }
        }
        digits
    }

    /// Their values, first digit first.
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.values[..self.count]
    }

    /// The number that the digits `from..to` write.
    pub(super) fn number(&self, from: usize, to: usize) -> u64 {
        self.as_slice()
            .get(from..to)
            .unwrap_or_default()
            .iter()
            .fold(0, |number, digit| number * 10 + u64::from(*digit))
    }

    /// Whether all are the same, or each is one more, or one less, than the one before (9 and 0 adjoin).
    pub(super) fn is_trivial(&self) -> bool {
        let steps = |step: u8| self.as_slice().windows(2).all(|pair| (pair[0] + step) % 10 == pair[1]);
        steps(0) || steps(1) || steps(9)
    }
}

macro_rules! validators {
    ($($(#[$doc:meta])* $variant:ident = $name:literal => $check:expr,)*) => {
        /// A check in code that a pattern cannot express; declarations name it in snake_case.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub enum Validator {
            $($(#[$doc])* $variant,)*
        }

        impl Validator {
            /// Every validator with its name.
            pub const ALL: &[(&str, Validator)] = &[$(($name, Self::$variant)),*];

            /// Whether the match is what it looks like; if so its end, which a check may move.
            pub(super) fn accept(self, found: Match<'_>) -> Option<usize> {
                match self {
                    $(Self::$variant => {
                        let check: fn(Match<'_>) -> Option<usize> = $check;
                        check(found)
                    })*
                }
            }
        }
    };
}

validators! {
    /// Every match is a finding.
    #[default]
    None = "none" => |found| Some(found.end),
    /// Luhn checksum.
    Luhn = "luhn" => |found| keep(found, luhn::is_valid(found.digits().as_slice())),
    /// ISO/IEC 7064 MOD 97-10.
    Mod97 = "mod97" => |found| keep(found, mod97::is_valid(found.bytes())),
    /// ISO/IEC 7064 MOD 11-2.
    Mod11 = "mod11" => |found| keep(found, mod11::is_valid(found.bytes())),
    /// Verhoeff checksum.
    Verhoeff = "verhoeff" => |found| keep(found, verhoeff::is_valid(found.digits().as_slice())),
    /// The last eight hexadecimal digits are the CRC-32 of all before.
    Crc32 = "crc32" => |found| keep(found, crc32::ends_with_hex(found.bytes())),
    /// Payment card number.
    Card = "card" => |found| keep(found, card::is_valid(&found.digits())),
    /// US social security number.
    Ssn = "us_ssn" => |found| keep(found, ssn::is_valid(&found.digits())),
    /// International bank account number.
    Iban = "iban" => |found| keep(found, iban::is_valid(found.bytes())),
    /// E-mail address.
    Email = "email" => |found| keep(found, email::is_valid(&found)),
    /// International telephone number with its country code.
    PhoneInternational = "phone_international" => |found| keep(found, phone::is_international(&found)),
    /// Telephone number of the North American numbering plan.
    PhoneNanp = "phone_nanp" => |found| keep(found, phone::is_nanp(&found)),
    /// Telephone number in a national form.
    PhoneNational = "phone_national" => |found| keep(found, phone::is_national(&found)),
    /// IPv4 address that is no version number.
    Ipv4 = "ipv4" => |found| keep(found, ip::is_v4(&found)),
    /// IPv6 address.
    Ipv6 = "ipv6" => |found| keep(found, ip::is_v6(&found)),
    /// AWS access key id.
    AwsAccessKeyId = "aws_access_key_id" => |found| keep(found, aws::is_access_key_id(found.bytes())),
    /// GitHub token with a checksum.
    GithubToken = "github_token" => |found| keep(found, github::is_valid(found.bytes())),
    /// JSON Web Token.
    Jwt = "jwt" => |found| keep(found, jwt::is_valid(found.bytes())),
    /// Private key in PEM form: the match is the header, the finding reaches to the end of the key.
    PrivateKey = "private_key" => private_key::end,
    /// JSON Web Token in base64.
    JwtBase64 = "jwt_base64" => |found| keep(found, jwt::is_encoded(found.bytes())),
    /// Random and no placeholder.
    Token = "token" => |found| keep(found, secret::is_token(found.bytes())),
    /// As `token`, and not made of words.
    RandomToken = "random_token" => |found| keep(found, secret::is_random_token(found.bytes())),
    /// As `random_token`, and its name is not that of an identifier.
    NamedToken = "named_token" => |found| keep(found, secret::is_named(&found)),
    /// Random, letters and digits, and its name is that of a secret.
    GenericSecret = "generic_secret" => |found| keep(found, secret::is_generic(&found)),
    /// Password, neither placeholder nor reference.
    Password = "password" => |found| keep(found, password::is_valid(&found)),
    /// Password of a URL: `@` and a host follow.
    UrlPassword = "url_password" => |found| keep(found, password::is_of_url(&found)),
    /// Password that curl is given.
    CurlPassword = "curl_password" => |found| keep(found, password::is_of_curl(&found)),
    /// Base64 of user and password.
    BasicCredentials = "basic_credentials" => |found| keep(found, password::is_basic(found.bytes())),
    /// Random enough for a secret: at least 3 bits a character.
    Entropy = "entropy" => |found| keep(found, entropy::bits_per_byte(found.bytes()) >= entropy::SECRET_BITS),
}

impl Validator {
    /// The validator of that name.
    ///
    /// # Errors
    ///
    /// When there is none: the error lists those that exist.
    pub fn named(name: &str) -> Result<Self, SpecError> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, validator)| *validator).ok_or_else(|| SpecError::UnknownValidator {
            name: name.to_owned(),
            known: Self::ALL.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", "),
        })
    }

    /// The validator's name as declarations write it.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, validator)| *validator == self).map_or("none", |(name, _)| name)
    }

    /// Whether a finding may end elsewhere than its match.
    pub(super) fn moves_end(self) -> bool {
        self == Self::PrivateKey
    }
}

impl TryFrom<String> for Validator {
    type Error = SpecError;

    fn try_from(name: String) -> Result<Self, SpecError> {
        Self::named(&name)
    }
}

fn keep(found: Match<'_>, is_valid: bool) -> Option<usize> {
    is_valid.then_some(found.end)
}
