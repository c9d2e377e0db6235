//! `cargo xtask kafka` behind its set-up: a real broker to play with, and captures of real clients.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bench_harness::kafka::clients::{Header, Record, write_records};
use bench_harness::kafka::tap::{Exchange, Tap};
use bench_harness::kafka::{Clients, Cluster, Library, Listener, Spec, cluster};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "kafka", about = "A real Apache Kafka on 127.0.0.1, from Maven's jars")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Start brokers and leave them running.
    Up {
        /// 1 or 3.
        #[arg(long, default_value_t = 1)]
        brokers: usize,
        /// First port; each broker takes 8.
        #[arg(long, default_value_t = 19092)]
        port: u16,
        /// Host that the listeners for the gateway advertise.
        #[arg(long, default_value = "127.0.0.1")]
        upstream_host: String,
    },
    /// End them and remove their data.
    Down,
    /// Install the jars and the client programs, and start nothing.
    Install,
    /// Write the Produce requests of every client and codec, and broker answers, into a folder.
    Capture {
        /// The folder.
        folder: PathBuf,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Up { brokers, port, upstream_host } => up(brokers, port, upstream_host),
        Task::Down => cluster::stop(NAME),
        Task::Install => Clients::install().map(drop),
        Task::Capture { folder } => capture(&folder),
    }
}

fn up(brokers: usize, port: u16, upstream_host: String) -> Result<()> {
    let spec = Spec { name: NAME.to_owned(), brokers, base_port: Some(port), upstream_host };
    let cluster = Cluster::start(spec)?;
    let (user, password) = Cluster::sasl_user();
    println!("plain     {}", cluster.bootstrap(Listener::Direct));
    println!("upstream  {}", cluster.bootstrap(Listener::Upstream));
    println!("TLS       {}  authority {}", cluster.bootstrap(Listener::UpstreamTls), cluster.ca().display());
    println!("SASL      {}  user {user}, password {password}", cluster.bootstrap(Listener::UpstreamSasl));
    cluster.detach()
}

/// The upstream listener is bound on 127.0.0.1 and advertised as 127.0.0.2, where the tap listens on its port.
fn capture(folder: &Path) -> Result<()> {
    let spec = Spec { upstream_host: "127.0.0.2".to_owned(), ..Spec::single("capture") };
    let clients = Clients::install()?;
    let cluster = Cluster::start(spec)?;
    let upstream = cluster.bootstrap(Listener::Upstream);
    let address = upstream.replace("127.0.0.1", "127.0.0.2");
    let tap = Tap::start(&address, &upstream)?;
    fs::create_dir_all(folder)?;
    let records = std::env::temp_dir().join(format!("gateway-capture-{}.jsonl", std::process::id()));
    write_records(&records, &sample())?;
    let direct = cluster.bootstrap(Listener::Direct);
    let text = |arguments: &[&str]| arguments.iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>();
    clients.java::<serde_json::Value>(
        "create",
        &text(&["--bootstrap", &direct, "--topic", TOPIC, "--partitions", "1"]),
    )?;
    for library in Library::ALL {
        for codec in CODECS {
            let records = records.display().to_string();
            let common = ["--bootstrap", &address, "--topic", TOPIC, "--records", &records, "--codec", codec];
            let answers = clients.produce(library, &text(&common))?;
            ensure!(answers.iter().all(|answer| answer.error.is_none()), "{library:?} {codec}: {answers:?}");
            write(folder, &format!("{}-{codec}", file_name(library)), &tap.take())?;
        }
    }
    fs::remove_file(records)?;
    Ok(())
}

/// Writes the largest Produce request with its answer, and with codec none the answers whose addresses the
/// gateway rewrites.
fn write(folder: &Path, name: &str, exchanges: &[Exchange]) -> Result<()> {
    let produce =
        exchanges.iter().filter(|exchange| exchange.api().0 == 0).max_by_key(|one| one.request.len());
    let produce = produce.with_context(|| format!("{name}: no Produce request seen"))?;
    let version = produce.api().1;
    fs::write(folder.join(format!("produce-v{version}-{name}.request")), &produce.request)?;
    if !name.ends_with("none") {
        return Ok(());
    }
    for (api_key, api) in [(0, "produce"), (18, "api_versions"), (3, "metadata")] {
        let answered = exchanges.iter().rfind(|one| one.api().0 == api_key && one.response.is_some());
        let Some(exchange) = answered else { continue };
        let stem = format!("{api}-v{}-{name}", exchange.api().1);
        fs::write(folder.join(format!("{stem}.request")), &exchange.request)?;
        fs::write(folder.join(format!("{stem}.response")), exchange.response.as_deref().unwrap_or_default())?;
    }
    Ok(())
}

/// Ten small records: clean and sensitive values, null keys and values (aiokafka refuses both at once), headers
/// that repeat.
fn sample() -> Vec<Record> {
    let record = |index: usize| {
        let value = match index % 4 {
            0 => Some(r#"{"device":"pump-7","pan":"4111 1111 1111 1111","ok":true}"#),
            1 => Some(r#"{"device":"pump-8","note":"nothing to see","temperature":21.5}"#),
            2 => Some("ts=2026-01-02T03:04:05Z level=info user=ada.lovelace@example.org action=login"),
            _ => None,
        };
        let header = |name: &str, value: &str| Header(name.to_owned(), Some(value.as_bytes().to_vec()));
        let headers = match index % 3 {
            0 => Vec::new(),
            1 => vec![header("trace", "0af7651916cd43dd")],
            _ => vec![header("hop", "a"), header("hop", "b"), header("ssn", "536-22-8726")],
        };
        Record {
            id: format!("record-{index}"),
            key: (!index.is_multiple_of(2)).then(|| format!("key-{index}").into_bytes()),
            value: value.map(|text| text.as_bytes().to_vec()),
            headers,
        }
    };
    (0..10).map(record).collect()
}

fn file_name(library: Library) -> &'static str {
    match library {
        Library::Java => "java",
        Library::Librdkafka => "librdkafka",
        Library::FranzGo => "franz-go",
        Library::Sarama => "sarama",
        Library::KafkaJs => "kafkajs",
        Library::AioKafka => "aiokafka",
    }
}

const NAME: &str = "playground";
const TOPIC: &str = "captures";
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
