//! Everything that is not Produce: consumers of groups and share groups, and Kafka's own admin tools.

use bench_harness::kafka::{Library, Listener};
use serde_json::Value;

use super::gateway::{Gateway, Settings, driver};
use super::policy::shipped_policy;
use super::records::generate;
use super::world::{self, World};

const RECORDS: usize = 200;

#[test]
fn consumers_and_tools_work_through_the_gateway() {
    let world = world::shared();
    let settings = Settings::new("relay", driver(), shipped_policy(), Listener::Upstream);
    let gateway = Gateway::start(&settings, &world.cluster);
    let bootstrap = gateway.plain();
    topics_can_be_administered(&world, &bootstrap);
    let sent = generate(37, RECORDS);
    let file = world.file("relay", sent.iter().map(|planted| &planted.sent));
    let answers = world.produce(Library::FranzGo, &world.direct(), "relay", &file, &[]).unwrap();
    assert!(answers.iter().all(|answer| answer.error.is_none()), "{answers:?}");
    groups_read_everything(&world, &bootstrap, "relay", RECORDS);
}

/// Consumers of several libraries, in groups of all kinds, find the `count` records of a topic, and commit them.
pub(super) fn groups_read_everything(world: &World, bootstrap: &str, topic: &str, count: usize) {
    let mut expected: Vec<(i32, i64)> =
        world.stored(topic).iter().map(|stored| (stored.partition, stored.offset)).collect();
    expected.sort_unstable();
    assert_eq!(expected.len(), count, "{topic}");
    for (library, protocol) in [
        (Library::Java, "classic"),
        (Library::Java, "consumer"),
        (Library::Librdkafka, ""),
        (Library::FranzGo, ""),
    ] {
        let group = format!("{topic}-{library:?}-{protocol}");
        let mut arguments = arguments(bootstrap, topic, &group, count);
        if !protocol.is_empty() {
            arguments.extend(["--group-protocol".to_owned(), protocol.to_owned()]);
        }
        let seen = places(&world.clients.consume(library, &arguments).unwrap());
        assert_eq!(seen, expected, "{group}");
        group_is_committed(world, bootstrap, topic, &group);
    }
    let share = format!("{topic}-share");
    let config = ["--entity-type", "groups", "--entity-name", &share, "--alter", "--add-config"];
    config_command(world, bootstrap, &[&config[..], &["share.auto.offset.reset=earliest"]].concat());
    let arguments = arguments(bootstrap, topic, &share, count);
    let seen = places(&world.clients.java::<Value>("share", &arguments).unwrap());
    assert_eq!(seen, expected, "{share}");
}

fn topics_can_be_administered(world: &World, bootstrap: &str) {
    let topics = |arguments: &[&str]| {
        let arguments = [&["--bootstrap-server", bootstrap], arguments].concat();
        world.tool("org.apache.kafka.tools.TopicCommand", &arguments)
    };
    topics(&["--create", "--topic", "relay", "--partitions", "2"]);
    topics(&["--alter", "--topic", "relay", "--partitions", "3"]);
    assert!(topics(&["--list"]).lines().any(|line| line == "relay"));
    let described = topics(&["--describe", "--topic", "relay"]);
    assert!(described.contains("PartitionCount: 3"), "{described}");
    let config = ["--entity-type", "topics", "--entity-name", "relay"];
    let alter = ["--alter", "--add-config", "retention.ms=3600000"];
    config_command(world, bootstrap, &[&config[..], &alter].concat());
    let described = config_command(world, bootstrap, &[&config[..], &["--describe"]].concat());
    assert!(described.contains("retention.ms=3600000"), "{described}");
    let class = "org.apache.kafka.tools.BrokerApiVersionsCommand";
    let printed = world.tool(class, &["--bootstrap-server", bootstrap]);
    assert!(printed.contains("Produce(0): 0 to 13"), "{printed}");
}

fn config_command(world: &World, bootstrap: &str, arguments: &[&str]) -> String {
    world.tool("kafka.admin.ConfigCommand", &[&["--bootstrap-server", bootstrap], arguments].concat())
}

/// The group has read all it can: no partition lags.
fn group_is_committed(world: &World, bootstrap: &str, topic: &str, group: &str) {
    let class = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
    let arguments = ["--bootstrap-server", bootstrap, "--describe", "--group", group];
    let printed = world.tool(class, &arguments);
    let columns = printed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let lags: Vec<_> = columns
        .filter(|columns| columns.get(1) == Some(&topic))
        .map(|columns| columns.get(5).copied())
        .collect();
    assert!(!lags.is_empty() && lags.iter().all(|lag| *lag == Some("0")), "{group}: {printed}");
}

fn arguments(bootstrap: &str, topic: &str, group: &str, count: usize) -> Vec<String> {
    let count = count.to_string();
    ["--bootstrap", bootstrap, "--topic", topic, "--group", group, "--count", &count]
        .map(str::to_owned)
        .to_vec()
}

fn places(consumed: &[Value]) -> Vec<(i32, i64)> {
    let number = |line: &Value, key: &str| line[key].as_i64().unwrap();
    let mut places: Vec<(i32, i64)> =
        consumed.iter().map(|line| (number(line, "partition") as i32, number(line, "offset"))).collect();
    places.sort_unstable();
    places
}
