//! Requests whose answer does not depend on who asks, nor on how often: reads, and changes that the broker refuses.

use bench_harness::client::frame;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_topic_partitions_request::TopicRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, BrokerId, ConsumerGroupDescribeRequest,
    ConsumerGroupHeartbeatRequest, CreatePartitionsRequest, CreateTopicsRequest, DeleteGroupsRequest,
    DeleteRecordsRequest, DeleteTopicsRequest, DescribeAclsRequest, DescribeClientQuotasRequest,
    DescribeClusterRequest, DescribeConfigsRequest, DescribeGroupsRequest, DescribeLogDirsRequest,
    DescribeProducersRequest, DescribeQuorumRequest, DescribeTopicPartitionsRequest,
    DescribeTransactionsRequest, DescribeUserScramCredentialsRequest, EndTxnRequest, FetchRequest,
    FindCoordinatorRequest, GroupId, HeartbeatRequest, InitProducerIdRequest, JoinGroupRequest,
    LeaveGroupRequest, ListGroupsRequest, ListOffsetsRequest, ListTransactionsRequest, MetadataRequest,
    OffsetCommitRequest, OffsetFetchRequest, OffsetForLeaderEpochRequest, ProducerId,
    ShareGroupDescribeRequest, ShareGroupHeartbeatRequest, SyncGroupRequest, TopicName, TransactionalId,
    TxnOffsetCommitRequest, describe_producers_request,
};
use kafka_protocol::protocol::Request;
use uuid::Uuid;

use super::text;

/// A request frame with its name and version.
pub(super) struct Asked {
    pub(super) name: String,
    pub(super) frame: Vec<u8>,
}

/// The topic that is asked about; it has one partition.
struct Topic {
    name: TopicName,
    id: Uuid,
}

/// Every request in every version that the gateway lets through, as far as the tests' encoder knows it.
pub(super) fn requests(name: &'static str, id: Uuid) -> Vec<Asked> {
    let topic = Topic { name: TopicName(text(name)), id };
    [
        cluster(&topic),
        reading(&topic),
        administration(&topic),
        members(),
        offsets(&topic),
        transactions(&topic),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Where everything is.
fn cluster(topic: &Topic) -> Vec<Asked> {
    let named = MetadataRequestTopic::default().with_name(Some(topic.name.clone()));
    let by_id = MetadataRequestTopic::default().with_name(None).with_topic_id(topic.id);
    let described = TopicRequest::default().with_name(topic.name.clone());
    [
        versions(0..=13, &MetadataRequest::default().with_topics(Some(vec![named]))),
        versions(12..=13, &MetadataRequest::default().with_topics(Some(vec![by_id]))),
        versions(0..=3, &FindCoordinatorRequest::default().with_key(text(GROUP))),
        versions(4..=6, &FindCoordinatorRequest::default().with_coordinator_keys(vec![text(GROUP)])),
        versions(0..=2, &DescribeClusterRequest::default()),
        versions(0..=0, &DescribeTopicPartitionsRequest::default().with_topics(vec![described])),
        versions(0..=0, &DescribeQuorumRequest::default()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What consumers ask of a partition.
fn reading(topic: &Topic) -> Vec<Asked> {
    let offsets = ListOffsetsTopic::default()
        .with_name(topic.name.clone())
        .with_partitions(vec![ListOffsetsPartition::default().with_timestamp(-1)]);
    let offsets = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![offsets]);
    let epochs = OffsetForLeaderTopic::default()
        .with_topic(topic.name.clone())
        .with_partitions(vec![OffsetForLeaderPartition::default().with_leader_epoch(0)]);
    let epochs =
        OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![epochs]);
    let partition = || vec![FetchPartition::default().with_partition_max_bytes(1 << 20)];
    let by_name = FetchTopic::default().with_topic(topic.name.clone()).with_partitions(partition());
    let by_id = FetchTopic::default().with_topic_id(topic.id).with_partitions(partition());
    let fetch = FetchRequest::default().with_max_bytes(1 << 20).with_session_epoch(-1);
    // Without a session a fetch before version 7 may not name its epoch, nor one from 15 on its replica.
    [
        versions(1..=10, &offsets),
        versions(2..=4, &epochs),
        versions(4..=12, &fetch.clone().with_replica_id(BrokerId(-1)).with_topics(vec![by_name])),
        versions(13..=14, &fetch.clone().with_replica_id(BrokerId(-1)).with_topics(vec![by_id.clone()])),
        versions(15..=15, &fetch.with_topics(vec![by_id])),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What administrators ask, and what they may not have.
fn administration(topic: &Topic) -> Vec<Asked> {
    let resource =
        DescribeConfigsResource::default().with_resource_type(2).with_resource_name(topic.name.0.clone());
    let acls = DescribeAclsRequest::default()
        .with_resource_type_filter(1)
        .with_pattern_type_filter(1)
        .with_operation(1)
        .with_permission_type(1);
    let taken = CreatableTopic::default()
        .with_name(topic.name.clone())
        .with_num_partitions(1)
        .with_replication_factor(1);
    let fewer = CreatePartitionsTopic::default().with_name(topic.name.clone()).with_count(1);
    let missing = TopicName(text("equivalence-missing"));
    let ahead = DeleteRecordsTopic::default()
        .with_name(topic.name.clone())
        .with_partitions(vec![DeleteRecordsPartition::default().with_offset(1 << 40)]);
    let producers = describe_producers_request::TopicRequest::default()
        .with_name(topic.name.clone())
        .with_partition_indexes(vec![0]);
    [
        versions(1..=4, &DescribeConfigsRequest::default().with_resources(vec![resource])),
        versions(1..=4, &DescribeLogDirsRequest::default()),
        versions(0..=1, &DescribeClientQuotasRequest::default()),
        versions(1..=3, &acls),
        versions(2..=7, &CreateTopicsRequest::default().with_topics(vec![taken]).with_timeout_ms(WAIT)),
        versions(
            1..=5,
            &DeleteTopicsRequest::default().with_topic_names(vec![missing]).with_timeout_ms(WAIT),
        ),
        versions(0..=3, &CreatePartitionsRequest::default().with_topics(vec![fewer]).with_timeout_ms(WAIT)),
        versions(0..=2, &DeleteRecordsRequest::default().with_topics(vec![ahead]).with_timeout_ms(WAIT)),
        versions(0..=0, &DescribeProducersRequest::default().with_topics(vec![producers])),
        versions(0..=0, &DescribeUserScramCredentialsRequest::default()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Groups, and requests of a member that no group has.
fn members() -> Vec<Asked> {
    let group = || GroupId(text(GROUP));
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range"));
    let join = JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(WAIT)
        .with_rebalance_timeout_ms(WAIT)
        .with_member_id(text(STRANGER))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol]);
    let sync = SyncGroupRequest::default().with_group_id(group()).with_member_id(text(STRANGER));
    let leave = LeaveGroupRequest::default().with_group_id(group());
    let leaver = MemberIdentity::default().with_member_id(text(STRANGER));
    let beat = HeartbeatRequest::default().with_group_id(group()).with_member_id(text(STRANGER));
    let consumer = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group())
        .with_member_id(text(STRANGER))
        .with_member_epoch(5);
    let share = ShareGroupHeartbeatRequest::default()
        .with_group_id(group())
        .with_member_id(text(STRANGER))
        .with_member_epoch(5);
    [
        versions(0..=5, &ListGroupsRequest::default()),
        versions(0..=6, &DescribeGroupsRequest::default().with_groups(vec![group()])),
        versions(0..=2, &DeleteGroupsRequest::default().with_groups_names(vec![group()])),
        versions(0..=9, &join),
        versions(0..=5, &sync),
        versions(0..=4, &beat),
        versions(0..=2, &leave.clone().with_member_id(text(STRANGER))),
        versions(3..=5, &leave.with_members(vec![leaver])),
        versions(0..=1, &consumer),
        versions(0..=1, &ConsumerGroupDescribeRequest::default().with_group_ids(vec![group()])),
        versions(1..=1, &share),
        versions(1..=1, &ShareGroupDescribeRequest::default().with_group_ids(vec![group()])),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Offsets that one group commits, always the same, and reads.
fn offsets(topic: &Topic) -> Vec<Asked> {
    let group = || GroupId(text("equivalence-offsets"));
    let committed = OffsetCommitRequestTopic::default()
        .with_name(topic.name.clone())
        .with_partitions(vec![OffsetCommitRequestPartition::default().with_committed_offset(7)]);
    let commit = OffsetCommitRequest::default()
        .with_group_id(group())
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![committed]);
    let read =
        OffsetFetchRequestTopic::default().with_name(topic.name.clone()).with_partition_indexes(vec![0]);
    let read = OffsetFetchRequest::default().with_group_id(group()).with_topics(Some(vec![read]));
    let in_group =
        OffsetFetchRequestTopics::default().with_name(topic.name.clone()).with_partition_indexes(vec![0]);
    let in_group =
        OffsetFetchRequestGroup::default().with_group_id(group()).with_topics(Some(vec![in_group]));
    [
        versions(2..=9, &commit),
        versions(1..=7, &read),
        versions(8..=9, &OffsetFetchRequest::default().with_groups(vec![in_group])),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Transactions of a producer that the coordinator does not know.
fn transactions(topic: &Topic) -> Vec<Asked> {
    let id = || TransactionalId(text("equivalence-unknown"));
    let partitions =
        AddPartitionsToTxnTopic::default().with_name(topic.name.clone()).with_partitions(vec![0]);
    let add = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(id())
        .with_v3_and_below_producer_id(ProducerId(5))
        .with_v3_and_below_topics(vec![partitions]);
    let add_offsets = AddOffsetsToTxnRequest::default()
        .with_transactional_id(id())
        .with_producer_id(ProducerId(5))
        .with_group_id(GroupId(text(GROUP)));
    let committed = TxnOffsetCommitRequestTopic::default()
        .with_name(topic.name.clone())
        .with_partitions(vec![TxnOffsetCommitRequestPartition::default().with_committed_offset(7)]);
    let commit = TxnOffsetCommitRequest::default()
        .with_transactional_id(id())
        .with_group_id(GroupId(text(GROUP)))
        .with_producer_id(ProducerId(5))
        .with_generation_id(3)
        .with_topics(vec![committed]);
    // A timeout of 0 is refused, so no producer id is given away.
    let refused = InitProducerIdRequest::default().with_transactional_id(Some(id()));
    [
        versions(0..=5, &refused),
        versions(0..=3, &add),
        versions(0..=4, &add_offsets),
        versions(3..=5, &commit),
        versions(
            0..=5,
            &EndTxnRequest::default().with_transactional_id(id()).with_producer_id(ProducerId(5)),
        ),
        versions(0..=0, &DescribeTransactionsRequest::default().with_transactional_ids(vec![id()])),
        versions(0..=1, &ListTransactionsRequest::default()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The request in each version.
fn versions<T: Request>(range: std::ops::RangeInclusive<i16>, request: &T) -> Vec<Asked> {
    let api = std::any::type_name::<T>().rsplit("::").next().unwrap_or_default();
    let asked = |version| Asked {
        name: format!("{api} v{version}"),
        frame: frame(version, 7, request)
            .unwrap_or_else(|error| panic!("{api} v{version}: {error}"))
            .to_vec(),
    };
    range.map(asked).collect()
}

/// The group that is asked about; nobody is in it.
const GROUP: &str = "group";

/// A member that no group knows.
const STRANGER: &str = "stranger";

/// Milliseconds that the broker may take.
const WAIT: i32 = 10_000;
