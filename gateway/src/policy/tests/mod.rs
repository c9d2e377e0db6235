//! Policies from their text to their decisions.

mod decisions;
mod lists;
mod mistakes;
mod page;
mod properties;

use std::path::Path;

use super::*;
use crate::mask::Key;
use crate::payload::Part;

/// The keys of the configuration in these tests.
fn keys() -> Keys {
    let key = |id, secret: &[u8]| Key::new(id, secret).expect("the key is long enough");
    Keys::Configured(vec![key("pseudonyms", b"0123456789abcdef"), key("long", b"0123456789abcdefg")])
}

/// A policy that must compile.
fn compile(source: &str) -> Policy {
    Policy::compile(Path::new("p.toml"), source, &keys(), 1).unwrap_or_else(|mistakes| {
        let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        panic!("the policy does not compile:\n{}", lines.join("\n"))
    })
}

/// One record of a test: part, content.
type Content<'a> = (Part, &'a str);

/// What `inspect` made of a record.
#[derive(Debug, PartialEq)]
struct Outcome {
    decision: Decision,
    rules: Vec<String>,
    output: Vec<String>,
}

/// Inspects one record whose fields are `contents` in one text.
fn inspect(policy: &Policy, scope: &Scope<'_>, contents: &[Content<'_>]) -> Outcome {
    let mut text = Vec::new();
    let mut fields = Vec::new();
    for (part, content) in contents {
        let start = u32::try_from(text.len()).expect("tests are small");
        text.extend_from_slice(content.as_bytes());
        let end = u32::try_from(text.len()).expect("tests are small");
        fields.push(Field { record: 0, part: *part, start, end });
        text.push(0);
    }
    let rules = policy.rules_for(scope);
    let mut scratch = policy.scratch();
    policy.inspect(&mut scratch, &rules, &text, &fields).expect("the scan is within its limits");
    let own = scratch.decisions().first();
    let matched = own.map_or(rules.base_rules(), |own| scratch.rules(own));
    let masked = (0..).zip(&fields).map(|(index, field)| {
        let mut out = Vec::new();
        scratch.patches().apply_field(&text, index, field, &mut out);
        String::from_utf8(out).expect("masks of text are text")
    });
    Outcome {
        decision: own.map_or(rules.base(), |own| own.decision),
        rules: matched.iter().map(|&rule| policy.rule_id(rule).to_owned()).collect(),
        output: masked.collect(),
    }
}

const SCOPE: Scope<'_> = Scope { listener: "telemetry", topic: "orders.eu", principal: "User:alice" };
