//! ISO/IEC 7064 MOD 11-2: ORCID, ISNI, the identity number of China. The check character is 0 to 9 or X.

/// Whether the last character of `bytes` checks the digits before it; separators are skipped.
pub(super) fn is_valid(bytes: &[u8]) -> bool {
    let mut characters = bytes.iter().filter(|byte| byte.is_ascii_alphanumeric());
    let check = match characters.next_back() {
        Some(b'X' | b'x') => 10,
        Some(digit) if digit.is_ascii_digit() => u32::from(digit - b'0'),
        _ => return false,
    };
    let sum = characters
        .try_fold(0, |sum, byte| char::from(*byte).to_digit(10).map(|digit| (sum + digit) * 2 % 11));
    sum.is_some_and(|sum| (sum + check) % 11 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_identifiers_pass_and_neighbours_fail() {
        // ORCID's own example, the ISNI example of ISO 27729, the example of GB 11643-1999.
        for valid in ["0000-0002-1825-0097", "0000-0002-9079-593X", "11010519491231002X"] {
            assert!(is_valid(valid.as_bytes()), "{valid}");
        }
        for invalid in ["0000-0002-1825-0098", "110105194912310021", "X", ""] {
            assert!(!is_valid(invalid.as_bytes()), "{invalid}");
        }
    }
}
