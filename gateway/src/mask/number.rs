//! Masking of unquoted JSON numbers, so that the document remains JSON.

use std::ops::Range;

use super::operator::{Keep, Operator};
use super::pseudonym::Subject;
use super::text;
use crate::json;

/// How far a number is followed on either side of a finding: beyond, it is no number of any use.
const NUMBER_BYTES_MAX: usize = 256;

/// The whole number token around `span`, when its neighbours are those of an unquoted JSON value. The caller
/// asks the cursor whether that holds: the same bytes may stand in a string.
pub(super) fn token_around(text: &[u8], span: &Range<usize>) -> Option<Range<usize>> {
    if !text[span.clone()].iter().all(is_number_byte) {
        return None;
    }
    let before = text[..span.start]
        .iter()
        .rev()
        .take(NUMBER_BYTES_MAX)
        .take_while(|byte| is_number_byte(byte))
        .count();
    let after =
        text[span.end..].iter().take(NUMBER_BYTES_MAX).take_while(|byte| is_number_byte(byte)).count();
    let token = span.start - before..span.end + after;
    let (previous, next) = (text[..token.start].trim_ascii_end(), text[token.end..].trim_ascii_start());
    let neighbours = matches!((previous, next), ([.., b':' | b',' | b'['], [b',' | b']' | b'}', ..]));
    (neighbours && json::is_number(&text[token.clone()])).then_some(token)
}

/// What the patch covers: the digits of the finding where they can be changed alone, else the whole token.
pub(super) fn span(
    operator: &Operator,
    text: &[u8],
    token: &Range<usize>,
    span: &Range<usize>,
    written_to: usize,
) -> Range<usize> {
    match operator {
        Operator::Keep(keep) if span.start >= written_to && hides_digits(keep, &text[span.clone()]) => {
            span.clone()
        }
        Operator::Token(_) => span.start.max(written_to)..span.end,
        _ => token.start.max(written_to)..token.end,
    }
}

/// Whether `raw` is of digits alone, and `keep` hides some of them.
fn hides_digits(keep: &Keep, raw: &[u8]) -> bool {
    keep.first + keep.last < raw.len() && raw.iter().all(u8::is_ascii_digit)
}

/// Appends what becomes of the patch at `span`. What does not start the token follows what was written for its start, so
/// spaces complete it, after a zero where that does not end in a digit.
pub(super) fn write(
    operator: &Operator,
    subject: &Subject,
    text: &[u8],
    token: &Range<usize>,
    span: &Range<usize>,
    out: &mut Vec<u8>,
) {
    let raw = &text[span.clone()];
    let leads = !text[..span.start].last().is_some_and(u8::is_ascii_digit);
    match operator {
        Operator::Keep(keep) if hides_digits(keep, raw) => write_kept(keep, raw, leads, out),
        Operator::Token(token) => token.write(subject, raw, false, out),
        _ if span.start > token.start => write_blank(raw.len(), leads, out),
        Operator::Redact { .. } | Operator::Keep(_) => write_blank(raw.len(), true, out),
        Operator::Null => out.extend_from_slice(b"null"),
        Operator::Hash { .. } | Operator::Replace(_) => {
            out.push(b'"');
            text::write(operator, subject, raw, false, out);
            out.push(b'"');
        }
    }
}

/// Appends spaces, the first a zero where a digit is needed.
fn write_blank(bytes: usize, needs_digit: bool, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes, b' ');
    if needs_digit {
        out[start] = b'0';
    }
}

/// Appends `raw` with its middle digits replaced: by zeros, led by a nine where `raw` leads its run of digits, which must
/// not start with a zero, the last chosen so that the Luhn checksum refuses the whole. `9000` also starts no card, no SSN
/// and no telephone number.
fn write_kept(keep: &Keep, raw: &[u8], leads: bool, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(raw);
    let digits = &mut out[start..];
    let hidden = keep.first..raw.len() - keep.last;
    digits[hidden.clone()].fill(b'0');
    if leads && keep.first == 0 {
        digits[0] = b'9';
    }
    let last = hidden.end - 1;
    if luhn_accepts(digits) {
        digits[last] = if digits[last] == b'9' { b'8' } else { b'1' };
    }
}

/// The checksum of ISO/IEC 7812-1 annex B. Changing one digit always changes it.
fn luhn_accepts(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0');
            let doubled = if place % 2 == 1 { digit * 2 } else { digit };
            if doubled > 9 { doubled - 9 } else { doubled }
        })
        .sum();
    sum.is_multiple_of(10)
}

fn is_number_byte(byte: &u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E')
}
