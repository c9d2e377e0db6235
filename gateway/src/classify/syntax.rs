//! Patterns as syntax trees: parsing, what they certainly contain, and their text for Hyperscan.
//!
//! The language is that of the `regex` crate with Unicode off, so `\d` is `[0-9]` and `.` is any byte but a
//! newline. Hyperscan's text is printed from the parsed tree, so that both engines read one language.

use std::fmt::Write;

use super::edges::is_word;
use regex_syntax::hir::literal::{Extractor, Literal, Seq, rank};
use regex_syntax::hir::{Capture, Class, Hir, HirKind, Repetition};

/// Longest literal that is looked for, bytes: Hyperscan's literal matcher compares eight at once.
const LITERAL_BYTES_MAX: usize = 8;
/// Shortest, bytes.
const LITERAL_BYTES_MIN: usize = 3;
/// Bytes of a prefix by which tokens are told apart.
const PREFIX_BYTES: usize = 3;
/// Most literals that stand for one pattern.
const LITERALS_MAX: usize = 64;

/// Literals of which every match has one at the same place of its pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Required {
    /// The literals, lower case when `caseless`.
    pub(super) literals: Vec<Vec<u8>>,
    /// Letters match in either case.
    pub(super) caseless: bool,
    /// Index of the piece of the pattern that begins with them.
    pub(super) piece: usize,
}

/// Parses a pattern.
///
/// # Errors
///
/// The parser's words, with a caret below the mistake.
pub(super) fn parse(pattern: &str) -> Result<Hir, String> {
    let parsed = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern);
    parsed.map(without_captures).map_err(|error| error.to_string())
}

/// The alternatives at the top of a pattern.
pub(super) fn branches(hir: &Hir) -> Vec<Hir> {
    match hir.kind() {
        HirKind::Alternation(branches) => branches.clone(),
        _ => vec![hir.clone()],
    }
}

/// The pieces that follow each other at the top of a pattern.
pub(super) fn pieces(hir: &Hir) -> Vec<Hir> {
    match hir.kind() {
        HirKind::Concat(pieces) => pieces.clone(),
        _ => vec![hir.clone()],
    }
}

/// The best literals to look for: long, rare, few, near the start; `None` when there are none.
pub(super) fn required(pieces: &[Hir]) -> Option<Required> {
    let candidates = (0..pieces.len()).filter_map(|piece| {
        let (literals, caseless) = leading_literals(&pieces[piece..])?;
        Some(Required { literals, caseless, piece })
    });
    candidates.max_by_key(|required| score(required, pieces))
}

/// The first three bytes of every match, when they are word bytes and there is a finite set of them.
pub(super) fn prefixes(pieces: &[Hir]) -> Option<Vec<[u8; 3]>> {
    let hir = Hir::concat(pieces.iter().map(without_looks).collect());
    let seq = extract(&hir, 16, PREFIX_BYTES)?;
    let first = |literal: &Literal| literal.as_bytes().first_chunk().copied();
    let mut prefixes: Vec<[u8; PREFIX_BYTES]> = seq.literals()?.iter().filter_map(first).collect();
    prefixes.sort_unstable();
    prefixes.dedup();
    prefixes.iter().all(|prefix| is_word(prefix[0])).then_some(prefixes)
}

/// The index of the first piece that is a literal beginning with `byte`.
pub(super) fn piece_beginning_with(pieces: &[Hir], byte: u8) -> Option<usize> {
    pieces.iter().position(|piece| match piece.kind() {
        HirKind::Literal(literal) => literal.0.first() == Some(&byte),
        HirKind::Class(Class::Bytes(class)) => {
            class.ranges().iter().all(|range| range.start() == byte && range.end() == byte)
        }
        _ => false,
    })
}

/// Length of the run of bytes that `is_member` holds for and with which every match begins, bytes.
pub(super) fn leading_run(pieces: &[Hir], is_member: impl Fn(u8) -> bool + Copy) -> usize {
    let mut length = 0;
    for piece in pieces {
        let (run, whole) = run_of(piece, is_member);
        length += run;
        if !whole {
            break;
        }
    }
    length
}

/// The greatest length of the run of digits with which a match begins; `usize::MAX` when it has no bound.
pub(super) fn leading_digits_max(pieces: &[Hir]) -> usize {
    digits_max_of_all(pieces).0
}

/// The greatest length of the run, and whether it may go on after the pieces.
fn digits_max_of_all(pieces: &[Hir]) -> (usize, bool) {
    let mut length = 0_usize;
    for piece in pieces {
        let (run, goes_on) = digits_max_of(piece);
        length = length.saturating_add(run);
        if !goes_on {
            return (length, false);
        }
    }
    (length, true)
}

fn digits_max_of(hir: &Hir) -> (usize, bool) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => (0, true),
        HirKind::Literal(literal) => {
            let run = literal.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
            (run, run == literal.0.len())
        }
        HirKind::Class(class) => {
            let has_digit = class_bytes(class).any(|byte| byte.is_ascii_digit());
            (usize::from(has_digit), has_digit)
        }
        HirKind::Repetition(repetition) => {
            let (run, goes_on) = digits_max_of(&repetition.sub);
            let most = repetition.max.map_or(usize::MAX, |most| most as usize);
            if goes_on { (run.saturating_mul(most), true) } else { (run, repetition.min == 0) }
        }
        HirKind::Concat(subs) => digits_max_of_all(subs),
        HirKind::Alternation(subs) => {
            subs.iter().map(digits_max_of).fold((0, false), |all, one| (all.0.max(one.0), all.1 || one.1))
        }
        HirKind::Capture(capture) => digits_max_of(&capture.sub),
    }
}

/// The pattern without look-around: it matches at least where the original does.
pub(super) fn without_looks(hir: &Hir) -> Hir {
    rewrite(hir, &|hir| matches!(hir.kind(), HirKind::Look(_)).then(Hir::empty))
}

/// The text of a pattern, without its look-around, as PCRE (so Hyperscan) reads it.
pub(super) fn pcre(hir: &Hir) -> String {
    let mut text = String::new();
    print(&without_looks(hir), &mut text);
    text
}

fn without_captures(hir: Hir) -> Hir {
    rewrite(&hir, &|hir| match hir.kind() {
        HirKind::Capture(Capture { sub, .. }) => Some(without_captures((**sub).clone())),
        _ => None,
    })
}

/// Rebuilds a tree; `replace` returns what stands for a node, or `None` to keep it and look below.
fn rewrite(hir: &Hir, replace: &impl Fn(&Hir) -> Option<Hir>) -> Hir {
    if let Some(replaced) = replace(hir) {
        return replaced;
    }
    let all = |subs: &[Hir]| subs.iter().map(|sub| rewrite(sub, replace)).collect::<Vec<_>>();
    match hir.kind() {
        HirKind::Concat(subs) => Hir::concat(all(subs)),
        HirKind::Alternation(subs) => Hir::alternation(all(subs)),
        HirKind::Capture(capture) => rewrite(&capture.sub, replace),
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            sub: Box::new(rewrite(&repetition.sub, replace)),
            ..repetition.clone()
        }),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => hir.clone(),
    }
}

/// The finite set of literals with which a match of `pieces` begins, and whether letters match in either case.
/// A few long ones are better than many, so classes are first spelled out only where they are small.
fn leading_literals(pieces: &[Hir]) -> Option<(Vec<Vec<u8>>, bool)> {
    let hir = Hir::concat(pieces.iter().map(without_looks).collect());
    let folded = caseless_letters(&hir);
    let tries = [(4, LITERAL_BYTES_MIN + 1), (16, LITERAL_BYTES_MIN)];
    tries.into_iter().find_map(|(class_max, bytes_min)| {
        let exact = extract(&hir, class_max, bytes_min).filter(|seq| !has_case_variants(seq));
        let caseless = exact.is_none();
        let mut seq = exact.or_else(|| extract(&folded, class_max, bytes_min))?;
        shorten(&mut seq);
        let bytes = |literal: &Literal| {
            let bytes = to_rarest_end(literal.as_bytes());
            if caseless { bytes.to_ascii_lowercase() } else { bytes.to_vec() }
        };
        let mut literals: Vec<Vec<u8>> = seq.literals()?.iter().map(bytes).collect();
        literals.sort_unstable();
        literals.dedup();
        Some((literals, caseless))
    })
}

/// The literals, cut to `LITERAL_BYTES_MAX`, when there is a finite set and none is too short. Classes of more than
/// `class_max` bytes end a literal.
fn extract(hir: &Hir, class_max: usize, bytes_min: usize) -> Option<Seq> {
    let mut extractor = Extractor::new();
    extractor.limit_class(class_max).limit_repeat(16).limit_literal_len(LITERAL_BYTES_MAX).limit_total(300);
    let mut seq = extractor.extract(hir);
    seq.keep_first_bytes(LITERAL_BYTES_MAX);
    seq.dedup();
    (seq.is_finite() && seq.min_literal_len()? >= bytes_min).then_some(seq)
}

/// Whether two of the literals differ only in case.
fn has_case_variants(seq: &Seq) -> bool {
    let literals = seq.literals().unwrap_or_default();
    let mut lower: Vec<Vec<u8>> =
        literals.iter().map(|literal| literal.as_bytes().to_ascii_lowercase()).collect();
    lower.sort_unstable();
    lower.windows(2).any(|pair| pair[0] == pair[1])
}

/// The pattern with a lower case letter in place of each class of a letter in both cases.
fn caseless_letters(hir: &Hir) -> Hir {
    let letter_of = |class: &Class| {
        let bytes: Vec<u8> = class_bytes(class).take(3).collect();
        match bytes[..] {
            [upper @ b'A'..=b'Z', lower] if upper.to_ascii_lowercase() == lower => Some(lower),
            _ => None,
        }
    };
    rewrite(hir, &|hir| match hir.kind() {
        HirKind::Class(class) => letter_of(class).map(|letter| Hir::literal([letter])),
        _ => None,
    })
}

/// Cuts more than `LITERALS_MAX` literals until they are fewer.
fn shorten(seq: &mut Seq) {
    let mut length = LITERAL_BYTES_MAX;
    while seq.len().is_some_and(|count| count > LITERALS_MAX) && length > LITERAL_BYTES_MIN {
        length -= 1;
        seq.keep_first_bytes(length);
        seq.sort();
        seq.dedup();
    }
}

/// The literal, cut so that its last three bytes are rare in text: Hyperscan looks at the end of a literal first,
/// and `--user ` would be looked up wherever `er ` is.
fn to_rarest_end(literal: &[u8]) -> &[u8] {
    let rarity_of_end = |length: &usize| rarity(&literal[length - LITERAL_BYTES_MIN..*length]);
    let lengths = literal.len().min(LITERAL_BYTES_MIN + 1)..=literal.len();
    let best = lengths.max_by_key(|length| (rarity_of_end(length), *length));
    &literal[..best.unwrap_or(literal.len())]
}

/// About the bits of how seldom the bytes occur in text.
fn rarity(bytes: &[u8]) -> i64 {
    bytes.iter().map(|byte| 10 - i64::from(rank(*byte)) / 32).sum()
}

/// Higher is better. The unit is about one bit of how seldom the literals occur in text.
fn score(required: &Required, pieces: &[Hir]) -> i64 {
    let rarest = required.literals.iter().map(|literal| rarity(literal)).min().unwrap_or(0);
    let count = i64::from(required.literals.len().ilog2());
    let caseless = if required.caseless { 4 } else { 0 };
    let reverse = match fixed_length(&pieces[..required.piece]) {
        Some(_) => 0,
        None => 12,
    };
    // Hyperscan's literal matcher looks at four bytes or more at once.
    let short = if required.literals.iter().any(|literal| literal.len() < 4) { 16 } else { 0 };
    rarest - 4 * count - caseless - reverse - short
}

/// The length of every match of `pieces`, when all have the same.
pub(super) fn fixed_length(pieces: &[Hir]) -> Option<usize> {
    pieces.iter().try_fold(0, |length, piece| {
        let properties = piece.properties();
        let least = properties.minimum_len()?;
        (properties.maximum_len()? == least).then_some(length + least)
    })
}

/// The least length of the run of members with which a match of `hir` begins, and whether a match consists of
/// members only.
fn run_of(hir: &Hir, is_member: impl Fn(u8) -> bool + Copy) -> (usize, bool) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => (0, true),
        HirKind::Literal(literal) => {
            let run = literal.0.iter().take_while(|byte| is_member(**byte)).count();
            (run, run == literal.0.len())
        }
        HirKind::Class(class) => {
            let member = class_bytes(class).all(is_member);
            (usize::from(member), member)
        }
        HirKind::Repetition(repetition) => {
            let (run, whole) = run_of(&repetition.sub, is_member);
            let least = repetition.min as usize;
            (if whole { run * least } else { run * least.min(1) }, whole)
        }
        HirKind::Concat(subs) => {
            let whole = subs.iter().all(|sub| run_of(sub, is_member).1);
            (leading_run(subs, is_member), whole)
        }
        HirKind::Alternation(subs) => {
            let runs: Vec<_> = subs.iter().map(|sub| run_of(sub, is_member)).collect();
            (runs.iter().map(|run| run.0).min().unwrap_or(0), runs.iter().all(|run| run.1))
        }
        HirKind::Capture(capture) => run_of(&capture.sub, is_member),
    }
}

fn class_bytes(class: &Class) -> impl Iterator<Item = u8> {
    let ranges: Vec<(u8, u8)> = match class {
        Class::Bytes(class) => class.ranges().iter().map(|range| (range.start(), range.end())).collect(),
        Class::Unicode(class) => {
            class.ranges().iter().map(|range| (narrow(range.start()), narrow(range.end()))).collect()
        }
    };
    ranges.into_iter().flat_map(|(start, end)| start..=end)
}

/// A character as a byte: with Unicode off, classes of characters hold ASCII only.
fn narrow(character: char) -> u8 {
    u8::try_from(character).unwrap_or(u8::MAX)
}

fn print(hir: &Hir, text: &mut String) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => text.push_str("(?:)"),
        HirKind::Literal(literal) => literal.0.iter().for_each(|byte| print_byte(*byte, text)),
        HirKind::Class(class) => print_class(class, text),
        HirKind::Repetition(repetition) => {
            print_group(&repetition.sub, text);
            let (least, most) = (repetition.min, repetition.max);
            match most {
                Some(most) => write!(text, "{{{least},{most}}}"),
                None => write!(text, "{{{least},}}"),
            }
            .expect("writing to a String cannot fail");
        }
        HirKind::Capture(capture) => print_group(&capture.sub, text),
        HirKind::Concat(subs) => subs.iter().for_each(|sub| match sub.kind() {
            HirKind::Alternation(_) => print_group(sub, text),
            _ => print(sub, text),
        }),
        HirKind::Alternation(subs) => {
            for (index, sub) in subs.iter().enumerate() {
                if index > 0 {
                    text.push('|');
                }
                print(sub, text);
            }
        }
    }
}

fn print_group(hir: &Hir, text: &mut String) {
    text.push_str("(?:");
    print(hir, text);
    text.push(')');
}

fn print_class(class: &Class, text: &mut String) {
    let mut bytes = class_bytes(class).peekable();
    text.push('[');
    while let Some(start) = bytes.next() {
        let mut end = start;
        while let Some(next) = bytes.next_if(|next| end.checked_add(1) == Some(*next)) {
            end = next;
        }
        print_byte(start, text);
        text.push('-');
        print_byte(end, text);
    }
    text.push(']');
}

/// One byte as `\xHH`.
pub(super) fn print_byte(byte: u8, text: &mut String) {
    write!(text, "\\x{byte:02x}").expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rarest_literal_stands_for_a_pattern() {
        let cases: [(&str, &[&str], usize, bool); 5] = [
            ("ghp_[A-Za-z0-9]{36}", &["ghp_"], 0, false),
            ("(?:AKIA|ASIA)[A-Z2-7]{16}", &["AKIA", "ASIA"], 0, false),
            ("sk-[a-z]{20}T3BlbkFJ[a-z]{20}", &["T3BlbkFJ"], 2, false),
            ("(?i)token[0-9]{5}", &["token"], 0, true),
            (r"EMP-\d{6}", &["EMP-"], 0, false),
        ];
        for (pattern, literals, piece, caseless) in cases {
            let required = required(&pieces(&parse(pattern).unwrap())).unwrap();
            let found: Vec<&str> =
                required.literals.iter().map(|literal| std::str::from_utf8(literal).unwrap()).collect();
            if pattern.starts_with("(?i)") {
                assert!(found[0].starts_with(literals[0]), "{found:?}");
            } else {
                assert!(
                    literals.iter().all(|literal| found.iter().any(|f| f.starts_with(literal))),
                    "{found:?}"
                );
                assert_eq!(required.piece, piece, "{pattern}");
            }
            assert_eq!(required.caseless, caseless, "{pattern}");
        }
    }

    #[test]
    fn the_leading_run_of_digits_is_certain() {
        let digits =
            |pattern: &str| leading_run(&pieces(&parse(pattern).unwrap()), |byte| byte.is_ascii_digit());
        assert_eq!(digits(r"[2-6]\d{11,18}"), 12);
        assert_eq!(digits(r"\d{3}-\d{2}"), 3);
        assert_eq!(digits(r"\d{3}(?:1|23)\d"), 5);
        assert_eq!(digits(r"a\d{3}"), 0);
    }

    #[test]
    fn the_longest_first_group_of_digits_is_known() {
        let longest = |pattern: &str| leading_digits_max(&pieces(&parse(pattern).unwrap()));
        assert_eq!(longest(r"\d{3,5}[ -]\d{7}"), 5);
        assert_eq!(longest(r"[2-6](?:\d{3} \d{4}|\d{5} \d{13})"), 6);
        assert_eq!(longest(r"\d{2}(?:[ -]\d{2}){4}"), 2);
        assert_eq!(longest(r"\d+-"), usize::MAX);
    }

    #[test]
    fn printed_patterns_are_explicit() {
        assert_eq!(
            pcre(&parse(r"\ba[0-2]{2,}(b|c)?").unwrap()),
            r"\x61(?:[\x30-\x32]){2,}(?:[\x62-\x63]){0,1}"
        );
    }
}
