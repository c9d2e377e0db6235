//! ISO/IEC 7064 MOD 11,10: tax numbers of Germany, Croatia and Serbia.

/// Whether the last of `digits` checks the others.
pub(super) fn is_valid(digits: &[u8]) -> bool {
    let Some((last, others)) = digits.split_last() else { return false };
    let product = others.iter().fold(10, |product, digit| {
        let sum = (product + digit) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (product + last) % 10 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard_passes_and_its_neighbours_fail() {
        assert!(is_valid(&[0, 7, 9, 4, 5]));
        for last in [0, 1, 2, 3, 4, 6, 7, 8, 9] {
            assert!(!is_valid(&[0, 7, 9, 4, last]), "0794{last}");
        }
        assert!(!is_valid(&[7, 0, 9, 4, 5]) && !is_valid(&[]));
    }
}
