use std::path::Path;

use bench_harness::client;
use bench_harness::codec::Codec;
use bench_harness::outgoing::{NOT_IDEMPOTENT, OutgoingRecord, batch};
use kafka_protocol::messages::{ProduceResponse, ResponseHeader};
use kafka_protocol::protocol::{Decodable, HeaderVersion};

use super::*;
use crate::policy::Keys;
use crate::protocol::kafka::compression::Decompressor;
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

fn inspect(policy: &str, api_version: i16, acks: i16, value: &'static [u8]) -> Inspected<Vec<u8>> {
    let record = OutgoingRecord { value: Some(value.into()), ..OutgoingRecord::default() };
    let records = batch(&[record], Codec::None, NOT_IDEMPOTENT).expect("encodes");
    inspect_batch(policy, api_version, acks, records)
}

fn inspect_batch(policy: &str, api_version: i16, acks: i16, records: bytes::Bytes) -> Inspected<Vec<u8>> {
    let policy = Policy::compile(Path::new("test.toml"), policy, &Keys::StandIn, 1).expect("a good policy");
    let policy = Arc::new(policy);
    let scratch = Box::new(policy.scratch());
    let request = client::produce_request("orders", 0, records).with_acks(acks);
    let frame = client::frame(api_version, 7, &request).expect("encodes").to_vec();
    let principal: Arc<str> = "User:ANONYMOUS".into();
    let topology = Topology::default();
    let sender = Sender {
        listener: 0,
        listener_name: "test",
        principal: &principal,
        forward_on_error: false,
        stub_on_block: false,
        topology: &topology,
    };
    let (mut scopes, mut audit) = (Scopes::default(), AuditBatch::default());
    let counters = WorkerCounters::default();
    Inspector::new(policy, scratch).produce(frame, &Heap, &sender, &mut scopes, &mut audit, &counters)
}

#[test]
fn a_blocked_record_is_refused_in_the_words_of_the_version() {
    for (api_version, error_code) in [(7, 44), (8, 87), (9, 87)] {
        let Inspected::Answer(answer) = inspect(BLOCKING, api_version, -1, b"pan 4111 1111 1111 1111") else {
            panic!("version {api_version}: nothing may go upstream");
        };
        let mut body = bytes::Bytes::from(answer).slice(4..);
        ResponseHeader::decode(&mut body, ProduceResponse::header_version(api_version)).expect("a header");
        let response = ProduceResponse::decode(&mut body, api_version).expect("a response");
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
    let Inspected::Forward { request, answer: None, acks: -1 } = inspect(BLOCKING, 9, -1, b"clean") else {
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
    let mut sent =
        testing::batch(&testing::BatchSpec { codec: record_batch::Codec::Zstd, ..Default::default() });
    let plain = sent.clone();
    sent.extend_from_slice(&skippable);
    let batch_length = (sent.len() - 12) as u32;
    sent[8..12].copy_from_slice(&batch_length.to_be_bytes());
    record_batch::seal_in_place(&mut sent);

    let Inspected::Forward { request, .. } = inspect_batch(BLOCKING, 9, -1, sent.into()) else {
        panic!("a legal batch is forwarded");
    };
    let frame = request.into_frame();
    assert!(!frame.windows(hidden.len()).any(|window| window == hidden));

    let mut parsed = ProduceRequest::default();
    parsed.parse(&frame).expect("a good frame");
    let forwarded = parsed.partitions[0].records.expect("records").of(&frame);
    let mut decompressor = Decompressor::default();
    let mut text = |batch: &[u8]| {
        let (_, codec) = record_batch::verify(Some(batch), 9).expect("a good batch");
        decompressor.decompress(codec, record_batch::blob(batch)).expect("a good blob").to_vec()
    };
    assert_eq!(text(forwarded), text(&plain), "the records are as they were");
}
