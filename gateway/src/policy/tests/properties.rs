//! Masking leaves nothing to find, and touches nothing else.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

const POLICIES: [(&str, &str); 5] = [
    ("default.toml", include_str!("../../../../policies/default.toml")),
    ("payment-cards.toml", include_str!("../../../../policies/payment-cards.toml")),
    ("secrets-only.toml", include_str!("../../../../policies/secrets-only.toml")),
    ("health-records.toml", include_str!("../../../../policies/health-records.toml")),
    ("eu-personal-data.toml", include_str!("../../../../policies/eu-personal-data.toml")),
];

/// A shipped policy, compiled as `gateway policy test` does it.
fn shipped(source: &str) -> Policy {
    Policy::compile(Path::new("p.toml"), source, &Keys::StandIn, 1)
        .expect("shipped policies have no mistakes")
}

#[test]
fn shipped_policies_pass_their_own_tests() {
    for (name, source) in POLICIES {
        let policy = shipped(source);
        let mut scratch = policy.scratch();
        assert!(!policy.tests().is_empty(), "{name} has tests");
        for test in policy.tests() {
            let failures: Vec<String> =
                test.run(&policy, &mut scratch).iter().map(ToString::to_string).collect();
            assert_eq!(failures, [""; 0], "{name} at byte {}", test.at());
        }
    }
}

/// The default policy, compiled once.
static DEFAULT: LazyLock<Policy> = LazyLock::new(|| shipped(POLICIES[0].1));

/// Values that detectors look for, in several ways of writing, beside what only looks so.
fn values() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("4111 1111 1111 1111".to_owned()),
        Just("4111111111111111".to_owned()),
        Just("378282246310005".to_owned()),
        Just("536-22-1847".to_owned()),
        Just("jane.doe@example.com".to_owned()),
        Just("+1 415 555 2671".to_owned()),
        Just("203.0.113.7".to_owned()),
        Just("2001:db8:85a3::8a2e:370:7334".to_owned()),
        Just("DE89370400440532013000".to_owned()),
        Just("AKIAQ3EGRZ5WLHV2KD7T".to_owned()),
        "[0-9]{9,19}",
        "[a-z]{3,8}",
        "[0-9a-f]{32}",
    ]
}

/// Records in the forms in which values travel.
fn records() -> impl Strategy<Value = String> {
    let record = (values(), values(), values(), 0usize..6);
    record.prop_map(|(a, b, c, form)| match form {
        0 => format!(r#"{{"card":"{a}","ssn":"{b}","msg":"from {c}"}}"#),
        1 => format!("card={a} phone={b} ip={c}"),
        2 => format!(r#"{{"a":["{a}","{b}\n{c}"]}}"#),
        3 => format!("{a},{b},{c}"),
        4 => format!(r#"{{"phone":"\u002b{a}\/{b}","{c}":1}}"#),
        _ => {
            let number = |text: &str| {
                text.parse::<u64>().map_or_else(|_| format!("{text:?}"), |number| number.to_string())
            };
            format!(r#"{{"pan":{},"ssn":{},"t":[{}]}}"#, number(&a), number(&b), number(&c))
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_second_gateway_finds_nothing_and_changes_nothing(record in records()) {
        let policy = &*DEFAULT;
        let first = inspect(policy, &SCOPE, &[(Part::Value, &record)]);
        let second = inspect(policy, &SCOPE, &[(Part::Value, &first.output[0])]);
        prop_assert_eq!(&second.rules, &Vec::<String>::new(), "{} -> {}", record, first.output[0]);
        prop_assert_eq!(&second.output, &first.output);
        prop_assert_eq!(first.output[0].len(), record.len());
        if serde_json::from_str::<serde_json::Value>(&record).is_ok() {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&first.output[0]).is_ok(), "{}", first.output[0]);
        }
    }

    #[test]
    fn what_lies_outside_the_findings_stays(record in records()) {
        let policy = &*DEFAULT;
        let rules = policy.rules_for(&SCOPE);
        let mut scratch = policy.scratch();
        let end = u32::try_from(record.len()).expect("tests are small");
        let field = Field { record: 0, part: Part::Value, start: 0, end };
        policy.inspect(&mut scratch, &rules, record.as_bytes(), &[field]).expect("the scan is within its limits");
        let mut out = Vec::new();
        scratch.patches().apply_field(record.as_bytes(), 0, &field, &mut out);
        for (at, (before, after)) in record.bytes().zip(&out).enumerate() {
            let inside = scratch.found().iter().any(|found| found.finding.range().contains(&at));
            prop_assert!(inside || before == *after, "byte {at} of {record} became {}", char::from(*after));
        }
    }
}
