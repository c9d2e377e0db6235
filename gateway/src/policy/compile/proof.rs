//! What examples prove before a policy is used: detectors find what they claim, and nothing is found in
//! what masks leave, so that a second gateway changes nothing.

use super::detectors::Detectors;
use super::rules::Source;
use crate::classify::{Engine, Scratch};
use crate::document::Document;
use crate::json::Cursor;
use crate::mask::{self, Edit, Masking, Operator, OperatorIndex};
use crate::payload::{DetectorIndex, Field, Finding, Part, Patches};

pub(super) fn check(
    document: &Document<'_>,
    engine: &Engine,
    masking: &Masking,
    detectors: &Detectors,
    rules: &[Source],
) {
    let mut bench = Bench { engine, scratch: engine.scratch(), findings: Vec::new() };
    for (index, spec) in (0..).map(DetectorIndex).zip(detectors.used()) {
        for example in spec.matches.iter().filter(|example| bench.find(example.as_bytes(), index).is_empty())
        {
            document.mistake(
                detectors.at(index),
                format!("`{}` does not match its example `{example}`", spec.id),
            );
        }
        for example in spec.rejects.iter().filter(|example| !bench.find(example.as_bytes(), index).is_empty())
        {
            document.mistake(
                detectors.at(index),
                format!("`{}` matches its counter-example `{example}`", spec.id),
            );
        }
    }
    for source in rules {
        let Some(operator) = source.rule.mask else { continue };
        // A token has the form of the value on purpose, a hash that of a random secret.
        if matches!(masking.operator(operator), Operator::Token(_) | Operator::Hash { .. }) {
            continue;
        }
        for (detector, _) in source.rule.detectors.iter().flatten() {
            let spec = engine.detector(*detector);
            let found_again =
                |example: &&String| bench.is_found_again(example.as_bytes(), *detector, operator, masking);
            if let Some(example) = spec.matches.iter().find(found_again) {
                let message = format!(
                    "`{}` still finds what this mask leaves of `{example}`: mask more, or another `char`",
                    spec.id
                );
                document.mistake(source.mask_at, message);
            }
        }
    }
}

/// An engine and the memory to try examples with.
struct Bench<'e> {
    engine: &'e Engine,
    scratch: Scratch,
    findings: Vec<Finding>,
}

impl Bench<'_> {
    /// The findings of one detector in `text`. A scan that fails finds nothing.
    fn find(&mut self, text: &[u8], detector: DetectorIndex) -> Vec<Finding> {
        let Some(field) = value_of(text) else { return Vec::new() };
        match self.engine.scan(&mut self.scratch, text, &[field], &mut self.findings) {
            Ok(()) => self.findings.iter().filter(|finding| finding.detector == detector).copied().collect(),
            Err(_) => Vec::new(),
        }
    }

    fn is_found_again(
        &mut self,
        text: &[u8],
        detector: DetectorIndex,
        operator: OperatorIndex,
        masking: &Masking,
    ) -> bool {
        let Some(field) = value_of(text) else { return false };
        let edit = |Finding { field, start, end, detector }| Edit {
            field,
            start,
            end,
            operator,
            detector,
            is_united: false,
        };
        let edits: Vec<Edit> = self.find(text, detector).into_iter().map(edit).collect();
        let mut patches = Patches::default();
        if mask::apply(masking, text, &[field], &edits, &mut Cursor::default(), &mut patches).is_err() {
            return false;
        }
        let mut masked = Vec::new();
        patches.apply_field(text, 0, &field, &mut masked);
        !self.find(&masked, detector).is_empty()
    }
}

/// The whole text as one value.
fn value_of(text: &[u8]) -> Option<Field> {
    Some(Field { record: 0, part: Part::Value, start: 0, end: u32::try_from(text.len()).ok()? })
}
