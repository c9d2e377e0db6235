//! The rules of a policy, each for itself and against the others.

use super::detectors::Detectors;
use super::{ID_RULE, RULES_MAX, is_id, masks};
use crate::document::{Document, Located, Table};
use crate::mask::{Keys, Operator};
use crate::payload::{DetectorIndex, Level, Part};
use crate::policy::glob::Glob;
use crate::policy::model::{Mode, OnBlock, Parts, Rule, Verdict};
use crate::policy::pointer::Pointer;

/// A rule and where it stands, until all rules are known.
pub(super) struct Source {
    pub(super) rule: Rule,
    pub(super) operator: Option<Operator>,
    pub(super) mask_at: usize,
}

/// The keys of a rule.
pub(super) const KEYS: &[&str] = &[
    "id",
    "detectors",
    "topics",
    "principals",
    "listeners",
    "parts",
    "fields",
    "level",
    "mask",
    "verdict",
    "on_block",
    "mode",
];

/// The parts of a record that a rule may name.
pub(super) const PARTS: [(&str, Part); 3] =
    [("key", Part::Key), ("value", Part::Value), ("headers", Part::Header)];

/// Reads all rules that are sound enough to be compared with others.
pub(super) fn read(
    document: &Document<'_>,
    tables: &[Table<'_, '_>],
    detectors: &mut Detectors,
    keys: &Keys,
) -> Vec<Source> {
    let mut rules: Vec<Source> = Vec::new();
    if let Some(excess) = tables.get(RULES_MAX) {
        document.mistake(excess.at(), format!("a policy has at most {RULES_MAX} rules"));
    }
    for table in tables.iter().take(RULES_MAX) {
        let source = read_rule(document, table, detectors, keys);
        table.allow_only(KEYS);
        let Some(source) = source else { continue };
        if rules.iter().any(|other| other.rule.id == source.rule.id) {
            table.mistake("id", format!("two rules are named `{}`: choose another id", source.rule.id));
        }
        rules.push(source);
    }
    rules
}

/// The rule of the canaries: everywhere, and their level. What else becomes of a record, other rules say.
pub(super) fn of_canaries(
    document: &Document<'_>,
    detectors: &mut Detectors,
    rules: &[Source],
) -> Option<Source> {
    let canaries = detectors.canaries(document);
    let at = detectors.at(*canaries.first()?);
    if let Some(other) = rules.iter().find(|source| source.rule.id == CANARY_RULE) {
        let message = format!("the rule of the canaries is named `{CANARY_RULE}`: choose another id");
        document.mistake(other.rule.at, message);
    }
    let level =
        |canary: &DetectorIndex| default_level(&detectors.used()[usize::from(canary.0)].default_level);
    let rule = Rule {
        id: CANARY_RULE.to_owned(),
        at,
        detectors: Some(canaries.iter().map(|canary| (*canary, level(canary))).collect()),
        topics: Vec::new(),
        principals: Vec::new(),
        listeners: Vec::new(),
        parts: Parts::ALL,
        masked_parts: Parts::NONE,
        fields: Vec::new(),
        level: None,
        mask: None,
        verdict: Verdict::Forward,
        on_block: None,
        mode: Mode::Enforce,
    };
    Some(Source { rule, operator: None, mask_at: at })
}

/// Id of the rule of the canaries.
const CANARY_RULE: &str = "canary";

fn read_rule(
    document: &Document<'_>,
    table: &Table<'_, '_>,
    detectors: &mut Detectors,
    keys: &Keys,
) -> Option<Source> {
    let id = table.required_string("id");
    if let Some(id) = id.filter(|id| !is_id(id.value)) {
        document.mistake(id.at, format!("`{}`: {ID_RULE}", id.value));
    }
    let level = table.choice("level", &Level::NAMES).map(|found| found.value);
    let looks_for = read_detectors(document, table, detectors, level);
    let (parts, names_parts) = read_parts(document, table);
    let operator = table.table("mask").and_then(|mask| masks::read(document, &mask, keys));
    let verdict = table.choice("verdict", &Verdict::NAMES).map_or(Verdict::Forward, |found| found.value);
    let on_block = table.choice("on_block", &OnBlock::NAMES).map(|found| found.value);
    let mode = table.choice("mode", &Mode::NAMES);
    let fields = read_fields(document, table, parts);
    check_effect(table, level, verdict);
    check_keys(document, table, parts, names_parts, operator.as_ref());
    let masked_parts = match &operator {
        Some(operator) if operator.keeps_apart() => parts,
        _ => parts.without(Part::Key),
    };
    let rule = Rule {
        id: id?.value.to_owned(),
        at: table.at(),
        detectors: looks_for,
        topics: read_globs(document, table, "topics", topic_mistake),
        principals: read_globs(document, table, "principals", principal_mistake),
        listeners: read_globs(document, table, "listeners", |_| None),
        parts,
        masked_parts,
        fields,
        level,
        mask: None,
        verdict,
        on_block,
        mode: mode.map_or(Mode::Enforce, |found| found.value),
    };
    Some(Source { rule, operator, mask_at: table.at_key("mask") })
}

fn read_detectors(
    document: &Document<'_>,
    table: &Table<'_, '_>,
    detectors: &mut Detectors,
    level: Option<Level>,
) -> Option<Vec<(DetectorIndex, Level)>> {
    if !table.has("detectors") {
        return None;
    }
    let mut found: Vec<(DetectorIndex, Level)> = Vec::new();
    for name in table.some_strings("detectors") {
        for detector in detectors.find_all(document, name) {
            let spec = &detectors.used()[usize::from(detector.0)];
            if found.iter().any(|(other, _)| *other == detector) {
                document.mistake(name.at, format!("`{}` is listed twice", spec.id));
            }
            found.push((detector, level.unwrap_or_else(|| default_level(&spec.default_level))));
        }
    }
    Some(found)
}

/// The level that a detector's declaration names; the highest for a name that is no level.
fn default_level(name: &str) -> Level {
    Level::NAMES.iter().find(|(known, _)| *known == name).map_or(Level::Regulated, |(_, level)| *level)
}

/// The parts in which the rule looks, and whether it names them.
fn read_parts(document: &Document<'_>, table: &Table<'_, '_>) -> (Parts, bool) {
    if !table.has("parts") {
        return (Parts::ALL, false);
    }
    let mut parts = Parts::NONE;
    for name in table.some_strings("parts") {
        match PARTS.iter().find(|(known, _)| *known == name.value) {
            Some((_, part)) => parts = parts.with(*part),
            None => {
                let known = PARTS.map(|(known, _)| known);
                let hint = crate::document::suggestion(name.value, &known);
                document.mistake(name.at, format!("no part of a record is named `{}`{hint}", name.value));
            }
        }
    }
    (parts, true)
}

fn read_fields(document: &Document<'_>, table: &Table<'_, '_>, parts: Parts) -> Vec<Pointer> {
    let mut pointers = Vec::new();
    for field in table.some_strings("fields") {
        match Pointer::new(field.value) {
            Ok(pointer) => pointers.push(pointer),
            Err(error) => document.mistake(field.at, format!("`{}`: {error}", field.value)),
        }
    }
    if !pointers.is_empty() && !parts.contains(Part::Value) && !parts.contains(Part::Key) {
        table.mistake(
            "fields",
            "never matches: fields are looked for in keys and values, and `parts` has only headers",
        );
    }
    pointers
}

fn read_globs(
    document: &Document<'_>,
    table: &Table<'_, '_>,
    key: &'static str,
    mistake: fn(&str) -> Option<&'static str>,
) -> Vec<Glob> {
    let listed = table.some_strings(key);
    let checked = listed.into_iter().inspect(|name: &Located<&str>| {
        let empty = name.value.is_empty().then_some("an empty name never matches; `*` matches every name");
        if let Some(message) = empty.or_else(|| mistake(name.value)) {
            document.mistake(name.at, format!("`{}`: {message}", name.value));
        }
    });
    checked.map(|name| Glob::new(name.value)).collect()
}

/// Kafka's topic names have letters, digits, `.`, `_` and `-` (`org.apache.kafka.common.internals.Topic`).
fn topic_mistake(glob: &str) -> Option<&'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'*' | b'?');
    (!glob.bytes().all(allowed)).then_some(
        "never matches: a topic name has letters, digits, `.`, `_`, `-`; wildcards are `*` and `?`",
    )
}

fn principal_mistake(glob: &str) -> Option<&'static str> {
    (!glob.contains(':') && !glob.starts_with('*'))
        .then_some("never matches: principals are written as Kafka prints them, `User:name`")
}

/// A rule must look for something or decide something.
fn check_effect(table: &Table<'_, '_>, level: Option<Level>, verdict: Verdict) {
    if !table.has("detectors") {
        for key in ["mask", "parts", "fields"] {
            if table.has(key) {
                table.mistake(
                    key,
                    format!("`{key}` concerns what detectors find: this rule needs `detectors`"),
                );
            }
        }
        if level.is_none() && verdict == Verdict::Forward && !table.has("level") {
            table.mistake("id", "the rule has no effect: it needs `detectors`, a `level` or a `verdict`");
        }
    }
    if table.has("on_block") && verdict != Verdict::Block {
        table.mistake("on_block", "`on_block` needs `verdict = \"block\"`");
    }
}

/// Record keys: what maps many values to one would merge customers on a compacted topic. A short hash does, too: with 32
/// bits two of 77,000 keys are the same as likely as not; with 64 it takes five billion.
fn check_keys(
    document: &Document<'_>,
    table: &Table<'_, '_>,
    parts: Parts,
    names_parts: bool,
    operator: Option<&Operator>,
) {
    let merges = operator.is_some_and(|operator| !operator.keeps_apart());
    if names_parts && parts.contains(Part::Key) && merges {
        let message = "this operator gives many keys one value, which merges them on a compacted topic: \
                       use `hash` or `token`, or leave `key` out of `parts`";
        document.mistake(table.at_key("mask"), message);
    }
    if let Some(Operator::Hash { length, .. }) = operator
        && parts.contains(Part::Key)
        && *length < KEY_HASH_LENGTH_MIN
    {
        let message = format!(
            "a hash of {length} digits gives two record keys one value too soon, which merges them on a compacted topic: \
             `length` of at least {KEY_HASH_LENGTH_MIN}, or `parts` without `key`"
        );
        document.mistake(table.at_key("mask"), message);
    }
}

/// Fewest hex digits of a hash in record keys: 64 bits.
const KEY_HASH_LENGTH_MIN: usize = 16;
