//! Records on their way out, as one batch.

use crate::codec::Codec;
use anyhow::Result;
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Record, RecordBatchEncoder,
    RecordEncodeOptions, TimestampType,
};

/// One record to produce.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutgoingRecord {
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// Key; `None` is null.
    pub key: Option<Bytes>,
    /// Value; `None` is null.
    pub value: Option<Bytes>,
    /// Headers in order, each name once.
    pub headers: Vec<(String, Bytes)>,
}

/// What identifies a batch of an idempotent producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Producer id.
    pub producer_id: i64,
    /// Producer epoch.
    pub producer_epoch: i16,
    /// Sequence of the first record.
    pub base_sequence: i32,
}

/// A producer that is not idempotent.
pub const NOT_IDEMPOTENT: Sequence =
    Sequence { producer_id: NO_PRODUCER_ID, producer_epoch: NO_PRODUCER_EPOCH, base_sequence: NO_SEQUENCE };

/// One batch of these records, of which there is at least one.
///
/// # Errors
///
/// When the codec fails.
pub fn batch(records: &[OutgoingRecord], codec: Codec, sequence: Sequence) -> Result<Bytes> {
    let records: Vec<Record> =
        (0..).zip(records).map(|(delta, record)| encodable(delta, record, sequence)).collect();
    let mut bytes = BytesMut::new();
    let options = RecordEncodeOptions { version: 2, compression: codec.in_attributes() };
    let compress = |text: &mut BytesMut, out: &mut BytesMut, _| {
        out.extend_from_slice(&codec.compress(text)?);
        Ok(())
    };
    RecordBatchEncoder::encode_with_custom_compression(&mut bytes, &records, &options, Some(compress))?;
    Ok(bytes.freeze())
}

/// The record as the encoder wants it: it makes one batch of records whose sequences and offsets run in step,
/// so that of a producer without sequences counts on from -1.
fn encodable(delta: i32, record: &OutgoingRecord, sequence: Sequence) -> Record {
    let header = |(name, value): &(String, Bytes)| (StrBytes::from_string(name.clone()), Some(value.clone()));
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: sequence.producer_id,
        producer_epoch: sequence.producer_epoch,
        timestamp_type: TimestampType::Creation,
        offset: i64::from(delta),
        sequence: sequence.base_sequence.wrapping_add(delta),
        timestamp: record.timestamp,
        key: record.key.clone(),
        value: record.value.clone(),
        headers: record.headers.iter().map(header).collect(),
    }
}
