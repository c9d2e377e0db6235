//! CPU time of the gateway per payload byte, beside a plain relay in the same run.
//!
//! All arms are started once and take turns, forwards and backwards, so that whatever else the machine does
//! strikes all alike. The gateway and the relay have a core of their own; load and broker have the rest.
//! Before the clock starts, each arm carries every request once and the broker's records are compared with
//! what was sent: an arm that lets a planted value through, or changes anything else, is an error.

use anyhow::{Context, Result, ensure};
use bench_harness::broker::{Keep, MemoryBroker, Options};
use bench_harness::client::Connection;
use bench_harness::codec::Codec;
use bench_harness::gateway::{Gateway, Setup};
use bench_harness::host;
use bench_harness::load::{Producer, Requests, Workload};
use bench_harness::record::{self, median};
use bench_harness::relay::Relay;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

/// Options of the benchmark.
#[derive(clap::Args)]
pub(crate) struct Bench {
    /// The `gateway` program.
    #[arg(long, value_name = "FILE")]
    gateway: PathBuf,
    /// The policy in force where records are inspected.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Turns of each arm.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// Seconds of a turn.
    #[arg(long, default_value_t = 0.5)]
    seconds: f64,
    /// Requests in flight.
    #[arg(long, default_value_t = 4)]
    in_flight: usize,
    /// Uncompressed bytes of a batch.
    #[arg(long, default_value_t = 64 << 10)]
    batch_bytes: usize,
    /// Bytes of a record's value.
    #[arg(long, default_value_t = 1024)]
    record_bytes: usize,
    /// Write the result, with all samples, into this folder.
    #[arg(long, value_name = "FOLDER")]
    record: Option<PathBuf>,
}

/// The topic of all arms.
const TOPIC: &str = "bench";

/// What spends the CPU time.
enum Proxy {
    Relay(Relay),
    Gateway { gateway: Gateway, inspects: bool },
}

impl Proxy {
    fn cpu_time(&self) -> Result<Duration> {
        match self {
            Self::Relay(relay) => relay.cpu_time(),
            Self::Gateway { gateway, .. } => gateway.cpu_time(),
        }
    }

    /// Where requests for partition 0 go.
    fn leader(&self) -> Result<SocketAddr> {
        let gateway = match self {
            Self::Relay(relay) => return Ok(relay.address()),
            Self::Gateway { gateway, .. } => gateway,
        };
        let metadata = Connection::open(gateway.bootstrap())?.metadata(TOPIC)?;
        let node = metadata.brokers.first().context("no broker in Metadata")?;
        Ok(SocketAddr::new(node.host.as_str().parse()?, u16::try_from(node.port)?))
    }
}

/// One line of the result.
struct Arm {
    name: String,
    proxy: Rc<Proxy>,
    requests: Requests,
    producer: Producer,
    samples: Vec<Sample>,
}

/// One turn of an arm.
#[derive(Clone, Copy)]
struct Sample {
    /// CPU nanoseconds per payload byte.
    cost: f64,
    /// Payload, MB/s.
    rate: f64,
}

impl Bench {
    /// Measures and prints.
    pub(crate) fn run(self) -> Result<bool> {
        let cores = host::cores()?;
        let (proxy_core, load_cores) = match cores.as_slice() {
            [.., _, last] => (*last, &cores[..cores.len() - 1]),
            _ => (cores[0], &cores[..]),
        };
        let machine = host::describe();
        host::pin(load_cores)?;
        let broker = MemoryBroker::start(Options { partitions: 1, ..Options::default() })?;
        Connection::open(broker.address())?.metadata(TOPIC)?;
        host::pin(&[proxy_core])?;
        let proxies = self.proxies(&broker, proxy_core);
        host::pin(load_cores)?;
        let mut arms = self.arms(&proxies?)?;
        for arm in &mut arms {
            arm.prove(&broker, self.in_flight).with_context(|| format!("arm `{}`", arm.name))?;
        }
        broker.keep(Keep::Counts);
        for round in 0..self.rounds {
            let order: Vec<usize> =
                if round % 2 == 0 { (0..arms.len()).collect() } else { (0..arms.len()).rev().collect() };
            for index in order {
                arms[index].turn(&broker, self.in_flight, Duration::from_secs_f64(self.seconds))?;
            }
        }
        let report = format!(
            "{machine}\nbatches   {} bytes, records {} bytes, {} in flight, {} turns of {} s\n\n{}",
            self.batch_bytes,
            self.record_bytes,
            self.in_flight,
            self.rounds,
            self.seconds,
            table(&arms)?
        );
        println!("{report}");
        self.keep_record(&report, &arms)?;
        Ok(true)
    }

    /// Relay and gateways; this thread's core is theirs.
    fn proxies(&self, broker: &MemoryBroker, core: usize) -> Result<Vec<(&'static str, Rc<Proxy>)>> {
        let gateway = |inspection, io| {
            let gateway = Gateway::start(&Setup {
                program: self.gateway.clone(),
                policy: self.policy.clone(),
                upstream: broker.address().to_string(),
                inspection,
                io,
                workers: Some(1),
            })?;
            Ok::<_, anyhow::Error>(Rc::new(Proxy::Gateway { gateway, inspects: inspection }))
        };
        Ok(vec![
            ("relay", Rc::new(Proxy::Relay(Relay::start(broker.address(), vec![core])?))),
            ("pass-through io_uring", gateway(false, "io_uring")?),
            ("pass-through epoll", gateway(false, "epoll")?),
            ("classify io_uring", gateway(true, "io_uring")?),
            ("classify epoll", gateway(true, "epoll")?),
        ])
    }

    /// Every proxy with clean plain batches, and the classifying ones with what they must work for.
    fn arms(&self, proxies: &[(&'static str, Rc<Proxy>)]) -> Result<Vec<Arm>> {
        let mut arms = Vec::new();
        for (name, proxy) in proxies {
            let classifies = matches!(**proxy, Proxy::Gateway { inspects: true, .. });
            let codecs: &[Codec] =
                if classifies { &[Codec::None, Codec::Lz4, Codec::Zstd] } else { &[Codec::None] };
            let hit_rates: &[f64] = if classifies { &[0.0, 0.01] } else { &[0.0] };
            for codec in codecs {
                for hit_rate in hit_rates {
                    let workload = Workload {
                        codec: *codec,
                        hit_rate: *hit_rate,
                        record_bytes: self.record_bytes,
                        batch_bytes: self.batch_bytes,
                    };
                    arms.push(Arm {
                        name: format!("{name}, {}, {:.0} % hits", codec.name(), hit_rate * 100.0),
                        proxy: Rc::clone(proxy),
                        requests: Requests::prepare(TOPIC, &workload)?,
                        producer: Producer::connect(proxy.leader()?)?,
                        samples: Vec::new(),
                    });
                }
            }
        }
        Ok(arms)
    }

    /// Writes the report and every sample into the folder of `--record`.
    fn keep_record(&self, report: &str, arms: &[Arm]) -> Result<()> {
        let Some(folder) = &self.record else {
            return Ok(());
        };
        let mut text = format!("{report}\nCPU ns per payload byte, turn by turn:\n");
        for arm in arms {
            let samples: Vec<String> =
                arm.samples.iter().map(|sample| format!("{:.3}", sample.cost)).collect();
            writeln!(text, "{}: {}", arm.name, samples.join(" "))?;
        }
        record::keep(folder, "cpu", &text)
    }
}

impl Arm {
    /// Carries every request once and compares the broker's records with what was sent.
    fn prove(&mut self, broker: &MemoryBroker, in_flight: usize) -> Result<()> {
        broker.create_topic(TOPIC, 1);
        let count = self.requests.count() as u64;
        let ran = self.producer.run(&mut self.requests, in_flight, |sent, _| sent < count)?;
        ensure!(ran.requests == count, "{} of {count} requests", ran.requests);
        let stored = broker.records(TOPIC);
        ensure!(
            stored.len() == self.requests.records.len(),
            "{} of {} records",
            stored.len(),
            self.requests.records.len()
        );
        let masks = matches!(*self.proxy, Proxy::Gateway { inspects: true, .. });
        for (sent, stored) in self.requests.records.iter().zip(&stored) {
            let value = stored.value.as_deref().unwrap_or_default();
            let value = std::str::from_utf8(value).context("a value that is not UTF-8")?;
            let leaked = sent.secret().filter(|(_, secret)| value.contains(secret));
            ensure!(!masks || leaked.is_none(), "leaked {leaked:?}");
            ensure!(sent.is_same_elsewhere(value), "changed elsewhere: {} became {value}", sent.value);
        }
        Ok(())
    }

    /// Runs for some time and notes what it cost.
    fn turn(&mut self, broker: &MemoryBroker, in_flight: usize, time: Duration) -> Result<()> {
        let records_before = broker.totals().batches;
        let cpu_before = self.proxy.cpu_time()?;
        let ran = self.producer.run(&mut self.requests, in_flight, |_, elapsed| elapsed < time)?;
        let cpu = self.proxy.cpu_time()? - cpu_before;
        let batches = broker.totals().batches - records_before;
        ensure!(batches == ran.requests, "{batches} batches at the broker, {} acknowledged", ran.requests);
        let bytes = ran.payload_bytes as f64;
        self.samples.push(Sample {
            cost: cpu.as_nanos() as f64 / bytes,
            rate: bytes / 1e6 / ran.elapsed.as_secs_f64(),
        });
        Ok(())
    }
}

/// The arms below each other: cost, its range, its ratio to the relay of the same round, rate.
fn table(arms: &[Arm]) -> Result<String> {
    let relay = &arms.first().context("no arms")?.samples;
    let mut table =
        format!("{:<40} {:>8} {:>15} {:>8} {:>8}\n", "arm", "CPU ns/B", "range", "x relay", "MB/s");
    for arm in arms {
        let costs: Vec<f64> = arm.samples.iter().map(|sample| sample.cost).collect();
        let ratios = arm.samples.iter().zip(relay).map(|(sample, relay)| sample.cost / relay.cost);
        let rates = arm.samples.iter().map(|sample| sample.rate);
        let range = format!("{:.3}-{:.3}", smallest(&costs), largest(&costs));
        writeln!(
            table,
            "{:<40} {:>8.3} {range:>15} {:>8.2} {:>8.0}",
            arm.name,
            median(costs),
            median(ratios),
            median(rates)
        )?;
    }
    Ok(table)
}

fn smallest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}
