//! What a policy file says about each detector, read without the gateway's compiler.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gateway::classify::catalog;

/// The rules of a policy file that look for detectors.
#[derive(Debug, Default)]
pub(super) struct Rules {
    anywhere: BTreeMap<String, Expectation>,
    keys_only: BTreeMap<String, Expectation>,
}

/// What happens to a value that a detector finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expectation {
    /// Level of a record with it; ordered as in [`LEVELS`].
    pub(super) level: usize,
    /// The rule's id.
    pub(super) rule: String,
    /// Position of the rule in the file.
    pub(super) position: usize,
    /// How the value is masked.
    pub(super) operator: Operator,
}

/// The mask operators that the expectations know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    /// Not masked.
    None,
    /// Letters and digits become `*`.
    Redact,
    /// As redact, but some at both ends stay.
    Keep {
        /// How many stay at the front.
        first: usize,
        /// How many stay at the end.
        last: usize,
    },
    /// In its place so many hex digits, the same ones for the same value.
    Hash {
        /// How many.
        length: usize,
    },
}

/// Levels, lowest first.
pub(super) const LEVELS: [&str; 4] = ["public", "internal", "confidential", "regulated"];

impl Rules {
    /// No rules: what a record meets on its way directly to the broker.
    pub(super) fn none() -> Self {
        Self::default()
    }

    /// The first rule of `policies/default.toml` for each detector.
    pub(super) fn shipped() -> Self {
        Self::read(&shipped_policy())
    }

    fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap();
        let policy: toml::Table = text.parse().unwrap();
        let mut rules = Self::none();
        for (position, rule) in policy["rule"].as_array().unwrap().iter().enumerate() {
            let detectors = rule.get("detectors").and_then(toml::Value::as_array);
            let names = detectors.into_iter().flatten().filter_map(toml::Value::as_str);
            let keys_only = rule.get("parts").is_some_and(|parts| *parts == toml::Value::from(vec!["key"]));
            let part = if keys_only { &mut rules.keys_only } else { &mut rules.anywhere };
            for detector in names.flat_map(detectors_of) {
                part.entry(detector).or_insert_with_key(|detector| expectation(rule, position, detector));
            }
        }
        rules
    }

    /// What happens to a value of `detector` in record values and headers, `None` if nothing.
    pub(super) fn of(&self, detector: &str) -> Option<&Expectation> {
        self.anywhere.get(detector)
    }

    /// What happens to a value of `detector` in record keys, `None` if nothing.
    pub(super) fn in_key(&self, detector: &str) -> Option<&Expectation> {
        self.keys_only.get(detector)
    }
}

/// The policy file that users start from.
pub(super) fn shipped_policy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/default.toml")
}

/// The detectors that one entry of a rule names: itself, or with `FAMILY/*` those of the family.
fn detectors_of(name: &str) -> Vec<String> {
    let Some(family) = name.strip_suffix("/*") else { return vec![name.to_owned()] };
    let members = catalog::builtin().iter().filter(|spec| spec.family.as_str() == family);
    members.map(|spec| spec.id.clone()).collect()
}

fn expectation(rule: &toml::Value, position: usize, detector: &str) -> Expectation {
    let text = |key: &str| rule.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let level = text("level").unwrap_or_else(|| default_level(detector).to_owned());
    Expectation {
        level: LEVELS.iter().position(|name| *name == level).unwrap(),
        rule: text("id").unwrap(),
        position,
        operator: rule.get("mask").map_or(Operator::None, operator),
    }
}

/// What a record with a value of `detector` is by a rule without a level.
fn default_level(detector: &str) -> &'static str {
    let spec = catalog::builtin().iter().find(|spec| spec.id == detector);
    spec.unwrap_or_else(|| panic!("no detector {detector}")).default_level.as_str()
}

fn operator(mask: &toml::Value) -> Operator {
    let number = |key: &str| mask.get(key).and_then(toml::Value::as_integer).unwrap_or(0) as usize;
    match mask.get("operator").and_then(toml::Value::as_str) {
        Some("redact") => Operator::Redact,
        Some("keep") => Operator::Keep { first: number("first"), last: number("last") },
        Some("hash") => Operator::Hash { length: number("length") },
        other => panic!("the tests do not know the operator {other:?}"),
    }
}
