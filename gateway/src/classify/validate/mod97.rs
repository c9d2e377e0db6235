//! ISO/IEC 7064 MOD 97-10: letters count as 10 to 35, the whole number leaves 1.

/// Whether the letters and digits of `bytes`, read as one number, leave 1 when divided by 97.
pub(super) fn is_valid(bytes: &[u8]) -> bool {
    remainder(bytes.iter().copied()) == 1
}

/// The remainder of the number that letters and digits write; other bytes are separators.
pub(super) fn remainder(bytes: impl Iterator<Item = u8>) -> u32 {
    bytes.filter_map(|byte| char::from(byte).to_digit(36)).fold(0, |remainder, value| {
        let shift = if value < 10 { 10 } else { 100 };
        (remainder * shift + value) % 97
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_lei_and_iso_7064_pass() {
        // Legal entity identifiers (ISO 17442) of GLEIF and Apple; "79444" of ISO/IEC 7064.
        for valid in ["506700GE1G29325QX363", "HWUPKR0MPOU8FGXBT394", "79444"] {
            assert!(is_valid(valid.as_bytes()), "{valid}");
        }
        assert!(!is_valid(b"79445"));
        assert!(!is_valid(b""));
    }
}
