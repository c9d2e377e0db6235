//! Why something is a finding, and why something that looks like one is not.
//!
//! The slow twin of the confirm step: every start of a field is tried with every shape, and each check says
//! what it decided. It shares patterns, edges, validators and context with the engine, and the tests demand
//! that both find the same.

mod nearby;

pub use nearby::Word;

use std::cmp::Reverse;
use std::ops::Range;

use super::automaton::Forward;
use super::plan::{self, Back, Candidates, Literal, Plan, Reach};
use super::scan::is_allowed;
use super::shapes::Trigger;
use super::spec::AFTER_BYTES_MAX;
use super::unescaped::Unescaped;
use super::validate::Match;
use super::{Context, DetectorSpec, Engine, Shape, Validator};
use crate::payload::DetectorIndex;
use nearby::Phrases;

/// Explains what an engine finds.
#[derive(Debug)]
pub struct Explainer<'e> {
    detectors: Vec<Detector<'e>>,
}

/// What was found in one field, and what nearly was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The findings, in the engine's order.
    pub findings: Vec<Explained>,
    /// Candidates that one check alone refused, ascending. Those of one detector never overlap each other or
    /// its findings: of several the longest is told. None lies within a finding, which says more.
    pub near_misses: Vec<NearMiss>,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// What was found.
    pub detector: DetectorIndex,
    /// Where, in the field.
    pub span: Range<usize>,
    /// Which pattern matched, and why it was tried there.
    pub origin: Origin,
    /// The validator that accepted it.
    pub validator: Validator,
    /// The context word that agreed.
    pub word: Option<Word>,
}

/// A candidate that is no finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// What it could have been.
    pub detector: DetectorIndex,
    /// Where, in the field.
    pub span: Range<usize>,
    /// Which pattern matched, and why it was tried there.
    pub origin: Origin,
    /// Why it is none.
    pub refusal: Refusal,
}

/// Where a candidate came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The pattern of the shape.
    pub pattern: String,
    /// What stage 1 looks for, in words.
    pub looked_for: String,
}

/// What one alternative of a pattern costs, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Where it is tried.
    pub looked_for: String,
    /// What would be cheaper.
    pub cheaper: &'static str,
}

/// Why a candidate is no finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The validator refused it.
    Validator(Validator),
    /// The detector's allow list names the value.
    Allowed,
    /// It is none of the detector's values.
    Unlisted,
    /// A context word must be near, and none is.
    NoWord,
    /// A word near it speaks against it.
    WordAgainst(Word),
    /// The detector yields to another one, which found something there.
    Yields(DetectorIndex),
}

/// A detector with its shapes and words.
#[derive(Debug)]
struct Detector<'e> {
    spec: &'e DetectorSpec,
    ways: Vec<Way<'e>>,
    words: Phrases<'e>,
    not_words: Phrases<'e>,
}

/// One alternative of a shape.
#[derive(Debug)]
struct Way<'e> {
    shape: &'e Shape,
    forward: Forward,
    /// What must stand before a match.
    after: Option<Forward>,
    looked_for: String,
    cheaper: &'static str,
}

/// A match of a pattern within its edges, and what became of it.
struct Candidate<'w> {
    start: usize,
    /// The end of the finding.
    end: usize,
    way: &'w Way<'w>,
    verdict: Verdict,
}

enum Verdict {
    Found(Option<Word>),
    NearMiss(Refusal),
    Refused,
}

impl<'e> Explainer<'e> {
    /// An explainer of what `engine` finds.
    pub fn new(engine: &'e Engine) -> Self {
        Self { detectors: engine.detectors().iter().map(Detector::new).collect() }
    }

    /// What the alternatives of a detector's patterns cost.
    ///
    /// # Panics
    ///
    /// When `detector` comes from another engine.
    pub fn costs(&self, detector: DetectorIndex) -> Vec<Cost> {
        let ways = self.detectors[usize::from(detector.0)].ways.iter();
        ways.map(|way| Cost { looked_for: way.looked_for.clone(), cheaper: way.cheaper }).collect()
    }

    /// Tries every start of `field`.
    pub fn explain(&self, field: &[u8]) -> Explanation {
        let mut explanation = self.explain_as_written(field);
        self.explain_unescaped(field, &mut explanation.findings);
        let Explanation { findings, near_misses } = &mut explanation;
        near_misses.retain(|near| !findings.iter().any(|found| covers(&found.span, &near.span)));
        self.yield_to_others(&mut explanation);
        explanation.findings.sort_by_key(|found| (found.span.start, Reverse(found.span.end), found.detector));
        explanation.near_misses.sort_by_key(|near| (near.span.start, Reverse(near.span.end), near.detector));
        explanation
    }

    /// What is found in `field` as it stands, detector by detector.
    fn explain_as_written(&self, field: &[u8]) -> Explanation {
        let mut explanation = Explanation::default();
        for (index, detector) in (0..).map(DetectorIndex).zip(&self.detectors) {
            detector.explain(index, field, &mut explanation);
        }
        explanation
    }

    /// Adds what is found once escapes are decoded, each as one with the findings that it overlaps.
    fn explain_unescaped(&self, field: &[u8], findings: &mut Vec<Explained>) {
        let Some(unescaped) = Unescaped::of(field) else { return };
        for mut hidden in self.explain_as_written(unescaped.field(0)).findings {
            hidden.span = unescaped.range_written(&hidden.span);
            if let Some(word) = &mut hidden.word {
                word.span = unescaped.range_written(&word.span);
            }
            let joins = |other: &mut Explained| {
                other.detector == hidden.detector && overlap(&other.span, &hidden.span)
            };
            let (mut start, mut end) = (hidden.span.start, hidden.span.end);
            for other in findings.extract_if(.., joins) {
                (start, end) = (start.min(other.span.start), end.max(other.span.end));
            }
            hidden.span = start..end;
            findings.push(hidden);
        }
    }

    /// Makes near misses of the findings of fallback detectors that overlap those of others.
    fn yield_to_others(&self, explanation: &mut Explanation) {
        let is_fallback = |found: &Explained| self.detectors[usize::from(found.detector.0)].spec.fallback;
        let (fallbacks, others): (Vec<_>, Vec<_>) = explanation.findings.drain(..).partition(is_fallback);
        for found in fallbacks {
            match others.iter().find(|other| overlap(&other.span, &found.span)) {
                Some(other) => explanation.near_misses.push(NearMiss {
                    detector: found.detector,
                    span: found.span,
                    origin: found.origin,
                    refusal: Refusal::Yields(other.detector),
                }),
                None => explanation.findings.push(found),
            }
        }
        explanation.findings.extend(others);
    }
}

impl<'e> Detector<'e> {
    fn new(spec: &'e DetectorSpec) -> Self {
        let ways = spec.shapes.iter().flat_map(Way::all).collect();
        Self { spec, ways, words: Phrases::new(&spec.keywords), not_words: Phrases::new(&spec.not_keywords) }
    }

    fn explain(&self, index: DetectorIndex, field: &[u8], explanation: &mut Explanation) {
        let mut candidates = self.candidates(field);
        candidates.sort_by_key(|candidate| (candidate.start, Reverse(candidate.end)));
        let mut from = 0;
        let first = explanation.findings.len();
        for candidate in &candidates {
            if let Verdict::Found(word) = &candidate.verdict
                && candidate.start >= from
            {
                explanation.findings.push(Explained {
                    detector: index,
                    span: candidate.span(),
                    origin: candidate.way.origin(),
                    validator: candidate.way.shape.validator,
                    word: word.clone(),
                });
                from = candidate.end;
            }
        }
        let mut taken: Vec<Range<usize>> =
            explanation.findings[first..].iter().map(|found| found.span.clone()).collect();
        candidates.sort_by_key(|candidate| (Reverse(candidate.end - candidate.start), candidate.start));
        for candidate in &candidates {
            let Verdict::NearMiss(refusal) = &candidate.verdict else { continue };
            let span = candidate.span();
            if !taken.iter().any(|taken| overlap(taken, &span)) {
                taken.push(span.clone());
                let (origin, refusal) = (candidate.way.origin(), refusal.clone());
                explanation.near_misses.push(NearMiss { detector: index, span, origin, refusal });
            }
        }
    }

    /// Every match of every shape within its edges.
    fn candidates<'w>(&'w self, field: &[u8]) -> Vec<Candidate<'w>>
    where
        'e: 'w,
    {
        let mut candidates = Vec::new();
        for way in &self.ways {
            for start in way.starts(field) {
                way.ends(field, start, self.spec.max_length as usize, |end| {
                    candidates.push(self.judge(way, Match { field, start, end }));
                });
            }
        }
        candidates
    }

    fn judge<'w>(&'w self, way: &'w Way<'w>, found: Match<'_>) -> Candidate<'w> {
        let end = way.shape.validator.accept(found);
        let is_listed = self.spec.lists(&found);
        let context = self.context(way.shape.context, &found);
        let verdict = match (end, is_allowed(self.spec, &found), context) {
            // Where there is no pattern, every word is a candidate.
            (Some(_), false, Ok(_)) if !is_listed && way.shape.trigger != Some(Trigger::Listed) => {
                Verdict::NearMiss(Refusal::Unlisted)
            }
            _ if !is_listed => Verdict::Refused,
            (Some(_), false, Ok(word)) => Verdict::Found(word),
            (None, false, Ok(_)) => Verdict::NearMiss(Refusal::Validator(way.shape.validator)),
            (Some(_), true, Ok(_)) => Verdict::NearMiss(Refusal::Allowed),
            // Any text is a candidate behind a key, so without the key it is none.
            (Some(_), false, Err(refusal)) if way.shape.context != Context::Key => Verdict::NearMiss(refusal),
            _ => Verdict::Refused,
        };
        Candidate { start: found.start, end: end.unwrap_or(found.end), way, verdict }
    }

    /// The context word that agrees, if there must or may be one.
    fn context(&self, context: Context, found: &Match<'_>) -> Result<Option<Word>, Refusal> {
        if context == Context::Key {
            return self.words.at_end_of_key(found).map(Some).ok_or(Refusal::NoWord);
        }
        let word = self.words.before(found).or_else(|| self.words.after(found));
        match (context, &word) {
            (Context::None, None) => match self.not_words.just_before(found) {
                Some(against) => Err(Refusal::WordAgainst(against)),
                None => Ok(None),
            },
            (_, None) => Err(Refusal::NoWord),
            (_, Some(_)) => Ok(word),
        }
    }
}

impl<'e> Way<'e> {
    /// The alternatives of a shape.
    fn all(shape: &'e Shape) -> Vec<Self> {
        let plans = plan::plan(shape).expect("the engine compiled the shape");
        let way = |plan: Plan| Way {
            shape,
            cheaper: cheaper(&plan),
            looked_for: looked_for(&plan.candidates),
            forward: Forward::new(&[plan.pattern]).expect("the engine made the same automaton"),
            after: match plan.reach {
                Reach::After(_, after) => Some(*after),
                Reach::Match(_) => None,
            },
        };
        plans.into_iter().map(way).collect()
    }

    /// Where a match may start, ascending.
    fn starts(&self, field: &[u8]) -> Vec<usize> {
        let begins = |start: &usize| self.shape.edges.allow_start(field, *start);
        let Some(after) = &self.after else { return (0..field.len()).filter(begins).collect() };
        let mut starts = Vec::new();
        for begin in 0..field.len() {
            after.ends(field, begin, AFTER_BYTES_MAX, |_| true, |_, end| starts.push(end));
        }
        starts.sort_unstable();
        starts.dedup();
        starts.retain(|start| *start < field.len() && begins(start));
        starts
    }

    fn ends(&self, field: &[u8], start: usize, bytes_max: usize, mut found: impl FnMut(usize)) {
        let may_end = |end| self.shape.edges.allow_end(field, end);
        self.forward.ends(field, start, bytes_max, may_end, |_, end| found(end));
    }

    fn origin(&self) -> Origin {
        Origin { pattern: self.shape.pattern.clone(), looked_for: self.looked_for.clone() }
    }
}

impl Candidate<'_> {
    fn span(&self) -> Range<usize> {
        self.start..self.end
    }
}

fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

fn covers(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// What stage 1 looks for, in words.
fn looked_for(candidates: &Candidates) -> String {
    match candidates {
        Candidates::Shape { trigger, .. } => match trigger {
            Trigger::Digits => "a run of digits",
            Trigger::At => "an `@`",
            Trigger::DottedQuad => "dots at the distance of octets",
            Trigger::DottedTriple => "a dot after three digits",
            Trigger::Colons => "colons at the distance of hexadecimal groups",
            Trigger::Open => "a `+` or `(` before a digit",
            Trigger::CapitalsDigits => "two capitals before two digits",
            Trigger::Token => "a run of letters and digits",
            Trigger::Key => "what separates a key from its value",
            Trigger::Escape => "an escape",
            Trigger::Listed => "words of the list",
        }
        .to_owned(),
        Candidates::Literals(literals) => listed("literal", literals.iter().map(literal)),
        Candidates::Prefixes(prefixes) => listed("prefix", prefixes.iter().map(|prefix| escaped(prefix))),
        Candidates::Expression(_) => "the whole pattern".to_owned(),
    }
}

/// A form that is tried in fewer places.
fn cheaper(plan: &Plan) -> &'static str {
    match (&plan.candidates, plan.reach.back()) {
        (Candidates::Shape { trigger: Trigger::Listed, .. }, _) => "give it a `pattern` of its values",
        (Candidates::Expression(_), _) => "begin it with text that is always there, three rare bytes or more",
        (_, Back::Reverse(_)) => "leave out what may stand before that, or bound its repetitions",
        (Candidates::Literals(_), _) => {
            "use text that is longer or rarer, or add what always stands before it"
        }
        _ => "put text that is always there before it, or bound its repetitions",
    }
}

fn literal(literal: &Literal) -> String {
    escaped(&literal.bytes)
}

fn escaped(bytes: &[u8]) -> String {
    format!("`{}`", bytes.escape_ascii())
}

/// The first few of them.
fn listed(what: &str, items: impl ExactSizeIterator<Item = String>) -> String {
    let more = if items.len() > LISTED_MAX { ", .." } else { "" };
    format!("{what} {}{more}", items.take(LISTED_MAX).collect::<Vec<_>>().join(", "))
}

/// Most literals that are listed.
const LISTED_MAX: usize = 4;

#[cfg(test)]
mod tests;
