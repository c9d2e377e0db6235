//! Lists of values in policies: what keeps one from being used, and canaries.

use std::cell::Cell;
use std::io;

use super::*;

const LISTED: &str = r#"version = 1
[[detector]]
id = "customer"
values = "lists/c.fingerprints"
[[rule]]
id = "customers"
detectors = ["customer"]
level = "internal"
"#;

/// A policy whose lists `read` gives.
pub(super) fn compile_with(
    source: &str,
    read: &dyn Fn(&Path) -> io::Result<String>,
) -> Result<Policy, Vec<String>> {
    let policy = Policy::compile_with(Path::new("p.toml"), source, &References { keys: &keys(), read }, 1);
    policy.map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

fn fingerprints(key: &str, secret: &[u8]) -> String {
    let key = Key::new(key, secret).expect("the key is long enough");
    Policy::fingerprint("Acme Widgets\n", &key, Case::Ignored).expect("the values are sound")
}

#[test]
fn a_list_that_cannot_be_used_is_a_mistake_with_its_fix() {
    let good = fingerprints("pseudonyms", b"0123456789abcdef");
    let foreign = fingerprints("pseudonyms", b"another secret of 27 bytes!");
    let unknown = fingerprints("elsewhere", b"0123456789abcdef");
    let cut = good.lines().take(7).collect::<Vec<_>>().join("\n");
    let table: [(io::Result<String>, &str); 5] = [
        (
            Err(io::ErrorKind::NotFound.into()),
            "`lists/c.fingerprints` cannot be read: entity not found; `gateway policy fingerprint` makes it from a list of \
             values",
        ),
        (
            Ok(foreign),
            "`lists/c.fingerprints` was made under another key than `pseudonyms` is here: name the configuration with its \
             key (`--config`), or make it again with `gateway policy fingerprint`",
        ),
        (
            Ok(unknown),
            "`lists/c.fingerprints` was made under the key `elsewhere`, and no key is named so; the configuration has \
             `pseudonyms`, `long`",
        ),
        (
            Ok("Acme Widgets\n".to_owned()),
            "lists/c.fingerprints:1:1: this is no file of fingerprints: make it with `gateway policy fingerprint`, and keep \
             raw values elsewhere",
        ),
        (
            Ok(cut),
            "lists/c.fingerprints:8:1: the file ends after 0 of 1 values: copy the whole file, or make it again with \
             `gateway policy fingerprint`",
        ),
    ];
    for (file, expected) in table {
        let read = |path: &Path| {
            assert_eq!(path, Path::new("lists/c.fingerprints"));
            file.as_ref().cloned().map_err(|error| error.kind().into())
        };
        let mistakes = compile_with(LISTED, &read).expect_err("the list cannot be used");
        assert_eq!(mistakes, [format!("p.toml:4:10: {expected}")]);
    }
    compile_with(LISTED, &|_| Ok(good.clone())).expect("the list can be used");
}

#[test]
fn a_list_that_several_detectors_name_is_read_once() {
    let (reads, good) = (Cell::new(0), fingerprints("pseudonyms", b"0123456789abcdef"));
    let read = |_: &Path| {
        reads.set(reads.get() + 1);
        Ok(good.clone())
    };
    let second = LISTED
        .replace("[[rule]]", "[[detector]]\nid = \"again\"\nvalues = \"lists/c.fingerprints\"\n[[rule]]");
    compile_with(&second, &read).expect("the list can be used");
    assert_eq!(reads.get(), 1);
}

#[test]
fn all_lists_of_a_policy_have_a_bound_together() {
    let (reads, large) = (Cell::new(0), "x".repeat(48 << 20));
    let read = |_: &Path| {
        reads.set(reads.get() + 1);
        Ok(large.clone())
    };
    let detector = |index| format!("[[detector]]\nid = \"d{index}\"\nvalues = \"{index}\"\n");
    let source = format!("version = 1\n{}", (0..6).map(detector).collect::<String>());
    let mistakes = compile_with(&source, &read).expect_err("they are too large");
    let expected = "p.toml:19:10: the lists before this one have more than 167772160 bytes together";
    assert_eq!((reads.get(), mistakes.last().map(String::as_str)), (4, Some(expected)));
}

#[test]
fn what_belongs_to_a_pattern_needs_one() {
    let read = |_: &Path| Ok(fingerprints("pseudonyms", b"0123456789abcdef"));
    let source = LISTED.replace("[[rule]]", "edges = \"none\"\n[[rule]]");
    let mistakes = compile_with(&source, &read).expect_err("a mistake");
    let expected =
        "p.toml:5:9: `edges` belongs to a `pattern`: without one, values stand as whole words".to_owned();
    assert_eq!(mistakes, [expected]);
}

#[test]
fn one_value_has_one_hash_however_it_is_written() {
    let read = |_: &Path| Ok(fingerprints("pseudonyms", b"0123456789abcdef"));
    let source = format!("{LISTED}mask = {{ operator = \"hash\", key = \"pseudonyms\" }}");
    let policy = compile_with(&source, &read).expect("the policy compiles");
    let hash = |text| inspect(&policy, &SCOPE, &[(Part::Value, text)]).output.remove(0);
    assert_eq!(hash("Acme Widgets").len(), 32);
    assert_eq!(hash("Acme Widgets"), hash("acme-WIDGETS"));
}

#[test]
fn values_that_differ_in_case_alone_have_hashes_of_their_own_where_case_counts() {
    let key = Key::new("pseudonyms", b"0123456789abcdef").expect("the key is long enough");
    let list = Policy::fingerprint("Ab12-cd\naB12CD\n", &key, Case::Counts).expect("the values are sound");
    let source = format!("{LISTED}mask = {{ operator = \"hash\", key = \"pseudonyms\" }}");
    let policy = compile_with(&source, &|_| Ok(list.clone())).expect("the policy compiles");
    let hash = |text| inspect(&policy, &SCOPE, &[(Part::Key, text)]).output.remove(0);
    assert_ne!(hash("Ab12cd"), hash("aB12CD"));
    assert_eq!(hash("Ab12cd"), hash("Ab12-cd"));
    assert_eq!(hash("ab12cd"), "ab12cd", "it is not listed");
}

const CANARY: &str = r#"version = 1
[[detector]]
id = "planted"
pattern = 'quagga-\d{4}'
canary = true
default_level = "regulated"
"#;

#[test]
fn a_canary_is_found_without_a_rule_and_other_rules_say_what_becomes_of_it() {
    let policy = compile(CANARY);
    let outcome = inspect(&policy, &SCOPE, &[(Part::Key, "x quagga-7731")]);
    assert_eq!((outcome.decision.level, outcome.decision.verdict), (Level::Regulated, Verdict::Forward));
    assert_eq!(
        (outcome.rules.as_slice(), outcome.output[0].as_str()),
        (&["canary".to_owned()][..], "x quagga-7731")
    );
    assert_eq!(policy.canaries().len(), 1);

    let rule = "[[rule]]\nid = \"stop\"\ndetectors = [\"planted\"]\nverdict = \"block\"\nmask = { operator = \"redact\" }";
    let outcome = inspect(&compile(&format!("{CANARY}{rule}")), &SCOPE, &[(Part::Value, "x quagga-7731")]);
    assert_eq!(outcome.rules, ["stop", "canary"]);
    assert_eq!((outcome.decision.verdict, outcome.output[0].as_str()), (Verdict::Block, "x ******-****"));
}

#[test]
fn no_rule_takes_the_name_of_the_canaries() {
    let rule = "[[rule]]\nid = \"canary\"\ntopics = [\"a\"]\nlevel = \"internal\"";
    let mistakes = compile_with(&format!("{CANARY}{rule}"), &|_| Err(io::ErrorKind::NotFound.into()));
    let expected = "p.toml:7:1: the rule of the canaries is named `canary`: choose another id".to_owned();
    assert_eq!(mistakes.expect_err("a mistake"), [expected]);
}
