//! Where in a JSON text an offset lies, without building a tree.
//!
//! A [`Cursor`] walks forward over the tokens of one text and knows the containers around the current one.
//! It serves rules that are limited to fields and masks that must leave numbers numbers. It reads
//! what it can of damaged text and gives up, never fails, where it cannot.

use std::ops::Range;

/// Longest path that is known. What lies deeper has the path of the container at this depth.
pub const DEPTH_MAX: usize = 128;

/// What an editor may have put before the text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// What stands at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A value in quotes.
    String,
    /// A key of an object.
    Key,
    /// A number.
    Number,
    /// Anything else: structure, `true`, text that is not JSON.
    Other,
}

/// One container around the current token, with the position in it.
#[derive(Clone, Copy, Debug)]
enum Frame {
    Object { key_start: usize, key_end: usize, in_value: bool },
    Array { index: u64 },
}

/// One step of a path from the root to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'t> {
    /// The value of this key of an object; the key as it is written, escapes included.
    Key(&'t [u8]),
    /// The element of an array, from 0.
    Index(u64),
}

/// A position among the tokens of one JSON text.
#[derive(Debug, Default)]
pub struct Cursor {
    /// Whether the text is JSON, once that was asked.
    is_json: Option<bool>,
    frames: Vec<Frame>,
    /// Containers around the current token that have no frame, for they lie deeper than [`DEPTH_MAX`].
    beyond: usize,
    /// Where the token before the current one ends: offsets between the two need no second walk.
    walked: usize,
    token: Range<usize>,
    place: Option<Place>,
    ended: bool,
}

impl Cursor {
    /// Back to the start, for another text.
    pub fn reset(&mut self) {
        self.is_json = None;
        self.rewind();
    }

    /// True when the text starts as a JSON object or array does. It is looked at once, however often this is asked.
    pub fn is_json(&mut self, text: &[u8]) -> bool {
        *self.is_json.get_or_insert_with(|| is_json(text))
    }

    fn rewind(&mut self) {
        self.frames.clear();
        self.beyond = 0;
        self.walked = 0;
        self.token = 0..0;
        self.place = None;
        self.ended = false;
    }

    /// Moves to the token that covers `offset` of `text` and says what it is. Offsets that ascend cost one
    /// walk over the text in all; an earlier one starts again.
    pub fn seek(&mut self, text: &[u8], offset: usize) -> Place {
        if offset < self.walked {
            self.rewind();
        }
        self.ended |= !self.is_json(text);
        while self.token.end <= offset && !self.ended {
            self.advance(text);
        }
        match self.place {
            Some(place) if self.token.contains(&offset) => place,
            _ => Place::Other,
        }
    }

    /// The current token; a string's includes its quotes.
    pub fn token(&self) -> Range<usize> {
        self.token.clone()
    }

    /// True when the current token is in no container, so that no path leads to it.
    pub fn is_outside(&self) -> bool {
        self.frames.is_empty()
    }

    /// The path to the current token. A key of an object belongs to the object: its path is the object's.
    pub fn path<'t>(&'t self, text: &'t [u8]) -> impl Iterator<Item = Step<'t>> {
        self.frames.iter().map_while(move |frame| match frame {
            Frame::Array { index } => Some(Step::Index(*index)),
            Frame::Object { in_value: false, .. } => None,
            Frame::Object { key_start, key_end, .. } => text.get(*key_start..*key_end).map(Step::Key),
        })
    }

    /// Reads structure up to and including the next string, number or word.
    fn advance(&mut self, text: &[u8]) {
        let mut at = self.token.end;
        self.walked = at;
        while let Some(&byte) = text.get(at) {
            match byte {
                b'"' => return self.take_string(text, at),
                b'{' => self.open(Frame::Object { key_start: 0, key_end: 0, in_value: false }),
                b'[' => self.open(Frame::Array { index: 0 }),
                b'}' | b']' => self.close(),
                b':' => self.enter_value(),
                b',' => self.next_member(),
                byte if is_word(byte) => return self.take_word(text, at),
                _ => {}
            }
            at += 1;
        }
        self.end(text);
    }

    fn open(&mut self, frame: Frame) {
        match self.frames.len() {
            DEPTH_MAX => self.beyond += 1,
            _ => self.frames.push(frame),
        }
    }

    fn close(&mut self) {
        match self.beyond {
            0 => drop(self.frames.pop()),
            _ => self.beyond -= 1,
        }
    }

    /// The container around the current token, where it has a frame.
    fn innermost(&mut self) -> Option<&mut Frame> {
        if self.beyond == 0 { self.frames.last_mut() } else { None }
    }

    fn enter_value(&mut self) {
        if let Some(Frame::Object { in_value, .. }) = self.innermost() {
            *in_value = true;
        }
    }

    fn next_member(&mut self) {
        match self.innermost() {
            Some(Frame::Object { in_value, .. }) => *in_value = false,
            Some(Frame::Array { index }) => *index += 1,
            None => {}
        }
    }

    fn take_string(&mut self, text: &[u8], start: usize) {
        let end = string_end(text, start);
        self.token = start..end;
        // Beyond the frames what is a key is not known: no mask makes more of a key than text.
        self.place = Some(if self.beyond == 0 { Place::String } else { Place::Key });
        if let Some(Frame::Object { key_start, key_end, in_value: false }) = self.innermost() {
            (*key_start, *key_end) = (start + 1, end.saturating_sub(1).max(start + 1));
            self.place = Some(Place::Key);
        }
    }

    fn take_word(&mut self, text: &[u8], start: usize) {
        let length = text[start..].iter().take_while(|&&byte| is_word(byte)).count();
        let word = &text[start..start + length];
        let number = !self.frames.is_empty() && is_number(word);
        self.token = start..start + length;
        self.place = Some(if number { Place::Number } else { Place::Other });
    }

    fn end(&mut self, text: &[u8]) {
        self.ended = true;
        self.place = None;
        self.token = text.len()..text.len();
    }
}

fn is_json(text: &[u8]) -> bool {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    matches!(text.trim_ascii_start(), [b'{' | b'[', ..])
}

/// True for a whole JSON number (RFC 8259 section 6).
pub fn is_number(word: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut rest = word.strip_prefix(b"-").unwrap_or(word);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest.starts_with(b"0")) {
        return false;
    }
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = exponent.strip_prefix(b"+").or(exponent.strip_prefix(b"-")).unwrap_or(exponent);
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

/// One past the closing quote of the string that opens at `start`; the end of the text when it is cut.
fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

fn is_word(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'{' | b'}' | b'[' | b']' | b':' | b',')
}

/// One character of a text, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Character {
    /// The character; `None` for a byte that is no UTF-8, and for an escape that is none.
    pub value: Option<char>,
    /// Bytes that write it.
    pub length: usize,
    /// True when it is written as `\uXXXX`.
    pub is_unicode_escape: bool,
}

/// The characters of `text`; with `escapes`, JSON's backslash escapes are seen through.
pub fn characters(text: &[u8], escapes: bool) -> impl Iterator<Item = Character> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let character = match rest {
            [] => return None,
            [b'\\', ..] if escapes => escaped(rest),
            [byte, ..] if byte.is_ascii() => plain(Some(char::from(*byte)), 1),
            _ => multibyte(rest),
        };
        rest = &rest[character.length..];
        Some(character)
    })
}

fn plain(value: Option<char>, length: usize) -> Character {
    Character { value, length, is_unicode_escape: false }
}

fn multibyte(text: &[u8]) -> Character {
    let longest = &text[..text.len().min(4)];
    let valid = match std::str::from_utf8(longest) {
        Ok(valid) => valid,
        Err(error) => std::str::from_utf8(&longest[..error.valid_up_to()]).unwrap_or_default(),
    };
    valid.chars().next().map_or(plain(None, 1), |value| plain(Some(value), value.len_utf8()))
}

fn escaped(text: &[u8]) -> Character {
    let value = match text.get(1) {
        Some(b'u') => return unicode_escape(text),
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(byte @ (b'"' | b'\\' | b'/')) => char::from(*byte),
        _ => return plain(Some('\\'), 1),
    };
    plain(Some(value), 2)
}

/// `\uXXXX`, or two of them that are a surrogate pair (RFC 8259 section 7).
fn unicode_escape(text: &[u8]) -> Character {
    let Some(unit) = code_unit(text) else { return plain(Some('\\'), 1) };
    let single = Character { value: char::from_u32(unit), length: 6, is_unicode_escape: true };
    if !(0xd800..0xdc00).contains(&unit) {
        return single;
    }
    match code_unit(&text[6..]) {
        Some(low @ 0xdc00..0xe000) => {
            let value = char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
            Character { value, length: 12, is_unicode_escape: true }
        }
        _ => single,
    }
}

fn code_unit(text: &[u8]) -> Option<u32> {
    let hex = text.get(..6)?.strip_prefix(b"\\u")?;
    hex.iter().try_fold(0, |unit, &byte| Some(unit * 16 + char::from(byte).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, needle: &str) -> (Place, String) {
        let mut cursor = Cursor::default();
        let place = cursor.seek(text.as_bytes(), text.find(needle).expect("the needle is in the text"));
        let mut path = String::new();
        for step in cursor.path(text.as_bytes()) {
            match step {
                Step::Key(key) => path.push_str(&format!("/{}", String::from_utf8_lossy(key))),
                Step::Index(index) => path.push_str(&format!("/{index}")),
            }
        }
        (place, path)
    }

    #[test]
    fn an_offset_has_a_place_and_a_path() {
        let text = r#" {"a":{"b\"c":[true,{"d":12.5},"str, 99"]},"e":-7,"f":[[1],[2,3]]}"#;
        let table = [
            ("12.5", Place::Number, r#"/a/b\"c/1/d"#),
            ("99", Place::String, r#"/a/b\"c/2"#),
            ("true", Place::Other, r#"/a/b\"c/0"#),
            ("d\"", Place::Key, r#"/a/b\"c/1"#),
            ("-7", Place::Number, "/e"),
            ("3]", Place::Number, "/f/1/1"),
        ];
        for (needle, place, path) in table {
            assert_eq!(at(text, needle), (place, path.to_owned()), "{needle}");
        }
    }

    #[test]
    fn what_is_not_json_has_no_place() {
        assert_eq!(at("card, 4111", "4111").0, Place::Other);
        assert_eq!(at("[info] card, 4111", "4111").0, Place::Other);
    }

    #[test]
    fn what_lies_beyond_the_deepest_path_has_the_path_of_its_container() {
        let (open, close) = ("[".repeat(DEPTH_MAX - 1), "]".repeat(DEPTH_MAX - 1));
        let text = format!(r#"{{"a":{open}1,{{"b":[2,"s"]}},3{close},"c":4}}"#);
        let container = format!("/a{}", "/0".repeat(DEPTH_MAX - 2));
        for (needle, place, path) in [
            ("1", Place::Number, format!("{container}/0")),
            ("2", Place::Number, format!("{container}/1")),
            ("s", Place::Key, format!("{container}/1")),
            ("3", Place::Number, format!("{container}/2")),
            ("4", Place::Number, "/c".to_owned()),
        ] {
            assert_eq!(at(&text, needle), (place, path), "{needle}");
        }
    }

    #[test]
    fn seeking_back_starts_again() {
        let text = br#"{"a":1,"b":2}"#;
        let mut cursor = Cursor::default();

        assert_eq!(cursor.seek(text, 11), Place::Number);
        assert_eq!(cursor.seek(text, 5), Place::Number);

        assert_eq!(cursor.path(text).next(), Some(Step::Key(b"a")));
    }

    #[test]
    fn offsets_before_a_token_and_after_the_end_need_no_second_walk() {
        let mut cursor = Cursor::default();
        let text = br#"{"a":   1}   "#;
        cursor.seek(text, 5);
        let walked = cursor.walked;
        assert_eq!(cursor.seek(text, 6), Place::Other);
        assert_eq!(cursor.walked, walked);
        cursor.seek(text, 11);
        let walked = cursor.walked;
        assert_eq!(cursor.seek(text, 10), Place::Other);
        assert_eq!(cursor.walked, walked);
        assert_eq!(cursor.seek(text, 8), Place::Number);
    }

    #[test]
    fn numbers_are_those_of_the_standard() {
        for good in ["0", "-0", "10", "1.5", "1e9", "-1.25E-3"] {
            assert!(is_number(good.as_bytes()), "{good}");
        }
        for bad in ["", "-", "01", "1.", ".5", "1e", "+1", "1-2", "1.2.3", "0x1"] {
            assert!(!is_number(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn escapes_are_seen_through() {
        let text = b"a\\u0034\\n\\ud83d\\ude00\\u00zz\xff\xc3\xa9";
        let values: Vec<(Option<char>, usize)> =
            characters(text, true).map(|character| (character.value, character.length)).collect();
        let expected = [
            (Some('a'), 1),
            (Some('4'), 6),
            (Some('\n'), 2),
            (Some('😀'), 12),
            (Some('\\'), 1),
            (Some('u'), 1),
            (Some('0'), 1),
            (Some('0'), 1),
            (Some('z'), 1),
            (Some('z'), 1),
            (None, 1),
            (Some('é'), 2),
        ];
        assert_eq!(values, expected);
    }
}
