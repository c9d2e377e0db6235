//! Hardware addresses of network interfaces, IEEE 802: EUI-48.

/// Whether the address is neither that of no interface nor that of all.
pub(super) fn is_valid(bytes: &[u8]) -> bool {
    let mut digits = bytes.iter().filter(|byte| byte.is_ascii_hexdigit()).map(u8::to_ascii_lowercase);
    let first = digits.next();
    !matches!(first, Some(b'0' | b'f')) || digits.any(|digit| Some(digit) != first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_none_and_of_all_are_no_interface() {
        for address in ["00:1b:44:11:3a:b7", "F0-F0-F0-F0-F0-F0", "001b.4411.3ab7", "11:11:11:11:11:11"] {
            assert!(is_valid(address.as_bytes()), "{address}");
        }
        for address in ["00:00:00:00:00:00", "ff-ff-ff-ff-ff-ff", "FFFF.ffff.ffff"] {
            assert!(!is_valid(address.as_bytes()), "{address}");
        }
    }
}
