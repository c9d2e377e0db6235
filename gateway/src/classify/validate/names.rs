//! What names say that stand before a value: the last word of its key, the words of a sentence.

use super::Match;
use crate::classify::context;

/// Words that are looked at before a value in a sentence.
const WORDS_MAX: usize = 6;
/// How far before a value they may stand, bytes.
const REACH_BYTES: usize = 48;

/// The words and numbers of a key: `callId`, `call_id` and `call id` have two.
pub(super) fn words(key: &[u8]) -> impl Iterator<Item = &[u8]> {
    let goes_on = |one: &u8, two: &u8| {
        (is_letter(*one), one.is_ascii_digit()) == (is_letter(*two), two.is_ascii_digit())
            && !(one.is_ascii_lowercase() && two.is_ascii_uppercase())
    };
    key.chunk_by(goes_on).filter(|word| is_letter(word[0]) || word[0].is_ascii_digit())
}

/// The words of the key of the match; none when it has no key.
pub(super) fn words_of_key<'a>(found: &Match<'a>) -> impl Iterator<Item = &'a [u8]> {
    words(context::key_of(found.field, found.start).unwrap_or_default())
}

/// The words and numbers before the match, the nearest first.
pub(super) fn words_before<'a>(found: &Match<'a>) -> impl Iterator<Item = &'a [u8]> {
    let before = &found.field[found.start.saturating_sub(REACH_BYTES)..found.start];
    before
        .rsplit(|byte| !is_letter(*byte) && !matches!(byte, b'0'..=b'9' | b'.'))
        .filter(|word| !word.is_empty())
        .take(WORDS_MAX)
}

/// Whether one of the words, in any case of its ASCII letters, is the word.
pub(super) fn is_one_of(word: &[u8], words: &[&str]) -> bool {
    words.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_words() {
        let cases: [(&str, &[&str]); 6] = [
            ("call_id", &["call", "id"]),
            ("callId", &["call", "Id"]),
            ("call-ID 2", &["call", "ID", "2"]),
            ("IpAddressV4", &["Ip", "Address", "V", "4"]),
            ("versão", &["versão"]),
            ("", &[]),
        ];
        for (key, expected) in cases {
            let words: Vec<&[u8]> = words(key.as_bytes()).collect();
            assert_eq!(words, expected.iter().map(|word| word.as_bytes()).collect::<Vec<_>>(), "{key}");
        }
    }
}
