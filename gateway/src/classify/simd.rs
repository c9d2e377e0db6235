//! The AVX2 form of the masks of `shapes.rs`.
//!
//! A byte's class is the AND of two table look-ups, by its low and by its high nibble (`vpshufb`); each bit
//! of the class becomes a mask by shifting it to the top and `vpmovmskb`. See Mula and Lemire, "Faster
//! base64 encoding and decoding using AVX2 instructions" (2018), section 3, for look-ups by nibble.

use super::shapes::{BLOCK_BYTES, Masks, Minimum, Trigger, class_of, sweep, sweep_portable};

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
const LOW: [u8; 16] = nibble_table(0x0f, 0);
/// High nibble -> classes that some byte with this high nibble has.
const HIGH: [u8; 16] = nibble_table(0xf0, 4);

/// Every class is the product of its low and its high nibbles, so that LOW & HIGH is exact; a test checks
/// all 256 bytes.
const fn nibble_table(nibble: u8, shift: u32) -> [u8; 16] {
    let mut table = [0; 16];
    let mut byte = 0;
    while byte < 256 {
        table[((byte as u8 & nibble) >> shift) as usize] |= class_of(byte as u8);
        byte += 1;
    }
    table
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2")]
fn sweep_avx2(text: &[u8], minimum: Minimum, found: impl FnMut(Trigger, usize)) {
    sweep(text, minimum, |block| masks_avx2(block), found);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2")]
#[inline]
fn masks_avx2(block: &[u8; BLOCK_BYTES]) -> Masks {
    use std::arch::x86_64::{
        __m256i, _mm256_and_si256, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256,
        _mm256_set1_epi8, _mm256_shuffle_epi8, _mm256_slli_epi16, _mm256_srli_epi16,
    };
    const HALF_BYTES: usize = BLOCK_BYTES / 2;
    let table = |nibbles: &[u8; 16]| {
        let mut both = [0u8; HALF_BYTES];
        both[..16].copy_from_slice(nibbles);
        both[16..].copy_from_slice(nibbles);
        // SAFETY: `both` is 32 bytes, the load needs no alignment.
        unsafe { _mm256_loadu_si256(both.as_ptr().cast::<__m256i>()) }
    };
    let (low_table, high_table, low_bits) = (table(&LOW), table(&HIGH), _mm256_set1_epi8(0x0f));
    let classes = |half: &[u8]| {
        debug_assert_eq!(half.len(), HALF_BYTES);
        // SAFETY: both callers pass one half of a block, 32 bytes; the load needs no alignment.
        let bytes = unsafe { _mm256_loadu_si256(half.as_ptr().cast::<__m256i>()) };
        let low = _mm256_and_si256(bytes, low_bits);
        let high = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), low_bits);
        _mm256_and_si256(_mm256_shuffle_epi8(low_table, low), _mm256_shuffle_epi8(high_table, high))
    };
    let (first, second) = (classes(&block[..HALF_BYTES]), classes(&block[HALF_BYTES..]));
    let top = |first: __m256i, second: __m256i| {
        let low = _mm256_movemask_epi8(first) as u32;
        u64::from(low) | u64::from(_mm256_movemask_epi8(second) as u32) << HALF_BYTES
    };
    macro_rules! bit {
        ($bit:literal) => {
            top(_mm256_slli_epi16::<{ 7 - $bit }>(first), _mm256_slli_epi16::<{ 7 - $bit }>(second))
        };
    }
    let capital = |classes: __m256i| _mm256_or_si256(classes, _mm256_slli_epi16::<1>(classes));
    Masks {
        digit: bit!(0),
        colon: bit!(1),
        dot: bit!(2),
        separator: bit!(3),
        at: bit!(4),
        open: bit!(5),
        capital: top(capital(first), capital(second)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::shapes::masks_portable;
    use super::*;

    #[test]
    fn nibble_tables_give_every_byte_its_class() {
        for byte in 0..=u8::MAX {
            let looked_up = LOW[usize::from(byte & 0x0f)] & HIGH[usize::from(byte >> 4)];
            assert_eq!(looked_up, class_of(byte), "byte {byte:#04x}");
        }
    }

    #[test]
    fn both_forms_find_the_same_places() {
        let minimum = Minimum { digits: 9, separated: 11, group_max: 6 };
        let alphabet = b"0123456789012345:::...--  @+(AZaz\"\\\xff\x80\x00[`";
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
            sweep(&text, minimum, masks_portable, |trigger, at| portable.push((trigger, at)));
            assert_eq!(fastest, portable);
        }
    }
}
