//! Groups by a few bytes: by those that a token begins with, and by those that a key ends with. A filter of one
//! bit per hash answers for nearly all text.

/// Bits of the filter: a power of two.
const FILTER_BITS: usize = 1 << 13;

/// Groups by `N` bytes, at most four.
#[derive(Debug)]
pub(super) struct Grams<const N: usize> {
    filter: Box<[u64; FILTER_BITS / 64]>,
    /// By bit of the filter, the bytes that have it and their groups: few have two.
    rows: Vec<Vec<([u8; N], Vec<u16>)>>,
}

impl<const N: usize> Grams<N> {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self { filter: Box::new([0; FILTER_BITS / 64]), rows: vec![Vec::new(); FILTER_BITS] }
    }

    /// Adds a group; once is enough.
    pub(super) fn insert(&mut self, bytes: [u8; N], group: u16) {
        let bit = bit_of(bytes);
        self.filter[bit / 64] |= 1 << (bit % 64);
        let row = &mut self.rows[bit];
        match row.iter_mut().find(|(other, _)| *other == bytes) {
            None => row.push((bytes, vec![group])),
            Some((_, groups)) if groups.contains(&group) => {}
            Some((_, groups)) => groups.push(group),
        }
    }

    /// The groups of these bytes.
    #[inline]
    pub(super) fn groups(&self, bytes: [u8; N]) -> &[u16] {
        let bit = bit_of(bytes);
        if self.filter[bit / 64] >> (bit % 64) & 1 == 0 {
            return &[];
        }
        let found = self.rows[bit].iter().find(|(other, _)| *other == bytes);
        found.map_or(&[], |(_, groups)| groups)
    }
}

#[inline]
fn bit_of<const N: usize>(bytes: [u8; N]) -> usize {
    let joined = bytes.iter().fold(0_u32, |joined, byte| joined << 8 | u32::from(*byte));
    // Fibonacci hashing: the upper bits of a product with the golden ratio of 2^32 are well mixed.
    (joined.wrapping_mul(0x9e37_79b1) >> 16) as usize % FILTER_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_inserted_is_found() {
        let mut grams = Grams::new();
        grams.insert(*b"ghp", 3);
        grams.insert(*b"ghp", 3);
        grams.insert(*b"ghp", 5);
        assert_eq!(grams.groups(*b"ghp"), [3, 5]);
        let all = || (0..=u8::MAX).flat_map(|one| (0..=u8::MAX).map(move |two| [one, two, b'p']));
        assert_eq!(all().filter(|bytes| !grams.groups(*bytes).is_empty()).count(), 1);
    }
}
