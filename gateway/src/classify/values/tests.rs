use std::sync::Arc;

use super::super::explain::Explainer;
use super::super::oracle::Oracle;
use super::super::tests::{SplitMix, scan_line};
use super::super::{DetectorSpec, Engine, Trigger, Validator};
use super::*;
use crate::payload::{Field, Part};

const SECRET: [u8; 32] = [7; 32];

fn list(values: &str, case: Case) -> ValueList {
    let file = fingerprint(values, "k", &SECRET, case).expect("the values are sound");
    ValueList::read(&file, &SECRET).expect("a sound file").expect("the same key")
}

/// A detector of the values alone, as the compiler of policies makes it.
fn detector(id: &str, list: ValueList) -> DetectorSpec {
    let mut spec = DetectorSpec::custom(id, &list.pattern(), Vec::new(), Validator::None);
    spec.shapes[0].trigger = Some(Trigger::Listed);
    spec.max_length = list.match_bytes_max();
    spec.values = Some(Arc::new(list));
    spec
}

fn found(values: &str, case: Case, text: &str) -> Vec<String> {
    let engine = Engine::compile(&[detector("listed", list(values, case))]).expect("it compiles");
    scan_line(&engine, text).into_iter().map(|(_, value)| value).collect()
}

#[test]
fn values_are_found_as_whole_words_however_they_are_separated() {
    let values = "Acme Widgets GmbH\nK-20345-77\nZürich-Süd\njane.doe@acme.com\n";
    let table: [(&str, &[&str]); 16] = [
        ("of Acme Widgets GmbH, paid", &["Acme Widgets GmbH"]),
        ("ACME-WIDGETS.gmbh", &["ACME-WIDGETS.gmbh"]),
        ("Acme, Widgets GmbH", &["Acme, Widgets GmbH"]),
        ("AcmeWidgetsGmbH", &["AcmeWidgetsGmbH"]),
        ("Acme   Widgets GmbH", &[]),
        ("Acme Widgets", &[]),
        ("Acme Widgets GmbHs", &[]),
        (r#"{"id":"K-20345-77","n":"k2034577"}"#, &["K-20345-77", "k2034577"]),
        ("xK-20345-77 K-20345-778 K_20345_77", &["K_20345_77"]),
        ("_K-20345-77 K-20345-77_", &[]),
        ("Zürich Süd", &["Zürich Süd"]),
        ("Zürich Südé éZürich Süd", &[]),
        (r"\u0041cme Widgets\u0020GmbH", &[r"\u0041cme Widgets\u0020GmbH"]),
        ("q=Acme%20Widgets%20GmbH&x", &["Acme%20Widgets%20GmbH"]),
        (r"\nK-20345-77\n", &["K-20345-77"]),
        ("to jane.doe@acme.com K-20345-77 K-20345-77", &["jane.doe@acme.com", "K-20345-77", "K-20345-77"]),
    ];
    for (text, expected) in table {
        assert_eq!(found(values, Case::Ignored, text), expected, "{text}");
    }
}

#[test]
fn quotes_dashes_and_spaces_beyond_ascii_separate_words() {
    let values = "\u{feff}Acme Widgets GmbH\nO\u{2019}Brien\u{a0}Ltd.\u{a0}\n佐々木太郎\n";
    let table: [(&str, &[&str]); 12] = [
        ("“Acme Widgets GmbH”", &["Acme Widgets GmbH"]),
        ("paid—Acme Widgets GmbH…", &["Acme Widgets GmbH"]),
        ("«\u{a0}Acme\u{a0}Widgets,\u{a0}GmbH\u{a0}»", &["Acme\u{a0}Widgets,\u{a0}GmbH"]),
        ("Acme\u{a0}\u{a0}\u{a0}Widgets GmbH", &[]),
        ("Ac\u{a0}me\u{a0}Wid\u{a0}gets GmbH", &[]),
        ("éAcme Widgets GmbH”é", &[]),
        ("\u{feff}O'Brien Ltd", &["O'Brien Ltd"]),
        (r"O\u0027Brien\u00a0Ltd", &[r"O\u0027Brien\u00a0Ltd"]),
        ("O’Brien Ltd’s", &["O’Brien Ltd"]),
        ("「佐々木太郎」、", &["佐々木太郎"]),
        ("佐木太郎", &[]),
        (r"\u201cO\u0027Brien Ltd\u201d", &[r"O\u0027Brien Ltd"]),
    ];
    for (text, expected) in table {
        assert_eq!(found(values, Case::Ignored, text), expected, "{text}");
    }
}

#[test]
fn case_counts_where_it_is_said() {
    assert_eq!(found("Mark Wolf\n", Case::Counts, "Mark Wolf, mark wolf"), ["Mark Wolf"]);
    assert_eq!(found("Mark Wolf\n", Case::Ignored, "Mark Wolf, mark wolf").len(), 2);
}

#[test]
fn with_a_pattern_only_what_it_matches_and_the_list_holds_is_found() {
    let mut spec = DetectorSpec::custom("badge", r"EMP-\d{6}", Vec::new(), Validator::None);
    spec.values = Some(Arc::new(list("EMP-004711\nSome Body\n", Case::Ignored)));
    let engine = Engine::compile(&[spec]).expect("it compiles");
    let found = scan_line(&engine, "EMP-004711 EMP-004712 Some Body");
    assert_eq!(found, [("badge".to_owned(), "EMP-004711".to_owned())]);
    let near = Explainer::new(&engine).explain(b"EMP-004712 Some Body").near_misses;
    assert_eq!(near.len(), 1, "the pattern matched, the list did not hold it: {near:?}");
}

/// Texts of pieces of values, of what separates and of what hides them.
#[test]
fn the_engine_the_oracle_and_the_explanation_agree() {
    const PIECES: [&str; 30] = [
        "acme", "Widgets", "GmbH", "k20", "345", "77", "é", "z", " ", " ", "-", ", ", "_", ".", "\"", r"\n",
        r"\u0041", "%20", "%4", "u0041", "/", "key: ", "&#64;", "@", "“", "\u{a0}", "\u{c2}", "々", "、",
        "\u{feff}",
    ];
    let values = "Acme Widgets\nk20-345\nacme\n77 acmé\nAAcme\n345-77-k20-z\n";
    let mut keyed = detector("keyed", list("acme 77\nGmbH\n", Case::Counts));
    keyed.keywords = vec!["key".to_owned()];
    keyed.shapes[0].context = super::super::Context::Required;
    let specs = [detector("listed", list(values, Case::Ignored)), keyed];
    let (engine, oracle) = (Engine::compile(&specs).expect("it compiles"), Oracle::new(&specs));
    let explainer = Explainer::new(&engine);
    let (mut random, mut total) = (SplitMix(1), 0);
    for _ in 0..8000 {
        let pieces: Vec<&str> = (0..random.below(12)).map(|_| *random.pick(&PIECES)).collect();
        let text = pieces.concat();
        let cut = random.below(text.len() + 1);
        let field = |record, start: usize, end: usize| Field {
            record,
            part: Part::Value,
            start: start as u32,
            end: end as u32,
        };
        let fields = [field(0, 0, cut), field(1, cut, text.len())];
        let mut findings = Vec::new();
        engine.scan(&mut engine.scratch(), text.as_bytes(), &fields, &mut findings).expect("a whole scan");
        assert_eq!(findings, oracle.scan(text.as_bytes(), &fields), "{text:?} cut at {cut}");
        let explained = explainer.explain(&text.as_bytes()[..cut]).findings.len();
        assert_eq!(explained, findings.iter().filter(|finding| finding.field == 0).count(), "{text:?}");
        total += findings.len();
    }
    assert!(total > 500, "{total} findings");
}

/// Words in which every look passes the filter cost the most, and those which start a value that never goes on to its
/// end: the scan still ends within its bound.
#[test]
fn a_flood_of_listed_words_is_within_the_bound() {
    let long = "acme acme acme acme acme acme acme x\n";
    let table = [
        (format!("acme\nacme acme\n{long}"), "acme ", 25_000),
        (format!("acme\n{long}"), "acme ", 50_000),
        (format!("00000\n{long}"), "0,", 10_000),
        (format!("0000\n0 0 0 0 0 0 0 1\n{long}"), "0,", 12_500),
    ];
    for (values, word, expected) in table {
        assert_eq!(found(&values, Case::Ignored, &word.repeat(50_000)).len(), expected, "{values}");
    }
}

#[test]
fn a_file_holds_no_value_and_reads_back_under_its_key_only() {
    let file = fingerprint("Acme Widgets\nacme-widgets\n\n K-20345-77. \n", "k", &SECRET, Case::Ignored);
    let file = file.expect("the values are sound");
    assert!(!file.to_lowercase().contains("acme") && !file.contains("2034"), "{file}");
    assert_eq!(key_of(&file), Ok("k"));
    let read = ValueList::read(&file, &SECRET).expect("a sound file").expect("the same key");
    assert_eq!((read.fingerprints.len(), read.words_max, read.bytes.clone()), (2, 3, 8..=11));
    assert_eq!(ValueList::read(&file, &[8; 32]), Ok(None));
    let marks = |file: &str| file.lines().rev().nth(1).map(|line| line[32..].to_owned());
    let plain = format!("{:08x}", Mark::of(b"k2034577").bits());
    assert!(!file.contains(&plain), "a mark needs no key, so it is covered");
    let other = fingerprint("Acme Widgets\nK-20345-77\n", "k", &[8; 32], Case::Ignored).expect("sound");
    assert_ne!(marks(&file), marks(&other));
}

#[test]
fn what_cannot_be_looked_for_has_its_place_and_no_value_is_shown() {
    let mistakes = |values: &str| {
        let errors = fingerprint(values, "k", &SECRET, Case::Ignored).expect_err("a mistake");
        errors.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let gap = "between the words of a value stand one or 2 of ` -._/,'&@:+`";
    assert_eq!(mistakes("\n"), ["1:1: there are no values: write one a line"]);
    let two = mistakes("Acme (Widgets)\nK-1\n");
    assert_eq!(two[0], format!("1:6: {gap}"));
    assert_eq!(
        two[1],
        "2:1: a value has 4 to 64 bytes in letters and digits, not 2: use a pattern for this one"
    );
    assert_eq!(mistakes("\"Zü  -rich\""), [format!("1:6: {gap}")]);
    assert_eq!(mistakes("a b c d e f g h i"), ["1:1: a value has at most 8 words, not 9"]);
}

#[test]
fn a_file_that_is_not_whole_is_refused() {
    let file = fingerprint("Acme Widgets\nK-20345-77\n", "k", &SECRET, Case::Ignored).expect("sound");
    let lines: Vec<&str> = file.lines().collect();
    for length in 0..lines.len() {
        let error = ValueList::read(&lines[..length].join("\n"), &SECRET).expect_err("it is cut off");
        assert_eq!(error.line, length + 1, "{error}");
    }
    let without = |line: usize| [&lines[..line], &lines[line + 1..]].concat().join("\n");
    let swapped = [&lines[..7], &[lines[8], lines[7], lines[9]]].concat().join("\n");
    let longer = [&lines[..9], &lines[8..]].concat().join("\n");
    let value = file.replacen(lines[8], &format!("f{}", &lines[8][1..]), 1);
    let table = [
        (file.replace("words 3", "words 9"), "5:1: `words` is from 1 to 8: "),
        (file.replace("words 3", "words 1"), "10:1: a line above was changed: "),
        (file.replace("bytes 8 11", "bytes 11 8"), "6:1: `bytes` are two numbers, ascending: "),
        (file.replace("bytes", "byte"), "6:1: `bytes ..` belongs here: "),
        (file.replace("case ignored", "case counts"), "10:1: a line above was changed: "),
        (file.replace("case ignored", "case upper"), "4:1: `case` is `ignored` or `counts`: "),
        (swapped, "9:1: no fingerprint, or out of order: "),
        (value, "10:1: a line above was changed: "),
        (without(8), "9:1: no fingerprint, or out of order: "),
        (without(8).replace("values 2", "values 1"), "9:1: a line above was changed: "),
        (without(9), "10:1: `seal ..` belongs here: "),
        (longer, "10:1: `seal ..` belongs here: "),
        (format!("{file}{}", lines[8]), "11:1: nothing belongs behind the seal: "),
        ("Acme Widgets\n".to_owned(), "1:1: this is no file of fingerprints: "),
    ];
    for (file, expected) in table {
        let error = ValueList::read(&file, &SECRET).expect_err("it is not whole").to_string();
        assert!(error.starts_with(expected), "{expected}: {error}");
    }
    let windows = file.replace('\n', "\r\n");
    assert!(ValueList::read(&windows, &SECRET).is_ok_and(|list| list.is_some()), "line ends do not count");
}
