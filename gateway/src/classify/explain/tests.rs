use std::sync::LazyLock;

use super::*;
use crate::classify::catalog;
use crate::payload::{Field, Finding, Part};

static ENGINE: LazyLock<Engine> =
    LazyLock::new(|| Engine::compile(catalog::builtin()).expect("the built-in detectors compile"));

static EXPLAINER: LazyLock<Explainer<'static>> = LazyLock::new(|| Explainer::new(&ENGINE));

fn found_by_engine(text: &str) -> Vec<(DetectorIndex, Range<usize>)> {
    let end = u32::try_from(text.len()).expect("tests are small");
    let field = Field { record: 0, part: Part::Value, start: 0, end };
    let mut findings: Vec<Finding> = Vec::new();
    ENGINE.scan(&mut ENGINE.scratch(), text.as_bytes(), &[field], &mut findings).expect("a whole scan");
    findings.iter().map(|finding| (finding.detector, finding.range())).collect()
}

fn explain(text: &str) -> Explanation {
    EXPLAINER.explain(text.as_bytes())
}

fn id(detector: DetectorIndex) -> &'static str {
    &catalog::builtin()[usize::from(detector.0)].id
}

#[test]
fn the_explanation_agrees_with_the_engine_on_every_example() {
    let mut found = 0;
    for text in catalog::builtin().iter().flat_map(|spec| spec.matches.iter().chain(&spec.rejects)) {
        let findings = explain(text).findings;
        let explained: Vec<_> =
            findings.into_iter().map(|finding| (finding.detector, finding.span)).collect();
        assert_eq!(explained, found_by_engine(text), "{text}");
        found += explained.len();
    }
    assert!(found > catalog::builtin().len(), "{found} findings in the examples of all detectors");
}

#[test]
fn what_escapes_hide_is_explained_where_it_stands() {
    let text = r#"{"to":"jane\u002edoe\u0040x.org","s\u0073n":536137674}"#;
    let explained = explain(text).findings;
    let spans: Vec<_> = explained.iter().map(|finding| (finding.detector, finding.span.clone())).collect();
    assert_eq!(spans, found_by_engine(text));
    assert_eq!(&text[spans[0].1.clone()], r"jane\u002edoe\u0040x.org");
    let word = explained[1].word.clone().expect("a context word agreed");
    assert_eq!(&text[word.span], r"s\u0073n");
}

#[test]
fn a_finding_says_what_made_it_one() {
    let text = r#"{"customer":{"social_security_number":536137674}}"#;
    let explained = explain(text).findings.remove(0);
    assert_eq!(id(explained.detector), "us_ssn");
    assert_eq!(explained.validator, Validator::Ssn);
    assert_eq!(explained.origin.looked_for, "a run of digits");
    let word = explained.word.expect("a context word agreed");
    assert_eq!((word.word.as_str(), &text[word.span]), ("social security number", "social_security_number"));
}

#[test]
fn a_word_is_told_with_its_place() {
    for (text, expected) in [
        ("ssn 536137674", "ssn"),
        ("536137674 is my SSN", "SSN"),
        ("SSNs: 536 13 7674", "SSNs"),
        (r#"{"userSsn":"536137674"}"#, "Ssn"),
        ("ssn of the taxpayer id 536137674", "taxpayer id"),
    ] {
        let findings = explain(text).findings;
        let ssn = findings.iter().find(|found| id(found.detector) == "us_ssn");
        let word = ssn.and_then(|found| found.word.clone()).unwrap_or_else(|| panic!("{text}: {findings:?}"));
        assert_eq!(&text[word.span], expected, "{text}");
    }
}

#[test]
fn a_near_miss_says_which_check_refused_it() {
    type Is = fn(&Refusal) -> bool;
    let table: [(&str, &str, &str, Is); 4] = [
        ("pan 4111 1111 1111 1112", "credit_card", "4111 1111 1111 1112", |refusal| {
            *refusal == Refusal::Validator(Validator::Card)
        }),
        ("number 536 13 7674", "us_ssn", "536 13 7674", |refusal| *refusal == Refusal::NoWord),
        (
            "order number 536-13-7674",
            "us_ssn",
            "536-13-7674",
            |refusal| matches!(refusal, Refusal::WordAgainst(word) if word.word == "order number" && word.span == (0..12)),
        ),
        ("ssn 935-00-6436", "us_ssn", "935-00-6436", |refusal| {
            *refusal == Refusal::Validator(Validator::Ssn)
        }),
    ];
    for (text, detector, value, is_expected) in table {
        let near_misses = explain(text).near_misses;
        let near = near_misses.iter().find(|near| id(near.detector) == detector);
        let near = near.unwrap_or_else(|| panic!("{text}: {near_misses:?}"));
        assert_eq!(&text[near.span.clone()], value, "{text}");
        assert!(is_expected(&near.refusal), "{text}: {:?}", near.refusal);
    }
}

#[test]
fn an_allowed_value_is_a_near_miss() {
    let mut spec = DetectorSpec::custom("own", r"EMP-\d{6}", Vec::new(), Validator::None);
    spec.allow = vec!["emp 000000".to_owned()];
    let engine = Engine::compile(&[spec]).expect("it compiles");
    let explanation = Explainer::new(&engine).explain(b"EMP-000000, EMP-000001");
    assert_eq!(
        explanation.near_misses.iter().map(|near| near.refusal.clone()).collect::<Vec<_>>(),
        [Refusal::Allowed]
    );
    assert_eq!(explanation.findings[0].span, 12..22);
}

#[test]
fn a_fallback_detector_yields() {
    let own = |id, pattern| DetectorSpec::custom(id, pattern, Vec::new(), Validator::None);
    let specs =
        [DetectorSpec { fallback: true, ..own("any", r"[A-Z]{3}-\d{6}") }, own("employee", r"EMP-\d{6}")];
    let engine = Engine::compile(&specs).expect("it compiles");
    let explanation = Explainer::new(&engine).explain(b"EMP-000001");
    assert_eq!(explanation.findings.iter().map(|found| found.detector.0).collect::<Vec<_>>(), [1]);
    assert_eq!(explanation.near_misses[0].refusal, Refusal::Yields(DetectorIndex(1)));
}

#[test]
fn what_lies_within_a_finding_is_no_near_miss() {
    let explanation = explain("pan 4111 1111 1111 1111");
    assert_eq!(id(explanation.findings[0].detector), "credit_card");
    assert_eq!(explanation.near_misses, []);
}
