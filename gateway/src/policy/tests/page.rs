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

/// The body of the block of that kind.
fn block(kind: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(&format!("```{kind}\n")).expect("the page has the block");
    rest.split("```").next().expect("a block ends")
}

#[test]
fn the_lists_of_the_page_are_found_as_it_says() {
    let source = format!("version = 1\n{}", block("toml lists"));
    let key = keys().find("pseudonyms").expect("a key of the tests");
    let read = |file: &Path| {
        let is_canaries = file == Path::new("canaries.fingerprints");
        let values = if is_canaries { "nadia.quill@example.org\n" } else { block("text customers") };
        Ok(Policy::fingerprint(values, &key, Case::Ignored).expect("the values are sound"))
    };
    let policy = lists::compile_with(&source, &read).expect("the policy compiles");
    let mut scratch = policy.scratch();
    assert_eq!(policy.tests().len(), 3);
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
