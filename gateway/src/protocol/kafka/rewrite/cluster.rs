//! Metadata, FindCoordinator and DescribeCluster.

use super::super::splice::{NODE_BYTES_MIN, Splicer};
use super::super::wire::{WireResult, put_array_count};
use super::Directory;

/// MetadataResponse 0 to 13.
pub(super) fn metadata(
    splicer: &mut Splicer<'_, '_>,
    version: i16,
    flexible: bool,
    directory: &mut impl Directory,
) -> WireResult<()> {
    if version >= 3 {
        let _throttle_time_ms = splicer.reader.i32()?;
    }
    for _ in 0..splicer.reader.array_count(flexible, NODE_BYTES_MIN)? {
        let node_id = splicer.reader.i32()?;
        splicer.address(node_id, flexible, directory)?;
        if version >= 1 {
            let _rack = splicer.reader.nullable_string(flexible)?;
        }
        splicer.reader.skip_tagged_fields(flexible)?;
    }
    if version >= 2 {
        let _cluster_id = splicer.reader.nullable_string(flexible)?;
    }
    if version >= 1 {
        let _controller_id = splicer.reader.i32()?;
    }
    for _ in 0..splicer.reader.array_count(flexible, TOPIC_BYTES_MIN)? {
        metadata_topic(splicer, version, flexible, directory)?;
    }
    if (8..=10).contains(&version) {
        let _cluster_authorized_operations = splicer.reader.i32()?;
    }
    if version >= 13 {
        let _error_code = splicer.reader.i16()?;
    }
    splicer.reader.skip_tagged_fields(flexible)
}

fn metadata_topic(
    splicer: &mut Splicer<'_, '_>,
    version: i16,
    flexible: bool,
    directory: &mut impl Directory,
) -> WireResult<()> {
    let error_code = splicer.reader.i16()?;
    let name = splicer.reader.nullable_string(flexible)?;
    if version >= 10 {
        let topic_id = splicer.reader.uuid()?;
        if let Some(name) = name.filter(|_| error_code == 0 && topic_id != [0; 16]) {
            directory.learn_topic(topic_id, splicer.text(name)?);
        }
    }
    if version >= 1 {
        let _is_internal = splicer.reader.i8()?;
    }
    for _ in 0..splicer.reader.array_count(flexible, PARTITION_BYTES_MIN)? {
        metadata_partition(splicer, version, flexible)?;
    }
    if version >= 8 {
        let _topic_authorized_operations = splicer.reader.i32()?;
    }
    splicer.reader.skip_tagged_fields(flexible)
}

fn metadata_partition(splicer: &mut Splicer<'_, '_>, version: i16, flexible: bool) -> WireResult<()> {
    let _error_code = splicer.reader.i16()?;
    let _partition_index = splicer.reader.i32()?;
    let _leader_id = splicer.reader.i32()?;
    if version >= 7 {
        let _leader_epoch = splicer.reader.i32()?;
    }
    let node_lists = if version >= 5 { 3 } else { 2 }; // replicas, in-sync replicas, offline replicas
    for _ in 0..node_lists {
        let count = splicer.reader.array_count(flexible, NODE_ID_BYTES)?;
        splicer.reader.take(count * NODE_ID_BYTES)?;
    }
    splicer.reader.skip_tagged_fields(flexible)
}

/// FindCoordinatorResponse 0 to 6. Node -1 stands for "none" and has no address.
pub(super) fn find_coordinator(
    splicer: &mut Splicer<'_, '_>,
    version: i16,
    flexible: bool,
    directory: &mut impl Directory,
) -> WireResult<()> {
    if version >= 1 {
        let _throttle_time_ms = splicer.reader.i32()?;
    }
    if version >= 4 {
        for _ in 0..splicer.reader.array_count(flexible, NODE_BYTES_MIN)? {
            let _key = splicer.reader.string(flexible)?;
            let node_id = splicer.reader.i32()?;
            splicer.address(node_id, flexible, directory)?;
            let _error_code = splicer.reader.i16()?;
            let _error_message = splicer.reader.nullable_string(flexible)?;
            splicer.reader.skip_tagged_fields(flexible)?;
        }
    } else {
        let _error_code = splicer.reader.i16()?;
        if version >= 1 {
            let _error_message = splicer.reader.nullable_string(flexible)?;
        }
        let node_id = splicer.reader.i32()?;
        splicer.address(node_id, flexible, directory)?;
    }
    splicer.reader.skip_tagged_fields(flexible)
}

/// DescribeClusterResponse 0 to 2. Controllers have no address at the gateway: their list is emptied.
pub(super) fn describe_cluster(
    splicer: &mut Splicer<'_, '_>,
    version: i16,
    directory: &mut impl Directory,
) -> WireResult<()> {
    let _throttle_time_ms = splicer.reader.i32()?;
    let _error_code = splicer.reader.i16()?;
    let _error_message = splicer.reader.nullable_string(true)?;
    let endpoint_type = if version >= 1 { splicer.reader.i8()? } else { ENDPOINT_TYPE_BROKER };
    let _cluster_id = splicer.reader.string(true)?;
    let _controller_id = splicer.reader.i32()?;
    let nodes_start = splicer.reader.at();
    for _ in 0..splicer.reader.array_count(true, NODE_BYTES_MIN)? {
        let node_id = splicer.reader.i32()?;
        if endpoint_type == ENDPOINT_TYPE_BROKER {
            splicer.address(node_id, true, directory)?;
        } else {
            let _host = splicer.reader.string(true)?;
            let _port = splicer.reader.i32()?;
        }
        let _rack = splicer.reader.nullable_string(true)?;
        if version >= 2 {
            let _is_fenced = splicer.reader.i8()?;
        }
        splicer.reader.skip_tagged_fields(true)?;
    }
    if endpoint_type != ENDPOINT_TYPE_BROKER {
        splicer.replace(nodes_start, |out| put_array_count(out, true, 0));
    }
    let _cluster_authorized_operations = splicer.reader.i32()?;
    splicer.reader.skip_tagged_fields(true)
}

/// `endpoint_type` of brokers; 2 is controllers (KIP-919).
const ENDPOINT_TYPE_BROKER: i8 = 1;

/// Fewest bytes of a topic: error code, name, partitions.
const TOPIC_BYTES_MIN: usize = 4;

/// Fewest bytes of a partition: error code, index, leader and two lists.
const PARTITION_BYTES_MIN: usize = 12;

/// Bytes of one node id.
const NODE_ID_BYTES: usize = 4;
