use std::path::Path;

use bench_harness::client;
use bench_harness::codec::Codec;
use bench_harness::outgoing::{NOT_IDEMPOTENT, OutgoingRecord, batch};
use kafka_protocol::messages::{ProduceResponse, ResponseHeader};
use kafka_protocol::protocol::{Decodable, HeaderVersion};

use super::*;
use crate::policy::{Keys, Verdict};
use crate::protocol::kafka::compression::Decompressor;
use crate::protocol::kafka::emit::BATCH_BYTES_MAX;
use crate::protocol::kafka::produce::Partition;
use crate::protocol::kafka::testing::{BatchSpec, RecordSpec, RequestSpec};
use crate::protocol::kafka::{record_batch, testing};

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

const BLOCKING: &str = r#"
version = 1
[[rule]]
id = "cards"
detectors = ["credit_card"]
level = "regulated"
verdict = "block"
"#;

/// A frame through an inspector, and what the audit has of it.
struct Run {
    inspected: Inspected<Vec<u8>>,
    audit: AuditBatch,
}

/// What is set at a listener.
#[derive(Clone, Copy)]
struct Settings {
    forward_on_error: bool,
    stub_on_block: bool,
    message_bytes_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { forward_on_error: false, stub_on_block: false, message_bytes_max: BATCH_BYTES_MAX }
    }
}

fn run(policy: &str, settings: Settings, frame: Vec<u8>) -> Run {
    with_inspector(policy, settings, |inspector, sender, audit| {
        let counters = WorkerCounters::default();
        let mut inspection = match inspector.begin(frame, &Heap) {
            Ok(inspection) => inspection,
            Err((reason, detail)) => return Inspected::Close(reason, detail),
        };
        let mut scopes = Scopes::default();
        while !inspector.step(&mut inspection, sender, &mut scopes, audit, &counters) {}
        inspector.finish(inspection)
    })
}

fn with_inspector(
    policy: &str,
    settings: Settings,
    inspect: impl FnOnce(&mut Inspector, &Sender<'_>, &mut AuditBatch) -> Inspected<Vec<u8>>,
) -> Run {
    let policy = Policy::compile(Path::new("test.toml"), policy, &Keys::StandIn, 1).expect("a good policy");
    let policy = Arc::new(policy);
    let scratch = Box::new(policy.scratch());
    let sender = Sender {
        listener: 0,
        listener_name: "test",
        principal: &"User:ANONYMOUS".into(),
        forward_on_error: settings.forward_on_error,
        stub_on_block: settings.stub_on_block,
        message_bytes_max: settings.message_bytes_max,
        topology: &Topology::default(),
    };
    let mut audit = AuditBatch::default();
    let inspected = inspect(&mut Inspector::new(policy, scratch), &sender, &mut audit);
    Run { inspected, audit }
}

fn inspect(policy: &str, api_version: i16, acks: i16, value: &'static [u8]) -> Inspected<Vec<u8>> {
    let record = OutgoingRecord { value: Some(value.into()), ..OutgoingRecord::default() };
    let records = batch(&[record], Codec::None, NOT_IDEMPOTENT).expect("encodes");
    let request = client::produce_request("orders", 0, records).with_acks(acks);
    let frame = client::frame(api_version, 7, &request).expect("encodes").to_vec();
    run(policy, Settings::default(), frame).inspected
}

/// Each batch in a partition of its own.
fn frame_of(acks: i16, batches: &[Vec<u8>]) -> Vec<u8> {
    let partitions = (0..).zip(batches.iter().cloned().map(Some)).collect();
    let topics = vec![("orders", partitions)];
    testing::produce_frame(&RequestSpec { api_version: 9, acks, transactional_id: None, topics })
}

fn batch_of(value: &str, transactional: bool) -> Vec<u8> {
    let record = RecordSpec { key: None, value: Some(value.into()), headers: vec![] };
    testing::batch(&BatchSpec { transactional, records: vec![record], ..BatchSpec::default() })
}

/// The batches of a frame, by partition.
fn batches_of(frame: &[u8]) -> Vec<(i32, Vec<u8>)> {
    let mut parsed = ProduceRequest::default();
    parsed.parse(frame).expect("a good frame");
    let batch = |partition: &Partition| partition.records.expect("records").of(frame).to_vec();
    parsed.partitions.iter().map(|partition| (partition.index, batch(partition))).collect()
}

/// The response that a locally made answer is.
fn response_of(answer: Vec<u8>, api_version: i16) -> ProduceResponse {
    let mut body = bytes::Bytes::from(answer).slice(4..);
    ResponseHeader::decode(&mut body, ProduceResponse::header_version(api_version)).expect("a header");
    ProduceResponse::decode(&mut body, api_version).expect("a response")
}

const CARD: &str = "pan 4111 1111 1111 1111";

#[test]
fn a_blocked_record_is_refused_in_the_words_of_the_version() {
    for (api_version, error_code) in [(7, 44), (8, 87), (9, 87)] {
        let Inspected::Answer(answer) = inspect(BLOCKING, api_version, -1, b"pan 4111 1111 1111 1111") else {
            panic!("version {api_version}: nothing may go upstream");
        };
        let response = response_of(answer, api_version);
        assert_eq!(
            response.responses[0].partition_responses[0].error_code, error_code,
            "version {api_version}"
        );
    }
}

#[test]
fn a_blocked_record_without_acknowledgement_closes_the_connection() {
    assert!(matches!(
        inspect(BLOCKING, 9, 0, b"pan 4111 1111 1111 1111"),
        Inspected::Close(Reason::Policy, _)
    ));
}

#[test]
fn a_clean_request_goes_as_it_came() {
    let Inspected::Forward { request, answer: None, acks: -1, close: None } =
        inspect(BLOCKING, 9, -1, b"clean")
    else {
        panic!("a clean request is forwarded");
    };
    let record = OutgoingRecord { value: Some(b"clean".as_slice().into()), ..OutgoingRecord::default() };
    let records = batch(&[record], Codec::None, NOT_IDEMPOTENT).expect("encodes");
    let original = client::frame(9, 7, &client::produce_request("orders", 0, records)).expect("encodes");
    assert_eq!(request.into_frame(), original);
}

#[test]
fn bytes_that_are_no_part_of_the_text_do_not_go_on() {
    let hidden = b"ssn 553-39-5972";
    let skippable = [&0x184d_2a50_u32.to_le_bytes()[..], &15u32.to_le_bytes(), hidden].concat();
    let mut sent = testing::batch(&BatchSpec { codec: record_batch::Codec::Zstd, ..Default::default() });
    let plain = sent.clone();
    sent.extend_from_slice(&skippable);
    let batch_length = (sent.len() - 12) as u32;
    sent[8..12].copy_from_slice(&batch_length.to_be_bytes());
    record_batch::seal_in_place(&mut sent);

    let run = run(BLOCKING, Settings::default(), frame_of(-1, &[sent]));
    let Inspected::Forward { request, .. } = run.inspected else { panic!("a legal batch is forwarded") };
    let frame = request.into_frame();
    assert!(!frame.windows(hidden.len()).any(|window| window == hidden));

    let mut decompressor = Decompressor::default();
    let mut text = |batch: &[u8]| {
        let (_, codec) = record_batch::verify(Some(batch), 9).expect("a good batch");
        decompressor.decompress(codec, record_batch::blob(batch)).expect("a good blob").to_vec()
    };
    assert_eq!(text(&batches_of(&frame)[0].1), text(&plain), "the records are as they were");
}

#[test]
fn without_acknowledgement_the_other_partitions_go_on_before_the_connection_closes() {
    let (clean, card) = (batch_of("clean", false), batch_of(CARD, false));
    let frame = frame_of(0, &[clean.clone(), card.clone(), card, clean.clone()]);
    let run = run(BLOCKING, Settings::default(), frame);

    let Inspected::Forward { request, answer: None, acks: 0, close: Some((Reason::Policy, _)) } =
        run.inspected
    else {
        panic!("what was not refused is forwarded");
    };
    assert_eq!(batches_of(&request.into_frame()), [(0, clean.clone()), (3, clean)]);
}

#[test]
fn a_listener_stubs_outside_of_transactions_and_a_rule_within_them() {
    let by_rule = format!("{BLOCKING}on_block = \"stub\"\n");
    let settings = Settings { stub_on_block: true, ..Settings::default() };
    let table = [(BLOCKING, false, true), (BLOCKING, true, false), (&by_rule, true, true)];
    for (policy, transactional, is_stubbed) in table {
        let run = run(policy, settings, frame_of(-1, &[batch_of(CARD, transactional)]));
        let forwarded = matches!(run.inspected, Inspected::Forward { answer: None, .. });
        assert_eq!(forwarded, is_stubbed, "transactional: {transactional}, {policy}");
    }
}

#[test]
fn what_goes_on_unseen_is_audited() {
    let mut broken = batch_of("clean", false);
    broken[22] = 7;
    record_batch::seal_in_place(&mut broken);
    let frame = frame_of(-1, &[broken]);

    let settings = Settings { forward_on_error: true, ..Settings::default() };
    let forwarded = run(BLOCKING, settings, frame.clone());
    assert!(matches!(forwarded.inspected, Inspected::Forward { answer: None, .. }));
    let refused = run(BLOCKING, Settings::default(), frame.clone());
    assert!(matches!(refused.inspected, Inspected::Answer(_)));
    let relayed = with_inspector(BLOCKING, settings, |inspector, sender, audit| {
        let counters = WorkerCounters::default();
        let acks = inspector.pass_unseen(&frame, sender, &mut Scopes::default(), audit, &counters);
        assert_eq!(acks, Ok(-1));
        Inspected::Answer(Vec::new())
    });

    let entries = |run: &Run| -> Vec<_> {
        run.audit
            .partitions
            .iter()
            .map(|entry| (entry.topic.to_string(), entry.records, entry.unseen))
            .collect()
    };
    assert_eq!(entries(&forwarded), [("orders".to_owned(), 1, Some(Reason::Compression))]);
    assert_eq!(entries(&refused), []);
    assert_eq!(entries(&relayed), [("orders".to_owned(), 1, Some(Reason::InspectionOff))]);
}

#[test]
fn records_that_were_read_but_not_classified_go_on_without_labels_of_their_client() {
    let mask = format!("mask = {{ operator = \"replace\", with = \"{}\" }}", "x".repeat(256));
    let policy = |label: &str| {
        format!("version = 1\nlabel = \"{label}\"\n[[rule]]\nid = \"a\"\ndetectors = [\"ipv4\"]\n{mask}\n")
    };
    let record = |headers: &[&[u8]]| RecordSpec {
        key: None,
        value: Some("1.2.3.4 ".repeat(140_000).into()),
        headers: headers.iter().map(|name| (name.to_vec(), Some(b"public".to_vec()))).collect(),
    };
    let batch = |headers: &[&[u8]]| {
        testing::batch(&BatchSpec { records: vec![record(headers)], ..BatchSpec::default() })
    };
    let (forged, honest) = (batch(&[b"classification", b"trace"]), batch(&[b"trace"]));
    let settings = Settings { forward_on_error: true, ..Settings::default() };
    let table = [("sensitive", &forged, &honest), ("sensitive", &honest, &honest), ("off", &forged, &forged)];
    for (label, sent, expected) in table {
        let run = run(&policy(label), settings, frame_of(-1, std::slice::from_ref(sent)));
        let Inspected::Forward { request, answer: None, .. } = run.inspected else {
            panic!("it is forwarded")
        };
        assert!(batches_of(&request.into_frame()) == [(0, expected.clone())], "{label}");
        assert_eq!(run.audit.partitions[0].unseen, Some(Reason::Engine));
    }
}

#[test]
fn what_is_blocked_whatever_it_holds_does_not_go_on_unseen() {
    let mut broken = batch_of("clean", false);
    broken[22] = 7;
    record_batch::seal_in_place(&mut broken);
    let all = "version = 1\n[[rule]]\nid = \"all\"\nlevel = \"internal\"\nverdict = \"block\"\n";
    let settings = Settings { forward_on_error: true, ..Settings::default() };

    let blocked = run(all, settings, frame_of(-1, &[broken]));

    assert!(matches!(blocked.inspected, Inspected::Answer(_)));
}

#[test]
fn records_beside_a_rejected_one_are_audited_as_what_became_of_them() {
    let record = |value: &str| RecordSpec { key: None, value: Some(value.into()), headers: vec![] };
    let records = vec![record("clean"), record(CARD), record("clean")];
    let mixed = testing::batch(&BatchSpec { records, ..BatchSpec::default() });

    let run = run(BLOCKING, Settings::default(), frame_of(-1, &[mixed, batch_of("clean", false)]));

    let runs: Vec<(u32, Verdict)> = run.audit.runs.iter().map(|run| (run.count, run.verdict)).collect();
    let block = |count| (count, Verdict::Block);
    assert_eq!(runs, [block(1), block(1), block(1), (1, Verdict::Forward)]);
}

#[test]
fn an_answer_names_so_many_blocked_records_and_counts_the_others() {
    let record = RecordSpec { key: None, value: Some(b"any".to_vec()), headers: vec![] };
    let records = vec![record; 1_200];
    let batch = testing::batch(&BatchSpec { records, ..BatchSpec::default() });
    let all = "version = 1\n[[rule]]\nid = \"all\"\nlevel = \"internal\"\nverdict = \"block\"\n";
    let run = run(all, Settings::default(), frame_of(-1, &[batch.clone(), batch]));

    let Inspected::Answer(answer) = run.inspected else { panic!("all is refused") };
    let response = response_of(answer, 9);
    let partitions = &response.responses[0].partition_responses;
    let message = |index: usize| partitions[index].error_message.as_ref().expect("a message").to_string();
    assert_eq!(partitions[0].record_errors.len(), 1_000);
    assert_eq!(message(0), "blocked by policy rule all; 200 more records are blocked than are named");
    assert!(partitions[1].record_errors.is_empty());
    assert_eq!(message(1), "blocked by policy rule all; 1200 more records are blocked than are named");
}

#[test]
fn labels_keep_to_the_batch_size_of_the_listeners_topics() {
    let labels = "version = 1\nlabel = \"all\"\n";
    for (message_bytes_max, is_labelled) in [(BATCH_BYTES_MAX, true), (1024, false)] {
        let settings = Settings { message_bytes_max, ..Settings::default() };
        let run = run(labels, settings, frame_of(-1, &[batch_of(&"x".repeat(1000), false)]));
        let Inspected::Forward { request, .. } = run.inspected else { panic!("a clean batch is forwarded") };
        let frame = request.into_frame();
        let found = frame.windows(14).any(|window| window == b"classification");
        assert_eq!(found, is_labelled, "{message_bytes_max}");
    }
}

#[test]
fn a_large_request_lets_others_have_their_turn_between_its_batches() {
    let (large, card) = (batch_of(&"x".repeat(900_000), false), batch_of(CARD, false));
    let frame = frame_of(-1, &[large.clone(), card, large.clone(), large.clone(), large.clone()]);
    let run = with_inspector(BLOCKING, Settings::default(), |inspector, sender, audit| {
        let (mut scopes, counters) = (Scopes::default(), WorkerCounters::default());
        let mut inspection = inspector.begin(frame, &Heap).expect("a good frame");
        let mut step = |audit: &mut AuditBatch| {
            let done = inspector.step(&mut inspection, sender, &mut scopes, audit, &counters);
            (done, audit.partitions.len())
        };
        assert_eq!(step(audit), (false, 4), "two MiB are a turn");
        assert_eq!(step(audit), (true, 5));
        inspector.finish(inspection)
    });

    let Inspected::Forward { request, answer: Some(_), .. } = run.inspected else {
        panic!("what was not refused is forwarded");
    };
    let forwarded = [0, 2, 3, 4].map(|index| (index, large.clone()));
    assert!(batches_of(&request.into_frame()) == forwarded);
}

#[test]
fn a_request_is_judged_by_the_policy_under_which_it_began() {
    let policy = |text: &str, generation| {
        let policy = Policy::compile(Path::new("test.toml"), text, &Keys::StandIn, generation);
        let policy = Arc::new(policy.expect("a good policy"));
        let scratch = Box::new(policy.scratch());
        (policy, scratch)
    };
    // Longer than a turn: the reload comes after the first batch.
    let long = format!("{CARD} {}", "x".repeat(3 << 20));
    let frame = || frame_of(-1, &[batch_of(&long, false), batch_of(CARD, false)]);
    let is_forwarded = |inspected| matches!(inspected, Inspected::Forward { answer: None, .. });

    with_inspector("version = 1", Settings::default(), |inspector, sender, audit| {
        let (mut scopes, counters) = (Scopes::default(), WorkerCounters::default());
        let Ok(mut inspection) = inspector.begin(frame(), &Heap) else { panic!("a good frame") };
        assert!(!inspector.step(&mut inspection, sender, &mut scopes, audit, &counters));
        let (blocking, scratch) = policy(BLOCKING, 2);
        inspector.replace_policy(blocking, scratch);
        assert!(inspector.retired().is_none(), "the request still needs it");
        assert!(inspector.step(&mut inspection, sender, &mut scopes, audit, &counters));
        assert!(is_forwarded(inspector.finish(inspection)), "as the first batch, so the second");
        assert_eq!(inspector.retired().expect("nobody needs it").0.generation(), 1);
        let generations: Vec<u64> = audit.partitions.iter().map(|entry| entry.generation).collect();
        assert_eq!(generations, [1, 1]);

        let Ok(mut inspection) = inspector.begin(frame(), &Heap) else { panic!("a good frame") };
        while !inspector.step(&mut inspection, sender, &mut scopes, audit, &counters) {}
        let inspected = inspector.finish(inspection);
        assert!(matches!(inspected, Inspected::Answer(_)), "the next request meets the new policy");
        inspected
    });
}
