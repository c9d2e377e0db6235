//! Telephone numbers: ITU-T E.164 (country codes, at most 15 digits), the North American numbering plan
//! (area and exchange begin with 2 to 9), and national forms, which need a context word.

use super::{Digits, Match, names};

/// Country codes of two digits; those of one are 1 and 7, all others have three (ITU-T E.164 list).
const TWO_DIGIT_CODES: &[u64] = &[
    20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58,
    60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98,
];
/// Tens of the country codes of three digits.
const THREE_DIGIT_TENS: &[u64] =
    &[21, 22, 23, 24, 25, 26, 29, 35, 37, 38, 42, 50, 59, 67, 68, 69, 80, 85, 87, 88, 96, 97, 99];

/// Last words of keys of identifiers, counts and times.
const MEASURES: &[&str] = &[
    "id",
    "ids",
    "uid",
    "sid",
    "uuid",
    "hash",
    "count",
    "total",
    "sent",
    "sessions",
    "size",
    "bytes",
    "at",
    "ts",
    "time",
    "timestamp",
    "ms",
    "us",
    "ns",
    "seconds",
    "duration",
    "start",
    "end",
    "updated",
    "verified",
    "seq",
    "version",
    "build",
    "batch",
];
/// Fewest digits of a country code, one point and the rest: coordinates have fewer.
const WHOIS_DIGITS_MIN: usize = 11;

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
    lengths.contains(&count) && !is_repeated(&digits, 2) && !is_decimal(found, count)
}

/// Whether a single `.` makes it a coordinate, an amount or an offset with a sign. The numbers of whois have a
/// single point, too (RFC 5733: `+1.7035555555`), but more digits.
fn is_decimal(found: &Match<'_>, count: usize) -> bool {
    let bytes = found.bytes();
    let points = bytes.iter().filter(|byte| **byte == b'.').count();
    let is_grouped = bytes.iter().any(|byte| matches!(byte, b' ' | b'-' | b'('));
    let goes_on = matches!(found.field.get(found.end..), Some([b'.', next, ..]) if next.is_ascii_digit());
    goes_on || points == 1 && !is_grouped && count < WHOIS_DIGITS_MIN
}

/// Whether ten digits, after an optional 1, are area, exchange and line.
pub(super) fn is_nanp(found: &Match<'_>) -> bool {
    let digits = number_of(found);
    let trunk = digits.as_slice().iter().take_while(|digit| **digit < 2).count();
    let national = digits.as_slice().get(trunk..).unwrap_or_default();
    let begins_high = |index: usize| national.get(index).is_some_and(|digit| *digit >= 2);
    national.len() == 10 && begins_high(0) && begins_high(3) && !is_repeated(&digits, trunk)
}

/// Whether the digits are no placeholder, no identifier and no part of a longer number: a context word must
/// have said that it is a number to call.
pub(super) fn is_national(found: &Match<'_>) -> bool {
    let digits = number_of(found);
    let is_number = (7..=15).contains(&digits.as_slice().len()) && !digits.is_trivial();
    is_number && !is_in_groups(found) && !is_measure(found)
}

/// Whether a group of three or more digits stands before or after: of a card or an account, say.
fn is_in_groups(found: &Match<'_>) -> bool {
    let (before, after) = (&found.field[..found.start], &found.field[found.end..]);
    let is_group = |bytes: &[u8]| bytes.len() == 3 && bytes.iter().all(u8::is_ascii_digit);
    let precedes = matches!(before, [.., one, two, three, b' ' | b'-'] if is_group(&[*one, *two, *three]));
    let follows = matches!(after, [b' ' | b'-', one, two, three, ..] if is_group(&[*one, *two, *three]));
    precedes || follows
}

/// Whether the key says of a call, a message or a telephone what is no number to call: `phone_id`, `smsSent`.
fn is_measure(found: &Match<'_>) -> bool {
    names::words_of_key(found).last().is_some_and(|word| names::is_one_of(word, MEASURES))
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
            ("+1.7035555555", true),
            ("+55.669426", false),
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

    #[test]
    fn a_national_number_is_no_part_of_a_longer_one_and_no_measure() {
        let cases = [
            ("call 439 308 7130 12 times", "439 308 7130", true),
            ("card 5157 9917 4922 9878", "5157 9917 4922", false),
            ("card 5157 9917 4922 9878", "9917 4922 9878", false),
            ("phone2=4393087130", "4393087130", true),
            ("phone id: 3672459031", "3672459031", false),
            (r#"{"phoneVerifiedAt":1712345678}"#, "1712345678", false),
            (r#"{"paid_phone":"4393087130"}"#, "4393087130", true),
        ];
        for (text, value, expected) in cases {
            let start = text.find(value).unwrap();
            let found = Match { field: text.as_bytes(), start, end: start + value.len() };
            assert_eq!(is_national(&found), expected, "{text}");
        }
    }
}
