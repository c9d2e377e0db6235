//! An account as text for people.

use std::fmt::Write;

use super::account::{Account, Candidate, FindingAccount, NearMissAccount};

/// Characters of a pattern that are shown.
const PATTERN_SHOWN: usize = 80;

/// Detectors of one near miss that are named.
const NAMED_MAX: usize = 3;

/// The account of one record.
pub(super) fn write(account: &Account) -> String {
    let mut out = format!("record {}: {}, {}\n", account.index, account.level, account.verdict);
    for finding in &account.findings {
        write_finding(finding, &mut out);
    }
    // Many detectors look for values of one form: what is said of all of them is said once.
    let same = |one: &NearMissAccount, other: &NearMissAccount| {
        (one.candidate.start, one.candidate.end, &one.reason)
            == (other.candidate.start, other.candidate.end, &other.reason)
    };
    for group in account.near_misses.chunk_by(same) {
        write_near_miss(group, &mut out);
    }
    out
}

fn write_finding(finding: &FindingAccount, out: &mut String) {
    let Candidate { detector, .. } = &finding.candidate;
    push(out, format_args!("  {} {detector}\n", place(&finding.candidate)));
    push(out, format_args!("      {}\n", origin(&finding.candidate)));
    let validator = match finding.validator {
        Some(validator) => format!("validator {validator} accepted it"),
        None => "no validator".to_owned(),
    };
    let context = match &finding.context {
        Some(word) => format!("context word `{}` at {}..{}", word.word, word.start, word.end),
        None => "no context word, and it needs none".to_owned(),
    };
    push(out, format_args!("      {validator}; {context}\n"));
    let operator =
        finding.operator.map_or("not masked".to_owned(), |operator| format!("masked by {operator}"));
    match &finding.rule {
        Some(rule) => {
            let shadow = if rule.shadow { " in shadow" } else { "" };
            push(
                out,
                format_args!("      rule {}{shadow} ({}:{}), {operator}\n", rule.id, rule.file, rule.line),
            );
        }
        None => push(out, format_args!("      no rule of this scope looks for it here\n")),
    }
}

fn write_near_miss(group: &[NearMissAccount], out: &mut String) {
    let names: Vec<&str> =
        group.iter().map(|near| near.candidate.detector.as_str()).take(NAMED_MAX).collect();
    let more = match group.len() - names.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let near = &group[0];
    push(out, format_args!("  {} no {}{more}: {}\n", place(&near.candidate), names.join(", "), near.reason));
    if group.len() == 1 {
        push(out, format_args!("      {}\n", origin(&near.candidate)));
    }
}

fn place(candidate: &Candidate) -> String {
    let value = candidate.value.as_ref().map_or(String::new(), |value| format!(" of {value:?}"));
    format!("{}..{} {:?}{value}", candidate.start, candidate.end, candidate.masked)
}

fn origin(candidate: &Candidate) -> String {
    let shown: String = candidate.pattern.chars().take(PATTERN_SHOWN).collect();
    let cut = if shown.len() < candidate.pattern.len() { ".." } else { "" };
    format!("tried at {}, pattern `{shown}{cut}`", candidate.looked_for)
}

fn push(out: &mut String, line: std::fmt::Arguments<'_>) {
    out.write_fmt(line).expect("writing to memory does not fail");
}
