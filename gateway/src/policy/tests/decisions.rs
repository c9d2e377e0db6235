//! Rules against findings: which count, which mask, what results.

use super::*;
use Level::{Confidential, Internal, Public, Regulated};

const DETECTORS: &str = r#"version = 1
[[detector]]
id = "employee"
pattern = 'EMP-\d{6}'
[[detector]]
id = "number"
pattern = '\d{6}'
"#;

fn decision(level: Level, verdict: Verdict, on_block: Option<OnBlock>) -> Decision {
    Decision { level, verdict, on_block }
}

fn policy(rules: &str) -> Policy {
    compile(&format!("{DETECTORS}{rules}"))
}

/// What a policy makes of one value.
fn value(rules: &str, content: &str) -> (Level, Verdict, Vec<String>, String) {
    let mut outcome = inspect(&policy(rules), &SCOPE, &[(Part::Value, content)]);
    (outcome.decision.level, outcome.decision.verdict, outcome.rules, outcome.output.remove(0))
}

#[test]
fn the_first_rule_with_a_mask_masks_and_all_rules_count() {
    let rules = r#"
        [[rule]]
        id = "seen"
        detectors = ["employee"]
        level = "internal"
        [[rule]]
        id = "first"
        detectors = ["employee"]
        topics = ["orders.*"]
        level = "internal"
        mask = { operator = "keep", last = 2 }
        [[rule]]
        id = "second"
        detectors = ["employee"]
        level = "regulated"
        verdict = "hold"
        mask = { operator = "null" }
        [[rule]]
        id = "other"
        detectors = ["email"]
        level = "regulated"
        verdict = "block"
    "#;
    let (level, verdict, rules, output) = value(rules, "a EMP-123456 b");
    assert_eq!((level, verdict), (Regulated, Verdict::Hold));
    assert_eq!(rules, ["seen", "first", "second"]);
    assert_eq!(output, "a ***-****56 b");
}

#[test]
fn a_token_is_the_same_in_key_and_value() {
    let rules = r#"
        [[rule]]
        id = "r"
        detectors = ["employee"]
        parts = ["key", "value"]
        mask = { operator = "token", key = "pseudonyms" }
    "#;
    let contents = [(Part::Key, "EMP-123456"), (Part::Value, r#"{"id":"EMP-123456"}"#)];
    let outcome = inspect(&policy(rules), &SCOPE, &contents);
    let token = &outcome.output[0];
    assert_ne!(token, "EMP-123456");
    assert_eq!(outcome.output[1], format!(r#"{{"id":"{token}"}}"#));
}

#[test]
fn a_rule_without_a_level_gives_that_of_the_detector() {
    let rules = "[[rule]]\nid = \"r\"\ndetectors = [\"employee\"]\n";
    assert_eq!(value(rules, "EMP-123456").0, Internal);
    assert_eq!(value(rules, "EMP-12345").0, Public);
}

#[test]
fn a_rule_without_detectors_matches_every_record_in_scope() {
    let rules = r#"
        [[rule]]
        id = "eu"
        topics = ["*.eu"]
        level = "confidential"
        [[rule]]
        id = "us"
        topics = ["*.us"]
        verdict = "block"
        [[rule]]
        id = "employees"
        detectors = ["employee"]
        level = "internal"
    "#;
    assert_eq!(
        value(rules, "nothing"),
        (Confidential, Verdict::Forward, vec!["eu".to_owned()], "nothing".to_owned())
    );
    let with_finding = value(rules, "EMP-123456");
    assert_eq!(
        (with_finding.0, with_finding.2),
        (Confidential, vec!["eu".to_owned(), "employees".to_owned()])
    );
    let elsewhere = Scope { topic: "orders.us", ..SCOPE };
    assert_eq!(policy(rules).rules_for(&elsewhere).base(), decision(Public, Verdict::Block, None));
}

#[test]
fn a_rule_applies_only_in_its_scope() {
    let table = [
        ("topics = [\"orders.*\"]", true),
        ("topics = [\"a\", \"b\"]", false),
        ("principals = [\"User:a*\"]", true),
        ("principals = [\"User:bob\"]", false),
        ("listeners = [\"telemetry\"]", true),
        ("listeners = [\"billing\"]", false),
        ("topics = [\"orders.*\"]\nprincipals = [\"User:bob\"]", false),
        ("parts = [\"value\"]", true),
        ("parts = [\"headers\"]", false),
    ];
    for (scope, applies) in table {
        let rules =
            format!("[[rule]]\nid = \"r\"\ndetectors = [\"employee\"]\nlevel = \"regulated\"\n{scope}\n");
        let expected = if applies { Regulated } else { Public };
        assert_eq!(value(&rules, "EMP-123456").0, expected, "{scope}");
    }
}

#[test]
fn a_shadow_rule_is_reported_and_has_no_effect() {
    let rules = r#"
        [[rule]]
        id = "trial"
        detectors = ["employee"]
        level = "regulated"
        verdict = "block"
        mode = "shadow"
        mask = { operator = "redact" }
    "#;
    let (level, verdict, matched, output) = value(rules, "EMP-123456");
    assert_eq!((level, verdict), (Public, Verdict::Forward));
    assert_eq!((matched, output.as_str()), (vec!["trial".to_owned()], "EMP-123456"));
    let mut label = Vec::new();
    policy(rules).write_label_rules(&[RuleIndex(0)], &mut label);
    assert_eq!(label, b"");
}

#[test]
fn keys_are_masked_only_by_what_keeps_them_apart() {
    let redact = r#"
        [[rule]]
        id = "r"
        detectors = ["employee"]
        level = "regulated"
        mask = { operator = "redact" }
    "#;
    let contents = [(Part::Key, "EMP-123456"), (Part::Value, "EMP-123456"), (Part::Header, "EMP-123456")];
    let outcome = inspect(&policy(redact), &SCOPE, &contents);
    assert_eq!(outcome.output, ["EMP-123456", "***-******", "***-******"]);
    assert_eq!(outcome.decision.level, Regulated);

    let hash = redact
        .replace(r#"{ operator = "redact" }"#, r#"{ operator = "hash", key = "pseudonyms", length = 16 }"#);
    let outcome = inspect(&policy(&hash), &SCOPE, &contents);
    assert_eq!(outcome.output[0].len(), 16);
    assert_eq!(outcome.output[0], outcome.output[1]);
}

#[test]
fn fields_limit_a_rule_to_what_they_name() {
    let rules = r#"
        [[rule]]
        id = "r"
        detectors = ["number"]
        level = "regulated"
        fields = ["/user/*/id", "/note"]
        mask = { operator = "redact" }
    "#;
    let table = [
        (
            r#"{"user":{"a":{"id":"123456"}},"id":"123456"}"#,
            r#"{"user":{"a":{"id":"******"}},"id":"123456"}"#,
        ),
        (r#"{"user":[{"id":123456},{"no":123456}]}"#, r#"{"user":[{"id":0     },{"no":123456}]}"#),
        (r#"{"n\u006fte":["x 123456 y"]}"#, r#"{"n\u006fte":["x ****** y"]}"#),
        ("note=123456", "note=******"),
        ("id=123456 note=\"a \\\" 123456\" x 123456", "id=123456 note=\"a \\\" ******\" x 123456"),
        ("id=123456&n%6fte=123456&b=123456", "id=123456&n%6fte=******&b=123456"),
        ("[info] note=123456 id=123456", "[info] note=****** id=123456"),
        (r#"{"id":"note=123456"}"#, r#"{"id":"note=123456"}"#),
        ("123456", "123456"),
    ];
    for (content, expected) in table {
        assert_eq!(value(rules, content).3, expected, "{content}");
    }
}

#[test]
fn json_is_json_behind_any_space_and_at_any_depth() {
    let rules = r#"
        [[rule]]
        id = "r"
        detectors = ["number"]
        fields = ["/a"]
        mask = { operator = "redact" }
    "#;
    let (space, open, close) = (" ".repeat(300), "[".repeat(200), "]".repeat(200));
    let table = [
        (format!(r#"{space}{{"a":123456}}"#), format!(r#"{space}{{"a":0     }}"#)),
        (format!(r#"{{"a":{space}123456{space}}}"#), format!(r#"{{"a":{space}0     {space}}}"#)),
        ("\u{feff}{\"a\":123456}".to_owned(), "\u{feff}{\"a\":0     }".to_owned()),
        (
            format!(r#"{{"a":{open}123456,"654321"{close},"b":123456}}"#),
            format!(r#"{{"a":{open}0     ,"******"{close},"b":123456}}"#),
        ),
    ];
    for (content, expected) in table {
        assert_eq!(value(rules, &content).3, expected);
    }
}

/// Everything that a built-in detector may say, one of one's own may say, too.
#[test]
fn a_declaration_of_a_built_in_detector_is_one_of_ones_own() {
    let rules = r#"
        [[detector]]
        id = "ticket"
        family = "health"
        default_level = "confidential"
        keywords = ["ticket"]
        not_keywords = ["build"]
        fallback = true
        allow = ["T-0000"]
        [[detector.shape]]
        pattern = 'T-\d{4}'
        [[detector.shape]]
        after = 'tickets?: '
        pattern = '[0-9a-f]{8}'
        edges = "value"
        [[detector.shape]]
        pattern = '[A-Z]{5}\d'
        context = "required"
        [[rule]]
        id = "r"
        detectors = ["health/*"]
        mask = { operator = "redact" }
    "#;
    let table = [
        ("see T-1234", "see *-****"),
        ("see T-0000", "see T-0000"),
        ("build T-1234", "build T-1234"),
        ("tickets: 12ab34cd", "tickets: ********"),
        ("other: 12ab34cd", "other: 12ab34cd"),
        ("tickets: 12ab34cd-ef", "tickets: 12ab34cd-ef"),
        ("a ticket ABCDE7", "a ticket ******"),
        ("a basket ABCDE7", "a basket ABCDE7"),
    ];
    for (content, expected) in table {
        assert_eq!(value(rules, content).3, expected, "{content}");
    }
    assert_eq!(value(rules, "see T-1234").0, Confidential);
}

#[test]
fn overlapping_findings_leave_nothing_of_either() {
    let rules = r#"
        [[rule]]
        id = "employees"
        detectors = ["employee"]
        level = "internal"
        mask = { operator = "keep", first = 3 }
        [[rule]]
        id = "prefix"
        detectors = ["prefix"]
        level = "regulated"
        mask = { operator = "replace", with = "[{detector}]" }
        [[detector]]
        id = "prefix"
        pattern = 'at EMP'
    "#;
    let (_, _, rules, output) = value(rules, "x at EMP-123456 y");
    assert_eq!(rules, ["employees", "prefix"]);
    assert_eq!(output, "x [prefix]-****** y");
}

/// The number of a card is the same however it is written; what stands beside it in a record key is not.
#[test]
fn record_keys_in_which_findings_overlap_stay_apart() {
    let policy = policy(
        r#"
        [[detector]]
        id = "order"
        pattern = 'order [A-Za-z-]+ \d{4}'
        [[rule]]
        id = "cards"
        detectors = ["credit_card"]
        level = "regulated"
        mask = { operator = "hash", key = "pseudonyms" }
        [[rule]]
        id = "orders"
        detectors = ["order"]
        level = "internal"
        mask = { operator = "hash", key = "pseudonyms" }
    "#,
    );
    let hash = |key: &str| inspect(&policy, &SCOPE, &[(Part::Key, key)]).output.concat();
    let texts = ["order ab-c", "order abc", "order ABC"];
    let mut hashes: Vec<String> = texts.map(|text| hash(&format!("{text} 4111 1111 1111 1111"))).to_vec();
    assert!(hashes.iter().all(|hash| hash.len() == 32), "one hash for all: {hashes:?}");
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), texts.len());
    assert_eq!(hash("4111 1111 1111 1111"), hash("4111-1111-1111-1111"));
}

#[test]
fn the_stronger_way_to_block_wins() {
    let block = |id: &str, on_block: &str| {
        format!("[[rule]]\nid = \"{id}\"\ndetectors = [\"employee\"]\nverdict = \"block\"\n{on_block}\n")
    };
    let stub = "on_block = \"stub\"";
    let table = [
        (block("a", stub), Some(OnBlock::Stub)),
        (block("a", stub) + &block("b", ""), None),
        (block("a", stub) + &block("b", "on_block = \"reject\""), Some(OnBlock::Reject)),
    ];
    for (rules, expected) in table {
        let outcome = inspect(&policy(&rules), &SCOPE, &[(Part::Value, "EMP-123456")]);
        assert_eq!(outcome.decision, decision(Internal, Verdict::Block, expected), "{rules}");
    }
}

#[test]
fn labels_are_due_as_the_policy_says() {
    let table = [
        ("", false, true),
        ("label = \"all\"", true, true),
        ("label = \"off\"", false, false),
        ("default_level = \"confidential\"", false, false),
    ];
    for (line, public, confidential) in table {
        let policy = compile(&format!("version = 1\n{line}\n"));
        assert_eq!(
            (policy.label_due(Public), policy.label_due(Confidential)),
            (public, confidential),
            "{line}"
        );
    }
    let policy = compile("version = 1\nlabel_header = \"x-class\"\n");
    assert_eq!(
        (policy.labels().header.as_str(), policy.labels().rules_header.as_str()),
        ("x-class", "x-class-rules")
    );
}

#[test]
fn every_record_of_a_text_has_its_own_decision() {
    let policy = policy(
        "[[rule]]\nid = \"r\"\ndetectors = [\"employee\"]\nlevel = \"internal\"\nmask = { operator = \"redact\" }\n",
    );
    let rules = policy.rules_for(&SCOPE);
    let text = b"EMP-123456|nothing|EMP-654321 EMP-111111";
    let field = |record, start, end| Field { record, part: Part::Value, start, end };
    let mut scratch = policy.scratch();

    policy
        .inspect(&mut scratch, &rules, text, &[field(0, 0, 10), field(1, 11, 18), field(2, 19, 40)])
        .expect("a scan");

    let records: Vec<u32> = scratch.decisions().iter().map(|decision| decision.record).collect();
    assert_eq!(records, [0, 2]);
    assert_eq!(scratch.found().len(), 3);
    let mut edited = *text;
    assert!(scratch.patches().keeps_lengths());
    scratch.patches().apply_in_place(&mut edited);
    assert_eq!(&edited, b"***-******|nothing|***-****** ***-******");

    policy.inspect(&mut scratch, &rules, b"nothing", &[field(0, 0, 7)]).expect("a scan");
    assert!(scratch.decisions().is_empty() && scratch.patches().is_empty() && scratch.found().is_empty());
}

#[test]
fn a_text_with_more_findings_than_are_decided_on_at_once_is_not_inspected() {
    let policy = policy("[[rule]]\nid = \"r\"\ndetectors = [\"number\"]\nmask = { operator = \"redact\" }\n");
    let text = "123456 ".repeat((1 << 20) + 1);
    let field = Field { record: 0, part: Part::Value, start: 0, end: text.len() as u32 };
    let mut scratch = policy.scratch();
    let inspected = policy.inspect(&mut scratch, &policy.rules_for(&SCOPE), text.as_bytes(), &[field]);

    assert_eq!(inspected, Err(ScanError::TooManyFindings { findings: (1 << 20) + 1, findings_max: 1 << 20 }));
    assert!(scratch.patches().is_empty());
}

#[test]
fn masks_do_not_make_a_text_longer_without_limit() {
    let with = "x".repeat(256);
    let rule = format!("mask = {{ operator = \"replace\", with = \"{with}\" }}");
    let policy = policy(&format!("[[rule]]\nid = \"r\"\ndetectors = [\"number\"]\n{rule}\n"));
    let text = "123456 ".repeat(140_000);
    let field = Field { record: 0, part: Part::Value, start: 0, end: text.len() as u32 };
    let mut scratch = policy.scratch();
    let inspected = policy.inspect(&mut scratch, &policy.rules_for(&SCOPE), text.as_bytes(), &[field]);

    assert_eq!(inspected, Err(ScanError::MasksTooLong { growth_bytes_max: 32 << 20 }));
    assert!(scratch.patches().is_empty());
}
