//! ShareFetch and ShareAcknowledge (KIP-932): node endpoints are a plain field here.

use super::super::splice::Splicer;
use super::super::wire::WireResult;
use super::Directory;

/// ShareFetchResponse 1 to 2.
pub(super) fn share_fetch(splicer: &mut Splicer<'_, '_>, directory: &mut impl Directory) -> WireResult<()> {
    outcome(splicer)?;
    let _acquisition_lock_timeout_ms = splicer.reader.i32()?;
    topics(splicer, |splicer| {
        let _acknowledge_error_code = splicer.reader.i16()?;
        let _acknowledge_error_message = splicer.reader.nullable_string(true)?;
        current_leader(splicer)?;
        let _records = splicer.reader.nullable_bytes(true)?;
        for _ in 0..splicer.reader.array_count(true, ACQUIRED_BYTES_MIN)? {
            let _first_offset = splicer.reader.i64()?;
            let _last_offset = splicer.reader.i64()?;
            let _delivery_count = splicer.reader.i16()?;
            splicer.reader.skip_tagged_fields(true)?;
        }
        Ok(())
    })?;
    splicer.node_endpoints(directory)?;
    splicer.reader.skip_tagged_fields(true)
}

/// ShareAcknowledgeResponse 1 to 2.
pub(super) fn share_acknowledge(
    splicer: &mut Splicer<'_, '_>,
    version: i16,
    directory: &mut impl Directory,
) -> WireResult<()> {
    outcome(splicer)?;
    if version >= 2 {
        let _acquisition_lock_timeout_ms = splicer.reader.i32()?;
    }
    topics(splicer, current_leader)?;
    splicer.node_endpoints(directory)?;
    splicer.reader.skip_tagged_fields(true)
}

/// Throttle time, error code and message of the whole response.
fn outcome(splicer: &mut Splicer<'_, '_>) -> WireResult<()> {
    let _throttle_time_ms = splicer.reader.i32()?;
    let _error_code = splicer.reader.i16()?;
    let _error_message = splicer.reader.nullable_string(true)?;
    Ok(())
}

/// Topics and their partitions; `rest` reads what follows index, error code and message.
fn topics(
    splicer: &mut Splicer<'_, '_>,
    rest: impl Fn(&mut Splicer<'_, '_>) -> WireResult<()>,
) -> WireResult<()> {
    for _ in 0..splicer.reader.array_count(true, TOPIC_BYTES_MIN)? {
        let _topic_id = splicer.reader.uuid()?;
        for _ in 0..splicer.reader.array_count(true, PARTITION_BYTES_MIN)? {
            let _partition_index = splicer.reader.i32()?;
            let _error_code = splicer.reader.i16()?;
            let _error_message = splicer.reader.nullable_string(true)?;
            rest(splicer)?;
            splicer.reader.skip_tagged_fields(true)?;
        }
        splicer.reader.skip_tagged_fields(true)?;
    }
    Ok(())
}

fn current_leader(splicer: &mut Splicer<'_, '_>) -> WireResult<()> {
    let _leader_id = splicer.reader.i32()?;
    let _leader_epoch = splicer.reader.i32()?;
    splicer.reader.skip_tagged_fields(true)
}

/// Fewest bytes of a topic: id, partitions, tagged fields.
const TOPIC_BYTES_MIN: usize = 18;

/// Fewest bytes of a partition: index, error code, message, leader.
const PARTITION_BYTES_MIN: usize = 16;

/// Bytes of a range of acquired records.
const ACQUIRED_BYTES_MIN: usize = 19;
