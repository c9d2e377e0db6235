//! The AVX2 form of the masks of `shapes.rs`.
//!
//! A byte's class is the AND of two table look-ups, by its low and by its high nibble (`vpshufb`); each bit
//! of the class becomes a mask by shifting it to the top and `vpmovmskb`. See Mula and Lemire, "Faster
//! base64 encoding and decoding using AVX2 instructions" (2018), section 3, for look-ups by nibble.

use super::shapes::{
    BLOCK_BYTES, Masks, Minimum, Separators, Trigger, class, class_of, sweep, sweep_portable, token_class,
    token_class_of,
};

/// Calls `found(trigger, offset)` for every place in `text` where a shape could be, with the fastest form
/// that this processor has.
pub(super) fn sweep_fastest(text: &[u8], minimum: Minimum, found: impl FnMut(Trigger, usize)) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
    {
        // SAFETY: the processor has AVX2, BMI1 and BMI2, just checked; nothing else is required.
        unsafe { sweep_avx2(text, minimum, found) };
        return;
    }
    sweep_portable(text, minimum, found);
}

/// Low nibble -> classes that some byte with this low nibble has.
const LOW: [u8; 16] = nibble_table(&classes(false), 0x0f, 0);
/// High nibble -> classes that some byte with this high nibble has.
const HIGH: [u8; 16] = nibble_table(&classes(false), 0xf0, 4);
/// As `LOW`, of words and tokens.
const TOKEN_LOW: [u8; 16] = nibble_table(&classes(true), 0x0f, 0);
/// As `HIGH`, of words and tokens.
const TOKEN_HIGH: [u8; 16] = nibble_table(&classes(true), 0xf0, 4);

/// The class of every byte.
const fn classes(of_tokens: bool) -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = if of_tokens { token_class_of(byte as u8) } else { class_of(byte as u8) };
        byte += 1;
    }
    classes
}

/// Every class is the product of its low and its high nibbles, so that the AND of both tables is exact; a test
/// checks all 256 bytes.
const fn nibble_table(classes: &[u8; 256], nibble: u8, shift: u32) -> [u8; 16] {
    let mut table = [0; 16];
    let mut byte = 0;
    while byte < 256 {
        table[((byte as u8 & nibble) >> shift) as usize] |= classes[byte];
        byte += 1;
    }
    table
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2")]
fn sweep_avx2(text: &[u8], minimum: Minimum, found: impl FnMut(Trigger, usize)) {
    let tables = avx2::Tables::new();
    sweep(text, minimum, |block| tables.masks(block), |block| tables.separators(block), found);
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_movemask_epi8,
        _mm256_set1_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi16, _mm256_srli_epi16,
    };

    use super::{BLOCK_BYTES, HIGH, LOW, Masks, Separators, TOKEN_HIGH, TOKEN_LOW, class, token_class};

    const HALF_BYTES: usize = BLOCK_BYTES / 2;

    /// The nibble tables in registers: of shapes, and of words and tokens.
    pub(super) struct Tables {
        shapes: Table,
        tokens: Table,
    }

    struct Table {
        low: __m256i,
        high: __m256i,
    }

    impl Tables {
        #[target_feature(enable = "avx2")]
        #[inline]
        pub(super) fn new() -> Self {
            let shapes = Table { low: table(&LOW), high: table(&HIGH) };
            Self { shapes, tokens: Table { low: table(&TOKEN_LOW), high: table(&TOKEN_HIGH) } }
        }

        #[target_feature(enable = "avx2")]
        #[inline]
        pub(super) fn masks(&self, block: &[u8; BLOCK_BYTES]) -> Masks {
            let (first, second) = self.shapes.classes(block);
            let (first_tokens, second_tokens) = self.tokens.classes(block);
            let shapes = |wanted: u8| any(first, second, wanted);
            let among = |wanted: u8| any(first_tokens, second_tokens, wanted);
            Masks {
                digit: tops(first, second),
                colon: tops(_mm256_slli_epi16::<7>(first), _mm256_slli_epi16::<7>(second)),
                mark: shapes(class::MARK | class::AT | class::BACKSLASH),
                capital: tops(_mm256_slli_epi16::<4>(first), _mm256_slli_epi16::<4>(second)),
                word: among(token_class::WORD),
                token: among(token_class::TOKEN),
                assign: tops(_mm256_slli_epi16::<1>(first_tokens), _mm256_slli_epi16::<1>(second_tokens)),
                grouping: shapes(class::DOT | class::SEPARATOR),
            }
        }

        #[target_feature(enable = "avx2")]
        #[inline]
        pub(super) fn separators(&self, block: &[u8; BLOCK_BYTES]) -> Separators {
            let (first, second) = self.shapes.classes(block);
            Separators {
                dot: tops(_mm256_slli_epi16::<3>(first), _mm256_slli_epi16::<3>(second)),
                separator: tops(_mm256_slli_epi16::<2>(first), _mm256_slli_epi16::<2>(second)),
            }
        }
    }

    impl Table {
        /// The class of each byte, in two halves.
        #[target_feature(enable = "avx2")]
        #[inline]
        fn classes(&self, block: &[u8; BLOCK_BYTES]) -> (__m256i, __m256i) {
            let (halves, _) = block.as_chunks::<HALF_BYTES>();
            (self.classes_of(&halves[0]), self.classes_of(&halves[1]))
        }

        #[target_feature(enable = "avx2")]
        #[inline]
        fn classes_of(&self, half: &[u8; HALF_BYTES]) -> __m256i {
            let nibble = _mm256_set1_epi8(0x0f);
            let bytes = load(half);
            let low = _mm256_shuffle_epi8(self.low, _mm256_and_si256(bytes, nibble));
            let high =
                _mm256_shuffle_epi8(self.high, _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble));
            _mm256_and_si256(low, high)
        }
    }

    /// The bytes that have one of the wanted classes.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn any(first: __m256i, second: __m256i, wanted: u8) -> u64 {
        let none = |classes| {
            let found = _mm256_and_si256(classes, _mm256_set1_epi8(wanted as i8));
            _mm256_cmpeq_epi8(found, _mm256_setzero_si256())
        };
        !tops(none(first), none(second))
    }

    /// The highest bit of every byte.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn tops(first: __m256i, second: __m256i) -> u64 {
        let low = _mm256_movemask_epi8(first) as u32;
        u64::from(low) | u64::from(_mm256_movemask_epi8(second) as u32) << HALF_BYTES
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn table(nibbles: &[u8; 16]) -> __m256i {
        let mut both = [0; HALF_BYTES];
        both[..16].copy_from_slice(nibbles);
        both[16..].copy_from_slice(nibbles);
        load(&both)
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn load(bytes: &[u8; HALF_BYTES]) -> __m256i {
        // SAFETY: the reference is to 32 readable bytes; this load needs no alignment.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast::<__m256i>()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nibble_tables_give_every_byte_its_class() {
        for byte in 0..=u8::MAX {
            let (low, high) = (usize::from(byte & 0x0f), usize::from(byte >> 4));
            assert_eq!(LOW[low] & HIGH[high], class_of(byte), "byte {byte:#04x}");
            assert_eq!(TOKEN_LOW[low] & TOKEN_HIGH[high], token_class_of(byte), "byte {byte:#04x}");
        }
    }

    #[test]
    fn both_forms_find_the_same_places() {
        let minimum = Minimum { digits: 9, separated: 11, group_max: 6 };
        let alphabet = b"0123456789012345:::...--  @+(AZazghijk_=\"\\\xff\x80\x00[`";
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for length in (0..2000).step_by(7) {
            let text: Vec<u8> = (0..length)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    alphabet[(state >> 33) as usize % alphabet.len()]
                })
                .collect();
            let (mut fastest, mut portable) = (Vec::new(), Vec::new());
            sweep_fastest(&text, minimum, |trigger, at| fastest.push((trigger, at)));
            sweep_portable(&text, minimum, |trigger, at| portable.push((trigger, at)));
            assert_eq!(fastest, portable);
        }
    }
}
