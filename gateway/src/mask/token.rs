//! `token`: values of the same form, the same for the same value.

use super::character::{Character, characters};
use super::ff1::{NUMERALS_MAX, Numeral};
use super::operator::Operator;
use super::pseudonym::{Key, Subject};
use super::text;

/// Fewest values that a value must be one of: SP 800-38G revision 1 asks for it, since fewer can be tried.
const DOMAIN_MIN: u64 = 1_000_000;

/// What is added to the check digit of a card's token, so that the Luhn checksum refuses it.
const CHECK_DIGIT_OFFSET: u8 = 5;

/// The operator with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    key: Key,
    /// What stands in, in record keys, for a token that cannot be: it keeps keys apart, too.
    in_keys: Box<Operator>,
}

/// The letters and digits of a value.
struct Content {
    numerals: [Numeral; NUMERALS_MAX],
    count: usize,
}

impl Token {
    /// Hex digits of the hash that stands in for a token: 128 bits.
    const HASH_DIGITS: usize = 32;

    /// Tokens under `key`; `None` when it is no key of AES.
    pub fn new(key: Key) -> Option<Self> {
        key.ff1()?;
        let in_keys = Box::new(Operator::Hash { key: key.clone(), length: Self::HASH_DIGITS });
        Some(Self { key, in_keys })
    }

    /// What stands in, in record keys, where no token fits.
    pub(super) fn in_keys(&self) -> &Operator {
        &self.in_keys
    }

    /// Whether there is a token for `raw`. In a number all of it must be digits.
    pub(super) fn fits(subject: &Subject, raw: &[u8], json: bool, in_number: bool) -> bool {
        let content = Content::of(raw, json);
        content.is_some_and(|content| content.is_large(subject) && (!in_number || content.is_digits()))
    }

    /// Appends the token of `raw`: its letters and digits encrypted, in the case in which they were, all else
    /// as it stands. A value for which there is none is redacted.
    pub(super) fn write(&self, subject: &Subject, raw: &[u8], json: bool, out: &mut Vec<u8>) {
        let content = Content::of(raw, json).filter(|content| content.is_large(subject));
        let (Some(mut content), Some(_)) = (content, self.key.ff1()) else {
            return text::redact(raw, json, out);
        };
        content.encrypt(&self.key, subject);
        let mut numerals = content.numerals().iter();
        let mut rest = raw;
        for character in characters(raw, json) {
            let (written, after) = rest.split_at(character.length);
            rest = after;
            let plain = character.value.filter(char::is_ascii_alphanumeric);
            match plain.zip(numerals.as_slice().first()) {
                Some((plain, numeral)) => {
                    numerals.next();
                    text::write_character(numeral.character(plain), character.form, written, out);
                }
                None => out.extend_from_slice(written),
            }
        }
    }
}

impl Content {
    /// `None` when there are too many of them, or some for which there is no other of the same kind and length.
    fn of(raw: &[u8], json: bool) -> Option<Self> {
        let mut content = Self { numerals: [Numeral::default(); NUMERALS_MAX], count: 0 };
        for character in characters(raw, json).filter(Character::is_content) {
            let numeral = Numeral::of(character.value?)?;
            *content.numerals.get_mut(content.count)? = numeral;
            content.count += 1;
        }
        Some(content)
    }

    fn numerals(&self) -> &[Numeral] {
        &self.numerals[..self.count]
    }

    fn is_digits(&self) -> bool {
        self.numerals().iter().all(|numeral| numeral.radix == 10)
    }

    /// True when the last digit follows from the others.
    fn is_checked(&self, subject: &Subject) -> bool {
        self.count > 0 && subject.has_check_digit && self.is_digits() && luhn_sum(self.numerals()) == 0
    }

    /// How many numerals are encrypted: all but a check digit.
    fn free_count(&self, subject: &Subject) -> usize {
        self.count - usize::from(self.is_checked(subject))
    }

    /// True when what is encrypted is one of enough.
    fn is_large(&self, subject: &Subject) -> bool {
        let free = &self.numerals[..self.free_count(subject)];
        let radices = free.iter().map(|numeral| u64::from(numeral.radix));
        radices.fold(1, u64::saturating_mul) >= DOMAIN_MIN
    }

    /// Digits alone keep the first digit a zero, or not one, so that numbers stay numbers. That costs further
    /// rounds where the cipher gives the other (cycle walking: still one token for one value).
    fn encrypt(&mut self, key: &Key, subject: &Subject) {
        let (zero_stays, count) = (self.is_digits(), self.free_count(subject));
        let starts_with_zero = self.numerals[0].value == 0;
        loop {
            key.encrypt(subject, &mut self.numerals[..count]);
            if !zero_stays || (self.numerals[0].value == 0) == starts_with_zero {
                break;
            }
        }
        if count < self.count {
            self.spoil_check_digit();
        }
    }

    /// Makes the last digit one that the checksum refuses: it follows from the others, so nothing is lost.
    fn spoil_check_digit(&mut self) {
        let last = self.count - 1;
        self.numerals[last].value = 0;
        let valid = (10 - luhn_sum(self.numerals())) % 10;
        self.numerals[last].value = (valid + CHECK_DIGIT_OFFSET) % 10;
    }
}

impl Numeral {
    fn of(character: char) -> Option<Self> {
        let byte = u8::try_from(character).ok()?;
        match byte {
            b'0'..=b'9' => Some(Self { value: byte - b'0', radix: 10 }),
            b'A'..=b'Z' => Some(Self { value: byte - b'A', radix: 26 }),
            b'a'..=b'z' => Some(Self { value: byte - b'a', radix: 26 }),
            _ => None,
        }
    }

    /// The character of the same kind and case as `plain`.
    fn character(self, plain: char) -> u8 {
        let first = match plain {
            'A'..='Z' => b'A',
            'a'..='z' => b'a',
            _ => b'0',
        };
        first + self.value
    }
}

/// The checksum of ISO/IEC 7812-1 annex B: zero for a valid number.
fn luhn_sum(digits: &[Numeral]) -> u8 {
    digits.iter().rev().enumerate().fold(0, |sum, (place, digit)| {
        let doubled = if place % 2 == 1 { digit.value * 2 } else { digit.value };
        (sum + if doubled > 9 { doubled - 9 } else { doubled }) % 10
    })
}
