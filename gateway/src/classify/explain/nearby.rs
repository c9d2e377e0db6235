//! Context words and where they stand.

use std::ops::Range;

use crate::classify::context;
use crate::classify::validate::Match;
use crate::classify::words::Words;

/// A context word near a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// As the detector's declaration writes it.
    pub word: String,
    /// Where it stands, in the field.
    pub span: Range<usize>,
}

/// Context words, each for itself.
#[derive(Debug)]
pub(super) struct Phrases<'e>(Vec<(&'e str, Words)>);

impl<'e> Phrases<'e> {
    pub(super) fn new(words: &'e [String]) -> Self {
        let alone = |word: &'e String| Some((word.as_str(), Words::new(&[(word.clone(), vec![0])])?));
        Self(words.iter().filter_map(alone).collect())
    }

    /// The word that is nearest before the match.
    pub(super) fn before(&self, found: &Match<'_>) -> Option<Word> {
        let (start, _) = context::before(found.field, found.start);
        self.last_in(found.field, start..found.start)
    }

    /// The word before the match that speaks of it.
    pub(super) fn just_before(&self, found: &Match<'_>) -> Option<Word> {
        let (_, is_key) = context::before(found.field, found.start);
        self.before(found).filter(|word| context::is_next(&found.field[word.span.end..found.start], is_key))
    }

    /// The last word after the match, where the match has no key of its own.
    pub(super) fn after(&self, found: &Match<'_>) -> Option<Word> {
        let (_, is_key) = context::before(found.field, found.start);
        let end = if is_key { found.end } else { context::after(found.field, found.end) };
        self.last_in(found.field, found.end..end)
    }

    /// The word with which the key of the match ends.
    pub(super) fn at_end_of_key(&self, found: &Match<'_>) -> Option<Word> {
        let key = context::key_of(found.field, found.start)?;
        let is_last = |words: &Words| {
            let mut is_last = false;
            words.find_last(key, |_| is_last = true);
            is_last
        };
        let (word, words) = self.0.iter().find(|(_, words)| is_last(words))?;
        // Between the key and its value stands no letter.
        let before = &found.field[..found.start];
        let end = before.iter().rposition(u8::is_ascii_alphabetic)? + 1;
        Some(Word { word: (*word).to_owned(), span: span_of(words, word, &before[..end], end) })
    }

    /// The last of the words in a region.
    fn last_in(&self, field: &[u8], region: Range<usize>) -> Option<Word> {
        let place = |(word, words): &(&str, Words)| {
            let text = &field[region.clone()];
            let mut last = None;
            words.find_ends(text, |_, end| last = Some(end));
            let span = span_of(words, word, text, last?);
            let span = region.start + span.start..region.start + span.end;
            Some(Word { word: (*word).to_owned(), span })
        };
        self.0.iter().filter_map(place).max_by_key(|found| (found.span.end, found.span.len()))
    }
}

/// Where the word begins that ends at `end` of `text`: as many letters before it as the word has, and one more
/// in the plural.
fn span_of(words: &Words, word: &str, text: &[u8], end: usize) -> Range<usize> {
    let letters = word.bytes().filter(u8::is_ascii_alphanumeric).count();
    let start_of = |letters: usize| {
        let mut left = letters;
        let walked = text[..end].iter().rev().take_while(|byte| {
            let goes_on = left > 0;
            left -= usize::from(goes_on && byte.is_ascii_alphabetic());
            goes_on
        });
        end - walked.count()
    };
    let contains = |start: usize| {
        let mut contains = false;
        words.find(&text[start..end], |_| contains = true);
        contains
    };
    let start = start_of(letters);
    if contains(start) { start..end } else { start_of(letters + 1)..end }
}
