//! Ethereum addresses: where letters of both cases occur, they are the checksum of ERC-55.

/// Whether the 40 digits after `0x` are in one case, or in the cases that their hash gives.
pub(super) fn is_valid(bytes: &[u8]) -> bool {
    let Some(digits) = bytes.get(2..).and_then(|digits| <&[u8; 40]>::try_from(digits).ok()) else {
        return false;
    };
    let has = |is: fn(&u8) -> bool| digits.iter().any(is);
    let is_varied = digits.iter().any(|digit| *digit != digits[0]);
    is_varied && (!has(u8::is_ascii_lowercase) || !has(u8::is_ascii_uppercase) || is_checked(digits))
}

fn is_checked(digits: &[u8; 40]) -> bool {
    let hash = keccak_256(&digits.map(|digit| digit.to_ascii_lowercase()));
    digits.iter().enumerate().all(|(place, digit)| {
        let nibble = hash[place / 2] >> (4 * (1 - place % 2)) & 0xf;
        !digit.is_ascii_alphabetic() || digit.is_ascii_uppercase() == (nibble > 7)
    })
}

/// Bytes of a block of Keccak-256.
const RATE_BYTES: usize = 136;

/// Keccak-256 of one block (G. Bertoni and others, "The Keccak reference", 2011): SHA-3 with the older padding.
fn keccak_256(message: &[u8; 40]) -> [u8; 32] {
    let mut block = [0; RATE_BYTES];
    block[..40].copy_from_slice(message);
    block[40] = 1;
    block[RATE_BYTES - 1] |= 0x80;
    let mut state = [0_u64; 25];
    let (words, _) = block.as_chunks::<8>();
    for (lane, word) in state.iter_mut().zip(words) {
        *lane = u64::from_le_bytes(*word);
    }
    ROUNDS.iter().for_each(|constant| round(&mut state, *constant));
    let mut hash = [0; 32];
    for (bytes, lane) in hash.chunks_mut(8).zip(state) {
        bytes.copy_from_slice(&lane.to_le_bytes());
    }
    hash
}

/// One round of the permutation: theta, rho and pi, chi, iota.
fn round(state: &mut [u64; 25], constant: u64) {
    let column: [u64; 5] = std::array::from_fn(|x| (0..5).fold(0, |sum, y| sum ^ state[x + 5 * y]));
    for (index, lane) in state.iter_mut().enumerate() {
        *lane ^= column[(index + 4) % 5] ^ column[(index + 1) % 5].rotate_left(1);
    }
    let mut moved = state[1];
    for (to, bits) in MOVES {
        moved = std::mem::replace(&mut state[to], moved.rotate_left(bits));
    }
    for row in state.chunks_mut(5) {
        let before: [u64; 5] = std::array::from_fn(|x| row[x]);
        row.iter_mut().enumerate().for_each(|(x, lane)| *lane ^= !before[(x + 1) % 5] & before[(x + 2) % 5]);
    }
    state[0] ^= constant;
}

/// Where each lane goes, beginning with lane 1, and by how many bits it is rotated.
const MOVES: [(usize, u32); 24] = [
    (10, 1),
    (7, 3),
    (11, 6),
    (17, 10),
    (18, 15),
    (3, 21),
    (5, 28),
    (16, 36),
    (8, 45),
    (21, 55),
    (24, 2),
    (4, 14),
    (15, 27),
    (23, 41),
    (19, 56),
    (13, 8),
    (12, 25),
    (2, 43),
    (20, 62),
    (14, 18),
    (22, 39),
    (9, 61),
    (6, 20),
    (1, 44),
];
const ROUNDS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_the_standard_pass_and_changed_cases_fail() {
        // The examples of ERC-55.
        for address in [
            "0x52908400098527886E0F7030069857D2E4169EE7",
            "0xde709f2102306220921060314715629080e2fb77",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
            "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        ] {
            assert!(is_valid(address.as_bytes()), "{address}");
        }
        for address in [
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed",
            "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0x0000000000000000000000000000000000000000",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
        ] {
            assert!(!is_valid(address.as_bytes()), "{address}");
        }
    }
}
