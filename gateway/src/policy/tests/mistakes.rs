//! Every mistake has its place, says what is allowed, and does not hide the others.

use super::*;

const GOOD: &str = r#"version = 1
default_level = "public"
label = "sensitive"
[[detector]]
id = "employee_id"
pattern = 'EMP-\d{6}'
[[rule]]
id = "cards"
detectors = ["credit_card", "employee_id"]
topics = ["orders.*"]
level = "regulated"
mask = { operator = "keep", first = 6, last = 4 }
verdict = "forward"
[[test]]
record = "EMP-123456"
level = "regulated"
"#;

fn mistakes(source: &str) -> Vec<String> {
    let mistakes = Policy::compile(Path::new("p.toml"), source, &keys(), 1).err().unwrap_or_default();
    mistakes.iter().map(ToString::to_string).collect()
}

#[test]
fn every_mistake_has_its_place_and_says_what_is_allowed() {
    let table: [(&str, &str, &str); 50] = [
        ("version = 1", "", "p.toml:1:1: the file needs `version`: `version = 1`"),
        ("version = 1", "version = 2", "p.toml:1:11: `version` must be an integer from 1 to 1, not 2"),
        (
            "\"public\"",
            "\"secret\"",
            "p.toml:2:17: `default_level` cannot be `secret`; allowed: `public`, `internal`, `confidential`, `regulated`",
        ),
        (
            "\"sensitive\"",
            "\"sensitiv\"",
            "p.toml:3:9: `label` cannot be `sensitiv`; did you mean `sensitive`? allowed: `sensitive`, `all`, `off`",
        ),
        (
            "label =",
            "lable =",
            "p.toml:3:1: unknown key `lable`; did you mean `label`? allowed: `version`, `default_level`, `label`, `label_header`, `detector`, `rule`, `test`",
        ),
        (
            "label = \"sensitive\"",
            "label_header = \"a b\"",
            "p.toml:3:16: a header name has 1 to 128 visible ASCII characters",
        ),
        (
            "\"employee_id\"\npattern",
            "\"Employee\"\npattern",
            "p.toml:5:6: `Employee`: an id has 1 to 64 of a-z, 0-9, `_` and `-`",
        ),
        (
            "\"employee_id\"\npattern",
            "\"email\"\npattern",
            "p.toml:5:6: `email` is a built-in detector: choose another id",
        ),
        (
            "pattern =",
            "patern =",
            "p.toml:6:1: unknown key `patern` in [[detector]]; did you mean `pattern`? allowed: `id`, `pattern`, `keywords`, `validator`, `default_level`, `max_length`, `allow`, `matches`, `rejects`, `family`, `not_keywords`, `fallback`, `after`, `edges`, `context`, `shape`, `values`, `canary`",
        ),
        ("pattern = 'EMP-\\d{6}'", "", "p.toml:4:1: [[detector]] needs `pattern`: a string"),
        (
            "'EMP-\\d{6}'\n",
            "'EMP-\\d{6}'\nmatches = [\"EMP-1\"]\n",
            "p.toml:6:11: `employee_id` does not match its example `EMP-1`",
        ),
        (
            "'EMP-\\d{6}'\n",
            "'EMP-\\d{6}'\nrejects = [\"EMP-123456\"]\n",
            "p.toml:6:11: `employee_id` matches its counter-example `EMP-123456`",
        ),
        (
            "'EMP-\\d{6}'\n",
            "'EMP-\\d{6}'\nmax_length = 0\n",
            "p.toml:7:14: `max_length` must be an integer from 1 to 65536, not 0",
        ),
        (
            "'EMP-\\d{6}'\n",
            "'EMP-\\d{6}'\nkeywords = [\"badge\", \"ssn4\"]\n",
            "p.toml:7:22: `ssn4` is never found: a keyword has at most three runs of ASCII letters; between them may stand one other letter, one separator that is no digit, or both",
        ),
        ("id = \"cards\"", "", "p.toml:7:1: [[rule]] needs `id`: a string"),
        (
            "id = \"cards\"",
            "id = \"my cards\"",
            "p.toml:8:6: `my cards`: an id has 1 to 64 of a-z, 0-9, `_` and `-`",
        ),
        (
            "[[test]]",
            "[[rule]]\nid = \"cards\"\nlevel = \"internal\"\n[[test]]",
            "p.toml:15:6: two rules are named `cards`: choose another id",
        ),
        (
            "credit_card",
            "credit_crad",
            "p.toml:9:14: no detector is named `credit_crad`; did you mean `credit_card`? (`gateway detectors` lists the built-in ones)",
        ),
        ("\"credit_card\", \"employee_id\"", "\"email\", \"email\"", "p.toml:9:23: `email` is listed twice"),
        (
            "[\"credit_card\", \"employee_id\"]",
            "[]",
            "p.toml:9:13: `detectors` is empty, so nothing matches: leave it out, or name something",
        ),
        (
            "[\"credit_card\", \"employee_id\"]",
            "\"email\"",
            "p.toml:9:13: `detectors` must be a list of strings, not the string \"email\"",
        ),
        (
            "\"orders.*\"",
            "\"orders/*\"",
            "p.toml:10:11: `orders/*`: never matches: a topic name has letters, digits, `.`, `_`, `-`; wildcards are `*` and `?`",
        ),
        (
            "topics = [\"orders.*\"]",
            "topics = [\"\"]",
            "p.toml:10:11: ``: an empty name never matches; `*` matches every name",
        ),
        (
            "topics = [\"orders.*\"]",
            "principals = [\"alice\"]",
            "p.toml:10:15: `alice`: never matches: principals are written as Kafka prints them, `User:name`",
        ),
        (
            "topics = [\"orders.*\"]",
            "topic = [\"orders\"]",
            "p.toml:10:1: unknown key `topic` in [[rule]]; did you mean `topics`? allowed: `id`, `detectors`, `topics`, `principals`, `listeners`, `parts`, `fields`, `level`, `mask`, `verdict`, `on_block`, `mode`",
        ),
        (
            "topics = [\"orders.*\"]",
            "parts = [\"header\"]",
            "p.toml:10:10: no part of a record is named `header`; did you mean `headers`? allowed: `key`, `value`, `headers`",
        ),
        (
            "topics = [\"orders.*\"]",
            "fields = [\"user/mail\"]",
            "p.toml:10:11: `user/mail`: a JSON Pointer starts with `/`: `/user/mail`",
        ),
        (
            "topics = [\"orders.*\"]",
            "fields = [\"/a~b\"]",
            "p.toml:10:11: `/a~b`: `~` is written `~0` and `/` inside a key `~1`",
        ),
        (
            "topics = [\"orders.*\"]",
            "fields = [\"/a\"]\nparts = [\"headers\"]",
            "p.toml:10:10: never matches: fields are looked for in keys and values, and `parts` has only headers",
        ),
        (
            "topics = [\"orders.*\"]",
            "parts = [\"key\"]",
            "p.toml:12:8: this operator gives many keys one value, which merges them on a compacted topic: use `hash` or `token`, or leave `key` out of `parts`",
        ),
        ("level = \"regulated\"\nmask", "level = 3\nmask", "p.toml:11:9: `level` must be a string, not 3"),
        (
            "{ operator = \"keep\", first = 6, last = 4 }",
            "\"redact\"",
            "p.toml:12:8: `mask` must be a table, not the string \"redact\"",
        ),
        (
            "{ operator = \"keep\", first = 6, last = 4 }",
            "{ operator = \"redcat\" }",
            "p.toml:12:21: no mask operator is named `redcat`; did you mean `redact`? allowed: `redact`, `keep`, `hash`, `replace`, `null`, `token`",
        ),
        (
            "{ operator = \"keep\", first = 6, last = 4 }",
            "{ operator = \"hash\" }",
            "p.toml:12:8: `hash` needs `key`: without one the value is found by trying all; the configuration has `pseudonyms`, `long`",
        ),
        (
            "{ operator = \"keep\", first = 6, last = 4 }",
            "{ operator = \"hash\", key = \"k\" }",
            "p.toml:12:35: no key is named `k`; the configuration has `pseudonyms`, `long`",
        ),
        (
            "{ operator = \"keep\", first = 6, last = 4 }",
            "{ operator = \"hash\", key = \"pseudonyms\", length = 4 }",
            "p.toml:12:58: `length` must be an integer from 8 to 64, not 4",
        ),
        (
            "{ operator = \"keep\", first = 6, last = 4 }",
            "{ operator = \"hash\", key = \"pseudonyms\", length = 15 }",
            "p.toml:12:8: a hash of 15 digits gives two record keys one value too soon, which merges them on a compacted topic: `length` of at least 16, or `parts` without `key`",
        ),
        (
            "{ operator = \"keep\", first = 6, last = 4 }",
            "{ operator = \"token\" }",
            "p.toml:12:8: `token` needs `key`, under which values are encrypted; the configuration has `pseudonyms`, `long`",
        ),
        (
            "{ operator = \"keep\", first = 6, last = 4 }",
            "{ operator = \"token\", key = \"long\" }",
            "p.toml:12:36: `token` encrypts with AES: the key `long` needs 16, 24 or 32 bytes",
        ),
        (
            "{ operator = \"keep\", first = 6, last = 4 }",
            "{ operator = \"redact\", char = \"**\" }",
            "p.toml:12:38: `char` is one printable ASCII character, but no digit and none of `\"\\%&<>'#?+ `, which begin or end something in JSON, URLs or XML; `*` by default",
        ),
        (
            "{ operator = \"keep\", first = 6, last = 4 }",
            "{ operator = \"replace\", with = '\"x\"' }",
            "p.toml:12:39: `with` stands inside JSON strings: no `\"`, no `\\`, no control characters",
        ),
        (
            "last = 4",
            "char = \"&\"",
            "p.toml:12:47: `char` is one printable ASCII character, but no digit and none of `\"\\%&<>'#?+ `, which begin or end something in JSON, URLs or XML; `*` by default",
        ),
        (
            "{ operator = \"keep\", first = 6, last = 4 }",
            "{ operator = \"replace\", with = '<{detector}>' }",
            "p.toml:12:39: `with` stands inside URLs, forms and XML, too: none of `%&<>'#?+ `; try `[{detector}]`",
        ),
        (
            "{ operator = \"keep\", first = 6, last = 4 }",
            "{ operator = \"replace\", with = \"{rule}\" }",
            "p.toml:12:39: the only placeholder of `with` is `{detector}`",
        ),
        (
            "first = 6, last = 4",
            "",
            "p.toml:12:8: `keep` needs `first` or `last`, how many letters and digits stay; to keep none use `redact`",
        ),
        (
            "first = 6, last = 4",
            "first = 6, lest = 4",
            "p.toml:12:40: unknown key `lest` in [[rule]].mask; did you mean `last`? allowed: `operator`, `first`, `last`, `char`",
        ),
        (
            "verdict = \"forward\"",
            "verdict = \"drop\"",
            "p.toml:13:11: `verdict` cannot be `drop`; allowed: `forward`, `hold`, `block`",
        ),
        (
            "verdict = \"forward\"",
            "on_block = \"stub\"",
            "p.toml:13:12: `on_block` needs `verdict = \"block\"`",
        ),
        (
            "verdict = \"forward\"",
            "mode = \"shadw\"",
            "p.toml:13:8: `mode` cannot be `shadw`; did you mean `shadow`? allowed: `enforce`, `shadow`",
        ),
        ("[[test]]\nrecord", "[[test]]\nrecrd", "p.toml:14:1: [[test]] needs `record`: a string"),
    ];
    for (from, to, expected) in table {
        let changed = GOOD.replacen(from, to, 1);
        assert_ne!(changed, GOOD, "{from} is in the policy");
        let found = mistakes(&changed);
        assert!(found.iter().any(|mistake| mistake == expected), "{to}: {found:#?}");
    }
    assert_eq!(mistakes(GOOD), [""; 0]);
}

#[test]
fn rules_that_cannot_stand_together_are_refused() {
    let rule = |id: &str, rest: &str| format!("[[rule]]\nid = \"{id}\"\n{rest}\n");
    let keep = |first| {
        format!("detectors = [\"credit_card\"]\nmask = {{ operator = \"keep\", first = {first}, last = 4 }}")
    };
    let source = format!("version = 1\n{}{}", rule("a", &keep(6)), rule("b", &keep(8)));
    let expected = "p.toml:9:8: rule `a` keeps the first 6 and last 4 of the same detector: two truncations of one \
                    value let it be put together again; keep the same here, or use `redact`";
    assert_eq!(mistakes(&source), [expected]);

    let same = format!("version = 1\n{}{}", rule("a", &keep(6)), rule("b", &keep(6)));
    assert_eq!(mistakes(&same), [""; 0]);
}

#[test]
fn a_rule_without_detectors_decides_something() {
    let table = [
        (
            "topics = [\"orders\"]",
            Some("p.toml:3:6: the rule has no effect: it needs `detectors`, a `level` or a `verdict`"),
        ),
        ("level = \"internal\"", None),
        ("verdict = \"block\"", None),
        (
            "level = \"internal\"\nmask = { operator = \"redact\" }",
            Some("p.toml:5:8: `mask` concerns what detectors find: this rule needs `detectors`"),
        ),
        (
            "level = \"internal\"\nparts = [\"value\"]",
            Some("p.toml:5:9: `parts` concerns what detectors find: this rule needs `detectors`"),
        ),
    ];
    for (rest, expected) in table {
        let found = mistakes(&format!("version = 1\n[[rule]]\nid = \"r\"\n{rest}\n"));
        assert_eq!(found.first().map(String::as_str), expected, "{rest}");
    }
}

#[test]
fn a_mask_holds_nothing_that_has_a_meaning_where_it_stands() {
    let rule = "version = 1\n[[rule]]\nid = \"r\"\ndetectors = [\"email\"]\nmask = ";
    for code in "%&<>'#?+ ".chars() {
        for mask in ["{ operator = \"redact\", char = \"§\" }", "{ operator = \"replace\", with = \"x§y\" }"]
        {
            let source = rule.to_owned() + &mask.replace('§', &code.to_string());
            assert_eq!(mistakes(&source).len(), 1, "{source}");
        }
    }
    compile(&format!("{rule}{{ operator = \"redact\", char = \"-\" }}"));
}

#[test]
fn a_mask_that_is_found_again_is_refused() {
    let source = "version = 1\n[[detector]]\nid = \"word\"\npattern = '[A-Z]{8}'\nmatches = [\"ABCDEFGH\"]\n\
                  [[rule]]\nid = \"r\"\ndetectors = [\"word\"]\nmask = { operator = \"redact\", char = \"X\" }\n";
    let expected =
        "p.toml:9:8: `word` still finds what this mask leaves of `ABCDEFGH`: mask more, or another `char`";
    assert_eq!(mistakes(source), [expected]);
}

#[test]
fn a_rule_that_never_masks_is_refused() {
    let rule = |id: &str, rest: &str| format!("[[rule]]\nid = \"{id}\"\ndetectors = [\"email\"]\n{rest}\n");
    let (redact, null) = ("mask = { operator = \"redact\" }", "mask = { operator = \"null\" }");
    let expected = "p.toml:10:8: never masks: rule `a` stands before it and masks all that this rule looks for; \
                    put this rule first, or leave `mask` out";
    let table = [
        ("", "", true),
        ("", "topics = [\"hr.*\"]", true),
        ("topics = [\"hr.*\"]", "topics = [\"hr.staff\"]", true),
        ("fields = [\"/user\"]", "fields = [\"/user/mail\"]", true),
        ("topics = [\"hr.*\"]", "", false),
        ("parts = [\"value\"]", "", false),
        ("fields = [\"/user\"]", "", false),
        ("mode = \"shadow\"", "", false),
    ];
    for (first, second, refused) in table {
        let (a, b) = (rule("a", &format!("{redact}\n{first}")), rule("b", &format!("{null}\n{second}")));
        let found = mistakes(&format!("version = 1\n{a}{b}"));
        assert_eq!(found, if refused { vec![expected] } else { Vec::new() }, "{first}, {second}");
    }
    let same = format!("version = 1\n{}{}", rule("a", redact), rule("b", redact));
    assert_eq!(mistakes(&same), [""; 0]);
}

#[test]
fn what_the_engine_refuses_is_reported_at_the_pattern() {
    let table = [
        ("(", "the pattern is not valid: "),
        ("(?=x)y", "look-ahead and back-references do not exist"),
        (r"(a)\1", "look-ahead and back-references do not exist"),
        ("a*", "the pattern matches the empty text; give it something that must be there"),
        ("[a-z]{50000}", "begin it with a literal of three bytes or more, or bound its repetitions"),
    ];
    for (pattern, expected) in table {
        let source = format!("version = 1\n[[detector]]\nid = \"own\"\npattern = '{pattern}'\n");
        let found = mistakes(&source);
        let first = found.first().map_or("", String::as_str);
        assert!(first.starts_with("p.toml:4:11: detector `own`: ") && first.contains(expected), "{found:?}");
    }
}

#[test]
fn a_detector_of_shapes_has_its_mistakes_at_their_places() {
    const SHAPES: &str = r#"version = 1
[[detector]]
id = "own"
fallback = false
[[detector.shape]]
pattern = 'ORD-\d{4}'
edges = "value"
[[detector.shape]]
pattern = 'order \d{4}'
context = "none"
"#;
    let table = [
        ("false", "\"no\"", "p.toml:4:12: `fallback` must be true or false, not the string \"no\""),
        ("pattern = 'ORD-\\d{4}'", "", "p.toml:5:1: [[detector.shape]] needs `pattern`: a string"),
        (
            "\"value\"",
            "\"words\"",
            "p.toml:7:9: `edges` cannot be `words`; did you mean `word`? allowed: `none`, `word`, `number`, `address`, `value`",
        ),
        (
            "context =",
            "contxt =",
            "p.toml:10:1: unknown key `contxt` in [[detector.shape]]; did you mean `context`? allowed: `pattern`, `after`, `edges`, `context`, `validator`, `trigger`",
        ),
        (
            "fallback = false",
            "edges = \"none\"",
            "p.toml:4:9: `edges` belongs to each [[detector.shape]] where there are any",
        ),
        (
            "context = \"none\"",
            "trigger = \"at\"",
            "p.toml:10:11: `trigger` serves the built-in detectors: for a pattern of one's own the place to look at is found by itself",
        ),
        (
            "'order \\d{4}'",
            "'o*'",
            "p.toml:9:11: detector `own`: the pattern matches the empty text; give it something that must be there",
        ),
    ];
    for (from, to, expected) in table {
        let changed = SHAPES.replacen(from, to, 1);
        assert_ne!(changed, SHAPES, "{from} is in the policy");
        assert_eq!(mistakes(&changed), [expected], "{to}");
    }
    assert_eq!(mistakes(SHAPES), [""; 0]);
}

/// Each of them is small enough.
#[test]
fn patterns_that_are_dear_together_are_refused_where_they_become_so() {
    let detector = |index| {
        format!(
            "[[detector]]\nid = \"own{index}\"\npattern = 'own{index}[a-z]{{1,9}}x[a-z0-9]{{9}}y[a-z]{{3}}'\n"
        )
    };
    let source: String = (0..2000).map(detector).collect();
    let found = mistakes(&format!("version = 1\n{source}"));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("automata take more than 64 MiB together; bound"), "{found:#?}");
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let changed = GOOD
        .replace("credit_card", "nothing")
        .replace("\"regulated\"", "\"high\"")
        .replace("orders.*", "a b");
    assert_eq!(mistakes(&changed).len(), 4);
}
