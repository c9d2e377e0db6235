//! JSON Pointers (RFC 6901) with `*` for any key or index; one of a single step also names a key of logfmt and forms.

use crate::json::{Cursor, DEPTH_MAX, Step, characters};
use crate::pairs::is_written_as;

/// A compiled pointer. It covers the value it names and everything inside that value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pointer(Vec<Token>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Any,
    Name(String),
}

/// Why a text is no pointer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PointerError {
    #[error("a JSON Pointer starts with `/`: `/{0}`")]
    NoSlash(String),
    #[error("`~` is written `~0` and `/` inside a key `~1`")]
    BadEscape,
    #[error("a path has at most {DEPTH_MAX} steps")]
    TooDeep,
}

impl Pointer {
    pub(super) fn new(text: &str) -> Result<Self, PointerError> {
        let tokens = text.strip_prefix('/').ok_or_else(|| PointerError::NoSlash(text.to_owned()))?;
        if tokens.split('/').count() > DEPTH_MAX {
            return Err(PointerError::TooDeep);
        }
        tokens.split('/').map(token).collect::<Result<_, _>>().map(Self)
    }

    /// True when everything that `inner` names lies in a value that this pointer names.
    pub(super) fn contains(&self, inner: &Self) -> bool {
        let same = |(ours, theirs): (&Token, &Token)| *ours == Token::Any || ours == theirs;
        self.0.len() <= inner.0.len() && self.0.iter().zip(&inner.0).all(same)
    }

    /// True when it names the value that a pair of logfmt or of a form gives `key`.
    pub(super) fn names(&self, key: &[u8]) -> bool {
        match self.0.as_slice() {
            [Token::Any] => true,
            [Token::Name(name)] => is_written_as(name, key),
            _ => false,
        }
    }

    /// True when the token under the cursor lies in the value that the pointer names.
    pub(super) fn covers(&self, cursor: &Cursor, text: &[u8]) -> bool {
        let mut path = cursor.path(text);
        self.0.iter().all(|token| path.next().is_some_and(|step| token.matches(&step)))
    }
}

impl Token {
    fn matches(&self, step: &Step<'_>) -> bool {
        match (self, step) {
            (Self::Any, _) => true,
            (Self::Name(name), Step::Index(index)) => name.parse() == Ok(*index),
            (Self::Name(name), Step::Key(key)) => {
                let decoded = characters(key, true).map(|character| character.value);
                decoded.eq(name.chars().map(Some))
            }
        }
    }
}

fn token(text: &str) -> Result<Token, PointerError> {
    if text == "*" {
        return Ok(Token::Any);
    }
    let mut name = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        name.push(match character {
            '~' => match characters.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return Err(PointerError::BadEscape),
            },
            other => other,
        });
    }
    Ok(Token::Name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_covers_its_value_and_what_is_inside() {
        let text = br#"{"user":{"mail":"M","tags":["A","B"],"a/b~c":"S","\u006dob":"T"},"note":"N"}"#;
        let table = [
            ("/user/mail", "M", true),
            ("/user", "M", true),
            ("/*/mail", "M", true),
            ("/user/tags/1", "B", true),
            ("/user/tags/1", "A", false),
            ("/user/tags/*", "A", true),
            ("/user/a~1b~0c", "S", true),
            ("/user/mob", "T", true),
            ("/user", "N", false),
            ("/user/mail/deeper", "M", false),
        ];
        for (pointer, needle, expected) in table {
            let mut cursor = Cursor::default();
            let quoted = format!("\"{needle}\"");
            let offset =
                text.windows(3).position(|window| window == quoted.as_bytes()).expect("the needle is there");
            cursor.seek(text, offset + 1);
            let pointer = Pointer::new(pointer).expect("the pointer is well formed");
            assert_eq!(pointer.covers(&cursor, text), expected, "{pointer:?} on {needle}");
        }
    }

    #[test]
    fn a_malformed_pointer_is_refused() {
        assert_eq!(Pointer::new("user"), Err(PointerError::NoSlash("user".to_owned())));
        assert_eq!(Pointer::new("/a~2"), Err(PointerError::BadEscape));
        assert_eq!(Pointer::new(&"/a".repeat(DEPTH_MAX + 1)), Err(PointerError::TooDeep));
        assert!(Pointer::new(&"/a".repeat(DEPTH_MAX)).is_ok());
    }
}
