//! How one shape is searched: where stage 1 looks, and how the starts of a match follow from the place that
//! it finds.

use std::ffi::CString;

use regex_syntax::hir::Hir;

use super::automaton::{Forward, Reverse};
use super::edges::Edges;
use super::hyperscan::{Expression, HS_FLAG_CASELESS, HS_FLAG_DOTALL};
use super::shapes::{self, TOKEN_BYTES_MIN, Trigger};
use super::spec::{Context, Shape};
use super::syntax::{self, Required};

/// Shortest run of leading digits for which a pattern without literals goes to the pass over shapes.
const LEADING_DIGITS_MIN: usize = 7;
/// Most bytes of all automata: over eight times what the built-in detectors take. Making them is most of compiling.
pub(super) const AUTOMATA_BYTES_MAX: usize = 64 << 20;
/// Shortest run of digits and separators that is not in every date.
const JOINED_MIN: usize = 11;

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
    /// Tokens that begin with these bytes.
    Prefixes(Vec<[u8; 3]>),
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
    /// Back from the place.
    Match(Back),
    /// What must stand before the match is back from the place; the match starts wherever that ends.
    After(Back, Box<Forward>),
}

/// The way from a place back to where something begins.
#[derive(Debug)]
pub(super) enum Back {
    /// So many bytes before it.
    Bytes(usize),
    /// Wherever the reverse automaton says.
    Reverse(Box<Reverse>),
}

impl Reach {
    /// The way back from the place.
    pub(super) fn back(&self) -> &Back {
        match self {
            Self::Match(back) | Self::After(back, _) => back,
        }
    }

    /// Bytes of its automata.
    pub(super) fn memory(&self) -> usize {
        let after = if let Self::After(_, after) = self { after.memory() } else { 0 };
        let back = if let Back::Reverse(back) = self.back() { back.memory() } else { 0 };
        after + back
    }
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

/// Plans each alternative of a shape.
pub(super) fn plan(shape: &Shape) -> Result<Vec<Plan>, Refusal> {
    let pattern = parse(&shape.pattern)?;
    if let Some(after) = &shape.after {
        return syntax::branches(&parse(after)?)
            .iter()
            .map(|after| plan_after(after, pattern.clone()))
            .collect();
    }
    if shape.context == Context::Key {
        return Ok(vec![at_start(pattern, Trigger::Key)]);
    }
    if shape.trigger == Some(Trigger::Listed) {
        return Ok(vec![at_start(pattern, Trigger::Listed)]);
    }
    syntax::branches(&pattern).into_iter().map(|branch| plan_branch(branch, shape)).collect()
}

fn parse(pattern: &str) -> Result<Hir, Refusal> {
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
    Ok(hir)
}

/// A plan for `pattern` where `after` ends: the literal is in `after`.
fn plan_after(after: &Hir, pattern: Hir) -> Result<Plan, Refusal> {
    let pieces = syntax::pieces(after);
    let required = syntax::required(&pieces).ok_or_else(|| Refusal {
        problem: "`after` has no literal".to_owned(),
        advice: "let it contain three bytes or more that must be there".to_owned(),
    })?;
    let back = back(&pieces[..required.piece])?;
    let after = Forward::new(std::slice::from_ref(after)).map_err(|_| too_large())?;
    Ok(Plan { pattern, candidates: literals(required), reach: Reach::After(back, Box::new(after)) })
}

fn plan_branch(pattern: Hir, shape: &Shape) -> Result<Plan, Refusal> {
    let pieces = syntax::pieces(&pattern);
    if let Some(trigger) = shape.trigger.or_else(|| digits_lead(&pieces).then_some(Trigger::Digits)) {
        return plan_shape(pattern, &pieces, trigger);
    }
    if is_token_from_start(&pieces, shape.edges) {
        if let Some(prefixes) = syntax::prefixes(&pieces) {
            let candidates = Candidates::Prefixes(prefixes);
            return Ok(Plan { pattern, candidates, reach: Reach::Match(Back::Bytes(0)) });
        }
        if shape.context == Context::Required && shape.edges == Edges::Value {
            return Ok(at_start(pattern, Trigger::Token));
        }
    }
    if let Some(required) = syntax::required(&pieces) {
        let reach = Reach::Match(back(&pieces[..required.piece])?);
        return Ok(Plan { pattern, candidates: literals(required), reach });
    }
    let expression = expression(&syntax::pcre(&pattern), HS_FLAG_DOTALL);
    let reverse = Reverse::new(&syntax::without_looks(&pattern)).map_err(|_| too_large())?;
    let reach = Reach::Match(Back::Reverse(Box::new(reverse)));
    Ok(Plan { pattern, candidates: Candidates::Expression(expression), reach })
}

fn literals(required: Required) -> Candidates {
    let Required { literals, caseless, .. } = required;
    Candidates::Literals(literals.into_iter().map(|bytes| Literal { bytes, caseless }).collect())
}

/// Whether every match is found where the pass finds a token: it begins with enough token bytes, and no word
/// goes on before it.
fn is_token_from_start(pieces: &[Hir], edges: Edges) -> bool {
    edges != Edges::None && syntax::leading_run(pieces, shapes::is_token) >= TOKEN_BYTES_MIN
}

/// A plan for places that are starts.
fn at_start(pattern: Hir, trigger: Trigger) -> Plan {
    let candidates = Candidates::Shape { trigger, digits: 0, joined: 0, group_max: 0 };
    Plan { pattern, candidates, reach: Reach::Match(Back::Bytes(0)) }
}

/// A plan for the pass over shapes.
fn plan_shape(pattern: Hir, pieces: &[Hir], trigger: Trigger) -> Result<Plan, Refusal> {
    let anchor = match trigger {
        Trigger::Open | Trigger::Token | Trigger::Key => Some(0),
        Trigger::CapitalsDigits => capitals_anchor(pieces),
        Trigger::At => syntax::piece_beginning_with(pieces, b'@'),
        Trigger::DottedQuad | Trigger::DottedTriple => syntax::piece_beginning_with(pieces, b'.'),
        Trigger::Colons => syntax::piece_beginning_with(pieces, b':'),
        Trigger::Digits => digits_anchor(pieces),
        Trigger::Escape | Trigger::Listed => None,
    };
    let Some(anchor) = anchor else {
        return Err(Refusal {
            problem: format!("the pattern has no piece that {trigger:?} finds"),
            advice: "leave `trigger` out".to_owned(),
        });
    };
    let joined = joined_of(&pieces[anchor..]);
    let group_max = syntax::leading_digits_max(&pieces[anchor..]);
    let candidates = Candidates::Shape { trigger, digits: digits_of(&pieces[anchor..]), joined, group_max };
    Ok(Plan { pattern, candidates, reach: Reach::Match(back(&pieces[..anchor])?) })
}

/// The piece with which a run of digits begins: at a known distance from the start one that is long, alone or with
/// its separators; else the first.
fn digits_anchor(pieces: &[Hir]) -> Option<usize> {
    let is_long = |at: usize| {
        let rest = &pieces[at..];
        digits_of(rest) >= LEADING_DIGITS_MIN || digits_of(rest) > 0 && joined_of(rest) >= JOINED_MIN
    };
    let begins_run = |at: usize| {
        let before = &pieces[at.saturating_sub(1)..at];
        let others = syntax::leading_run(before, |byte| !byte.is_ascii_digit());
        Some(others) == syntax::fixed_length(before) && syntax::fixed_length(&pieces[..at]).is_some()
    };
    let long = (0..pieces.len()).find(|at| is_long(*at) && begins_run(*at));
    long.or_else(|| (0..pieces.len()).find(|at| digits_of(&pieces[*at..]) > 0))
}

/// The piece that begins two capital letters before two digits, alone or between separators.
fn capitals_anchor(pieces: &[Hir]) -> Option<usize> {
    (0..pieces.len()).find(|at| {
        let after = (*at..pieces.len()).find(|next| syntax::fixed_length(&pieces[*at..*next]) == Some(2));
        syntax::leading_run(&pieces[*at..], |byte| byte.is_ascii_uppercase()) == 2
            && after.is_some_and(|next| digits_of(&pieces[next..]) >= 2 || is_spaced(&pieces[next..]))
    })
}

/// Whether every match begins with a separator, two digits and a separator.
fn is_spaced(pieces: &[Hir]) -> bool {
    let separators = |pieces: &[Hir]| syntax::leading_run(pieces, |byte| matches!(byte, b' ' | b'-'));
    separators(pieces) == 1 && digits_of(&pieces[1..]) == 2 && joined_of(pieces) >= 5
}

/// The way from the end of `prefix` to its starts.
fn back(prefix: &[Hir]) -> Result<Back, Refusal> {
    if let Some(length) = syntax::fixed_length(prefix) {
        return Ok(Back::Bytes(length));
    }
    let prefix = Hir::concat(prefix.iter().map(syntax::without_looks).collect());
    Reverse::new(&prefix).map(|reverse| Back::Reverse(Box::new(reverse))).map_err(|_| too_large())
}

fn digits_lead(pieces: &[Hir]) -> bool {
    digits_of(pieces) >= LEADING_DIGITS_MIN
}

fn digits_of(pieces: &[Hir]) -> usize {
    syntax::leading_run(pieces, |byte| byte.is_ascii_digit())
}

/// Least length of the run of digits and what separates them with which a match begins.
fn joined_of(pieces: &[Hir]) -> usize {
    syntax::leading_run(pieces, |byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'-'))
}

/// The refusal of an expression whose automaton would be too large.
pub(super) fn too_large() -> Refusal {
    Refusal {
        problem: "the pattern is too large".to_owned(),
        advice: "bound its repetitions, or begin it with a literal".to_owned(),
    }
}

/// Refuses the pattern with which automata are larger together than they may be.
pub(super) fn too_large_together() -> Refusal {
    Refusal {
        problem: format!(
            "with it the patterns' automata take more than {} MiB together",
            AUTOMATA_BYTES_MAX >> 20
        ),
        advice: "bound the repetitions of the largest, or leave detectors out".to_owned(),
    }
}

fn expression(text: &str, flags: u32) -> Expression {
    let text = CString::new(text).expect("printed bytes are `\\xHH`, never a NUL");
    Expression { text, flags }
}
