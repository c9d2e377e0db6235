//! Masking of text, in JSON strings and anywhere else. `json` says that backslashes are escapes.

use std::ops::Range;

use super::character::{Character, characters};
use super::operator::{CHAR_DEFAULT, Keep, Operator};
use super::pseudonym::Subject;
use crate::escape::Form;
use crate::json;

/// Bytes of the longest JSON escape of one code unit, `\uXXXX`.
pub(super) const ESCAPE_BYTES_MAX: usize = 6;

/// What the patch of `span` covers: not what is patched already, and no half of an escape.
pub(super) fn span(
    operator: &Operator,
    text: &[u8],
    json: bool,
    span: &Range<usize>,
    written_to: usize,
) -> Range<usize> {
    let mut start = span.start;
    let mut end = span.end;
    if json {
        match escape_over(text, start) {
            Some(cut) if cut.len() == ESCAPE_BYTES_MAX => start = cut.start,
            // `\n` before a name is no part of it, whoever took its `n` for a letter.
            Some(cut) => start = cut.end,
            None => {}
        }
        let whole_escapes = operator.keeps_length();
        match escape_over(text, end) {
            Some(cut) if whole_escapes || cut.start >= start => end = cut.end,
            _ => {}
        }
    }
    let start = start.max(written_to);
    start..end.max(start)
}

/// The escape that begins before `at` and ends after it.
fn escape_over(text: &[u8], at: usize) -> Option<Range<usize>> {
    let nearest =
        (1..ESCAPE_BYTES_MAX).filter_map(|back| at.checked_sub(back)).find(|&from| text[from] == b'\\')?;
    let run = text[..=nearest].iter().rev().take_while(|&&byte| byte == b'\\').count();
    if run % 2 == 0 {
        return None;
    }
    let is_unicode =
        json::characters(&text[nearest..], true).next().is_some_and(|found| found.is_unicode_escape);
    let end = nearest + if is_unicode { ESCAPE_BYTES_MAX } else { 2 };
    (end > at && end <= text.len()).then_some(nearest..end)
}

/// Appends what becomes of `raw`.
pub(super) fn write(operator: &Operator, subject: &Subject, raw: &[u8], json: bool, out: &mut Vec<u8>) {
    match operator {
        Operator::Redact { with } => mask(raw, json, *with, |_| false, out),
        Operator::Keep(keep) => write_kept(keep, raw, json, out),
        Operator::Token(token) => token.write(subject, raw, json, out),
        Operator::Hash { key, length } => key.write_hash(subject, raw, json, *length, out),
        Operator::Replace(replacement) => replacement.write(&subject.id, out),
        Operator::Null => {}
    }
}

/// Appends `raw` with every letter and digit hidden.
pub(super) fn redact(raw: &[u8], json: bool, out: &mut Vec<u8>) {
    mask(raw, json, CHAR_DEFAULT, |_| false, out);
}

fn write_kept(keep: &Keep, raw: &[u8], json: bool, out: &mut Vec<u8>) {
    let count = count_content(raw, json);
    let all = keep.first + keep.last >= count;
    let from_last = count.saturating_sub(keep.last);
    mask(raw, json, keep.with, |position| !all && (position < keep.first || position >= from_last), out);
}

/// How many letters and digits there are.
fn count_content(raw: &[u8], json: bool) -> usize {
    if is_plain(raw) {
        return raw.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
    }
    characters(raw, json).filter(Character::is_content).count()
}

/// Appends `raw` with every letter and digit replaced by `with`, but those whose position among them `keeps`.
fn mask(raw: &[u8], json: bool, with: u8, keeps: impl Fn(usize) -> bool, out: &mut Vec<u8>) {
    if is_plain(raw) { mask_plain(raw, with, keeps, out) } else { mask_any(raw, json, with, keeps, out) }
}

/// Whether each byte is a character by itself, as in nearly all that is masked.
fn is_plain(raw: &[u8]) -> bool {
    raw.iter().all(|byte| byte.is_ascii() && !matches!(byte, b'\\' | b'%' | b'&'))
}

/// As [`mask_any`], of a plain text.
fn mask_plain(raw: &[u8], with: u8, keeps: impl Fn(usize) -> bool, out: &mut Vec<u8>) {
    let mut position = 0;
    out.extend(raw.iter().map(|byte| {
        if !byte.is_ascii_alphanumeric() {
            return *byte;
        }
        position += 1;
        if keeps(position - 1) { *byte } else { with }
    }));
}

/// As `mask`, of any text.
fn mask_any(raw: &[u8], json: bool, with: u8, keeps: impl Fn(usize) -> bool, out: &mut Vec<u8>) {
    let mut rest = raw;
    let mut position = 0;
    for character in characters(raw, json) {
        let (written, after) = rest.split_at(character.length);
        rest = after;
        if !character.is_content() {
            out.extend_from_slice(written);
            continue;
        }
        if keeps(position) {
            out.extend_from_slice(written);
        } else {
            write_character(with, character.form, written, out);
        }
        position += 1;
    }
}

/// Appends one character as the escape that stands for it, or as often as what is written is long.
pub(super) fn write_character(character: u8, form: Option<Form>, written: &[u8], out: &mut Vec<u8>) {
    match form {
        Some(form) => form.write(character, written, out),
        None => out.resize(out.len() + written.len(), character),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn plain_text_is_masked_as_any_text(raw in "[ -$'-\\[\\]-~]{0,24}", first in 0..8_usize, json: bool) {
            let (mut plain, mut any) = (Vec::new(), Vec::new());
            prop_assert!(is_plain(raw.as_bytes()));
            mask_plain(raw.as_bytes(), b'*', |position| position < first, &mut plain);
            mask_any(raw.as_bytes(), json, b'*', |position| position < first, &mut any);
            prop_assert_eq!(plain, any);
            let naive = characters(raw.as_bytes(), json).filter(Character::is_content).count();
            prop_assert_eq!(count_content(raw.as_bytes(), json), naive);
        }
    }
}
