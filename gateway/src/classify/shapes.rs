//! Stage 1 for shapes: one pass over the text that finds where digits, `@`, `:`, `.`, `+`, `(` and capital
//! letters stand so that a value could be there.
//!
//! The pass turns 64 bytes at a time into one bit mask per class of bytes ([`Masks`]) and finds the shapes
//! by shifting masks against each other. Only the masks differ between the AVX2 form (`simd.rs`) and the
//! portable form here; both go through the same `sweep`. It looks at the text as if it were one field: what
//! crosses a field's edge is removed, and what an edge hides is added, by the caller.

use crate::escape::Escape;

/// Bytes that one step turns into masks.
pub(super) const BLOCK_BYTES: usize = 64;

/// A place where a shape could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Trigger {
    /// The first digit of a group that begins at least so many digits, or digits with single spaces or
    /// hyphens between them, as the engine's detectors need; or any digit after `\uXXXX` or `%XX`, which may
    /// hide the beginning of a group.
    Digits,
    /// An `@`.
    At,
    /// A `.` between digits, followed by two more at the distance of octets.
    DottedQuad,
    /// The first `.` of `d.ddd.ddd`.
    DottedTriple,
    /// A `:` followed by two more at the distance of hexadecimal groups, or by another at once.
    Colons,
    /// A `+` or `(` before a digit.
    Open,
    /// Two capital letters (or bytes next to them in ASCII) before two digits, which a separator may precede when
    /// another follows.
    CapitalsDigits,
    /// The first byte of a word, or of a run of token bytes ([`is_token`]), from which on at least
    /// [`TOKEN_BYTES_MIN`] token bytes follow.
    Token,
    /// A `:`, `=` or `>` that may separate a key from its value.
    Key,
    /// An escape ([`Escape`]): the field is searched decoded, too.
    Escape,
    /// A word that may begin a value of a list; the pass over shapes leaves it to the list
    /// ([`super::values::ValueList`]).
    Listed,
}

impl Trigger {
    /// Every trigger, in the order of its discriminant.
    pub(super) const ALL: [Self; 11] = [
        Self::Digits,
        Self::At,
        Self::DottedQuad,
        Self::DottedTriple,
        Self::Colons,
        Self::Open,
        Self::CapitalsDigits,
        Self::Token,
        Self::Key,
        Self::Escape,
        Self::Listed,
    ];

    /// Those that a declaration may name.
    pub(super) const NAMES: [(&'static str, Self); 8] = [
        ("digits", Self::Digits),
        ("at", Self::At),
        ("dotted_quad", Self::DottedQuad),
        ("dotted_triple", Self::DottedTriple),
        ("colons", Self::Colons),
        ("open", Self::Open),
        ("capitals_digits", Self::CapitalsDigits),
        ("token", Self::Token),
    ];
}

/// Shortest run that [`Trigger::Token`] reports, bytes: a time of day without its colons has 13.
pub(super) const TOKEN_BYTES_MIN: usize = 14;

/// Whether tokens are written with the byte: letters, digits, and what base64 and names have between them.
pub(super) const fn is_token(byte: u8) -> bool {
    token_class_of(byte) & token_class::TOKEN != 0
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
    /// `@`, `+`, `(`, and the beginnings of escapes: `\\`, `%` and `&`.
    pub(super) mark: u64,
    /// `A` to `Z`, and the six bytes around them that share their high nibbles.
    pub(super) capital: u64,
    /// Letters, digits and `_`.
    pub(super) word: u64,
    /// Word bytes, and `+`, `-`, `.`, `/`, `~`.
    pub(super) token: u64,
    /// `:`, `=` and `>`.
    pub(super) assign: u64,
    /// `.`, space and `-`: what numbers are grouped by.
    pub(super) grouping: u64,
}

/// Bits for what it looks at only where single bytes group digits.
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
}

/// Bits of a byte's class among those of words and tokens, from a second pair of tables. Each class is the product
/// of its low and its high nibbles; letters need two of them.
pub(super) mod token_class {
    pub(crate) const DIGIT: u8 = 1;
    /// `A` to `O`, `a` to `o`.
    pub(crate) const FIRST_LETTERS: u8 = 1 << 1;
    /// `P` to `Z`, `p` to `z`.
    pub(crate) const LAST_LETTERS: u8 = 1 << 2;
    pub(crate) const UNDERSCORE: u8 = 1 << 3;
    /// `+`, `-`, `.`, `/`.
    pub(crate) const JOINT: u8 = 1 << 4;
    pub(crate) const TILDE: u8 = 1 << 5;
    /// `:`, `=`, `>`.
    pub(crate) const ASSIGN: u8 = 1 << 6;
    pub(crate) const WORD: u8 = DIGIT | FIRST_LETTERS | LAST_LETTERS | UNDERSCORE;
    pub(crate) const TOKEN: u8 = WORD | JOINT | TILDE;
}

/// Calls `found(trigger, offset)` for every place in `text`, on any processor.
pub(super) fn sweep_portable(text: &[u8], minimum: Minimum, found: impl FnMut(Trigger, usize)) {
    sweep(text, minimum, masks_portable, separators_portable, found);
}

/// The masks of one block, byte by byte.
fn masks_portable(block: &[u8; BLOCK_BYTES]) -> Masks {
    let among = |wanted: u8| {
        let bit = |(index, byte): (usize, &u8)| u64::from(token_class_of(*byte) & wanted != 0) << index;
        block.iter().enumerate().map(bit).fold(0, |mask, bit| mask | bit)
    };
    Masks {
        digit: bits(block, class::DIGIT),
        colon: bits(block, class::COLON),
        mark: bits(block, class::MARK | class::AT | class::BACKSLASH),
        capital: bits(block, class::CAPITAL),
        word: among(token_class::WORD),
        token: among(token_class::TOKEN),
        assign: among(token_class::ASSIGN),
        grouping: bits(block, class::DOT | class::SEPARATOR),
    }
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
        b'+' | b'(' | b'%' | b'&' => class::MARK,
        b'\\' => class::BACKSLASH | class::CAPITAL,
        0x41..=0x5f => class::CAPITAL,
        _ => 0,
    }
}

/// The class of one byte among those of words and tokens.
pub(super) const fn token_class_of(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => token_class::DIGIT,
        b'A'..=b'O' | b'a'..=b'o' => token_class::FIRST_LETTERS,
        b'P'..=b'Z' | b'p'..=b'z' => token_class::LAST_LETTERS,
        b'_' => token_class::UNDERSCORE,
        b'+' | b'-' | b'.' | b'/' => token_class::JOINT,
        b'~' => token_class::TILDE,
        b':' | b'=' | b'>' => token_class::ASSIGN,
        _ => 0,
    }
}

/// The pass itself. Blocks overlap: of each 64 bytes, shapes that begin in the first 48 are looked for, and the
/// last 16 are what they may reach into. So every shift stays within one register.
#[inline(always)]
pub(super) fn sweep(
    text: &[u8],
    minimum: Minimum,
    masks_of: impl Fn(&[u8; BLOCK_BYTES]) -> Masks,
    separators_of: impl Fn(&[u8; BLOCK_BYTES]) -> Separators,
    mut found: impl FnMut(Trigger, usize),
) {
    let wanted = Wanted::new(minimum);
    // The last bytes, fewer than a block, are looked at in a copy that zeros follow.
    let whole = (text.len() + STEP_BYTES).saturating_sub(BLOCK_BYTES) / STEP_BYTES * STEP_BYTES;
    let mut tail = [0; STEP_BYTES + BLOCK_BYTES];
    let rest = text.get(whole..).unwrap_or_default();
    tail[..rest.len()].copy_from_slice(rest);
    let mut before = Masks::default();
    let mut base = 0;
    while base < text.len() {
        let from = if base < whole { text.get(base..) } else { tail.get(base - whole..) };
        let Some(block) = from.and_then(|from| from.first_chunk::<BLOCK_BYTES>()) else { break };
        let at = base;
        base += STEP_BYTES;
        let masks = masks_of(block);
        let digit = masks.digit;
        let after_digit = digit << 1 | last(before.digit);
        let numbers = digit & !after_digit & wanted.digits.of(digit);
        // Single bytes between digits: without any, no number is written in groups.
        let between = after_digit & digit >> 1 & masks.grouping;
        let heads = masks.capital & masks.capital >> 1 & digit >> 2 & digit >> 3;
        let colons = if may_be_address(masks.colon) { colons(masks.colon) } else { 0 };
        if (numbers | colons | heads | masks.mark) & BEGIN | between != 0 {
            let separators = if between == 0 { Separators::default() } else { separators_of(block) };
            let places = Places::of(&masks, &separators, after_digit, numbers, between, colons, &wanted);
            places.report(block, at, &mut found);
        }
        let begins = masks.word & !(masks.word << 1 | last(before.word))
            | masks.token & !(masks.token << 1 | last(before.token));
        each(begins & Run::TOKEN.of(masks.token) & BEGIN, |bit| found(Trigger::Token, at + bit));
        // The colons of a time of day lie between digits.
        each(masks.assign & !(masks.colon & after_digit & digit >> 1) & BEGIN, |bit| {
            found(Trigger::Key, at + bit)
        });
        before = masks;
    }
}

/// Whether two colons adjoin or there are three: fewer are no address.
#[inline(always)]
fn may_be_address(colon: u64) -> bool {
    let second = colon & colon.wrapping_sub(1);
    colon & colon >> 1 != 0 || second & second.wrapping_sub(1) != 0
}

/// The colons that another follows at once, or two more at the distance of hexadecimal groups.
#[inline(always)]
fn colons(colon: u64) -> u64 {
    colon & colon >> 1 | chain::<2, 5>(colon)
}

/// The bit before the next block's first, as its lowest.
#[inline(always)]
fn last(mask: u64) -> u64 {
    mask >> (STEP_BYTES - 1) & 1
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
    /// The run of [`Trigger::Token`].
    const TOKEN: Self = Self(4, TOKEN_BYTES_MIN as u32 - 8);

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
        colons: u64,
        wanted: &Wanted,
    ) -> Self {
        let digit = masks.digit;
        let joined = wanted.separated.of(digit | separators.separator & between) & !wanted.too_long.of(digit);
        let point = separators.dot & between;
        let three = digit & digit >> 1 & digit >> 2;
        let triple = point & point >> 4 & three >> 1 & three >> 5;
        let spaced = separators.separator >> 2 & digit >> 3 & (separators.separator & between) >> 5;
        Self {
            digits: (numbers | digit & !after_digit & joined) & BEGIN,
            quads: chain::<2, 4>(point) & BEGIN,
            triples: triple & BEGIN,
            colons: colons & BEGIN,
            marks: masks.mark & BEGIN,
            capitals: masks.capital & masks.capital >> 1 & (digit >> 2 & digit >> 3 | spaced) & BEGIN,
        }
    }

    #[inline(always)]
    fn report(&self, block: &[u8; BLOCK_BYTES], base: usize, found: &mut impl FnMut(Trigger, usize)) {
        each(self.digits, |bit| found(Trigger::Digits, base + bit));
        each(self.quads, |bit| found(Trigger::DottedQuad, base + bit));
        each(self.triples, |bit| found(Trigger::DottedTriple, base + bit));
        each(self.colons, |bit| found(Trigger::Colons, base + bit));
        // Every mark begins in the first 48 bytes, so the bytes after it are in the block.
        each(self.marks, |bit| {
            match block[bit] {
                b'@' => return found(Trigger::At, base + bit),
                b'%' if block[bit + 3].is_ascii_digit() => found(Trigger::Digits, base + bit + 3),
                b'\\' if block[bit + 1] == b'u' && block[bit + 6].is_ascii_digit() => {
                    found(Trigger::Digits, base + bit + 6);
                }
                b'+' | b'(' if block[bit + 1].is_ascii_digit() => found(Trigger::Open, base + bit),
                _ => {}
            }
            if Escape::at(&block[bit..]).is_some() {
                found(Trigger::Escape, base + bit);
            }
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
        let cases: [(&str, &[(Trigger, usize)]); 19] = [
            ("a 123456789 b", &[(Trigger::Digits, 2)]),
            ("a 12345678 b", &[]),
            ("123-45-6789", &[(Trigger::Digits, 0)]),
            ("2023-09-28T1", &[]),
            ("4111 1111 1111 1111", &[(Trigger::Digits, 0), (Trigger::Digits, 5)]),
            ("x@y", &[(Trigger::At, 1)]),
            ("10.0.0.1", &[(Trigger::DottedQuad, 2)]),
            ("18.0.77", &[]),
            ("348.742.581", &[(Trigger::DottedTriple, 3)]),
            ("the AB 12 34", &[(Trigger::CapitalsDigits, 4)]),
            ("the AB 12:34", &[]),
            ("fe80::1", &[(Trigger::Colons, 4), (Trigger::Key, 4), (Trigger::Key, 5)]),
            ("12:34:56", &[]),
            (
                r"a\u0040b%40c&#64;d\n%zz&b",
                &[(Trigger::Escape, 1), (Trigger::Escape, 8), (Trigger::Escape, 12)],
            ),
            ("a=b", &[(Trigger::Key, 1)]),
            ("a1:b 1:2", &[(Trigger::Key, 2)]),
            ("2023-09-28T14:00", &[]),
            ("a ghp_01-abcdefghijklm/n", &[(Trigger::Token, 2), (Trigger::Token, 9)]),
            ("+49 (030) DE12", &[(Trigger::Open, 0), (Trigger::Open, 4), (Trigger::CapitalsDigits, 10)]),
        ];
        for (text, expected) in cases {
            assert_eq!(places(text), expected, "{text}");
        }
    }

    #[test]
    fn a_shape_is_found_wherever_blocks_end() {
        for shift in 0..130 {
            let pad = ",".repeat(shift);
            let text = format!(
                "{pad}:123-45-6789 b@c 10.0.0.1 1:2:3:4 +1 AB12 abcdefgh-12345 &#0000000000064; {pad}"
            );
            let mut expected: Vec<_> =
                places(&text[shift..]).iter().map(|(t, at)| (*t, at + shift)).collect();
            let mut found = places(&text);
            expected.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, expected, "shifted by {shift}");
            assert_eq!(expected.len(), 10);
        }
    }
}
