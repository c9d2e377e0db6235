//! The Verhoeff checksum: J. Verhoeff, "Error Detecting Decimal Codes", Mathematical Centre Tract 29 (1969).

/// Multiplication in the dihedral group D5.
const MULTIPLY: [[u8; 10]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
    [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
    [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
    [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
    [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
    [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
    [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
    [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
];

/// The permutation by position, of period 8.
const PERMUTE: [[u8; 10]; 8] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
    [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
    [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
    [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
    [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
    [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
    [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
];

/// Whether the last of `digits` (each 0 to 9) is the Verhoeff check digit of the others.
pub(super) fn is_valid(digits: &[u8]) -> bool {
    let check = digits.iter().rev().enumerate().fold(0, |check, (index, digit)| {
        let permuted = PERMUTE[index % 8][usize::from(digit % 10)];
        MULTIPLY[usize::from(check)][usize::from(permuted)]
    });
    !digits.is_empty() && check == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_passes_and_its_neighbours_fail() {
        assert!(is_valid(&[2, 3, 6, 3]));
        for last in [0, 1, 2, 4, 5, 6, 7, 8, 9] {
            assert!(!is_valid(&[2, 3, 6, last]), "236{last}");
        }
        assert!(!is_valid(&[3, 2, 6, 3]));
        assert!(!is_valid(&[]));
    }
}
