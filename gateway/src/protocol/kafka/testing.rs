//! What the tests of this module share: batches, requests and responses made from descriptions.

use kafka_protocol::protocol::Encodable;

use super::compression::{Compressor, Effort};
use super::record_batch::{Codec, HEAD_BYTES, seal};
use super::rewrite::Directory;
use super::wire::{put_array_count, put_nullable_string, put_string, put_varint};

/// One record of a [`BatchSpec`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordSpec {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// A batch to be made.
#[derive(Clone, Debug)]
pub(crate) struct BatchSpec {
    pub(crate) codec: Codec,
    pub(crate) effort: Effort,
    /// A blob whose framing is kept (Snappy).
    pub(crate) framing_of: Vec<u8>,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
    pub(crate) base_timestamp: i64,
    pub(crate) transactional: bool,
    /// Consecutive when `None`.
    pub(crate) offset_deltas: Option<Vec<i32>>,
    pub(crate) records: Vec<RecordSpec>,
}

impl Default for BatchSpec {
    fn default() -> Self {
        let record = |value: &str| RecordSpec {
            key: Some(b"key".to_vec()),
            value: Some(value.as_bytes().to_vec()),
            headers: vec![(b"trace".to_vec(), Some(b"abc".to_vec()))],
        };
        Self {
            codec: Codec::None,
            effort: Effort::Fast,
            framing_of: Vec::new(),
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            base_timestamp: 1_700_000_000_000,
            transactional: false,
            offset_deltas: None,
            records: vec![record("first"), record("second"), record("third")],
        }
    }
}

/// The records of `spec`, uncompressed.
pub(crate) fn text(spec: &BatchSpec) -> Vec<u8> {
    let mut text = Vec::new();
    for (index, record) in spec.records.iter().enumerate() {
        let offset_delta = spec.offset_deltas.as_ref().map_or(index as i32, |deltas| deltas[index]);
        let mut body = vec![0];
        put_varint(&mut body, index as i32 * 100);
        put_varint(&mut body, offset_delta);
        put_bytes(&mut body, record.key.as_deref());
        put_bytes(&mut body, record.value.as_deref());
        put_varint(&mut body, record.headers.len() as i32);
        for (key, value) in &record.headers {
            put_bytes(&mut body, Some(key));
            put_bytes(&mut body, value.as_deref());
        }
        put_varint(&mut text, body.len() as i32);
        text.extend_from_slice(&body);
    }
    text
}

fn put_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    put_varint(out, bytes.map_or(-1, |bytes| bytes.len() as i32));
    out.extend_from_slice(bytes.unwrap_or_default());
}

/// A sealed batch.
pub(crate) fn batch(spec: &BatchSpec) -> Vec<u8> {
    let codec = match spec.codec {
        Codec::None => 0i16,
        Codec::Gzip => 1,
        Codec::Snappy => 2,
        Codec::Lz4 => 3,
        Codec::Zstd => 4,
    };
    let count = spec.records.len() as i32;
    let mut batch = Vec::new();
    batch.extend_from_slice(&0i64.to_be_bytes());
    batch.extend_from_slice(&[0; 4]);
    batch.extend_from_slice(&(-1i32).to_be_bytes());
    batch.push(2);
    batch.extend_from_slice(&[0; 4]);
    batch.extend_from_slice(&(codec | i16::from(spec.transactional) << 4).to_be_bytes());
    batch.extend_from_slice(&(count - 1).to_be_bytes());
    batch.extend_from_slice(&spec.base_timestamp.to_be_bytes());
    batch.extend_from_slice(&(spec.base_timestamp + i64::from(count - 1) * 100).to_be_bytes());
    batch.extend_from_slice(&spec.producer_id.to_be_bytes());
    batch.extend_from_slice(&spec.producer_epoch.to_be_bytes());
    batch.extend_from_slice(&spec.base_sequence.to_be_bytes());
    batch.extend_from_slice(&count.to_be_bytes());
    assert_eq!(batch.len(), HEAD_BYTES);
    Compressor::default()
        .compress(spec.codec, &spec.framing_of, &text(spec), spec.effort, &mut batch)
        .expect("the codec takes any text");
    seal(&mut batch);
    batch
}

/// Index and records of one partition.
pub(crate) type PartitionSpec = (i32, Option<Vec<u8>>);

/// Topics with their partitions and records, as a ProduceRequest frame.
#[derive(Clone, Debug)]
pub(crate) struct RequestSpec<'a> {
    pub(crate) api_version: i16,
    pub(crate) acks: i16,
    pub(crate) transactional_id: Option<&'a str>,
    pub(crate) topics: Vec<(&'a str, Vec<PartitionSpec>)>,
}

/// The topic id that stands for `name` in requests of version 13.
pub(crate) fn topic_id(name: &str) -> [u8; 16] {
    let mut id = [0; 16];
    for (byte, of_name) in id.iter_mut().zip(name.bytes()) {
        *byte = of_name;
    }
    id
}

/// A Produce frame.
pub(crate) fn produce_frame(spec: &RequestSpec<'_>) -> Vec<u8> {
    let flexible = spec.api_version >= 9;
    let mut frame = vec![0, 0, 0, 0, 0, 0];
    frame.extend_from_slice(&spec.api_version.to_be_bytes());
    frame.extend_from_slice(&77i32.to_be_bytes());
    put_nullable_string(&mut frame, false, Some(b"tester"));
    put_tags(&mut frame, flexible);
    put_nullable_string(&mut frame, flexible, spec.transactional_id.map(str::as_bytes));
    frame.extend_from_slice(&spec.acks.to_be_bytes());
    frame.extend_from_slice(&30_000i32.to_be_bytes());
    put_array_count(&mut frame, flexible, spec.topics.len());
    for (name, partitions) in &spec.topics {
        if spec.api_version >= 13 {
            frame.extend_from_slice(&topic_id(name));
        } else {
            put_string(&mut frame, flexible, name.as_bytes());
        }
        put_array_count(&mut frame, flexible, partitions.len());
        for (index, records) in partitions {
            frame.extend_from_slice(&index.to_be_bytes());
            match records {
                Some(records) => put_array_count(&mut frame, flexible, records.len()),
                None if flexible => frame.push(0),
                None => frame.extend_from_slice(&[0xff; 4]),
            }
            frame.extend_from_slice(records.as_deref().unwrap_or_default());
            put_tags(&mut frame, flexible);
        }
        put_tags(&mut frame, flexible);
    }
    put_tags(&mut frame, flexible);
    let size = (frame.len() - 4) as u32;
    frame[..4].copy_from_slice(&size.to_be_bytes());
    frame
}

fn put_tags(out: &mut Vec<u8>, flexible: bool) {
    if flexible {
        out.push(0);
    }
}

/// A response frame of the `kafka-protocol` crate.
pub(crate) fn response_frame(body: &impl Encodable, api_version: i16, flexible: bool) -> Vec<u8> {
    let mut frame = vec![0, 0, 0, 0, 0, 0, 0, 77];
    put_tags(&mut frame, flexible);
    body.encode(&mut frame, api_version).expect("the crate encodes it");
    let size = (frame.len() - 4) as u32;
    frame[..4].copy_from_slice(&size.to_be_bytes());
    frame
}

/// A directory that maps node n to port 9100 + n, but for those from `unknown_from` on.
pub(crate) struct TestDirectory {
    pub(crate) unknown_from: i32,
    pub(crate) nodes: Vec<(i32, String, u16)>,
    pub(crate) topics: Vec<([u8; 16], String)>,
}

impl Default for TestDirectory {
    fn default() -> Self {
        Self { unknown_from: i32::MAX, nodes: Vec::new(), topics: Vec::new() }
    }
}

/// Address of node `node_id` at the real cluster.
pub(crate) fn real_address(node_id: i32) -> (String, i32) {
    (format!("real-{node_id}.{}internal", "long.".repeat(node_id as usize % 40)), 19_000 + node_id)
}

/// Address of node `node_id` at the gateway.
pub(crate) fn gateway_address(node_id: i32) -> (String, i32) {
    (GATEWAY_HOST.to_owned(), 9100 + node_id)
}

const GATEWAY_HOST: &str = "gw.example.net";

impl Directory for TestDirectory {
    fn learn_node(&mut self, node_id: i32, host: &str, port: u16) {
        self.nodes.push((node_id, host.to_owned(), port));
    }

    fn learn_topic(&mut self, topic_id: [u8; 16], name: &str) {
        self.topics.push((topic_id, name.to_owned()));
    }

    fn address(&self, node_id: i32) -> Option<(&str, u16)> {
        let (_, port) = gateway_address(node_id);
        (node_id < self.unknown_from).then_some((GATEWAY_HOST, port as u16))
    }
}
