//! GitHub tokens: a prefix, 30 random characters, and the CRC-32 of those as six base62 digits
//! (GitHub, "Behind GitHub's new authentication token formats", 2021).

use super::crc32::crc32;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Bytes of `ghp_` and its like.
const PREFIX_BYTES: usize = 4;
const CHECK_BYTES: usize = 6;

/// Whether the last six characters check the random ones.
pub(super) fn is_valid(token: &[u8]) -> bool {
    let body = token.get(PREFIX_BYTES..).and_then(|body| body.split_last_chunk::<CHECK_BYTES>());
    body.is_some_and(|(random, check)| *check == base62(crc32(random)))
}

/// `number` in base62, with leading zeros.
fn base62(mut number: u32) -> [u8; CHECK_BYTES] {
    let mut digits = [b'0'; CHECK_BYTES];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(number % 62) as usize];
        number /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_decides() {
        // Made as the announcement describes, with zlib's CRC-32.
        assert!(is_valid(b"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"));
        assert!(!is_valid(b"ghp_QUSHL8iLc7bE6wSt9cbMOeEeUtuiee3P482r"));
        assert!(!is_valid(b"ghp_"));
    }
}
