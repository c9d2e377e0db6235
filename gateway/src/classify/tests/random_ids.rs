//! What the built-in detectors find in random identifiers, in which there is nothing to find; and the page that says
//! so, `docs/detectors.md`.

use std::fmt::Write;

use super::{SplitMix, glue, scan};
use crate::classify::{Context, DetectorSpec, Engine, Family, catalog};

/// Identifiers of each kind.
const IDS_PER_KIND: usize = 1000;
/// Texts that hold one: `ID` stands for it.
const TEXTS: [&str; 7] = [
    "ID",
    r#"{"id":"ID"}"#,
    r#"{"seq":ID,"ok":true}"#,
    r#"{"level":"info","request_id":"ID","msg":"done"}"#,
    "event ID accepted after 12 ms",
    "level=info event=ID status=200",
    "GET /cart?next=%2Fitems%2FID%3Fa%3D1 200",
];

/// A kind of identifiers.
type Kind = fn(&mut SplitMix) -> String;

/// Numbers of 9 to 19 digits, times, uuids, hexadecimal, base64 and base62, trace ids, builds, versions.
const KINDS: [Kind; 28] = [
    |random| number(random, 9),
    |random| number(random, 10),
    |random| number(random, 11),
    |random| number(random, 12),
    |random| number(random, 13),
    |random| number(random, 14),
    |random| number(random, 15),
    |random| number(random, 16),
    |random| number(random, 17),
    |random| number(random, 18),
    |random| number(random, 19),
    |random| format!("1{}", number(random, 9)),
    |random| format!("17{}", number(random, 11)),
    |random| format!("17{}", number(random, 14)),
    |random| format!("17{}", number(random, 17)),
    time,
    |random| format!("{}.{}", time(random).replace('Z', ""), number(random, 6) + "Z"),
    |random| hexadecimal(random, &[8, 4, 4, 4, 12]),
    |random| hexadecimal(random, &[16]),
    |random| hexadecimal(random, &[24]),
    |random| hexadecimal(random, &[32]),
    |random| hexadecimal(random, &[40]),
    |random| hexadecimal(random, &[64]),
    |random| format!("00-{}-01", hexadecimal(random, &[32, 16])),
    |random| letters(random, BASE64, 43) + "=",
    |random| letters(random, BASE62, 21),
    |random| format!("20240{}.{}", number(random, 3), number(random, 3)),
    |random| format!("{}.{}.{}", random.below(30), random.below(100), random.below(1000)),
];

const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE62: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

fn letters(random: &mut SplitMix, alphabet: &[u8], count: usize) -> String {
    (0..count).map(|_| char::from(*random.pick(alphabet))).collect()
}

fn number(random: &mut SplitMix, digits: usize) -> String {
    let first = letters(random, b"123456789", 1);
    first + &letters(random, b"0123456789", digits - 1)
}

fn hexadecimal(random: &mut SplitMix, groups: &[usize]) -> String {
    let groups: Vec<String> =
        groups.iter().map(|digits| letters(random, b"0123456789abcdef", *digits)).collect();
    groups.join("-")
}

fn time(random: &mut SplitMix) -> String {
    let [month, day, hour] = [12, 28, 24].map(|bound| random.below(bound));
    let [minute, second] = [60, 60].map(|bound| random.below(bound));
    format!("2024-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", month + 1, day + 1)
}

/// The most findings of a detector in a million texts. One number in ten passes the checksum of cards, and a card
/// needs no word beside it.
fn bound(spec: &DetectorSpec) -> u64 {
    if spec.id == "credit_card" { 2450 } else { 0 }
}

/// Findings of each detector in a million texts with one identifier each.
fn per_million(engine: &Engine) -> Vec<u64> {
    let mut counts = vec![0; engine.detectors().len()];
    for (seed, kind) in (0..).zip(KINDS) {
        let (text, fields) = glue(&records(kind, seed));
        for finding in scan(engine, &text, &fields) {
            counts[usize::from(finding.detector.0)] += 1;
        }
    }
    let texts = (KINDS.len() * IDS_PER_KIND * TEXTS.len()) as u64;
    counts.iter().map(|count| count * 1_000_000 / texts).collect()
}

/// Texts with identifiers of one kind.
fn records(kind: Kind, seed: u64) -> Vec<String> {
    let mut random = SplitMix(seed);
    let ids = (0..IDS_PER_KIND).map(|_| kind(&mut random));
    ids.flat_map(|id| TEXTS.map(|text| text.replace("ID", &id))).collect()
}

/// `GATEWAY_WRITE_DOCS=1` writes the page anew.
#[test]
fn random_identifiers_are_left_alone_as_the_page_says() {
    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/detectors.md");
    let engine = Engine::compile(catalog::builtin()).unwrap();
    let counts = per_million(&engine);
    for (spec, count) in catalog::builtin().iter().zip(&counts) {
        assert!(*count <= bound(spec), "{}: {count} in a million", spec.id);
    }
    let page = page(&counts);
    if std::env::var_os("GATEWAY_WRITE_DOCS").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    let is_fresh = std::fs::read_to_string(PAGE).unwrap() == page;
    assert!(is_fresh, "docs/detectors.md is old: run this test with GATEWAY_WRITE_DOCS=1");
}

/// The page: a table for each family.
fn page(counts: &[u64]) -> String {
    let mut page = INTRODUCTION.to_owned();
    for (_, family) in Family::NAMES {
        let members = || catalog::builtin().iter().zip(counts).filter(|(spec, _)| spec.family == family);
        if members().next().is_some() {
            write!(page, "\n## {}\n\n{TABLE_HEAD}", family.as_str()).unwrap();
        }
        members().for_each(|(spec, count)| page.push_str(&row(spec, *count)));
    }
    page
}

const INTRODUCTION: &str = "\
# Detectors

Written by a test from `policies/detectors/` and a measurement: `GATEWAY_WRITE_DOCS=1 cargo test -p gateway --lib random_identifiers`.

*Context* says where a word of the detector must stand for some of its forms: `near` is in the key or within 30 bytes, `key` at the end
of the key that the value is assigned to. *Random* counts findings in a million texts that hold nothing but a random identifier: numbers
of 9 to 19 digits, times, uuids, hexadecimal, base64 and base62, trace ids, builds, versions; bare, in JSON, in a sentence, in
logfmt, in a URL.
";

const TABLE_HEAD: &str = "| id | as in | validator | context | level | random |\n|---|---|---|---|---|---|\n";

fn row(spec: &DetectorSpec, count: u64) -> String {
    let (validators, level) = (spec.validator_names(), &spec.default_level);
    let (id, example, contexts) = (&spec.id, example(spec), contexts(spec));
    format!("| `{id}` | `{example}` | {validators} | {contexts} | {level} | {count} |\n")
}

/// The beginning of the first example, in one line and without what ends a cell of a table.
fn example(spec: &DetectorSpec) -> String {
    let line = spec.matches[0].replace(['\n', '\t', '|', '`'], " ");
    let line = line.trim();
    match line.char_indices().nth(EXAMPLE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// Longest example that is shown whole, characters.
const EXAMPLE_CHARS_MAX: usize = 48;

/// What the shapes of a detector need, each once.
fn contexts(spec: &DetectorSpec) -> String {
    let needs = |context: Context| spec.shapes.iter().any(|shape| shape.context == context);
    let names = [(Context::None, "-"), (Context::Required, "near"), (Context::Key, "key")];
    let needed: Vec<&str> =
        names.iter().filter(|(context, _)| needs(*context)).map(|(_, name)| *name).collect();
    needed.join(" or ")
}
