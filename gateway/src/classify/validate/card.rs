//! Payment card numbers: the issuer identification numbers that the schemes publish (ISO/IEC 7812-1), the
//! lengths they use, and the Luhn check digit.

use super::{Digits, Match, iban, luhn};

/// First six digits (from, to), lengths of the number (from, to).
const ISSUERS: &[(u32, u32, usize, usize)] = &[
    (222_100, 272_099, 16, 16), // Mastercard, 2-series
    (300_000, 305_999, 14, 19), // Diners Club
    (309_500, 309_599, 14, 19), // Diners Club
    (340_000, 349_999, 15, 15), // American Express
    (352_800, 358_999, 16, 19), // JCB
    (360_000, 369_999, 14, 19), // Diners Club
    (370_000, 379_999, 15, 15), // American Express
    (380_000, 399_999, 14, 19), // Diners Club
    (510_000, 559_999, 16, 16), // Mastercard
    (601_100, 601_199, 16, 19), // Discover
    (620_000, 629_999, 16, 19), // UnionPay, and Discover's 622126 to 622925
    (644_000, 659_999, 16, 19), // Discover
    (810_000, 817_199, 16, 19), // UnionPay
];

/// Lengths that schemes allow and no issuer is known to use: only a word tells such a number from others.
const UNUSED_LENGTHS: [usize; 2] = [17, 18];
/// Lengths of Visa's numbers, which begin with 4.
const VISA_LENGTHS: [usize; 3] = [13, 16, 19];

/// Longest IBAN with separators, bytes: 34 characters in groups of four (ISO 13616).
const IBAN_BYTES_MAX: usize = 42;

/// Whether the match is a number that some scheme issues, and no part of an IBAN.
pub(super) fn is_card(found: &Match<'_>) -> bool {
    let digits = found.digits();
    is_valid(&digits) && !is_unused(&digits) && !is_in_iban(found)
}

/// Whether a match that a word calls a card has the check digit of one, and is no part of an IBAN.
pub(super) fn is_named_card(found: &Match<'_>) -> bool {
    let digits = found.digits();
    let is_known = !is_unused(&digits) || is_issued(&digits);
    is_known && !digits.is_trivial() && luhn::is_valid(digits.as_slice()) && !is_in_iban(found)
}

fn is_unused(digits: &Digits) -> bool {
    UNUSED_LENGTHS.contains(&digits.as_slice().len())
}

/// Whether a scheme issues such numbers and the check digit is right.
pub(super) fn is_valid(digits: &Digits) -> bool {
    is_issued(digits) && !digits.is_trivial() && luhn::is_valid(digits.as_slice())
}

/// Whether groups of four stand before the match that with it, and perhaps some after it, are an IBAN: one
/// of ten such rows of digits passes for a card number.
fn is_in_iban(found: &Match<'_>) -> bool {
    let mut head = found.start;
    while let Some(group) = group_before(found.field, head).filter(|_| found.start - head < IBAN_BYTES_MAX) {
        head = group;
        let last = found.field.len().min(head + IBAN_BYTES_MAX);
        let is_head = found.field[head..head + 2].iter().all(u8::is_ascii_uppercase);
        if is_head && (found.end..=last).any(|end| is_iban_in_groups(&found.field[head..end])) {
            return true;
        }
    }
    false
}

/// Where the group of four capitals and digits starts that a separator parts from `at`.
fn group_before(field: &[u8], at: usize) -> Option<usize> {
    let [group @ .., b' ' | b'-'] = &field[at.checked_sub(5)?..at] else { return None };
    group.iter().all(is_iban_byte).then_some(at - 5)
}

/// Whether the text is an IBAN as it is printed: groups of four, the last of at most four.
fn is_iban_in_groups(text: &[u8]) -> bool {
    let separator = text.get(4).copied().unwrap_or(b' ');
    let is_group = |(index, byte): (usize, &u8)| match index % 5 {
        4 => *byte == separator,
        _ => is_iban_byte(byte),
    };
    text.iter().enumerate().all(is_group) && iban::is_valid(text)
}

fn is_iban_byte(byte: &u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn is_issued(digits: &Digits) -> bool {
    let length = digits.as_slice().len();
    let issuer = digits.number(0, 6);
    let listed = |entry: &(u32, u32, usize, usize)| {
        (u64::from(entry.0)..=u64::from(entry.1)).contains(&issuer) && (entry.2..=entry.3).contains(&length)
    };
    if issuer / 100_000 == 4 { VISA_LENGTHS.contains(&length) } else { ISSUERS.iter().any(listed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_numbers_of_the_schemes_pass() {
        let numbers = [
            "4111111111111111",
            "4222222222222",
            "378282246310005",
            "5555555555554444",
            "2221000000000009",
            "6011111111111117",
            "3530111333300000",
            "30569309025904",
            "6200000000000005",
        ];
        for number in numbers {
            assert!(is_valid(&Digits::of(number.as_bytes())), "{number}");
        }
    }

    #[test]
    fn a_part_of_an_iban_is_no_card() {
        let cases = [
            ("ES10 5532 9291 8165 8655 4950.", "5532 9291 8165 8655", false),
            ("(FR90 7653 3012 4421 4306 9700 502)", "3012 4421 4306 9700", false),
            ("IT36 Y874 3673 0417 1622 7123 685.", "3673 0417 1622 7123", false),
            ("ES11 5532 9291 8165 8655 4950.", "5532 9291 8165 8655", true),
            ("ES10 5532 9291 8165 8655, 4950", "5532 9291 8165 8655", true),
            ("ID24 4111 1111 1111 1111", "4111 1111 1111 1111", true),
            ("4111 1111 1111 1111", "4111 1111 1111 1111", true),
        ];
        for (text, number, expected) in cases {
            let start = text.find(number).unwrap();
            let found = Match { field: text.as_bytes(), start, end: start + number.len() };
            assert_eq!(is_card(&found), expected, "{text}");
        }
    }

    #[test]
    fn other_numbers_fail() {
        let numbers = [
            ("4111111111111112", "check digit"),
            ("41111111111111", "length"),
            ("1111111111111117", "issuer"),
            ("1700000000000", "a timestamp"),
            ("0000000000000000", "all the same"),
        ];
        for (number, why) in numbers {
            assert!(!is_valid(&Digits::of(number.as_bytes())), "{number}: {why}");
        }
    }
}
