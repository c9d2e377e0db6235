//! Reading back: Fetch and ListOffsets.

use super::Shared;
use super::log::Partition;
use bytes::{Bytes, BytesMut};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{
    FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::{
    BrokerId, FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use std::time::Duration;
use tokio::time::Instant;

/// Answers when there are bytes, an error, or when the consumer's wait is over.
pub(super) async fn fetch(
    shared: &Shared,
    node_id: i32,
    request: &FetchRequest,
    version: i16,
) -> FetchResponse {
    let wait_ms = u64::try_from(request.max_wait_ms).unwrap_or(0);
    let deadline = Instant::now() + Duration::from_millis(wait_ms);
    loop {
        // Registered before the look at the log, so that no append falls between the two.
        let appended = shared.fetchable.notified();
        let read = read_all(shared, node_id, request, version);
        if read.is_final || request.min_bytes <= 0 || request.topics.is_empty() && wait_ms == 0 {
            return read.response;
        }
        if tokio::time::timeout_at(deadline, appended).await.is_err() {
            return read.response;
        }
    }
}

/// What a fetch found.
struct Read {
    response: FetchResponse,
    /// True when there are bytes or an error, so that waiting brings nothing.
    is_final: bool,
}

fn read_all(shared: &Shared, node_id: i32, request: &FetchRequest, version: i16) -> Read {
    let mut found = Found { shared, node_id, version, is_final: false, moved_to: Vec::new() };
    let mut room = usize::try_from(request.max_bytes).unwrap_or(0);
    let topics: Vec<_> = request.topics.iter().map(|topic| found.topic(topic, &mut room)).collect();
    let endpoints: Vec<_> = found.moved_to.iter().filter_map(|node| endpoint(shared, *node)).collect();
    // Session id 0: every fetch is whole, there are no incremental ones (KIP-227).
    let response = FetchResponse::default().with_responses(topics);
    let response = if version >= 16 { response.with_node_endpoints(endpoints) } else { response };
    Read { response, is_final: found.is_final }
}

struct Found<'a> {
    shared: &'a Shared,
    node_id: i32,
    version: i16,
    is_final: bool,
    moved_to: Vec<i32>,
}

impl Found<'_> {
    fn topic(&mut self, topic: &FetchTopic, room: &mut usize) -> FetchableTopicResponse {
        let (name, unknown) = if self.version >= 13 {
            (self.shared.state().logs.name_of(topic.topic_id), ResponseError::UnknownTopicId)
        } else {
            (Some(topic.topic.0.to_string()), ResponseError::UnknownTopicOrPartition)
        };
        let partitions =
            topic.partitions.iter().map(|asked| self.partition(name.as_deref(), unknown, asked, room));
        FetchableTopicResponse::default()
            .with_topic(topic.topic.clone())
            .with_topic_id(topic.topic_id)
            .with_partitions(partitions.collect())
    }

    fn partition(
        &mut self,
        topic: Option<&str>,
        unknown: ResponseError,
        asked: &FetchPartition,
        room: &mut usize,
    ) -> PartitionData {
        let state = self.shared.state();
        let answer =
            PartitionData::default().with_partition_index(asked.partition).with_aborted_transactions(None);
        let Some(partition) = topic.and_then(|topic| state.logs.partition(topic, asked.partition)) else {
            self.is_final = true;
            return answer.with_error_code(unknown.code()).with_high_watermark(-1);
        };
        if partition.leader != self.node_id {
            self.is_final = true;
            self.moved_to.push(partition.leader);
            let leader = LeaderIdAndEpoch::default()
                .with_leader_id(BrokerId(partition.leader))
                .with_leader_epoch(partition.leader_epoch);
            let answer =
                answer.with_error_code(ResponseError::NotLeaderOrFollower.code()).with_high_watermark(-1);
            return if self.version >= 12 { answer.with_current_leader(leader) } else { answer };
        }
        let answer = answer
            .with_high_watermark(partition.end_offset)
            .with_last_stable_offset(partition.end_offset)
            .with_log_start_offset(0);
        if !(0..=partition.end_offset).contains(&asked.fetch_offset) {
            self.is_final = true;
            return answer.with_error_code(ResponseError::OffsetOutOfRange.code());
        }
        let limit = usize::try_from(asked.partition_max_bytes).unwrap_or(0).min(*room);
        let records = read(partition, asked.fetch_offset, limit);
        *room = room.saturating_sub(records.len());
        self.is_final |= !records.is_empty();
        answer.with_records(Some(records))
    }
}

/// Whole batches from the one that holds `offset` on: at least one, then up to `limit` bytes.
fn read(partition: &Partition, offset: i64, limit: usize) -> Bytes {
    let first = partition.batches.partition_point(|batch| batch.end_offset() <= offset);
    let mut bytes = BytesMut::new();
    for batch in &partition.batches[first..] {
        if !bytes.is_empty() && bytes.len() + batch.bytes.len() > limit {
            break;
        }
        bytes.extend_from_slice(&batch.bytes);
    }
    bytes.freeze()
}

fn endpoint(shared: &Shared, node_id: i32) -> Option<NodeEndpoint> {
    let (host, port) = shared.advertised(node_id)?;
    let endpoint = NodeEndpoint::default().with_node_id(BrokerId(node_id));
    Some(endpoint.with_host(StrBytes::from_string(host)).with_port(i32::from(port)))
}

/// Timestamp that asks for the offset after the last record.
const LATEST: i64 = -1;
/// Timestamp that asks for the first offset.
const EARLIEST: i64 = -2;
/// Timestamp that asks for the record with the newest timestamp (KIP-734).
const MAX_TIMESTAMP: i64 = -3;
/// Timestamp that asks for the first offset on local storage (KIP-405).
const EARLIEST_LOCAL: i64 = -4;

/// First, last and timed offsets of partitions.
pub(super) fn list_offsets(shared: &Shared, request: &ListOffsetsRequest) -> ListOffsetsResponse {
    let topic = |topic: &ListOffsetsTopic| {
        let partitions = topic.partitions.iter().map(|asked| offset_of(shared, &topic.name, asked));
        ListOffsetsTopicResponse::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    };
    ListOffsetsResponse::default().with_topics(request.topics.iter().map(topic).collect())
}

fn offset_of(
    shared: &Shared,
    topic: &TopicName,
    asked: &ListOffsetsPartition,
) -> ListOffsetsPartitionResponse {
    let state = shared.state();
    let answer = ListOffsetsPartitionResponse::default()
        .with_partition_index(asked.partition_index)
        .with_timestamp(-1)
        .with_offset(-1);
    let Some(partition) = state.logs.partition(&topic.0, asked.partition_index) else {
        return answer.with_error_code(ResponseError::UnknownTopicOrPartition.code());
    };
    match asked.timestamp {
        LATEST => answer.with_offset(partition.end_offset),
        EARLIEST | EARLIEST_LOCAL => answer.with_offset(0),
        MAX_TIMESTAMP => match partition.batches.iter().max_by_key(|batch| batch.max_timestamp) {
            Some(batch) => answer.with_offset(batch.end_offset() - 1).with_timestamp(batch.max_timestamp),
            None => answer,
        },
        // To the batch, not to the record: consumers skip what is older.
        wanted => match partition.batches.iter().find(|batch| batch.max_timestamp >= wanted) {
            Some(batch) => answer.with_offset(batch.base_offset).with_timestamp(batch.max_timestamp),
            None => answer,
        },
    }
}
