//! The same requests direct and through the gateway get the same answers, but for the gateway's own addresses.

mod requests;

use bench_harness::client::Connection;
use bench_harness::kafka::{Library, Listener};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use self::requests::{Asked, requests};
use super::gateway::{Gateway, Settings, driver};
use super::policy::shipped_policy;
use super::records::generate;
use super::world;

const TOPIC: &str = "equivalence";

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
    for asked in requests(TOPIC, topic_id(&direct)) {
        let (expected, found) = ask_both(&direct, &through, &asked);
        let found = with_port(&found, gateway.broker_port(1), upstream_port);
        assert_eq!(found, expected, "{}", asked.name);
    }
    api_versions_are_a_part(&direct, &through);
    refusals_are_the_same(&direct, &through);
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

/// The id that the broker gave the topic.
fn topic_id(direct: &str) -> Uuid {
    let topic = MetadataRequestTopic::default().with_name(Some(TopicName(text(TOPIC))));
    let request = MetadataRequest::default().with_topics(Some(vec![topic]));
    let response: MetadataResponse = Connection::open(direct).unwrap().call(12, &request).unwrap();
    response.topics[0].topic_id
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
