//! The page that teaches the language: what it shows is what happens.

use super::*;

const PAGE: &str = include_str!("../../../../docs/policies.md");

/// The examples of the page, one after the other: it builds up one policy.
fn examples() -> String {
    let blocks = PAGE.split("```toml\n").skip(1);
    blocks.map(|block| block.split("```").next().expect("a block ends")).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_examples_are_one_policy_that_passes_its_tests() {
    let source = examples();
    let policy = compile(&source);
    assert!(policy.rule_count() >= 5 && policy.tests().len() >= 2, "the examples are found");
    let mut scratch = policy.scratch();
    for test in policy.tests() {
        let failures: Vec<String> = test.run(&policy, &mut scratch).iter().map(ToString::to_string).collect();
        assert_eq!(failures, [""; 0], "{}", &source[test.at()..]);
    }
}

#[test]
fn each_mask_gives_what_its_row_says() {
    let rows: Vec<Vec<&str>> = PAGE
        .lines()
        .filter(|line| line.starts_with("| `{ operator"))
        .map(|line| line.split('|').map(|cell| cell.trim().trim_matches('`')).collect())
        .collect();
    assert_eq!(rows.len(), 6, "one row for each operator");
    for row in rows {
        let rule =
            format!("version = 1\n[[rule]]\nid = \"r\"\ndetectors = [\"credit_card\"]\nmask = {}", row[1]);
        let outcome = inspect(&compile(&rule), &SCOPE, &[(Part::Value, "4111 1111 1111 1111")]);
        let expected = if row[2] == "nothing" { "" } else { row[2] };
        assert_eq!(outcome.output, [expected], "{}", row[1]);
    }
}
