//! Private keys in the textual encoding of RFC 7468 and its ancestors (PEM, OpenSSH, OpenPGP armor).
//!
//! The pattern finds the line that begins a key; the whole key is the finding, also when it is cut off.

use super::Match;

/// Longest key, bytes from the start of its first line.
pub(in super::super) const KEY_BYTES_MAX: usize = 16 << 10;
/// Least number of characters of base64 in a key: a PKCS #8 Ed25519 key has 64.
const BODY_CHARACTERS_MIN: usize = 64;

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

/// Length of the base64 and line ends (also escaped ones) at the start of `body`.
fn encoded(body: &[u8]) -> usize {
    let is_encoded = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/=\\\r\n\t".contains(byte);
    body.iter().take_while(is_encoded).count()
}

fn count_base64(body: &[u8]) -> usize {
    body.iter().filter(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte)).count()
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
    fn a_first_line_alone_is_no_key() {
        assert_eq!(key_of("\n...\n-----END EC PRIVATE KEY-----"), None);
        assert_eq!(key_of(" is how it begins"), None);
    }
}
