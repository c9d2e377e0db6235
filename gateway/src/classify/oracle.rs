//! What the engine must find, computed naively: every start of every field is tried with the `regex` crate, the
//! same validators and the same context, without prefilter, SIMD, Hyperscan or our automata.

use regex::bytes::Regex;

use super::context::{self, Words};
use super::edges::Edges;
use super::validate::Match;
use super::{Context, DetectorSpec, Engine, Shape};
use crate::payload::{DetectorIndex, Field, Finding, Part};

/// The naive form of an engine.
pub(super) struct Oracle {
    detectors: Vec<Detector>,
}

/// One detector: its shapes, its context words, and the words against it.
struct Detector {
    spec: DetectorSpec,
    shapes: Vec<Naive>,
    words: Option<Words>,
    not_words: Option<Words>,
}

/// One shape.
struct Naive {
    shape: Shape,
    /// Finds where it may start.
    anywhere: Regex,
    /// Matches a whole slice.
    whole: Regex,
}

impl Oracle {
    pub(super) fn new(specs: &[DetectorSpec]) -> Self {
        let words = |words: &[String]| {
            Words::new(&words.iter().map(|word| (word.clone(), vec![0])).collect::<Vec<_>>())
        };
        let detectors = specs.iter().map(|spec| Detector {
            spec: spec.clone(),
            shapes: spec.shapes.iter().map(Naive::new).collect(),
            words: words(&spec.keywords),
            not_words: words(&spec.not_keywords),
        });
        Self { detectors: detectors.collect() }
    }

    /// All findings, in the engine's order.
    pub(super) fn scan(&self, text: &[u8], fields: &[Field]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (index, field) in (0..).zip(fields) {
            for (index_of, detector) in (0..).zip(&self.detectors) {
                let bytes = &text[field.range()];
                let mut at = 0;
                while let Some((start, end)) = detector.leftmost(bytes, at) {
                    findings.push(Finding {
                        detector: DetectorIndex(index_of),
                        field: index,
                        start: field.start + start as u32,
                        end: field.start + end as u32,
                    });
                    at = end;
                }
            }
        }
        findings.sort_by_key(|f| (f.field, f.start, std::cmp::Reverse(f.end), f.detector));
        findings
    }
}

impl Naive {
    fn new(shape: &Shape) -> Self {
        let regex =
            |pattern: String| regex::bytes::RegexBuilder::new(&pattern).unicode(false).build().unwrap();
        let (anywhere, whole) = (regex(shape.pattern.clone()), regex(format!("^(?s-m:{})$", shape.pattern)));
        Self { shape: shape.clone(), anywhere, whole }
    }

    /// The ends of all accepted matches that start at `start`.
    fn ends<'a>(
        &'a self,
        spec: &'a DetectorSpec,
        field: &'a [u8],
        start: usize,
    ) -> impl Iterator<Item = Match<'a>> {
        let limit = field.len().min(start + spec.max_length as usize);
        let edges: Edges = self.shape.edges;
        (start + 1..=limit)
            .filter(move |end| edges.allow_start(field, start) && edges.allow_end(field, *end))
            .filter(move |end| self.whole.is_match(&field[start..*end]))
            .map(move |end| Match { field, start, end })
    }
}

impl Detector {
    /// The leftmost start at or after `from` at which some shape is accepted, and its longest end.
    fn leftmost(&self, field: &[u8], from: usize) -> Option<(usize, usize)> {
        let begins =
            |naive: &Naive, start| naive.anywhere.find_at(field, start).is_some_and(|m| m.start() == start);
        (from..field.len()).find_map(|start| {
            let shapes = self.shapes.iter().filter(|naive| begins(naive, start));
            let found = shapes
                .flat_map(|naive| naive.ends(&self.spec, field, start).map(move |found| (naive, found)));
            let longest = found.filter_map(|(naive, found)| self.accepted_end(&naive.shape, &found)).max();
            longest.map(|end| (start, end))
        })
    }

    fn accepted_end(&self, shape: &Shape, found: &Match<'_>) -> Option<usize> {
        let significant = |bytes: &[u8]| -> Vec<u8> {
            bytes.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect()
        };
        let end = shape.validator.accept(*found)?;
        if self.spec.allow.iter().any(|allowed| significant(allowed.as_bytes()) == significant(found.bytes()))
        {
            return None;
        }
        let (before, is_key) = context::before(found.field, found.start);
        let has = |words: &Option<Words>, text: &[u8]| {
            let mut has = false;
            words.iter().for_each(|words| words.find(text, |_| has = true));
            has
        };
        let before = &found.field[before..found.start];
        let after =
            if is_key { &[] } else { &found.field[found.end..context::after(found.field, found.end)] };
        let has_keyword = has(&self.words, before) || has(&self.words, after);
        (has_keyword || shape.context == Context::None && !has(&self.not_words, before)).then_some(end)
    }
}

/// What `engine` finds in one line that is one field, as (detector id, text).
pub(super) fn scan_line(engine: &Engine, line: &str) -> Vec<(String, String)> {
    let field = Field { record: 0, part: Part::Value, start: 0, end: line.len() as u32 };
    let mut findings = Vec::new();
    engine.scan(&mut engine.scratch(), line.as_bytes(), &[field], &mut findings).unwrap();
    let named = |finding: &Finding| {
        let value = String::from_utf8_lossy(&line.as_bytes()[finding.range()]).into_owned();
        (engine.detector(finding.detector).id.clone(), value)
    };
    findings.iter().map(named).collect()
}
