//! Any text as a policy file: it compiles, or every mistake has a place in the file.
#![no_main]

use std::path::Path;

use gateway::payload::{Field, Part};
use gateway::policy::{Keys, PRINCIPAL_ANONYMOUS, Policy, Scope};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(source) = std::str::from_utf8(data) else { return };
    match Policy::compile(Path::new("policy.toml"), source, &Keys::StandIn, 1) {
        Ok(policy) => inspect_itself(&policy, data),
        Err(mistakes) => {
            assert!(!mistakes.is_empty(), "a policy that is refused says why");
            let lines = source.matches('\n').count() + 1;
            assert!(mistakes.iter().all(|mistake| mistake.line <= lines));
        }
    }
});

/// A policy that compiles inspects any text, here its own.
fn inspect_itself(policy: &Policy, text: &[u8]) {
    let rules = policy.rules_for(&Scope { listener: "fuzz", topic: "fuzz", principal: PRINCIPAL_ANONYMOUS });
    let end = u32::try_from(text.len()).expect("inputs are small");
    let field = Field { record: 0, part: Part::Value, start: 0, end };
    let mut scratch = policy.scratch();
    if policy.inspect(&mut scratch, &rules, text, &[field]).is_ok() {
        let mut masked = Vec::new();
        scratch.patches().apply_field(text, 0, &field, &mut masked);
        assert!(scratch.decisions().len() <= 1);
    }
}
