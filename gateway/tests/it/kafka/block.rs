//! What each client sees when a record is blocked, and what the broker then holds.
//!
//! Forty records in four batches of ten; the sixth record of the second batch holds what the policy blocks.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bench_harness::kafka::clients::{Answer, Header, Record, Stored};
use bench_harness::kafka::{Library, Listener};

use super::gateway::{Gateway, Settings, driver};
use super::judge::contains;
use super::records::ID_HEADER;
use super::world::{self, World};

const BATCH: usize = 10;
const BLOCKED: usize = 15;
const CANARY: &str = "AKIAQ3EGRZ5WLHV2KD7T";

/// A run of one client, and which batches fail for it.
struct Case {
    library: Library,
    idempotent: bool,
    failing_batches: &'static [usize],
}

/// The refused batch fails and the client goes on; only idempotent aiokafka keeps the sequence numbers of the
/// refused batch, so that the broker refuses all that follows.
const CASES: &[Case] = &[
    Case { library: Library::Java, idempotent: true, failing_batches: &[1] },
    Case { library: Library::Java, idempotent: false, failing_batches: &[1] },
    Case { library: Library::Librdkafka, idempotent: true, failing_batches: &[1] },
    Case { library: Library::Librdkafka, idempotent: false, failing_batches: &[1] },
    Case { library: Library::FranzGo, idempotent: true, failing_batches: &[1] },
    Case { library: Library::FranzGo, idempotent: false, failing_batches: &[1] },
    Case { library: Library::Sarama, idempotent: false, failing_batches: &[1] },
    Case { library: Library::KafkaJs, idempotent: false, failing_batches: &[1] },
    Case { library: Library::AioKafka, idempotent: false, failing_batches: &[1] },
    Case { library: Library::AioKafka, idempotent: true, failing_batches: &[1, 2, 3] },
];

impl Case {
    fn topic(&self, way: &str) -> String {
        format!("{way}-{:?}-{}", self.library, self.idempotent).to_lowercase()
    }

    fn produce(&self, world: &World, gateway: &Gateway, way: &str) -> (Vec<Answer>, Vec<Stored>) {
        let records = records();
        let topic = self.topic(way);
        let file = world.file(&topic, &records);
        let mut options = vec!["--batch", "10"];
        if self.idempotent {
            options.push("--idempotent");
        }
        let answers = world.produce(self.library, &gateway.plain(), &topic, &file, &options).unwrap();
        (answers, world.stored(&topic))
    }
}

#[test]
fn a_rejected_batch_fails_alone_and_a_stubbed_record_does_not_fail() {
    let world = world::shared();
    let settings = Settings::new("block", driver(), policy(&world), Listener::Upstream);
    let gateway = Gateway::start(&settings, &world.cluster);
    let topics = CASES.iter().flat_map(|case| [case.topic("reject"), case.topic("stub")]);
    world.create_topics(&topics.collect::<Vec<_>>().join(","), 1, &[]);
    let mut faults = Vec::new();
    for case in CASES {
        let name = |fault: String| format!("{:?} idempotent={}: {fault}", case.library, case.idempotent);
        faults.extend(rejected(case, &world, &gateway).into_iter().map(name));
        faults.extend(stubbed(case, &world, &gateway).into_iter().map(name));
    }
    assert!(!gateway.log().contains(CANARY), "the log holds the canary");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn rejected(case: &Case, world: &World, gateway: &Gateway) -> Vec<String> {
    let (answers, stored) = case.produce(world, gateway, "reject");
    let refused: BTreeMap<&str, &str> =
        answers.iter().filter_map(|answer| Some((answer.id.as_str(), answer.error.as_deref()?))).collect();
    let stored: Vec<String> = stored.iter().map(identity).collect();
    let mut faults = Vec::new();
    for index in 0..4 * BATCH {
        let id = id(index);
        let fails = case.failing_batches.contains(&(index / BATCH));
        if refused.contains_key(&*id) != fails {
            faults.push(format!("reject: {id} refused: {:?}, expected: {fails}", refused.get(&*id)));
        }
        let times = stored.iter().filter(|found| **found == id).count();
        if times != usize::from(!fails) {
            faults.push(format!("reject: {id} is stored {times} times"));
        }
    }
    faults.truncate(4);
    if case.library == Library::Java {
        faults.extend(java_reasons(&refused));
    }
    faults
}

/// The Java client tells the blocked record the reason of the gateway, and the others that they were with it.
fn java_reasons(refused: &BTreeMap<&str, &str>) -> Vec<String> {
    let blocked = refused.get(&*id(BLOCKED)).copied().unwrap_or_default();
    let beside = refused.get(&*id(BLOCKED + 1)).copied().unwrap_or_default();
    let mut faults = Vec::new();
    if !blocked.starts_with("InvalidRecordException") || !blocked.contains(RULE) || blocked.contains(CANARY) {
        faults.push(format!("reject: the blocked record got {blocked:?}"));
    }
    if !beside.starts_with("KafkaException") {
        faults.push(format!("reject: the record beside it got {beside:?}"));
    }
    faults
}

fn stubbed(case: &Case, world: &World, gateway: &Gateway) -> Vec<String> {
    let (answers, stored) = case.produce(world, gateway, "stub");
    let mut faults: Vec<String> = answers
        .iter()
        .filter_map(|answer| Some(format!("stub: {} was refused: {}", answer.id, answer.error.as_deref()?)))
        .collect();
    let found: Vec<String> = stored.iter().map(identity).collect();
    let expected: Vec<String> = (0..4 * BATCH).map(id).collect();
    if found != expected {
        faults.push(format!("stub: stored {found:?}"));
    }
    for (record, stored) in records().iter().zip(&stored) {
        let value = stored.record.value.as_deref().unwrap_or_default();
        if contains(value, CANARY.as_bytes()) {
            faults.push(format!("stub: the canary is in {}", record.id));
        }
        let is_stub = stored.record.value != record.value;
        if is_stub != (record.id == id(BLOCKED)) || is_stub && !contains(value, RULE.as_bytes()) {
            faults.push(format!("stub: {} holds {:?}", record.id, String::from_utf8_lossy(value)));
        }
    }
    faults.truncate(4);
    faults
}

fn records() -> Vec<Record> {
    let record = |index: usize| {
        let secret = if index == BLOCKED { CANARY } else { "none" };
        Record {
            id: id(index),
            key: Some(b"one".to_vec()),
            value: Some(format!(r#"{{"n":{index},"aws_access_key_id":"{secret}"}}"#).into_bytes()),
            headers: vec![Header(ID_HEADER.to_owned(), Some(id(index).into_bytes()))],
        }
    };
    (0..4 * BATCH).map(record).collect()
}

fn id(index: usize) -> String {
    format!("n{index}")
}

fn identity(stored: &Stored) -> String {
    let header = stored.record.headers.first().and_then(|header| header.1.as_deref());
    String::from_utf8_lossy(header.unwrap_or_default()).into_owned()
}

fn policy(world: &World) -> PathBuf {
    world.text("block.toml", POLICY)
}

const RULE: &str = "no-cloud-keys";
const POLICY: &str = r#"
version = 1
default_level = "public"
label = "sensitive"

[[rule]]
id = "no-cloud-keys"
detectors = ["aws_access_key_id"]
topics = ["reject-*"]
level = "regulated"
verdict = "block"
on_block = "reject"

[[rule]]
id = "no-cloud-keys-stubbed"
detectors = ["aws_access_key_id"]
topics = ["stub-*"]
level = "regulated"
verdict = "block"
on_block = "stub"
"#;
