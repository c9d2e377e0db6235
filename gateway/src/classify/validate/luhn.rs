//! The Luhn checksum, ISO/IEC 7812-1 annex B (US patent 2,950,048).

/// Whether the last of `digits` is the Luhn check digit of the others.
pub(super) fn is_valid(digits: &[u8]) -> bool {
    let sum: u32 = digits.iter().rev().enumerate().map(|(index, digit)| weighted(index, *digit)).sum();
    !digits.is_empty() && sum.is_multiple_of(10)
}

/// Every second digit from the right counts double, and of a double the digits are added.
fn weighted(index: usize, digit: u8) -> u32 {
    const DOUBLED: [u8; 10] = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];
    let doubled = DOUBLED.get(usize::from(digit)).copied().unwrap_or(0);
    u32::from(if index.is_multiple_of(2) { digit } else { doubled })
}

#[cfg(test)]
mod tests {
    use super::super::Digits;
    use super::*;

    #[test]
    fn published_numbers_pass_and_neighbours_fail() {
        // The example of ISO/IEC 7812-1, and test numbers that the card schemes publish.
        let numbers =
            ["79927398713", "378282246310005", "6011111111111117", "3530111333300000", "4222222222222"];
        for number in numbers {
            assert!(is_valid(Digits::of(number.as_bytes()).as_slice()), "{number}");
        }
        for last in "012456789".chars() {
            let number = format!("7992739871{last}");
            assert!(!is_valid(Digits::of(number.as_bytes()).as_slice()), "{number}");
        }
        assert!(!is_valid(&[]));
    }
}
