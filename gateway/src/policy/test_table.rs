//! `[[test]]` tables: records with what the policy must make of them.

use std::fmt;

use super::model::Verdict;
use super::{PRINCIPAL_ANONYMOUS, Policy, Scope, Scratch};
use crate::document::{Document, Table};
use crate::payload::{Field, Level, Part};

/// One `[[test]]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestTable {
    /// Byte offset of the table in the policy file.
    at: usize,
    record: String,
    part: Part,
    topic: String,
    principal: String,
    listener: String,
    level: Option<Level>,
    verdict: Option<Verdict>,
    output: Option<String>,
    detectors: Option<Vec<String>>,
}

/// What a test expected and got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestFailure {
    /// Key of the table that was not met.
    pub key: &'static str,
    /// What the table says.
    pub expected: String,
    /// What the policy gave.
    pub found: String,
}

impl fmt::Display for TestFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected `{}`, found `{}`", self.key, self.expected, self.found)
    }
}

/// The keys of a test.
pub(super) const KEYS: &[&str] =
    &["record", "part", "topic", "principal", "listener", "level", "verdict", "output", "detectors"];

/// The part of a record that a test's text may be.
pub(super) const PARTS: [(&str, Part); 3] =
    [("key", Part::Key), ("value", Part::Value), ("header", Part::Header)];

pub(super) fn read(document: &Document<'_>, table: Table<'_, '_>) -> Option<TestTable> {
    let record = table.required_string("record").map(|found| found.value.to_owned());
    let text = |key, default: &str| table.string(key).map_or(default, |found| found.value).to_owned();
    let test = TestTable {
        at: table.at(),
        record: record.clone().unwrap_or_default(),
        part: table.choice("part", &PARTS).map_or(Part::Value, |found| found.value),
        topic: text("topic", ""),
        principal: text("principal", PRINCIPAL_ANONYMOUS),
        listener: text("listener", ""),
        level: table.choice("level", &Level::NAMES).map(|found| found.value),
        verdict: table.choice("verdict", &Verdict::NAMES).map(|found| found.value),
        output: table.string("output").map(|found| found.value.to_owned()),
        detectors: table
            .has("detectors")
            .then(|| table.strings("detectors").iter().map(|found| found.value.to_owned()).collect()),
    };
    if !["level", "verdict", "output", "detectors"].iter().any(|key| table.has(key)) {
        document.mistake(
            table.at(),
            "the test expects nothing: it needs `level`, `verdict`, `output` or `detectors`",
        );
    }
    table.allow_only(KEYS);
    record.map(|_| test)
}

impl TestTable {
    /// Byte offset of the table in the policy file.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Lets the policy judge the record; what differs from the expectation.
    pub fn run(&self, policy: &Policy, scratch: &mut Scratch) -> Vec<TestFailure> {
        let scope = Scope { listener: &self.listener, topic: &self.topic, principal: &self.principal };
        let rules = policy.rules_for(&scope);
        let text = self.record.as_bytes();
        let field = Field {
            record: 0,
            part: self.part,
            start: 0,
            end: u32::try_from(text.len()).unwrap_or(u32::MAX),
        };
        if let Err(error) = policy.inspect(scratch, &rules, text, &[field]) {
            return vec![TestFailure {
                key: "record",
                expected: "a scan".to_owned(),
                found: error.to_string(),
            }];
        }
        let decision = scratch.decisions().first().map_or(rules.base(), |record| record.decision);
        let mut output = Vec::new();
        scratch.patches().apply_field(text, 0, &field, &mut output);
        let found: Vec<&str> =
            scratch.found().iter().map(|found| policy.detector(found.finding.detector).id.as_str()).collect();

        let mut failures = Vec::new();
        let mut compare = |key, expected: Option<String>, found: String| {
            if let Some(expected) = expected.filter(|expected| *expected != found) {
                failures.push(TestFailure { key, expected, found });
            }
        };
        compare(
            "level",
            self.level.map(|level| level.as_str().to_owned()),
            decision.level.as_str().to_owned(),
        );
        compare(
            "verdict",
            self.verdict.map(|verdict| verdict.as_str().to_owned()),
            decision.verdict.as_str().to_owned(),
        );
        compare("output", self.output.clone(), String::from_utf8_lossy(&output).into_owned());
        compare("detectors", self.detectors.as_ref().map(|ids| ids.join(", ")), found.join(", "));
        failures
    }
}
