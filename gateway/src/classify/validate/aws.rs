//! AWS access key ids: the prefixes of "IAM identifiers" (IAM user guide), 16 characters of base32.

use super::entropy;

/// Whether the id is random and none of the documentation's, which end in EXAMPLE.
pub(super) fn is_access_key_id(bytes: &[u8]) -> bool {
    let random = bytes.get(4..).unwrap_or_default();
    !bytes.ends_with(b"EXAMPLE") && entropy::bits_per_byte(random) >= 2.5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_and_repetitions_fail() {
        assert!(is_access_key_id(b"AKIAER24PDCLSXIFXI4V"));
        assert!(!is_access_key_id(b"AKIAIOSFODNN7EXAMPLE"));
        assert!(!is_access_key_id(b"AKIAAAAAAAAAAAAAAAAA"));
    }
}
