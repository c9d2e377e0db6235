//! Printable characters written as escapes: in JSON (`\u0040`, `\/`), in URLs (`%40`), in XML (`&#64;`, `&#x40;`, `&amp;`).
//!
//! Values hide behind them, and a mask must leave them whole. [`Escape`] is one of a printable character, or of one
//! that a keyword or a value of a list may have: nothing else is looked for behind them. [`Code`] is any that stands in
//! a URL or in XML: a mask replaces it as a whole.

use std::ops::RangeInclusive;

/// How an escape writes its character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A backslash and the character itself, `\/` (RFC 8259 section 7).
    Short,
    /// `\u0040` (RFC 8259 section 7).
    Unicode,
    /// `%40` (RFC 3986 section 2.1).
    Percent,
    /// `&#64;` or `&#x40;` (XML 1.0 section 4.1).
    Reference,
    /// `&amp;` (XML 1.0 section 4.6).
    Entity,
}

/// One escape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Escape {
    /// The character that it writes: printable ASCII, or one of [`LATIN`].
    pub value: char,
    /// Bytes that write it; at most [`ESCAPE_BYTES_MAX`].
    pub length: usize,
    /// How it is written.
    pub form: Form,
}

/// Letters with accents and the like, and the no-break space and other signs that separate words, two bytes each in
/// UTF-8: Latin-1, Latin Extended-A and -B.
const LATIN: RangeInclusive<char> = '\u{a0}'..='\u{24f}';

/// Longest escape that is seen through, bytes: as much as the pass over shapes sees of one.
pub const ESCAPE_BYTES_MAX: usize = 16;
/// Longest reference that a mask keeps whole, bytes: zeros make them any length.
const REFERENCE_BYTES_MAX: usize = 64;

/// Percent-encoding or a reference of XML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The byte, or in XML the character, that it writes.
    pub value: u32,
    /// Bytes that write it.
    pub length: usize,
    /// How it is written.
    pub form: Form,
}

/// The entities that XML defines.
const ENTITIES: [(&[u8], u8); 5] =
    [(b"&amp;", b'&'), (b"&lt;", b'<'), (b"&gt;", b'>'), (b"&quot;", b'"'), (b"&apos;", b'\'')];

impl Escape {
    /// The escape with which `text` begins.
    #[inline]
    pub fn at(text: &[u8]) -> Option<Self> {
        let code = match text {
            [b'\\', b'/', ..] => Code { value: u32::from(b'/'), length: 2, form: Form::Short },
            [b'\\', b'u', b'0', ..] => {
                Code { value: number(text.get(2..6)?, 16)?, length: 6, form: Form::Unicode }
            }
            [b'%', ..] => Code::percent_encoded(text)?,
            _ => Code::at(text).filter(|code| code.length <= ESCAPE_BYTES_MAX)?,
        };
        let is_seen = |value: &char| (' '..='~').contains(value) || LATIN.contains(value);
        let value = char::from_u32(code.value).filter(is_seen)?;
        Some(Self { value, length: code.length, form: code.form })
    }
}

impl Code {
    /// The code with which `text` begins.
    #[inline]
    pub fn at(text: &[u8]) -> Option<Self> {
        match text {
            [b'%', hex @ ..] => {
                Some(Self { value: number(hex.get(..2)?, 16)?, length: 3, form: Form::Percent })
            }
            [b'&', b'#', b'x', ..] => Self::reference(text, 3, 16),
            [b'&', b'#', ..] => Self::reference(text, 2, 10),
            [b'&', ..] => Self::entity(text),
            _ => None,
        }
    }

    /// A character of one or two bytes in UTF-8 (RFC 3629 section 3), each percent-encoded.
    fn percent_encoded(text: &[u8]) -> Option<Self> {
        let first = Self::at(text)?;
        if first.value < 0x80 {
            return Some(first);
        }
        let second = Self::at(text.get(3..)?).filter(|second| second.form == Form::Percent)?;
        let value = (first.value & 0x1f) << 6 | second.value & 0x3f;
        let is_pair = first.value & 0xe0 == 0xc0 && second.value & 0xc0 == 0x80 && value >= 0x80;
        is_pair.then_some(Self { value, length: 6, form: Form::Percent })
    }

    /// The reference whose digits begin at `from`.
    fn reference(text: &[u8], from: usize, radix: u32) -> Option<Self> {
        let end = text.iter().take(REFERENCE_BYTES_MAX).position(|byte| *byte == b';')?;
        Some(Self { value: number(&text[from..end], radix)?, length: end + 1, form: Form::Reference })
    }

    fn entity(text: &[u8]) -> Option<Self> {
        let (name, value) = ENTITIES.iter().find(|(name, _)| text.starts_with(name))?;
        Some(Self { value: u32::from(*value), length: name.len(), form: Form::Entity })
    }
}

impl Form {
    /// Appends `value`, printable ASCII, in the form and length of `written`, which is such an escape of a letter or
    /// digit, or of a part of one; in JSON it may be one of another character, or of two units.
    pub fn write(self, value: u8, written: &[u8], out: &mut Vec<u8>) {
        let [high, low] = [value >> 4, value & 15].map(hex);
        match self {
            Self::Unicode => (0..written.len() / 6)
                .for_each(|_| out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low])),
            Self::Percent => out.extend_from_slice(&[b'%', high, low]),
            Self::Reference => write_reference(value, written, out),
            Self::Short | Self::Entity => out.extend_from_slice(written),
        }
    }
}

/// Numbers are padded with zeros. One that is too long, `&#122;` for `&#97;`, gives way to the character itself, as
/// often as the reference is long.
fn write_reference(value: u8, written: &[u8], out: &mut Vec<u8>) {
    let (prefix, radix) = if written.starts_with(b"&#x") { (3, 16) } else { (2, 10_u32) };
    let digits = (written.len() - prefix - 1) as u32;
    if radix.checked_pow(digits).is_some_and(|end| u32::from(value) >= end) {
        return out.resize(out.len() + written.len(), value);
    }
    out.extend_from_slice(&written[..prefix]);
    let digit = |place| hex(radix.checked_pow(place).map_or(0, |unit| u32::from(value) / unit % radix) as u8);
    out.extend((0..digits).rev().map(digit));
    out.push(b';');
}

fn hex(digit: u8) -> u8 {
    b"0123456789abcdef"[usize::from(digit)]
}

/// The number that the digits write; `None` when one is none, or there are none.
#[inline]
fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let add =
        |number: u32, byte: &u8| number.checked_mul(radix)?.checked_add(char::from(*byte).to_digit(radix)?);
    digits.iter().try_fold(0, add).filter(|_| !digits.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_is_read_with_its_length() {
        let table: [(&str, Option<(char, usize)>); 26] = [
            (r"\u0040x", Some(('@', 6))),
            (r"\u007f", None),
            (r"\u00e9x", Some(('\u{e9}', 6))),
            (r"\u0140", Some(('\u{140}', 6))),
            (r"\u0430", None),
            (r"\/x", Some(('/', 2))),
            (r"\n", None),
            ("%40x", Some(('@', 3))),
            ("%0a", None),
            ("%C3%a9x", Some(('\u{e9}', 6))),
            ("%c3%41", None),
            ("%c3&#169;", None),
            ("%c1%81", None),
            ("%d0%b0", None),
            ("%4", None),
            ("&#64;x", Some(('@', 5))),
            ("&#x40;", Some(('@', 6))),
            ("&#xe9;", Some(('\u{e9}', 6))),
            ("&#00064;", Some(('@', 8))),
            ("&#0000000000064;", Some(('@', 16))),
            ("&#00000000000064;", None),
            ("&#99999999999;", None),
            ("&#;", None),
            ("&#+64;", None),
            ("&amp;x", Some(('&', 5))),
            ("&a=b", None),
        ];
        for (text, expected) in table {
            let found = Escape::at(text.as_bytes()).map(|escape| (escape.value, escape.length));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_character_is_written_in_the_form_of_another() {
        for written in [r"\u0041", "%41", "&#65;", "&#065;", "&#x41;", "&#x0041;", "&#0000000000065;"] {
            let escape = Escape::at(written.as_bytes()).unwrap();
            let mut out = Vec::new();
            escape.form.write(b'*', written.as_bytes(), &mut out);
            assert_eq!(Escape::at(&out), Some(Escape { value: '*', ..escape }), "{written}");
        }
        let mut out = Vec::new();
        Form::Reference.write(b'z', b"&#97;", &mut out);
        assert_eq!(out, b"zzzzz");
    }
}
