//! The broker from outside: a client of the same crate, and kcat where it is installed.

use super::*;
use crate::client::{Connection, PRODUCE_VERSION, produce_error, produce_request};
use crate::codec::Codec;
use crate::outgoing::{NOT_IDEMPOTENT, OutgoingRecord, Sequence, batch};
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, InitProducerIdRequest, TransactionalId,
};
use kafka_protocol::protocol::{Decodable, StrBytes};
use kafka_protocol::records::RecordBatchDecoder;
use std::io::Write;
use std::process::{Command, Stdio};

fn record(value: &str) -> OutgoingRecord {
    OutgoingRecord {
        timestamp: 1_700_000_000_000,
        key: Some(Bytes::from_static(b"key")),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
        headers: vec![("h".to_owned(), Bytes::from_static(b"1"))],
    }
}

/// Records of an idempotent producer.
fn sequenced(producer_id: i64, producer_epoch: i16, base_sequence: i32, count: usize) -> Bytes {
    let sequence = Sequence { producer_id, producer_epoch, base_sequence };
    batch(&vec![record("v"); count], Codec::None, sequence).unwrap()
}

fn plain(count: usize) -> Bytes {
    batch(&vec![record("v"); count], Codec::None, NOT_IDEMPOTENT).unwrap()
}

fn started() -> (MemoryBroker, Connection) {
    let broker = MemoryBroker::start(Options::default()).unwrap();
    let mut client = Connection::open(broker.address()).unwrap();
    client.metadata("t").unwrap();
    (broker, client)
}

fn produce(client: &mut Connection, batch: Bytes) -> Option<ResponseError> {
    produce_error(&client.call(PRODUCE_VERSION, &produce_request("t", 0, batch)).unwrap())
}

#[test]
fn every_codec_is_stored_decoded_and_fetched_back() {
    for codec in Codec::ALL {
        let (broker, mut client) = started();
        let records: Vec<_> = (0..100).map(|number| record(&format!("value {number}"))).collect();

        assert_eq!(produce(&mut client, batch(&records, codec, NOT_IDEMPOTENT).unwrap()), None, "{codec:?}");

        let stored = broker.records("t");
        assert_eq!(stored.len(), 100);
        assert_eq!(stored[7].value.as_deref(), Some(&b"value 7"[..]));
        assert_eq!(stored[7].header("h").unwrap(), "1");
        assert_eq!(broker.batches("t")[0].codec, codec);
        let fetched = client.fetch("t", 0, 0, Duration::ZERO).unwrap();
        let infos = RecordBatchDecoder::decode_batch_info(&mut fetched.clone()).unwrap();
        assert_eq!((infos[0].record_count, infos[0].min_offset), (100, 0));
    }
}

#[test]
fn bad_batches_get_the_code_that_a_broker_answers() {
    let good = plain(2);
    let (_broker, mut client) = started();
    type Spoil = fn(&mut [u8]);
    let cases: &[(&str, Spoil, ResponseError)] = &[
        ("flipped byte", |batch| batch[70] ^= 1, ResponseError::CorruptMessage),
        ("magic 1", |batch| batch[16] = 1, ResponseError::InvalidRecord),
        ("count too high", |batch| resealed(batch, |batch| batch[60] = 3), ResponseError::InvalidRecord),
        ("count of billions", |batch| resealed(batch, count_of_billions), ResponseError::InvalidRecord),
        ("codec 7", |batch| resealed(batch, |batch| batch[22] |= 7), ResponseError::UnknownServerError),
        ("not gzip", |batch| resealed(batch, |batch| batch[22] |= 1), ResponseError::UnknownServerError),
        ("control", |batch| resealed(batch, |batch| batch[22] |= 32), ResponseError::InvalidRecord),
        ("base offset", |batch| batch[7] = 1, ResponseError::InvalidRecord),
    ];
    for (name, spoil, expected) in cases {
        let mut bad = BytesMut::from(&good[..]);
        spoil(&mut bad);
        assert_eq!(produce(&mut client, bad.freeze()), Some(*expected), "{name}");
    }
    assert_eq!(
        produce(&mut client, [&good[..], &good[..]].concat().into()),
        Some(ResponseError::InvalidRecord)
    );
    assert_eq!(produce(&mut client, good), None);
}

fn resealed(batch: &mut [u8], change: impl Fn(&mut [u8])) {
    change(batch);
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// A count whose memory would be hundreds of gigabytes, consistent with the last offset delta.
fn count_of_billions(batch: &mut [u8]) {
    batch[23..27].copy_from_slice(&(i32::MAX - 1).to_be_bytes());
    batch[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
}

#[test]
fn sequences_are_checked_as_a_broker_does() {
    let (broker, mut client) = started();
    let cases = [
        (sequenced(7, 0, 0, 3), None),
        (sequenced(7, 0, 3, 2), None),
        (sequenced(7, 0, 0, 3), None),
        (sequenced(7, 0, 6, 1), Some(ResponseError::OutOfOrderSequenceNumber)),
        (sequenced(7, 0, 3, 1), Some(ResponseError::OutOfOrderSequenceNumber)),
        (sequenced(7, 1, 1, 1), Some(ResponseError::OutOfOrderSequenceNumber)),
        (sequenced(7, 1, 0, 1), None),
        (sequenced(7, 0, 5, 1), Some(ResponseError::InvalidProducerEpoch)),
    ];
    for (number, (batch, expected)) in cases.into_iter().enumerate() {
        assert_eq!(produce(&mut client, batch), expected, "batch {number}");
    }
    assert_eq!(broker.records("t").len(), 6, "the duplicate was acknowledged, not stored");
    assert_eq!(broker.totals().duplicates, 1);
}

#[test]
fn producer_ids_differ_and_a_transactional_id_keeps_its_own() {
    let (_broker, mut client) = started();
    let id = Some(TransactionalId(StrBytes::from_static_str("tx")));
    let plain = InitProducerIdRequest::default();
    let transactional = InitProducerIdRequest::default().with_transactional_id(id);
    let first = client.call(4, &plain).unwrap();
    let second = client.call(4, &transactional).unwrap();
    let third = client.call(4, &transactional).unwrap();
    assert_ne!(first.producer_id, second.producer_id);
    assert_eq!((second.producer_id, second.producer_epoch), (third.producer_id, 0));
    assert_eq!(third.producer_epoch, 1);
}

#[test]
fn a_newer_api_versions_gets_error_35_in_the_oldest_layout() {
    let (_broker, mut client) = started();
    // Key 18, version 99, correlation id 5, null client id.
    client.send_bytes(&[0, 0, 0, 10, 0, 18, 0, 99, 0, 0, 0, 5, 0xff, 0xff]).unwrap();
    let mut answer = client.receive_frame().unwrap().split_off(4);
    let response = ApiVersionsResponse::decode(&mut answer, 0).unwrap();
    assert_eq!(response.error_code, ResponseError::UnsupportedVersion.code());
    assert_eq!(response.api_keys.len(), 1);
}

#[test]
fn an_older_broker_can_be_played() {
    let options = Options { version_max: vec![(0, 9)], ..Options::default() };
    let broker = MemoryBroker::start(options).unwrap();
    let mut client = Connection::open(broker.address()).unwrap();
    let response = client.call(0, &ApiVersionsRequest::default()).unwrap();
    let produce = response.api_keys.iter().find(|entry| entry.api_key == 0).unwrap();
    assert_eq!((produce.min_version, produce.max_version), (0, 9));
}

#[test]
fn hostile_requests_close_their_connection_only() {
    let (broker, mut healthy) = started();
    let huge_array = {
        let mut frame = BytesMut::new();
        // Metadata v1 with 2^31 - 1 topics.
        frame.put_slice(&[0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
        frame.freeze()
    };
    let cases: &[(&str, &[u8])] = &[
        ("negative size", &[0xff; 4]),
        ("2 GiB", &[0x7f, 0xff, 0xff, 0xff]),
        ("too short for a header", &[0, 0, 0, 2, 0, 0]),
        ("unknown key", &[0, 0, 0, 10, 0x7f, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff]),
        ("unserved version", &[0, 0, 0, 10, 0, 0, 0, 2, 0, 0, 0, 1, 0xff, 0xff]),
        ("array of billions", &huge_array),
        ("TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    ];
    for (name, bytes) in cases {
        let mut hostile = Connection::open(broker.address()).unwrap();
        hostile.send_bytes(bytes).unwrap();
        assert!(hostile.receive_frame().is_err(), "{name}");
    }
    assert_eq!(produce(&mut healthy, plain(1)), None);
}

#[test]
fn faults_strike_in_order_and_then_end() {
    let (broker, mut client) = started();
    broker.fault(Fault::Refuse { count: 2, error_code: ResponseError::NotEnoughReplicas.code() });
    broker.fault(Fault::DropAfter { count: 1 });
    broker.fault(Fault::DropBefore { count: 1 });

    assert_eq!(produce(&mut client, plain(1)), Some(ResponseError::NotEnoughReplicas));
    assert_eq!(produce(&mut client, plain(1)), Some(ResponseError::NotEnoughReplicas));
    assert_eq!(broker.records("t").len(), 0);
    for stored in [1, 1] {
        let mut client = Connection::open(broker.address()).unwrap();
        client.send(PRODUCE_VERSION, &produce_request("t", 0, plain(1))).unwrap();
        assert!(client.receive_frame().is_err());
        assert_eq!(broker.records("t").len(), stored);
    }
    assert_eq!(produce(&mut client, plain(1)), None);
}

#[test]
fn a_stopped_node_refuses_connections_until_it_is_started_again() {
    let (broker, mut client) = started();
    assert_eq!(produce(&mut client, plain(1)), None);

    broker.stop_node(1);
    assert!(client.receive_frame().is_err());
    assert!(Connection::open(broker.address()).is_err());

    broker.start_node(1);
    let mut client = Connection::open(broker.address()).unwrap();
    assert_eq!(produce(&mut client, plain(1)), None);
    assert_eq!(broker.records("t").len(), 2);
}

#[test]
fn partitions_have_leaders_that_move_and_answers_name_them() {
    let options =
        Options { nodes: 3, advertised_host: Some("broker.invalid".to_owned()), ..Options::default() };
    let broker = MemoryBroker::start(options).unwrap();
    let mut client = Connection::open(broker.address()).unwrap();
    let metadata = client.metadata("t").unwrap();
    assert!(metadata.brokers.iter().all(|node| node.host.as_str() == "broker.invalid"));
    assert_eq!(metadata.topics[0].partitions[1].leader_id.0, 2);
    assert_eq!(metadata.brokers.len(), 3);

    broker.move_leader("t", 0, 3);
    let request = produce_request("t", 0, plain(1));
    let response = client.call(10, &request).unwrap();
    assert_eq!(produce_error(&response), Some(ResponseError::NotLeaderOrFollower));
    assert_eq!(response.responses[0].partition_responses[0].current_leader.leader_id.0, 3);
    assert_eq!(response.node_endpoints[0].port, i32::from(broker.addresses()[2].port()));
}

#[test]
fn acks_0_gets_no_answer_and_an_error_closes() {
    let (broker, mut client) = started();
    let request = |batch| produce_request("t", 0, batch).with_acks(0);
    client.send(PRODUCE_VERSION, &request(plain(1))).unwrap();
    assert_eq!(broker.wait_for_records("t", 1, Duration::from_secs(10)).len(), 1);
    client.send(PRODUCE_VERSION, &request(Bytes::from_static(b"no batch"))).unwrap();
    assert!(client.receive_frame().is_err());
}

#[test]
fn a_waiting_fetch_is_answered_by_the_next_append() {
    let (broker, mut producer) = started();
    let address = broker.address();
    let consumer = std::thread::spawn(move || {
        let mut client = Connection::open(address).unwrap();
        client.fetch("t", 0, 0, Duration::from_secs(20)).unwrap()
    });
    assert_eq!(produce(&mut producer, plain(2)), None);
    assert!(!consumer.join().unwrap().is_empty());
}

/// librdkafka produces with every codec and idempotence, and reads everything back.
#[test]
fn kcat_produces_and_consumes() {
    if Command::new("kcat").arg("-V").output().is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "kcat is missing");
        eprintln!("skipped: kcat is not installed");
        return;
    }
    let broker = MemoryBroker::start(Options { nodes: 2, ..Options::default() }).unwrap();
    let address = broker.address().to_string();
    for codec in Codec::ALL {
        let topic = format!("kcat-{}", codec.name());
        let mut producer = Command::new("kcat")
            .args(["-P", "-b", &address, "-t", &topic, "-z", codec.name(), "-K", ":", "-H", "h=1"])
            .args(["-X", "enable.idempotence=true"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let lines: String = (0..1000).map(|number| format!("k{number}:value {number}\n")).collect();
        producer.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        assert!(producer.wait().unwrap().success());
        assert_eq!(broker.records(&topic).len(), 1000, "{codec:?}: {:?}", broker.totals().complaints);

        let consumed =
            Command::new("kcat").args(["-C", "-b", &address, "-t", &topic, "-e", "-q"]).output().unwrap();
        let mut values: Vec<_> = std::str::from_utf8(&consumed.stdout).unwrap().lines().collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), 1000);
    }
}
