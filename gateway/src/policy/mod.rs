//! What may happen to a record: rules that turn findings into a level, a verdict and edits.
//!
//! ```text
//! policy file ─ compile ─▶ Policy (immutable, one generation, shared by all workers)
//!                            │ rules_for(scope)           once per listener, topic and principal
//!                            ▼
//! text, fields ─ inspect(rule set) ─▶ scan ─▶ decide ─▶ mask ─▶ Scratch: decisions, findings, patches
//! ```
//!
//! * All rules that match a record count for its level (the highest) and its verdict (the strongest).
//! * Per finding, the first matching rule in file order that has a `mask` masks.
//! * A rule in mode `shadow` is reported and has no effect.

mod compile;
mod decide;
mod glob;
mod model;
mod overlap;
mod pointer;
mod scope;
mod test_table;

pub use decide::{Decision, Found, RecordDecision, Scratch};
pub use model::{Labelling, Labels, Mode, OnBlock, RuleIndex, Verdict};
pub use scope::{PRINCIPAL_ANONYMOUS, RuleSet, Scope};
pub use test_table::{TestFailure, TestTable};

use std::io;
use std::path::Path;

use crate::classify::explain::Explainer;
use crate::classify::values;
pub use crate::classify::values::{Case, FileError};
use crate::classify::{DetectorSpec, Engine, ScanError};
use crate::diagnostic::Diagnostic;
use crate::mask::Masking;
pub use crate::mask::{Key, Keys};
use crate::payload::{DetectorIndex, Field, Level};
use model::{Interest, Rule};

/// What policies refer to outside of their file.
#[derive(Clone, Copy)]
pub struct References<'a> {
    /// The keys of the configuration.
    pub keys: &'a Keys,
    /// Reads a file of fingerprints.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
}

/// A compiled policy: immutable, `Send + Sync`, shared by `Arc`; a reload makes a new one with the next
/// generation, and a batch is judged by one generation only.
#[derive(Debug)]
pub struct Policy {
    generation: u64,
    default_level: Level,
    labels: Labels,
    rules: Vec<Rule>,
    /// For each detector the rules that look for it.
    interests: Vec<Vec<Interest>>,
    engine: Engine,
    /// For each detector its byte offset in the file.
    detectors_at: Vec<usize>,
    masking: Masking,
    /// The detectors whose findings are logged.
    canaries: Vec<DetectorIndex>,
    tests: Vec<TestTable>,
}

impl Policy {
    /// Compiles the text of a policy file. Only detectors that some rule names are compiled.
    ///
    /// `file` is used in messages, and to find what the policy names beside it; `keys` are those of the configuration.
    /// Detectors with lists of values need [`Self::compile_with`].
    ///
    /// # Errors
    ///
    /// Every mistake in the file, each with its line and column and what is allowed instead.
    pub fn compile(file: &Path, source: &str, keys: &Keys, generation: u64) -> Result<Self, Vec<Diagnostic>> {
        let read = |_: &Path| Err(io::ErrorKind::Unsupported.into());
        Self::compile_with(file, source, &References { keys, read: &read }, generation)
    }

    /// As [`Self::compile`], with lists of values.
    ///
    /// # Errors
    ///
    /// As `compile`; and what is wrong with the lists.
    pub fn compile_with(
        file: &Path,
        source: &str,
        references: &References<'_>,
        generation: u64,
    ) -> Result<Self, Vec<Diagnostic>> {
        compile::compile(file, source, references, generation)
    }

    /// The file of fingerprints of `values`, one a line, that detectors may name.
    ///
    /// # Errors
    ///
    /// Every value that cannot be looked for, each with its line and column.
    pub fn fingerprint(values: &str, key: &Key, case: Case) -> Result<String, Vec<FileError>> {
        values::fingerprint(values, key.id(), &compile::secret(key), case)
    }

    /// The JSON Schema of policy files, for editors.
    pub fn schema() -> serde_json::Value {
        compile::schema()
    }

    /// The number of the reload that made this policy.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether and under which header names records are labelled.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// True when a record of this level gets the label headers.
    pub fn label_due(&self, level: Level) -> bool {
        match self.labels.labelling {
            Labelling::All => true,
            Labelling::Sensitive => level > self.default_level,
            Labelling::Off => false,
        }
    }

    /// Appends the value of the rules header, `cards,secrets`: the ids of those `rules` that are enforced.
    pub fn write_label_rules(&self, rules: &[RuleIndex], out: &mut Vec<u8>) {
        let enforced = rules.iter().map(|&rule| self.rule(rule)).filter(|rule| rule.mode == Mode::Enforce);
        for (position, rule) in enforced.enumerate() {
            if position > 0 {
                out.push(b',');
            }
            out.extend_from_slice(rule.id.as_bytes());
        }
    }

    /// The id of a rule.
    ///
    /// # Panics
    ///
    /// When `rule` comes from another policy.
    pub fn rule_id(&self, rule: RuleIndex) -> &str {
        &self.rule(rule).id
    }

    /// Byte offset of a rule in the policy file.
    ///
    /// # Panics
    ///
    /// When `rule` comes from another policy.
    pub fn rule_at(&self, rule: RuleIndex) -> usize {
        self.rule(rule).at
    }

    /// The name of the operator by which a rule masks.
    ///
    /// # Panics
    ///
    /// When `rule` comes from another policy.
    pub fn rule_operator(&self, rule: RuleIndex) -> Option<&'static str> {
        self.rule(rule).mask.map(|operator| self.masking.operator(operator).name())
    }

    /// Explains what the detectors of this policy find, whichever rules apply.
    pub fn explainer(&self) -> Explainer<'_> {
        Explainer::new(&self.engine)
    }

    /// Whether a rule is enforced or only reported.
    ///
    /// # Panics
    ///
    /// When `rule` comes from another policy.
    pub fn rule_mode(&self, rule: RuleIndex) -> Mode {
        self.rule(rule).mode
    }

    /// The declaration of a detector that made a finding.
    ///
    /// # Panics
    ///
    /// When `detector` comes from another policy.
    pub fn detector(&self, detector: DetectorIndex) -> &DetectorSpec {
        self.engine.detector(detector)
    }

    /// The detectors of this policy, in the order of `DetectorIndex`.
    pub fn detectors(&self) -> impl Iterator<Item = (DetectorIndex, &DetectorSpec)> {
        (0..self.detectors_at.len()).filter_map(|index| {
            let index = DetectorIndex(u16::try_from(index).ok()?);
            Some((index, self.engine.detector(index)))
        })
    }

    /// The detectors whose findings are logged.
    pub fn canaries(&self) -> &[DetectorIndex] {
        &self.canaries
    }

    /// Where a detector stands in the policy file: its pattern, or where a rule first names it.
    ///
    /// # Panics
    ///
    /// When `detector` comes from another policy.
    pub fn detector_at(&self, detector: DetectorIndex) -> usize {
        self.detectors_at[usize::from(detector.0)]
    }

    /// The ids of the rules that look for a detector.
    pub fn rules_looking_for(&self, detector: DetectorIndex) -> Vec<&str> {
        let interests = self.interests.get(usize::from(detector.0)).into_iter().flatten();
        interests.map(|interest| self.rule(interest.rule).id.as_str()).collect()
    }

    /// How many rules there are.
    pub fn rule_count(&self) -> usize {
        self.rules.len()
    }

    /// The rules that match at none of the named listeners.
    pub fn rules_without_listener(&self, names: &[&str]) -> impl Iterator<Item = &str> {
        let lost = move |rule: &&Rule| !names.iter().any(|name| glob::any(&rule.listeners, name));
        self.rules.iter().filter(lost).map(|rule| rule.id.as_str())
    }

    /// The enforced rules whose verdict is `hold`, each with its byte offset in the policy file.
    pub fn rules_that_hold(&self) -> impl Iterator<Item = (&str, usize)> {
        let holds = |rule: &&Rule| rule.verdict == Verdict::Hold && rule.mode == Mode::Enforce;
        self.rules.iter().filter(holds).map(|rule| (rule.id.as_str(), rule.at))
    }

    /// The `[[test]]` tables of the file.
    pub fn tests(&self) -> &[TestTable] {
        &self.tests
    }

    /// Memory for `inspect`, one per worker; it belongs to this policy and goes with it.
    pub fn scratch(&self) -> Scratch {
        Scratch::new(self.engine.scratch())
    }

    /// The rules that apply to a scope, merged; the caller keeps it for as long as policy and scope last.
    pub fn rules_for(&self, scope: &Scope<'_>) -> RuleSet {
        RuleSet::new(self, scope)
    }

    /// Scans, decides and masks the `fields` of `text`; the results replace those in `scratch`.
    ///
    /// In the steady state nothing is allocated, and records without findings cost nothing but the scan:
    /// they have no entry in `scratch.decisions()`, their decision is `rules.base()`.
    ///
    /// # Errors
    ///
    /// When the scan was not finished. Nothing is known of the text then, and nothing is in `scratch`: the listener's
    /// `on_error` decides.
    pub fn inspect(
        &self,
        scratch: &mut Scratch,
        rules: &RuleSet,
        text: &[u8],
        fields: &[Field],
    ) -> Result<(), ScanError> {
        decide::inspect(self, scratch, rules, text, fields)
    }

    fn rule(&self, index: RuleIndex) -> &Rule {
        &self.rules[usize::from(index.0)]
    }
}

#[cfg(test)]
mod tests;
