//! Keys, and the keyed hash that stands in for a value.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::character::characters;
use super::ff1::{Ff1, NUMERALS_MAX, Numeral};
use crate::classify::values::Case;
use crate::classify::{DetectorSpec, Family, Shape, Validator};

/// Shortest key, bytes: below, a hash of a card number could be found by trying keys.
pub const KEY_BYTES_MIN: usize = 16;

/// The tenant in every hash: a gateway serves one until it can tell several apart.
const TENANT: &[u8] = b"default";

/// A named key, ready for use. Its bytes are never shown.
#[derive(Clone)]
pub struct Key {
    id: String,
    mac: Hmac<Sha256>,
    /// The cipher of tokens, when the secret is as long as a key of AES.
    ff1: Option<Arc<Ff1>>,
}

/// Why some bytes are no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Too few bytes.
    #[error("a key of {bytes} bytes is too short: {KEY_BYTES_MIN} at least, 32 random ones are advised")]
    TooShort {
        /// Bytes that were given.
        bytes: usize,
    },
}

impl Key {
    /// A key from its secret bytes.
    ///
    /// # Errors
    ///
    /// When there are fewer than [`KEY_BYTES_MIN`].
    pub fn new(id: &str, secret: &[u8]) -> Result<Self, KeyError> {
        if secret.len() < KEY_BYTES_MIN {
            return Err(KeyError::TooShort { bytes: secret.len() });
        }
        Ok(Self::of_any_length(id, secret, secret))
    }

    /// A key that everyone can derive: for checking and trying policies.
    pub fn stand_in(id: &str) -> Self {
        Self::of_any_length(id, id.as_bytes(), &Sha256::digest(id))
    }

    fn of_any_length(id: &str, secret: &[u8], cipher_secret: &[u8]) -> Self {
        let mac = Hmac::new_from_slice(secret).expect("HMAC takes keys of any length (RFC 2104 section 2)");
        Self { id: id.to_owned(), mac, ff1: Ff1::new(cipher_secret).map(Arc::new) }
    }

    /// A secret that only who has the key can derive, for a purpose apart from masks.
    pub fn secret_for(&self, purpose: &str) -> [u8; 32] {
        self.mac.clone().chain_update(purpose).finalize().into_bytes().into()
    }

    /// The name by which policies refer to the key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The cipher of tokens.
    pub(super) fn ff1(&self) -> Option<&Ff1> {
        self.ff1.as_deref()
    }

    /// Encrypts the letters and digits of a value. The tweak is tenant, zero, detector, zero; where letters and
    /// digits meet, one byte for each follows, `A` or `0`.
    ///
    /// # Panics
    ///
    /// When the key has no cipher: a policy whose `token` names such a key is refused.
    pub(super) fn encrypt(&self, subject: &Subject, numerals: &mut [Numeral]) {
        let ff1 = self.ff1().expect("the policy compiler checks the key of `token`");
        let mut kinds = [0; NUMERALS_MAX];
        let kinds = &mut kinds[..numerals.len()];
        for (kind, numeral) in kinds.iter_mut().zip(&*numerals) {
            *kind = if numeral.radix == 10 { b'0' } else { b'A' };
        }
        let is_mixed = kinds.windows(2).any(|pair| pair[0] != pair[1]);
        let kinds = if is_mixed { &*kinds } else { &[] };
        ff1.encrypt(&[TENANT, b"\0", subject.id.as_bytes(), b"\0", kinds], numerals);
    }

    /// Appends `length` hex digits of HMAC-SHA-256 over tenant, zero, detector, zero, normalised value.
    pub(super) fn write_hash(
        &self,
        subject: &Subject,
        value: &[u8],
        json: bool,
        length: usize,
        out: &mut Vec<u8>,
    ) {
        let mut mac = self.mac.clone();
        for part in [TENANT, b"\0", subject.id.as_bytes(), b"\0"] {
            mac.update(part);
        }
        subject.normal.feed(value, json, &mut mac);
        let digest = mac.finalize().into_bytes();
        let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        out.extend(digits.map(|digit| b"0123456789abcdef"[usize::from(digit)]).take(length));
    }
}

/// Keys of one configuration are told apart by their names.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

/// The keys that policies may name.
#[derive(Clone, Debug)]
pub enum Keys {
    /// Those of the configuration.
    Configured(Vec<Key>),
    /// Any name, with its stand-in: for trying policies where no configuration is.
    StandIn,
}

impl Keys {
    /// The key of that name.
    pub fn find(&self, id: &str) -> Option<Key> {
        match self {
            Self::Configured(keys) => keys.iter().find(|key| key.id == id).cloned(),
            Self::StandIn => Some(Key::stand_in(id)),
        }
    }

    /// These and one more, unless one of its name is among them.
    pub fn or(self, key: Key) -> Self {
        match self {
            Self::Configured(mut keys) if keys.iter().all(|other| other.id != key.id) => {
                keys.push(key);
                Self::Configured(keys)
            }
            keys => keys,
        }
    }

    /// The names of all keys; none where any name will do.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        let keys = match self {
            Self::Configured(keys) => keys.as_slice(),
            Self::StandIn => &[],
        };
        keys.iter().map(Key::id)
    }
}

/// What masking needs to know of a detector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The detector's id.
    pub id: String,
    /// When two of its values count as the same.
    pub normal: Normal,
    /// True when the last digit of its values follows from the others by the Luhn checksum.
    pub has_check_digit: bool,
}

impl Subject {
    /// The detector as masking sees it.
    pub fn of(spec: &DetectorSpec) -> Self {
        let case = spec.values.as_ref().map(|values| values.case());
        let normal = match spec.family {
            _ if case == Some(Case::Counts) => Normal::CasedAlphanumeric,
            Family::Payment | Family::Identity | Family::Health => Normal::Alphanumeric,
            Family::Person if spec.id == "email" => Normal::Lowercase,
            Family::Person => Normal::Alphanumeric,
            Family::Network => Normal::Lowercase,
            Family::Custom if case.is_some() => Normal::Alphanumeric,
            Family::Secret | Family::Custom => Normal::Verbatim,
        };
        let is_checked = |shape: &Shape| {
            matches!(shape.validator, Validator::Luhn | Validator::Card | Validator::NamedCard)
        };
        Self { id: spec.id.clone(), normal, has_check_digit: spec.shapes.iter().all(is_checked) }
    }
}

/// The form in which a value is hashed, so that one value has one hash however it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normal {
    /// As it stands, escapes decoded: secrets.
    Verbatim,
    /// In lower case: addresses.
    Lowercase,
    /// Letters in upper case and digits, without separators: numbers of cards, accounts, persons.
    Alphanumeric,
    /// Letters as they are and digits, without separators: values of lists in which case counts.
    CasedAlphanumeric,
}

impl Normal {
    fn feed(self, value: &[u8], json: bool, mac: &mut Hmac<Sha256>) {
        let mut rest = value;
        for character in characters(value, json) {
            let (raw, after) = rest.split_at(character.length);
            rest = after;
            let Some(decoded) = character.value else {
                mac.update(raw);
                continue;
            };
            match self {
                Self::Verbatim => mac.update(decoded.encode_utf8(&mut [0; 4]).as_bytes()),
                Self::Lowercase => {
                    decoded.to_lowercase().for_each(|c| mac.update(c.encode_utf8(&mut [0; 4]).as_bytes()))
                }
                Self::Alphanumeric if decoded.is_alphanumeric() => {
                    decoded.to_uppercase().for_each(|c| mac.update(c.encode_utf8(&mut [0; 4]).as_bytes()));
                }
                Self::CasedAlphanumeric if decoded.is_alphanumeric() => {
                    mac.update(decoded.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Self::Alphanumeric | Self::CasedAlphanumeric => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(normal: Normal, value: &str) -> String {
        let key = Key::new("k", b"0123456789abcdef").expect("the key is long enough");
        let subject = Subject { id: "credit_card".to_owned(), normal, has_check_digit: true };
        let mut out = Vec::new();
        key.write_hash(&subject, value.as_bytes(), true, 64, &mut out);
        String::from_utf8(out).expect("hex is ASCII")
    }

    /// Made with OpenSSL: `printf 'default\0credit_card\0004111111111111111' | openssl dgst -sha256 -hmac 0123456789abcdef`.
    #[test]
    fn the_hash_is_hmac_over_tenant_detector_and_normalised_value() {
        let expected = "de8e5f9d39aa987820aed18c0b10dd9eb8fcdefb899e42f0e810e54a90932e48";
        assert_eq!(hash(Normal::Alphanumeric, "4111 1111-1111 1111"), expected);
        assert_eq!(hash(Normal::Alphanumeric, "\\u0034111 1111-1111 1111"), expected);
        assert_eq!(hash(Normal::Verbatim, "4111111111111111"), expected);
        assert_ne!(hash(Normal::Verbatim, "4111 1111 1111 1111"), expected);
    }

    #[test]
    fn lower_case_makes_addresses_equal() {
        assert_eq!(hash(Normal::Lowercase, "Jane@Example.COM"), hash(Normal::Verbatim, "jane@example.com"));
    }

    #[test]
    fn a_short_key_is_refused_and_no_key_is_shown() {
        assert_eq!(Key::new("k", b"short").err(), Some(KeyError::TooShort { bytes: 5 }));
        let key = Key::new("k", b"0123456789abcdef").expect("the key is long enough");
        assert_eq!(format!("{key:?}"), "Key(k)");
    }
}
