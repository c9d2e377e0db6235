//! JSON Web Tokens, RFC 7519 in the compact form of RFC 7515: the header is base64url of a JSON object that
//! names its algorithm.

/// As much as is decoded, bytes.
pub(super) const DECODED_BYTES_MAX: usize = 1024;

/// Whether the first part decodes to an object with the member `alg`.
pub(super) fn is_valid(token: &[u8]) -> bool {
    let header = token.split(|byte| *byte == b'.').next().unwrap_or_default();
    let mut decoded = [0; DECODED_BYTES_MAX];
    let Some(length) = decode(header, &mut decoded) else { return false };
    let header = decoded.get(..length).unwrap_or_default().trim_ascii();
    let is_object = header.starts_with(b"{") && (length == DECODED_BYTES_MAX || header.ends_with(b"}"));
    is_object && header.windows(5).any(|window| window == b"\"alg\"") && std::str::from_utf8(header).is_ok()
}

/// Whether the text is base64 of a token, as in a secret of Kubernetes; its header need not name an algorithm.
pub(super) fn is_encoded(text: &[u8]) -> bool {
    let (mut token, mut header) = ([0; DECODED_BYTES_MAX], [0; DECODED_BYTES_MAX]);
    let Some(length) = decode(text, &mut token) else { return false };
    let Some(dot) = token[..length].iter().position(|byte| *byte == b'.') else { return false };
    let decoded = decode(&token[..dot], &mut header);
    decoded.is_some_and(|length| header[..length].trim_ascii().starts_with(b"{\""))
}

/// Decodes base64 or base64url (RFC 4648 sections 4 and 5) until `out` is full or the padding begins; `None` for
/// other characters.
pub(super) fn decode(text: &[u8], out: &mut [u8; DECODED_BYTES_MAX]) -> Option<usize> {
    let (mut bits, mut count, mut length) = (0u32, 0u32, 0);
    for byte in text.iter().take_while(|byte| **byte != b'=') {
        bits = bits << 6 | u32::from(value(*byte)?);
        count += 6;
        if count >= 8 {
            count -= 8;
            let Some(slot) = out.get_mut(length) else { return Some(length) };
            *slot = ((bits >> count) & 0xff) as u8;
            length += 1;
        }
    }
    Some(length)
}

fn value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'-' | b'+' => Some(62),
        b'_' | b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_decides() {
        // The examples of RFC 7519 sections 3.1 and 6.1, the start of the second part.
        let cases = [
            ("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0K.dBjf", true),
            ("eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0K.", true),
            ("eyJmb28iOiJiYXIifQ.eyJpc3MiOiJqb2UiLA0K.dBjf", false),
            ("eyJub3QganNvbg.eyJpc3MiOiJqb2UiLA0K.dBjf", false),
        ];
        for (token, expected) in cases {
            assert_eq!(is_valid(token.as_bytes()), expected, "{token}");
        }
    }

    #[test]
    fn a_token_in_base64_is_decoded_first() {
        // The second case above and `eyebrow.eyelash.eye`, encoded once more.
        assert!(is_encoded(b"ZXlKaGJHY2lPaUp1YjI1bEluMC5leUpwYzNNaU9pSnFiMlVpTEEwSy4="));
        assert!(!is_encoded(b"ZXllYnJvdy5leWVsYXNoLmV5ZQ=="));
    }
}
