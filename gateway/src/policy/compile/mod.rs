//! From a policy file to a [`Policy`], or to every mistake in it.
//!
//! ```text
//! TOML ─▶ detectors ─▶ rules (with their masks) ─▶ rules against each other ─▶ engine ─▶ proof by examples
//! ```

mod detectors;
mod lists;
mod masks;
mod proof;
mod rules;
mod schema;
mod together;

use std::path::Path;

use super::model::{self, Labelling, Labels, Rule};
use super::test_table::{self, TestTable};
use super::{Policy, References};
use crate::classify::Engine;
use crate::diagnostic::Diagnostic;
use crate::document::{Document, Table};
use crate::mask::{Masking, Subject};
use crate::payload::Level;
use detectors::Detectors;
pub(super) use lists::secret;
pub(super) use schema::schema;

/// The version of the language that this compiler reads.
const VERSION: i64 = 1;

/// Most rules of a policy: `gateway` judges a finding by walking over the rules for its detector.
const RULES_MAX: usize = 4096;

/// Name of the label header unless the policy gives another.
const LABEL_HEADER_DEFAULT: &str = "classification";

/// Longest name of a label header, bytes.
const LABEL_HEADER_BYTES_MAX: usize = 128;

pub(super) fn compile(
    file: &Path,
    source: &str,
    references: &References<'_>,
    generation: u64,
) -> Result<Policy, Vec<Diagnostic>> {
    let document = Document::new(file, source);
    let root = document.parse();
    let policy = read(&document, &Table::root(&document, &root), references, generation);
    Table::root(&document, &root).allow_only(ROOT_KEYS);
    document.finish(policy)
}

/// The keys of the file itself.
const ROOT_KEYS: &[&str] = &["version", "default_level", "label", "label_header", "detector", "rule", "test"];

fn read(
    document: &Document<'_>,
    root: &Table<'_, '_>,
    references: &References<'_>,
    generation: u64,
) -> Option<Policy> {
    read_version(root);
    let default_level =
        root.choice("default_level", &Level::NAMES).map_or(Level::Public, |level| level.value);
    let labels = read_labels(root);
    let mut detectors = Detectors::read(document, &root.tables("detector"), references);
    let mut rules = rules::read(document, &root.tables("rule"), &mut detectors, references.keys);
    together::check(document, &rules);
    rules.extend(rules::of_canaries(document, &mut detectors, &rules));
    let tests = read_tests(document, root);

    let engine = detectors.compile(document)?;
    let masking = masking(&engine, detectors.used().len(), &mut rules);
    proof::check(document, &engine, &masking, &detectors, &rules);
    let rules: Vec<Rule> = rules.into_iter().map(|source| source.rule).collect();
    let canaries = detectors.canaries(document);
    let detectors_at = detectors.used_at();
    let interests = model::interests(&rules, detectors_at.len());
    Some(Policy {
        generation,
        default_level,
        labels,
        rules,
        interests,
        detectors_at,
        engine,
        masking,
        canaries,
        tests,
    })
}

fn read_version(root: &Table<'_, '_>) {
    root.require("version", "`version = 1`");
    root.integer("version", VERSION..=VERSION);
}

fn read_labels(root: &Table<'_, '_>) -> Labels {
    let labelling = root.choice("label", &Labelling::NAMES).map_or(Labelling::default(), |found| found.value);
    let header = root.string("label_header").map_or(LABEL_HEADER_DEFAULT, |found| found.value);
    let is_name = header.bytes().all(|byte| byte.is_ascii_graphic());
    if header.is_empty() || header.len() > LABEL_HEADER_BYTES_MAX || !is_name {
        let limit = LABEL_HEADER_BYTES_MAX;
        root.mistake("label_header", format!("a header name has 1 to {limit} visible ASCII characters"));
    }
    Labels { labelling, header: header.to_owned(), rules_header: format!("{header}-rules") }
}

fn read_tests(document: &Document<'_>, root: &Table<'_, '_>) -> Vec<TestTable> {
    root.tables("test").into_iter().filter_map(|table| test_table::read(document, table)).collect()
}

/// The operators of the rules in file order, and the detectors as masking sees them.
fn masking(engine: &Engine, detector_count: usize, rules: &mut [rules::Source]) -> Masking {
    let indices = (0..detector_count).filter_map(|index| u16::try_from(index).ok());
    let subject = |index| Subject::of(engine.detector(crate::payload::DetectorIndex(index)));
    let mut masking = Masking::new(indices.map(subject).collect());
    for source in rules {
        source.rule.mask = source.operator.take().map(|operator| masking.add(operator));
    }
    masking
}

/// True for names of rules and detectors.
fn is_id(id: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    (1..=ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(allowed)
}

/// Longest id, bytes: ids travel in headers of records.
const ID_BYTES_MAX: usize = 64;

/// What an id may look like.
const ID_RULE: &str = "an id has 1 to 64 of a-z, 0-9, `_` and `-`";
