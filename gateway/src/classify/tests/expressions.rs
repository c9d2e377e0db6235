//! Hyperscan against another engine: the ends of every expression that it gets for the built-in detectors and for
//! the patterns of policies.

use regex_automata::hybrid::dfa::{Cache, DFA, OverlappingState};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind};

use super::{CUSTOM_PIECES, SplitMix, by_hand, custom_specs};
use crate::classify::catalog;
use crate::classify::hyperscan::{Database, Expression, HS_FLAG_CASELESS, HS_FLAG_DOTALL};
use crate::classify::plan::{self, Candidates};

/// By hand: `GATEWAY_EXPRESSION_INPUTS=10000000 cargo test --release -p gateway --lib another_engine`.
#[test]
fn hyperscan_finds_every_end_that_another_engine_finds() {
    let (expressions, pieces) = expressions();
    let database = Database::compile(&expressions).unwrap();
    let (mut scratch, mut other) = (database.scratch(), Other::new(&expressions));
    let mut random = SplitMix(11);
    let mut count = 0;
    let inputs = by_hand("GATEWAY_EXPRESSION_INPUTS").unwrap_or(20_000);
    for _ in 0..inputs {
        let text = input(&mut random, &pieces);
        let mut found = Vec::new();
        let all = database.scan(&mut scratch, &text, |id, end| {
            found.push((id, end));
            true
        });
        assert_eq!(all, Ok(()));
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, other.ends(&text), "text: {:?}", String::from_utf8_lossy(&text));
        count += found.len();
    }
    assert!(count > inputs, "{count} ends in {inputs} inputs");
}

/// The expressions of all detectors, and what they match.
fn expressions() -> (Vec<Expression>, Vec<Vec<u8>>) {
    let mut expressions: Vec<Expression> = Vec::new();
    let mut pieces: Vec<Vec<u8>> = CUSTOM_PIECES.iter().map(|piece| piece.as_bytes().to_vec()).collect();
    let mut add = |expression: Expression| {
        if !expressions.contains(&expression) {
            expressions.push(expression);
        }
    };
    let custom = custom_specs();
    let shapes = catalog::builtin().iter().chain(&custom).flat_map(|spec| &spec.shapes);
    for plan in shapes.flat_map(|shape| plan::plan(shape).unwrap()) {
        match plan.candidates {
            Candidates::Literals(literals) => literals.into_iter().for_each(|literal| {
                add(literal.expression());
                pieces.push(literal.bytes);
            }),
            Candidates::Expression(expression) => add(expression),
            Candidates::Shape { .. } | Candidates::Prefixes(_) => {}
        }
    }
    (expressions, pieces)
}

/// Some pieces, whole, cut or changed, between runs of one byte that move them over the edges of blocks.
fn input(random: &mut SplitMix, pieces: &[Vec<u8>]) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..1 + random.below(4) {
        let filler = *random.pick(b" x0-\n\xff");
        text.resize(text.len() + random.below(40), filler);
        let piece = random.pick(pieces);
        let from = text.len();
        text.extend_from_slice(&piece[if random.below(4) == 0 { random.below(piece.len()) } else { 0 }..]);
        match random.below(4) {
            0 => text[from..].make_ascii_uppercase(),
            1 => {
                let at = from + random.below(text.len() - from);
                text[at] = *random.pick(b"aZ09_-= \n\x00\xe9");
            }
            _ => {}
        }
    }
    text
}

/// The lazy automaton of `regex-automata`, which reports overlapping matches.
struct Other {
    dfa: DFA,
    cache: Cache,
}

impl Other {
    fn new(expressions: &[Expression]) -> Self {
        let pattern = |expression: &Expression| {
            let flag = |flag, letter| if expression.flags & flag == 0 { "" } else { letter };
            let flags = [flag(HS_FLAG_CASELESS, "(?i)"), flag(HS_FLAG_DOTALL, "(?s)")].concat();
            format!("{flags}{}", expression.text.to_str().unwrap())
        };
        let patterns: Vec<String> = expressions.iter().map(pattern).collect();
        let dfa = DFA::builder()
            .configure(DFA::config().match_kind(MatchKind::All))
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .thompson(thompson::Config::new().utf8(false))
            .build_many(&patterns)
            .unwrap();
        Self { cache: dfa.create_cache(), dfa }
    }

    /// Expression and end of every match, sorted.
    fn ends(&mut self, text: &[u8]) -> Vec<(u32, u32)> {
        let (input, mut state, mut ends) = (Input::new(text), OverlappingState::start(), Vec::new());
        loop {
            self.dfa.try_search_overlapping_fwd(&mut self.cache, &input, &mut state).unwrap();
            let Some(found) = state.get_match() else { break };
            ends.push((found.pattern().as_u32(), found.offset() as u32));
        }
        ends.sort_unstable();
        ends
    }
}
