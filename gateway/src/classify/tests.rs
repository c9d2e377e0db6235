//! The engine against the oracle, and the quality of the built-in detectors.

mod expressions;
mod gitleaks;
mod random_ids;

use std::collections::BTreeMap;

use super::oracle::Oracle;
use super::{DetectorSpec, Engine, Scratch, Validator, catalog, shapes, simd};
use crate::budget::KEPT_BYTES;
use crate::payload::{Field, Finding, Part};

/// Fields of a text that is the lines of `records` one after the other, without anything between them, so that
/// each field's edge is crossed by what looks like a value.
fn glue(records: &[impl AsRef<[u8]>]) -> (Vec<u8>, Vec<Field>) {
    let (mut text, mut fields) = (Vec::new(), Vec::new());
    for (record, bytes) in (0..).zip(records) {
        let start = text.len() as u32;
        text.extend_from_slice(bytes.as_ref());
        fields.push(Field { record, part: Part::Value, start, end: text.len() as u32 });
    }
    (text, fields)
}

fn scan(engine: &Engine, text: &[u8], fields: &[Field]) -> Vec<Finding> {
    let mut findings = Vec::new();
    engine.scan(&mut engine.scratch(), text, fields, &mut findings).unwrap();
    findings
}

/// What `engine` finds in one line that is one field, as (detector id, text).
pub(super) fn scan_line(engine: &Engine, line: &str) -> Vec<(String, String)> {
    let (text, fields) = glue(&[line]);
    let named = |finding: &Finding| {
        let value = String::from_utf8_lossy(&text[finding.range()]).into_owned();
        (engine.detector(finding.detector).id.clone(), value)
    };
    scan(engine, &text, &fields).iter().map(named).collect()
}

/// An engine, with a scratch that scan after scan uses as a worker's does, and its oracle.
struct Twins {
    engine: Engine,
    scratch: Scratch,
    oracle: Oracle,
}

impl Twins {
    fn new(specs: &[DetectorSpec]) -> Self {
        let engine = Engine::compile(specs).unwrap();
        Self { scratch: engine.scratch(), engine, oracle: Oracle::new(specs) }
    }

    /// Both find the same, and both forms of the pass over shapes report the same places.
    #[track_caller]
    fn assert_agreement(&mut self, text: &[u8], fields: &[Field]) {
        let (mut fastest, mut portable) = (Vec::new(), Vec::new());
        simd::sweep_fastest(text, self.engine.minimum, |trigger, at| fastest.push((trigger, at)));
        shapes::sweep_portable(text, self.engine.minimum, |trigger, at| portable.push((trigger, at)));
        assert_eq!(fastest, portable, "text: {:?}", String::from_utf8_lossy(text));

        let (mut found, expected) = (Vec::new(), self.oracle.scan(text, fields));
        self.engine.scan(&mut self.scratch, text, fields, &mut found).unwrap();
        let only = |these: &[Finding], those: &[Finding]| {
            let only = these.iter().filter(|finding| !those.contains(finding));
            only.map(|finding| self.describe(finding, text)).collect::<Vec<_>>()
        };
        assert!(
            found == expected,
            "only the engine: {:#?}\nonly the oracle: {:#?}\ntext: {:?}",
            only(&found, &expected),
            only(&expected, &found),
            String::from_utf8_lossy(text)
        );
    }

    fn describe(&self, finding: &Finding, text: &[u8]) -> String {
        let id = &self.engine.detector(finding.detector).id;
        let value = String::from_utf8_lossy(&text[finding.range()]);
        format!("{id} {}..{} {value:?}", finding.start, finding.end)
    }
}

/// A generator of numbers that needs no crate (Steele and others, "Fast splittable pseudorandom number
/// generators", 2014).
pub(super) struct SplitMix(pub(super) u64);

impl SplitMix {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) >> 1) as usize % bound
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// A record made of the examples of the detectors, whole, cut or changed, and of what stands between values.
fn record(random: &mut SplitMix, specs: &[DetectorSpec]) -> Vec<u8> {
    const BETWEEN: [&str; 26] = [
        " ",
        ",",
        "\"",
        ":",
        "-",
        ".",
        "\\n",
        "\\\"",
        "=",
        "+",
        "/",
        "@",
        "(",
        "\n",
        "ssn ",
        "\"phone\":\"",
        "1",
        "a",
        "%20",
        "\\u0022",
        "\\u0034",
        "%40",
        "&#64;",
        "\\/",
        "{\"card\":",
        "é",
    ];
    let mut record = Vec::new();
    for _ in 0..1 + random.below(6) {
        let spec = random.pick(specs);
        let examples: Vec<&String> = spec.matches.iter().chain(&spec.rejects).collect();
        let example = random.pick(&examples).as_bytes();
        let from = if random.below(3) == 0 { random.below(example.len()) } else { 0 };
        let mut piece = example[from..].to_vec();
        if random.below(3) == 0 && !piece.is_empty() {
            let at = random.below(piece.len());
            piece[at] = *random.pick(b"0123456789abcdefXYZ -.:@\"\\");
        }
        if random.below(4) == 0 {
            piece = escaped(random, &piece);
        }
        record.extend_from_slice(&piece);
        for _ in 0..random.below(3) {
            record.extend_from_slice(random.pick(&BETWEEN).as_bytes());
        }
    }
    record
}

/// The text with some of its characters behind escapes.
fn escaped(random: &mut SplitMix, text: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::new();
    for byte in text {
        match random.below(12) {
            0 => escaped.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            1 => escaped.extend_from_slice(format!("%{byte:02X}").as_bytes()),
            2 => escaped.extend_from_slice(format!("&#{byte};").as_bytes()),
            3 => escaped.extend_from_slice(format!("&#x{byte:x};").as_bytes()),
            _ => escaped.push(*byte),
        }
    }
    escaped
}

#[test]
fn escapes_hide_nothing() {
    let engine = Engine::compile(catalog::builtin()).unwrap();
    let table = [
        ("email", r#"{"mail":"<jane\u0040example.com>"}"#),
        ("email", "to=<jane%2Edoe%40example.com>&x=1"),
        ("email", "<a><jane&#64;example&#x2e;com></a>"),
        ("email", "<a><jane&#0000000064;example&#x00000002e;com></a>"),
        ("email", "joe@example.com or <jane%40example.com> or"),
        ("credit_card", r#"{"pan":"<4111\u00201111\u00201111\u00201111>"}"#),
        ("credit_card", "card=<4111%201111%201111%201111>"),
        ("credit_card", "card=<%34111111111111111>"),
        ("stripe_secret_key", r#"{"key":"<sk_live\u005f4eC39HqLyjWDarjtT1zdp7dc>"}"#),
        ("us_ssn", r#"{"\u0073sn":"<536137674>"}"#),
        ("phone", r#"{"tel\u00e9fono":"<912345678>"}"#),
        ("aws_secret_access_key", r#""secretAccessKey":"<kWcrlUX5JED\/MLtmF1z\/OFaGBqn8aXiGFsEm07pQ>""#),
        ("url_credentials", "postgres%3A%2F%2Fapp%3A<s3cr3t-9>%40db%2Forders"),
    ];
    for (id, marked) in table {
        let marked = marked.replace("<a>", "[a]").replace("</a>", "[/a]");
        let (before, rest) = marked.split_once('<').unwrap();
        let (value, after) = rest.split_once('>').unwrap();
        let (text, fields) = glue(&["", &format!("{before}{value}{after}"), "%40"]);
        let found = scan(&engine, &text, &fields);
        let found = found.iter().find(|finding| text[finding.range()] == *value.as_bytes());
        let found = found.map(|finding| engine.detector(finding.detector).id.as_str());
        assert_eq!(found, Some(id), "{marked}");
    }
}

/// By hand: `GATEWAY_ORACLE_RECORDS=200000 cargo test -p gateway --lib oracle_on_glued`.
#[test]
fn the_engine_agrees_with_the_oracle_on_glued_records() {
    const RUN: usize = 12;
    let specs = catalog::builtin();
    let mut twins = Twins::new(specs);
    for seed in 0..by_hand("GATEWAY_ORACLE_RECORDS").unwrap_or(720).div_ceil(RUN) {
        let mut random = SplitMix(seed as u64);
        let records: Vec<Vec<u8>> = (0..RUN).map(|_| record(&mut random, specs)).collect();
        let (text, fields) = glue(&records);
        twins.assert_agreement(&text, &fields);
    }
}

/// A count that whoever runs a test by hand sets.
fn by_hand(variable: &str) -> Option<usize> {
    std::env::var(variable).ok().map(|count| count.parse().unwrap())
}

#[test]
fn both_agree_on_what_is_a_key() {
    let mut twins = Twins::new(catalog::builtin());
    let table = [
        ("nir4:\"2 99 11 2A 581 629 30\"", 1),
        ("nir 2:2 99 11 2A 581 629 30", 0),
        ("nir.2 99 11 2A 581 629 30", 0),
        ("nir?2 99 11 2A 581 629 30", 0),
        ("</token>=+oIukZ7GaxjHuM9m_", 1),
    ];
    for (line, count) in table {
        let (text, fields) = glue(&[line]);
        twins.assert_agreement(&text, &fields);
        assert_eq!(scan(&twins.engine, &text, &fields).len(), count, "{line}");
    }
}

#[test]
fn what_lies_outside_the_fields_is_not_found() {
    let engine = Engine::compile(catalog::builtin()).unwrap();
    let text = b"9joe@example.com 4111111111111111";
    let field = |start, end| Field { record: 0, part: Part::Value, start, end };
    assert!(scan(&engine, text, &[]).is_empty());
    assert!(scan(&engine, text, &[field(0, 6), field(6, 16)]).is_empty());
    assert_eq!(scan(&engine, text, &[field(1, 16)]).len(), 1);
}

#[test]
fn a_value_at_the_start_of_a_field_is_found_whatever_precedes_the_field() {
    let engine = Engine::compile(catalog::builtin()).unwrap();
    for before in [&b"1"[..], b"a", b"-", b"4111", b"\\", b"%", b"."] {
        let (text, fields) = glue(&[before, b"4111111111111111", b"joe@x.com", b"10.2.3.4", b"536-13-7674"]);
        assert_eq!(scan(&engine, &text, &fields).len(), 4, "after {:?}", String::from_utf8_lossy(before));
    }
}

#[test]
fn a_custom_detector_needs_its_keyword() {
    let custom = DetectorSpec::custom("badge", r"B\d{6}", vec!["badge".to_owned()], Validator::None);
    let engine = Engine::compile(&[custom]).unwrap();
    let count = |line: &[u8]| {
        let (text, fields) = glue(&[line]);
        scan(&engine, &text, &fields).len()
    };
    assert_eq!(count(br#"{"badge":"B123456"}"#), 1);
    assert_eq!(count(br#"{"part":"B123456"}"#), 0);
}

/// Every kind of pattern that a policy may declare,
const CUSTOM_PATTERNS: [&str; 7] = [
    r"EMP-\d{6}",
    r"(?i)cust[a-z]{2}\d{4}",
    r"[a-z]{3,5}-KEY-[0-9]+",
    r"\d{9,12}",
    r"[xyz]\d[xyz]\d",
    r"\bab+c\b",
    r"a(b|c)d|e{2}f",
];
/// and of what they match, in pieces.
const CUSTOM_PIECES: [&str; 12] = [
    "EMP-123456",
    "CustAb1234",
    "abc-KEY-77",
    "123456789012",
    "x1y2",
    "abbbc",
    "acd",
    "eef",
    " ",
    "-",
    "z",
    "9",
];

fn custom_specs() -> Vec<DetectorSpec> {
    let spec = |(index, pattern): (usize, &&str)| {
        DetectorSpec::custom(&format!("custom_{index}"), pattern, Vec::new(), Validator::None)
    };
    CUSTOM_PATTERNS.iter().enumerate().map(spec).collect()
}

#[test]
fn every_kind_of_custom_pattern_agrees_with_the_oracle() {
    let mut twins = Twins::new(&custom_specs());
    let mut random = SplitMix(7);
    for _ in 0..400 {
        let records: Vec<String> = (0..4)
            .map(|_| (0..random.below(6)).map(|_| *random.pick(&CUSTOM_PIECES)).collect::<String>())
            .collect();
        let (text, fields) = glue(&records);
        twins.assert_agreement(&text, &fields);
    }
}

#[test]
fn patterns_that_cannot_work_are_refused_with_advice() {
    let cases = [("[a-", "not valid"), ("a*", "empty text"), ("[ab]*a[ab]{20}c", "too large")];
    for (pattern, problem) in cases {
        let spec = DetectorSpec::custom("own", pattern, Vec::new(), Validator::None);
        let errors = Engine::compile(&[spec]).unwrap_err();
        assert_eq!(errors.len(), 1);
        assert!(errors[0].to_string().contains(problem) && errors[0].detector == "own", "{}", errors[0]);
    }
}

#[test]
fn memory_of_one_large_text_is_given_back() {
    let mut twins = Twins::new(catalog::builtin());
    let mut findings = Vec::new();
    let (starts, escapes) = ("4539 1488 0343 6467 ".repeat(60_000), "\\u0061".repeat(600_000));
    for line in [&*starts, &*escapes, "4539 1488 0343 6467 \\u0061", "nothing"] {
        let (text, fields) = glue(&[line]);
        twins.engine.scan(&mut twins.scratch, &text, &fields, &mut findings).unwrap();
    }
    let Scratch { starts, escapes, .. } = &twins.scratch;
    assert!(starts.capacity() * 8 <= KEPT_BYTES, "{}", starts.capacity());
    assert!(escapes.capacity() * 4 <= KEPT_BYTES, "{}", escapes.capacity());
}

#[test]
fn confirming_is_bounded() {
    let specs = [DetectorSpec::custom("slow", r"aaa[ab]{3000}c", Vec::new(), Validator::None)];
    let mut specs = specs;
    specs[0].shapes[0].edges = super::Edges::None;
    let engine = Engine::compile(&specs).unwrap();
    let (text, fields) = glue(&[vec![b'a'; 100_000]]);
    let scanned = engine.scan(&mut engine.scratch(), &text, &fields, &mut Vec::new());
    assert!(matches!(scanned, Err(super::ScanError::WorkExceeded { .. })));
}

#[test]
fn what_validators_read_is_bounded() {
    let mut specs = [DetectorSpec::custom("slow", "x[ab]{1,4000}", Vec::new(), Validator::Entropy)];
    specs[0].shapes[0].edges = super::Edges::None;
    let engine = Engine::compile(&specs).unwrap();
    let (text, fields) = glue(&[format!("x{}", "ab".repeat(1900)).repeat(20)]);
    let scanned = engine.scan(&mut engine.scratch(), &text, &fields, &mut Vec::new());
    assert!(matches!(scanned, Err(super::ScanError::WorkExceeded { .. })));
}

/// Numbers of nine digits are those that most detectors try.
#[test]
fn numbers_in_prose_are_within_the_bound_of_work() {
    let engine = Engine::compile(catalog::builtin()).unwrap();
    let mut random = SplitMix(3);
    for digits in 7..20 {
        let number = |random: &mut SplitMix| (0..digits).map(|_| *random.pick(b"0123456789")).collect();
        let words: Vec<Vec<u8>> =
            (0..4000).flat_map(|_| [vec![*random.pick(b"abcdef")], number(&mut random)]).collect();
        let (text, fields) = glue(&[words.join(&b' ')]);
        scan(&engine, &text, &fields);
    }
}

/// One labelled record: `{"payload":"..","truth":[{"type":"email","start":0,"end":9}]}`, offsets in bytes.
#[derive(serde::Deserialize)]
struct Labelled {
    payload: String,
    truth: Vec<Truth>,
}

#[derive(serde::Deserialize, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Truth {
    #[serde(rename = "type")]
    detector: String,
    start: u32,
    end: u32,
}

/// Found, wrongly found and missed, with what was wrong.
#[derive(Default)]
struct Quality {
    found: usize,
    wrong: Vec<String>,
    missed: Vec<String>,
}

fn quality(engine: &Engine, records: &[Labelled]) -> BTreeMap<String, Quality> {
    let mut by_detector: BTreeMap<String, Quality> = BTreeMap::new();
    for record in records {
        let (text, fields) = glue(&[&record.payload]);
        let truth = |finding: &Finding| Truth {
            detector: engine.detector(finding.detector).id.clone(),
            start: finding.start,
            end: finding.end,
        };
        let found: Vec<Truth> = scan(engine, &text, &fields).iter().map(truth).collect();
        let describe = |truth: &Truth| {
            format!("{:?} in {}", &record.payload[truth.start as usize..truth.end as usize], record.payload)
        };
        for truth in &found {
            let quality = by_detector.entry(truth.detector.clone()).or_default();
            if record.truth.contains(truth) {
                quality.found += 1;
            } else {
                quality.wrong.push(describe(truth));
            }
        }
        for truth in record.truth.iter().filter(|truth| !found.contains(truth)) {
            by_detector.entry(truth.detector.clone()).or_default().missed.push(describe(truth));
        }
    }
    by_detector
}

#[track_caller]
fn assert_quality(file: &str) {
    let engine = Engine::compile(catalog::builtin()).unwrap();
    let records: Vec<Labelled> = file.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut poor = Vec::new();
    for (detector, quality) in quality(&engine, &records) {
        let share = |other: usize| quality.found as f64 / (quality.found + other).max(1) as f64;
        let (precision, recall) = (share(quality.wrong.len()), share(quality.missed.len()));
        println!("{detector}: {} found, precision {precision:.4}, recall {recall:.4}", quality.found);
        if precision < 0.995 || recall < 0.995 {
            let some = |what: &[String]| what.iter().take(8).cloned().collect::<Vec<_>>();
            poor.push((detector, some(&quality.wrong), some(&quality.missed)));
        }
    }
    assert!(poor.is_empty(), "(detector, wrong, missed): {poor:#?}");
}

/// By hand: `GATEWAY_CORPUS=records.jsonl cargo test -p gateway --lib corpus -- --nocapture`.
#[test]
fn a_labelled_corpus_is_classified_with_at_most_one_mistake_in_two_hundred() {
    let named = std::env::var("GATEWAY_CORPUS").ok().map(|path| std::fs::read_to_string(path).unwrap());
    assert_quality(named.as_deref().unwrap_or(include_str!("../../tests/data/labelled.jsonl")));
}

/// By hand with the variable above: every record of the corpus, glued in runs of 50.
#[test]
fn the_engine_agrees_with_the_oracle_on_the_corpus() {
    let named = std::env::var("GATEWAY_CORPUS").ok().map(|path| std::fs::read_to_string(path).unwrap());
    let file = named.as_deref().unwrap_or(include_str!("../../tests/data/labelled.jsonl"));
    let payloads: Vec<String> =
        file.lines().map(|line| serde_json::from_str::<Labelled>(line).unwrap().payload).collect();
    let mut twins = Twins::new(catalog::builtin());
    for run in payloads.chunks(50) {
        let (text, fields) = glue(run);
        twins.assert_agreement(&text, &fields);
    }
}
