//! What is told about one record, whichever form it is told in.

use std::ops::Range;
use std::path::Path;

use gateway::classify::Validator;
use gateway::classify::explain::{Explained, Explanation, NearMiss, Refusal, Word};
use gateway::diagnostic::Diagnostic;
use gateway::policy::{Found, Mode, Policy, RuleSet, Scratch};
use serde::Serialize;

/// A policy and the text it was compiled from.
pub(super) struct PolicyFile<'p> {
    pub(super) policy: &'p Policy,
    pub(super) path: &'p Path,
    pub(super) source: &'p str,
}

/// One record: its decision, its findings and its near misses.
#[derive(Debug, Serialize)]
pub(super) struct Account {
    pub(super) index: usize,
    pub(super) level: &'static str,
    pub(super) verdict: &'static str,
    pub(super) findings: Vec<FindingAccount>,
    pub(super) near_misses: Vec<NearMissAccount>,
}

/// A finding; `start..end` are bytes of the record.
#[derive(Debug, Serialize)]
pub(super) struct FindingAccount {
    #[serde(flatten)]
    pub(super) candidate: Candidate,
    /// `None` when the detector has no validator.
    pub(super) validator: Option<&'static str>,
    pub(super) context: Option<WordAccount>,
    /// The rule that masks; where none does, the first that looks for it here.
    pub(super) rule: Option<RuleAccount>,
    /// `None` when it is not masked.
    pub(super) operator: Option<&'static str>,
}

/// A candidate that one check refused.
#[derive(Debug, Serialize)]
pub(super) struct NearMissAccount {
    #[serde(flatten)]
    pub(super) candidate: Candidate,
    pub(super) reason: String,
}

/// What findings and near misses have in common.
#[derive(Debug, Serialize)]
pub(super) struct Candidate {
    pub(super) detector: String,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) masked: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
    pub(super) looked_for: String,
    pub(super) pattern: String,
}

#[derive(Debug, Serialize)]
pub(super) struct WordAccount {
    pub(super) word: String,
    pub(super) start: usize,
    pub(super) end: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct RuleAccount {
    pub(super) id: String,
    pub(super) file: String,
    pub(super) line: usize,
    /// True when the rule is only reported.
    pub(super) shadow: bool,
}

/// The record at hand.
struct Teller<'r> {
    file: &'r PolicyFile<'r>,
    scratch: &'r Scratch,
    record: &'r [u8],
    show_values: bool,
}

impl Account {
    pub(super) fn new(
        file: &PolicyFile<'_>,
        rules: &RuleSet,
        scratch: &Scratch,
        index: usize,
        record: &[u8],
        explanation: Explanation,
        show_values: bool,
    ) -> Self {
        let teller = Teller { file, scratch, record, show_values };
        let decision = scratch.decisions().first().map_or(rules.base(), |own| own.decision);
        Self {
            index,
            level: decision.level.as_str(),
            verdict: decision.verdict.as_str(),
            findings: explanation.findings.into_iter().map(|found| teller.finding(found)).collect(),
            near_misses: explanation.near_misses.into_iter().map(|near| teller.near_miss(near)).collect(),
        }
    }

    /// One line.
    pub(super) fn as_json(&self) -> String {
        let mut line = serde_json::to_string(self).expect("strings and numbers are JSON");
        line.push('\n');
        line
    }
}

impl Teller<'_> {
    fn finding(&self, explained: Explained) -> FindingAccount {
        let judged = self.scratch.found().iter().find(|found| {
            found.finding.detector == explained.detector && found.finding.range() == explained.span
        });
        let masked_by = judged.filter(|found| found.is_masked);
        let id = &self.file.policy.detector(explained.detector).id;
        let masked =
            if masked_by.is_some() { self.masked(&explained.span) } else { self.hidden(&explained.span) };
        FindingAccount {
            candidate: self.candidate(id, explained.span, masked, explained.origin),
            validator: (explained.validator != Validator::None).then(|| explained.validator.as_str()),
            context: explained.word.map(WordAccount::of),
            rule: judged.map(|found| self.rule(found)),
            operator: masked_by.and_then(|found| self.file.policy.rule_operator(found.rule)),
        }
    }

    fn near_miss(&self, near: NearMiss) -> NearMissAccount {
        let spec = self.file.policy.detector(near.detector);
        let reason = match near.refusal {
            Refusal::Validator(validator) => format!("validator {} refused it", validator.as_str()),
            Refusal::Allowed => "the detector's allow list names it".to_owned(),
            Refusal::Unlisted => "it is none of the detector's values".to_owned(),
            Refusal::NoWord => "no context word near it".to_owned(),
            Refusal::WordAgainst(word) => {
                format!("`{}` at {}..{} speaks against it", word.word, word.span.start, word.span.end)
            }
            Refusal::Yields(other) => {
                format!("{} found something there", self.file.policy.detector(other).id)
            }
        };
        let masked = self.hidden(&near.span);
        NearMissAccount { candidate: self.candidate(&spec.id, near.span, masked, near.origin), reason }
    }

    fn candidate(
        &self,
        detector: &str,
        span: Range<usize>,
        masked: String,
        origin: gateway::classify::explain::Origin,
    ) -> Candidate {
        Candidate {
            detector: detector.to_owned(),
            start: span.start,
            end: span.end,
            masked,
            value: self.show_values.then(|| String::from_utf8_lossy(&self.record[span]).into_owned()),
            looked_for: origin.looked_for,
            pattern: origin.pattern,
        }
    }

    fn rule(&self, found: &Found) -> RuleAccount {
        let PolicyFile { policy, path, source } = self.file;
        RuleAccount {
            id: policy.rule_id(found.rule).to_owned(),
            file: path.display().to_string(),
            line: Diagnostic::at(path, source, policy.rule_at(found.rule), "").line,
            shadow: policy.rule_mode(found.rule) == Mode::Shadow,
        }
    }

    /// What the masks make of a span; parts of other findings that the same masks cover are in it.
    fn masked(&self, span: &Range<usize>) -> String {
        let patches = self.scratch.patches();
        let here = patches
            .as_slice()
            .iter()
            .filter(|patch| (patch.start as usize) < span.end && span.start < patch.end as usize);
        let bytes: Vec<u8> = here.flat_map(|patch| patches.with(patch)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A span with every letter and digit hidden.
    fn hidden(&self, span: &Range<usize>) -> String {
        let text = String::from_utf8_lossy(&self.record[span.clone()]);
        text.chars().map(|character| if character.is_alphanumeric() { '*' } else { character }).collect()
    }
}

impl WordAccount {
    fn of(word: Word) -> Self {
        Self { word: word.word, start: word.span.start, end: word.span.end }
    }
}
