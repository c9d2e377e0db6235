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
    /// hyphens between them, as the engine's detectors need; or any digit after `\uXXXX` or `%XX`, which may
    /// hide the beginning of a group.
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
    /// Two capital letters (or bytes next to them in ASCII) before two digits.
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

/// The shortest runs that [`Trigger::Digits`] reports, bytes; 4 to 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Minimum {
    /// Of digits alone.
    pub(super) digits: u32,
    /// Of digits with separators, whose first group has at most `group_max` digits.
    pub(super) separated: u32,
    /// The longest first group, digits; at most 15.
    pub(super) group_max: u32,
}

/// Bits for what the pass looks at in every block; one per byte, the first byte in the lowest bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Masks {
    /// `0` to `9`.
    pub(super) digit: u64,
    /// `:`.
    pub(super) colon: u64,
    /// `@`, `+`, `(`, and the beginnings of escapes: `\\` and `%`.
    pub(super) mark: u64,
    /// `A` to `Z`, and the six bytes around them that share their high nibbles.
    pub(super) capital: u64,
}

/// Bits for what it looks at only where single bytes separate digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Separators {
    /// `.`.
    pub(super) dot: u64,
    /// Space and `-`.
    pub(super) separator: u64,
}

/// Bits of a byte's class, as the nibble tables of `simd.rs` produce them.
pub(super) mod class {
    pub(crate) const COLON: u8 = 1;
    pub(crate) const MARK: u8 = 1 << 1;
    pub(crate) const AT: u8 = 1 << 2;
    pub(crate) const CAPITAL: u8 = 1 << 3;
    pub(crate) const DOT: u8 = 1 << 4;
    pub(crate) const SEPARATOR: u8 = 1 << 5;
    pub(crate) const BACKSLASH: u8 = 1 << 6;
    pub(crate) const DIGIT: u8 = 1 << 7;
    /// Classes without which a block holds no shape.
    pub(crate) const ANCHOR: u8 = COLON | MARK | AT | BACKSLASH | DIGIT;
}

/// Calls `found(trigger, offset)` for every place in `text`, on any processor.
pub(super) fn sweep_portable(text: &[u8], minimum: Minimum, found: impl FnMut(Trigger, usize)) {
    sweep(text, minimum, masks_portable, separators_portable, found);
}

/// The masks of one block, byte by byte; `None` when it holds no shape.
fn masks_portable(block: &[u8; BLOCK_BYTES]) -> Option<Masks> {
    (bits(block, class::ANCHOR) != 0).then(|| Masks {
        digit: bits(block, class::DIGIT),
        colon: bits(block, class::COLON),
        mark: bits(block, class::MARK | class::AT | class::BACKSLASH),
        capital: bits(block, class::CAPITAL),
    })
}

/// The separators of one block, byte by byte.
fn separators_portable(block: &[u8; BLOCK_BYTES]) -> Separators {
    Separators { dot: bits(block, class::DOT), separator: bits(block, class::SEPARATOR) }
}

fn bits(block: &[u8; BLOCK_BYTES], wanted: u8) -> u64 {
    let bit = |(index, byte): (usize, &u8)| u64::from(class_of(*byte) & wanted != 0) << index;
    block.iter().enumerate().map(bit).fold(0, |mask, bit| mask | bit)
}

/// The class of one byte.
pub(super) const fn class_of(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => class::DIGIT,
        b':' => class::COLON,
        b'.' => class::DOT,
        b' ' | b'-' => class::SEPARATOR,
        b'@' => class::AT | class::CAPITAL,
        b'+' | b'(' | b'%' => class::MARK,
        b'\\' => class::BACKSLASH | class::CAPITAL,
        0x41..=0x5f => class::CAPITAL,
        _ => 0,
    }
}

/// The pass itself. Blocks overlap: of each 64 bytes, shapes that begin in the first 48 are looked for, and the
/// last 16 are what they may reach into. So every shift stays within one register.
#[inline(always)]
pub(super) fn sweep(
    text: &[u8],
    minimum: Minimum,
    masks_of: impl Fn(&[u8; BLOCK_BYTES]) -> Option<Masks>,
    separators_of: impl Fn(&[u8; BLOCK_BYTES]) -> Separators,
    mut found: impl FnMut(Trigger, usize),
) {
    let wanted = Wanted::new(minimum);
    // The last bytes, fewer than a block, are looked at in a copy that zeros follow.
    let whole = (text.len() + STEP_BYTES).saturating_sub(BLOCK_BYTES) / STEP_BYTES * STEP_BYTES;
    let mut tail = [0; STEP_BYTES + BLOCK_BYTES];
    let rest = text.get(whole..).unwrap_or_default();
    tail[..rest.len()].copy_from_slice(rest);
    let mut digit_before = 0;
    let mut base = 0;
    while base < text.len() {
        let from = if base < whole { text.get(base..) } else { tail.get(base - whole..) };
        let Some(block) = from.and_then(|from| from.first_chunk::<BLOCK_BYTES>()) else { break };
        let at = base;
        base += STEP_BYTES;
        let Some(masks) = masks_of(block) else {
            digit_before = 0;
            continue;
        };
        let digit = masks.digit;
        let after_digit = digit << 1 | digit_before;
        let numbers = digit & !after_digit & wanted.digits.of(digit);
        // Single bytes between digits: without any, no number is written in groups.
        let between = after_digit & digit >> 1 & !digit;
        let near_colons = masks.colon & (masks.colon >> 1 | near::<2, 5>(masks.colon));
        let heads = masks.capital & masks.capital >> 1 & digit >> 2 & digit >> 3;
        if (numbers | near_colons | heads | masks.mark) & BEGIN | between != 0 {
            let separators = if between == 0 { Separators::default() } else { separators_of(block) };
            let places = Places::of(&masks, &separators, after_digit, numbers, between, &wanted);
            places.report(block, at, &mut found);
        }
        digit_before = digit >> (STEP_BYTES - 1) & 1;
    }
}

/// The runs that [`Trigger::Digits`] reports.
struct Wanted {
    digits: Run,
    separated: Run,
    too_long: Run,
}

impl Wanted {
    fn new(minimum: Minimum) -> Self {
        Self {
            digits: Run::new(minimum.digits),
            separated: Run::new(minimum.separated),
            too_long: Run::new(minimum.group_max + 1),
        }
    }
}

/// The bits in which a block's shapes begin.
const BEGIN: u64 = (1 << STEP_BYTES) - 1;
/// Bytes from one block to the next; no shape is recognised by more than the 16 bytes after its first.
const STEP_BYTES: usize = BLOCK_BYTES - 16;

/// The shifts that find runs of a certain length (4 to 16) among ones.
#[derive(Clone, Copy)]
struct Run(u32, u32);

impl Run {
    fn new(length: u32) -> Self {
        match length.clamp(4, 16) {
            length @ ..=8 => Self(length - 4, 0),
            length => Self(4, length - 8),
        }
    }

    /// The bits at which such a run begins or goes on.
    #[inline(always)]
    fn of(self, mask: u64) -> u64 {
        let two = mask & mask >> 1;
        let four = two & two >> 2;
        let most = four & four >> self.0;
        most & most >> self.1
    }
}

/// The bits of a block at which shapes begin, by trigger.
struct Places {
    digits: u64,
    quads: u64,
    triples: u64,
    colons: u64,
    marks: u64,
    capitals: u64,
}

impl Places {
    #[inline(always)]
    fn of(
        masks: &Masks,
        separators: &Separators,
        after_digit: u64,
        numbers: u64,
        between: u64,
        wanted: &Wanted,
    ) -> Self {
        let digit = masks.digit;
        let joined = wanted.separated.of(digit | separators.separator & between) & !wanted.too_long.of(digit);
        let point = separators.dot & between;
        let triple = point & point >> 4 & digit >> 2 & digit >> 3 & Run::new(4).of(digit) >> 5;
        let colon = masks.colon;
        Self {
            digits: (numbers | digit & !after_digit & joined) & BEGIN,
            quads: chain::<2, 4>(point) & BEGIN,
            triples: triple & BEGIN,
            colons: (colon & colon >> 1 | chain::<2, 5>(colon)) & BEGIN,
            marks: masks.mark & BEGIN,
            capitals: masks.capital & masks.capital >> 1 & digit >> 2 & digit >> 3 & BEGIN,
        }
    }

    #[inline(always)]
    fn report(&self, block: &[u8; BLOCK_BYTES], base: usize, found: &mut impl FnMut(Trigger, usize)) {
        each(self.digits, |bit| found(Trigger::Digits, base + bit));
        each(self.quads, |bit| found(Trigger::DottedQuad, base + bit));
        each(self.triples, |bit| found(Trigger::DottedTriple, base + bit));
        each(self.colons, |bit| found(Trigger::Colons, base + bit));
        // Every mark begins in the first 48 bytes, so the bytes after it are in the block.
        each(self.marks, |bit| match block[bit] {
            b'@' => found(Trigger::At, base + bit),
            b'%' if block[bit + 3].is_ascii_digit() => found(Trigger::Digits, base + bit + 3),
            b'\\' if block[bit + 1] == b'u' && block[bit + 6].is_ascii_digit() => {
                found(Trigger::Digits, base + bit + 6);
            }
            b'+' | b'(' if block[bit + 1].is_ascii_digit() => found(Trigger::Open, base + bit),
            _ => {}
        });
        each(self.capitals, |bit| found(Trigger::CapitalsDigits, base + bit));
    }
}

/// The ones that have another one `FROM` to `TO` bits on, and that one again.
#[inline(always)]
fn chain<const FROM: u32, const TO: u32>(mask: u64) -> u64 {
    let two = mask & near::<FROM, TO>(mask);
    two & near::<FROM, TO>(two)
}

/// The bits that have a one `FROM` to `TO` bits on.
#[inline(always)]
fn near<const FROM: u32, const TO: u32>(mask: u64) -> u64 {
    (FROM..=TO).fold(0, |near, distance| near | mask >> distance)
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

    const MINIMUM: Minimum = Minimum { digits: 9, separated: 11, group_max: 6 };

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
