//! Whether an answer is the right one.

use bench_harness::broker::StoredRecord;
use bytes::Bytes;
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, MetadataResponse, ProduceResponse, ResponseHeader,
};
use kafka_protocol::protocol::Decodable;

use super::broker::{Brokers, UPSTREAM_HOST};
use super::control::{GATEWAY_HOST, PORT_BASE};
use super::requests::{Answer, Expected, Fate, Planned};
use crate::protocol::kafka::api;

/// Checks a whole answer frame against the request and against what the brokers have at this moment.
pub(super) fn check(planned: &Planned, frame: &Bytes, brokers: &Brokers) {
    let correlation_id = i32::from_be_bytes(frame[4..8].try_into().expect("four bytes"));
    assert_eq!(correlation_id, planned.correlation_id, "answers in the order of their requests");
    let leaks = frame.windows(UPSTREAM_HOST.len()).any(|bytes| bytes == UPSTREAM_HOST.as_bytes());
    assert!(!leaks, "the upstream's address reaches a client");
    match planned.answer.as_ref().expect("this request gets an answer") {
        Answer::Verbatim => assert_eq!(brokers.answers.get(&correlation_id), Some(frame)),
        Answer::TooNew => {
            let answer: ApiVersionsResponse = decode(frame, ApiKey::ApiVersions, 0);
            assert_eq!(answer.error_code, 35);
        }
        Answer::ApiVersions { version } => {
            let answer: ApiVersionsResponse = decode(frame, ApiKey::ApiVersions, *version);
            assert!(!answer.api_keys.is_empty());
            for range in answer.api_keys {
                let known = api::find(api::ApiKey(range.api_key)).expect("a key of the table");
                assert!(*known.versions.end() >= range.max_version);
            }
        }
        Answer::Metadata { version } => {
            let answer: MetadataResponse = decode(frame, ApiKey::Metadata, *version);
            assert_eq!(answer.brokers.len(), 2);
            for broker in answer.brokers {
                let expected = (GATEWAY_HOST, i32::from(PORT_BASE) + broker.node_id.0);
                assert_eq!((broker.host.as_str(), broker.port), expected);
            }
        }
        Answer::Produce { version } => produce(frame, *version, &planned.partitions, brokers),
    }
}

fn produce(frame: &Bytes, version: i16, expected: &[Expected], brokers: &Brokers) {
    let answer: ProduceResponse = decode(frame, ApiKey::Produce, version);
    for endpoint in &answer.node_endpoints {
        let address = (GATEWAY_HOST, i32::from(PORT_BASE) + endpoint.node_id.0);
        assert_eq!((endpoint.host.as_str(), endpoint.port), address);
    }
    let partitions: Vec<_> = answer.responses.iter().flat_map(|topic| &topic.partition_responses).collect();
    assert_eq!(partitions.len(), expected.len(), "one answer for each partition");
    for topic in expected.chunk_by(|one, next| one.topic == next.topic) {
        let answered = answer.responses.iter().find(|answered| {
            let ids = brokers.topic_ids();
            *answered.name.0 == *topic[0].topic || answered.topic_id.into_bytes() == ids[topic[0].topic]
        });
        let answered = answered.expect("every topic is answered");
        for one in topic {
            let mut found = answered.partition_responses.iter().filter(|found| found.index == one.partition);
            partition(found.next().expect("every partition is answered"), version, one, brokers);
            assert!(found.next().is_none(), "each partition once");
        }
    }
}

fn partition(answer: &PartitionProduceResponse, version: i16, expected: &Expected, brokers: &Brokers) {
    let refusal = if version < 8 { POLICY_VIOLATION } else { INVALID_RECORD };
    match (answer.error_code, expected.fate) {
        (0, Fate::Appended) => {
            let stored = brokers.records(expected.topic);
            let from = stored
                .iter()
                .position(|one| (one.partition, one.offset) == (expected.partition, answer.base_offset));
            let from = from.expect("what is acknowledged is at the broker");
            assert_stored(&stored[from..], expected);
        }
        (code, Fate::Refused) => assert_eq!(code, refusal),
        (code, Fate::NotLeader) => assert_eq!(code, NOT_LEADER_OR_FOLLOWER),
        (code, Fate::Appended) => panic!("refused with {code}"),
    }
}

/// Checks that `stored` begins with these records, masked and labelled.
fn assert_stored(stored: &[StoredRecord], expected: &Expected) {
    assert!(stored.len() >= expected.records.len(), "a part of the batch is missing");
    for (stored, expected) in stored.iter().zip(&expected.records) {
        assert_eq!(
            (&stored.key, &stored.value),
            (&Some(expected.key.clone()), &Some(expected.value.clone()))
        );
    }
}

fn decode<T: Decodable>(frame: &Bytes, key: ApiKey, version: i16) -> T {
    let mut body = frame.slice(4..);
    ResponseHeader::decode(&mut body, key.response_header_version(version)).expect("a header");
    let answer = T::decode(&mut body, version).expect("an answer of this version");
    assert!(body.is_empty(), "bytes behind the answer");
    answer
}

/// Error codes by their official names.
const NOT_LEADER_OR_FOLLOWER: i16 = 6;
const POLICY_VIOLATION: i16 = 44;
const INVALID_RECORD: i16 = 87;
