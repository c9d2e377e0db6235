//! The built-in detectors of secrets on the examples of gitleaks; `gateway/tests/gitleaks/` says where they come from.

use super::{glue, scan};
use crate::classify::{DetectorSpec, Engine, Family, catalog};

/// The share of texts with a secret in which one must be found.
const RECALL_MIN: f64 = 0.95;

#[derive(serde::Deserialize)]
struct Example {
    rule: String,
    secret: bool,
    text: String,
}

/// By hand, with all examples: `GATEWAY_GITLEAKS=examples.jsonl cargo test -p gateway --lib gitleaks`.
#[test]
fn the_secrets_of_gitleaks_are_found_and_nothing_in_its_other_texts() {
    let named = std::env::var("GATEWAY_GITLEAKS").ok().map(|path| std::fs::read_to_string(path).unwrap());
    let file = named.as_deref().unwrap_or(include_str!("../../../tests/gitleaks/sample.jsonl"));
    let examples: Vec<Example> = file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let specs: Vec<DetectorSpec> =
        catalog::builtin().iter().filter(|spec| spec.family == Family::Secret).cloned().collect();
    let engine = Engine::compile(&specs).unwrap();
    let finds = |example: &&Example| {
        let (text, fields) = glue(&[&example.text]);
        !scan(&engine, &text, &fields).is_empty()
    };
    let (secrets, others): (Vec<&Example>, Vec<&Example>) =
        examples.iter().partition(|example| example.secret);
    let (found, missed): (Vec<&Example>, Vec<&Example>) = secrets.into_iter().partition(finds);
    let wrong: Vec<&Example> = others.into_iter().filter(finds).collect();
    let recall = found.len() as f64 / (found.len() + missed.len()) as f64;
    println!("{} found, {} missed, recall {recall:.4}", found.len(), missed.len());
    let texts = |examples: &[&Example]| -> Vec<String> {
        examples.iter().map(|example| format!("{}: {}", example.rule, example.text)).collect()
    };
    assert!(recall >= RECALL_MIN, "missed: {:#?}", texts(&missed));
    assert!(wrong.is_empty(), "found something in: {:#?}", texts(&wrong));
}
