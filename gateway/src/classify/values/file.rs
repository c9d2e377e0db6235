//! Files of fingerprints: made from lists of values by `gateway policy fingerprint`, read when a policy is compiled.
//!
//! ```text
//! gateway fingerprints 1
//! key gateway
//! check <32 hex digits>        the fingerprint of the empty text: another key gives another
//! case ignored
//! words 3                      most of one value
//! bytes 6 24                   of the shortest and the longest normal form
//! values 12345
//! <32 hex digits><8 hex digits>     fingerprint and covered mark, ascending
//! seal <32 hex digits>         keyed, of all lines above: whoever changes one is found out
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::RangeInclusive;

use super::words::{self, GAP_MAX, SEPARATORS};
use super::{Case, Filter, Mark, NORMAL_BYTES_MAX, NORMAL_BYTES_MIN, Normal, Seal, ValueList, WORDS_MAX};

/// Most values of one list: with its filter it takes 24 MB of memory.
const VALUES_MAX: usize = 1_000_000;

/// The first line, with the version of the form.
const MAGIC: &str = "gateway fingerprints 1";

/// Hex digits of a value: its fingerprint and its mark.
const VALUE_DIGITS: usize = 40;

/// What is wrong with a file of values or of fingerprints, and where. It never holds a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {problem}")]
pub struct FileError {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// The file of fingerprints of `values`, one a line, under the key that is named and whose secret for lists is given.
///
/// # Errors
///
/// Every value that cannot be looked for.
pub fn fingerprint(values: &str, key: &str, secret: &[u8; 32], case: Case) -> Result<String, Vec<FileError>> {
    let (mut draft, mut errors) = (Draft::new(secret, case), Vec::new());
    for (index, line) in values.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let added = draft.add(line);
        errors.extend(added.err().map(|(column, problem)| FileError { line: index + 1, column, problem }));
    }
    let too_many = format!("more than {VALUES_MAX} values: divide them into several lists");
    match (draft.values.len(), errors.is_empty()) {
        (_, false) => Err(errors),
        (0, true) => Err(vec![refuse(1, "there are no values: write one a line")]),
        (count, true) if count > VALUES_MAX => Err(vec![refuse(VALUES_MAX + 1, too_many)]),
        _ => Ok(draft.write(key)),
    }
}

/// The name of the key that a file of fingerprints was made under.
///
/// # Errors
///
/// When it is no such file.
pub fn key_of(text: &str) -> Result<&str, FileError> {
    Lines::begin(text)?.string("key")
}

impl ValueList {
    /// Reads a file of fingerprints.
    ///
    /// # Errors
    ///
    /// `Ok(None)` when it was made under another key. The first thing that is wrong with the file.
    pub fn read(text: &str, secret: &[u8; 32]) -> Result<Option<Self>, FileError> {
        let mut lines = Lines::begin(text)?;
        let seal = Seal::new(secret);
        lines.string("key")?;
        let check = lines.string("check")?;
        let case = lines.case()?;
        let words_max = lines.number("words", 1..=WORDS_MAX)?;
        let bytes = lines.bytes()?;
        let count = lines.number("values", 1..=VALUES_MAX)?;
        if check != hex(seal.fingerprint(b"")) {
            return Ok(None);
        }
        let (fingerprints, marks) = lines.values(&seal, count)?;
        lines.end(text, &seal)?;
        Ok(Some(Self { seal, case, words_max, bytes, filter: Filter::of(&marks), fingerprints }))
    }
}

/// A file of fingerprints while it is made.
struct Draft {
    seal: Seal,
    case: Case,
    words_max: usize,
    /// Bytes of the shortest and of the longest normal form so far.
    shortest: usize,
    longest: usize,
    /// For each fingerprint its covered mark.
    values: BTreeMap<u128, u32>,
}

impl Draft {
    fn new(secret: &[u8; 32], case: Case) -> Self {
        let (shortest, longest) = (NORMAL_BYTES_MAX, NORMAL_BYTES_MIN);
        Self { seal: Seal::new(secret), case, words_max: 1, shortest, longest, values: BTreeMap::new() }
    }

    /// Adds one value; the error has its column.
    fn add(&mut self, line: &str) -> Result<(), (usize, String)> {
        let value = line.trim_matches(is_no_letter);
        let words = words_of(line, value)?;
        let length = words::letters(value.as_bytes()).count();
        let normal = Normal::of(value.as_bytes(), self.case).filter(|_| length >= NORMAL_BYTES_MIN);
        let normal = normal.ok_or_else(|| {
            let limits = format!("{NORMAL_BYTES_MIN} to {NORMAL_BYTES_MAX} bytes in letters and digits");
            (1, format!("a value has {limits}, not {length}: use a pattern for this one"))
        })?;
        if words > WORDS_MAX {
            return Err((1, format!("a value has at most {WORDS_MAX} words, not {words}")));
        }
        let fingerprint = self.seal.fingerprint(normal.as_slice());
        let mark = Mark::of(normal.as_slice()).bits() ^ self.seal.pad(fingerprint);
        self.values.insert(fingerprint, mark);
        self.words_max = self.words_max.max(words);
        self.shortest = self.shortest.min(length);
        self.longest = self.longest.max(length);
        Ok(())
    }

    fn write(&self, key: &str) -> String {
        let check = hex(self.seal.fingerprint(b""));
        let (case, _) = Case::NAMES[self.case as usize];
        let (from, to, count) = (self.shortest, self.longest, self.values.len());
        let mut out = format!("{MAGIC}\nkey {key}\ncheck {check}\ncase {case}\n");
        let _ = writeln!(out, "words {}\nbytes {from} {to}\nvalues {count}", self.words_max);
        for (fingerprint, mark) in &self.values {
            let _ = writeln!(out, "{}{mark:08x}", hex(*fingerprint));
        }
        let seal = hex(self.seal.of_lines(out.lines()));
        let _ = writeln!(out, "seal {seal}");
        out
    }
}

/// Whether no word has the character.
fn is_no_letter(character: char) -> bool {
    words::letters(character.encode_utf8(&mut [0; 4]).as_bytes()).next().is_none()
}

/// How many words a value has; an error where something else separates them than can be looked for.
fn words_of(line: &str, value: &str) -> Result<usize, (usize, String)> {
    let trimmed = line.find(value).unwrap_or_default();
    let column = |at: usize| line[..trimmed + at].chars().count() + 1;
    words::count(value.as_bytes()).map_err(|at| {
        let allowed = format!("one or {GAP_MAX} of `{SEPARATORS}`");
        (column(at), format!("between the words of a value stand {allowed}"))
    })
}

/// The lines of a file of fingerprints, one after the other.
struct Lines<'t> {
    rest: std::str::Lines<'t>,
    /// Of the last that was taken, from 1.
    number: usize,
}

impl<'t> Lines<'t> {
    fn begin(text: &'t str) -> Result<Self, FileError> {
        let mut rest = text.lines();
        match rest.next() {
            Some(MAGIC) => Ok(Self { rest, number: 1 }),
            _ => Err(refuse(
                1,
                "this is no file of fingerprints: make it with `gateway policy fingerprint`, and keep raw values \
                 elsewhere",
            )),
        }
    }

    fn next(&mut self) -> &'t str {
        self.number += 1;
        self.rest.next().unwrap_or_default()
    }

    /// The text behind `name`.
    fn string(&mut self, name: &str) -> Result<&'t str, FileError> {
        let line = self.next();
        let value = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(' '));
        value.ok_or_else(|| self.refuse(format!("`{name} ..` belongs here: {MAKE_AGAIN}")))
    }

    fn case(&mut self) -> Result<Case, FileError> {
        let name = self.string("case")?;
        let case = Case::NAMES.into_iter().find(|(known, _)| *known == name);
        case.map(|(_, case)| case)
            .ok_or_else(|| self.refuse(format!("`case` is `ignored` or `counts`: {MAKE_AGAIN}")))
    }

    fn bytes(&mut self) -> Result<RangeInclusive<usize>, FileError> {
        let limits = NORMAL_BYTES_MIN..=NORMAL_BYTES_MAX;
        let line = self.string("bytes")?;
        let ends = line.split_once(' ').and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
        ends.filter(|(from, to)| limits.contains(from) && limits.contains(to) && from <= to)
            .map(|(from, to)| from..=to)
            .ok_or_else(|| self.refuse(format!("`bytes` are two numbers, ascending: {MAKE_AGAIN}")))
    }

    fn number(&mut self, name: &str, range: RangeInclusive<usize>) -> Result<usize, FileError> {
        let number = self.string(name)?.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            self.refuse(format!("`{name}` is from {} to {}: {MAKE_AGAIN}", range.start(), range.end()))
        })
    }

    /// All fingerprints and marks.
    fn values(&mut self, seal: &Seal, count: usize) -> Result<(Vec<u128>, Vec<u32>), FileError> {
        let (mut fingerprints, mut marks) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for index in 0..count {
            let line = self.next();
            if line.is_empty() {
                return Err(
                    self.refuse(format!("the file ends after {index} of {count} values: {MAKE_AGAIN}"))
                );
            }
            let (fingerprint, mark) = value(line)
                .filter(|(fingerprint, _)| fingerprints.last().is_none_or(|last| last < fingerprint))
                .ok_or_else(|| self.refuse(format!("no fingerprint, or out of order: {MAKE_AGAIN}")))?;
            fingerprints.push(fingerprint);
            marks.push(mark ^ seal.pad(fingerprint));
        }
        Ok((fingerprints, marks))
    }

    /// The seal of all lines so far, and nothing behind it.
    fn end(mut self, text: &str, seal: &Seal) -> Result<(), FileError> {
        let expected = hex(seal.of_lines(text.lines().take(self.number)));
        if self.string("seal")? != expected {
            return Err(self.refuse(format!("a line above was changed: {MAKE_AGAIN}")));
        }
        match self.next() {
            "" => Ok(()),
            _ => Err(self.refuse(format!("nothing belongs behind the seal: {MAKE_AGAIN}"))),
        }
    }

    fn refuse(&self, problem: impl Into<String>) -> FileError {
        refuse(self.number, problem)
    }
}

/// The fingerprint and the covered mark of a line.
fn value(line: &str) -> Option<(u128, u32)> {
    let is_hex = line.len() == VALUE_DIGITS && line.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (fingerprint, mark) = line.split_at_checked(VALUE_DIGITS - 8).filter(|_| is_hex)?;
    Some((u128::from_str_radix(fingerprint, 16).ok()?, u32::from_str_radix(mark, 16).ok()?))
}

fn hex(fingerprint: u128) -> String {
    format!("{fingerprint:032x}")
}

fn refuse(line: usize, problem: impl Into<String>) -> FileError {
    FileError { line, column: 1, problem: problem.into() }
}

/// What mends a file that is not whole.
const MAKE_AGAIN: &str = "copy the whole file, or make it again with `gateway policy fingerprint`";
