//! The characters of a text as its last reader sees them, whatever escapes write them.

use crate::escape::{Code, Form};
use crate::json;

/// One character, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Character {
    /// The character; `None` for a byte that is no UTF-8, and for an escape that is none.
    pub(super) value: Option<char>,
    /// Bytes that write it.
    pub(super) length: usize,
    /// The escape that writes it, where that can write another.
    pub(super) form: Option<Form>,
}

impl Character {
    /// Whether it is a letter or digit, or a byte that is no character: that may be anything.
    pub(super) fn is_content(&self) -> bool {
        self.value.is_none_or(char::is_alphanumeric)
    }
}

/// The characters of `text`: percent-encoding and references of XML are seen through, and with `json` its escapes.
pub(super) fn characters(text: &[u8], json: bool) -> impl Iterator<Item = Character> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let character = match rest {
            [] => return None,
            [b'%' | b'&', ..] => Code::at(rest).map_or_else(|| first(rest, json), coded),
            _ => first(rest, json),
        };
        rest = &rest[character.length..];
        Some(character)
    })
}

/// Percent-encoding writes bytes: those beyond ASCII are parts of characters.
fn coded(code: Code) -> Character {
    let is_part = |value: &char| code.form == Form::Percent && !value.is_ascii();
    let value = char::from_u32(code.value).filter(|value| !is_part(value));
    Character { value, length: code.length, form: Some(code.form) }
}

/// The first character of a text that is not empty.
fn first(text: &[u8], json: bool) -> Character {
    let first = json::characters(text, json).next().expect("the text is not empty");
    Character {
        value: first.value,
        length: first.length,
        form: first.is_unicode_escape.then_some(Form::Unicode),
    }
}
