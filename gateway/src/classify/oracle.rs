//! What the engine must find, computed naively: every start of every field is tried with the `regex` crate, the
//! same validators and the same context, without prefilter, SIMD, Hyperscan or our automata.

use std::collections::HashSet;

use regex::bytes::Regex;

use super::context;
use super::spec::AFTER_BYTES_MAX;
use super::unescaped::Unescaped;
use super::validate::Match;
use super::words::Words;
use super::{Context, DetectorSpec, Shape};
use crate::payload::{DetectorIndex, Field, Finding};

/// The naive form of an engine.
pub struct Oracle {
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
    pattern: Pattern,
    /// What must stand before it.
    after: Option<Pattern>,
}

/// A regular expression.
struct Pattern {
    /// Finds where it may start.
    anywhere: Regex,
    /// Matches a whole slice.
    whole: Regex,
}

impl Oracle {
    /// The oracle of `Engine::compile(specs)`.
    ///
    /// # Panics
    ///
    /// When a pattern of `specs` is not valid.
    pub fn new(specs: &[DetectorSpec]) -> Self {
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

    /// Findings in the text as it stands.
    fn scan_as_written(&self, text: &[u8], fields: &[Field]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (index, field) in (0..).zip(fields) {
            for (index_of, detector) in (0..).zip(&self.detectors) {
                for (start, end) in detector.findings(&text[field.range()]) {
                    findings.push(Finding {
                        detector: DetectorIndex(index_of),
                        field: index,
                        start: field.start + start as u32,
                        end: field.start + end as u32,
                    });
                }
            }
        }
        findings
    }

    /// All findings, in the engine's order.
    pub fn scan(&self, text: &[u8], fields: &[Field]) -> Vec<Finding> {
        let mut findings = self.scan_as_written(text, fields);
        for (index, field) in (0..).zip(fields) {
            let Some(unescaped) = Unescaped::of(&text[field.range()]) else { continue };
            for hidden in self.scan_as_written(unescaped.text(), unescaped.fields()) {
                let span = unescaped.range_written(&hidden.range());
                let [start, end] = [span.start, span.end].map(|offset| field.start + offset as u32);
                join(&mut findings, Finding { field: index, start, end, ..hidden });
            }
        }
        findings.sort_by_key(|f| (f.field, f.start, std::cmp::Reverse(f.end), f.detector));
        let yields = |finding: &Finding| self.detectors[usize::from(finding.detector.0)].spec.fallback;
        let others: Vec<Finding> = findings.iter().filter(|finding| !yields(finding)).copied().collect();
        let overlap = |one: &Finding, other: &Finding| {
            one.field == other.field && one.start < other.end && other.start < one.end
        };
        findings.retain(|finding| !yields(finding) || !others.iter().any(|other| overlap(finding, other)));
        findings
    }
}

/// Adds a finding, as one with those of its detector that it overlaps.
fn join(findings: &mut Vec<Finding>, mut finding: Finding) {
    findings.retain(|other| {
        let is_same = (other.detector, other.field) == (finding.detector, finding.field);
        let overlaps = is_same && other.start < finding.end && finding.start < other.end;
        if overlaps {
            finding.start = finding.start.min(other.start);
            finding.end = finding.end.max(other.end);
        }
        !overlaps
    });
    findings.push(finding);
}

impl Naive {
    fn new(shape: &Shape) -> Self {
        let pattern = Pattern::new(&shape.pattern);
        let after = shape.after.as_deref().map(Pattern::new);
        Self { shape: shape.clone(), pattern, after }
    }

    /// Where a match may start in `field`, ascending.
    fn starts(&self, field: &[u8]) -> Vec<usize> {
        let mut starts = self.pattern.starts(field);
        if let Some(after) = &self.after {
            let begins = after.starts(field);
            let ends: HashSet<usize> =
                begins.into_iter().flat_map(|begin| after.ends(field, begin, AFTER_BYTES_MAX)).collect();
            starts.retain(|start| ends.contains(start));
        }
        starts.retain(|start| self.shape.edges.allow_start(field, *start));
        starts
    }
}

impl Pattern {
    fn new(pattern: &str) -> Self {
        let regex = |pattern: &str| regex::bytes::RegexBuilder::new(pattern).unicode(false).build().unwrap();
        Self { anywhere: regex(pattern), whole: regex(&format!("^(?s-m:{pattern})$")) }
    }

    /// Where matches start, ascending.
    fn starts(&self, field: &[u8]) -> Vec<usize> {
        let mut starts = Vec::new();
        let mut from = 0;
        while let Some(found) = self.anywhere.find_at(field, from) {
            starts.push(found.start());
            from = found.start() + 1;
            if from > field.len() {
                break;
            }
        }
        starts
    }

    /// The ends of all matches that start at `start`, at most `bytes_max` long.
    fn ends(&self, field: &[u8], start: usize, bytes_max: usize) -> Vec<usize> {
        let limit = field.len().min(start + bytes_max);
        (start + 1..=limit).filter(|end| self.whole.is_match(&field[start..*end])).collect()
    }
}

impl Detector {
    /// All findings in `field`: leftmost start first and there the longest accepted end, then on from that end.
    fn findings(&self, field: &[u8]) -> Vec<(usize, usize)> {
        let mut tries: Vec<(usize, &Naive)> = Vec::new();
        for naive in &self.shapes {
            tries.extend(naive.starts(field).into_iter().map(|start| (start, naive)));
        }
        tries.sort_by_key(|(start, _)| *start);
        let mut findings = Vec::new();
        let mut from = 0;
        for same in tries.chunk_by(|one, other| one.0 == other.0) {
            let start = same[0].0;
            let ends = same.iter().filter_map(|(_, naive)| self.longest(naive, field, start));
            if let Some(end) = ends.max().filter(|_| start >= from) {
                findings.push((start, end));
                from = end;
            }
        }
        findings
    }

    /// The longest accepted end of a shape at `start`.
    fn longest(&self, naive: &Naive, field: &[u8], start: usize) -> Option<usize> {
        let ends = naive.pattern.ends(field, start, self.spec.max_length as usize).into_iter();
        let allowed = ends.filter(|end| naive.shape.edges.allow_end(field, *end));
        allowed.filter_map(|end| self.accepted_end(&naive.shape, &Match { field, start, end })).max()
    }

    fn accepted_end(&self, shape: &Shape, found: &Match<'_>) -> Option<usize> {
        let significant = |bytes: &[u8]| -> Vec<u8> {
            bytes.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect()
        };
        let end = shape.validator.accept(*found).filter(|_| self.spec.lists(found))?;
        if self.spec.allow.iter().any(|allowed| significant(allowed.as_bytes()) == significant(found.bytes()))
        {
            return None;
        }
        if shape.context == Context::Key {
            let mut ends = false;
            let key = context::key_of(found.field, found.start).unwrap_or_default();
            self.words.iter().for_each(|words| words.find_last(key, |_| ends = true));
            return ends.then_some(end);
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
        let mut is_against = false;
        self.not_words.iter().for_each(|words| {
            words.find_ends(before, |_, end| is_against |= context::is_next(&before[end..], is_key));
        });
        (has_keyword || shape.context == Context::None && !is_against).then_some(end)
    }
}
