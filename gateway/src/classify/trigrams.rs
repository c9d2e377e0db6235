//! Groups by three bytes: by those that a token begins with, and by those that a key ends with. A filter of one
//! bit per hash answers for nearly all text.

use std::collections::HashMap;

/// Bits of the filter: a power of two.
const FILTER_BITS: usize = 1 << 12;

/// Groups by three bytes.
#[derive(Debug)]
pub(super) struct Trigrams {
    filter: Box<[u64; FILTER_BITS / 64]>,
    groups: HashMap<[u8; 3], Vec<u16>>,
}

impl Trigrams {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self { filter: Box::new([0; FILTER_BITS / 64]), groups: HashMap::new() }
    }

    /// Adds a group; once is enough.
    pub(super) fn insert(&mut self, bytes: [u8; 3], group: u16) {
        let bit = bit_of(bytes);
        self.filter[bit / 64] |= 1 << (bit % 64);
        let groups = self.groups.entry(bytes).or_default();
        if !groups.contains(&group) {
            groups.push(group);
        }
    }

    /// The groups of these bytes.
    #[inline]
    pub(super) fn groups(&self, bytes: [u8; 3]) -> &[u16] {
        let bit = bit_of(bytes);
        if self.filter[bit / 64] >> (bit % 64) & 1 == 0 {
            return &[];
        }
        self.groups.get(&bytes).map_or(&[], Vec::as_slice)
    }
}

#[inline]
fn bit_of([one, two, three]: [u8; 3]) -> usize {
    // Fibonacci hashing: the upper bits of a product with the golden ratio of 2^32 are well mixed.
    (u32::from_le_bytes([one, two, three, 0]).wrapping_mul(0x9e37_79b1) >> 20) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_inserted_is_found() {
        let mut trigrams = Trigrams::new();
        trigrams.insert(*b"ghp", 3);
        trigrams.insert(*b"ghp", 3);
        trigrams.insert(*b"ghp", 5);
        assert_eq!(trigrams.groups(*b"ghp"), [3, 5]);
        let all = || (0..=u8::MAX).flat_map(|one| (0..=u8::MAX).map(move |two| [one, two, b'p']));
        assert_eq!(all().filter(|bytes| !trigrams.groups(*bytes).is_empty()).count(), 1);
    }
}
