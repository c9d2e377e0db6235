//! The words of values, and what stands between them.

/// Most characters that separate two words: a comma and a space.
pub(super) const GAP_MAX: usize = 2;
/// What may separate words in ASCII. Beyond, [`wide_separator`] does.
pub(super) const SEPARATORS: &str = " -._/,'&@:+";
/// Most bytes of one separator.
pub(super) const SEPARATOR_BYTES_MAX: usize = 3;

/// Whether words are written with the byte: letters, digits, and all beyond ASCII that is no [`wide_separator`].
pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

fn is_separator(byte: u8) -> bool {
    SEPARATORS.as_bytes().contains(&byte)
}

/// Bytes of the separator beyond ASCII that `text` begins with, zero when it begins with none: spaces, quotation marks,
/// dashes and other signs, and the byte order mark, in UTF-8.
#[inline]
pub(super) fn wide_separator(text: &[u8]) -> usize {
    match text {
        // U+00A0 to U+00BF, less its letters and numbers.
        [0xc2, 0xa0..=0xa9 | 0xab..=0xb1 | 0xb4 | 0xb6..=0xb8 | 0xbb | 0xbf, ..] => 2,
        // U+2000 to U+206F.
        [0xe2, 0x80, 0x80..=0xbf, ..] | [0xe2, 0x81, 0x80..=0xaf, ..] => 3,
        // U+3000 to U+301F, less its letters and numbers.
        [0xe3, 0x80, 0x80..=0x84 | 0x88..=0x9f, ..] => 3,
        // U+FEFF.
        [0xef, 0xbb, 0xbf, ..] => 3,
        _ => 0,
    }
}

/// Where from `at` on the next byte of a word stands.
#[inline]
pub(super) fn next_word(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += text.get(at..)?.iter().position(|byte| is_word(*byte))?;
        match wide_separator(&text[at..]) {
            0 => return Some(at),
            bytes => at += bytes,
        }
    }
}

/// The bytes of all words.
pub(super) fn letters(text: &[u8]) -> impl Iterator<Item = u8> {
    let mut at = 0;
    std::iter::from_fn(move || {
        at = next_word(text, at)? + 1;
        Some(text[at - 1])
    })
}

/// How many words a value has.
///
/// # Errors
///
/// Where something stands that separates no words of values.
pub(super) fn count(value: &[u8]) -> Result<usize, usize> {
    let (mut words, mut gap, mut at) = (0, GAP_MAX, 0);
    while at < value.len() {
        let wide = wide_separator(&value[at..]);
        if wide == 0 && is_word(value[at]) {
            words += usize::from(gap > 0);
            (gap, at) = (0, at + 1);
            continue;
        }
        if gap == GAP_MAX || wide == 0 && !is_separator(value[at]) {
            return Err(at);
        }
        (gap, at) = (gap + 1, at + wide.max(1));
    }
    if gap == 0 || value.is_empty() { Ok(words) } else { Err(at) }
}

/// Whether a value goes on behind what stands between two words.
pub(super) fn is_gap(between: &[u8]) -> bool {
    let (mut at, mut gap) = (0, 0);
    while at < between.len() {
        let bytes = if is_separator(between[at]) { 1 } else { wide_separator(&between[at..]) };
        if bytes == 0 || gap == GAP_MAX {
            return false;
        }
        (at, gap) = (at + bytes, gap + 1);
    }
    gap > 0
}

/// Whether no byte of a word beyond ASCII touches `start..end`.
pub(super) fn stands_alone(field: &[u8], start: usize, end: usize) -> bool {
    let (before, after) = (&field[..start], &field[end..]);
    let is_separated = |bytes: usize| {
        before.len().checked_sub(bytes).is_some_and(|from| wide_separator(&before[from..]) == bytes)
    };
    let is_free_before = before.last().is_none_or(u8::is_ascii) || is_separated(2) || is_separated(3);
    is_free_before && (after.first().is_none_or(u8::is_ascii) || wide_separator(after) > 0)
}

/// Where text goes on behind the escape that the word at `start` seems to begin with.
pub(super) fn behind_escape(field: &[u8], start: usize) -> Option<usize> {
    match (field.get(start.checked_sub(1)?)?, field.get(start)?) {
        (b'\\', b'u') => Some(start + 5),
        (b'\\', _) => Some(start + 1),
        (b'%', _) => Some(start + 2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_numbers_are_no_separators() {
        for value in ('\u{80}'..='\u{ffff}').filter(|value| value.is_alphanumeric()) {
            assert_eq!(wide_separator(value.encode_utf8(&mut [0; 4]).as_bytes()), 0, "{value}");
        }
        for value in "\u{a0}«»·¿\u{2009}—’“”…\u{200b}\u{2060}\u{3000}、。「」〜\u{feff}".chars()
        {
            assert_eq!(
                wide_separator(value.encode_utf8(&mut [0; 4]).as_bytes()),
                value.len_utf8(),
                "{value}"
            );
        }
    }
}
