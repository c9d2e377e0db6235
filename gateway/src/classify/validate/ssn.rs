//! US social security numbers: the structure that the Social Security Administration assigns (SSA, "Social
//! Security Number Randomization", 2011), without those that it has published as void.

use super::Digits;

/// Numbers that were printed in advertisements or forms, or are obviously made up.
const VOID: [u64; 4] = [78_051_120, 219_099_999, 123_456_789, 457_555_462];
/// Numbers reserved for advertisements: 987-65-4320 to 987-65-4329.
const ADVERTISED: std::ops::RangeInclusive<u64> = 987_654_320..=987_654_329;

/// Whether nine digits are area, group and serial of an assigned number.
pub(super) fn is_valid(digits: &Digits) -> bool {
    let (area, group, serial) = (digits.number(0, 3), digits.number(3, 5), digits.number(5, 9));
    let number = digits.number(0, 9);
    let is_assigned = area != 0 && area != 666 && area < 900 && group != 0 && serial != 0;
    let is_sample = VOID.contains(&number) || ADVERTISED.contains(&number) || digits.is_trivial();
    digits.as_slice().len() == 9 && is_assigned && !is_sample
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structure_decides() {
        let cases = [
            ("536-13-7674", true),
            ("001-01-0001", true),
            ("000-13-7674", false),
            ("666-13-7674", false),
            ("900-13-7674", false),
            ("536-00-7674", false),
            ("536-13-0000", false),
            ("078-05-1120", false),
            ("219-09-9999", false),
            ("123-45-6789", false),
            ("111-11-1111", false),
            ("536-13-767", false),
        ];
        for (number, expected) in cases {
            assert_eq!(is_valid(&Digits::of(number.as_bytes())), expected, "{number}");
        }
    }
}
