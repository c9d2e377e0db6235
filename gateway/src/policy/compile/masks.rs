//! The `mask` of a rule.

use crate::document::{Document, Located, Table, suggestion};
use crate::mask::{Keep, Key, Keys, Operator, Replacement, Token};

/// Hex digits of a hash unless the policy says otherwise: 128 bits, so that no two values meet by chance.
const HASH_LENGTH_DEFAULT: i64 = 32;

/// Hex digits that a hash may have: 32 bits at least, SHA-256's 256 at most.
pub(super) const HASH_LENGTH_RANGE: std::ops::RangeInclusive<i64> = 8..=64;

/// Letters and digits that `keep` may leave at either end.
pub(super) const KEEP_RANGE: std::ops::RangeInclusive<i64> = 0..=64;

/// Longest text of `replace`, bytes.
pub(super) const REPLACEMENT_BYTES_MAX: usize = 256;

/// Every operator with its parameters: those that it must have, and those that it may have.
pub(super) const OPERATORS: [(&str, &[&str], &[&str]); 6] = [
    ("redact", &["operator"], &["char"]),
    ("keep", &["operator"], &["first", "last", "char"]),
    ("hash", &["operator", "key"], &["length"]),
    ("replace", &["operator", "with"], &[]),
    ("null", &["operator"], &[]),
    ("token", &["operator", "key"], &[]),
];

/// Reads `mask = { operator = .., .. }`.
pub(super) fn read(document: &Document<'_>, table: &Table<'_, '_>, keys: &Keys) -> Option<Operator> {
    let name = table.required_string("operator")?;
    let Some((_, required, optional)) = OPERATORS.iter().find(|(known, ..)| *known == name.value) else {
        let known = OPERATORS.map(|(known, ..)| known);
        document.mistake(
            name.at,
            format!("no mask operator is named `{}`{}", name.value, suggestion(name.value, &known)),
        );
        return None;
    };
    let operator = match name.value {
        "redact" => Some(Operator::Redact { with: read_char(document, table)? }),
        "keep" => read_keep(document, table),
        "hash" => read_hash(document, table, keys),
        "replace" => read_replacement(document, table),
        "null" => Some(Operator::Null),
        _ => read_token(document, table, keys),
    };
    table.allow_only(&[*required, *optional].concat());
    operator
}

fn read_keep(document: &Document<'_>, table: &Table<'_, '_>) -> Option<Operator> {
    let side = |key| {
        if !table.has(key) {
            return Some(0);
        }
        table.integer(key, KEEP_RANGE).and_then(|found| usize::try_from(found.value).ok())
    };
    let (first, last, with) = (side("first"), side("last"), read_char(document, table));
    let (first, last) = (first?, last?);
    if first + last == 0 {
        document.mistake(
            table.at(),
            "`keep` needs `first` or `last`, how many letters and digits stay; to keep none use `redact`",
        );
        return None;
    }
    Some(Operator::Keep(Keep { first, last, with: with? }))
}

fn read_hash(document: &Document<'_>, table: &Table<'_, '_>, keys: &Keys) -> Option<Operator> {
    let length = if table.has("length") {
        table.integer("length", HASH_LENGTH_RANGE).map(|found| found.value)
    } else {
        Some(HASH_LENGTH_DEFAULT)
    };
    let key =
        read_key(document, table, keys, "`hash` needs `key`: without one the value is found by trying all");
    Some(Operator::Hash { key: key?.value, length: usize::try_from(length?).ok()? })
}

fn read_token(document: &Document<'_>, table: &Table<'_, '_>, keys: &Keys) -> Option<Operator> {
    let key = read_key(document, table, keys, "`token` needs `key`, under which values are encrypted")?;
    let token = Token::new(key.value.clone());
    if token.is_none() {
        let message =
            format!("`token` encrypts with AES: the key `{}` needs 16, 24 or 32 bytes", key.value.id());
        document.mistake(key.at, message);
    }
    token.map(Operator::Token)
}

/// The key that the operator names; `missing` says why it needs one.
fn read_key(
    document: &Document<'_>,
    table: &Table<'_, '_>,
    keys: &Keys,
    missing: &str,
) -> Option<Located<Key>> {
    if !table.has("key") {
        document.mistake(table.at(), format!("{missing}; {}", known_keys(keys)));
        return None;
    }
    let name = table.string("key")?;
    let key = keys.find(name.value);
    if key.is_none() {
        document.mistake(name.at, format!("no key is named `{}`; {}", name.value, known_keys(keys)));
    }
    key.map(|value| Located { value, at: name.at })
}

pub(super) fn known_keys(keys: &Keys) -> String {
    let ids: Vec<String> = keys.ids().map(|id| format!("`{id}`")).collect();
    match ids.as_slice() {
        [] => "declare one as [[key]] in the configuration".to_owned(),
        ids => format!("the configuration has {}", ids.join(", ")),
    }
}

fn read_replacement(document: &Document<'_>, table: &Table<'_, '_>) -> Option<Operator> {
    let with = table.required_string("with")?;
    check_replacement(document, with);
    Some(Operator::Replace(Replacement::new(with.value)))
}

/// What would begin, end or mean something in a URL, a form or XML, where a mask may stand.
pub(super) const CODES: &str = "%&<>'#?+ ";

/// The text stands in JSON strings, URLs and XML as it is, so it must need no escape there.
fn check_replacement(document: &Document<'_>, with: Located<&str>) {
    if with.value.chars().any(|character| character.is_control() || matches!(character, '"' | '\\')) {
        document
            .mistake(with.at, "`with` stands inside JSON strings: no `\"`, no `\\`, no control characters");
    }
    if with.value.contains(|character| CODES.contains(character)) {
        let message =
            format!("`with` stands inside URLs, forms and XML, too: none of `{CODES}`; try `[{{detector}}]`");
        document.mistake(with.at, message);
    }
    if with.value.len() > REPLACEMENT_BYTES_MAX {
        document.mistake(with.at, format!("`with` has at most {REPLACEMENT_BYTES_MAX} bytes"));
    }
    if with.value.replace("{detector}", "").contains(['{', '}']) {
        document.mistake(with.at, "the only placeholder of `with` is `{detector}`");
    }
}

/// `char`: one printable ASCII character that need not be escaped where it stands, and no digit: digits are what is
/// hidden.
fn read_char(document: &Document<'_>, table: &Table<'_, '_>) -> Option<u8> {
    if !table.has("char") {
        return Some(crate::mask::CHAR_DEFAULT);
    }
    let found = table.string("char")?;
    let is_allowed = |byte: u8| {
        byte.is_ascii_graphic()
            && !byte.is_ascii_digit()
            && !CODES.as_bytes().contains(&byte)
            && !b"\"\\".contains(&byte)
    };
    match found.value.as_bytes() {
        [byte] if is_allowed(*byte) => Some(*byte),
        _ => {
            let message = format!(
                "`char` is one printable ASCII character, but no digit and none of `\"\\{CODES}`, which begin or end \
                 something in JSON, URLs or XML; `*` by default"
            );
            document.mistake(found.at, message);
            None
        }
    }
}
