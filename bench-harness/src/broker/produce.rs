//! Produce: faults, checks, append, answer.

use super::log::Appended;
use super::{Fault, Keep, Shared, State, batch};
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{
    LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{BrokerId, ProduceRequest, ProduceResponse};
use kafka_protocol::protocol::StrBytes;
use std::time::Duration;

/// What becomes of a Produce request.
pub(super) enum Outcome {
    Answer(ProduceResponse),
    Nothing,
    Close,
}

/// What a fault does to one request.
enum Strike {
    Delay(Duration),
    Refuse(i16),
    DropBefore,
    DropAfter,
}

/// Appends what passes and answers in the order of the request.
pub(super) async fn produce(shared: &Shared, node_id: i32, request: ProduceRequest, version: i16) -> Outcome {
    let strike = strike(&mut shared.state());
    let acks = request.acks;
    let response = match strike {
        Some(Strike::DropBefore) => return Outcome::Close,
        Some(Strike::Refuse(error_code)) => refuse_all(&request, error_code),
        _ => append_all(shared, node_id, request, version),
    };
    match strike {
        Some(Strike::Delay(delay)) => tokio::time::sleep(delay).await,
        Some(Strike::DropAfter) => return Outcome::Close,
        _ => {}
    }
    let failed =
        |topic: &TopicProduceResponse| topic.partition_responses.iter().any(|one| one.error_code != 0);
    match acks {
        // Without an answer, closing is the only way to tell of an error.
        0 if response.responses.iter().any(failed) => Outcome::Close,
        0 => Outcome::Nothing,
        _ => Outcome::Answer(response),
    }
}

/// Takes one strike off the first fault.
fn strike(state: &mut State) -> Option<Strike> {
    let (count, strike) = match state.faults.front_mut()? {
        Fault::Silence => return None,
        Fault::Delay { count, delay } => (count, Strike::Delay(*delay)),
        Fault::Refuse { count, error_code } => (count, Strike::Refuse(*error_code)),
        Fault::DropBefore { count } => (count, Strike::DropBefore),
        Fault::DropAfter { count } => (count, Strike::DropAfter),
    };
    *count = count.saturating_sub(1);
    if *count == 0 {
        state.faults.pop_front();
    }
    Some(strike)
}

fn refuse_all(request: &ProduceRequest, error_code: i16) -> ProduceResponse {
    let topic = |topic: &TopicProduceData| {
        let refused = topic.partition_data.iter().map(|partition| failure(partition.index, error_code, None));
        answer_of(topic).with_partition_responses(refused.collect())
    };
    ProduceResponse::default().with_responses(request.topic_data.iter().map(topic).collect())
}

fn answer_of(topic: &TopicProduceData) -> TopicProduceResponse {
    TopicProduceResponse::default().with_name(topic.name.clone()).with_topic_id(topic.topic_id)
}

fn append_all(shared: &Shared, node_id: i32, request: ProduceRequest, version: i16) -> ProduceResponse {
    let mut append = Append { shared, node_id, acks: request.acks, moved_to: Vec::new() };
    let mut topics = Vec::with_capacity(request.topic_data.len());
    for topic in request.topic_data {
        topics.push(append.topic(topic, version));
    }
    shared.appended.notify_all();
    shared.fetchable.notify_waiters();
    let endpoints = append.moved_to.iter().filter_map(|node| endpoint(shared, *node)).collect();
    let response = ProduceResponse::default().with_responses(topics);
    // Field of version 10 and later; the encoder refuses it before.
    if version >= 10 { response.with_node_endpoints(endpoints) } else { response }
}

struct Append<'a> {
    shared: &'a Shared,
    node_id: i32,
    acks: i16,
    /// Leaders of partitions that this node does not lead, for the answer's node endpoints.
    moved_to: Vec<i32>,
}

impl Append<'_> {
    fn topic(&mut self, topic: TopicProduceData, version: i16) -> TopicProduceResponse {
        let answer = answer_of(&topic);
        let (name, unknown) = if version >= 13 {
            (self.shared.state().logs.name_of(topic.topic_id), ResponseError::UnknownTopicId)
        } else {
            (Some(topic.name.0.to_string()), ResponseError::UnknownTopicOrPartition)
        };
        let partitions = topic.partition_data.into_iter().map(|partition| match &name {
            Some(name) => self.partition(name, partition, version),
            None => failure(partition.index, unknown.code(), None),
        });
        answer.with_partition_responses(partitions.collect())
    }

    fn partition(
        &mut self,
        topic: &str,
        data: PartitionProduceData,
        version: i16,
    ) -> PartitionProduceResponse {
        let index = data.index;
        let state = self.shared.state();
        let keep = state.keep;
        let Some(partition) = state.logs.partition(topic, index) else {
            return failure(index, ResponseError::UnknownTopicOrPartition.code(), None);
        };
        if partition.leader != self.node_id {
            let leader = LeaderIdAndEpoch::default()
                .with_leader_id(BrokerId(partition.leader))
                .with_leader_epoch(partition.leader_epoch);
            self.moved_to.push(partition.leader);
            let answer = failure(index, ResponseError::NotLeaderOrFollower.code(), None);
            return if version >= 10 { answer.with_current_leader(leader) } else { answer };
        }
        drop(state);
        self.append(topic, index, &data.records.unwrap_or_default(), keep).unwrap_or_else(|refusal| {
            let complaint = format!("{topic}-{index}: {:?}: {}", refusal.error, refusal.reason);
            self.shared.state().complain(complaint);
            failure(index, refusal.error.code(), Some(refusal.reason))
        })
    }

    fn append(
        &self,
        topic: &str,
        index: i32,
        records: &Bytes,
        keep: Keep,
    ) -> Result<PartitionProduceResponse, batch::Refusal> {
        let refusal =
            |error: ResponseError, reason: &str| batch::Refusal { error, reason: reason.to_owned() };
        if !(-1..=1).contains(&self.acks) {
            return Err(refusal(ResponseError::InvalidRequiredAcks, "acks is neither -1, 0 nor 1"));
        }
        let batch = batch::check(records, self.shared.options.batch_bytes_max, keep == Keep::Records)?;
        let record_count = batch.record_count;
        let mut state = self.shared.state();
        let partition = state.logs.partition_mut(topic, index);
        let partition =
            partition.ok_or_else(|| refusal(ResponseError::UnknownTopicOrPartition, "the topic has gone"))?;
        let appended = partition
            .append(index, batch, keep)
            .map_err(|error| refusal(error, "sequence or epoch of the idempotent producer"))?;
        let base_offset = match appended {
            Appended::New(base_offset) => {
                state.totals.batches += 1;
                state.totals.records += u64::try_from(record_count).unwrap_or(0);
                state.totals.bytes += records.len() as u64;
                base_offset
            }
            Appended::Duplicate(base_offset) => {
                state.totals.duplicates += 1;
                base_offset
            }
        };
        Ok(success(index, base_offset))
    }
}

fn success(index: i32, base_offset: i64) -> PartitionProduceResponse {
    PartitionProduceResponse::default()
        .with_index(index)
        .with_base_offset(base_offset)
        .with_log_append_time_ms(-1)
        .with_log_start_offset(0)
        .with_error_message(None)
}

fn failure(index: i32, error_code: i16, message: Option<String>) -> PartitionProduceResponse {
    PartitionProduceResponse::default()
        .with_index(index)
        .with_error_code(error_code)
        .with_base_offset(-1)
        .with_log_append_time_ms(-1)
        .with_log_start_offset(-1)
        .with_error_message(message.map(StrBytes::from_string))
}

fn endpoint(shared: &Shared, node_id: i32) -> Option<NodeEndpoint> {
    let (host, port) = shared.advertised(node_id)?;
    let endpoint = NodeEndpoint::default().with_node_id(BrokerId(node_id));
    Some(endpoint.with_host(StrBytes::from_string(host)).with_port(i32::from(port)))
}
