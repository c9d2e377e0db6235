//! Reload after reload while requests are under way: each is judged by one policy to its end, and nothing of the policies
//! before stays.

use std::path::Path;
use std::sync::Arc;

use bench_harness::client::{self, PRODUCE_VERSION};
use bench_harness::codec::Codec;
use bench_harness::outgoing::{NOT_IDEMPOTENT, OutgoingRecord, batch};
use gateway::audit::AuditBatch;
use gateway::inspect::{Frames, Inspected, Inspector, Scopes, Sender};
use gateway::policy::{Keys, Policy};
use gateway::telemetry::WorkerCounters;
use gateway::topology::Topology;
use kafka_protocol::messages::ProduceRequest;

use super::counting;

/// By hand: `GATEWAY_RELOADS=10000 cargo test --release -p gateway --test allocations reloads`.
#[test]
fn reloads_leak_nothing_and_never_mix_within_a_request() {
    let _alone = counting::alone();
    let reloads = std::env::var("GATEWAY_RELOADS").map_or(12, |count| count.parse().unwrap());
    let frame = client::frame(PRODUCE_VERSION, 1, &request()).unwrap().to_vec();
    let mut inspector = {
        let policy = policy(1);
        let scratch = Box::new(policy.scratch());
        Inspector::new(policy, scratch)
    };
    let mut live = Vec::new();
    for generation in 2..reloads + 2 {
        let masked = inspect_during_reload(&mut inspector, frame.clone(), generation);
        let [by_this, by_other] = [generation - 1, generation].map(|generation| masks(&masked, generation));
        assert_eq!((by_this, by_other), (BATCHES, 0), "generation {}", generation - 1);
        live.push(counting::live_bytes());
    }
    let (warm, last) = (live[live.len() / 2], live[live.len() - 1]);
    assert!(last < warm + LEAK_BYTES_MAX, "{warm} bytes after half of the reloads, {last} at the end");
}

/// Inspects a request between two of whose batches the policy of `generation` comes into force.
fn inspect_during_reload(inspector: &mut Inspector, frame: Vec<u8>, generation: u64) -> Vec<u8> {
    let sender = Sender {
        listener: 0,
        listener_name: "l",
        principal: &"User:ANONYMOUS".into(),
        forward_on_error: false,
        stub_on_block: false,
        message_bytes_max: usize::MAX,
        topology: &Topology::default(),
    };
    let (mut scopes, mut audit, counters) =
        (Scopes::default(), AuditBatch::default(), WorkerCounters::default());
    let mut inspection = inspector.begin(frame, &Heap).unwrap();
    assert!(!inspector.step(&mut inspection, &sender, &mut scopes, &mut audit, &counters));
    let policy = policy(generation);
    let scratch = Box::new(policy.scratch());
    inspector.replace_policy(policy, scratch);
    assert!(inspector.retired().is_none(), "a request needs the policy of its begin");
    while !inspector.step(&mut inspection, &sender, &mut scopes, &mut audit, &counters) {}
    let Inspected::Forward { request, .. } = inspector.finish(inspection) else { panic!("not forwarded") };
    assert!(audit.partitions.iter().all(|partition| partition.generation == generation - 1));
    let (retired, _scratch) = inspector.retired().expect("nothing needs it any more");
    assert_eq!((retired.generation(), Arc::strong_count(&retired)), (generation - 1, 1));
    request.into_frame()
}

/// Masks with a character of its own. The detector of its own needs Hyperscan, whose memory is not Rust's.
fn policy(generation: u64) -> Arc<Policy> {
    let source = format!(
        "version = 1\nlabel = \"off\"\n\
         [[detector]]\nid = \"employee\"\npattern = 'EMP-[0-9]{{6}}'\n\
         [[rule]]\nid = \"all\"\ndetectors = [\"payment/*\", \"employee\"]\n\
         mask = {{ operator = \"redact\", char = \"{}\" }}\n",
        char_of(generation)
    );
    Arc::new(Policy::compile(Path::new("reload.toml"), &source, &Keys::StandIn, generation).unwrap())
}

fn char_of(generation: u64) -> char {
    if generation.is_multiple_of(2) { '*' } else { '_' }
}

/// How many cards are masked by the policy of `generation`.
fn masks(frame: &[u8], generation: u64) -> usize {
    let masked = char_of(generation).to_string().repeat(16);
    frame.windows(masked.len()).filter(|window| *window == masked.as_bytes()).count()
}

/// A request whose inspection takes a turn for each of its batches.
fn request() -> ProduceRequest {
    let filler = "the quick brown fox jumps over the lazy dog ".repeat(TURN_BYTES / 44 + 1);
    let record = |value: String| OutgoingRecord { value: Some(value.into()), ..OutgoingRecord::default() };
    let records = [record(filler), record("card 4111111111111111".to_owned())];
    let records = batch(&records, Codec::None, NOT_IDEMPOTENT).unwrap();
    let mut request = client::produce_request("orders", 0, records);
    let partitions = &mut request.topic_data[0].partition_data;
    partitions
        .extend((1..BATCHES as i32).map(|index| partitions[0].clone().with_index(index)).collect::<Vec<_>>());
    request
}

/// Frames in plain vectors.
struct Heap;

impl Frames for Heap {
    type Frame = Vec<u8>;

    fn vec(&self, bytes: usize) -> Vec<u8> {
        Vec::with_capacity(bytes)
    }

    fn frame(&self, vec: Vec<u8>) -> Vec<u8> {
        vec
    }
}

const BATCHES: usize = 2;
/// Bytes after which other connections have their turn.
const TURN_BYTES: usize = 2 << 20;
/// Less than what one policy takes; threads keep a few freed blocks to themselves.
const LEAK_BYTES_MAX: usize = 64 << 10;
