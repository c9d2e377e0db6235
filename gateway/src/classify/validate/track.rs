//! Magnetic stripes of cards, ISO/IEC 7813: tracks 1 and 2 with number and expiry.

use super::{Digits, card};

/// Whether a track holds a card number and the month of its expiry.
pub(super) fn is_valid(bytes: &[u8]) -> bool {
    let separator = if bytes.starts_with(b"%") { b'^' } else { b'=' };
    let mut fields = bytes.split(|byte| *byte == separator);
    let number = Digits::of(fields.next().unwrap_or_default());
    let after = if separator == b'^' { fields.nth(1) } else { fields.next() };
    let month = Digits::of(after.and_then(|after| after.get(..4)).unwrap_or_default()).number(2, 4);
    card::is_valid(&number) && (1..=12).contains(&month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_expiry_decide() {
        for track in [
            "%B4111111111111111^DOE/JOHN^25121011000000000000?",
            ";4111111111111111=25121011000?",
            ";378282246310005=2406101",
        ] {
            assert!(is_valid(track.as_bytes()), "{track}");
        }
        for track in [
            "%B4111111111111112^DOE/JOHN^25121011000000000000?",
            ";4111111111111111=25131011000?",
            "%B4111111111111111^",
        ] {
            assert!(!is_valid(track.as_bytes()), "{track}");
        }
    }
}
