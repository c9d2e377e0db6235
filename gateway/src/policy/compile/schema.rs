//! The JSON Schema of policy files, made from the tables that the compiler itself reads by.
//!
//! It is written in draft 7, which taplo and the editors built on it understand. An editor completes and
//! checks with it; what needs more than one place of the file is left to `gateway check`.

use serde_json::{Map, Value, json};

use super::{ID_BYTES_MAX, LABEL_HEADER_BYTES_MAX, ROOT_KEYS, VERSION, masks, rules};
use crate::classify::{Family, Validator, catalog, declaration};
use crate::payload::Level;
use crate::policy::model::{Labelling, Mode, OnBlock, Verdict};
use crate::policy::test_table;

/// The schema of a whole file.
pub(in crate::policy) fn schema() -> Value {
    let mut schema = object(ROOT_KEYS, &["version"], root_key);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("Policy of gateway");
    schema
}

/// A table with exactly these keys.
fn object(keys: &[&str], required: &[&str], describe: fn(&str) -> Value) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|key| ((*key).to_owned(), describe(key))).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn root_key(key: &str) -> Value {
    match key {
        "version" => about("Version of the policy language.", json!({"const": VERSION})),
        "default_level" => {
            about("Level of a record that no rule matches; public by default.", names(&Level::NAMES))
        }
        "label" => about("Which records get the label headers.", names(&Labelling::NAMES)),
        "label_header" => about(
            "Header with the level; classification by default.",
            json!({"type": "string", "pattern": format!("^[!-~]{{1,{LABEL_HEADER_BYTES_MAX}}}$")}),
        ),
        "detector" => list(detector_table()),
        "rule" => list(object(rules::KEYS, &["id"], rule_key)),
        "test" => list(test()),
        other => undescribed(other),
    }
}

/// One pattern, or shapes, or a list of values alone.
fn detector_table() -> Value {
    let mut detector = object(declaration::KEYS, &["id"], detector_key);
    let [pattern, shape, values] = ["pattern", "shape", "values"].map(|key| json!({"required": [key]}));
    let neither = json!({"anyOf": [pattern, shape]});
    detector["oneOf"] = json!([pattern, shape, {"required": values["required"], "not": neither}]);
    detector
}

fn detector_key(key: &str) -> Value {
    let lengths = declaration::LENGTH_RANGE;
    match key {
        "id" => id(),
        "family" => about("custom by default.", names(&Family::NAMES)),
        "keywords" => about("Beside a pattern: one of these words must be near.", list(text())),
        "not_keywords" => {
            about("Words that speak against the value that they stand just before.", list(text()))
        }
        "default_level" => about("Level where a rule names none; internal by default.", names(&Level::NAMES)),
        "max_length" => about("Longest match, bytes.", integer(*lengths.start(), *lengths.end())),
        "allow" => about("Values that are never findings.", list(text())),
        "fallback" => about("Its findings yield to those of others.", json!({"type": "boolean"})),
        "matches" => about("Texts in which something must be found.", list(text())),
        "rejects" => about("Texts in which nothing may be found.", list(text())),
        "values" => about(
            "File of `gateway policy fingerprint`: of all that matches, only these values are found.",
            text(),
        ),
        "canary" => about("It looks everywhere, and what it finds is logged.", json!({"type": "boolean"})),
        "shape" => {
            let keys: Vec<&str> =
                declaration::SHAPE_KEYS.iter().copied().filter(|key| *key != "trigger").collect();
            about("One way in which the value is written.", some(object(&keys, &["pattern"], shape_key)))
        }
        other => shape_key(other),
    }
}

fn shape_key(key: &str) -> Value {
    match key {
        "pattern" => about("Syntax of Rust's regex crate, on bytes.", text()),
        "after" => about("What must stand right before it, in the same syntax.", text()),
        "edges" => about("What must not touch it: word by default.", names(declaration::EDGES)),
        "context" => about("Whether a keyword must be near it.", names(declaration::CONTEXTS)),
        "validator" => about("A check of the matched bytes; none by default.", names(Validator::ALL)),
        other => undescribed(other),
    }
}

fn rule_key(key: &str) -> Value {
    match key {
        "id" => id(),
        "detectors" => about("What it looks for; every record in its scope when left out.", some(detector())),
        "topics" => about("Globs: * and ?.", some(matching("^[A-Za-z0-9._*?-]+$"))),
        "principals" => about("As Kafka prints them, User:name; globs.", some(matching(r":|^\*"))),
        "listeners" => about("Names of the configuration; globs.", some(matching("."))),
        "parts" => about("Parts of a record; all by default.", some(names(&rules::PARTS))),
        "fields" => about(
            "Fields of JSON, logfmt and forms, as JSON Pointers; * stands for one step.",
            some(matching("^/")),
        ),
        "level" => about("Level of what it finds; the detector's by default.", names(&Level::NAMES)),
        "mask" => about("What becomes of what it finds.", mask()),
        "verdict" => about("What happens to the record; forward by default.", names(&Verdict::NAMES)),
        "on_block" => {
            about("How a record is blocked; the listener's way by default.", names(&OnBlock::NAMES))
        }
        "mode" => about("shadow: reported, without effect.", names(&Mode::NAMES)),
        other => undescribed(other),
    }
}

fn mask() -> Value {
    let operators = masks::OPERATORS.iter().map(|(name, required, optional)| {
        let mut operator = object(&[*required, *optional].concat(), required, mask_key);
        operator["properties"]["operator"] = json!({"const": name});
        if *name == "keep" {
            operator["anyOf"] = json!([{"required": ["first"]}, {"required": ["last"]}]);
        }
        operator
    });
    json!({"oneOf": operators.collect::<Vec<_>>()})
}

fn mask_key(key: &str) -> Value {
    let (sides, lengths) = (masks::KEEP_RANGE, masks::HASH_LENGTH_RANGE);
    match key {
        "operator" => text(),
        "char" => {
            about("Stands in for letters and digits; * by default.", matching(r"^[!$(-*,-/:;=@-\[\]-~]$"))
        }
        "first" => about("Letters and digits that stay in front.", integer(*sides.start(), *sides.end())),
        "last" => about("Letters and digits that stay at the end.", integer(*sides.start(), *sides.end())),
        "key" => about("Id of a [[key]] of the configuration.", text()),
        "length" => about("Hex digits.", integer(*lengths.start(), *lengths.end())),
        "with" => about(
            "The text; {detector} stands for the detector's id.",
            json!({"type": "string", "maxLength": masks::REPLACEMENT_BYTES_MAX, "pattern": without_codes()}),
        ),
        other => undescribed(other),
    }
}

/// What `replace` may put in place of a value.
fn without_codes() -> String {
    format!(r#"^[^"\\{}]*$"#, masks::CODES)
}

fn test() -> Value {
    let mut test = object(test_table::KEYS, &["record"], test_key);
    let expectations = ["level", "verdict", "output", "detectors"];
    test["anyOf"] = expectations.iter().map(|key| json!({"required": [key]})).collect();
    test
}

fn test_key(key: &str) -> Value {
    match key {
        "record" => about("The text to be judged.", text()),
        "part" => about("What the text is of its record; value by default.", names(&test_table::PARTS)),
        "topic" | "principal" | "listener" => about("Where the record comes from or goes to.", text()),
        "level" => about("The level that it must get.", names(&Level::NAMES)),
        "verdict" => about("The verdict that it must get.", names(&Verdict::NAMES)),
        "output" => about("What it must become.", text()),
        "detectors" => about("What must be found, in order.", list(text())),
        other => undescribed(other),
    }
}

/// A built-in detector or a family of them, for completion, or one of the policy's own.
fn detector() -> Value {
    let families = Family::NAMES.iter().filter(|(_, family)| *family != Family::Custom);
    let families = families.map(|(name, _)| format!("{name}/*"));
    let built_in: Vec<String> =
        catalog::builtin().iter().map(|spec| spec.id.clone()).chain(families).collect();
    json!({"anyOf": [{"enum": built_in}, text()]})
}

fn id() -> Value {
    matching(&format!("^[a-z0-9_-]{{1,{ID_BYTES_MAX}}}$"))
}

fn text() -> Value {
    json!({"type": "string"})
}

fn matching(pattern: &str) -> Value {
    json!({"type": "string", "pattern": pattern})
}

fn integer(minimum: i64, maximum: i64) -> Value {
    json!({"type": "integer", "minimum": minimum, "maximum": maximum})
}

fn names<T>(table: &[(&str, T)]) -> Value {
    json!({"enum": table.iter().map(|(name, _)| *name).collect::<Vec<_>>()})
}

fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

/// A list that must not be empty.
fn some(items: Value) -> Value {
    json!({"type": "array", "items": items, "minItems": 1})
}

fn about(description: &str, mut value: Value) -> Value {
    value["description"] = json!(description);
    value
}

fn undescribed(key: &str) -> Value {
    unreachable!("`{key}` is read but not described: the tests make the whole schema")
}

#[cfg(test)]
mod tests;
