//! One JSON object per record.

use std::io::Write;

use gateway::payload::Field;
use gateway::policy::{Decision, Found, Policy, RuleSet, Scratch, Verdict};

/// Appends the results of a run, one line per record. `first` is the index of the run's first record.
pub(super) fn write(
    policy: &Policy,
    rules: &RuleSet,
    scratch: &Scratch,
    text: &[u8],
    fields: &[Field],
    first: usize,
    out: &mut Vec<u8>,
) {
    let mut decisions = scratch.decisions().iter().peekable();
    let mut found = scratch.found();
    let mut masked = Vec::new();
    for (index, field) in (0..).zip(fields) {
        let own = decisions.next_if(|own| own.record == field.record);
        let decision = own.map_or(rules.base(), |own| own.decision);
        let count = found.iter().take_while(|found| found.finding.field == index).count();
        let (here, rest) = found.split_at(count);
        found = rest;
        masked.clear();
        scratch.patches().apply_field(text, index, field, &mut masked);
        write_record(policy, first + index as usize, &decision, here, field, &masked, out);
    }
}

fn write_record(
    policy: &Policy,
    index: usize,
    decision: &Decision,
    found: &[Found],
    field: &Field,
    masked: &[u8],
    out: &mut Vec<u8>,
) {
    let (level, verdict) = (decision.level.as_str(), decision.verdict.as_str());
    append(
        out,
        format_args!("{{\"index\":{index},\"level\":\"{level}\",\"verdict\":\"{verdict}\",\"findings\":["),
    );
    for (position, found) in found.iter().enumerate() {
        let separator = if position > 0 { "," } else { "" };
        let (detector, rule) = (&policy.detector(found.finding.detector).id, policy.rule_id(found.rule));
        let (start, end) = (found.finding.start - field.start, found.finding.end - field.start);
        append(
            out,
            format_args!(
                "{separator}{{\"detector\":\"{detector}\",\"rule\":\"{rule}\",\"start\":{start},\"end\":{end}}}"
            ),
        );
    }
    match std::str::from_utf8(masked) {
        _ if decision.verdict == Verdict::Block => append(out, format_args!("],\"output\":null}}\n")),
        Ok(text) => append(out, format_args!("],\"output\":{}}}\n", serde_json::Value::from(text))),
        Err(_) => append(out, format_args!("],\"output_base64\":\"{}\"}}\n", base64(masked))),
    }
}

fn append(out: &mut Vec<u8>, line: std::fmt::Arguments<'_>) {
    out.write_fmt(line).expect("writing to memory does not fail");
}

/// Base64 of RFC 4648 section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or_default());
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let sextet = (group >> (18 - 6 * place)) as usize & 63;
            text.push(if place <= chunk.len() { char::from(ALPHABET[sextet]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    /// The vectors of RFC 4648 section 10.
    #[test]
    fn base64_is_that_of_the_standard() {
        let table = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (bytes, expected) in table {
            assert_eq!(base64(bytes.as_bytes()), expected);
        }
    }
}
