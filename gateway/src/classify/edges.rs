//! What may touch a match. JSON escapes (`\n`, `\u000a`) and percent-encoded bytes (`%20`) count as one
//! character: a match never starts inside one, and one before a match never touches it.

use super::shapes::is_token;

/// What must not touch a match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Edges {
    /// Anything may.
    None,
    /// No letter, digit or underscore.
    #[default]
    Word,
    /// As `Word`; nor may the match continue a number or an identifier with hyphens: `12.` or `A-` before,
    /// `.5` or `-A` after.
    Number,
    /// As `Word`; nor may the match be part of a longer dotted, coloned or hyphenated name.
    Address,
    /// As `Word`; nor may the match go on before or after as base64, a path, or a name with hyphens and dots.
    Value,
}

impl Edges {
    /// Every kind with its name.
    pub(super) const NAMES: [(&'static str, Self); 5] = [
        ("none", Self::None),
        ("word", Self::Word),
        ("number", Self::Number),
        ("address", Self::Address),
        ("value", Self::Value),
    ];

    /// Whether a match may start at `start` of `field`.
    pub(super) fn allow_start(self, field: &[u8], start: usize) -> bool {
        if self == Self::None || start == 0 {
            return true;
        }
        let before = byte(field, start, 1);
        if is_word(before) {
            return may_follow_escape(field, start)
                && follows_escape(field, start)
                && !splits_escape(field, start);
        }
        if matches!(before, b'\\' | b'%') && splits_escape(field, start) {
            return false;
        }
        match self {
            Self::None => true,
            Self::Word => true,
            Self::Value => !is_token(before),
            Self::Number => before != b'+' && !continues_number(field, start),
            Self::Address => !continues_address(field, start),
        }
    }

    /// Whether a match may end before `end` of `field`.
    pub(super) fn allow_end(self, field: &[u8], end: usize) -> bool {
        let after = field.get(end).copied().unwrap_or(b' ');
        let second = field.get(end + 1).copied().unwrap_or(b' ');
        match self {
            Self::None => true,
            Self::Word => !is_word(after),
            Self::Number => {
                let decimal = after == b'.' && second.is_ascii_digit();
                let hyphenated = after == b'-' && second.is_ascii_alphanumeric();
                !(is_word(after) || decimal || hyphenated)
            }
            Self::Address => {
                let dotted = matches!(after, b'.' | b':') && second.is_ascii_alphanumeric();
                let port = after == b':' && is_port(field, end + 1);
                let hyphenated = after == b'-' && begins_name(&field[end + 1..]);
                let colons = after == b':' && second == b':';
                !(is_word(after) || dotted && !port || hyphenated || colons)
            }
            Self::Value => {
                let goes_on = matches!(after, b'+' | b'/' | b'=' | b'~' | b'@' | b'$');
                let joined = matches!(after, b'-' | b'.' | b':') && is_word(second);
                let elided = after == b'.' && (second == b'.' || byte(field, end, 1) == b'.');
                !(is_word(after) || goes_on || joined || elided)
            }
        }
    }
}

/// Letters, digits and the underscore.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The byte `back` before `at`; a space before the field.
fn byte(field: &[u8], at: usize, back: usize) -> u8 {
    at.checked_sub(back).and_then(|index| field.get(index)).copied().unwrap_or(b' ')
}

/// Whether `at` lies inside an escape: after its backslash or percent sign and before its last byte.
fn splits_escape(field: &[u8], at: usize) -> bool {
    if byte(field, at, 1) == b'\\' {
        return matches!(field.get(at), Some(b'n' | b'r' | b't' | b'b' | b'f' | b'u'));
    }
    let percent = (1..=2).any(|back| byte(field, at, back) == b'%' && is_hex_run(field, at - back + 1, 2));
    percent || (2..=5).any(|back| byte(field, at, back) == b'\\' && is_unicode_escape(field, at - back))
}

/// Whether a backslash or percent sign is near enough before `at` for an escape to end there.
fn may_follow_escape(field: &[u8], at: usize) -> bool {
    field[at.saturating_sub(6)..at].iter().any(|byte| matches!(byte, b'\\' | b'%'))
}

/// Whether an escape ends just before `at`.
fn follows_escape(field: &[u8], at: usize) -> bool {
    let short = byte(field, at, 2) == b'\\' && matches!(byte(field, at, 1), b'n' | b'r' | b't' | b'b' | b'f');
    let percent = byte(field, at, 3) == b'%' && is_hex_run(field, at - 2, 2);
    short || percent || (byte(field, at, 6) == b'\\' && at >= 6 && is_unicode_escape(field, at - 6))
}

/// Whether `\uXXXX` starts at `at`.
fn is_unicode_escape(field: &[u8], at: usize) -> bool {
    field.get(at + 1) == Some(&b'u') && is_hex_run(field, at + 2, 4)
}

/// Whether `count` hexadecimal digits start at `at`.
fn is_hex_run(field: &[u8], at: usize, count: usize) -> bool {
    field.get(at..at + count).is_some_and(|run| run.iter().all(u8::is_ascii_hexdigit))
}

/// Whether `start` follows `12.`, or a hyphen that makes it a negative number or a part of an identifier.
fn continues_number(field: &[u8], start: usize) -> bool {
    let second = byte(field, start, 2);
    match byte(field, start, 1) {
        b'.' => second.is_ascii_digit(),
        b'-' => is_word(second) || matches!(second, b':' | b',' | b'[' | b'='),
        _ => false,
    }
}

/// Whether `start` follows a dot, a group of a longer coloned form, or a hyphenated name.
fn continues_address(field: &[u8], start: usize) -> bool {
    let second = byte(field, start, 2);
    match byte(field, start, 1) {
        b'.' => is_word(second),
        b':' => {
            second == b':'
                || second.is_ascii_hexdigit() && !is_key_end(field, start - 1) && !is_apart(field, start)
        }
        b'-' => second.is_ascii_alphabetic(),
        _ => false,
    }
}

/// Whether the word that ends before `colon` has a letter that no hexadecimal group has: it is a name.
fn is_key_end(field: &[u8], colon: usize) -> bool {
    let before = field.get(..colon).unwrap_or_default();
    before.iter().rev().take_while(|byte| is_word(**byte)).take(32).any(|byte| !byte.is_ascii_hexdigit())
}

/// Whether octets start at `start`, and what ends before them is no beginning of an IPv6 address in which they
/// are embedded (RFC 4291 section 2.2): that has six groups, or two colons without one.
fn is_apart(field: &[u8], start: usize) -> bool {
    let is_dotted = field[start..].iter().find(|byte| !byte.is_ascii_digit()) == Some(&b'.');
    let is_group = |byte: &&u8| byte.is_ascii_hexdigit() || **byte == b':';
    let groups = field[..start].iter().rev().take(30).take_while(is_group).count();
    let groups = &field[start - groups..start];
    let colons = groups.iter().filter(|byte| **byte == b':').count();
    is_dotted && colons < 6 && !groups.windows(2).any(|pair| pair == b"::")
}

/// Whether a word with a letter begins the text.
fn begins_name(text: &[u8]) -> bool {
    text.iter().take(32).take_while(|byte| is_word(**byte)).any(u8::is_ascii_alphabetic)
}

/// Whether a port of one to five digits starts at `at` and nothing of a longer form follows.
fn is_port(field: &[u8], at: usize) -> bool {
    let rest = field.get(at..).unwrap_or_default();
    let digits = rest.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
    let after = rest.get(digits).copied().unwrap_or(b' ');
    (1..=5).contains(&digits) && !is_word(after) && after != b':'
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digits `123` (or the address) in `text`, tried with `edges`.
    fn allowed(edges: Edges, text: &str, value: &str) -> (bool, bool) {
        let start = text.find(value).unwrap();
        (edges.allow_start(text.as_bytes(), start), edges.allow_end(text.as_bytes(), start + value.len()))
    }

    #[test]
    fn edges_decide_what_may_touch() {
        let cases = [
            (Edges::Word, " 123 ", "123", (true, true)),
            (Edges::Word, "a123b", "123", (false, false)),
            (Edges::Word, "_123_", "123", (false, false)),
            (Edges::Word, r"\n123\n", "123", (true, true)),
            (Edges::Word, r"\u000a123", "123", (true, true)),
            (Edges::Word, r"\name", "name", (false, true)),
            (Edges::Word, "%20abc", "abc", (true, true)),
            (Edges::Word, "%20abc", "0abc", (false, true)),
            (Edges::Number, "4.123.5", "123", (false, false)),
            (Edges::Number, "of 123.", "123", (true, true)),
            (Edges::Number, "SKU-123-A", "123", (false, false)),
            (Edges::Number, r#""n":-123,"#, "123", (false, true)),
            (Edges::Number, "+123", "123", (false, true)),
            (Edges::Address, "1.2.3.4", "2.3.4", (false, true)),
            (Edges::Address, "10.0.0.1:8080", "10.0.0.1", (true, true)),
            (Edges::Address, "ip:10.0.0.1-10.0.0.9", "10.0.0.1", (true, true)),
            (Edges::Address, "v-1.2.3.4-rc1", "1.2.3.4", (false, false)),
            (Edges::Address, "1.2.3.4-9460bfd", "1.2.3.4", (true, false)),
            (Edges::Address, "db:10.0.0.5", "10.0.0.5", (true, true)),
            (Edges::Address, "x.org:443:10.0.0.5", "10.0.0.5", (true, true)),
            (Edges::Address, "::ffff:10.0.0.5", "10.0.0.5", (false, true)),
            (Edges::Address, "aa:bb:cc", "bb:cc", (false, true)),
            (Edges::Value, "key=abc; x", "abc", (true, true)),
            (Edges::Value, "the key abc. And", "abc", (true, true)),
            (Edges::Value, "key=abc-d", "abc", (true, false)),
            (Edges::Value, "key=abc=", "abc", (true, false)),
            (Edges::Value, "x-abc", "abc", (false, true)),
            (Edges::Value, "abc..", "abc", (true, false)),
        ];
        for (edges, text, value, expected) in cases {
            assert_eq!(allowed(edges, text, value), expected, "{edges:?} {text}");
        }
    }
}
