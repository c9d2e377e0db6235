//! Payment card numbers: the issuer identification numbers that the schemes publish (ISO/IEC 7812-1), the
//! lengths they use, and the Luhn check digit.

use super::{Digits, luhn};

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

/// Lengths of Visa's numbers, which begin with 4.
const VISA_LENGTHS: [usize; 3] = [13, 16, 19];

/// Whether a scheme issues such numbers and the check digit is right.
pub(super) fn is_valid(digits: &Digits) -> bool {
    is_issued(digits) && !digits.is_trivial() && luhn::is_valid(digits.as_slice())
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
