//! Shannon entropy of a value's bytes: how far it is from a word or a placeholder.

/// What a secret has at least, bits a byte: the usual minimum of gitleaks' rules.
pub(super) const SECRET_BITS: f32 = 3.0;

/// Entropy of the distribution of bytes, bits a byte; 0 for nothing.
///
/// With `c` of `n` bytes alike, the sum of `c/n log2(n/c)` is `log2(n)` less the mean of `c log2(c)`: one logarithm,
/// as nearly all bytes of a short value occur once or twice.
pub(super) fn bits_per_byte(bytes: &[u8]) -> f32 {
    let mut counts = [0u16; 256];
    for byte in bytes {
        let count = &mut counts[usize::from(*byte)];
        *count = count.saturating_add(1);
    }
    let mut repeated = 0.0;
    for byte in bytes {
        repeated += match std::mem::take(&mut counts[usize::from(*byte)]) {
            0 | 1 => 0.0,
            2 => 2.0,
            count => f32::from(count) * f32::from(count).log2(),
        };
    }
    let length = bytes.len().max(1) as f32;
    length.log2() - repeated / length
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
