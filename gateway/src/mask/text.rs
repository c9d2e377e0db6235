//! Masking of text, in JSON strings and anywhere else.

use std::ops::Range;

use super::operator::{CHAR_DEFAULT, Keep, Operator};
use super::pseudonym::Subject;
use crate::json::{self, Character};

/// Bytes of the longest JSON escape of one code unit, `\uXXXX`.
pub(super) const ESCAPE_BYTES_MAX: usize = 6;

/// What the patch of `span` covers: not what is patched already, and no half of an escape.
pub(super) fn span(
    operator: &Operator,
    text: &[u8],
    escapes: bool,
    span: &Range<usize>,
    written_to: usize,
) -> Range<usize> {
    let mut start = span.start;
    let mut end = span.end;
    if escapes {
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
pub(super) fn write(operator: &Operator, subject: &Subject, raw: &[u8], escapes: bool, out: &mut Vec<u8>) {
    match operator {
        Operator::Redact { with } => mask(raw, escapes, *with, |_| false, out),
        Operator::Keep(keep) => write_kept(keep, raw, escapes, out),
        Operator::Token(token) => token.write(subject, raw, escapes, out),
        Operator::Hash { key, length } => key.write_hash(subject, raw, escapes, *length, out),
        Operator::Replace(replacement) => replacement.write(&subject.id, out),
        Operator::Null => {}
    }
}

/// Appends `raw` with every letter and digit hidden.
pub(super) fn redact(raw: &[u8], escapes: bool, out: &mut Vec<u8>) {
    mask(raw, escapes, CHAR_DEFAULT, |_| false, out);
}

fn write_kept(keep: &Keep, raw: &[u8], escapes: bool, out: &mut Vec<u8>) {
    let count = json::characters(raw, escapes).filter(is_content).count();
    let all = keep.first + keep.last >= count;
    let from_last = count.saturating_sub(keep.last);
    mask(raw, escapes, keep.with, |position| !all && (position < keep.first || position >= from_last), out);
}

/// Appends `raw` with every letter and digit replaced by `with`, but those whose position among them `keeps`.
fn mask(raw: &[u8], escapes: bool, with: u8, keeps: impl Fn(usize) -> bool, out: &mut Vec<u8>) {
    let mut rest = raw;
    let mut position = 0;
    for character in json::characters(raw, escapes) {
        let (written, after) = rest.split_at(character.length);
        rest = after;
        if !is_content(&character) {
            out.extend_from_slice(written);
            continue;
        }
        if keeps(position) {
            out.extend_from_slice(written);
        } else if character.is_unicode_escape {
            (0..character.length / ESCAPE_BYTES_MAX).for_each(|_| write_escape(with, out));
        } else {
            out.resize(out.len() + character.length, with);
        }
        position += 1;
    }
}

/// Letters and digits, and bytes that are no character: those may be anything.
pub(super) fn is_content(character: &Character) -> bool {
    character.value.is_none_or(char::is_alphanumeric)
}

/// Appends one character as it is, or as the escape that stands for it.
pub(super) fn write_character(character: u8, as_escape: bool, out: &mut Vec<u8>) {
    if as_escape {
        write_escape(character, out);
    } else {
        out.push(character);
    }
}

fn write_escape(with: u8, out: &mut Vec<u8>) {
    let hex = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
    out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(with >> 4), hex(with & 15)]);
}
