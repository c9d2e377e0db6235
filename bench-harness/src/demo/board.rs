//! What was sent, what arrived, and how the two compare.

use bench_harness::telemetry::TelemetryRecord;
use kafka_protocol::records::Record;
use std::collections::{BTreeMap, HashMap};
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Shared by producer, reader and display.
#[derive(Default)]
pub(super) struct Board(Mutex<State>);

struct State {
    started: Instant,
    /// Sent and not yet seen at the broker, by number.
    on_the_way: HashMap<u64, TelemetryRecord>,
    sent: u64,
    bytes_sent: u64,
    arrived: u64,
    /// Records that the producer did not send, or that came twice.
    unexpected: u64,
    planted: u64,
    /// Planted values that arrived as they were sent, by detector.
    leaked: BTreeMap<&'static str, u64>,
    /// Records with other bytes than planted ones changed.
    changed_elsewhere: u64,
    levels: BTreeMap<String, u64>,
    latencies: Vec<Duration>,
    /// The newest record with a planted value, as it was sent and as it arrived.
    sample: Option<Sample>,
    progress: (Instant, u64, u64),
}

struct Sample {
    sent: TelemetryRecord,
    arrived: String,
    level: String,
}

/// Record header in which the gateway writes the level.
const LEVEL_HEADER: &str = "classification";

/// Latencies kept for the percentiles.
const LATENCIES_MAX: usize = 10_000;

/// What a record without that header is.
const UNLABELLED: &str = "unlabelled";

impl Default for State {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            on_the_way: HashMap::new(),
            sent: 0,
            bytes_sent: 0,
            arrived: 0,
            unexpected: 0,
            planted: 0,
            leaked: BTreeMap::new(),
            changed_elsewhere: 0,
            levels: BTreeMap::new(),
            latencies: Vec::new(),
            sample: None,
            progress: (Instant::now(), 0, 0),
        }
    }
}

impl Board {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes records just before they are sent.
    pub(super) fn sent(&self, records: Vec<TelemetryRecord>) {
        let mut state = self.state();
        for record in records {
            state.sent += 1;
            state.bytes_sent += record.value.len() as u64;
            state.on_the_way.insert(record.number, record);
        }
    }

    /// Notes the time that one Produce request took.
    pub(super) fn acknowledged(&self, latency: Duration) {
        let mut state = self.state();
        if state.latencies.len() == LATENCIES_MAX {
            state.latencies.drain(..LATENCIES_MAX / 2);
        }
        state.latencies.push(latency);
    }

    /// Compares a record at the broker with what was sent.
    pub(super) fn arrived(&self, record: &Record) {
        let mut state = self.state();
        let header = |name: &str| {
            let named = record.headers.iter().find(|(key, _)| key.as_str() == name);
            named
                .and_then(|(_, value)| value.as_deref())
                .map(|value| String::from_utf8_lossy(value).into_owned())
        };
        let number = header("seq").and_then(|number| number.parse().ok());
        let Some(sent) = number.and_then(|number: u64| state.on_the_way.remove(&number)) else {
            state.unexpected += 1;
            return;
        };
        state.arrived += 1;
        let level = header(LEVEL_HEADER).unwrap_or_else(|| UNLABELLED.to_owned());
        *state.levels.entry(level.clone()).or_default() += 1;
        let arrived = String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned();
        state.compare(&sent, &arrived);
        if sent.planted.is_some() {
            state.sample = Some(Sample { sent, arrived, level });
        }
    }

    /// True when everything that was sent has been seen.
    pub(super) fn all_arrived(&self) -> bool {
        self.state().on_the_way.is_empty()
    }

    /// Prints one record, before and after, and the rates since the last call.
    pub(super) fn show_progress(&self) {
        let mut state = self.state();
        if let Some(sample) = state.sample.take() {
            sample.show();
        }
        let (since, arrived, bytes) = state.progress;
        let seconds = since.elapsed().as_secs_f64();
        println!(
            "     {:>7.0} records/s  {:>6.1} MB/s  acknowledged p50 {} p99 {}  {}  leaked {}\n",
            (state.arrived - arrived) as f64 / seconds,
            (state.bytes_sent - bytes) as f64 / 1e6 / seconds,
            millis(percentile(&mut state.latencies, 0.5)),
            millis(percentile(&mut state.latencies, 0.99)),
            state.levels(),
            state.leaked(),
        );
        state.progress = (Instant::now(), state.arrived, state.bytes_sent);
    }

    /// Prints the sums; true when all records arrived and nothing leaked.
    pub(super) fn show_summary(&self) -> bool {
        let mut state = self.state();
        let seconds = state.started.elapsed().as_secs_f64();
        println!(
            "records     {} sent, {} arrived, {} unexpected",
            state.sent, state.arrived, state.unexpected
        );
        println!("levels      {}", state.levels());
        println!("planted     {} values, {} leaked {:?}", state.planted, state.leaked(), state.leaked);
        println!("elsewhere   {} records with other bytes changed", state.changed_elsewhere);
        println!(
            "rate        {:.0} records/s, {:.1} MB/s; acknowledged p50 {} p99 {}",
            state.arrived as f64 / seconds,
            state.bytes_sent as f64 / 1e6 / seconds,
            millis(percentile(&mut state.latencies, 0.5)),
            millis(percentile(&mut state.latencies, 0.99)),
        );
        let good =
            state.sent > 0 && state.arrived == state.sent && state.unexpected == 0 && state.leaked() == 0;
        println!("{}", if good { "PASSED: every record arrived, nothing leaked" } else { "FAILED" });
        good
    }
}

impl State {
    fn compare(&mut self, sent: &TelemetryRecord, arrived: &str) {
        if let Some((kind, secret)) = sent.secret() {
            self.planted += 1;
            if arrived.contains(secret) {
                *self.leaked.entry(kind.detector()).or_default() += 1;
            }
        }
        self.changed_elsewhere += u64::from(!sent.is_same_elsewhere(arrived));
    }

    fn leaked(&self) -> u64 {
        self.leaked.values().sum()
    }

    fn levels(&self) -> String {
        let counts: Vec<String> =
            self.levels.iter().map(|(level, count)| format!("{level} {count}")).collect();
        counts.join(", ")
    }
}

impl Sample {
    fn show(&self) {
        let span = self.sent.planted.as_ref().map_or(0..0, |planted| planted.start..planted.end);
        println!("in   {}", marked(&self.sent.value, span.clone(), "31"));
        println!("out  {}  [{}]", marked(&self.arrived, span, "32"), self.level);
    }
}

/// Characters shown before and after the interesting span.
const CONTEXT: usize = 48;

/// The neighbourhood of a span, coloured where the output is a terminal.
fn marked(text: &str, span: std::ops::Range<usize>, color: &str) -> String {
    let (before, inside) = (text.get(..span.start).unwrap_or(text), text.get(span.clone()).unwrap_or(""));
    let after = text.get(span.end..).unwrap_or("");
    let skipped = before.chars().count().saturating_sub(CONTEXT);
    let lead = if skipped > 0 { "…" } else { "" };
    let before: String = before.chars().skip(skipped).collect();
    let after: String = after.chars().take(CONTEXT).collect();
    if std::io::stdout().is_terminal() {
        format!("{lead}{before}\x1b[{color}m{inside}\x1b[0m{after}")
    } else {
        format!("{lead}{before}{inside}{after}")
    }
}

fn percentile(latencies: &mut [Duration], quantile: f64) -> Duration {
    if latencies.is_empty() {
        return Duration::ZERO;
    }
    let place = ((latencies.len() - 1) as f64 * quantile) as usize;
    *latencies.select_nth_unstable(place).1
}

fn millis(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1e3)
}
