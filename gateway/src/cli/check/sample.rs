//! A fixed text like the traffic that gateways see, to time detectors with.

use gateway::payload::{Field, Part};

/// Bytes of the sample, about.
const SAMPLE_BYTES: usize = 256 * 1024;

/// Words of log messages and of field values.
const WORDS: [&str; 24] = [
    "request",
    "completed",
    "cache",
    "miss",
    "for",
    "customer",
    "order",
    "updated",
    "retry",
    "after",
    "timeout",
    "region",
    "eu-west-1",
    "payment",
    "service",
    "GET",
    "POST",
    "/api/v2/items",
    "status",
    "ok",
    "user",
    "session",
    "started",
    "Connection",
];

/// Records of one kind, back to back.
pub(super) struct Sample {
    pub(super) text: Vec<u8>,
    pub(super) fields: Vec<Field>,
}

impl Sample {
    /// The same sample at every call: JSON records with times, identifiers, numbers and messages.
    pub(super) fn generate() -> Self {
        let mut random = SplitMix(1);
        let mut sample = Self { text: Vec::with_capacity(SAMPLE_BYTES + 1024), fields: Vec::new() };
        while sample.text.len() < SAMPLE_BYTES {
            let start = sample.text.len();
            sample.text.extend_from_slice(record(&mut random).as_bytes());
            let narrow = |length: usize| u32::try_from(length).expect("the sample is small");
            sample.fields.push(Field {
                record: narrow(sample.fields.len()),
                part: Part::Value,
                start: narrow(start),
                end: narrow(sample.text.len()),
            });
        }
        sample
    }
}

fn record(random: &mut SplitMix) -> String {
    let message: Vec<&str> = (0..12 + random.below(40)).map(|_| WORDS[random.below(24) as usize]).collect();
    format!(
        r#"{{"ts":"2026-03-{:02}T{:02}:{:02}:{:02}.{:03}Z","host":"web-{}.prod.internal","trace_id":"{:032x}","id":{},"amount":{}.{:02},"ref":"ORD-{}","msg":"{}"}}"#,
        1 + random.below(28),
        random.below(24),
        random.below(60),
        random.below(60),
        random.below(1000),
        random.below(64),
        u128::from(random.next()) << 64 | u128::from(random.next()),
        random.below(10_000_000_000),
        random.below(5000),
        random.below(100),
        random.below(100_000_000),
        message.join(" "),
    )
}

/// A generator of numbers that needs no crate (Steele and others, "Fast splittable pseudorandom number
/// generators", 2014).
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
