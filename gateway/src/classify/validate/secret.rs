//! Credentials without a checksum: random enough, no placeholder, and not assigned to a name that says it is
//! something else.
//!
//! Minimum entropies, placeholders and names follow gitleaks' rules and allow lists (MIT licence).

use super::{Match, entropy};

/// Bytes before a value in which its name is looked for.
const NAME_BYTES_MAX: usize = 48;
/// What a value without a format of its own has at least: such a share of the most that its length allows,
const GENERIC_SHARE: f32 = 0.75;
/// but no more than this, bits a byte: random hexadecimal digits have little more.
const GENERIC_BITS_MAX: f32 = 3.3;
/// A run of characters each one more than the one before, as in `0123456789`, that no random value has.
const SEQUENCE_BYTES: usize = 10;

/// Parts of values that somebody wrote by hand, lower case.
static PLACEHOLDERS: Parts = Parts::new(&[
    b"example",
    b"xxxxx",
    b"placeholder",
    b"changeme",
    b"change_me",
    b"change-me",
    b"your_",
    b"your-",
    b"youra",
    b"yourt",
    b"insert_",
    b"redacted",
    b"dummy",
    b"sample",
    b"not-real",
    b"hello",
    b"deadbeef",
]);

/// Words of names whose values identify or measure, lower case.
static IDENTIFIERS: Parts = Parts::new(&[
    b"trace",
    b"traceparent",
    b"tracestate",
    b"span",
    b"commit",
    b"sha",
    b"sha1",
    b"sha256",
    b"sha512",
    b"md5",
    b"hash",
    b"digest",
    b"checksum",
    b"etag",
    b"uuid",
    b"guid",
    b"request",
    b"correlation",
    b"version",
    b"revision",
    b"fingerprint",
    b"thumbprint",
    b"url",
    b"path",
    b"file",
    b"filename",
    b"filepath",
    b"build",
]);

/// Further words of names that end in key, token or secret and are none.
static PUBLIC_NAMES: Parts = Parts::new(&[
    b"public",
    b"pub",
    b"csrf",
    b"xsrf",
    b"page",
    b"next",
    b"continuation",
    b"cursor",
    b"sync",
    b"cancel",
    b"cancellation",
    b"primary",
    b"foreign",
    b"partition",
    b"sort",
    b"idempotency",
    b"idempotence",
    b"idempotent",
    b"routing",
    b"cache",
    b"type",
    b"tokentype",
    b"name",
    b"keyname",
    b"secretname",
    b"length",
    b"count",
    b"size",
    b"expiry",
    b"expire",
    b"expires",
    b"expired",
    b"expiration",
    b"ttl",
    b"limit",
    b"endpoint",
    b"uri",
    b"alias",
    b"author",
    b"schema",
    b"bucket",
    b"accessibility",
    b"accessible",
]);

/// Names whose values are secrets even in the form of a UUID, lower case.
static KEY_NAMES: Parts = Parts::new(&[b"key", b"secret"]);

/// What a word may end in and still be the word.
const ENDINGS: [&[u8]; 6] = [b"", b"s", b"id", b"key", b"token", b"secret"];

/// Parts or words that are looked for in either case.
struct Parts {
    /// Two bytes long or longer, lower case.
    parts: &'static [&'static [u8]],
    /// For each byte that begins one, by its lower five bits, the bytes that come second, by theirs: where no part
    /// begins so, none is compared.
    seconds: [u32; 32],
}

impl Parts {
    const fn new(parts: &'static [&'static [u8]]) -> Self {
        let mut seconds = [0; 32];
        let mut index = 0;
        while index < parts.len() {
            seconds[(parts[index][0] & 0x1f) as usize] |= 1 << (parts[index][1] & 0x1f);
            index += 1;
        }
        Self { parts, seconds }
    }

    /// Whether the text has one of the parts.
    fn are_in(&self, text: &[u8]) -> bool {
        text.windows(2).enumerate().any(|(at, pair)| self.may_begin(pair) && self.begin(&text[at..]))
    }

    /// Whether one of the words of the name, as in `page_token`, `pageToken` and `pagetoken`, is one of these.
    fn are_words_of(&self, name: &[u8]) -> bool {
        let is_joined = |one: &u8, two: &u8| {
            [one, two].iter().all(|byte| byte.is_ascii_alphanumeric())
                && (one.is_ascii_uppercase() || !two.is_ascii_uppercase())
        };
        name.chunk_by(is_joined).any(|word| self.may_begin(word) && self.are_stem_of(word))
    }

    /// Whether the word is one of these, but for its ending.
    fn are_stem_of(&self, word: &[u8]) -> bool {
        let mut stems = ENDINGS.iter().filter_map(|ending| without_ending(word, ending));
        stems.any(|stem| self.parts.iter().any(|part| part.eq_ignore_ascii_case(stem)))
    }

    /// Whether the first two bytes are those of a part.
    fn may_begin(&self, text: &[u8]) -> bool {
        let [first, second, ..] = text else { return false };
        self.seconds[usize::from(first & 0x1f)] >> (second & 0x1f) & 1 == 1
    }

    /// Whether the text begins with one of the parts.
    fn begin(&self, text: &[u8]) -> bool {
        let is_first =
            |part: &&[u8]| text.get(..part.len()).is_some_and(|first| first.eq_ignore_ascii_case(part));
        self.parts.iter().any(is_first)
    }
}

/// Whether a value of a format that speaks for itself is random.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    entropy::bits_per_byte(bytes) >= entropy::SECRET_BITS && !is_placeholder(bytes)
}

/// Whether a value of a format that words may have, too, is random.
pub(super) fn is_random_token(bytes: &[u8]) -> bool {
    is_token(bytes) && is_irregular(bytes)
}

/// Whether a value that is assigned to the name of a service is a credential of that service.
pub(super) fn is_named(found: &Match<'_>) -> bool {
    let name = name_of(found);
    is_random_token(found.bytes()) && !is_identifier(name)
}

/// Whether a value that is assigned to a name like `secret` or `token` is one.
pub(super) fn is_generic(found: &Match<'_>) -> bool {
    let (bytes, name) = (found.bytes(), name_of(found));
    let bits = ((bytes.len() as f32).log2() * GENERIC_SHARE).min(GENERIC_BITS_MAX);
    let is_mixed = bytes.iter().any(u8::is_ascii_digit) && bytes.iter().any(u8::is_ascii_alphabetic);
    let is_public = is_identifier(name) || PUBLIC_NAMES.are_words_of(name);
    is_mixed
        && entropy::bits_per_byte(bytes) >= bits
        && is_irregular(bytes)
        && !(is_public || is_placeholder(bytes))
        && (!is_uuid(bytes) || KEY_NAMES.are_in(name))
}

/// Whether somebody wrote the value by hand, or cut it off.
pub(super) fn is_placeholder(bytes: &[u8]) -> bool {
    PLACEHOLDERS.are_in(bytes) || has_sequence(bytes) || bytes.ends_with(b"..")
}

/// Whether the value is not made of words: digits, small and capital letters alternate often, or sometimes where
/// letters do not follow each other as in English.
fn is_irregular(bytes: &[u8]) -> bool {
    let changes = bytes.windows(2).filter(|pair| is_change(pair[0], pair[1])).count();
    let is_long_number = bytes.len() >= NUMBER_BYTES_MIN && bytes.iter().all(u8::is_ascii_digit);
    if is_long_number || is_uuid(bytes) {
        return true;
    }
    let is_random = is_hexadecimal(bytes) || 3 * changes >= bytes.len() || !is_wordy(bytes);
    is_random && 8 * changes >= bytes.len()
}

/// Whether two neighbours are of different classes; a capital letter that begins a word is no change.
fn is_change(one: u8, two: u8) -> bool {
    let is_start = one.is_ascii_uppercase() && two.is_ascii_lowercase();
    let are_same = [u8::is_ascii_digit, u8::is_ascii_uppercase, u8::is_ascii_lowercase]
        .iter()
        .any(|is_member| is_member(&one) && is_member(&two));
    one.is_ascii_alphanumeric() && two.is_ascii_alphanumeric() && !are_same && !is_start
}

fn is_hexadecimal(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
}

/// Whether two thirds of the pairs of letters are common ones.
fn is_wordy(bytes: &[u8]) -> bool {
    let is_pair = |pair: &&[u8]| pair[0].is_ascii_alphabetic() && pair[1].is_ascii_lowercase();
    let is_common = |pair: &[u8]| {
        let [one, two] = [pair[0], pair[1]].map(|byte| byte.to_ascii_lowercase() - b'a');
        COMMON_PAIRS[usize::from(one)] >> two & 1 == 1
    };
    let (mut pairs, mut common) = (0, 0);
    for pair in bytes.windows(2).filter(is_pair) {
        pairs += 1;
        common += usize::from(is_common(pair));
    }
    pairs >= PAIRS_MIN && 3 * common > 2 * pairs
}

/// Shortest number that is a credential, digits: times and identifiers are shorter.
const NUMBER_BYTES_MIN: usize = 30;
/// Fewer pairs of letters say nothing.
const PAIRS_MIN: usize = 5;

/// For each letter, the letters that often follow it in English.
const COMMON_PAIRS: [u32; 26] = common_pairs(
    b"th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me \
      de hi ri ro ic ne ea ra ce li ch ll be ma si om ur ca el ta la ns di fo ho pe ec pr no ct us ac ot \
      il tr ly nc et ut ss so rs un lo wa ge ie wh ee wi em ad ol rt po we na ul ni ts mo ow pa im mi ai \
      sh ir su id os iv ia am fi ci vi pl ig tu ev ld ry mp fe bl ab gh ty op wo sa ay ex ke ui fr oo rm \
      ag sp bo ap ga od up ck ey pi av lu ud my if ds cu ff bu da rd rn rk sc au gr",
);

/// One bit for each pair of a text in which a space follows each but the last.
const fn common_pairs(text: &[u8]) -> [u32; 26] {
    let mut pairs = [0; 26];
    let mut index = 0;
    while index + 1 < text.len() {
        pairs[(text[index] - b'a') as usize] |= 1 << (text[index + 1] - b'a');
        index += 3;
    }
    pairs
}

/// Whether the name identifies something: it has such a word, or ends in `id`.
fn is_identifier(name: &[u8]) -> bool {
    let ends_in_id = [&b"_id"[..], b"-id", b".id", b"Id", b"ID", b"_ids", b"Ids"];
    IDENTIFIERS.are_words_of(name) || ends_in_id.iter().any(|end| name.ends_with(end))
}

/// The last name before the match: letters, digits, `_`, `-` and `.`, behind quotes, spaces and operators.
fn name_of<'a>(found: &Match<'a>) -> &'a [u8] {
    let before = &found.field[found.start.saturating_sub(NAME_BYTES_MAX)..found.start];
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let end = before.iter().rposition(is_name).map_or(0, |last| last + 1);
    let start = before[..end].iter().rposition(|byte| !is_name(byte)).map_or(0, |last| last + 1);
    &before[start..end]
}

/// What stands before `ending`, in either case.
fn without_ending<'a>(word: &'a [u8], ending: &[u8]) -> Option<&'a [u8]> {
    let (stem, end) = word.split_at(word.len().checked_sub(ending.len())?);
    end.eq_ignore_ascii_case(ending).then_some(stem)
}

/// Whether characters follow each other as in the alphabet; after 9 comes 0.
fn has_sequence(bytes: &[u8]) -> bool {
    let mut length = 1;
    let follows = |one: u8, two: u8| one.checked_add(1) == Some(two) || one == b'9' && two == b'0';
    bytes.windows(2).any(|pair| {
        length = if follows(pair[0], pair[1]) { length + 1 } else { 1 };
        length >= SEQUENCE_BYTES
    })
}

fn is_uuid(bytes: &[u8]) -> bool {
    let is_at_place = |(index, byte): (usize, &u8)| match index {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    bytes.len() == 36 && bytes.iter().enumerate().all(is_at_place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(text: &'a str, value: &str) -> Match<'a> {
        let start = text.find(value).unwrap();
        Match { field: text.as_bytes(), start, end: start + value.len() }
    }

    #[test]
    fn parts_are_found_as_the_naive_search_finds_them() {
        let naive = |parts: &Parts, text: &[u8]| {
            let has = |part: &&[u8]| text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part));
            parts.parts.iter().any(has)
        };
        for parts in [&PLACEHOLDERS, &IDENTIFIERS, &PUBLIC_NAMES, &KEY_NAMES] {
            for part in parts.parts {
                let (capitals, (cut, _)) = (part.to_ascii_uppercase(), part.split_at(part.len() - 1));
                for text in [&b""[..], b"x", part, &capitals, cut, &[b"7q", &capitals[..], b"."].concat()] {
                    assert_eq!(parts.are_in(text), naive(parts, text), "{}", text.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn random_values_are_tokens_and_written_ones_are_not() {
        for random in ["hQ7vX2mPz9LkR4tW", "b0db6ec31a14c0167627ca3f2af80b3f", "xf3s1tmztjceo17ubbhmwehm"] {
            assert!(is_random_token(random.as_bytes()), "{random}");
        }
        let written = [
            "aaaaaaaaaaaaaaaa",
            "my-example-hQ7vX2mPz9Lk",
            "xxxxxxxxhQ7vX2",
            "abcdefghijkl0123",
            "dapi123456789012345678a9bc01234defg5",
            "ops_eyJzaWduSW5B..",
            "RetryCountMax2",
        ];
        for written in written {
            assert!(!is_random_token(written.as_bytes()), "{written}");
        }
    }

    #[test]
    fn the_name_decides_what_a_random_value_is() {
        let cases = [
            (r#""api_key":"VALUE""#, true),
            ("clientSecret = VALUE", true),
            ("<token>VALUE</token>", true),
            (r#""trace_token":"VALUE""#, false),
            ("next_page_token=VALUE", false),
            ("csrf-token: VALUE", false),
            ("credentialsId: 'VALUE'", false),
            ("public_key = VALUE", false),
            ("publickey = VALUE", false),
            ("CSRFToken: VALUE", false),
            (r#""requestTokens":"VALUE""#, false),
            (r#""account_key":"VALUE""#, true),
            (r#""username_secret":"VALUE""#, true),
            (r#""profile_token":"VALUE""#, true),
            (r#""hostname_api_key":"VALUE""#, true),
            (r#""authorSecret":"VALUE""#, false),
            (r#""authorizationSecret":"VALUE""#, true),
        ];
        for (text, expected) in cases {
            let text = text.replace("VALUE", "hQ7vX2mPz9LkR4tWb3");
            assert_eq!(is_generic(&found(&text, "hQ7vX2mPz9LkR4tWb3")), expected, "{text}");
        }
    }

    #[test]
    fn a_generic_secret_mixes_letters_and_digits() {
        let values = [
            ("hQ7vX2mPz9", true),
            ("17002938475610", false),
            ("hQvXmPzLkRtWbYcN", false),
            ("07b37e14-9980-4225-bdef-fa38e12b2b8f", false),
            ("SalesResults-1.2", false),
            ("prod5-master2-cmk", false),
        ];
        for (value, expected) in values {
            let text = format!("token={value}");
            assert_eq!(is_generic(&found(&text, value)), expected, "{value}");
        }
    }
}
