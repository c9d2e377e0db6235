//! Which keys name an offset in a text of pairs: logfmt (`key=value key="quoted \" value"`) or a form
//! (`a=1&b=%40`), without building a table.
//!
//! Nothing tells the two apart for certain, so a pair of logfmt is read as a form, too: in `url=/x?a=1&b=2 c=3`
//! the `2` is named by `url` and by `b`.

use std::ops::Range;

/// A position in one text of pairs.
#[derive(Debug, Default)]
pub struct Pairs {
    /// What white space ends, as logfmt has it.
    outer: Pair,
    /// What `&` ends within `outer`, as a form has it.
    inner: Pair,
}

/// A pair with what separates it from the one before, so that pairs leave no gaps.
#[derive(Debug, Default)]
struct Pair {
    range: Range<usize>,
    key: Option<Range<usize>>,
}

impl Pairs {
    /// Back to the start, for another text.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Moves to the pair that covers `offset`, key included, and says its keys as they are written. Offsets that
    /// ascend cost one walk over the text in all; an earlier one starts again.
    pub fn keys<'t>(&mut self, text: &'t [u8], offset: usize) -> impl Iterator<Item = &'t [u8]> + use<'t> {
        if offset < self.inner.range.start {
            self.reset();
        }
        while self.outer.range.end <= offset && self.outer.range.end < text.len() {
            let from = self.outer.range.end;
            let start = from + spaces(&text[from..]);
            self.outer = Pair::new(text, from, start..start + pair_length(&text[start..]));
            self.inner = Pair { range: from..from, key: None };
        }
        while self.inner.range.end <= offset && self.inner.range.end < self.outer.range.end {
            let from = self.inner.range.end;
            let start = from + separators(&text[from..]);
            let end = start + until(&text[start..self.outer.range.end], |byte| byte == b'&');
            self.inner = Pair::new(text, from, start..end);
        }
        let covering =
            [&self.outer, &self.inner].map(|pair| pair.key.clone().filter(|_| pair.range.contains(&offset)));
        covering.into_iter().flatten().map(|key| &text[key])
    }
}

impl Pair {
    fn new(text: &[u8], from: usize, pair: Range<usize>) -> Self {
        let key = key_length(&text[pair.clone()]).map(|length| pair.start..pair.start + length);
        Self { range: from..pair.end, key }
    }
}

/// True when `key`, as a form writes it, is `name`: `%40` stands for a byte, `+` for a space.
pub fn is_written_as(name: &str, key: &[u8]) -> bool {
    key == name.as_bytes() || decoded(key).eq(name.bytes())
}

/// Bytes before the `=` of a pair.
fn key_length(pair: &[u8]) -> Option<usize> {
    pair.iter().position(|byte| *byte == b'=')
}

/// Bytes of the pair with which the text begins: up to white space outside of quotes. Only a value is quoted, as
/// a whole.
fn pair_length(text: &[u8]) -> usize {
    let end = until(text, |byte| byte.is_ascii_whitespace());
    let Some(key) = key_length(&text[..end]) else { return end };
    match text[key..].strip_prefix(b"=\"").and_then(quoted_length) {
        Some(length) => key + 2 + length,
        None => end,
    }
}

/// Bytes up to and including the closing quote; `None` where none closes, so that what follows is not hidden.
/// That happens once in a text at most: nothing behind such a quote opens another.
fn quoted_length(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

fn spaces(text: &[u8]) -> usize {
    until(text, |byte| !byte.is_ascii_whitespace())
}

/// White space, or the `&` that follows a pair.
fn separators(text: &[u8]) -> usize {
    match text {
        [b'&', ..] => 1,
        _ => spaces(text),
    }
}

fn until(text: &[u8], ends: fn(u8) -> bool) -> usize {
    text.iter().position(|byte| ends(*byte)).unwrap_or(text.len())
}

/// The bytes that `application/x-www-form-urlencoded` stands for (WHATWG URL section 5.1).
fn decoded(key: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = key;
    std::iter::from_fn(move || {
        let (&first, after) = rest.split_first()?;
        let hex = after.get(..2).filter(|_| first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        let escaped = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        rest = if escaped.is_some() { &after[2..] } else { after };
        Some(escaped.unwrap_or(if first == b'+' { b' ' } else { first }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str, needle: &str) -> Vec<String> {
        let offset = text.find(needle).expect("the needle is in the text");
        let keys = Pairs::default().keys(text.as_bytes(), offset).map(String::from_utf8_lossy);
        let mut keys: Vec<String> = keys.map(Into::into).collect();
        keys.dedup();
        keys
    }

    #[test]
    fn an_offset_has_the_keys_of_its_pair() {
        let logfmt =
            "level=info msg=\"it \\\" said a=1\" user=jane flag\n id=7 empty= \"q=8\" open=\"no end b=9";
        let form = "user=jane&mail=x%40y.org&pin=&pass+word=s3cret&flag&z=\"26\" ";
        let both = "GET url=/x?a=1&b=2 c=3";
        let table: [(&str, &str, &[&str]); 15] = [
            (logfmt, "info", &["level"]),
            (logfmt, "level", &["level"]),
            (logfmt, "a=1", &["msg"]),
            (logfmt, "jane", &["user"]),
            (logfmt, "flag", &[]),
            (logfmt, "7", &["id"]),
            (logfmt, "8", &["\"q"]),
            (logfmt, "no", &["open"]),
            (logfmt, "9", &["b"]),
            (form, "jane", &["user"]),
            (form, "y.org", &["user", "mail"]),
            (form, "s3", &["user", "pass+word"]),
            (form, "26", &["user", "z"]),
            (both, "2", &["url", "b"]),
            (both, "3", &["c"]),
        ];
        for (text, needle, expected) in table {
            assert_eq!(keys(text, needle), expected, "{needle} in {text}");
        }
    }

    #[test]
    fn every_order_of_offsets_gives_the_same_keys() {
        let text = b" a=1&b=\"2 3\"&c=4  d e=\"5 \\\"6\" f=\"7 g=8&h ";
        let at = |pairs: &mut Pairs, offset| -> Vec<&[u8]> { pairs.keys(text, offset).collect() };
        let fresh: Vec<_> = (0..=text.len()).map(|offset| at(&mut Pairs::default(), offset)).collect();

        let mut pairs = Pairs::default();
        for offset in (0..=text.len()).chain((0..=text.len()).rev()) {
            assert_eq!(at(&mut pairs, offset), fresh[offset], "{offset}");
        }
    }

    #[test]
    fn a_key_of_a_form_is_decoded() {
        for (name, key, expected) in [
            ("password", "password", true),
            ("password", "pass%77ord", true),
            ("pass word", "pass+word", true),
            ("pass+word", "pass+word", true),
            ("ü", "%C3%bc", true),
            ("a%", "a%", true),
            ("a%4", "a%4", true),
            ("password", "passwords", false),
            ("password", "pass", false),
        ] {
            assert_eq!(is_written_as(name, key.as_bytes()), expected, "{name} {key}");
        }
    }
}
