//! Private keys in the textual encoding of RFC 7468 and its ancestors (PEM, OpenSSH, OpenPGP armor).
//!
//! The pattern finds the line that begins a key; the whole key is the finding, also when it is cut off.

use super::Match;

/// Longest key, bytes from the start of its first line.
pub(in super::super) const KEY_BYTES_MAX: usize = 16 << 10;
/// Least number of characters of base64 in a key: a PKCS #8 Ed25519 key has 64.
const BODY_CHARACTERS_MIN: usize = 64;

/// Longest name of a header, bytes.
const HEADER_NAME_BYTES_MAX: usize = 32;

const END: &[u8] = b"-----END";

/// The end of the key whose first line is the match; `None` when no key follows.
pub(super) fn end(found: Match<'_>) -> Option<usize> {
    let limit = found.field.len().min(found.start.saturating_add(KEY_BYTES_MAX));
    let body = found.field.get(found.end..limit)?;
    let stop = body.windows(5).position(|window| window == b"-----").unwrap_or(body.len());
    let (inside, line) = body.split_at(stop);
    let (length, key) = if line.starts_with(END) {
        (stop + end_line(line), inside)
    } else {
        let length = encoded(inside);
        (length, inside.get(..length)?)
    };
    (count_base64(key) >= BODY_CHARACTERS_MIN).then_some(found.end + length)
}

/// Length of the line `-----END ... PRIVATE KEY-----` at the start of `line`, as much of it as there is.
fn end_line(line: &[u8]) -> usize {
    let label = &line[END.len()..];
    let name = label
        .iter()
        .take(64)
        .take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || **byte == b' ')
        .count();
    let dashes = label[name..].iter().take(5).take_while(|byte| **byte == b'-').count();
    END.len() + name + dashes
}

/// Length of the lines of a key at the start of `body`, also indented ones: headers and base64.
fn encoded(body: &[u8]) -> usize {
    let mut length = 0;
    loop {
        let line = &body[length..];
        let (_, content) = line.split_at(gap(line));
        let content_bytes = header(content).max(base64(content));
        if content_bytes == 0 {
            return length;
        }
        length = body.len() - content.len() + content_bytes;
    }
}

/// Length of the line ends, also escaped ones, and the indentation behind them at the start of `text`.
fn gap(text: &[u8]) -> usize {
    let mut at = 0;
    loop {
        at += match &text[at..] {
            [b'\\', b'n' | b'r' | b't', ..] => 2,
            [b'\\' | b'\r' | b'\n', ..] => 1,
            [b' ' | b'\t', ..] if at > 0 => 1,
            _ => return at,
        };
    }
}

/// Length of a header at the start of `text`, `Proc-Type: 4,ENCRYPTED` (RFC 1421) or `Version: 1` (RFC 9580): all
/// but the end of its line.
fn header(text: &[u8]) -> usize {
    let is_name = |byte: &&u8| byte.is_ascii_alphabetic() || **byte == b'-';
    let name = text.iter().take(HEADER_NAME_BYTES_MAX).take_while(is_name).count();
    let is_value = |byte: &&u8| (b' '..=b'~').contains(*byte) && !b"\\\"".contains(byte);
    match &text[name..] {
        value @ [b':', b' ', ..] if name > 0 => name + value.iter().take_while(is_value).count(),
        _ => 0,
    }
}

fn base64(text: &[u8]) -> usize {
    text.iter().take_while(|byte| is_base64(byte)).count()
}

fn is_base64(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=".contains(byte)
}

fn count_base64(body: &[u8]) -> usize {
    body.iter().filter(|byte| is_base64(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "-----BEGIN EC PRIVATE KEY-----";

    fn key_of(rest: &str) -> Option<String> {
        let text = format!("{HEADER}{rest}");
        let found = Match { field: text.as_bytes(), start: 0, end: HEADER.len() };
        end(found).map(|end| text[HEADER.len()..end].to_owned())
    }

    #[test]
    fn the_key_reaches_to_its_last_line() {
        let body = "Ab1+".repeat(16);
        let whole = format!("\n{body}\n-----END EC PRIVATE KEY-----");
        assert_eq!(key_of(&format!("{whole}\nmore")), Some(whole));
        let escaped = format!(r"\n{body}\n-----END EC PRIVATE KEY-----");
        assert_eq!(key_of(&format!(r#"{escaped}\n","x":1"#)), Some(escaped));
        let with_headers = format!("\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A\n\n{body}\n-----END");
        assert_eq!(key_of(&with_headers), Some(with_headers.clone()));
    }

    #[test]
    fn a_key_that_is_cut_off_ends_with_its_text() {
        let body = format!("\\n{}", "Ab1+".repeat(20));
        assert_eq!(key_of(&format!(r#"{body}","x":1"#)), Some(body.clone()));
        assert_eq!(key_of(&body), Some(body));
    }

    #[test]
    fn a_key_that_is_cut_off_may_have_headers_and_be_indented() {
        let body = "Ab1+".repeat(16);
        let headers = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A1B";
        for key in [
            format!("\n{headers}\n\n{body}\n{body}"),
            format!("\\nVersion: GnuPG v2\\n\\n{body}\\n=Ab1+"),
            format!("\r\n    {body}\r\n    {body}"),
            format!("\\n  {body}\\n\\t{body}"),
        ] {
            assert_eq!(key_of(&format!(r#"{key}","x":1"#)), Some(key));
        }
    }

    #[test]
    fn a_key_that_is_too_long_is_found_as_far_as_a_key_may_reach() {
        let lines = format!("\nVersion: GnuPG v2\n\n{}", "Ab1+Ab1+\n".repeat(KEY_BYTES_MAX / 8));
        let key = key_of(&format!("{lines}-----END PGP PRIVATE KEY BLOCK-----")).unwrap();
        assert_eq!((HEADER.len() + key.len()).next_multiple_of(9), KEY_BYTES_MAX.next_multiple_of(9));
    }

    #[test]
    fn a_first_line_alone_is_no_key() {
        assert_eq!(key_of("\n...\n-----END EC PRIVATE KEY-----"), None);
        assert_eq!(key_of(&format!(" is how it begins{}", ", and so on".repeat(9))), None);
        assert_eq!(key_of(&" is how it begins".repeat(9)), None);
    }
}
