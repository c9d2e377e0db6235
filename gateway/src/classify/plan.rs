//! How one shape is searched: where stage 1 looks, and how the starts of a match follow from the place that
//! it finds.

use std::ffi::CString;

use regex_syntax::hir::Hir;

use super::automaton::Reverse;
use super::hyperscan::{Expression, HS_FLAG_CASELESS, HS_FLAG_DOTALL};
use super::shapes::Trigger;
use super::syntax;

/// Shortest run of leading digits for which a pattern without literals goes to the pass over shapes.
const LEADING_DIGITS_MIN: usize = 7;

/// One alternative of a shape and how it is searched.
#[derive(Debug)]
pub(super) struct Plan {
    /// The alternative.
    pub(super) pattern: Hir,
    /// Where stage 1 looks.
    pub(super) candidates: Candidates,
    /// From the place that it finds to the start of a match.
    pub(super) reach: Reach,
}

/// What stage 1 looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Candidates {
    /// A shape; for digits, the runs with which every match begins.
    Shape { trigger: Trigger, digits: usize, joined: usize, group_max: usize },
    /// Literals: the place is their first byte.
    Literals(Vec<Literal>),
    /// The whole expression: the place is its end.
    Expression(Expression),
}

/// One literal for Hyperscan.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Literal {
    /// Its bytes, lower case when `caseless`.
    pub(super) bytes: Vec<u8>,
    /// Letters match in either case.
    pub(super) caseless: bool,
}

/// How the starts of a match follow from a place.
#[derive(Debug)]
pub(super) enum Reach {
    /// So many bytes before it.
    Back(usize),
    /// Wherever the reverse automaton says.
    Reverse(Box<Reverse>),
}

/// Why a shape cannot be searched, and what can.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) problem: String,
    pub(super) advice: String,
}

impl Literal {
    /// The literal as Hyperscan reads it.
    pub(super) fn expression(&self) -> Expression {
        let mut text = String::new();
        self.bytes.iter().for_each(|byte| syntax::print_byte(*byte, &mut text));
        expression(&text, if self.caseless { HS_FLAG_CASELESS } else { 0 })
    }
}

/// Plans each alternative of `pattern`; `trigger` is what the declaration names, if it does.
pub(super) fn plan(pattern: &str, trigger: Option<Trigger>) -> Result<Vec<Plan>, Refusal> {
    let hir = syntax::parse(pattern).map_err(|problem| Refusal {
        problem: format!("the pattern is not valid: {problem}"),
        advice: "see the syntax of the `regex` crate; look-ahead and back-references do not exist".to_owned(),
    })?;
    if hir.properties().minimum_len().unwrap_or(0) == 0 {
        return Err(Refusal {
            problem: "the pattern matches the empty text".to_owned(),
            advice: "give it something that must be there".to_owned(),
        });
    }
    syntax::branches(&hir).into_iter().map(|branch| plan_branch(branch, trigger)).collect()
}

fn plan_branch(pattern: Hir, trigger: Option<Trigger>) -> Result<Plan, Refusal> {
    let pieces = syntax::pieces(&pattern);
    if let Some(trigger) = trigger.or_else(|| digits_lead(&pieces).then_some(Trigger::Digits)) {
        return shape(pattern, &pieces, trigger);
    }
    if let Some(required) = syntax::required(&pieces) {
        let reach = reach(&pieces[..required.piece])?;
        let caseless = required.caseless;
        let literals = required.literals.into_iter().map(|bytes| Literal { bytes, caseless }).collect();
        return Ok(Plan { pattern, candidates: Candidates::Literals(literals), reach });
    }
    let expression = expression(&syntax::pcre(&pattern), HS_FLAG_DOTALL);
    let reverse = Reverse::new(&syntax::without_looks(&pattern)).map_err(|_| too_large())?;
    let reach = Reach::Reverse(Box::new(reverse));
    Ok(Plan { pattern, candidates: Candidates::Expression(expression), reach })
}

/// A plan for the pass over shapes.
fn shape(pattern: Hir, pieces: &[Hir], trigger: Trigger) -> Result<Plan, Refusal> {
    let anchor = match trigger {
        Trigger::Open | Trigger::CapitalsDigits => Some(0),
        Trigger::At => syntax::piece_beginning_with(pieces, b'@'),
        Trigger::DottedQuad | Trigger::DottedTriple => syntax::piece_beginning_with(pieces, b'.'),
        Trigger::Colons => syntax::piece_beginning_with(pieces, b':'),
        Trigger::Digits => (0..pieces.len()).find(|at| digits_of(&pieces[*at..]) > 0),
    };
    let Some(anchor) = anchor else {
        return Err(Refusal {
            problem: format!("the pattern has no piece that {trigger:?} finds"),
            advice: "leave `trigger` out".to_owned(),
        });
    };
    let joined =
        syntax::leading_run(&pieces[anchor..], |byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'-'));
    let group_max = syntax::leading_digits_max(&pieces[anchor..]);
    let candidates = Candidates::Shape { trigger, digits: digits_of(&pieces[anchor..]), joined, group_max };
    Ok(Plan { pattern, candidates, reach: reach(&pieces[..anchor])? })
}

/// How to get from the end of `prefix` to its starts.
fn reach(prefix: &[Hir]) -> Result<Reach, Refusal> {
    if let Some(length) = syntax::fixed_length(prefix) {
        return Ok(Reach::Back(length));
    }
    let prefix = Hir::concat(prefix.iter().map(syntax::without_looks).collect());
    Reverse::new(&prefix).map(|reverse| Reach::Reverse(Box::new(reverse))).map_err(|_| too_large())
}

fn digits_lead(pieces: &[Hir]) -> bool {
    digits_of(pieces) >= LEADING_DIGITS_MIN
}

fn digits_of(pieces: &[Hir]) -> usize {
    syntax::leading_run(pieces, |byte| byte.is_ascii_digit())
}

/// The refusal of an expression whose automaton would be too large.
pub(super) fn too_large() -> Refusal {
    Refusal {
        problem: "the pattern is too large".to_owned(),
        advice: "bound its repetitions, or begin it with a literal".to_owned(),
    }
}

fn expression(text: &str, flags: u32) -> Expression {
    let text = CString::new(text).expect("printed bytes are `\\xHH`, never a NUL");
    Expression { text, flags }
}
