use std::path::Path;

use regex::Regex;

use super::*;
use crate::document::{Document, Table};
use crate::mask::Keys;

/// What is wrong with `value`, by the part of JSON Schema that the schema uses; any other part is a failure.
fn mistake(schema: &Value, value: &Value) -> Option<String> {
    let wrong = |keyword: &str| Some(format!("{keyword} of {schema} refuses {value}"));
    for (keyword, rule) in schema.as_object().expect("a schema is an object") {
        let (members, items) = (value.as_object(), value.as_array());
        let holds = match keyword.as_str() {
            "$schema" | "title" | "description" => true,
            "type" => match rule.as_str() {
                Some("object") => value.is_object(),
                Some("array") => value.is_array(),
                Some("string") => value.is_string(),
                Some("integer") => value.is_i64(),
                Some("boolean") => value.is_boolean(),
                other => panic!("type {other:?}"),
            },
            "const" => rule == value,
            "enum" => rule.as_array().expect("a list").contains(value),
            "pattern" => {
                let pattern = Regex::new(rule.as_str().expect("a text")).expect("a pattern");
                value.as_str().is_none_or(|text| pattern.is_match(text))
            }
            "minimum" => value.as_i64().is_none_or(|number| number >= bound(rule)),
            "maximum" => value.as_i64().is_none_or(|number| number <= bound(rule)),
            "maxLength" => value.as_str().is_none_or(|text| text.chars().count() as i64 <= bound(rule)),
            "minItems" => items.is_none_or(|items| items.len() as i64 >= bound(rule)),
            "required" => {
                let required = rule.as_array().expect("a list");
                required.iter().all(|key| value.get(key.as_str().expect("a key")).is_some())
            }
            "additionalProperties" => {
                members.into_iter().flatten().all(|(key, _)| schema["properties"].get(key).is_some())
            }
            "properties" => {
                let known =
                    members.into_iter().flatten().filter_map(|(key, value)| Some((rule.get(key)?, value)));
                match known.filter_map(|(rule, value)| mistake(rule, value)).next() {
                    Some(inner) => return Some(inner),
                    None => true,
                }
            }
            "items" => match items.into_iter().flatten().find_map(|item| mistake(rule, item)) {
                Some(inner) => return Some(inner),
                None => true,
            },
            "anyOf" | "oneOf" => {
                let fitting =
                    rule.as_array().expect("a list").iter().filter(|rule| mistake(rule, value).is_none());
                let count = fitting.count();
                if keyword == "oneOf" { count == 1 } else { count > 0 }
            }
            "not" => mistake(rule, value).is_some(),
            other => panic!("this test does not know `{other}`"),
        };
        if !holds {
            return wrong(keyword);
        }
    }
    None
}

fn bound(rule: &Value) -> i64 {
    rule.as_i64().expect("a bound is a number")
}

fn parsed(source: &str) -> Value {
    toml::from_str(source).expect("the file is TOML")
}

#[test]
fn every_shipped_policy_is_valid() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let files = std::fs::read_dir(directory)
        .expect("the policies are there")
        .map(|entry| entry.expect("an entry").path());
    let policies: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect();
    assert!(policies.len() >= 3);
    for path in policies {
        let source = std::fs::read_to_string(&path).expect("the policy is readable");
        assert_eq!(mistake(&schema(), &parsed(&source)), None, "{}", path.display());
    }
}

#[test]
fn each_mistake_is_refused_where_it_is() {
    const GOOD: &str = r#"
        version = 1
        label = "all"
        [[detector]]
        id = "employee_id"
        pattern = 'EMP-\d{6}'
        validator = "luhn"
        [[detector]]
        id = "ticket"
        fallback = true
        [[detector.shape]]
        pattern = 'T-\d{4}'
        edges = "value"
        [[detector]]
        id = "customer"
        values = "customers.fingerprints"
        canary = true
        [[rule]]
        id = "cards"
        detectors = ["credit_card", "employee_id"]
        parts = ["key"]
        level = "regulated"
        mask = { operator = "hash", key = "pseudonyms" }
        [[test]]
        record = "EMP-123456"
        level = "regulated"
    "#;
    assert_eq!(mistake(&schema(), &parsed(GOOD)), None);
    let table = [
        ("version = 1", "version = 2", "const"),
        ("label =", "lable =", "additionalProperties"),
        ("pattern =", "patern =", "additionalProperties"),
        ("pattern = 'EMP-\\d{6}'", "", "oneOf"),
        ("fallback = true", "pattern = 'T'", "oneOf"),
        ("fallback = true", "fallback = 1", "type"),
        ("values = \"customers.fingerprints\"", "", "oneOf"),
        ("canary = true", "canary = \"yes\"", "type"),
        ("edges = \"value\"", "edges = \"values\"", "enum"),
        ("edges = \"value\"", "trigger = \"at\"", "additionalProperties"),
        ("\"luhn\"", "\"lun\"", "enum"),
        ("\"cards\"", "\"Cards!\"", "pattern"),
        ("[\"credit_card\", \"employee_id\"]", "\"credit_card\"", "type"),
        ("[\"key\"]", "[]", "minItems"),
        ("level = \"regulated\"\n        mask", "level = \"high\"\n        mask", "enum"),
        ("key = \"pseudonyms\"", "length = 32", "oneOf"),
        ("\"hash\", key = \"pseudonyms\"", "\"keep\"", "oneOf"),
        ("\"hash\", key = \"pseudonyms\"", "\"redact\", char = \"#\"", "oneOf"),
        ("\"EMP-123456\"\n        level", "\"EMP-123456\"\n        topic", "anyOf"),
    ];
    for (from, to, keyword) in table {
        let changed = GOOD.replacen(from, to, 1);
        assert_ne!(changed, GOOD, "{from} is in the policy");
        let found = mistake(&schema(), &parsed(&changed)).unwrap_or_default();
        assert!(found.starts_with(keyword), "{to}: {found}");
    }
}

#[test]
fn the_schema_and_the_compiler_allow_the_same_masks() {
    for byte in b' '..=b'~' {
        for (operator, key) in [("redact", "char"), ("replace", "with")] {
            let mask = format!("{{ operator = \"{operator}\", {key} = \"\\u{byte:04x}\" }}");
            let source = format!("version = 1\n[[rule]]\nid = \"r\"\ndetectors = [\"email\"]\nmask = {mask}");
            let is_placeholder = key == "with" && b"{}".contains(&byte);
            assert_eq!(
                mistake(&schema(), &parsed(&source)).is_none() && !is_placeholder,
                is_read(&mask),
                "{mask}"
            );
        }
    }
}

fn is_read(mask: &str) -> bool {
    let source = format!("mask = {mask}");
    let document = Document::new(Path::new("p.toml"), &source);
    let root = document.parse();
    let operator =
        masks::read(&document, &Table::root(&document, &root).table("mask").unwrap(), &Keys::StandIn);
    document.finish(operator).is_ok()
}
