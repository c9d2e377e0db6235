//! The checks that a broker makes of a produced batch, and its records.
//!
//! Layout: <https://kafka.apache.org/documentation/#recordbatch>. Every count is checked against the bytes
//! that are there before the `kafka-protocol` decoder, which reserves what a count claims, sees the batch.

use super::log::{StoredBatch, StoredRecord};
use crate::codec::Codec;
use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::records::{Record, RecordBatchDecoder};

/// A batch that passed.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) producer_id: i64,
    pub(super) producer_epoch: i16,
    pub(super) base_sequence: i32,
    pub(super) record_count: i32,
    /// Empty when only the header was asked for.
    pub(super) records: Vec<StoredRecord>,
    codec: Codec,
    max_timestamp: i64,
    bytes: Bytes,
}

impl Checked {
    /// Sequence of the last record; sequences wrap to 0 after the largest i32.
    pub(super) fn last_sequence(&self) -> i32 {
        let last = i64::from(self.base_sequence) + i64::from(self.record_count) - 1;
        i32::try_from(last % (1 << 31)).unwrap_or(0)
    }

    /// The batch with the base offset and leader epoch that the broker gives it; the checksum covers neither.
    pub(super) fn stored(self, partition: i32, base_offset: i64, leader_epoch: i32) -> StoredBatch {
        let mut bytes = BytesMut::from(&self.bytes[..]);
        bytes[..8].copy_from_slice(&base_offset.to_be_bytes());
        bytes[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
        StoredBatch {
            partition,
            base_offset,
            codec: self.codec,
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            base_sequence: self.base_sequence,
            record_count: self.record_count,
            bytes: bytes.freeze(),
            max_timestamp: self.max_timestamp,
        }
    }
}

/// Why a batch was refused.
#[derive(Debug)]
pub(super) struct Refusal {
    /// What the producer is told.
    pub(super) error: ResponseError,
    /// What the test reads.
    pub(super) reason: String,
}

fn refuse<T>(error: ResponseError, reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { error, reason: reason.into() })
}

/// Bytes of a batch before its records.
const HEADER_BYTES: usize = 61;

/// Bytes that `batch_length` does not count: base offset and the length itself.
const LENGTH_PREFIX_BYTES: usize = 12;

/// Checks the batch of one partition; with `decode`, its records too.
///
/// # Errors
///
/// The error code that Apache Kafka answers, and why.
pub(super) fn check(bytes: &Bytes, bytes_max: usize, decode: bool) -> Result<Checked, Refusal> {
    let mut checked = check_header(bytes, bytes_max)?;
    if decode {
        let text = checked.codec.decompress(&bytes[HEADER_BYTES..]).or_else(|error| {
            refuse(ResponseError::UnknownServerError, format!("cannot decompress: {error:#}"))
        })?;
        checked.records = walk(&text, checked.record_count, base_timestamp(bytes))
            .or_else(|error| refuse(ResponseError::InvalidRecord, format!("{error:#}")))?;
        second_opinion(bytes, &text, &checked.records)
            .or_else(|error| refuse(ResponseError::InvalidRecord, format!("kafka-protocol: {error:#}")))?;
    }
    Ok(checked)
}

/// The checks that need no records.
fn check_header(bytes: &Bytes, bytes_max: usize) -> Result<Checked, Refusal> {
    if bytes.len() < HEADER_BYTES {
        return refuse(ResponseError::CorruptMessage, format!("{} bytes are no batch", bytes.len()));
    }
    if bytes[16] != 2 {
        return refuse(ResponseError::InvalidRecord, format!("magic {} instead of 2", bytes[16]));
    }
    if bytes.len() > bytes_max {
        return refuse(ResponseError::MessageTooLarge, format!("{} bytes above {bytes_max}", bytes.len()));
    }
    let mut header = &bytes[..HEADER_BYTES];
    let base_offset = header.get_i64();
    let batch_length = header.get_i32();
    let (_leader_epoch, _magic, crc) = (header.get_i32(), header.get_i8(), header.get_u32());
    let attributes = header.get_i16();
    let last_offset_delta = header.get_i32();
    let (_base_timestamp, max_timestamp) = (header.get_i64(), header.get_i64());
    let (producer_id, producer_epoch) = (header.get_i64(), header.get_i16());
    let (base_sequence, record_count) = (header.get_i32(), header.get_i32());
    if usize::try_from(batch_length).ok() != Some(bytes.len() - LENGTH_PREFIX_BYTES) {
        return refuse(
            ResponseError::InvalidRecord,
            format!("length {batch_length} of {} bytes", bytes.len()),
        );
    }
    if crc32c::crc32c(&bytes[21..]) != crc {
        return refuse(ResponseError::CorruptMessage, "checksum is wrong");
    }
    if base_offset != 0 {
        return refuse(ResponseError::InvalidRecord, format!("base offset {base_offset}"));
    }
    if record_count < 1 || last_offset_delta != record_count - 1 {
        return refuse(
            ResponseError::InvalidRecord,
            format!("{record_count} records, delta {last_offset_delta}"),
        );
    }
    if attributes & CONTROL != 0 {
        return refuse(ResponseError::InvalidRecord, "a control batch from a client");
    }
    let Some(codec) = Codec::of_attributes(attributes) else {
        return refuse(ResponseError::UnknownServerError, format!("codec {}", attributes & 7));
    };
    let (records, bytes) = (Vec::new(), bytes.clone());
    Ok(Checked {
        producer_id,
        producer_epoch,
        base_sequence,
        record_count,
        records,
        codec,
        max_timestamp,
        bytes,
    })
}

/// Attribute bit of a control batch, which only brokers write.
const CONTROL: i16 = 1 << 5;

fn base_timestamp(batch: &[u8]) -> i64 {
    (&batch[27..35]).get_i64()
}

/// Cuts the text into records; offsets must count from 0 and no byte may be left.
fn walk(text: &Bytes, record_count: i32, base_timestamp: i64) -> Result<Vec<StoredRecord>> {
    let mut rest = text.clone();
    let mut records = Vec::new();
    for expected_delta in 0..record_count {
        let length = varint(&mut rest).context("record length")?;
        let length = usize::try_from(length).context("negative record length")?;
        ensure!(rest.len() >= length, "record {expected_delta} is cut off");
        let record = record(rest.split_to(length), expected_delta, base_timestamp);
        records.push(record.with_context(|| format!("record {expected_delta}"))?);
    }
    ensure!(rest.is_empty(), "{} bytes after the last record", rest.len());
    Ok(records)
}

fn record(mut body: Bytes, expected_delta: i32, base_timestamp: i64) -> Result<StoredRecord> {
    ensure!(!body.is_empty(), "empty");
    let attributes = body.get_i8();
    ensure!(attributes == 0, "attributes {attributes}");
    let timestamp = base_timestamp.wrapping_add(varint(&mut body)?);
    let delta = varint(&mut body)?;
    ensure!(delta == i64::from(expected_delta), "offset delta {delta}");
    let (key, value) = (nullable(&mut body)?, nullable(&mut body)?);
    let header_count = varint(&mut body)?;
    let headers = (0..header_count)
        .map(|_| Ok((nullable(&mut body)?.context("null header key")?, nullable(&mut body)?)))
        .collect::<Result<Vec<_>>>()?;
    ensure!(header_count >= 0 && body.is_empty(), "{header_count} headers, {} bytes left", body.len());
    Ok(StoredRecord { partition: 0, offset: 0, timestamp, key, value, headers })
}

/// Bytes behind a varint length, -1 for null.
fn nullable(from: &mut Bytes) -> Result<Option<Bytes>> {
    let length = varint(from)?;
    if length == -1 {
        return Ok(None);
    }
    let length = usize::try_from(length).context("negative length")?;
    ensure!(from.len() >= length, "{length} bytes claimed, {} left", from.len());
    Ok(Some(from.split_to(length)))
}

/// A zigzag varint of at most ten bytes.
fn varint(from: &mut Bytes) -> Result<i64> {
    let mut raw = 0_u64;
    for shift in (0..70).step_by(7) {
        ensure!(!from.is_empty(), "cut off within a varint");
        let byte = from.get_u8();
        raw |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok((raw >> 1) as i64 ^ -((raw & 1) as i64));
        }
    }
    bail!("a varint of more than ten bytes")
}

/// Decodes the batch with the `kafka-protocol` crate and compares what it can express: it knows no
/// repeated header keys and no keys outside UTF-8, so headers are compared by the last of each name.
fn second_opinion(bytes: &Bytes, text: &Bytes, ours: &[StoredRecord]) -> Result<()> {
    let exotic =
        |record: &StoredRecord| record.headers.iter().any(|(key, _)| std::str::from_utf8(key).is_err());
    if ours.iter().any(exotic) {
        return Ok(());
    }
    let decompressed = |_: &mut Bytes, _| Ok(text.clone());
    let theirs = RecordBatchDecoder::decode_with_custom_compression(&mut bytes.clone(), Some(decompressed))?;
    ensure!(theirs.records.len() == ours.len(), "{} records instead of {}", theirs.records.len(), ours.len());
    for (theirs, ours) in theirs.records.iter().zip(ours) {
        ensure!(agree(theirs, ours), "reads another record at offset delta {}", theirs.offset);
    }
    Ok(())
}

fn agree(theirs: &Record, ours: &StoredRecord) -> bool {
    let mut headers = theirs.headers.iter();
    (&theirs.key, &theirs.value, theirs.timestamp) == (&ours.key, &ours.value, ours.timestamp)
        && headers.all(|(name, value)| ours.header(name) == value.as_ref())
}
