//! Context words: what the key of a value, or the text around a match, says about it.
//!
//! The region before a match reaches back to the key when the match lies at the beginning of a value: a JSON
//! member name (and the name of the object or array around it), a logfmt or form key, an XML element. In
//! running text it is the last 30 bytes (the window of Macie and Datadog). What belongs to the previous
//! value never counts.

use super::words::{HASH_PRIME, WordSet, Words};

/// Bytes of running text before and after a match in which a context word counts.
const WINDOW_BYTES: usize = 30;
/// Longest key, bytes.
const KEY_BYTES_MAX: usize = 48;
/// How far back the name of an array is looked for, bytes.
const ARRAY_BYTES_MAX: usize = 192;

/// Bytes at most of the operator between a key and its value, and of what opens or closes either.
const OPERATOR_BYTES_MAX: usize = 4;
const OPENING_BYTES_MAX: usize = 8;

/// Where the region before `start` begins, and whether it is a key.
pub(super) fn before(field: &[u8], start: usize) -> (usize, bool) {
    region_before(field, start, &mut Arrays::default())
}

fn region_before(field: &[u8], start: usize, arrays: &mut Arrays) -> (usize, bool) {
    let floor = start.saturating_sub(WINDOW_BYTES);
    let mut at = start;
    while at > floor {
        at -= 1;
        let key = match field[at] {
            b'"' | b'\'' | b'`' => key_before(field, at, arrays),
            b'=' | b':' if at + 1 == start => key_before(field, at + 1, arrays),
            b'>' => Some(element_before(field, at)),
            b'{' | b'[' => Some(name_of_container(field, at)),
            b',' if at + 1 == start => Some(array_before(field, at, arrays)),
            b'\n' => return line_before(field, at),
            _ => None,
        };
        if let Some(key) = key {
            return (key, true);
        }
    }
    let whole_word = field[floor..start].iter().position(|byte| !byte.is_ascii_alphabetic());
    (if floor == 0 { 0 } else { floor + whole_word.unwrap_or(0) }, false)
}

/// Where the region of a line begins whose `\n` is at `end`: at the XML element that the line is the content of.
fn line_before(field: &[u8], end: usize) -> (usize, bool) {
    let close = skip_back(field, end, |byte| byte.is_ascii_whitespace());
    match close.checked_sub(1).filter(|close| field[*close] == b'>') {
        Some(close) => (element_before(field, close), true),
        None => (end + 1, false),
    }
}

/// Whether a word speaks of a value, and not of something before it, as far as what stands between them tells:
/// `amount 52.10, paid with` does not. The gap within a key may hold numbers, those of a list.
pub(super) fn is_next(gap: &[u8], is_key: bool) -> bool {
    !gap.iter().any(|byte| byte.is_ascii_alphabetic() || byte.is_ascii_digit() && !is_key)
}

/// The key of the value that begins at `start`: before an operator and what opens the value. A colon between two
/// digits is no operator but a part of a time of day; nor is a point or a question mark alone one.
pub(super) fn key_of(field: &[u8], start: usize) -> Option<&[u8]> {
    field.get(start).filter(|byte| !is_opening(**byte) && !is_operator(**byte))?;
    let opened = start - run_back(field, start, OPENING_BYTES_MAX, is_opening);
    let operator = opened - run_back(field, opened, OPERATOR_BYTES_MAX, is_operator);
    let end = operator - run_back(field, operator, OPENING_BYTES_MAX, is_opening);
    let begin = end - run_back(field, end, KEY_BYTES_MAX, is_name_byte);
    let assigns = field[operator..opened].iter().any(|byte| matches!(byte, b':' | b'=' | b'>'));
    let is_time = matches!(field[operator.saturating_sub(1)..=opened], [b'0'..=b'9', b':', b'0'..=b'9']);
    (assigns && begin < end && !is_time).then(|| &field[begin..end])
}

/// Where the value begins whose key has its operator, or a part of it, at `operator`.
pub(super) fn value_of(text: &[u8], operator: usize) -> usize {
    let run = |from: usize, most: usize, is_member: fn(u8) -> bool| {
        let rest = text.get(from..).unwrap_or_default();
        rest.iter().take(most).take_while(|byte| is_member(**byte)).count()
    };
    let opening = operator + run(operator, OPERATOR_BYTES_MAX, is_operator);
    opening + run(opening, OPENING_BYTES_MAX, is_opening)
}

/// The last four letters of the key before the operator at `operator`, lower case; 0 before three when there are no
/// more, `None` when there are fewer.
#[inline]
pub(super) fn key_end(text: &[u8], operator: usize) -> Option<[u8; 4]> {
    let before = &text[..operator];
    let mut name = before.strip_suffix(b"\"").unwrap_or(before).iter().rev();
    let mut letters = [0; 4];
    // Nearly every key: the same as below, at a fraction of its cost.
    for (count, letter) in letters.iter_mut().rev().enumerate() {
        match name.next() {
            Some(byte) if byte.is_ascii_alphabetic() => *letter = byte.to_ascii_lowercase(),
            Some(b'"' | b'{' | b',') if count > 0 => return (count == 3).then_some(letters),
            _ => return key_end_anyhow(text, operator),
        }
    }
    Some(letters)
}

/// As [`key_end`], whatever stands between key and operator, and between letters.
fn key_end_anyhow(text: &[u8], operator: usize) -> Option<[u8; 4]> {
    let first = operator - run_back(text, operator, OPERATOR_BYTES_MAX, is_operator);
    let end = first - run_back(text, first, OPENING_BYTES_MAX, is_opening);
    let name = text[..end].iter().rev().take(KEY_BYTES_MAX).take_while(|byte| is_name_byte(**byte));
    let mut letters = name.filter(|byte| byte.is_ascii_alphabetic()).map(u8::to_ascii_lowercase);
    let [three, two, one] = [letters.next()?, letters.next()?, letters.next()?];
    Some([letters.next().unwrap_or(0), one, two, three])
}

/// Length of the run of members before `at`.
fn run_back(text: &[u8], at: usize, most: usize, is_member: impl Fn(u8) -> bool) -> usize {
    text[..at].iter().rev().take(most).take_while(|byte| is_member(**byte)).count()
}

/// What stands between an operator and a value or a key.
fn is_opening(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'`' | b'\\')
}

fn is_operator(byte: u8) -> bool {
    matches!(byte, b':' | b'=' | b'>' | b'?' | b'.')
}

fn is_name_byte(byte: u8) -> bool {
    is_key_byte(byte) || byte == b' '
}

/// Where the region after `end` ends: with the value, at most `WINDOW_BYTES` on.
pub(super) fn after(field: &[u8], end: usize) -> usize {
    let rest = &field[end..field.len().min(end + WINDOW_BYTES)];
    // The next segment of a path is about what comes after it: `/customers/189037399/phone/`.
    if rest.first() == Some(&b'/') {
        return end;
    }
    let stop =
        rest.iter().position(|byte| matches!(byte, b'"' | b'\n' | b',' | b'}' | b']' | b'<' | b'&' | b'='));
    end + stop.unwrap_or(rest.len())
}

/// The start of the key that names the value which opens at `value` (its quote, or its first byte): the key
/// and, when the member is the first of its object, the name of that object. `None` when there is no key.
fn key_before(field: &[u8], value: usize, arrays: &mut Arrays) -> Option<usize> {
    let separator = skip_back(field, value, |byte| matches!(byte, b' ' | b'\\' | b'\t'));
    match field.get(separator.checked_sub(1)?)? {
        b':' | b'=' => Some(key_start(field, separator - 1)),
        b'>' if separator > 1 && field[separator - 2] == b'=' => Some(key_start(field, separator - 1)),
        b',' => Some(array_before(field, separator - 1, arrays)),
        b'[' | b'{' => Some(name_of_container(field, separator - 1)),
        _ => None,
    }
}

/// The start of the key whose separator is at `separator`.
fn key_start(field: &[u8], separator: usize) -> usize {
    let operator = separator - run_back(field, separator, OPERATOR_BYTES_MAX, is_operator);
    let end = skip_back(field, operator, |byte| matches!(byte, b' ' | b'\\' | b'"' | b'\''));
    let floor = end.saturating_sub(KEY_BYTES_MAX);
    let is_key =
        |byte: u8| is_key_byte(byte) || byte == b' ' && field.get(end) != Some(&b'=') && end != operator;
    let mut start = end;
    while start > floor && is_key(field[start - 1]) {
        start -= 1;
    }
    let outer =
        skip_back(field, start, |byte| matches!(byte, b' ' | b'\\' | b'"' | b'\'' | b'\n' | b'\t' | b'\r'));
    match outer.checked_sub(1).and_then(|index| field.get(index)) {
        Some(b'{') => name_of_container(field, outer - 1),
        _ => start,
    }
}

/// The start of the name before the `{` or `[` at `open`; `open` when it has none.
fn name_of_container(field: &[u8], open: usize) -> usize {
    let separator =
        skip_back(field, open, |byte| matches!(byte, b' ' | b'\\' | b'"' | b'\n' | b'\t' | b'\r'));
    match separator.checked_sub(1).and_then(|index| field.get(index)) {
        Some(b':' | b'=') => {
            let end = skip_back(field, separator - 1, |byte| matches!(byte, b' ' | b'\\' | b'"' | b'\''));
            let floor = end.saturating_sub(KEY_BYTES_MAX);
            let mut start = end;
            while start > floor && is_key_byte(field[start - 1]) {
                start -= 1;
            }
            start
        }
        _ => open,
    }
}

/// The start of the name of the array in which a comma at `comma` separates simple values; else `comma`.
fn array_before(field: &[u8], comma: usize, arrays: &mut Arrays) -> usize {
    match arrays.decider(field, comma).map(|at| (at, field[at])) {
        Some((at, b'[')) => name_of_container(field, at),
        // The name is the argument before the value: `set("name", "value")`.
        Some((at, b'(')) => at + 1,
        _ => comma,
    }
}

/// The start of the XML element whose `>` is at `close`.
fn element_before(field: &[u8], close: usize) -> usize {
    let floor = close.saturating_sub(KEY_BYTES_MAX);
    let open = field[floor..close].iter().rposition(|byte| *byte == b'<');
    open.map_or(close, |open| floor + open)
}

/// Walks back from `at` over bytes that `skip` names, at most `KEY_BYTES_MAX`.
fn skip_back(field: &[u8], at: usize, skip: impl Fn(u8) -> bool) -> usize {
    let skipped = field[..at].iter().rev().take(KEY_BYTES_MAX).take_while(|byte| skip(**byte)).count();
    at - skipped
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || !byte.is_ascii()
        || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'$' | b'@')
}

/// The context words before one start, and a memory of keys.
#[derive(Debug)]
pub(super) struct Near {
    /// What [`Words::find`] reported.
    words: Vec<u16>,
    /// Offset in the text of the start at hand, plus one; 0 when there is none.
    start: usize,
    /// Offset in the text of the region before it.
    region: usize,
    /// Whether the region before it is the key of the value and nothing else.
    is_key: bool,
    /// What [`Words::find_last`] reported of the key of the value at `value`.
    last_words: Vec<u16>,
    /// As `start`.
    value: usize,
    /// What [`Words::find`] reported of the text after `end`.
    words_after: Vec<u16>,
    /// As `start`.
    end: usize,
    /// Offsets in the text: no letter stands from `letterless` on before `letter`, where one stands or the field ends.
    letterless: usize,
    letter: usize,
    arrays: Arrays,
    list: List,
    memory: Vec<Remembered>,
}

/// The list of numbers at hand: rows of them have no context, and need not be looked through for it.
#[derive(Debug, Default)]
struct List {
    /// Offsets in the text: from `from` on there is nothing but numbers before `to`.
    from: usize,
    to: usize,
}

impl List {
    /// Longest distance over which a list is followed, bytes.
    const GAP_MAX: usize = 64;

    /// How many bytes of a list are known to be before `start`. Starts mostly ascend.
    fn before(&mut self, field: &[u8], offset: usize, start: usize) -> usize {
        let at = offset + start;
        let is_near = self.to >= offset && (self.to..=self.to + Self::GAP_MAX).contains(&at);
        if !is_near || self.from < offset {
            (self.from, self.to) = (at, at);
        }
        let new = &field[self.to - offset..start];
        if !goes_on(&field[..start], new.len()) {
            let others = new.iter().rposition(|byte| !is_list_byte(*byte));
            self.from = others.map_or(self.from, |other| self.to + other + 1);
        }
        self.to = at;
        at - self.from
    }
}

/// Whether the last bytes of `text`, at least so many, are those of a list; eight bytes at a time, so that it may look
/// at some before them.
fn goes_on(text: &[u8], bytes: usize) -> bool {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let every = |byte: u8| u64::from_ne_bytes([byte; 8]);
    let Some(first) = text.len().checked_sub(bytes.next_multiple_of(8)) else { return false };
    let (words, _) = text[first..].as_chunks::<8>();
    words.iter().all(|word| {
        let word = u64::from_ne_bytes(*word);
        let (low, space) = (word & LOW, word ^ every(b' '));
        // Carries into each byte's highest bit: from `,` on, behind `9`, and other than a space.
        let in_range = (low + every(0x80 - b',')) & !(low + every(0x7f - b'9')) & !word;
        let no_space = ((space & LOW) + LOW) | space;
        !in_range & no_space & !LOW == 0
    })
}

/// Whether lists of numbers are written with the byte: such that [`region_before`] passes over.
fn is_list_byte(byte: u8) -> bool {
    matches!(byte, b' ' | b','..=b'9')
}

/// The byte that decides to which array a comma belongs, remembered for the commas after it in its field: a list of
/// numbers is walked once, not once for each number. Nothing decides about a comma at 0.
#[derive(Debug, Default)]
struct Arrays {
    /// Offset of the field in the text.
    field: usize,
    comma: usize,
    decider: Option<usize>,
}

impl Arrays {
    /// The last byte before `comma`, at most [`ARRAY_BYTES_MAX`] before it, that is not part of a simple value.
    fn decider(&mut self, field: &[u8], comma: usize) -> Option<usize> {
        let floor = comma.saturating_sub(ARRAY_BYTES_MAX);
        let is_near = (floor..=comma).contains(&self.comma);
        let known = if is_near { self.comma } else { floor };
        let decides = |byte: &u8| matches!(byte, b'[' | b'(' | b'{' | b'}' | b']' | b':' | b'=' | b'\n');
        let after = field[known..comma].iter().rposition(decides).map(|at| known + at);
        let before = self.decider.filter(|at| is_near && *at >= floor);
        (self.comma, self.decider) = (comma, after.or(before));
        self.decider
    }
}

/// A key, as it stands in the text, and the words in it.
#[derive(Clone, Copy, Debug, Default)]
struct Remembered {
    /// Padded with zeros.
    key: [u8; REMEMBERED_BYTES],
    words: [u16; REMEMBERED_WORDS],
    count: usize,
}

/// Longest key that is remembered, bytes.
const REMEMBERED_BYTES: usize = 24;
/// Most words in it.
const REMEMBERED_WORDS: usize = 3;
/// Keys that are remembered: telemetry repeats few.
const REMEMBERED_KEYS: usize = 64;

impl Near {
    /// Nothing is near, nothing remembered.
    pub(super) fn new() -> Self {
        let memory = vec![Remembered::default(); REMEMBERED_KEYS];
        Self {
            words: Vec::with_capacity(64),
            start: 0,
            region: 0,
            is_key: false,
            last_words: Vec::with_capacity(8),
            value: 0,
            words_after: Vec::with_capacity(64),
            end: 0,
            letterless: 1,
            letter: 0,
            arrays: Arrays::default(),
            list: List::default(),
            memory,
        }
    }

    /// Forgets the start at hand: another text begins.
    pub(super) fn begin_text(&mut self) {
        (self.start, self.value, self.end) = (0, 0, 0);
        (self.letterless, self.letter) = (1, 0);
        self.arrays = Arrays::default();
        self.list = List::default();
    }

    /// Looks at the last words of the key of the value at `start`, unless it did already.
    pub(super) fn look_key(&mut self, words: &Words, field: &[u8], offset: usize, start: usize) {
        if self.value == offset + start + 1 {
            return;
        }
        self.value = offset + start + 1;
        self.last_words.clear();
        if let Some(key) = key_of(field, start) {
            words.find_last(key, |word| self.last_words.push(word));
        }
    }

    /// Whether the key ends in a word of `owner`.
    pub(super) fn key_ends(&self, words: &Words, owner: u16) -> bool {
        self.last_words.iter().any(|word| words.owns(*word, owner))
    }

    /// Looks at the region before `start` of `field`, which lies at `offset` of the text, unless it did already.
    pub(super) fn look(&mut self, words: &Words, field: &[u8], offset: usize, start: usize) {
        if self.start == offset + start + 1 {
            return;
        }
        let last = std::mem::replace(&mut self.start, offset + start + 1);
        if self.arrays.field != offset {
            self.arrays = Arrays { field: offset, ..Arrays::default() };
        }
        let listed = self.list.before(field, offset, start);
        let follows_comma = field[..start].last() == Some(&b',');
        if listed > if follows_comma { ARRAY_BYTES_MAX } else { WINDOW_BYTES } {
            (self.region, self.is_key) = (offset + start, follows_comma);
            return self.words.clear();
        }
        let (before, is_key) = region_before(field, start, &mut self.arrays);
        self.is_key = is_key;
        let region = std::mem::replace(&mut self.region, offset + before);
        if region == self.region && last > region && !has_letter(field, last - 1 - offset, start) {
            return;
        }
        self.words.clear();
        let text = &field[before..start];
        let Some(key) = padded(text) else {
            words.find(text, |word| self.words.push(word));
            return;
        };
        let remembered = &mut self.memory[slot_of(&key)];
        if remembered.key != key {
            words.find(text, |word| self.words.push(word));
            if let Some(slots) = remembered.words.get_mut(..self.words.len()) {
                slots.copy_from_slice(&self.words);
                (remembered.key, remembered.count) = (key, self.words.len());
            }
            return;
        }
        self.words.extend_from_slice(&remembered.words[..remembered.count]);
    }

    /// Whether a word of `owner` is in the region before the start.
    pub(super) fn has(&self, words: &Words, owner: u16) -> bool {
        self.words.iter().any(|word| words.owns(*word, owner))
    }

    /// Whether a word of `owner` is the last one before the start.
    pub(super) fn has_last(&self, words: &Words, here: (&[u8], usize), start: usize, owner: u16) -> bool {
        let (field, offset) = here;
        let before = &field[self.region - offset..start];
        let mut has_last = false;
        words.find_ends(before, |word, end| {
            has_last |= words.owns(word, owner) && is_next(&before[end..], self.is_key);
        });
        has_last
    }

    /// Whether one of the words is in the region before the start.
    pub(super) fn has_any(&self, words: &WordSet) -> bool {
        self.words.iter().any(|word| words.contains(*word))
    }

    /// Whether a letter stands near enough behind a match of at most `bytes_max` bytes at `start` to be of a word
    /// that counts. Starts ascend, so that each byte is looked at once.
    pub(super) fn may_have_after(
        &mut self,
        field: &[u8],
        offset: usize,
        start: usize,
        bytes_max: usize,
    ) -> bool {
        let from = offset + start;
        if !(self.letterless..=self.letter).contains(&from) {
            let letter = first_letter(&field[start..]);
            (self.letterless, self.letter) = (from, from + letter.unwrap_or(field.len() - start));
        }
        let is_near = self.letter - from < bytes_max.saturating_add(WINDOW_BYTES);
        !self.is_key && is_near && self.letter < offset + field.len()
    }

    /// Whether the key ends in one of the words.
    pub(super) fn key_ends_in_any(&self, words: &WordSet) -> bool {
        self.last_words.iter().any(|word| words.contains(*word))
    }

    /// Whether a word of `owner` is in the text after `end`, in a value without a key of its own.
    pub(super) fn has_after(
        &mut self,
        words: &Words,
        field: &[u8],
        offset: usize,
        end: usize,
        owner: u16,
    ) -> bool {
        if self.is_key {
            return false;
        }
        if self.end != offset + end + 1 {
            self.end = offset + end + 1;
            self.words_after.clear();
            words.find(&field[end..after(field, end)], |word| self.words_after.push(word));
        }
        self.words_after.iter().any(|word| words.owns(*word, owner))
    }
}

/// Where the first letter of ASCII stands; eight bytes at a time.
fn first_letter(text: &[u8]) -> Option<usize> {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let every = |byte: u8| u64::from_le_bytes([byte; 8]);
    let (words, rest) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let lower = (word | every(0x20)) & LOW;
        // Carries into each byte's highest bit: from `a` on, and behind `z`.
        let letters = (lower + every(0x80 - b'a')) & !(lower + every(0x7f - b'z')) & !word & !LOW;
        if letters != 0 {
            return Some(8 * index + letters.trailing_zeros() as usize / 8);
        }
    }
    let letter = rest.iter().position(u8::is_ascii_alphabetic);
    letter.map(|letter| 8 * words.len() + letter)
}

/// Whether a letter stands in `from..to`. Between the numbers of a list stands none, so that each has the words of
/// the one before: every word ends in an ASCII letter, and what else stands in a text only joins or parts words.
fn has_letter(field: &[u8], from: usize, to: usize) -> bool {
    field.get(from..to).is_none_or(|between| between.iter().any(u8::is_ascii_alphabetic))
}

/// The text as a key to remember, when it is short enough.
fn padded(text: &[u8]) -> Option<[u8; REMEMBERED_BYTES]> {
    let mut key = [0; REMEMBERED_BYTES];
    key.get_mut(..text.len())?.copy_from_slice(text);
    Some(key)
}

fn slot_of(key: &[u8; REMEMBERED_BYTES]) -> usize {
    let (words, _) = key.as_chunks::<8>();
    let mixed =
        words.iter().fold(0, |mixed: u64, word| (mixed ^ u64::from_le_bytes(*word)).wrapping_mul(HASH_PRIME));
    (mixed >> 40) as usize % REMEMBERED_KEYS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(text: &str) -> String {
        let start = text.find("123456789").unwrap();
        text[before(text.as_bytes(), start).0..start].to_owned()
    }

    #[test]
    fn the_region_is_the_key_of_the_value_or_the_text_before_it() {
        let cases = [
            (r#"{"a":"x","ssn":"123456789"}"#, r#"ssn":""#),
            (r#"{"a":"ssn","n": 123456789}"#, r#"n": "#),
            (r#"{"ssn":{"value":"123456789"}}"#, r#"ssn":{"value":""#),
            (r#"{"ssn":["1","2","123456789"]}"#, r#"ssn":["1","2",""#),
            (r#"{\"ssn\":\"123456789\"}"#, r#"ssn\":\""#),
            ("ssn ::= \"123456789\"", "ssn ::= \""),
            ("x = {\"ssn\" => \"123456789\"}", "ssn\" => \""),
            ("set(\"ssn\", \"123456789\")", "ssn\", \""),
            ("<a>1</a><ssn>\n  123456789\n</ssn>", "<ssn>\n  "),
            ("ssn=1 n=123456789", "n="),
            ("<ssn>1</ssn><n>123456789</n>", "<n>"),
            ("ssn,123456789,x", ","),
            ("SSN: 123456789", "SSN: "),
            ("ssn: 1\nnumber 123456789", "number "),
            ("the text before this is longer, but ssn 123456789", " longer, but ssn "),
        ];
        for (text, expected) in cases {
            assert!(
                region(text).ends_with(expected) && region(text).len() <= expected.len() + 16,
                "{text}: {}",
                region(text)
            );
        }
        assert!(!region(r#"{"a":"ssn","n": 123456789}"#).contains("ssn"));
    }

    #[test]
    fn the_array_of_a_comma_is_the_same_whatever_was_remembered() {
        let list = |count: usize| "12345,".repeat(count);
        let text = format!(r#"{{"ids":[{},1],"n":[1,2,3]}} f("a",1,{})"#, list(60), list(70));
        let mut arrays = Arrays::default();
        let commas = text.match_indices(',').map(|(comma, _)| comma);
        for comma in commas.clone().chain(commas.rev().step_by(7)) {
            let naive = Arrays::default().decider(text.as_bytes(), comma);
            assert_eq!(arrays.decider(text.as_bytes(), comma), naive, "comma at {comma}");
        }
    }

    #[test]
    fn the_end_of_a_key_is_the_same_however_it_is_found() {
        for text in [
            r#""key":"#,
            "key=",
            r#""my_Key":"#,
            r#"k3y":"#,
            "ab=",
            r#""":"#,
            "",
            r#"\"key\":"#,
            "a-b c =",
            "kéy:",
        ] {
            let operator = text.len().saturating_sub(1);
            let naive = key_end_anyhow(text.as_bytes(), operator);
            assert_eq!(key_end(text.as_bytes(), operator), naive, "{text}");
        }
        assert_eq!(key_end(br#""Key":"#, 5), Some(*b"\0key"));
        assert_eq!(key_end(br#""my_Key":"#, 8), Some(*b"ykey"));
    }

    #[test]
    fn the_first_letter_is_that_of_byte_by_byte() {
        for byte in 0..=u8::MAX {
            for at in 0..19 {
                let mut text = [b'7'; 19];
                text[at] = byte;
                let naive = text.iter().position(u8::is_ascii_alphabetic);
                assert_eq!(first_letter(&text), naive, "byte {byte:#04x} at {at}");
            }
        }
        assert_eq!(first_letter(b"1234567xy234567z"), Some(7));
    }

    #[test]
    fn a_list_goes_on_as_byte_by_byte() {
        for byte in 0..=u8::MAX {
            assert_eq!(goes_on(&[byte; 8], 1), is_list_byte(byte), "byte {byte:#04x}");
            for at in 0..16 {
                let mut text = [b'7'; 16];
                text[at] = byte;
                assert_eq!(goes_on(&text, 9), is_list_byte(byte), "byte {byte:#04x} at {at}");
            }
        }
        assert!(!goes_on(b"1234567", 7) && goes_on(b"x1234567", 0));
    }

    #[test]
    fn what_was_looked_at_before_changes_no_words() {
        let words = Words::new(&[("card no".to_owned(), vec![1]), ("pan".to_owned(), vec![2])]).unwrap();
        let texts = [
            r#"{"pan":[1,22,"card",333,"no",4444,[5],6],"n":[7,8]}"#,
            "the card 1 2 no 3, the card no 4 5 pan 6 pans 7p8 an 9",
            "<pan>1</pan><n>2 3</n> set(\"pan\", 4, 5)\n6 7",
            &format!(
                "pan: 1 {} 8 pan 9, {{\"pan\":[{}8],\"card no\":9}}",
                "23 45,".repeat(20),
                "678,".repeat(60)
            ),
        ];
        let mut warm = Near::new();
        for text in texts.map(str::as_bytes) {
            warm.begin_text();
            for start in (0..text.len()).filter(|start| text[*start].is_ascii_digit()) {
                let mut cold = Near::new();
                cold.look(&words, text, 0, start);
                warm.look(&words, text, 0, start);
                assert_eq!((&warm.words, warm.is_key), (&cold.words, cold.is_key), "start {start}");
                let letter = text[start..].iter().position(u8::is_ascii_alphabetic);
                let expected = !cold.is_key && letter.is_some_and(|letter| letter < 4 + WINDOW_BYTES);
                assert_eq!(warm.may_have_after(text, 0, start, 4), expected, "start {start}");
            }
        }
    }

    #[test]
    fn a_value_has_the_key_before_its_operator() {
        let cases = [
            (r#"{"password":"VALUE"}"#, Some("password")),
            ("db_password = 'VALUE'", Some("db_password")),
            (r#"{\"pwd\": \"VALUE\"}"#, Some("pwd")),
            ("<pin>VALUE</pin>", Some("pin")),
            ("TOKEN ::= `VALUE`", Some("TOKEN")),
            ("\"key\" => \"VALUE\"", Some("key")),
            ("date of birth: VALUE", Some("date of birth")),
            ("the VALUE", None),
            (r#"["a","VALUE"]"#, None),
            ("=VALUE", None),
            ("pin2:VALUE", Some("pin2")),
            ("pin.VALUE", None),
            ("pin?.=VALUE", Some("pin")),
        ];
        for (text, expected) in cases {
            let start = text.find("VALUE").unwrap();
            let key = key_of(text.as_bytes(), start).map(|key| std::str::from_utf8(key).unwrap());
            assert_eq!(key, expected, "{text}");
            let operator = text.find([':', '=', '>']).unwrap_or(start);
            if let Some(key) = key {
                assert_eq!(value_of(text.as_bytes(), operator), start, "{text}");
                let letters = format!("\0{}", key.to_ascii_lowercase().replace([' ', '_', '2'], ""));
                assert!(letters.as_bytes().ends_with(&key_end(text.as_bytes(), operator).unwrap()), "{text}");
            }
        }
        assert_eq!(key_of(b"pin 12:34", 7), None, "a time of day");
        assert_eq!(key_of(b"pin12: 34", 7), Some(&b"pin12"[..]));
        assert_eq!(key_of(b"pin>=x", 4), None, "the operator goes on");
    }
}
