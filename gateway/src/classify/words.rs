//! Context words and phrases, and how a text is searched for all of them at once.

/// A set of context words and phrases, each with the owners that look for it.
///
/// A phrase is found in any case, its words separated by one byte, a camelCase hump or nothing; an `s` may
/// follow. It is not found inside a longer word. Letters beyond ASCII separate, in phrases as in texts, beside a
/// separator, too.
#[derive(Debug)]
pub(super) struct Words {
    /// Open addressing by the hash of the letters; a power of two, at most half full.
    slots: Vec<Option<Slot>>,
    /// One bit for each hash, all in the first cache: nearly no word of a text is a context word.
    filter: Box<[u64; FILTER_BITS / 64]>,
}

/// A set of words: one bit for each slot.
#[derive(Clone, Debug, Default)]
pub(super) struct WordSet {
    bits: Vec<u64>,
}

impl WordSet {
    /// Whether the word that [`Words::find`] reported is in it.
    #[inline]
    pub(super) fn contains(&self, word: u16) -> bool {
        let word = usize::from(word);
        self.bits.get(word / 64).is_some_and(|bits| bits >> (word % 64) & 1 == 1)
    }
}

#[derive(Clone, Debug)]
struct Slot {
    hash: u64,
    owners: Vec<u16>,
}

impl Words {
    /// A set of `words`, each with its owners; `None` when there is no word.
    pub(super) fn new(words: &[(String, Vec<u16>)]) -> Option<Self> {
        let slots = vec![None; (2 * words.len()).next_power_of_two()];
        let mut set = Self { slots, filter: Box::new([0; FILTER_BITS / 64]) };
        for (word, owners) in words {
            let letters = word.bytes().filter(u8::is_ascii_alphanumeric);
            let hash = letters.fold(HASH_SEED, extend_hash);
            let at = set.position(hash);
            let slot = set.slots[at].get_or_insert(Slot { hash, owners: Vec::new() });
            slot.owners.extend(owners);
            let bit = filter_bit(hash);
            set.filter[bit / 64] |= 1 << (bit % 64);
        }
        (!words.is_empty()).then_some(set)
    }

    /// Whether a text can hold `word` and nothing much shorter in its place.
    pub(super) fn can_hold(word: &str) -> bool {
        let is_joined =
            word.split(|letter: char| letter.is_ascii_alphabetic()).all(|gap| gap.chars().count() <= 2);
        let mut is_found = false;
        let alone = Self::new(&[(word.to_owned(), vec![0])]);
        alone.iter().for_each(|words| words.find_last(word.as_bytes(), |_| is_found = true));
        is_joined && is_found
    }

    /// The words that some of `owners` look for.
    pub(super) fn of_owners(&self, owners: impl Iterator<Item = u16>) -> WordSet {
        let owners: Vec<u16> = owners.collect();
        let mut set = WordSet { bits: vec![0; self.slots.len().div_ceil(64)] };
        for (index, slot) in self.slots.iter().enumerate() {
            let is_owned = slot.iter().flat_map(|slot| &slot.owners).any(|owner| owners.contains(owner));
            set.bits[index / 64] |= u64::from(is_owned) << (index % 64);
        }
        set
    }

    /// Calls `found(word)` for every word with which the letters of `text` end.
    pub(super) fn find_last(&self, text: &[u8], mut found: impl FnMut(u16)) {
        let last = text.iter().rposition(u8::is_ascii_alphabetic).map_or(0, |last| last + 1);
        self.find_ends(text, |word, end| {
            if end == last {
                found(word);
            }
        });
    }

    /// Calls `found(word)` for every word in `text`, possibly more than once.
    pub(super) fn find(&self, text: &[u8], mut found: impl FnMut(u16)) {
        self.find_ends(text, |word, _| found(word));
    }

    /// Calls `found(word, end)` for every word in `text`.
    #[inline]
    pub(super) fn find_ends(&self, text: &[u8], mut found: impl FnMut(u16, usize)) {
        // Hashes of the phrases that began with this word, the one before, and the one before that.
        let mut phrases = [None; PHRASE_WORDS_MAX];
        let mut end_before = 0;
        let mut at = 0;
        while let Some((start, end)) = next_word(text, at) {
            if start > end_before + 1 && !joins(&text[end_before..start]) {
                phrases = [None; PHRASE_WORDS_MAX];
            }
            phrases.rotate_right(1);
            phrases[0] = Some(HASH_SEED);
            let (letters, last) = text[start..end].split_at(end - start - 1);
            for hash in phrases.iter_mut().flatten() {
                *hash = letters.iter().copied().fold(*hash, extend_hash);
                if last.eq_ignore_ascii_case(b"s") {
                    self.report(*hash, |word| found(word, end));
                }
                *hash = last.iter().copied().fold(*hash, extend_hash);
                self.report(*hash, |word| found(word, end));
            }
            (end_before, at) = (end, end);
        }
    }

    #[inline]
    fn report(&self, hash: u64, found: impl FnOnce(u16)) {
        let bit = filter_bit(hash);
        if self.filter[bit / 64] >> (bit % 64) & 1 == 0 {
            return;
        }
        let at = self.position(hash);
        if self.slots[at].is_some() {
            found(at as u16);
        }
    }

    /// Whether `owner` looks for the word that `find` reported.
    pub(super) fn owns(&self, word: u16, owner: u16) -> bool {
        self.slots[usize::from(word)].as_ref().is_some_and(|slot| slot.owners.contains(&owner))
    }

    /// The slot of `hash`, or the free one where it belongs.
    #[inline]
    fn position(&self, hash: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = (hash >> 32) as usize & mask;
        while self.slots[at].as_ref().is_some_and(|slot| slot.hash != hash) {
            at = (at + 1) & mask;
        }
        at
    }
}

#[inline]
fn filter_bit(hash: u64) -> usize {
    (hash >> 40) as usize % FILTER_BITS
}

#[inline]
fn extend_hash(hash: u64, letter: u8) -> u64 {
    (hash ^ u64::from(letter.to_ascii_lowercase())).wrapping_mul(HASH_PRIME)
}

/// Whether what stands on both sides of `gap` may be one phrase: where `gap` is one separator, one letter of two bytes in
/// UTF-8 (RFC 3629), such as the `\u{f6}` of `henkil\u{f6}tunnus`, or both, as in `s\u{e9}curit\u{e9} sociale`.
#[inline]
fn joins(gap: &[u8]) -> bool {
    match gap {
        [0xc3..=0xdf, 0x80..=0xbf, rest @ ..] | [rest @ .., 0xc3..=0xdf, 0x80..=0xbf] => rest.len() <= 1,
        _ => gap.len() <= 1,
    }
}

/// The next run of letters at or after `at` that is one word: `userSSN` is two, `SSNValue` as well.
#[inline]
fn next_word(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let start = at + text[at..].iter().position(u8::is_ascii_alphabetic)?;
    let mut end = start + 1;
    while end < text.len() && text[end].is_ascii_alphabetic() {
        let hump = text[end].is_ascii_uppercase()
            && (text[end - 1].is_ascii_lowercase() || text.get(end + 1).is_some_and(u8::is_ascii_lowercase));
        if hump {
            break;
        }
        end += 1;
    }
    Some((start, end))
}

/// Words of a phrase at most.
const PHRASE_WORDS_MAX: usize = 3;

/// Bits of the filter: a power of two, about ten for each word of the built-in detectors.
const FILTER_BITS: usize = 1 << 13;

/// Offset basis and prime of FNV-1a (Fowler, Noll, Vo; RFC 9923), 64 bits.
const HASH_SEED: u64 = 0xcbf2_9ce4_8422_2325;
pub(super) const HASH_PRIME: u64 = 0x0100_0000_01b3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_in_any_spelling_but_not_inside_another() {
        let phrases = ["card number", "pan", "henkilötunnus"].map(str::to_owned);
        let words =
            Words::new(&phrases.into_iter().zip([vec![1], vec![2], vec![3]]).collect::<Vec<_>>()).unwrap();
        let cases: [(&str, &[u16]); 13] = [
            ("Card Number: ", &[1]),
            (r#""card_number":""#, &[1]),
            (r#""userCardNumber":""#, &[1]),
            ("cardnumbers=", &[1]),
            ("PANValue", &[2]),
            ("PAN ", &[2]),
            ("pan", &[2]),
            ("span ", &[]),
            ("panel ", &[]),
            ("discard number", &[]),
            ("henkilötunnus: ", &[3]),
            ("HENKILÖTUNNUS", &[3]),
            ("henkil, tunnus", &[]),
        ];
        for (text, expected) in cases {
            let mut found = Vec::new();
            words
                .find(text.as_bytes(), |word| found.extend((1..=3).filter(|owner| words.owns(word, *owner))));
            found.dedup();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_keyword_that_no_text_can_hold_is_known() {
        for word in [
            "ssn",
            "social security no",
            "c\u{e9}dula",
            "\u{e9}tat civil",
            "s\u{e9}curit\u{e9} sociale",
            "userSSN",
        ] {
            assert!(Words::can_hold(word), "{word}");
        }
        let never = [
            "",
            " ",
            "1234",
            "ssn4",
            "паспорт",
            "паспорт no",
            "h\u{1ed9} chi\u{1ebf}u",
            "p.o. box",
            "one of four words",
        ];
        for word in never {
            assert!(!Words::can_hold(word), "{word}");
        }
    }
}
