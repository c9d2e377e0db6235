//! Anchored automata of the confirm step: forward ones that report every end of every pattern from a given
//! start, reverse ones that report every start from a given place.
//!
//! Both are dense DFAs over bytes: one table look-up per byte, no allocation, no fallback.

use std::fmt;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::alphabet::ByteClasses;
use regex_automata::util::primitives::StateID;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::Hir;

/// Largest automaton, bytes: one that is larger stands for an expression that should be bounded.
pub(super) const AUTOMATON_BYTES_MAX: usize = 4 << 20;
/// Most memory for making one, bytes.
const DETERMINIZE_BYTES_MAX: usize = 32 << 20;

/// Reports ends.
pub(super) struct Forward {
    dfa: dense::DFA<Vec<u32>>,
    /// Where it begins, whatever precedes a match; `None` when that matters.
    start: Option<StateID>,
    classes: ByteClasses,
}

/// Reports starts.
pub(super) struct Reverse {
    dfa: dense::DFA<Vec<u32>>,
}

/// A set of states of one automaton from which a match is still possible.
#[derive(Debug)]
pub(super) struct States(Vec<StateID>);

impl States {
    fn of(states: impl Iterator<Item = StateID>) -> Self {
        let mut states: Vec<StateID> = states.collect();
        states.sort_unstable();
        states.dedup();
        Self(states)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte / 64)] |= 1 << (byte % 64);
    }

    #[inline]
    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte / 64)] >> (byte % 64) & 1 == 1
    }
}

/// The automaton would be larger than allowed, or the expression cannot be compiled.
#[derive(Debug)]
pub(super) struct TooLarge;

impl Forward {
    /// An automaton for `patterns`; their index is the pattern that `ends` reports.
    pub(super) fn new(patterns: &[Hir]) -> Result<Self, TooLarge> {
        let (dfa, classes) = build(patterns, false)?;
        Ok(Self { start: dfa.universal_start_state(Anchored::Yes), dfa, classes })
    }

    /// Calls `found(pattern, end)` for every match that starts at `start` and ends where `may_end` agrees, ends
    /// ascending, at most `bytes_max` long; returns the number of bytes it read.
    pub(super) fn ends(
        &self,
        field: &[u8],
        start: usize,
        bytes_max: usize,
        may_end: impl Fn(usize) -> bool,
        mut found: impl FnMut(usize, usize),
    ) -> usize {
        let Some(mut state) = self.start_state(field, start) else { return 0 };
        let stop = field.len().min(start.saturating_add(bytes_max).saturating_add(1));
        let mut at = start;
        // A match is reported by the state after the byte that follows it.
        while at < stop {
            state = self.dfa.next_state(state, field[at]);
            if self.dfa.is_special_state(state) {
                if self.dfa.is_match_state(state) {
                    if may_end(at) {
                        self.report(state, at, &mut found);
                    }
                } else if self.dfa.is_dead_state(state) {
                    return at + 1 - start;
                }
            }
            at += 1;
        }
        if at == field.len() && at - start <= bytes_max {
            state = self.dfa.next_eoi_state(state);
            if self.dfa.is_match_state(state) && may_end(at) {
                self.report(state, at, &mut found);
            }
        }
        at - start
    }

    #[inline]
    fn start_state(&self, field: &[u8], start: usize) -> Option<StateID> {
        let input = || Input::new(field).range(start..).anchored(Anchored::Yes);
        self.start.or_else(|| self.dfa.start_state_forward(&input()).ok())
    }

    /// The bytes with which a match may begin, whatever precedes it.
    pub(super) fn first_bytes(&self) -> ByteSet {
        let mut set = ByteSet::default();
        for byte in 0..=u8::MAX {
            let begins = |text: &[u8]| {
                let input = Input::new(text).range(text.len() - 1..).anchored(Anchored::Yes);
                let start = self.dfa.start_state_forward(&input);
                start.is_ok_and(|start| !self.dfa.is_dead_state(self.dfa.next_state(start, byte)))
            };
            // One byte of each kind that a look-behind tells apart, and none.
            if begins(&[byte]) || [b'a', b' ', b'\n', b'\r'].iter().any(|before| begins(&[*before, byte])) {
                set.insert(byte);
            }
        }
        set
    }

    /// Every state in which it may begin, whatever precedes the match.
    pub(super) fn all_starts(&self) -> States {
        let starts = (0..=u8::MAX).filter_map(|before| self.start_state(&[before, b' '], 1));
        States::of(starts.chain(self.start_state(b" ", 0)).filter(|state| !self.dfa.is_dead_state(*state)))
    }

    /// Bytes with the property, one of each kind that the automaton tells apart.
    pub(super) fn distinct(&self, has: impl Fn(u8) -> bool) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..=u8::MAX).filter(|byte| has(*byte)).collect();
        bytes.sort_by_key(|byte| self.classes.get(*byte));
        bytes.dedup_by_key(|byte| self.classes.get(*byte));
        bytes
    }

    /// The states that the bytes lead to.
    pub(super) fn step(&self, states: &States, bytes: &[u8]) -> States {
        States::of(self.next_states(states, bytes))
    }

    /// Whether one of the bytes leads on.
    pub(super) fn goes_on(&self, states: &States, bytes: &[u8]) -> bool {
        self.next_states(states, bytes).next().is_some()
    }

    fn next_states(&self, states: &States, bytes: &[u8]) -> impl Iterator<Item = StateID> {
        let next = move |state: &StateID| {
            let state = *state;
            bytes.iter().map(move |byte| self.dfa.next_state(state, *byte))
        };
        states.0.iter().flat_map(next).filter(|state| !self.dfa.is_dead_state(*state))
    }

    /// Whether a match ends before the byte that led to one of the states.
    pub(super) fn any_match(&self, states: &States) -> bool {
        states.0.iter().any(|state| self.dfa.is_match_state(*state))
    }

    /// Whether a match ends where the field does.
    pub(super) fn any_match_at_end(&self, states: &States) -> bool {
        states.0.iter().any(|state| self.dfa.is_match_state(self.dfa.next_eoi_state(*state)))
    }

    fn report(&self, state: StateID, end: usize, found: &mut impl FnMut(usize, usize)) {
        for index in 0..self.dfa.match_len(state) {
            found(self.dfa.match_pattern(state, index).as_usize(), end);
        }
    }

    /// Bytes of its tables.
    pub(super) fn memory(&self) -> usize {
        self.dfa.memory_usage()
    }
}

impl Reverse {
    /// An automaton for the reverse of `pattern`, whose look-around is ignored.
    pub(super) fn new(pattern: &Hir) -> Result<Self, TooLarge> {
        build(std::slice::from_ref(pattern), true).map(|(dfa, _)| Self { dfa })
    }

    /// Bytes of its tables.
    pub(super) fn memory(&self) -> usize {
        self.dfa.memory_usage()
    }

    /// Calls `found(start)` for every match that ends at `end`, starts descending, at most `bytes_max` long;
    /// returns the number of bytes it read.
    pub(super) fn starts(
        &self,
        field: &[u8],
        end: usize,
        bytes_max: usize,
        mut found: impl FnMut(usize),
    ) -> usize {
        let input = Input::new(field).range(..end).anchored(Anchored::Yes);
        let Ok(mut state) = self.dfa.start_state_reverse(&input) else { return 0 };
        let stop = end.saturating_sub(bytes_max.saturating_add(1));
        let mut at = end;
        while at > stop {
            at -= 1;
            state = self.dfa.next_state(state, field[at]);
            if self.dfa.is_match_state(state) {
                found(at + 1);
            } else if self.dfa.is_dead_state(state) {
                return end - at;
            }
        }
        if at == 0 && end <= bytes_max {
            state = self.dfa.next_eoi_state(state);
            if self.dfa.is_match_state(state) {
                found(0);
            }
        }
        end - at
    }
}

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forward").field("bytes", &self.dfa.memory_usage()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Reverse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reverse").field("bytes", &self.dfa.memory_usage()).finish_non_exhaustive()
    }
}

/// An automaton, and the bytes that it does not tell apart.
fn build(patterns: &[Hir], reverse: bool) -> Result<(dense::DFA<Vec<u32>>, ByteClasses), TooLarge> {
    let thompson = thompson::Config::new().utf8(false).reverse(reverse).which_captures(WhichCaptures::None);
    let nfa = thompson::Compiler::new()
        .configure(thompson.nfa_size_limit(Some(DETERMINIZE_BYTES_MAX)))
        .build_many_from_hir(patterns)
        .map_err(|_| TooLarge)?;
    let config = dense::Config::new()
        .match_kind(MatchKind::All)
        .start_kind(StartKind::Anchored)
        .accelerate(false)
        .dfa_size_limit(Some(AUTOMATON_BYTES_MAX))
        .determinize_size_limit(Some(DETERMINIZE_BYTES_MAX));
    let dfa = dense::Builder::new().configure(config).build_from_nfa(&nfa).map_err(|_| TooLarge)?;
    Ok((dfa, *nfa.byte_classes()))
}

#[cfg(test)]
mod tests {
    use super::super::syntax::parse;
    use super::*;

    #[test]
    fn forward_reports_every_end_of_every_pattern() {
        let forward = Forward::new(&[parse("ab+").unwrap(), parse("abb").unwrap()]).unwrap();
        let mut found = Vec::new();
        forward.ends(b"xabbb", 1, 3, |_| true, |pattern, end| found.push((pattern, end)));
        found.sort_unstable();
        assert_eq!(found, [(0, 3), (0, 4), (1, 4)]);
    }

    #[test]
    fn forward_sees_the_byte_before_and_after() {
        let forward = Forward::new(&[parse(r"\bab\b").unwrap()]).unwrap();
        let ends = |field: &[u8], start| {
            let mut found = Vec::new();
            forward.ends(field, start, 9, |_| true, |_, end| found.push(end));
            found
        };
        assert_eq!(ends(b" ab ", 1), [3]);
        assert_eq!(ends(b"ab", 0), [2]);
        assert!(ends(b"xab ", 1).is_empty());
        assert!(ends(b" abx", 1).is_empty());
    }

    #[test]
    fn reverse_reports_every_start() {
        let reverse = Reverse::new(&parse("[a-c]{0,3}").unwrap()).unwrap();
        let starts = |field: &[u8], end, bytes_max| {
            let mut found = Vec::new();
            reverse.starts(field, end, bytes_max, |start| found.push(start));
            found
        };
        assert_eq!(starts(b"xabcabc@", 7, 9), [7, 6, 5, 4]);
        assert_eq!(starts(b"ab@", 2, 9), [2, 1, 0]);
        assert_eq!(starts(b"xabc@", 4, 2), [4, 3, 2]);
    }
}
