//! The same requests direct and through the gateway get the same answers, but for the gateway's own addresses.

use bench_harness::client::{Connection, frame};
use bench_harness::kafka::{Library, Listener};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_topic_partitions_request::TopicRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, BrokerId, DescribeAclsRequest, DescribeClientQuotasRequest,
    DescribeClusterRequest, DescribeConfigsRequest, DescribeGroupsRequest, DescribeLogDirsRequest,
    DescribeQuorumRequest, DescribeTopicPartitionsRequest, FetchRequest, FindCoordinatorRequest, GroupId,
    ListGroupsRequest, ListOffsetsRequest, ListTransactionsRequest, MetadataRequest, TopicName,
};
use kafka_protocol::protocol::{Request, StrBytes};

use super::gateway::{Gateway, Settings, driver};
use super::policy::shipped_policy;
use super::records::generate;
use super::world;

const TOPIC: &str = "equivalence";

/// A request frame with its name and version.
struct Asked {
    name: String,
    frame: Vec<u8>,
}

#[test]
fn answers_are_the_same_direct_and_through() {
    let world = world::shared();
    let settings = Settings::new("equivalence", driver(), shipped_policy(), Listener::Upstream);
    let gateway = Gateway::start(&settings, &world.cluster);
    world.create_topics(TOPIC, 1, &[]);
    let sent = generate(53, 40);
    let file = world.file("equivalence", sent.iter().map(|planted| &planted.sent));
    world.produce(Library::Librdkafka, &world.direct(), TOPIC, &file, &[]).unwrap();
    let direct = world.cluster.address(1, Listener::Upstream);
    let upstream_port: u16 = direct.rsplit_once(':').unwrap().1.parse().unwrap();
    let through = format!("127.0.0.1:{}", gateway.broker_port(1));
    for asked in requests() {
        let (expected, found) = ask_both(&direct, &through, &asked);
        let found = with_port(&found, gateway.broker_port(1), upstream_port);
        assert_eq!(found, expected, "{}", asked.name);
    }
    api_versions_are_a_part(&direct, &through);
    refusals_are_the_same(&direct, &through);
}

fn requests() -> Vec<Asked> {
    let name = || TopicName(text(TOPIC));
    let mut all = Vec::new();
    let metadata_topic = MetadataRequestTopic::default().with_name(Some(name()));
    all.extend(versions(0..=13, &MetadataRequest::default().with_topics(Some(vec![metadata_topic]))));
    all.extend(versions(0..=3, &FindCoordinatorRequest::default().with_key(text("group"))));
    all.extend(versions(
        4..=6,
        &FindCoordinatorRequest::default().with_coordinator_keys(vec![text("group")]),
    ));
    all.extend(versions(0..=2, &DescribeClusterRequest::default()));
    let offsets = ListOffsetsTopic::default()
        .with_name(name())
        .with_partitions(vec![ListOffsetsPartition::default().with_timestamp(-1)]);
    let offsets = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![offsets]);
    all.extend(versions(1..=10, &offsets));
    let fetched = FetchTopic::default()
        .with_topic(name())
        .with_partitions(vec![FetchPartition::default().with_partition_max_bytes(1 << 20)]);
    let fetch = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_bytes(1 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![fetched]);
    all.extend(versions(4..=6, &fetch));
    all.extend(versions(7..=12, &fetch));
    let resource = DescribeConfigsResource::default().with_resource_type(2).with_resource_name(text(TOPIC));
    all.extend(versions(1..=4, &DescribeConfigsRequest::default().with_resources(vec![resource])));
    let described = TopicRequest::default().with_name(name());
    all.extend(versions(0..=0, &DescribeTopicPartitionsRequest::default().with_topics(vec![described])));
    all.extend(versions(0..=5, &ListGroupsRequest::default()));
    let groups = DescribeGroupsRequest::default().with_groups(vec![GroupId(text("group"))]);
    all.extend(versions(0..=5, &groups));
    all.extend(versions(1..=4, &DescribeLogDirsRequest::default()));
    all.extend(versions(0..=1, &ListTransactionsRequest::default()));
    all.extend(versions(0..=1, &DescribeClientQuotasRequest::default()));
    let acls = DescribeAclsRequest::default()
        .with_resource_type_filter(1)
        .with_pattern_type_filter(1)
        .with_operation(1)
        .with_permission_type(1);
    all.extend(versions(1..=3, &acls));
    all.extend(versions(0..=0, &DescribeQuorumRequest::default()));
    all
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

fn ask(address: &str, asked: &Asked) -> Vec<u8> {
    let mut connection = Connection::open(address).unwrap();
    connection.send_bytes(&asked.frame).unwrap();
    connection.receive_frame().unwrap_or_else(|error| panic!("{} at {address}: {error}", asked.name)).to_vec()
}

/// The answers direct and through, from a moment at which the broker's own answer did not change: other tests use
/// the same broker, and the first FindCoordinator creates the topic of offsets.
fn ask_both(direct: &str, through: &str, asked: &Asked) -> (Vec<u8>, Vec<u8>) {
    let mut before = ask(direct, asked);
    for _ in 0..TRIES {
        let found = ask(through, asked);
        let after = ask(direct, asked);
        if after == before {
            return (after, found);
        }
        before = after;
    }
    panic!("{}: the broker's answer never settles", asked.name);
}

/// Times that an answer may change between two questions.
const TRIES: usize = 1000;

/// The answer with `from` replaced by `to` wherever a port (int32) can stand.
fn with_port(answer: &[u8], from: u16, to: u16) -> Vec<u8> {
    let (from, to) = (i32::from(from).to_be_bytes(), i32::from(to).to_be_bytes());
    let mut changed = answer.to_vec();
    for at in 0..answer.len().saturating_sub(3) {
        if answer[at..at + 4] == from {
            changed[at..at + 4].copy_from_slice(&to);
        }
    }
    changed
}

/// ApiVersions offers a part of what the broker offers: never more, and only what is inspected or relayed.
fn api_versions_are_a_part(direct: &str, through: &str) {
    for version in 0..=3 {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(text("it"))
            .with_client_software_version(text("1"));
        let call = |address: &str| -> ApiVersionsResponse {
            Connection::open(address).unwrap().call(version, &request).unwrap()
        };
        let (all, part) = (call(direct), call(through));
        let of = |response: &ApiVersionsResponse, key: i16| {
            let found = response.api_keys.iter().find(|api| api.api_key == key);
            found.map(|api| (api.min_version, api.max_version))
        };
        for api in &part.api_keys {
            let (min, max) = of(&all, api.api_key).unwrap();
            assert!(api.min_version >= min && api.max_version <= max, "v{version}: {api:?}");
        }
        assert_eq!(of(&part, 0), Some((0, 13)), "Produce: its minimum stays 0 (KAFKA-18659)");
        assert_eq!(of(&part, 1).map(|(_, max)| max), Some(15), "Fetch: later versions carry addresses");
        assert_eq!(of(&part, 55).map(|(_, max)| max), Some(1), "DescribeQuorum v2 carries addresses");
        assert_eq!(of(&part, 27), None, "WriteTxnMarkers is for brokers among themselves");
        assert_eq!(part.finalized_features, all.finalized_features);
    }
}

/// What a broker refuses, the gateway refuses in the same way.
fn refusals_are_the_same(direct: &str, through: &str) {
    let header = |key: i16, version: i16| {
        // Client id `x`, no tagged fields.
        let header = [&key.to_be_bytes()[..], &version.to_be_bytes(), &[0, 0, 0, 7, 0, 1, b'x', 0]].concat();
        [&(header.len() as i32).to_be_bytes()[..], &header].concat()
    };
    let table = [
        ("ApiVersions of the future", header(18, 99)),
        ("unknown key", header(999, 0)),
        ("Produce v2", header(0, 2)),
        ("size below a header", vec![0, 0, 0, 2, 0, 0]),
        ("negative size", vec![0xff, 0xff, 0xff, 0xff, 0, 0]),
        ("a TLS hello", vec![0x16, 3, 1, 2, 0, 1, 0, 1]),
    ];
    for (name, bytes) in table {
        let answer = |address: &str| {
            let mut connection = Connection::open(address).unwrap();
            connection.send_bytes(&bytes).unwrap();
            connection.receive_frame().ok()
        };
        assert_eq!(answer(through), answer(direct), "{name}");
    }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
