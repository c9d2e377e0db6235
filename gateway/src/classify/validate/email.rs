//! E-mail addresses: dot-atoms of RFC 5322 section 3.4.1, labels of RFC 1035 section 2.3.1, a top-level
//! domain that exists (IANA root zone) or that private networks use.

use std::sync::LazyLock;

use super::Match;

/// Domains that no root server knows and that logs are full of (RFC 2606, RFC 6762 appendix G).
const PRIVATE_DOMAINS: [&[u8]; 9] =
    [b"corp", b"example", b"home", b"internal", b"intranet", b"lan", b"local", b"private", b"test"];
/// Longest local part, bytes (RFC 5321 section 4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;
/// Longest label of a domain name, bytes.
const LABEL_BYTES_MAX: usize = 63;

/// Bits of the filter before the list: a power of two, about twelve for each domain.
const FILTER_BITS: usize = 1 << 14;

/// The top-level domains.
static TOP_LEVEL_DOMAINS: LazyLock<Domains> = LazyLock::new(Domains::new);

/// Domains, and a filter of one bit per hash that answers for nearly all other labels.
struct Domains {
    sorted: Vec<&'static [u8]>,
    filter: Box<[u64; FILTER_BITS / 64]>,
}

impl Domains {
    fn new() -> Self {
        let public = include_str!("tld.txt").lines().map(str::as_bytes);
        let mut sorted: Vec<&[u8]> = public.chain(PRIVATE_DOMAINS).collect();
        sorted.sort_unstable();
        let mut filter = Box::new([0; FILTER_BITS / 64]);
        for bit in sorted.iter().map(|domain| bit_of(domain)) {
            filter[bit / 64] |= 1 << (bit % 64);
        }
        Self { sorted, filter }
    }

    /// Whether the label may be one of them, in either case.
    fn may_contain(&self, label: &[u8]) -> bool {
        let bit = bit_of(label);
        self.filter[bit / 64] >> (bit % 64) & 1 == 1
    }

    /// Whether the label is one of them, in either case.
    fn contain(&self, label: &[u8]) -> bool {
        if !self.may_contain(label) {
            return false;
        }
        let mut lower = [0; LABEL_BYTES_MAX];
        let Some(lower) = lower.get_mut(..label.len()) else { return false };
        lower.copy_from_slice(label);
        lower.make_ascii_lowercase();
        self.sorted.binary_search(&&*lower).is_ok()
    }
}

/// The bit of a label, in either case, by its first bytes.
fn bit_of(label: &[u8]) -> usize {
    let first = label.iter().take(8).fold(0, |bytes: u64, byte| bytes << 8 | u64::from(byte | 0x20));
    // Fibonacci hashing: the upper bits of a product with the golden ratio of 2^64 are well mixed.
    (first.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - FILTER_BITS.ilog2())) as usize
}

/// Whether local part and domain are well formed and it is not the password of a URL.
pub(super) fn is_valid(found: &Match<'_>) -> bool {
    let mut parts = found.bytes().splitn(2, |byte| *byte == b'@');
    let (Some(local), Some(domain)) = (parts.next(), parts.next()) else { return false };
    let local_is_valid = local.len() <= LOCAL_BYTES_MAX && !local.windows(2).any(|pair| pair == b"..");
    local_is_valid && is_domain(domain) && !is_userinfo(found) && !is_remote_path(found, local)
}

/// Whether the label before `end` may be a top-level domain: most ends of a pattern are refused by this look.
pub(super) fn may_end(field: &[u8], end: usize) -> bool {
    let is_label = |byte: &&u8| !matches!(byte, b'.' | b'@');
    let label = field[..end].iter().rev().take(LABEL_BYTES_MAX).take_while(is_label).count();
    TOP_LEVEL_DOMAINS.may_contain(&field[end - label..end])
}

fn is_domain(domain: &[u8]) -> bool {
    let labels = || domain.split(|byte| *byte == b'.');
    let is_label = |label: &[u8]| {
        let hyphen_outside = label.starts_with(b"-") || label.ends_with(b"-");
        (1..=LABEL_BYTES_MAX).contains(&label.len()) && !hyphen_outside
    };
    let is_top_level = |label| TOP_LEVEL_DOMAINS.contain(label);
    labels().next_back().is_some_and(is_top_level) && labels().all(is_label)
}

/// Whether the match is the end of `scheme://user:password@host`.
fn is_userinfo(found: &Match<'_>) -> bool {
    let before = found.field.get(..found.start).unwrap_or_default();
    if !before.ends_with(b":") && !before.ends_with(b"/") {
        return false;
    }
    let is_inside = |byte: &&u8| !byte.is_ascii_whitespace() && !b"\"'<>".contains(byte);
    let length = before.iter().rev().take(128).take_while(is_inside).count();
    before[before.len() - length..].windows(3).any(|window| window == b"://")
}

/// Whether the match is the user and host of a path on another machine, `git@github.com:owner/name`.
fn is_remote_path(found: &Match<'_>, local: &[u8]) -> bool {
    local == b"git" && matches!(found.field.get(found.end), Some(b':' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, value: &str) -> bool {
        let start = text.find(value).unwrap();
        is_valid(&Match { field: text.as_bytes(), start, end: start + value.len() })
    }

    #[test]
    fn form_and_domain_decide() {
        let cases = [
            ("a.b+tag@sub.domain.co.uk", true),
            ("x@xn--bcher-kva.example", true),
            ("ops@db.internal", true),
            ("a..b@x.com", false),
            ("logo@2x.png", false),
            ("a@-x.com", false),
            ("a@x..com", false),
        ];
        for (value, expected) in cases {
            assert_eq!(check(value, value), expected, "{value}");
        }
    }

    #[test]
    fn an_address_may_end_only_where_it_is_valid() {
        for text in ["joe@x.com", "joe@x.COM", "a@b.c", "a@b.example", "a@b.c-d", "a@com", "a@b.photography"]
        {
            let found = Match { field: text.as_bytes(), start: 0, end: text.len() };
            assert!(may_end(found.field, found.end) || !is_valid(&found), "{text}");
        }
        let refused = |last: u8| !may_end(&[b"a@b.q", [last; 2].as_slice()].concat(), 7);
        assert!((b'a'..=b'z').filter(|last| refused(*last)).count() > 20);
    }

    #[test]
    fn surroundings_decide() {
        assert!(!check("amqp://user:pass@mq.example.com/", "pass@mq.example.com"));
        assert!(!check("ssh://git@github.com/x", "git@github.com"));
        assert!(!check("git@github.com:x/y.git", "git@github.com"));
        assert!(check("mailto:joe@x.com", "joe@x.com"));
        assert!(check("see http://x.com or write:joe@x.com", "joe@x.com"));
    }

    #[test]
    fn the_filter_agrees_with_the_list() {
        let listed = &TOP_LEVEL_DOMAINS.sorted;
        for domain in listed {
            for label in [domain.to_vec(), domain.to_ascii_uppercase(), [domain, &b"q"[..]].concat()] {
                let expected = listed.contains(&label.to_ascii_lowercase().as_slice());
                assert_eq!(TOP_LEVEL_DOMAINS.contain(&label), expected, "{}", label.escape_ascii());
            }
        }
        assert!(!TOP_LEVEL_DOMAINS.contain(b""));
    }
}
