//! The records that all arms read, case by case.

use std::path::Path;

use anyhow::{Context, Result};
use bench_harness::telemetry::{Kind, Options, Planted, Random, Telemetry, TelemetryRecord};
use gateway::payload::{Field, Part};

use super::rules::Rules;

/// Records of one form.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) batches: Vec<Batch>,
    pub(crate) goal: Goal,
    pub(crate) rules: Rules,
}

/// What the engine's cost is held against.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    /// At least so many times faster than naive Hyperscan on the same records.
    TimesHyperscan(f64),
    /// At most so many times the cost of the first case.
    TimesFirst(f64),
    /// Nothing: it is only measured.
    None,
}

/// Records that are scanned at once, each followed by a newline.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) text: Vec<u8>,
    /// One a record.
    pub(crate) fields: Vec<Field>,
    /// The records, where it is known what was planted in them.
    pub(crate) truth: Vec<TelemetryRecord>,
}

/// Bytes of all batches of a case: more than a second-level cache.
const CASE_BYTES: usize = 2 << 20;
/// Bytes of a batch, unless a record is longer.
const BATCH_BYTES: usize = 64 << 10;
/// Bytes of a record, unless the case is about its length.
const RECORD_BYTES: usize = 1 << 10;
/// Bytes that are written for rivals.
const LINES_BYTES: usize = 256 << 10;
/// Share of records with a planted value.
const HIT_RATE: f64 = 0.01;

/// Every case; the first is what the others are compared with.
pub(crate) fn cases() -> Vec<Case> {
    let telemetry = |name: &str, goal| Case::of(name, goal, json(HIT_RATE));
    let literals = telemetry("500 more user literals", Goal::TimesHyperscan(8.0));
    let mut cases = vec![
        telemetry("1 KiB telemetry, 1 % hits", Goal::TimesHyperscan(12.0)),
        Case::of("no hits", Goal::TimesHyperscan(12.0), json(0.0)),
        Case::of("a third dense with numbers", Goal::TimesHyperscan(9.0), dense_third()),
        Case::of("128 B records", Goal::TimesHyperscan(7.0), Short(Random::new(3), 0)),
        Case { rules: Rules::WithLiterals, ..literals },
    ];
    cases.extend([16, 128, 1024].map(|kibibytes| joined(kibibytes << 10)));
    cases.extend(ADVERSARIAL.iter().map(adversarial));
    cases
}

/// The records of a file with all rules, and with those of six types.
pub(crate) fn of_file(file: &Path) -> Result<Vec<Case>> {
    let lines = std::fs::read_to_string(file)?;
    [("all", Rules::All), ("six", Rules::SixTypes)]
        .map(|(name, rules)| Case::read(name, &lines, rules))
        .into_iter()
        .collect()
}

/// The first records of a case as JSON lines, as [`of_file`] reads them: few, because rivals are slow.
pub(crate) fn as_lines(case: &Case) -> String {
    let batches = case.batches.iter().take(LINES_BYTES / BATCH_BYTES);
    let records = batches.flat_map(|batch| &batch.truth);
    records.map(|record| serde_json::json!({ "payload": record.value }).to_string() + "\n").collect()
}

impl Case {
    fn of(name: &str, goal: Goal, records: impl Iterator<Item = TelemetryRecord>) -> Self {
        let mut case = Self { name: name.to_owned(), batches: Vec::new(), goal, rules: Rules::All };
        for record in records {
            let batch = case.batch_for(record.value.len());
            batch.push(&record.value);
            batch.truth.push(record);
            if case.bytes() >= CASE_BYTES {
                break;
            }
        }
        case
    }

    /// The `payload` of each of some JSON lines.
    fn read(name: &str, lines: &str, rules: Rules) -> Result<Self> {
        let mut case = Self { name: name.to_owned(), batches: Vec::new(), goal: Goal::None, rules };
        for line in lines.lines() {
            let record: serde_json::Value = serde_json::from_str(line)?;
            let payload = record["payload"].as_str().context("a line without a payload")?;
            case.batch_for(payload.len()).push(payload);
        }
        Ok(case)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.batches.iter().map(|batch| batch.text.len()).sum()
    }

    /// The batch that has room for so many bytes more, or a new one.
    fn batch_for(&mut self, bytes: usize) -> &mut Batch {
        if self.batches.last().is_none_or(|last| last.text.len() + bytes > BATCH_BYTES) {
            self.batches.push(Batch::default());
        }
        self.batches.last_mut().expect("one was pushed")
    }
}

impl Batch {
    fn push(&mut self, value: &str) {
        let start = self.text.len() as u32;
        self.text.extend_from_slice(value.as_bytes());
        let end = self.text.len() as u32;
        self.fields.push(Field { record: self.fields.len() as u32, part: Part::Value, start, end });
        self.text.push(b'\n');
    }
}

/// Telemetry in JSON.
fn json(hit_rate: f64) -> impl Iterator<Item = TelemetryRecord> {
    let options = Options { seed: 1, hit_rate, record_bytes: RECORD_BYTES };
    Telemetry::new(options).filter(|record| record.value.starts_with('{'))
}

/// Telemetry of which every third record is nearly nothing but numbers: times, ids, amounts, places.
fn dense_third() -> impl Iterator<Item = TelemetryRecord> {
    let mut random = Random::new(2);
    json(HIT_RATE).map(move |record| match record.number % 3 {
        0 => TelemetryRecord { value: numbers(&mut random), planted: None, ..record },
        _ => record,
    })
}

fn numbers(random: &mut Random) -> String {
    let mut value = String::from("{\"samples\":[");
    while value.len() < RECORD_BYTES - 2 {
        let time = 1_700_000_000_000 + random.below(100_000_000_000);
        let id = 1_000_000_000_000_000_000 + random.below(1 << 58);
        let order = random.between(1_000_000_000, 9_999_999_999);
        let cents = random.below(1_000_000);
        let (north, east) = (random.below(90_000_000), random.below(180_000_000));
        value.push_str(&format!(
            "{{\"t\":{time},\"id\":{id},\"order\":{order},\"cents\":{cents},\"at\":[{}.{:06},{}.{:06}]}},",
            north / 1_000_000,
            north % 1_000_000,
            east / 1_000_000,
            east % 1_000_000
        ));
    }
    value.pop();
    value + "]}"
}

/// Records of 128 bytes; the number counts them.
struct Short(Random, u64);

impl Iterator for Short {
    type Item = TelemetryRecord;

    fn next(&mut self) -> Option<TelemetryRecord> {
        let Self(random, number) = self;
        *number += 1;
        let (time, shard) = (1_700_000_000_000 + *number * 7, random.below(64));
        let mut value = format!(
            "{{\"ts\":{time},\"seq\":{number},\"svc\":\"cart\",\"level\":\"info\",\"shard\":{shard},\"msg\":\""
        );
        let planted = random.chance(HIT_RATE).then(|| {
            let kind = [Kind::CreditCard, Kind::Email, Kind::Iban][random.below(3) as usize];
            let start = value.len();
            value.push_str(&kind.value(random));
            Planted { kind, start, end: value.len() }
        });
        while value.len() < 128 - "\"}".len() {
            value.push_str(random.pick(&[" cache", " retry", " upstream", " commit", " queue", " flush"]));
        }
        let value = value + "\"}";
        Some(TelemetryRecord { number: *number, key: "cart", value, planted })
    }
}

/// The telemetry of the first case in records of so many bytes, arrays of them.
fn joined(record_bytes: usize) -> Case {
    let name = format!("{} KiB records", record_bytes >> 10);
    let mut case = Case { name, batches: Vec::new(), goal: FLAT, rules: Rules::All };
    let mut records = json(HIT_RATE);
    while case.bytes() < CASE_BYTES {
        let mut value = String::from("[");
        while value.len() < record_bytes {
            value.push_str(&records.next().expect("telemetry is endless").value);
            value.push(',');
        }
        value.pop();
        value.push(']');
        case.batch_for(value.len()).push(&value);
    }
    case
}

/// What a cost that does not depend on the length of records stays below.
const FLAT: Goal = Goal::TimesFirst(1.25);

/// A record of pieces, each of which is work for some step.
fn adversarial((name, piece): &(&str, Piece)) -> Case {
    let mut random = Random::new(4);
    let goal = Goal::TimesFirst(4.0);
    let mut case = Case { name: (*name).to_owned(), batches: Vec::new(), goal, rules: Rules::All };
    while case.bytes() < CASE_BYTES {
        let mut value = String::new();
        while value.len() < RECORD_BYTES {
            value.push_str(&piece(&mut random));
        }
        value.truncate(RECORD_BYTES);
        case.batch_for(value.len()).push(&value);
    }
    case
}

const DIGITS: &str = "0123456789";
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Writes the next piece of a record.
type Piece = fn(&mut Random) -> String;

/// Texts that whoever sends records may choose.
const ADVERSARIAL: &[(&str, Piece)] = &[
    ("near-miss cards", |random| near_card(random) + " "),
    ("near-miss cards in JSON", |random| format!("\"n\":{},", near_card(random))),
    ("near-miss cards in groups", |random| {
        let card = near_card(random);
        format!("{} {} {} {},", &card[..4], &card[4..8], &card[8..12], &card[12..])
    }),
    ("digits", |random| random.text(DIGITS, 64)),
    ("nine digits", |random| random.text(DIGITS, 9) + ","),
    ("rows of digits", |random| {
        let count = random.between(2, 5) as usize;
        random.text(DIGITS, count) + " "
    }),
    ("@", |_| "@".to_owned()),
    ("a@", |_| "a@".to_owned()),
    ("a@a.b", |_| "a@a.b ".to_owned()),
    ("a.b@c.d.eee", |_| "a.b@c.d.eee".to_owned()),
    ("DE89", |_| "DE89".to_owned()),
    ("near-miss IBANs", |_| "DE89370400440532013001 ".to_owned()),
    ("a:", |_| "a:".to_owned()),
    ("2001:db8:", |_| "2001:db8:".to_owned()),
    ("1.2.", |_| "1.2.".to_owned()),
    ("password=", |_| "password=".to_owned()),
    ("token of one letter", |_| "token:\"aaaaaaaaaaaaaaaaaaaa\",".to_owned()),
    ("eyJ", |_| "eyJ".to_owned()),
    ("ghp_", |_| "ghp_".to_owned()),
    ("near-miss tokens", |random| format!("ghp_{} ", random.text(LETTERS, 36))),
    ("x://a:b@", |_| "x://a:b@".to_owned()),
    ("base64", |random| random.text(LETTERS, 64)),
    ("hex", |random| random.text("0123456789abcdef", 32) + " "),
    ("context words", |random| {
        random
            .pick(&["ssn ", "card ", "phone ", "password ", "token ", "visa ", "secret ", "tax "])
            .to_owned()
    }),
    ("-----BEGIN PRIVATE KEY-----", |_| "-----BEGIN PRIVATE KEY-----".to_owned()),
    ("\\u0040", |_| "\\u0040".to_owned()),
    ("%40", |_| "%40".to_owned()),
    ("hits: cards", |random| Kind::CreditCard.value(random) + " "),
    ("hits: addresses", |random| Kind::Email.value(random) + " "),
    ("hits: IPv4", |random| Kind::Ipv4.value(random) + " "),
    ("hits: SSN", |random| Kind::UsSsn.value(random) + " "),
    ("hits: secrets", |random| format!("secret=\"{}\",", random.text(LETTERS, 24))),
];

/// Sixteen digits of an issuer that fail the check digit.
fn near_card(random: &mut Random) -> String {
    let card = Kind::CreditCard.value(random);
    let mut digits: String = card.chars().filter(char::is_ascii_digit).collect();
    let last = digits.pop().and_then(|digit| digit.to_digit(10)).expect("a card has digits");
    digits.push_str(&((last + 1) % 10).to_string());
    while digits.len() < 16 {
        digits.push('0');
    }
    digits
}
