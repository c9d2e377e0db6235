//! Passwords as text gives them away: what stands where a password is assigned, unless it is a placeholder, a
//! reference to where the password is kept, or a word about it.

use super::{Match, jwt};

/// Shortest password, bytes.
const BYTES_MIN: usize = 4;
/// Shortest password of digits only, bytes: fewer are counts.
const DIGITS_MIN: usize = 6;
/// Longest password, bytes as they are written.
pub(super) const VALUE_BYTES_MAX: usize = 256;
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
/// How other references to a kept password begin.
const REFERENCES: [&[u8]; 13] = [
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
/// What encloses an expression of a template, anywhere in a value.
const TEMPLATES: [(&[u8], &[u8]); 7] = [
    (b"${", b"}"),
    (b"$(", b")"),
    (b"{{", b"}}"),
    (b"#{", b"}"),
    (b"@{", b"}"),
    (b"%(", b")"),
    (b"<%", b"%>"),
];
/// What encloses a name that is a whole value.
const ENCLOSURES: [(&[u8], &[u8]); 4] = [(b"<", b">"), (b"[", b"]"), (b"{", b"}"), (b"%", b"%")];

/// The end of the password that begins with the match; `None` when none does.
pub(super) fn end(found: Match<'_>) -> Option<usize> {
    let value = Match { end: found.start + value_length(&found)?, ..found };
    let bytes = value.bytes();
    let is_number = bytes.len() < DIGITS_MIN && bytes.iter().all(u8::is_ascii_digit);
    let is_password = bytes.len() >= BYTES_MIN && !(is_number || is_stand_in(bytes) || is_prose(&value));
    is_password.then_some(value.end)
}

/// Length of the value that begins with the match: to the quote that closes it or, without one, to where something
/// else begins; never beyond its line.
fn value_length(found: &Match<'_>) -> Option<usize> {
    let (before, rest) = found.field.split_at(found.start);
    let text = &rest[..rest.len().min(VALUE_BYTES_MAX + 1)];
    let line = text.split(|byte| b"\r\n".contains(byte)).next().unwrap_or_default();
    match before {
        [escapes @ .., quote @ (b'"' | b'\'' | b'`')] => {
            let escapes = escapes.iter().rev().take(VALUE_BYTES_MAX).take_while(|byte| **byte == b'\\');
            quoted_length(line, *quote, escapes.count(), line.len() == rest.len())
        }
        _ => {
            let length = line.iter().position(|byte| is_end(*byte)).unwrap_or(line.len());
            (length <= VALUE_BYTES_MAX).then_some(length)
        }
    }
}

/// Length of a value that a quote behind so many backslashes began: to the next such quote. More backslashes write
/// a quote, or backslashes, of the value; fewer close what the value lies in.
///
/// ```text
/// "a\"b\\"  is  a\"b\\        \"a\\\"b\"  is  a\\\"b
/// ```
///
/// Where no quote closes it, the field was cut off, or backslashes mean nothing, as in a shell, and the first quote
/// closes it.
fn quoted_length(line: &[u8], quote: u8, escapes: usize, is_last: bool) -> Option<usize> {
    let (mut backslashes, mut otherwise) = (0, is_last.then_some(line.len()));
    for (at, byte) in line.iter().enumerate() {
        let is_closing = backslashes < escapes || backslashes % (2 * escapes + 2) == escapes;
        if *byte == quote && is_closing {
            return Some(at - backslashes.min(escapes));
        }
        if *byte == quote {
            otherwise = otherwise.or(Some(at));
        }
        backslashes = if *byte == b'\\' { backslashes + 1 } else { 0 };
    }
    otherwise
}

/// Whether the value of a command ends where the match does.
fn is_whole(found: &Match<'_>) -> bool {
    may_end(found.field, found.end) && !found.bytes().iter().any(|byte| is_end(*byte))
}

/// Whether a value without quotes may end before `end`: something else begins there.
pub(super) fn may_end(field: &[u8], end: usize) -> bool {
    field.get(end).is_none_or(|next| is_end(*next))
}

/// Whether the password of a URL may end before `end`.
pub(super) fn may_end_in_url(field: &[u8], end: usize) -> bool {
    field.get(end) == Some(&b'@')
}

/// Whether a value without quotes ends before the byte.
fn is_end(byte: u8) -> bool {
    // A table: up to 256 bytes are asked about for each value.
    const ENDS: [bool; 256] = {
        let ends = b" \t\n\x0c\r\"'`\\<>,;&|(){}[]";
        let mut table = [false; 256];
        let mut index = 0;
        while index < ends.len() {
            table[ends[index] as usize] = true;
            index += 1;
        }
        table
    };
    ENDS[usize::from(byte)]
}

/// Whether the value is the password of a URL: a host follows.
pub(super) fn is_of_url(found: &Match<'_>) -> bool {
    let host = found
        .field
        .get(found.end + 1)
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || b"[*".contains(byte));
    may_end_in_url(found.field, found.end) && host && !is_stand_in(found.bytes())
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

/// Bytes of the value and the command before it.
pub(super) fn bytes_of_command(found: &Match<'_>) -> usize {
    found.end - found.start + command_before(found).len()
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
    is_repeated
        || is_path
        || is_word(bytes)
        || is_reference(bytes)
        || bytes.iter().filter(|byte| **byte == b'*').count() * 2 > bytes.len()
}

fn is_word(bytes: &[u8]) -> bool {
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(bytes))
}

/// Whether the value says where the password is kept.
fn is_reference(bytes: &[u8]) -> bool {
    let is_variable = |name: &[u8]| is_word(name) || is_constant(name);
    let encloses_name = |(open, close): &(&[u8], &[u8])| {
        bytes.strip_prefix(*open).and_then(|rest| rest.strip_suffix(*close)).is_some_and(is_name)
    };
    bytes.strip_prefix(b"$").is_some_and(is_variable)
        || ENCLOSURES.iter().any(encloses_name)
        || may_have_template(bytes) && TEMPLATES.iter().any(|(open, close)| has_template(bytes, open, close))
        || REFERENCES.iter().any(|reference| bytes.starts_with(reference))
}

/// Whether a byte is there without which no template opens.
fn may_have_template(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| matches!(byte, b'{' | b'(' | b'%'))
}

/// Whether `close` stands somewhere behind `open`.
fn has_template(bytes: &[u8], open: &[u8], close: &[u8]) -> bool {
    let position = |text: &[u8], part: &[u8]| text.windows(part.len()).position(|window| window == part);
    position(bytes, open).is_some_and(|at| position(&bytes[at + open.len()..], close).is_some())
}

/// Whether the text is the name of a constant: capital letters, digits and underscores.
fn is_constant(text: &[u8]) -> bool {
    let is_member = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    text.first().is_some_and(|first| !first.is_ascii_digit()) && text.iter().all(is_member)
}

/// Whether the text is a name, of a few words maybe.
fn is_name(text: &[u8]) -> bool {
    let is_member = |byte: &u8| byte.is_ascii_alphanumeric() || b" _-.".contains(byte);
    text.iter().any(u8::is_ascii_alphabetic) && text.iter().all(is_member)
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
            (r#""password":"$ummer2024!""#, "$ummer2024!", true),
            (r#""password":"{Br4ce-%x""#, "{Br4ce-%x", true),
            (r#""password":"%t0day%5""#, "%t0day%5", true),
            (r#""password":"<3myDog!""#, "<3myDog!", true),
            (r#""password":"[x7!]Qp""#, "[x7!]Qp", true),
            (r#""password":"a$(b7Xq""#, "a$(b7Xq", true),
            ("password=********", "********", false),
            ("password=xxxxxx", "xxxxxx", false),
            ("password=${DB_PASSWORD}", "${DB_PASSWORD}", false),
            ("password={{ vault }}", "{{ vault }}", false),
            ("password='${DB_PASSWORD}'", "${DB_PASSWORD}", false),
            ("password='x-{{ vault }}'", "x-{{ vault }}", false),
            ("password='$(cat /run/pw)'", "$(cat /run/pw)", false),
            ("password=$DB_PASSWORD", "$DB_PASSWORD", false),
            ("password='$password'", "$password", false),
            ("password=%DB_PASSWORD%", "%DB_PASSWORD%", false),
            ("password='<your password>'", "<your password>", false),
            ("password='[FILTERED]'", "[FILTERED]", false),
            ("password: null", "null", false),
            ("password: please", "please", false),
            ("password=1234", "1234", false),
            ("PWD=/usr/local/bin", "/usr/local/bin", false),
        ];
        for (text, value, expected) in cases {
            let found = found(text, value);
            assert_eq!(end(found), expected.then_some(found.end), "{text}");
        }
    }

    #[test]
    fn a_value_ends_at_the_quote_that_closes_it() {
        let cases = [
            (r#"{"password":"Abcd\"efgh","x":1}"#, r#"Abcd\"efgh"#),
            (r#"{"password":"Ab1\\cd9xyz","x":1}"#, r"Ab1\\cd9xyz"),
            (r#"{"password":"Ab1cd9\\","x":"y"}"#, r"Ab1cd9\\"),
            (r#"{"m":"{\"password\":\"Ab1\\\"cd\",\"x\":\"y\"}"}"#, r#"Ab1\\\"cd"#),
            (r#"{"m":"{\"password\":\"Ab1cd\\\\\",\"x\":\"y\"}"}"#, r"Ab1cd\\\\"),
            (r#"{"m":"password=\"Ab1cd","x":"y"}"#, "Ab1cd"),
            (r#"password='Ab1"cd' x"#, r#"Ab1"cd"#),
            ("password='C:\\Ab1\\' x\ny", "C:\\Ab1\\"),
            (r#"{"password":"cut o\"ff"#, r#"cut o\"ff"#),
            (r#"{"m":"password=Ab1cd\n""#, "Ab1cd"),
            ("password=Ab1cd\nx", "Ab1cd"),
        ];
        for (text, value) in cases {
            let found = found(text, value);
            assert_eq!(end(found), Some(found.end), "{text}");
        }
    }

    #[test]
    fn a_value_ends_with_its_line() {
        assert_eq!(end(found("password=\"Ab1cd\nx\"", "Ab1cd")), None);
    }

    #[test]
    fn a_value_is_not_longer_than_a_password() {
        let value = "Ab1".repeat(VALUE_BYTES_MAX);
        assert_eq!(end(found(&format!("password='{value}'"), &value)), None);
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
        let ends = (start + 3..=start + 253).filter(|end| may_end(text.as_bytes(), *end));
        let read = ends.map(|end| bytes_of_command(&Match { field: text.as_bytes(), start, end }));
        assert_eq!(read.sum::<usize>(), 253 + COMMAND_BYTES_MAX);
    }

    #[test]
    fn basic_credentials_decode_to_user_and_password() {
        // The example of RFC 7617 section 2.
        assert!(is_basic(b"QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
        assert!(!is_basic(b"QWxhZGRpbg=="));
        assert!(!is_basic(b"not base64!"));
    }
}
