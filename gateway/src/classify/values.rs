//! Exact values that a detector looks for, known by their keyed fingerprints alone.
//!
//! ```text
//! candidate ─▶ normal form ─▶ mark (no key, nanoseconds) ─▶ filter ─▶ HMAC ─▶ fingerprints
//! ```
//!
//! The normal form of a value is its words without what separates them. Nearly every other text fails the filter,
//! which is a table of bits in memory. In the file marks are as secret as fingerprints: each is covered by a pad that
//! only the key gives.

mod file;
mod words;

pub use file::{FileError, fingerprint, key_of};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use self::words::{GAP_MAX, SEPARATOR_BYTES_MAX, SEPARATORS, is_word, wide_separator};
use super::validate::Match;

/// Letters, digits and other characters of a value that count: shorter ones are words of any text.
const NORMAL_BYTES_MIN: usize = 4;
/// Longest normal form, bytes.
const NORMAL_BYTES_MAX: usize = 64;
/// Most words of one value: each costs another look per word of the text.
const WORDS_MAX: usize = 8;

/// The values of one list.
#[derive(Clone)]
pub struct ValueList {
    seal: Seal,
    case: Case,
    /// Most words of a value.
    words_max: usize,
    /// Shortest and longest normal form, bytes.
    bytes: std::ops::RangeInclusive<usize>,
    filter: Filter,
    /// Ascending.
    fingerprints: Vec<u128>,
}

/// Whether `a` and `A` are the same in values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// They are.
    Ignored,
    /// They differ.
    Counts,
}

impl Case {
    /// Both with their names in files.
    const NAMES: [(&'static str, Self); 2] = [("ignored", Self::Ignored), ("counts", Self::Counts)];

    const fn fold(self, byte: u8) -> u8 {
        match self {
            Self::Ignored => byte.to_ascii_lowercase(),
            Self::Counts => byte,
        }
    }

    /// The letters of words by their bytes.
    fn letters(self) -> &'static [u8; 256] {
        static IGNORED: [u8; 256] = letters(Case::Ignored);
        static COUNTS: [u8; 256] = letters(Case::Counts);
        match self {
            Self::Ignored => &IGNORED,
            Self::Counts => &COUNTS,
        }
    }
}

impl ValueList {
    /// A list that holds nothing, in place of one that cannot be read.
    pub fn empty() -> Self {
        Self {
            seal: Seal::new(&[0; 32]),
            case: Case::Ignored,
            words_max: 1,
            bytes: NORMAL_BYTES_MIN..=NORMAL_BYTES_MAX,
            filter: Filter::of(&[]),
            fingerprints: Vec::new(),
        }
    }

    /// Whether `a` and `A` are the same in its values.
    pub fn case(&self) -> Case {
        self.case
    }

    /// The pattern of all that may be a value, and of more: to it, separators beyond ASCII are letters.
    pub fn pattern(&self) -> String {
        let word = r"[0-9A-Za-z\x80-\xff]+";
        let gap = format!(r"[{}]{{1,{GAP_MAX}}}", regex_syntax::escape(SEPARATORS));
        format!("{word}(?:{gap}{word}){{0,{}}}", self.words_max - 1)
    }

    /// Longest match of the pattern that may be a value, bytes.
    pub fn match_bytes_max(&self) -> u32 {
        let bytes = self.bytes.end() + GAP_MAX * SEPARATOR_BYTES_MAX * (self.words_max - 1);
        u32::try_from(bytes).expect("values and their words are few")
    }

    /// Whether the match is a value of the list, and no part of a longer word. Its words are separated as those of
    /// values are, unless `any_gaps` will do.
    pub(super) fn contains(&self, found: &Match<'_>, any_gaps: bool) -> bool {
        let is_sound = || words::count(found.bytes()).is_ok_and(|words| words <= self.words_max);
        words::stands_alone(found.field, found.start, found.end)
            && (any_gaps || is_sound())
            && self.passing(found).is_some_and(|normal| self.holds(normal.as_slice()))
    }

    /// Whether the filter lets the match pass, which needs no hash: nothing else is a value.
    pub(super) fn may_contain(&self, found: &Match<'_>) -> bool {
        self.passing(found).is_some()
    }

    /// The normal form of a match that the filter lets pass.
    fn passing(&self, found: &Match<'_>) -> Option<Normal> {
        Normal::of(found.bytes(), self.case).filter(|normal| {
            self.bytes.contains(&normal.length) && self.filter.may_hold(Mark::of(normal.as_slice()))
        })
    }

    fn holds(&self, normal: &[u8]) -> bool {
        self.fingerprints.binary_search(&self.seal.fingerprint(normal)).is_ok()
    }

    /// Calls `found` with every start of a word from which on `field` may hold a value; with some more than once.
    pub(super) fn starts(&self, field: &[u8], mut found: impl FnMut(usize)) {
        let letters = self.case.letters();
        let mut recent = Recent::default();
        let mut at = 0;
        while let Some(start) = words::next_word(field, at) {
            recent.next_word(words::is_gap(&field[at..start]));
            recent.push(start);
            let hidden = words::behind_escape(field, start).unwrap_or(usize::MAX);
            at = start;
            while let Some(letter) = field.get(at).map(|byte| letters[usize::from(*byte)])
                && letter != 0
                && (letter.is_ascii() || wide_separator(&field[at..]) == 0)
            {
                if at == hidden {
                    recent.push(at);
                }
                recent.read(letter);
                at += 1;
            }
            recent.each(self.words_max, *self.bytes.end(), |start, length, mark| {
                if length >= *self.bytes.start() && self.filter.may_hold(mark) {
                    found(start);
                }
            });
        }
    }
}

/// Where a value may have begun, while a field is walked over.
#[derive(Default)]
struct Recent {
    /// The last of them, in a ring: a word has its start, and another behind an escape.
    begins: [Begin; 2 * WORDS_MAX],
    count: usize,
    /// The number of the word at hand; between words that no value joins, numbers are left out.
    word: usize,
    /// Letters so far, and their mark.
    letters: usize,
    mark: Mark,
}

/// One of them, and what had been read before it.
#[derive(Clone, Copy, Default)]
struct Begin {
    start: usize,
    word: usize,
    letters: usize,
    mark: Mark,
}

impl Recent {
    fn next_word(&mut self, joins: bool) {
        self.word += if joins { 1 } else { WORDS_MAX };
    }

    fn push(&mut self, start: usize) {
        let Self { word, letters, mark, .. } = *self;
        self.begins[self.count % (2 * WORDS_MAX)] = Begin { start, word, letters, mark };
        self.count += 1;
    }

    #[inline]
    fn read(&mut self, letter: u8) {
        self.mark = self.mark.with(letter);
        self.letters += 1;
    }

    /// Start, letters and mark of all that end here with so many words and letters at most, the latest start first.
    fn each(&self, words_max: usize, letters_max: usize, mut each: impl FnMut(usize, usize, Mark)) {
        for back in 1..=self.count.min(2 * WORDS_MAX) {
            let begin = &self.begins[(self.count - back) % (2 * WORDS_MAX)];
            let letters = self.letters - begin.letters;
            if begin.word + words_max <= self.word || letters > letters_max {
                return;
            }
            each(begin.start, letters, self.mark.since(begin.mark, letters));
        }
    }
}

/// Lists are told apart by what they hold.
impl PartialEq for ValueList {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprints == other.fingerprints
    }
}

impl Eq for ValueList {}

impl std::fmt::Debug for ValueList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ValueList({} values)", self.fingerprints.len())
    }
}

/// The keyed functions of lists.
#[derive(Clone)]
struct Seal(Hmac<Sha256>);

impl Seal {
    fn new(secret: &[u8; 32]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length (RFC 2104 section 2)"))
    }

    /// The first 128 bits of HMAC-SHA-256: no two values, and no value and another text, meet by chance.
    fn fingerprint(&self, normal: &[u8]) -> u128 {
        self.first_bits(b"value", [normal])
    }

    /// What covers the mark of a value in a file.
    fn pad(&self, fingerprint: u128) -> u32 {
        self.first_bits(b"mark\0", [&fingerprint.to_be_bytes()[..]]) as u32
    }

    /// What only the key gives of the lines of a file.
    fn of_lines<'t>(&self, lines: impl Iterator<Item = &'t str>) -> u128 {
        self.first_bits(b"file\0", lines.flat_map(|line| [line.as_bytes(), b"\n"]))
    }

    fn first_bits<'t>(&self, purpose: &[u8; 5], texts: impl IntoIterator<Item = &'t [u8]>) -> u128 {
        let mut mac = self.0.clone();
        mac.update(purpose);
        texts.into_iter().for_each(|text| mac.update(text));
        let digest = mac.finalize().into_bytes();
        digest.iter().take(16).fold(0, |bits, byte| bits << 8 | u128::from(*byte))
    }
}

/// The words of a value without what separates them.
struct Normal {
    bytes: [u8; NORMAL_BYTES_MAX],
    length: usize,
}

impl Normal {
    /// `None` when it is longer than any value.
    fn of(text: &[u8], case: Case) -> Option<Self> {
        let mut normal = Self { bytes: [0; NORMAL_BYTES_MAX], length: 0 };
        for byte in words::letters(text) {
            *normal.bytes.get_mut(normal.length)? = case.fold(byte);
            normal.length += 1;
        }
        Some(normal)
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// A hash that takes no key and a nanosecond per byte: a polynomial modulo 2^64 (Karp and Rabin, 1987), so that the mark
/// of a part follows from those of two beginnings.
#[derive(Clone, Copy, Default)]
struct Mark(u64);

impl Mark {
    fn of(normal: &[u8]) -> Self {
        normal.iter().fold(Self::default(), |mark, byte| mark.with(*byte))
    }

    #[inline]
    fn with(self, byte: u8) -> Self {
        Self(self.0.wrapping_mul(BASE).wrapping_add(u64::from(byte)))
    }

    /// The mark of the last `count` bytes, which came after those of `earlier`.
    #[inline]
    fn since(self, earlier: Self, count: usize) -> Self {
        Self(self.0.wrapping_sub(earlier.0.wrapping_mul(POWERS[count])))
    }

    /// Its 32 bits in files and filters.
    #[inline]
    fn bits(self) -> u32 {
        ((self.0 ^ self.0 >> 32).wrapping_mul(BASE) >> 32) as u32
    }
}

/// An odd number without a pattern: 2^64 over the golden ratio.
const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

/// The powers of [`BASE`].
const POWERS: [u64; NORMAL_BYTES_MAX + 1] = {
    let mut powers = [1_u64; NORMAL_BYTES_MAX + 1];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1].wrapping_mul(BASE);
        at += 1;
    }
    powers
};

/// The marks of all values as a table of bits, about one in [`BITS_PER_VALUE`] set.
#[derive(Clone)]
struct Filter {
    words: Vec<u64>,
    /// Which bits of a mark count.
    mask: u32,
}

impl Filter {
    fn of(marks: &[u32]) -> Self {
        let bits = (marks.len() * BITS_PER_VALUE).next_power_of_two().clamp(FILTER_BITS_MIN, FILTER_BITS_MAX);
        let mut filter = Self { words: vec![0; bits / 64], mask: (bits - 1) as u32 };
        for mark in marks {
            let bit = mark & filter.mask;
            filter.words[(bit / 64) as usize] |= 1 << (bit % 64);
        }
        filter
    }

    #[inline]
    fn may_hold(&self, mark: Mark) -> bool {
        let bit = mark.bits() & self.mask;
        self.words[(bit / 64) as usize] & 1 << (bit % 64) != 0
    }
}

/// One other text in so many passes the filter, or fewer.
const BITS_PER_VALUE: usize = 64;
/// The filter of a few values: 1 KiB, so that what passes it is rare.
const FILTER_BITS_MIN: usize = 1 << 13;
/// The filter of a million values: 8 MiB.
const FILTER_BITS_MAX: usize = 1 << 26;

/// For each byte the letter that counts for it; zero where it is none of a word.
const fn letters(case: Case) -> [u8; 256] {
    let mut letters = [0; 256];
    let mut byte = 0;
    while byte < letters.len() {
        if is_word(byte as u8) {
            letters[byte] = case.fold(byte as u8);
        }
        byte += 1;
    }
    letters
}

#[cfg(test)]
mod tests;
