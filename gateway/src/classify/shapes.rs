//! Stage 1 for shapes: one pass over the text that finds where digits, `@`, `:`, `.`, `+`, `(` and capital
//! letters stand so that a value could be there.
//!
//! The pass turns 64 bytes at a time into one bit mask per class of bytes ([`Masks`]) and finds the shapes
//! by shifting masks against each other. Only the masks differ between the AVX2 form (`simd.rs`) and the
//! portable form here; both go through the same `sweep`. It looks at the text as if it were one field: what
//! crosses a field's edge is removed, and what an edge hides is added, by the caller.

use serde::Deserialize;

/// Bytes that one step turns into masks.
pub(super) const BLOCK_BYTES: usize = 64;

/// A place where a shape could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The first digit of a group that begins at least so many digits, or digits with single spaces or
    /// hyphens between them, as the engine's detectors need.
    Digits,
    /// An `@`.
    At,
    /// A `.` between digits, followed by two more at the distance of octets.
    DottedQuad,
    /// The first `.` of `ddd.ddd.dddd`.
    DottedTriple,
    /// A `:` followed by two more at the distance of hexadecimal groups, or by another at once.
    Colons,
    /// A `+` or `(` before a digit.
    Open,
    /// Two capital letters before two digits.
    CapitalsDigits,
}

impl Trigger {
    /// Every trigger, in the order of its discriminant.
    pub(super) const ALL: [Self; 7] = [
        Self::Digits,
        Self::At,
        Self::DottedQuad,
        Self::DottedTriple,
        Self::Colons,
        Self::Open,
        Self::CapitalsDigits,
    ];
}

/// The shortest runs that [`Trigger::Digits`] reports, bytes; both 8 to 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Minimum {
    /// Of digits alone.
    pub(super) digits: u32,
    /// Of digits with separators.
    pub(super) separated: u32,
}

/// One bit per byte of a block, the first byte in the lowest bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Masks {
    /// `0` to `9`.
    pub(super) digit: u64,
    /// `:`.
    pub(super) colon: u64,
    /// `.`.
    pub(super) dot: u64,
    /// Space and `-`.
    pub(super) separator: u64,
    /// `@`.
    pub(super) at: u64,
    /// `+` and `(`.
    pub(super) open: u64,
    /// `A` to `Z`.
    pub(super) capital: u64,
}

/// Bits of a byte's class, as the nibble tables of `simd.rs` produce them.
pub(super) mod class {
    pub(crate) const DIGIT: u8 = 1;
    pub(crate) const COLON: u8 = 1 << 1;
    pub(crate) const DOT: u8 = 1 << 2;
    pub(crate) const SEPARATOR: u8 = 1 << 3;
    pub(crate) const AT: u8 = 1 << 4;
    pub(crate) const OPEN: u8 = 1 << 5;
    /// `A` to `O`.
    pub(crate) const CAPITAL_LOW: u8 = 1 << 6;
    /// `P` to `Z`.
    pub(crate) const CAPITAL_HIGH: u8 = 1 << 7;
}

/// Calls `found(trigger, offset)` for every place in `text`, on any processor.
pub(super) fn sweep_portable(text: &[u8], minimum: Minimum, found: impl FnMut(Trigger, usize)) {
    sweep(text, minimum, masks_portable, found);
}

/// The masks of one block, byte by byte.
pub(super) fn masks_portable(block: &[u8; BLOCK_BYTES]) -> Masks {
    let mut masks = Masks::default();
    for (index, byte) in block.iter().enumerate() {
        let class = class_of(*byte);
        let bit = |wanted: u8| u64::from(class & wanted != 0) << index;
        masks.digit |= bit(class::DIGIT);
        masks.colon |= bit(class::COLON);
        masks.dot |= bit(class::DOT);
        masks.separator |= bit(class::SEPARATOR);
        masks.at |= bit(class::AT);
        masks.open |= bit(class::OPEN);
        masks.capital |= bit(class::CAPITAL_LOW | class::CAPITAL_HIGH);
    }
    masks
}

/// The class of one byte.
pub(super) const fn class_of(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => class::DIGIT,
        b':' => class::COLON,
        b'.' => class::DOT,
        b' ' | b'-' => class::SEPARATOR,
        b'@' => class::AT,
        b'+' | b'(' => class::OPEN,
        b'A'..=b'O' => class::CAPITAL_LOW,
        b'P'..=b'Z' => class::CAPITAL_HIGH,
        _ => 0,
    }
}

/// The pass itself: masks of the next block are made before the current one is looked at, so that a shape
/// may reach 64 bytes over a block's end.
#[inline(always)]
pub(super) fn sweep(
    text: &[u8],
    minimum: Minimum,
    masks_of: impl Fn(&[u8; BLOCK_BYTES]) -> Masks,
    mut found: impl FnMut(Trigger, usize),
) {
    let (blocks, rest) = text.as_chunks::<BLOCK_BYTES>();
    let mut tail = [0; BLOCK_BYTES];
    tail[..rest.len()].copy_from_slice(rest);
    let mut current = blocks.first().map_or_else(|| masks_of(&tail), &masks_of);
    let mut digit_before = 0;
    for index in 0..=blocks.len() {
        let next = match blocks.get(index + 1) {
            Some(block) => masks_of(block),
            None if index + 1 == blocks.len() => masks_of(&tail),
            None => Masks::default(),
        };
        look(&current, &next, digit_before, minimum, index * BLOCK_BYTES, &mut found);
        digit_before = current.digit >> (BLOCK_BYTES - 1);
        current = next;
    }
}

/// Finds the shapes that begin in the block `current`; `digit_before` is 1 when a digit precedes it.
#[inline(always)]
fn look(
    current: &Masks,
    next: &Masks,
    digit_before: u64,
    minimum: Minimum,
    base: usize,
    found: &mut impl FnMut(Trigger, usize),
) {
    let digit = u128::from(current.digit) | u128::from(next.digit) << 64;
    let after_digit = digit << 1 | u128::from(digit_before);
    let group_start = current.digit & !(after_digit as u64);
    if group_start != 0 {
        let separator = u128::from(current.separator) | u128::from(next.separator) << 64;
        let joined = digit | separator & after_digit & digit >> 1;
        let long = runs(digit, minimum.digits) | runs(joined, minimum.separated);
        each(group_start & long as u64, |bit| found(Trigger::Digits, base + bit));
    }
    let dot = u128::from(current.dot) | u128::from(next.dot) << 64;
    let point = dot & after_digit & digit >> 1;
    if point as u64 != 0 {
        let quad = chain(point, 2..=4);
        each(quad, |bit| found(Trigger::DottedQuad, base + bit));
        let triple = point & point >> 4 & digit >> 2 & digit >> 3 & runs(digit, 4) >> 5;
        each(triple as u64, |bit| found(Trigger::DottedTriple, base + bit));
    }
    if current.colon != 0 {
        let colon = u128::from(current.colon) | u128::from(next.colon) << 64;
        each((colon & colon >> 1) as u64 | chain(colon, 2..=5), |bit| found(Trigger::Colons, base + bit));
    }
    each(current.at, |bit| found(Trigger::At, base + bit));
    each(current.open & (digit >> 1) as u64, |bit| found(Trigger::Open, base + bit));
    if current.capital != 0 {
        let capital = u128::from(current.capital) | u128::from(next.capital) << 64;
        let head = capital & capital >> 1 & digit >> 2 & digit >> 3;
        each(head as u64, |bit| found(Trigger::CapitalsDigits, base + bit));
    }
}

/// The bits at which a run of at least `length` (4 to 16) ones begins or goes on.
#[inline(always)]
fn runs(mask: u128, length: u32) -> u128 {
    let two = mask & mask >> 1;
    let four = two & two >> 2;
    match length {
        0..=4 => four,
        5..=8 => four & four >> (length - 4),
        _ => {
            let eight = four & four >> 4;
            eight & eight >> (length - 8)
        }
    }
}

/// The ones in the lower half that have another one at one of `distances`, and that one again.
#[inline(always)]
fn chain(mask: u128, distances: std::ops::RangeInclusive<u32>) -> u64 {
    let near = |mask: u128| distances.clone().fold(0, |near, distance| near | mask >> distance);
    let two = mask & near(mask);
    (two & near(two)) as u64
}

/// Calls `found` with the index of every one.
#[inline(always)]
fn each(mut mask: u64, mut found: impl FnMut(usize)) {
    while mask != 0 {
        found(mask.trailing_zeros() as usize);
        mask &= mask - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMUM: Minimum = Minimum { digits: 9, separated: 11 };

    fn places(text: &str) -> Vec<(Trigger, usize)> {
        let mut places = Vec::new();
        sweep_portable(text.as_bytes(), MINIMUM, |trigger, at| places.push((trigger, at)));
        places
    }

    #[test]
    fn each_shape_is_found_where_it_begins() {
        let cases: [(&str, &[(Trigger, usize)]); 12] = [
            ("a 123456789 b", &[(Trigger::Digits, 2)]),
            ("a 12345678 b", &[]),
            ("123-45-6789", &[(Trigger::Digits, 0)]),
            ("2023-09-28T1", &[]),
            ("4111 1111 1111 1111", &[(Trigger::Digits, 0), (Trigger::Digits, 5)]),
            ("x@y", &[(Trigger::At, 1)]),
            ("10.0.0.1", &[(Trigger::DottedQuad, 2)]),
            ("18.0.77", &[]),
            ("348.742.5810", &[(Trigger::DottedTriple, 3)]),
            ("fe80::1", &[(Trigger::Colons, 4)]),
            ("12:34:56", &[]),
            ("+49 (030) DE12", &[(Trigger::Open, 0), (Trigger::Open, 4), (Trigger::CapitalsDigits, 10)]),
        ];
        for (text, expected) in cases {
            assert_eq!(places(text), expected, "{text}");
        }
    }

    #[test]
    fn a_shape_is_found_wherever_blocks_end() {
        for shift in 0..130 {
            let pad = "x".repeat(shift);
            let text = format!("{pad}:123-45-6789 b@c 10.0.0.1 1:2:3:4 +1 AB12 {pad}");
            let mut expected: Vec<_> =
                places(&text[shift..]).iter().map(|(t, at)| (*t, at + shift)).collect();
            let mut found = places(&text);
            expected.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, expected, "shifted by {shift}");
            assert_eq!(expected.len(), 6);
        }
    }
}
