//! Reads `[[detector]]` tables: those of `policies/detectors/*.toml` and those of policies have one form.

use super::edges::Edges;
use super::shapes::Trigger;
use super::validate::Validator;
use super::words::Words;
use super::{Context, DetectorSpec, Family, Shape};
use crate::document::{Located, Table};
use crate::payload::Level;

/// Shortest and longest match that a detector may have, bytes: the longest bounds what a stream holds back.
pub const LENGTH_RANGE: std::ops::RangeInclusive<i64> = 1..=65_536;

/// The keys of a detector. Those of a shape stand here where there is but one.
pub const KEYS: &[&str] = &[
    "id",
    "pattern",
    "keywords",
    "validator",
    "default_level",
    "max_length",
    "allow",
    "matches",
    "rejects",
    "family",
    "not_keywords",
    "fallback",
    "after",
    "edges",
    "context",
    "shape",
    "values",
    "canary",
];

/// The keys of a shape.
pub const SHAPE_KEYS: &[&str] = &["pattern", "after", "edges", "context", "validator", "trigger"];

/// The kinds of edges by name.
pub const EDGES: &[(&str, Edges)] = &Edges::NAMES;

/// The needs for context by name.
pub const CONTEXTS: &[(&str, Context)] = &Context::NAMES;

/// The triggers that a shape may name.
pub const TRIGGERS: &[(&str, Trigger)] = &Trigger::NAMES;

/// A detector and where it stands in its file.
#[derive(Debug)]
pub struct Declaration {
    /// The detector.
    pub spec: DetectorSpec,
    /// Byte offset of each shape's pattern.
    pub shapes_at: Vec<usize>,
    /// The file with the fingerprints of its values. Until it is read, `spec.values` is `None`, and a shape without
    /// a pattern of its own has an empty one.
    pub values: Option<Located<String>>,
}

impl Declaration {
    /// Reads one table; notes its mistakes and returns `None` when it has no id or no pattern.
    pub fn read(table: &Table<'_, '_>) -> Option<Self> {
        let id = table.required_string("id");
        let words = |key| table.strings(key).iter().map(|word| word.value.to_owned()).collect::<Vec<_>>();
        let keywords = read_words(table, "keywords");
        let shapes = read_shapes(table, !keywords.is_empty());
        let max_length = table.integer("max_length", LENGTH_RANGE).map(|found| found.value);
        let level = table.choice("default_level", &Level::NAMES).map_or(Level::Internal, |found| found.value);
        let spec = DetectorSpec {
            id: id.map_or("", |id| id.value).to_owned(),
            family: table.choice("family", &Family::NAMES).map_or(Family::Custom, |found| found.value),
            default_level: level.as_str().to_owned(),
            keywords,
            not_keywords: read_words(table, "not_keywords"),
            allow: words("allow"),
            fallback: table.boolean("fallback").is_some_and(|found| found.value),
            values: None,
            canary: table.boolean("canary").is_some_and(|found| found.value),
            max_length: max_length.and_then(|length| length.try_into().ok()).unwrap_or(MAX_LENGTH_DEFAULT),
            shapes: Vec::new(),
            matches: words("matches"),
            rejects: words("rejects"),
        };
        let values = table.string("values").map(|file| Located { value: file.value.to_owned(), at: file.at });
        table.allow_only(KEYS);
        id?;
        let (shapes_at, shapes) = shapes?.into_iter().unzip();
        Some(Self { spec: DetectorSpec { shapes, ..spec }, shapes_at, values })
    }
}

/// Context words. One that no text can hold would make a detector that finds nothing, and nobody the wiser.
fn read_words(table: &Table<'_, '_>, key: &str) -> Vec<String> {
    let words = table.strings(key);
    for word in words.iter().filter(|word| !Words::can_hold(word.value)) {
        let message = format!(
            "`{}` is never found: a keyword has at most three runs of ASCII letters; between them may stand one other \
             letter, one separator that is no digit, or both",
            word.value
        );
        table.mistake_at(word.at, message);
    }
    words.iter().map(|word| word.value.to_owned()).collect()
}

/// The shapes, each with the place of its pattern: `[[detector.shape]]`, or one whose keys are the detector's.
/// That one needs a keyword near it where there are any; the others say so by `context`.
fn read_shapes(table: &Table<'_, '_>, has_keywords: bool) -> Option<Vec<(usize, Shape)>> {
    if !table.has("shape") {
        let context = if has_keywords { Context::Required } else { Context::None };
        let is_listed = table.has("values") && !table.has("pattern");
        let shape = if is_listed { Some(read_listed(table, context)) } else { read_shape(table, context) };
        return shape.map(|shape| vec![shape]);
    }
    for key in SHAPE_KEYS.iter().filter(|key| table.has(key)) {
        table.mistake(key, format!("`{key}` belongs to each [[detector.shape]] where there are any"));
    }
    let shapes = table.tables("shape");
    if shapes.is_empty() {
        table.mistake("shape", "a detector without shapes finds nothing: give it a `pattern`");
        return None;
    }
    let read = |shape: Table<'_, '_>| {
        shape.allow_only(SHAPE_KEYS);
        read_shape(&shape, Context::None)
    };
    shapes.into_iter().map(read).collect::<Vec<_>>().into_iter().collect()
}

fn read_shape(table: &Table<'_, '_>, context: Context) -> Option<(usize, Shape)> {
    let pattern = table.required_string("pattern");
    let shape = Shape {
        pattern: pattern.map_or("", |pattern| pattern.value).to_owned(),
        after: table.string("after").map(|after| after.value.to_owned()),
        edges: table.choice("edges", EDGES).map_or(Edges::default(), |found| found.value),
        context: table.choice("context", CONTEXTS).map_or(context, |found| found.value),
        validator: table.choice("validator", Validator::ALL).map_or(Validator::None, |found| found.value),
        trigger: table.choice("trigger", TRIGGERS).map(|found| found.value),
    };
    pattern.map(|pattern| (pattern.at, shape))
}

/// The shape of values that no pattern describes: the words of their list.
fn read_listed(table: &Table<'_, '_>, context: Context) -> (usize, Shape) {
    for key in ["after", "edges"].iter().filter(|key| table.has(key)) {
        table.mistake(
            key,
            format!("`{key}` belongs to a `pattern`: without one, values stand as whole words"),
        );
    }
    let shape = Shape {
        pattern: String::new(),
        after: None,
        edges: Edges::Word,
        context: table.choice("context", CONTEXTS).map_or(context, |found| found.value),
        validator: table.choice("validator", Validator::ALL).map_or(Validator::None, |found| found.value),
        trigger: Some(Trigger::Listed),
    };
    (table.at_key("values"), shape)
}

/// Longest match of a detector that does not say otherwise, bytes.
pub(super) const MAX_LENGTH_DEFAULT: u32 = 4096;
