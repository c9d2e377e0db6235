//! Which groups a written number may belong to, by the lengths of its first two runs of digits and the bytes around
//! them. Nearly every number of telemetry is too long, too short, or grouped in another way than what a detector
//! looks for: one look into a table says so for all groups at once, where their automata would each be walked.
//!
//! ```text
//! ,4111 1111 1111 1111      before: other, leading 4, first 4, separator: space, second 4
//! ```

use std::collections::HashMap;

use super::automaton::States;
use super::edges::{Edges, is_word};
use super::engine::Group;
use super::plan::{Back, Reach};

/// First runs this long are not told from longer ones, digits.
const FIRST_MAX: usize = 31;
/// Second runs, likewise.
const SECOND_MAX: usize = 15;

/// For each signature, the groups that may match there.
#[derive(Debug)]
pub(super) struct Numbers {
    /// Index into `lists`, by [`Signature::index`]; empty when there is one list for all.
    by_signature: Vec<u32>,
    lists: Vec<Box<[u16]>>,
}

/// How a number begins.
#[derive(Clone, Copy, Debug)]
struct Signature {
    /// The kind of the byte before it.
    before: Kind,
    /// The first digit.
    leading: usize,
    /// Digits of the first run, at most [`FIRST_MAX`].
    first: usize,
    /// The kind of the byte after it.
    after: Kind,
    /// Digits that follow a separator, at most [`SECOND_MAX`]; else 0.
    second: usize,
}

/// What a byte beside a run of digits is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Space,
    Hyphen,
    Dot,
    /// Ends a number, and begins the secret part of some tokens.
    Colon,
    /// Of words; digits count as such before a number.
    Word,
    /// Anything else, or the edge of the field.
    Other,
}

impl Kind {
    /// In the order of their discriminants.
    const ALL: [Self; 6] = [Self::Space, Self::Hyphen, Self::Dot, Self::Colon, Self::Word, Self::Other];
    /// Those that may be followed by a second run.
    const SEPARATORS: usize = 3;
    const OF_BYTE: [Self; 256] = {
        let mut kinds = [Self::Other; 256];
        let mut byte = 0;
        while byte < 256 {
            kinds[byte] = match byte as u8 {
                b' ' => Self::Space,
                b'-' => Self::Hyphen,
                b'.' => Self::Dot,
                b':' => Self::Colon,
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' => Self::Word,
                _ => Self::Other,
            };
            byte += 1;
        }
        kinds
    };

    #[inline]
    fn of(byte: Option<&u8>) -> Self {
        byte.map_or(Self::Other, |byte| Self::OF_BYTE[usize::from(*byte)])
    }
}

/// Signatures with one separator or none, one first digit and one kind before.
const RUNS: usize = (FIRST_MAX + 1) * (SECOND_MAX + 1);
const ENDINGS: usize = Kind::SEPARATORS * RUNS + (Kind::ALL.len() - Kind::SEPARATORS) * (FIRST_MAX + 1);
const SIGNATURES: usize = Kind::ALL.len() * 10 * ENDINGS;

impl Signature {
    #[inline]
    fn of(field: &[u8], place: usize) -> Self {
        let number = field.get(place..).unwrap_or_default();
        let first = run(number, FIRST_MAX);
        let after = Kind::of(number.get(first));
        let is_separator = (after as usize) < Kind::SEPARATORS;
        let second = if is_separator { run(&number[first + 1..], SECOND_MAX) } else { 0 };
        let leading = number.first().map_or(0, |digit| usize::from(digit.wrapping_sub(b'0').min(9)));
        let before = Kind::of(place.checked_sub(1).and_then(|index| field.get(index)));
        Self { before, leading, first, after, second }
    }

    #[inline]
    fn index(self) -> usize {
        let after = self.after as usize;
        let ending = match after.checked_sub(Kind::SEPARATORS) {
            None => after * RUNS + self.first * (SECOND_MAX + 1) + self.second,
            Some(after) => Kind::SEPARATORS * RUNS + after * (FIRST_MAX + 1) + self.first,
        };
        (self.before as usize * 10 + self.leading) * ENDINGS + ending
    }
}

/// Length of the run of digits with which `text` begins, at most `most`; eight bytes at a time.
#[inline]
fn run(text: &[u8], most: usize) -> usize {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let text = &text[..text.len().min(most)];
    let (words, rest) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let digit = u64::from_le_bytes(*word) ^ u64::from_le_bytes([b'0'; 8]);
        // A carry into the highest bit of each byte that is above 9.
        let others = (((digit & LOW) + u64::from_le_bytes([0x7f - 9; 8])) | digit) & !LOW;
        if others != 0 {
            return 8 * index + others.trailing_zeros() as usize / 8;
        }
    }
    8 * words.len() + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

impl Numbers {
    /// A table for `members`, indices into `groups`.
    pub(super) fn new(groups: &[Group], members: &[u16]) -> Self {
        let (told, any) = divide(groups, members);
        if told.is_empty() {
            return Self { by_signature: Vec::new(), lists: vec![any.into()] };
        }
        let mut table = vec![Vec::new(); SIGNATURES];
        for (member, walk) in told {
            walk.allowed(|at| table[at.index()].push(member));
        }
        let mut ids: HashMap<Vec<u16>, u32> = HashMap::new();
        let mut lists: Vec<Box<[u16]>> = Vec::new();
        let mut id_of = |list: Vec<u16>| {
            *ids.entry(list).or_insert_with_key(|list| {
                lists.push(list.iter().chain(&any).copied().collect());
                u32::try_from(lists.len() - 1).expect("there are no more lists than signatures")
            })
        };
        let by_signature = table.into_iter().map(&mut id_of).collect();
        Self { by_signature, lists }
    }

    /// The groups that may match a number whose first digit is at `place` of `field`.
    #[inline]
    pub(super) fn groups(&self, field: &[u8], place: usize) -> &[u16] {
        let list =
            self.by_signature.get(Signature::of(field, place).index()).map_or(0, |list| *list as usize);
        &self.lists[list]
    }
}

/// Those of `members` whose numbers can be told, and those of which nothing can be said: any number may be theirs.
fn divide<'g>(groups: &'g [Group], members: &[u16]) -> (Vec<(u16, Walk<'g>)>, Vec<u16>) {
    let (mut told, mut any) = (Vec::new(), Vec::new());
    for member in members {
        match Walk::new(&groups[usize::from(*member)]) {
            Some(walk) => told.push((*member, walk)),
            None => any.push(*member),
        }
    }
    (told, any)
}

/// The automaton of a group, walked for all numbers of one signature at once.
struct Walk<'a> {
    group: &'a Group,
    /// From the place back to the start, bytes.
    back: usize,
    /// Bytes of each kind, as many as it tells apart.
    digits: Vec<u8>,
    no_digits: Vec<u8>,
    words: Vec<u8>,
    others: Vec<u8>,
}

impl<'a> Walk<'a> {
    /// `None` when the start is at no fixed distance, or a match may end within a run.
    fn new(group: &'a Group) -> Option<Self> {
        let Reach::Match(Back::Bytes(back)) = group.reach else { return None };
        let forward = &group.forward;
        (group.edges != Edges::None).then(|| Self {
            group,
            back,
            digits: forward.distinct(|byte| byte.is_ascii_digit()),
            no_digits: forward.distinct(|byte| !byte.is_ascii_digit()),
            words: forward.distinct(|byte| is_word(byte) && !byte.is_ascii_digit()),
            others: forward.distinct(|byte| Kind::of(Some(&byte)) == Kind::Other),
        })
    }

    /// Calls `allow` with every signature with which the group may match, each once.
    fn allowed(&self, mut allow: impl FnMut(Signature)) {
        for before in Kind::ALL {
            let states = self.states_at(before);
            for leading in 0..10 {
                let digit = [b'0' + leading as u8];
                self.endings(self.group.forward.step(&states, &digit), &mut |first, after, second| {
                    allow(Signature { before, leading, first, after, second });
                });
            }
        }
    }

    /// The states at a place that a byte of kind `before` precedes.
    fn states_at(&self, before: Kind) -> States {
        let any = self.group.forward.distinct(|_| true);
        let last = self.group.forward.distinct(|byte| Kind::of(Some(&byte)) == before);
        let step = |states, left| self.group.forward.step(&states, if left == 0 { &last } else { &any });
        (0..self.back).rev().fold(self.group.forward.all_starts(), step)
    }

    /// Calls `allow(first, after, second)` for the ways in which a number may go on whose first digit has led to
    /// `states`.
    fn endings(&self, mut states: States, allow: &mut impl FnMut(usize, Kind, usize)) {
        for first in 1..=FIRST_MAX {
            let is_longest = first == FIRST_MAX;
            if states.is_empty() {
                return;
            }
            for (after, byte) in [(Kind::Space, b' '), (Kind::Hyphen, b'-'), (Kind::Dot, b'.')] {
                self.seconds(&states, byte, |second, may| {
                    if is_longest || may {
                        allow(first, after, second);
                    }
                });
            }
            if is_longest || self.group.forward.goes_on(&states, b":") {
                allow(first, Kind::Colon, 0);
            }
            if is_longest || self.group.forward.goes_on(&states, &self.words) {
                allow(first, Kind::Word, 0);
            }
            if is_longest || self.ends(&states, &self.others) {
                allow(first, Kind::Other, 0);
            }
            states = self.group.forward.step(&states, &self.digits);
        }
    }

    /// Calls `found(second, may)` with the length of every second run, and whether it may follow `separator` where the
    /// first has led to `states`.
    fn seconds(&self, states: &States, separator: u8, mut found: impl FnMut(usize, bool)) {
        let mut states = self.group.forward.step(states, &[separator]);
        // A match that ends with the first run; a digit behind the separator may refuse it.
        let whole = self.group.forward.any_match(&states);
        let whole_before_digit = whole && self.group.edges.allow_end(&[b'0', separator, b'0'], 1);
        for second in 0..=SECOND_MAX {
            let is_whole = if second == 0 { whole } else { whole_before_digit };
            let is_longest = second == SECOND_MAX && !states.is_empty();
            found(second, is_whole || is_longest || self.ends(&states, &self.no_digits));
            states = self.group.forward.step(&states, &self.digits);
        }
    }

    /// Whether a match may end at, or go on with one of `after` behind, a run of digits that has led to `states`. One
    /// that ends within the run does not count: edges refuse it.
    fn ends(&self, states: &States, after: &[u8]) -> bool {
        self.group.forward.goes_on(states, after) || self.group.forward.any_match_at_end(states)
    }
}

#[cfg(test)]
mod tests {
    use super::super::shapes::Trigger;
    use super::super::{DetectorSpec, Engine, Validator, catalog};
    use super::*;

    /// Whether the automaton of `group` finds a match there, edges included: what the table stands for.
    fn matches(group: &Group, field: &[u8], place: usize) -> bool {
        let Reach::Match(Back::Bytes(back)) = &group.reach else { return true };
        let Some(start) = place.checked_sub(*back) else { return false };
        let mut found = false;
        let may_end = |end| group.edges.allow_end(field, end);
        group.forward.ends(field, start, group.bytes_max, may_end, |_, _| found = true);
        found
    }

    #[test]
    fn no_group_is_left_out_that_matches() {
        let engine = Engine::compile(catalog::builtin()).unwrap();
        let members = &engine.by_trigger[Trigger::Digits as usize];
        let mut state = 7_u64;
        let mut next = |most: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % most
        };
        let mut counts = [0; 2];
        for _ in 0..4000 {
            let mut text = Vec::new();
            for _ in 0..6 {
                text.extend((0..1 + next(10)).map(|_| b"0123456789"[next(10)]));
                text.push(b"  --..:,xAT/"[next(12)]);
            }
            let is_first =
                |at: &usize| text[*at].is_ascii_digit() && (*at == 0 || !text[*at - 1].is_ascii_digit());
            for place in (0..text.len()).filter(is_first) {
                let listed = engine.numbers.groups(&text, place);
                for member in members {
                    let is_listed = listed.contains(member);
                    let matched = matches(&engine.groups[usize::from(*member)], &text, place);
                    assert!(is_listed || !matched, "{:?} at {place}", String::from_utf8_lossy(&text));
                    counts[usize::from(matched)] += usize::from(is_listed == matched);
                }
            }
        }
        // The table agrees with the automata on most matches and on most others.
        assert!(counts[0] > 100_000 && counts[1] > 1_000, "{counts:?}");
    }

    /// An engine of detectors that no table can tell apart by their numbers, each of a group of its own.
    fn untold(count: usize) -> Engine {
        let specs: Vec<DetectorSpec> = (0..count)
            .map(|index| {
                let pattern = format!(r"[A-Z]{{1,{}}}\d{{7}}", 2 + index);
                let mut spec =
                    DetectorSpec::custom(&format!("d{index}"), &pattern, Vec::new(), Validator::None);
                spec.shapes[0].trigger = Some(Trigger::Digits);
                spec
            })
            .collect();
        Engine::compile(&specs).unwrap()
    }

    #[test]
    fn groups_of_any_number_are_in_no_table() {
        let engine = untold(40);
        let members = &engine.by_trigger[Trigger::Digits as usize];
        let (told, any) = divide(&engine.groups, members);
        assert!(told.is_empty() && any.len() == 40, "{} told, {} not", told.len(), any.len());
        assert!(engine.numbers.by_signature.is_empty());
        assert_eq!(engine.numbers.groups(b"AB1234567", 2), members);
    }

    #[test]
    fn a_run_is_as_long_as_byte_by_byte() {
        for length in 0..40 {
            let text = [vec![b'7'; length], b"/:/".to_vec()].concat();
            for most in [SECOND_MAX, FIRST_MAX] {
                assert_eq!(run(&text, most), length.min(most));
                assert_eq!(run(&text[..length], most), length.min(most));
            }
        }
        assert_eq!((0..=u8::MAX).filter(|byte| run(&[*byte; 8], 8) == 8).count(), 10);
    }
}
