//! Telephone numbers: ITU-T E.164 (country codes, at most 15 digits), the North American numbering plan
//! (area and exchange begin with 2 to 9), and national forms, which need a context word.

use super::{Digits, Match};

/// Country codes of two digits; those of one are 1 and 7, all others have three (ITU-T E.164 list).
const TWO_DIGIT_CODES: &[u64] = &[
    20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58,
    60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
];
/// Tens of the country codes of three digits.
const THREE_DIGIT_TENS: &[u64] =
    &[21, 22, 23, 24, 25, 26, 29, 35, 37, 38, 42, 50, 59, 67, 68, 69, 80, 85, 87, 88, 96, 97, 99];

/// Whether `+` and digits are a number that some country may have.
pub(super) fn is_international(found: &Match<'_>) -> bool {
    let digits = number_of(found);
    let count = digits.as_slice().len();
    let (one, two) = (digits.number(0, 1), digits.number(0, 2));
    let lengths = match one {
        1 | 7 => 11..=11,
        _ if TWO_DIGIT_CODES.contains(&two) => 8..=14,
        _ if THREE_DIGIT_TENS.contains(&two) => 8..=15,
        _ => return false,
    };
    lengths.contains(&count) && !is_repeated(&digits, 2)
}

/// Whether ten digits, after an optional 1, are area, exchange and line.
pub(super) fn is_nanp(found: &Match<'_>) -> bool {
    let digits = number_of(found);
    let trunk = digits.as_slice().iter().take_while(|digit| **digit < 2).count();
    let national = digits.as_slice().get(trunk..).unwrap_or_default();
    let begins_high = |index: usize| national.get(index).is_some_and(|digit| *digit >= 2);
    national.len() == 10 && begins_high(0) && begins_high(3) && !is_repeated(&digits, trunk)
}

/// Whether the digits are no placeholder: a context word must have said that it is a number to call.
pub(super) fn is_national(found: &Match<'_>) -> bool {
    let digits = number_of(found);
    (7..=15).contains(&digits.as_slice().len()) && !digits.is_trivial()
}

/// The digits before an extension.
fn number_of(found: &Match<'_>) -> Digits {
    let bytes = found.bytes();
    let number = bytes.iter().position(|byte| byte.is_ascii_alphabetic()).unwrap_or(bytes.len());
    Digits::of(&bytes[..number])
}

/// Whether all digits from `from` on are the same.
fn is_repeated(digits: &Digits, from: usize) -> bool {
    let rest = digits.as_slice().get(from..).unwrap_or_default();
    rest.windows(2).all(|pair| pair[0] == pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Match<'_> {
        Match { field: text.as_bytes(), start: 0, end: text.len() }
    }

    #[test]
    fn international_numbers_have_a_country_and_a_length() {
        let cases = [
            ("+49 30 10033076", true),
            ("+1 348 742 5810", true),
            ("+442079460958", true),
            ("+358 9 1234 5678", true),
            ("+1 348 742 581", false),
            ("+210 1234567890123", false),
            ("+999 12345678", true),
            ("+0123456789", false),
            ("+49 0000000000", false),
        ];
        for (text, expected) in cases {
            assert_eq!(is_international(&found(text)), expected, "{text}");
        }
    }

    #[test]
    fn north_american_numbers_have_an_area_and_an_exchange() {
        let cases = [
            ("(439) 308-7130", true),
            ("1-439-308-7130", true),
            ("001-439-308-7130x123", true),
            ("439-308-7130 ext. 5", true),
            ("139-308-7130", false),
            ("439-108-7130", false),
            ("222-222-2222", false),
        ];
        for (text, expected) in cases {
            assert_eq!(is_nanp(&found(text)), expected, "{text}");
        }
    }
}
