//! Bitcoin addresses: Base58Check of version 0 and 5 (Bitcoin wiki), and segregated witness (BIP 173, BIP 350).

use sha2::{Digest, Sha256};

const BASE58: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BECH32: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// What the checksum of version 0 leaves (BIP 173),
const BECH32_CHECK: u32 = 1;
/// and that of later versions (BIP 350).
const BECH32M_CHECK: u32 = 0x2bc8_30a3;

/// Whether an address that begins with 1 or 3 has the right checksum.
pub(super) fn is_base58(bytes: &[u8]) -> bool {
    let Some(decoded) = decode_base58(bytes) else { return false };
    let (payload, check) = decoded.split_at(21);
    matches!(payload[0], 0 | 5) && Sha256::digest(Sha256::digest(payload))[..4] == *check
}

/// A version, the hash of a key or script, and a checksum.
fn decode_base58(bytes: &[u8]) -> Option<[u8; 25]> {
    let mut decoded = [0_u8; 25];
    for byte in bytes {
        let mut carry = BASE58.iter().position(|digit| digit == byte)?;
        for place in decoded.iter_mut().rev() {
            carry += usize::from(*place) * 58;
            *place = carry as u8;
            carry >>= 8;
        }
        if carry > 0 {
            return None;
        }
    }
    Some(decoded)
}

/// Whether an address that begins with bc1 has the right checksum.
pub(super) fn is_segwit(bytes: &[u8]) -> bool {
    // The checksum covers the prefix `bc`: the high bits of its letters, 0, and their low bits.
    let start = [3, 3, 0, 2, 3].into_iter().fold(1, polymod);
    let mut values = bytes.iter().skip(3).map(|byte| {
        BECH32.iter().position(|digit| *digit == byte.to_ascii_lowercase()).map(|value| value as u32)
    });
    let Some(Some(version)) = values.next() else { return false };
    let check = values.try_fold(polymod(start, version), |check, value| Some(polymod(check, value?)));
    check == Some(if version == 0 { BECH32_CHECK } else { BECH32M_CHECK })
}

/// One step of the checksum of BIP 173.
fn polymod(check: u32, value: u32) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let top = check >> 25;
    let shifted = (check & 0x01ff_ffff) << 5 ^ value;
    let terms = GENERATOR.iter().enumerate().filter(|(bit, _)| top >> bit & 1 == 1);
    terms.fold(shifted, |check, (_, term)| check ^ term)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_addresses_pass_and_changed_ones_fail() {
        // The first block's address, the examples of the Bitcoin wiki, and the vectors of BIP 173 and BIP 350.
        for address in [
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
            "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
        ] {
            assert!(is_base58(address.as_bytes()), "{address}");
        }
        for address in [
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        ] {
            assert!(is_segwit(address.as_bytes()), "{address}");
        }
        assert!(!is_base58(b"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb"));
        assert!(!is_base58(b"3J98t1WpEZ73CNmQviecrnyiWrnqRhWNL0"));
        assert!(!is_base58(b""));
        assert!(!is_segwit(b"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5"));
        assert!(!is_segwit(b"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh"));
        assert!(!is_segwit(b"bc1"));
    }
}
