//! Telemetry as services write it: JSON and logfmt lines, some with a sensitive value in them.
//!
//! Each record knows what was planted in it and where, so whoever reads the other end can judge without
//! knowing how the gateway finds anything.

mod random;
mod values;

pub use random::Random;
pub use values::Kind;

use std::fmt::Write;

/// What the generator makes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// The same seed gives the same records.
    pub seed: u64,
    /// Share of the records with a planted value, 0 to 1.
    pub hit_rate: f64,
    /// Least length of a record in bytes; shorter ones are filled up with words. Longer ones stay.
    pub record_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 1, hit_rate: 0.1, record_bytes: 256 }
    }
}

/// A sensitive value in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planted {
    /// What it is.
    pub kind: Kind,
    /// Its first byte in the record.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
}

/// One record of telemetry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TelemetryRecord {
    /// Its number, from 0; also in the record as `seq`.
    pub number: u64,
    /// The service that wrote it: the record's key.
    pub key: &'static str,
    /// One line of JSON or logfmt.
    pub value: String,
    /// What is in it that nobody may see.
    pub planted: Option<Planted>,
}

impl TelemetryRecord {
    /// The planted value as it stands in the record.
    pub fn secret(&self) -> Option<(Kind, &str)> {
        self.planted.as_ref().map(|planted| (planted.kind, &self.value[planted.start..planted.end]))
    }

    /// True when `arrived` differs from this record in the planted value only, which may have changed its length.
    pub fn is_same_elsewhere(&self, arrived: &str) -> bool {
        let Some(planted) = &self.planted else {
            return arrived == self.value;
        };
        let (before, after) = (&self.value[..planted.start], &self.value[planted.end..]);
        arrived.len() >= before.len() + after.len() && arrived.starts_with(before) && arrived.ends_with(after)
    }
}

/// An endless source of records.
#[derive(Clone, Debug)]
pub struct Telemetry {
    options: Options,
    random: Random,
    number: u64,
}

impl Telemetry {
    /// A source with these options.
    pub fn new(options: Options) -> Self {
        Self { options, random: Random::new(options.seed), number: 0 }
    }
}

impl Iterator for Telemetry {
    type Item = TelemetryRecord;

    fn next(&mut self) -> Option<TelemetryRecord> {
        let planted = self.random.chance(self.options.hit_rate).then(|| {
            let kind = Kind::ALL[self.random.below(Kind::ALL.len() as u64) as usize];
            (kind, kind.value(&mut self.random))
        });
        let form = if self.random.chance(0.7) { Form::Json } else { Form::Logfmt };
        let record =
            Line::new(form, &mut self.random, self.number).finish(planted, self.options.record_bytes);
        self.number += 1;
        Some(record)
    }
}

/// The two ways in which fields are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Logfmt,
}

/// A record that is being written.
struct Line<'a> {
    form: Form,
    random: &'a mut Random,
    number: u64,
    key: &'static str,
    value: String,
    planted: Option<Planted>,
}

/// Services, also the records' keys.
const SERVICES: &[&str] =
    &["checkout", "identity", "billing", "search", "ledger", "mailer", "gateway-eu", "cart"];
/// Severities.
const SEVERITIES: &[&str] = &["debug", "info", "info", "info", "warn", "error"];
/// Routes, for access records.
const ROUTES: &[&str] = &["/v1/orders", "/v1/carts/items", "/healthz", "/v2/refunds", "/login", "/v1/search"];
/// Words that fill a record up.
const WORDS: &[&str] = &[
    "cache", "retry", "upstream", "timeout", "shard", "replica", "commit", "queue", "worker", "payload",
    "deadline", "session", "region", "latency", "budget", "flush", "segment", "index", "throttle", "leader",
];
const HEX: &str = "0123456789abcdef";

impl<'a> Line<'a> {
    /// A line with the fields that every record has.
    fn new(form: Form, random: &'a mut Random, number: u64) -> Self {
        let key = random.pick(SERVICES);
        let mut line = Self { form, random, number, key, value: String::new(), planted: None };
        if form == Form::Json {
            line.value.push('{');
        }
        line.number_field("ts", 1_700_000_000_000 + number * 7);
        line.number_field("seq", number);
        line.text_field("svc", key);
        let severity = line.random.pick(SEVERITIES);
        line.text_field("level", severity);
        let trace = line.random.text(HEX, 32);
        line.text_field("trace_id", &trace);
        line.body();
        line
    }

    /// Fields of one of a few kinds of record.
    fn body(&mut self) {
        match self.random.below(3) {
            0 => {
                let route = self.random.pick(ROUTES);
                self.text_field("route", route);
                let status = [200, 200, 201, 304, 404, 503][self.random.below(6) as usize];
                self.number_field("status", status);
                let bytes = self.random.below(90_000);
                self.number_field("bytes", bytes);
            }
            1 => {
                let order = format!("ORD-{}", self.random.between(1_000_000, 9_999_999));
                self.text_field("order", &order);
                let cents = self.random.between(100, 99_999);
                self.number_field("amount_cents", cents);
            }
            _ => {
                let (major, minor) = (self.random.below(20), self.random.below(30));
                self.text_field("build", &format!("v{major}.{minor}"));
                let micros = self.random.below(900_000);
                self.number_field("elapsed_us", micros);
            }
        }
    }

    /// Adds the planted value, fills up and closes.
    fn finish(mut self, planted: Option<(Kind, String)>, record_bytes: usize) -> TelemetryRecord {
        match planted {
            Some((kind, value)) if self.random.chance(0.5) => {
                self.plant(kind.field(), ("", ""), kind, &value)
            }
            Some((kind, value)) => self.plant("msg", kind.sentence(), kind, &value),
            None => self.text_field("msg", "request served"),
        }
        // What the filling field and the closing brace add.
        let room = record_bytes.saturating_sub(self.value.len() + "\"detail\":\"\",}".len());
        if room > 0 {
            let detail = self.words(room);
            self.text_field("detail", &detail);
        }
        if self.form == Form::Json {
            self.value.push('}');
        }
        TelemetryRecord { number: self.number, key: self.key, value: self.value, planted: self.planted }
    }

    fn plant(&mut self, field: &str, (before, after): (&str, &str), kind: Kind, value: &str) {
        self.name(field);
        self.value.push('"');
        self.value.push_str(before);
        let start = self.value.len();
        self.value.push_str(value);
        self.planted = Some(Planted { kind, start, end: self.value.len() });
        self.value.push_str(after);
        self.value.push('"');
    }

    fn text_field(&mut self, name: &str, text: &str) {
        self.name(name);
        match self.form {
            Form::Logfmt if !text.contains(' ') => self.value.push_str(text),
            _ => write!(self.value, "\"{text}\"").expect("writing to a String cannot fail"),
        }
    }

    fn number_field(&mut self, name: &str, number: u64) {
        self.name(name);
        write!(self.value, "{number}").expect("writing to a String cannot fail");
    }

    /// The separator and the name of the next field.
    fn name(&mut self, name: &str) {
        let first = matches!(self.value.as_str(), "" | "{");
        match self.form {
            Form::Json if first => write!(self.value, "\"{name}\":"),
            Form::Json => write!(self.value, ",\"{name}\":"),
            Form::Logfmt if first => write!(self.value, "{name}="),
            Form::Logfmt => write!(self.value, " {name}="),
        }
        .expect("writing to a String cannot fail");
    }

    /// Words and hex, at least `bytes` of them.
    fn words(&mut self, bytes: usize) -> String {
        let mut words = String::new();
        while words.len() < bytes {
            words.push_str(self.random.pick(WORDS));
            words.push(' ');
            if self.random.chance(0.2) {
                words.push_str(&self.random.text(HEX, 6));
                words.push(' ');
            }
        }
        words.truncate(bytes);
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(options: Options, count: usize) -> Vec<TelemetryRecord> {
        Telemetry::new(options).take(count).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_records() {
        let options = Options { seed: 7, ..Options::default() };
        assert_eq!(records(options, 500), records(options, 500));
        assert_ne!(records(options, 5), records(Options { seed: 8, ..options }, 5));
    }

    #[test]
    fn the_truth_names_the_planted_bytes_and_the_rate_is_kept() {
        let records = records(Options { hit_rate: 0.25, ..Options::default() }, 4000);
        let hits = records.iter().filter(|record| record.planted.is_some()).count();
        assert!((800..1200).contains(&hits), "{hits} of 4000");
        let cards = records.iter().filter_map(TelemetryRecord::secret);
        for (_, card) in cards.filter(|(kind, _)| *kind == Kind::CreditCard) {
            let digits: String = card.chars().filter(char::is_ascii_digit).collect();
            let (body, check) = digits.split_at(digits.len() - 1);
            assert_eq!(values::luhn_digit(body).to_string(), check, "{card}");
        }
    }

    #[test]
    fn json_records_are_json_of_at_least_the_asked_length() {
        let records = records(Options { record_bytes: 1024, ..Options::default() }, 1000);
        for record in records.iter().filter(|record| record.value.starts_with('{')) {
            let parsed: serde_json::Value = serde_json::from_str(&record.value).unwrap();
            assert_eq!(parsed["seq"], record.number);
            assert!(record.value.len() >= 1024);
        }
        assert!(records.iter().any(|record| record.value.starts_with("ts=")));
    }

    #[test]
    fn only_the_planted_value_may_differ() {
        let planted = Some(Planted { kind: Kind::UsSsn, start: 2, end: 5 });
        let record = TelemetryRecord { number: 0, key: "k", value: "ab123cd".to_owned(), planted };
        for (arrived, same) in
            [("ab***cd", true), ("ab<ssn>cd", true), ("abcd", true), ("ab***ce", false), ("abd", false)]
        {
            assert_eq!(record.is_same_elsewhere(arrived), same, "{arrived}");
        }
        assert!(!TelemetryRecord { planted: None, ..record }.is_same_elsewhere("ab***cd"));
    }
}
