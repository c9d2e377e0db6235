//! Memory of connections that wait: resident memory of the gateway before and after they come, while others work.
//!
//! Each idle connection has asked for versions and metadata and produced one record, so everything that a
//! connection ever needs has been made for it, on both of its sides.

use anyhow::{Context, Result, ensure};
use bench_harness::broker::{Keep, MemoryBroker, Options};
use bench_harness::client::{self, Connection, PRODUCE_VERSION};
use bench_harness::codec::Codec;
use bench_harness::gateway::{Gateway, Setup};
use bench_harness::host;
use bench_harness::load::{Producer, Requests, Workload};
use bench_harness::outgoing::{NOT_IDEMPOTENT, OutgoingRecord, batch};
use bench_harness::record;
use kafka_protocol::messages::ApiVersionsRequest;
use rustix::process::{Resource, getrlimit, setrlimit};
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Options of the measurement.
#[derive(clap::Args)]
pub(crate) struct Idle {
    /// The `gateway` program.
    #[arg(long, value_name = "FILE")]
    gateway: PathBuf,
    /// The policy in force.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Connections that wait.
    #[arg(long, default_value_t = 5_000)]
    connections: usize,
    /// Connections that produce all the while.
    #[arg(long, default_value_t = 64)]
    busy: usize,
    /// Workers of the gateway; its own choice unless given.
    #[arg(long)]
    workers: Option<usize>,
    /// Write the result into this folder.
    #[arg(long, value_name = "FOLDER")]
    record: Option<PathBuf>,
}

/// Most bytes of user memory that a client connection and its upstream connection may cost.
const PAIR_BYTES_MAX: f64 = 8192.0;
/// The topic of all connections.
const TOPIC: &str = "idle";
/// Descriptors of this process beside the connections.
const OTHER_DESCRIPTORS: u64 = 100;
/// Time in which the memory of those who work reaches its level.
const WARM_UP: Duration = Duration::from_secs(5);
/// Looks at the memory, and the time between two.
const LOOKS: usize = 20;
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

impl Idle {
    /// Measures with each driver and prints; false when a pair costs too much.
    pub(crate) fn run(self) -> Result<bool> {
        allow_descriptors(2 * (self.connections + self.busy) as u64 + OTHER_DESCRIPTORS)?;
        let mut report = format!(
            "{}\n{} idle connections, {} busy ones\n\n{:<10} {:>12} {:>12} {:>12} {:>14}\n",
            host::describe(),
            self.connections,
            self.busy,
            "driver",
            "before KiB",
            "after KiB",
            "bytes/pair",
            "busy req/s"
        );
        let mut fits = true;
        for io in ["io_uring", "epoll"] {
            let measured = self.measure(io).with_context(|| io.to_owned())?;
            let Measured { before_kib, after_kib, busy_rate } = measured;
            let bytes = (after_kib as f64 - before_kib as f64) * 1024.0 / self.connections as f64;
            fits &= bytes <= PAIR_BYTES_MAX;
            writeln!(report, "{io:<10} {before_kib:>12} {after_kib:>12} {bytes:>12.0} {busy_rate:>14.0}")?;
        }
        writeln!(report, "\nat most {PAIR_BYTES_MAX} bytes per pair: {}", if fits { "yes" } else { "NO" })?;
        println!("{report}");
        self.record.as_deref().map_or(Ok(()), |folder| record::keep(folder, "idle", &report))?;
        Ok(fits)
    }

    fn measure(&self, io: &'static str) -> Result<Measured> {
        let broker =
            MemoryBroker::start(Options { partitions: 1, keep: Keep::Counts, ..Options::default() })?;
        let gateway = Gateway::start(&Setup {
            program: self.gateway.clone(),
            policy: self.policy.clone(),
            upstream: broker.address().to_string(),
            inspection: true,
            io,
            workers: self.workers,
        })?;
        let leader = leader(&gateway)?;
        let load = Load::start(leader, self.busy)?;
        std::thread::sleep(WARM_UP);
        let before_kib = resident_kib(&gateway)?;
        let idle = (0..self.connections).map(|_| idle_connection(leader)).collect::<Result<Vec<_>>>()?;
        let (started, before) = (Instant::now(), load.requests());
        let after_kib = resident_kib(&gateway)?;
        let done: Vec<u64> = load.requests().iter().zip(before).map(|(now, then)| now - then).collect();
        let busy_rate = done.iter().sum::<u64>() as f64 / started.elapsed().as_secs_f64();
        ensure!(done.iter().all(|requests| *requests > 0), "a busy connection stands still");
        load.stop()?;
        drop(idle);
        Ok(Measured { before_kib, after_kib, busy_rate })
    }
}

struct Measured {
    before_kib: u64,
    after_kib: u64,
    /// Requests per second of the busy connections while the others waited.
    busy_rate: f64,
}

/// Raises the soft limit of descriptors to what is needed; the gateway does so for itself.
fn allow_descriptors(needed: u64) -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    let hard = limit.maximum.unwrap_or(u64::MAX);
    ensure!(
        hard >= needed,
        "this process and the gateway need {needed} descriptors each, and the hard limit is {hard}: raise it \
         (`ulimit -Hn`), or ask for fewer `--connections`"
    );
    limit.current = Some(needed.max(limit.current.unwrap_or(u64::MAX)));
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// Where the gateway stands for the leader of partition 0.
fn leader(gateway: &Gateway) -> Result<SocketAddr> {
    let metadata = Connection::open(gateway.bootstrap())?.metadata(TOPIC)?;
    let node = metadata.brokers.first().context("no broker in Metadata")?;
    Ok(SocketAddr::new(node.host.as_str().parse()?, u16::try_from(node.port)?))
}

/// A connection that has done all that a producer does.
fn idle_connection(leader: SocketAddr) -> Result<Connection> {
    let mut connection = Connection::open(leader)?;
    connection.call(3, &ApiVersionsRequest::default())?;
    connection.metadata(TOPIC)?;
    let record = OutgoingRecord { value: Some("a record before the silence".into()), ..Default::default() };
    let request = client::produce_request(TOPIC, 0, batch(&[record], Codec::None, NOT_IDEMPOTENT)?);
    let response = connection.call(PRODUCE_VERSION, &request)?;
    ensure!(client::produce_error(&response).is_none(), "refused: {response:?}");
    Ok(connection)
}

/// The median of several looks, so that a buffer that is on its way does not count.
fn resident_kib(gateway: &Gateway) -> Result<u64> {
    let mut looks = Vec::new();
    for _ in 0..LOOKS {
        std::thread::sleep(LOOK_INTERVAL);
        looks.push(gateway.resident_kib()?);
    }
    looks.sort_unstable();
    Ok(looks[looks.len() / 2])
}

/// Connections that produce until they are told to stop.
struct Load {
    over: Arc<AtomicBool>,
    requests: Vec<Arc<AtomicU64>>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Load {
    fn start(leader: SocketAddr, connections: usize) -> Result<Self> {
        let mut load = Self { over: Arc::default(), requests: Vec::new(), threads: Vec::new() };
        for _ in 0..connections {
            let (over, count) = (Arc::clone(&load.over), Arc::<AtomicU64>::default());
            let mut producer = Producer::connect(leader)?;
            load.requests.push(Arc::clone(&count));
            load.threads.push(std::thread::spawn(move || {
                let workload =
                    Workload { codec: Codec::None, hit_rate: 0.01, record_bytes: 1024, batch_bytes: 4096 };
                let mut requests = Requests::prepare(TOPIC, &workload)?;
                producer.run(&mut requests, 1, |sent, _| {
                    count.store(sent, Relaxed);
                    !over.load(Relaxed)
                })?;
                Ok(())
            }));
        }
        Ok(load)
    }

    /// Requests so far, by connection.
    fn requests(&self) -> Vec<u64> {
        self.requests.iter().map(|count| count.load(Relaxed)).collect()
    }

    /// Ends all of them; an error when one has failed.
    fn stop(self) -> Result<()> {
        self.over.store(true, Relaxed);
        for thread in self.threads {
            thread.join().expect("the load does not panic")?;
        }
        Ok(())
    }
}
