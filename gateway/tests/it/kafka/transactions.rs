//! Transactional producers, and Kafka's own TransactionalMessageCopier and ProducerPerformance.

use std::collections::BTreeMap;

use bench_harness::kafka::clients::{Header, Stored};
use bench_harness::kafka::{Library, Listener};

use super::gateway::{Gateway, Settings, driver};
use super::judge::{Run, labels};
use super::policy::{Rules, shipped_policy};
use super::records::{Planted, generate};
use super::world::{self, World};

#[test]
fn transactions_commit_and_their_records_arrive_masked() {
    let world = world::shared();
    let settings = Settings::new("transactions", driver(), shipped_policy(), Listener::Upstream);
    let gateway = Gateway::start(&settings, &world.cluster);
    let rules = Rules::shipped();
    let sent = generate(23, 60);
    let file = world.file("transactions", sent.iter().map(|planted| &planted.sent));
    let libraries =
        [Library::Java, Library::Librdkafka, Library::FranzGo, Library::KafkaJs, Library::AioKafka];
    let topic = |library: Library| format!("transaction-{library:?}").to_lowercase();
    world.create_topics(&libraries.map(topic).join(","), 3, &[]);
    let mut faults = Vec::new();
    for library in libraries {
        let topic = topic(library);
        match world.produce(library, &gateway.plain(), &topic, &file, &["--transactional-id", &topic]) {
            Err(error) => faults.push(format!("{library:?}: {error:#}")),
            Ok(answers) => {
                let stored = world.committed_when(&topic, sent.len());
                let run =
                    Run { sent: &sent, answers: &answers, stored: &stored, duplicates: false, rules: &rules };
                faults.extend(run.faults().iter().map(|fault| format!("{library:?}: {fault}")));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    copies_are_masked(&world, &gateway, &rules);
    measured_records_are_masked(&world, &gateway, &rules);
}

/// TransactionalMessageCopier reads what was written past the gateway, and writes it through the gateway: as
/// text and without headers.
fn copies_are_masked(world: &World, gateway: &Gateway, rules: &Rules) {
    let sent = texts(generate(29, 200));
    let file = world.file("copier", sent.iter().map(|planted| &planted.sent));
    world.create_topics("copier-in,copier-out", 1, &[]);
    let answers = world.produce(Library::Librdkafka, &world.direct(), "copier-in", &file, &[]).unwrap();
    assert!(answers.iter().all(|answer| answer.error.is_none()), "{answers:?}");
    let count = sent.len().to_string();
    let bootstrap = gateway.plain();
    let arguments = [
        ["--broker-list", &bootstrap],
        ["--input-topic", "copier-in"],
        ["--output-topic", "copier-out"],
        ["--input-partition", "0"],
        ["--transactional-id", "copier"],
        ["--consumer-group", "copier"],
        ["--max-messages", &count],
        ["--transaction-size", "20"],
    ];
    let class = "org.apache.kafka.tools.TransactionalMessageCopier";
    world.tool(class, &arguments.concat());
    let copied = world.committed_when("copier-out", sent.len());
    let mut pseudonyms = BTreeMap::new();
    for (Stored { record, .. }, planted) in copied.iter().zip(&sent) {
        assert!(planted.is_key(record.key.as_deref(), rules, &mut pseudonyms), "{:?}", record.key);
        assert_eq!(record.value, planted.value(rules));
        assert_eq!(record.headers, labels(planted, rules));
    }
    assert_eq!(copied.len(), sent.len());
}

/// Records whose value is one line of text, without headers.
fn texts(records: Vec<Planted>) -> Vec<Planted> {
    let text = |planted: &Planted| {
        planted.sent.value.as_deref().is_some_and(|value| !value.is_empty() && value.is_ascii())
    };
    records.into_iter().filter(text).map(Planted::without_headers).collect()
}

/// ProducerPerformance picks lines of a file at random: each must arrive as one of the masked lines.
fn measured_records_are_masked(world: &World, gateway: &Gateway, rules: &Rules) {
    const RECORDS: usize = 20_000;
    let sent: Vec<Planted> = texts(generate(31, 100)).into_iter().map(Planted::without_key).collect();
    let lines: Vec<&str> = sent
        .iter()
        .map(|planted| std::str::from_utf8(planted.sent.value.as_deref().unwrap()).unwrap())
        .collect();
    let file = std::env::temp_dir().join(format!("gateway-it-perf-{}.txt", std::process::id()));
    std::fs::write(&file, lines.join("\n")).unwrap();
    world.create_topics("perf", 3, &[]);
    let class = "org.apache.kafka.tools.ProducerPerformance";
    let (bootstrap, file_name, count) = (gateway.plain(), file.display().to_string(), RECORDS.to_string());
    let arguments = [
        ["--bootstrap-server", &bootstrap],
        ["--topic", "perf"],
        ["--num-records", &count],
        ["--payload-file", &file_name],
        ["--throughput", "-1"],
        ["--command-property", "compression.type=zstd"],
    ];
    let printed = world.tool(class, &arguments.concat());
    std::fs::remove_file(file).unwrap();
    assert!(printed.contains("records sent"), "{printed}");
    let expected: Vec<(Option<Vec<u8>>, Vec<Header>)> =
        sent.iter().map(|planted| (planted.value(rules), labels(planted, rules))).collect();
    let stored = world.stored("perf");
    assert_eq!(stored.len(), RECORDS);
    let is_expected = |stored: &&Stored| {
        expected
            .iter()
            .any(|(value, headers)| stored.record.value == *value && stored.record.headers == *headers)
    };
    let wrong = stored.iter().find(|stored| !is_expected(stored));
    assert!(wrong.is_none(), "{wrong:?}");
}
