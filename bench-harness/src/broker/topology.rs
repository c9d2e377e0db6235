//! Who is where: Metadata, FindCoordinator, and the ids of producers.

use super::log::{Partition, Topic};
use super::{Shared, State};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, FindCoordinatorRequest, FindCoordinatorResponse, InitProducerIdRequest, InitProducerIdResponse,
    MetadataRequest, MetadataResponse, ProducerId, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::HashMap;

/// The ids that producers were given.
#[derive(Debug, Default)]
pub(super) struct ProducerIds {
    given: i64,
    transactional: HashMap<String, (i64, i16)>,
}

impl ProducerIds {
    /// A new id, or the next epoch of the id that this transactional id has.
    fn next(&mut self, transactional_id: Option<&str>) -> (i64, i16) {
        let mut fresh = || {
            self.given += 1;
            (self.given, -1)
        };
        let Some(name) = transactional_id else {
            return (fresh().0, 0);
        };
        let known = self.transactional.entry(name.to_owned()).or_insert_with(fresh);
        known.1 += 1;
        *known
    }
}

/// Gives an id to a producer.
pub(super) fn init_producer_id(shared: &Shared, request: &InitProducerIdRequest) -> InitProducerIdResponse {
    let transactional_id = request.transactional_id.as_ref().map(|id| id.0.as_str());
    let (id, epoch) = shared.state().producer_ids.next(transactional_id);
    InitProducerIdResponse::default().with_producer_id(ProducerId(id)).with_producer_epoch(epoch)
}

/// Names the nodes and the topics asked for, and creates topics by their first mention.
pub(super) fn metadata(shared: &Shared, request: &MetadataRequest, version: i16) -> MetadataResponse {
    let mut state = shared.state();
    let asked = match &request.topics {
        // An empty list means all topics in version 0, and none later.
        Some(topics) if version > 0 || !topics.is_empty() => topics.clone(),
        _ => state.logs.names().into_iter().map(|name| by_name(&name)).collect(),
    };
    let may_create = version < 4 || request.allow_auto_topic_creation;
    let partitions = may_create.then_some(shared.options.partitions);
    MetadataResponse::default()
        .with_brokers(brokers(shared))
        .with_cluster_id(Some(StrBytes::from_static_str("memory-broker-cluster")))
        .with_controller_id(BrokerId(1))
        .with_topics(asked.iter().map(|topic| describe(&mut state, topic, partitions)).collect())
}

fn by_name(name: &str) -> MetadataRequestTopic {
    MetadataRequestTopic::default().with_name(Some(topic_name(name)))
}

fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

fn brokers(shared: &Shared) -> Vec<MetadataResponseBroker> {
    let broker = |node_id| {
        let (host, port) = shared.advertised(node_id)?;
        let broker = MetadataResponseBroker::default().with_node_id(BrokerId(node_id));
        Some(broker.with_host(StrBytes::from_string(host)).with_port(i32::from(port)))
    };
    (1..=shared.options.nodes).filter_map(broker).collect()
}

/// One topic of Metadata; with `create`, made with so many partitions when it is not there.
fn describe(state: &mut State, asked: &MetadataRequestTopic, create: Option<i32>) -> MetadataResponseTopic {
    let name = match &asked.name {
        Some(name) => Some(name.0.to_string()),
        None => state.logs.name_of(asked.topic_id),
    };
    let Some(name) = name else {
        let unknown = MetadataResponseTopic::default().with_topic_id(asked.topic_id).with_name(None);
        return unknown.with_error_code(ResponseError::UnknownTopicId.code());
    };
    let answer = MetadataResponseTopic::default().with_name(Some(topic_name(&name)));
    if !legal(&name) {
        return answer.with_error_code(ResponseError::InvalidTopicException.code());
    }
    if let (None, Some(partitions)) = (state.logs.topic(&name), create) {
        state.logs.create(&name, partitions);
    }
    match state.logs.topic(&name) {
        Some(topic) => answer.with_topic_id(topic.id).with_partitions(partitions(topic)),
        None => answer.with_error_code(ResponseError::UnknownTopicOrPartition.code()),
    }
}

/// The broker's rule for topic names.
fn legal(name: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=249).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(fine)
}

fn partitions(topic: &Topic) -> Vec<MetadataResponsePartition> {
    let describe = |(index, partition): (i32, &Partition)| {
        let leader = BrokerId(partition.leader);
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(leader)
            .with_leader_epoch(partition.leader_epoch)
            .with_replica_nodes(vec![leader])
            .with_isr_nodes(vec![leader])
    };
    (0..).zip(&topic.partitions).map(describe).collect()
}

/// Names the first node as the coordinator of everything.
pub(super) fn find_coordinator(
    shared: &Shared,
    request: &FindCoordinatorRequest,
    version: i16,
) -> FindCoordinatorResponse {
    let (host, port) = shared.advertised(1).unwrap_or_default();
    let (host, port) = (StrBytes::from_string(host), i32::from(port));
    if version < 4 {
        return FindCoordinatorResponse::default().with_node_id(BrokerId(1)).with_host(host).with_port(port);
    }
    let coordinator = |key: &StrBytes| {
        let coordinator = Coordinator::default().with_key(key.clone()).with_node_id(BrokerId(1));
        coordinator.with_host(host.clone()).with_port(port).with_error_message(None)
    };
    let coordinators = request.coordinator_keys.iter().map(coordinator).collect();
    FindCoordinatorResponse::default().with_coordinators(coordinators)
}
