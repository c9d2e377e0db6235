//! Asks for every answer that tells a client where brokers are, in every version.

use bench_harness::client::{Connection, produce_request, topic_name};
use bench_harness::codec::Codec;
use bench_harness::outgoing::{NOT_IDEMPOTENT, OutgoingRecord, batch};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::share_fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{
    DescribeClusterRequest, FindCoordinatorRequest, GroupId, MetadataRequest, MetadataResponse,
    ShareFetchRequest,
};
use kafka_protocol::protocol::StrBytes;

/// Where an answer says that a broker is.
pub(super) struct Endpoint {
    /// The answer, with its version.
    pub(super) answer: String,
    /// The broker.
    pub(super) node_id: i32,
    /// `host:port`.
    pub(super) address: String,
}

/// Everything that a client is told from `bootstrap` on about the brokers and about the leader of partition 0 of
/// `topic`. Every answer names one broker at least.
pub(super) fn all(bootstrap: &str, topic: &str) -> Vec<Endpoint> {
    let cluster = Cluster::ask(bootstrap, topic);
    let mut all = Vec::new();
    for answers in [metadata(&cluster), coordinators(&cluster), brokers(&cluster), leaders(&cluster)] {
        all.extend(answers);
    }
    all.push(share_leader(&cluster));
    all
}

/// The leader of each partition of a topic, as Metadata has it.
pub(super) fn partition_leaders(bootstrap: &str, topic: &str) -> Vec<i32> {
    let answer = Cluster::ask(bootstrap, topic).metadata;
    answer.topics[0].partitions.iter().map(|partition| partition.leader_id.0).collect()
}

/// What one Metadata says.
struct Cluster<'a> {
    bootstrap: &'a str,
    topic: &'a str,
    metadata: MetadataResponse,
}

impl<'a> Cluster<'a> {
    fn ask(bootstrap: &'a str, topic: &'a str) -> Self {
        let metadata = Connection::open(bootstrap).unwrap().call(12, &metadata_of(topic)).unwrap();
        Self { bootstrap, topic, metadata }
    }

    fn bootstrap(&self) -> Connection {
        Connection::open(self.bootstrap).unwrap()
    }

    /// A broker that does not lead partition 0: it answers who does.
    fn not_the_leader(&self) -> Connection {
        let leader = self.metadata.topics[0].partitions[0].leader_id;
        let broker = self.metadata.brokers.iter().find(|broker| broker.node_id != leader).unwrap();
        Connection::open(format!("{}:{}", broker.host, broker.port)).unwrap()
    }
}

fn metadata(cluster: &Cluster) -> Vec<Endpoint> {
    let ask = |version| {
        let answer = cluster.bootstrap().call(version, &metadata_of(cluster.topic)).unwrap();
        let brokers = answer.brokers.into_iter();
        brokers.map(move |broker| endpoint("Metadata", version, broker.node_id.0, &broker.host, broker.port))
    };
    (0..=13).flat_map(ask).collect()
}

fn coordinators(cluster: &Cluster) -> Vec<Endpoint> {
    let one = |version| {
        let request = FindCoordinatorRequest::default().with_key(text("a group"));
        let answer = cluster.bootstrap().call(version, &request).unwrap();
        assert_eq!(answer.error_code, 0, "v{version}: {answer:?}");
        endpoint("FindCoordinator", version, answer.node_id.0, &answer.host, answer.port)
    };
    let several = |version| {
        let keys = vec![text("a group"), text("another group")];
        let request = FindCoordinatorRequest::default().with_coordinator_keys(keys);
        let answer = cluster.bootstrap().call(version, &request).unwrap();
        assert!(answer.coordinators.iter().all(|one| one.error_code == 0), "v{version}: {answer:?}");
        let found = answer.coordinators.into_iter();
        found.map(move |one| endpoint("FindCoordinator", version, one.node_id.0, &one.host, one.port))
    };
    (0..=3).map(one).chain((4..=6).flat_map(several)).collect()
}

fn brokers(cluster: &Cluster) -> Vec<Endpoint> {
    let ask = |version| {
        let answer = cluster.bootstrap().call(version, &DescribeClusterRequest::default()).unwrap();
        let brokers = answer.brokers.into_iter();
        brokers.map(move |broker| {
            endpoint("DescribeCluster", version, broker.broker_id.0, &broker.host, broker.port)
        })
    };
    (0..=2).flat_map(ask).collect()
}

/// Produce at the wrong broker (KIP-951).
fn leaders(cluster: &Cluster) -> Vec<Endpoint> {
    let record = OutgoingRecord { value: Some("clean".into()), ..Default::default() };
    let batch = batch(&[record], Codec::None, NOT_IDEMPOTENT).unwrap();
    let ask = |version| {
        let mut request = produce_request(cluster.topic, 0, batch.clone());
        request.topic_data[0].topic_id = cluster.metadata.topics[0].topic_id;
        let answer = cluster.not_the_leader().call(version, &request).unwrap();
        let partition = &answer.responses[0].partition_responses[0];
        assert_eq!(partition.error_code, NOT_LEADER_OR_FOLLOWER, "v{version}: {answer:?}");
        let leader = &answer.node_endpoints[0];
        endpoint("Produce", version, leader.node_id.0, &leader.host, leader.port)
    };
    (10..=13).map(ask).collect()
}

/// ShareFetch at the wrong broker.
fn share_leader(cluster: &Cluster) -> Endpoint {
    let partition = FetchPartition::default().with_partition_index(0);
    let topic = FetchTopic::default()
        .with_topic_id(cluster.metadata.topics[0].topic_id)
        .with_partitions(vec![partition]);
    let request = ShareFetchRequest::default()
        .with_group_id(Some(GroupId(text("a share group"))))
        .with_member_id(Some(text(MEMBER)))
        .with_max_bytes(1 << 20)
        .with_max_records(1)
        .with_topics(vec![topic]);
    let answer = cluster.not_the_leader().call(1, &request).unwrap();
    let partition = answer.responses.first().map(|topic| topic.partitions[0].error_code);
    assert_eq!(partition, Some(NOT_LEADER_OR_FOLLOWER), "{answer:?}");
    let leader = &answer.node_endpoints[0];
    endpoint("ShareFetch", 1, leader.node_id.0, &leader.host, leader.port)
}

fn metadata_of(topic: &str) -> MetadataRequest {
    let topic = MetadataRequestTopic::default().with_name(Some(topic_name(topic)));
    MetadataRequest::default().with_topics(Some(vec![topic]))
}

fn endpoint(answer: &str, version: i16, node_id: i32, host: &str, port: i32) -> Endpoint {
    Endpoint { answer: format!("{answer} v{version}"), node_id, address: format!("{host}:{port}") }
}

fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}

/// A member of a share group calls itself by a UUID, in Kafka's base 64.
const MEMBER: &str = "MkU3OEVBNTcwNTJENDM2Qg";
const NOT_LEADER_OR_FOLLOWER: i16 = 6;
