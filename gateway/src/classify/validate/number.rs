//! What the checks of numbers share: their digits without separators, weighted sums, Luhn's sum over letters.

use super::Digits;

/// The digits among `bytes` when there are `N` of them and the number is not obviously made up.
pub(super) fn digits<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    let digits = Digits::of(bytes);
    digits.as_slice().try_into().ok().filter(|_| !digits.is_trivial())
}

/// The letters, as capitals, and the digits among `bytes` when there are `N` of them.
pub(super) fn characters<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    let mut characters = [0; N];
    let mut count = 0;
    for byte in bytes.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        *characters.get_mut(count)? = byte.to_ascii_uppercase();
        count += 1;
    }
    (count == N).then_some(characters)
}

/// The number that `digits` write.
pub(super) fn value(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |value, digit| value * 10 + u64::from(*digit))
}

/// The sum of `values`, each times its weight, modulo `modulus`.
pub(super) fn remainder(values: &[u8], weights: &[i32], modulus: i32) -> i32 {
    let sum: i32 = values.iter().zip(weights).map(|(value, weight)| i32::from(*value) * weight).sum();
    sum.rem_euclid(modulus)
}

/// Whether `bytes` have `N` digits whose weighted sum is a multiple of `modulus`.
pub(super) fn is_multiple<const N: usize>(bytes: &[u8], weights: [i32; N], modulus: i32) -> bool {
    digits::<N>(bytes).is_some_and(|digits| remainder(&digits, &weights, modulus) == 0)
}

/// What a digit or letter counts: 0 to 9, then A = 10 to Z = 35.
pub(super) fn value_of(character: u8) -> u8 {
    char::from(character).to_digit(36).map_or(0, |value| value as u8)
}

/// The character of `table` at `index`.
pub(super) fn letter(table: &[u8], index: usize) -> Option<u8> {
    table.get(index).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_do_not_count_and_the_length_does() {
        assert_eq!(digits::<4>(b"1-2 94"), Some([1, 2, 9, 4]));
        assert_eq!(digits::<4>(b"1294 5"), None);
        assert_eq!(digits::<4>(b"1111"), None);
        assert_eq!(digits::<4>(b"1234"), None);
        assert_eq!(characters::<3>(b"a-1.z"), Some(*b"A1Z"));
        assert_eq!(characters::<3>(b"a-1.zz"), None);
    }

    #[test]
    fn sums_are_weighted_and_never_negative() {
        assert_eq!(remainder(&[1, 2, 3], &[3, -7, 1], 11), 3);
        assert_eq!(value(&[4, 0, 2]), 402);
        assert_eq!((value_of(b'0'), value_of(b'Z')), (0, 35));
    }
}
