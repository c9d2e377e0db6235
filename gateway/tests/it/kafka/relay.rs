//! Everything that is not Produce: consumers of groups and share groups, and Kafka's own admin tools.

use bench_harness::kafka::{Library, Listener};
use serde_json::Value;

use super::gateway::{Gateway, Settings};
use super::policy::shipped_policy;
use super::records::generate;
use super::world::{self, World};

const RECORDS: usize = 200;

#[test]
fn consumers_and_tools_work_through_the_gateway() {
    let world = world::shared();
    let settings = Settings::new("relay", "io_uring", shipped_policy(), Listener::Upstream);
    let gateway = Gateway::start(&settings, &world.cluster);
    let bootstrap = gateway.plain();
    topics_can_be_administered(&world, &bootstrap);
    let sent = generate(37, RECORDS);
    let file = world.file("relay", sent.iter().map(|planted| &planted.sent));
    let answers = world.produce(Library::FranzGo, &world.direct(), "relay", &file, &[]).unwrap();
    assert!(answers.iter().all(|answer| answer.error.is_none()), "{answers:?}");
    let mut expected: Vec<(i32, i64)> =
        world.stored("relay").iter().map(|stored| (stored.partition, stored.offset)).collect();
    expected.sort_unstable();
    for (library, protocol) in [
        (Library::Java, "classic"),
        (Library::Java, "consumer"),
        (Library::Librdkafka, ""),
        (Library::FranzGo, ""),
    ] {
        let group = format!("{library:?}-{protocol}");
        let mut arguments = arguments(&bootstrap, &group);
        if !protocol.is_empty() {
            arguments.extend(["--group-protocol".to_owned(), protocol.to_owned()]);
        }
        let seen = places(&world.clients.consume(library, &arguments).unwrap());
        assert_eq!(seen, expected, "{group}");
        group_is_committed(&world, &bootstrap, &group);
    }
    let config = ["--entity-type", "groups", "--entity-name", "share", "--alter", "--add-config"];
    config_command(&world, &bootstrap, &[&config[..], &["share.auto.offset.reset=earliest"]].concat());
    let seen = places(&world.clients.java::<Value>("share", &arguments(&bootstrap, "share")).unwrap());
    assert_eq!(seen, expected, "share group");
}

fn topics_can_be_administered(world: &World, bootstrap: &str) {
    let topics = |arguments: &[&str]| {
        let arguments = [&["--bootstrap-server", bootstrap], arguments].concat();
        let printed = world.clients.tool("org.apache.kafka.tools.TopicCommand", &arguments).unwrap();
        assert_eq!(printed.status, 0, "{arguments:?}: {printed:?}");
        printed.out
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
    let printed = world.clients.tool(class, &["--bootstrap-server", bootstrap]).unwrap();
    assert!(printed.status == 0 && printed.out.contains("Produce(0): 0 to 13"), "{printed:?}");
}

fn config_command(world: &World, bootstrap: &str, arguments: &[&str]) -> String {
    let arguments = [&["--bootstrap-server", bootstrap], arguments].concat();
    let printed = world.clients.tool("kafka.admin.ConfigCommand", &arguments).unwrap();
    assert_eq!(printed.status, 0, "{arguments:?}: {printed:?}");
    printed.out
}

/// The group has read all it can: no partition lags.
fn group_is_committed(world: &World, bootstrap: &str, group: &str) {
    let class = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
    let arguments = ["--bootstrap-server", bootstrap, "--describe", "--group", group];
    let printed = world.clients.tool(class, &arguments).unwrap();
    let lags: Vec<&str> = printed
        .out
        .lines()
        .filter(|line| line.contains(" relay "))
        .filter_map(|line| line.split_whitespace().nth(5))
        .collect();
    assert_eq!(lags, ["0"; 3], "{group}: {printed:?}");
}

fn arguments(bootstrap: &str, group: &str) -> Vec<String> {
    let count = RECORDS.to_string();
    ["--bootstrap", bootstrap, "--topic", "relay", "--group", group, "--count", &count]
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
