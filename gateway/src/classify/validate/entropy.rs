//! Shannon entropy of a value's bytes: how far it is from a word or a placeholder.

/// What a secret has at least, bits a byte: the usual minimum of gitleaks' rules.
pub(super) const SECRET_BITS: f32 = 3.0;

/// Entropy of the distribution of bytes, bits a byte; 0 for nothing.
pub(super) fn bits_per_byte(bytes: &[u8]) -> f32 {
    let mut counts = [0u16; 256];
    for byte in bytes {
        let count = &mut counts[usize::from(*byte)];
        *count = count.saturating_add(1);
    }
    let length = bytes.len() as f32;
    let share = |count: &u16| f32::from(*count) / length;
    -counts.iter().filter(|count| **count > 0).map(share).map(|share| share * share.log2()).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_that_of_the_distribution() {
        for (text, bits) in
            [("", 0.0), ("aaaa", 0.0), ("abab", 1.0), ("abcd", 2.0), ("0123456789abcdef", 4.0)]
        {
            assert!((bits_per_byte(text.as_bytes()) - bits).abs() < 1e-6, "{text}");
        }
    }
}
