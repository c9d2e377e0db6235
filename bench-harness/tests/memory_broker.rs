//! The memory broker under every client library of the matrix.

use bench_harness::broker::{MemoryBroker, Options};
use bench_harness::codec::Codec;
use bench_harness::kafka::clients::{Header, Record, write_records};
use bench_harness::kafka::{Clients, Library};

const RECORDS: usize = 500;

fn records() -> Vec<Record> {
    let record = |number: usize| Record {
        id: number.to_string(),
        key: Some(format!("key {}", number % 7).into_bytes()),
        value: Some(format!("value {number}").into_bytes()),
        headers: vec![Header("id".to_owned(), Some(number.to_string().into_bytes()))],
    };
    (0..RECORDS).map(record).collect()
}

fn produce(clients: &Clients, library: Library, codec: Codec, broker: &MemoryBroker, topic: &str) {
    let file = std::env::temp_dir().join(format!("memory-broker-{}-{topic}.jsonl", std::process::id()));
    write_records(&file, &records()).unwrap();
    let mut arguments: Vec<String> = [
        "--bootstrap",
        &broker.address().to_string(),
        "--topic",
        topic,
        "--codec",
        codec.name(),
        "--acks",
        "all",
    ]
    .map(str::to_owned)
    .to_vec();
    arguments.extend(["--records".to_owned(), file.display().to_string(), "--idempotent".to_owned()]);
    let answers = clients.produce(library, &arguments);
    std::fs::remove_file(&file).unwrap();
    let answers =
        answers.unwrap_or_else(|error| panic!("{topic}: {error:#}: {:?}", broker.totals().complaints));
    let refused = answers.iter().find(|answer| answer.error.is_some());
    assert!(refused.is_none(), "{topic}: {refused:?}");
}

#[test]
fn every_library_produces_and_the_console_consumer_reads_back() {
    let clients = Clients::install().unwrap();
    let broker = MemoryBroker::start(Options { nodes: 2, partitions: 3, ..Options::default() }).unwrap();
    for (library, codec) in Library::ALL.into_iter().zip(Codec::ALL.into_iter().cycle()) {
        // kafkajs ships gzip only.
        let codec = if library == Library::KafkaJs { Codec::Gzip } else { codec };
        let topic = format!("{library:?}");
        // franz-go does not ask for topics to be created.
        broker.create_topic(&topic, 3);
        produce(&clients, library, codec, &broker, &topic);

        let stored = broker.records(&topic);
        assert_eq!(stored.len(), RECORDS, "{topic}: {:?}", broker.totals().complaints);
        let mut ids: Vec<usize> = stored
            .iter()
            .map(|record| std::str::from_utf8(record.header("id").unwrap()).unwrap().parse().unwrap())
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, (0..RECORDS).collect::<Vec<_>>(), "{topic}");
        assert!(broker.batches(&topic).iter().all(|batch| batch.codec == codec), "{topic}: {codec:?}");

        let in_partition_0 = stored.iter().filter(|record| record.partition == 0).count();
        if in_partition_0 > 0 {
            let (bootstrap, count) = (broker.address().to_string(), in_partition_0.to_string());
            let consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer";
            let options = [
                "--partition",
                "0",
                "--offset",
                "earliest",
                "--max-messages",
                &count,
                "--timeout-ms",
                "20000",
            ];
            let printed = clients.tool(
                consumer,
                &[&["--bootstrap-server", &bootstrap, "--topic", &topic], &options[..]].concat(),
            );
            let lines = printed.unwrap().out.lines().filter(|line| line.starts_with("value ")).count();
            assert_eq!(lines, in_partition_0, "{topic}: {:?}", broker.totals().complaints);
        }
    }
}
