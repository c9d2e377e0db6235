//! Passwords as text gives them away: what stands where a password is assigned, unless it is a placeholder, a
//! reference to where the password is kept, or a word about it.

use super::{Match, jwt};

/// Shortest password, bytes.
const BYTES_MIN: usize = 4;
/// Shortest password of digits only, bytes: fewer are counts.
const DIGITS_MIN: usize = 6;
/// Longest command before the password that it is given, bytes.
const COMMAND_BYTES_MAX: usize = 512;

/// What stands for a password, or says something about it; lower case.
const WORDS: [&[u8]; 40] = [
    b"null",
    b"none",
    b"nil",
    b"true",
    b"false",
    b"undefined",
    b"empty",
    b"required",
    b"optional",
    b"invalid",
    b"incorrect",
    b"wrong",
    b"valid",
    b"redacted",
    b"masked",
    b"hidden",
    b"filtered",
    b"protected",
    b"encrypted",
    b"removed",
    b"password",
    b"passwd",
    b"secret",
    b"changeme",
    b"change_me",
    b"change-me",
    b"example",
    b"string",
    b"text",
    b"unset",
    b"unknown",
    b"missing",
    b"expired",
    b"reset",
    b"default",
    b"must",
    b"pass",
    b"token",
    b"test",
    b"user",
];
/// How references to a kept password begin.
const REFERENCES: [&[u8]; 20] = [
    b"$",
    b"{",
    b"%",
    b"<",
    b"[",
    b"@{",
    b"#{",
    b"env.",
    b"ENV[",
    b"process.",
    b"os.",
    b"var.",
    b"vault:",
    b"ENC(",
    b"self.",
    b"config.",
    b"http:",
    b"https:",
    b"getenv",
    b"arn:",
];

/// Whether the value is a whole one, and a password.
pub(super) fn is_valid(found: &Match<'_>) -> bool {
    let bytes = found.bytes();
    let is_number = bytes.len() < DIGITS_MIN && bytes.iter().all(u8::is_ascii_digit);
    is_whole(found) && bytes.len() >= BYTES_MIN && !(is_number || is_stand_in(bytes) || is_prose(found))
}

/// Whether the value ends as it began: at the same quote, or, without one, where something else begins.
fn is_whole(found: &Match<'_>) -> bool {
    let next = found.field.get(found.end).copied().unwrap_or(b' ');
    match found.start.checked_sub(1).map_or(b' ', |before| found.field[before]) {
        quote @ (b'"' | b'\'' | b'`') => {
            (next == quote || next == b'\\' || found.end == found.field.len())
                && !found.bytes().contains(&quote)
        }
        _ => is_end(next) && !found.bytes().iter().any(|byte| is_end(*byte)),
    }
}

/// Whether a value may end before `end`: at a quote or where something else begins, as [`is_whole`] demands.
pub(super) fn may_end(field: &[u8], end: usize) -> bool {
    field.get(end).is_none_or(|next| is_end(*next))
}

/// Whether a value without quotes ends before the byte.
fn is_end(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"\"'`\\<>,;&|(){}[]".contains(&byte)
}

/// Whether the value is the password of a URL: a host follows.
pub(super) fn is_of_url(found: &Match<'_>) -> bool {
    let host = found
        .field
        .get(found.end + 1)
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || b"[*".contains(byte));
    found.field.get(found.end) == Some(&b'@') && host && !is_stand_in(found.bytes())
}

/// Whether the value is the password that curl is given.
pub(super) fn is_of_curl(found: &Match<'_>) -> bool {
    // The command last: only one end of a value is whole.
    is_whole(found)
        && !is_stand_in(found.bytes())
        && !found.bytes().contains(&b'>')
        && command_before(found).windows(5).any(|window| window == b"curl ")
}

/// What stands before the value, as far back as its command may.
fn command_before<'a>(found: &Match<'a>) -> &'a [u8] {
    &found.field[found.start.saturating_sub(COMMAND_BYTES_MAX)..found.start]
}

/// Bytes that the checks of a value read at most: one where it cannot end.
pub(super) fn bytes_read(found: &Match<'_>) -> usize {
    match found.field.get(found.end) {
        Some(next) if !is_end(*next) && *next != b'@' => 1,
        _ => found.end - found.start + command_before(found).len(),
    }
}

/// Whether the value is base64 of a user, a colon and a password (RFC 7617).
pub(super) fn is_basic(bytes: &[u8]) -> bool {
    let mut decoded = [0; jwt::DECODED_BYTES_MAX];
    let Some(length) = jwt::decode(bytes.trim_ascii_end(), &mut decoded) else { return false };
    let text = &decoded[..length];
    length >= BYTES_MIN && text.contains(&b':') && !text.iter().any(u8::is_ascii_control)
}

/// Whether the value stands for one that is not there.
fn is_stand_in(bytes: &[u8]) -> bool {
    let is_repeated = bytes.windows(2).all(|pair| pair[0].eq_ignore_ascii_case(&pair[1]));
    let is_path = bytes.starts_with(b"/") && bytes.iter().skip(1).any(|byte| *byte == b'/');
    let is_template = |part: &[u8]| bytes.windows(2).any(|window| window == part);
    is_repeated
        || is_path
        || WORDS.iter().any(|word| word.eq_ignore_ascii_case(bytes))
        || REFERENCES.iter().any(|reference| bytes.starts_with(reference))
        || [&b"${"[..], b"{{", b"$("].iter().any(|part| is_template(part))
        || bytes.iter().filter(|byte| **byte == b'*').count() * 2 > bytes.len()
}

/// Whether the value is a word that a colon and a space precede, as in `password: please try again`.
fn is_prose(found: &Match<'_>) -> bool {
    let before = &found.field[..found.start];
    before.ends_with(b": ")
        && found.bytes().iter().all(|byte| byte.is_ascii_lowercase() || b".,-'".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(text: &'a str, value: &str) -> Match<'a> {
        let start = text.rfind(value).unwrap();
        Match { field: text.as_bytes(), start, end: start + value.len() }
    }

    #[test]
    fn what_stands_for_a_password_is_none() {
        let cases = [
            ("password=hunter2", "hunter2", true),
            (r#""password":"correct horse""#, "correct horse", true),
            ("pwd: S3cr3t!", "S3cr3t!", true),
            ("password=********", "********", false),
            ("password=xxxxxx", "xxxxxx", false),
            ("password=${DB_PASSWORD}", "${DB_PASSWORD}", false),
            ("password={{ vault }}", "{{ vault }}", false),
            ("password: null", "null", false),
            ("password: please", "please", false),
            ("password=1234", "1234", false),
            ("PWD=/usr/local/bin", "/usr/local/bin", false),
        ];
        for (text, value, expected) in cases {
            assert_eq!(is_valid(&found(text, value)), expected, "{text}");
        }
    }

    #[test]
    fn the_password_of_a_url_ends_at_the_host() {
        assert!(is_of_url(&found("postgres://app:s3cret@db/x", "s3cret")));
        assert!(!is_of_url(&found("postgres://app:s3cret@db/x", "s3cre")));
        assert!(!is_of_url(&found("http://host:8080/@x", "8080")));
        assert!(!is_of_url(&found("redis://:${PW}@db/x", "${PW}")));
    }

    #[test]
    fn the_command_is_read_only_where_the_value_may_end() {
        let text = format!("{} -u :{} next", "x".repeat(COMMAND_BYTES_MAX), "b".repeat(253));
        let start = text.find('b').unwrap();
        let read = |end| bytes_read(&Match { field: text.as_bytes(), start, end });
        let read_of_all: usize = (start + 3..=start + 253).map(read).sum();
        assert_eq!(read_of_all, 250 + 253 + COMMAND_BYTES_MAX);
    }

    #[test]
    fn basic_credentials_decode_to_user_and_password() {
        // The example of RFC 7617 section 2.
        assert!(is_basic(b"QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert!(!is_basic(b"QWxhZGRpbg=="));
        assert!(!is_basic(b"not base64!"));
    }
}
