//! The product at work: telemetry in, classified and masked records out, side by side.
//!
//! A producer sends telemetry with planted sensitive values through the gateway. A reader fetches the same
//! topic from the broker itself and compares each record with what was sent.

mod board;
mod producer;
mod reader;

use anyhow::{Context, Result};
use bench_harness::broker::{MemoryBroker, Options};
use bench_harness::gateway::{Gateway, Setup};
use board::Board;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Options of the demo.
#[derive(clap::Args)]
pub(crate) struct Demo {
    /// The `gateway` program.
    #[arg(long, value_name = "FILE")]
    gateway: PathBuf,
    /// The policy in force.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Send a fixed number of records, check every one of them and stop.
    #[arg(long)]
    once: bool,
    /// Produce to this Kafka instead of the embedded broker.
    #[arg(long, value_name = "HOST:PORT")]
    upstream: Option<String>,
}

/// Records of `--once`.
const RECORDS_ONCE: u64 = 20_000;

/// Records a second without `--once`: enough to see, little enough to read along.
const RECORDS_PER_SECOND: u32 = 2_000;

/// Time for the last records to arrive after the last acknowledgement.
const ARRIVAL_PATIENCE: Duration = Duration::from_secs(10);

impl Demo {
    /// Runs until Ctrl-C, or for a fixed number of records; true when all arrived and nothing leaked.
    pub(crate) fn run(self) -> Result<bool> {
        let embedded = match self.upstream {
            Some(_) => None,
            None => {
                Some(MemoryBroker::start(Options::default()).context("cannot start the embedded broker")?)
            }
        };
        let upstream = match (&self.upstream, &embedded) {
            (Some(upstream), _) => upstream.clone(),
            (None, Some(broker)) => broker.address().to_string(),
            (None, None) => unreachable!("without an upstream there is an embedded broker"),
        };
        let gateway = Gateway::start(&Setup {
            program: self.gateway.clone(),
            policy: self.policy.clone(),
            upstream: upstream.clone(),
            inspection: true,
            io: "io_uring",
            workers: None,
        })?;
        self.introduce(&gateway, &upstream);
        let board = Arc::new(Board::default());
        let good = self.exchange(&gateway, &upstream, &board)?;
        let status = gateway.stop()?;
        println!("gateway drained: {status}");
        Ok(good && status.success())
    }

    fn introduce(&self, gateway: &Gateway, upstream: &str) {
        let broker = if self.upstream.is_some() { "Kafka" } else { "embedded broker" };
        println!("producer -> gateway {} -> {broker} {upstream}", gateway.bootstrap());
        println!("policy      {}", self.policy.display());
        println!("try it      kcat -P -b {} -t mine   (and -C -b {upstream} to read)", gateway.bootstrap());
        println!();
    }

    /// Runs producer and reader and shows what they see.
    fn exchange(&self, gateway: &Gateway, upstream: &str, board: &Arc<Board>) -> Result<bool> {
        let topic = topic()?;
        let stop = Arc::new(AtomicBool::new(false));
        let reader = reader::start(upstream.to_owned(), topic.clone(), Arc::clone(board), Arc::clone(&stop))?;
        let plan = producer::Plan {
            gateway: gateway.bootstrap(),
            topic,
            records: self.once.then_some(RECORDS_ONCE),
            per_second: (!self.once).then_some(RECORDS_PER_SECOND),
        };
        let producer = producer::start(plan, Arc::clone(board), Arc::clone(&stop));
        if !self.once {
            watch_for_ctrl_c(Arc::clone(&stop))?;
        }
        while !producer.is_finished() && !reader.is_finished() {
            std::thread::sleep(Duration::from_secs(1));
            board.show_progress();
        }
        let deadline = Instant::now() + ARRIVAL_PATIENCE;
        while !reader.is_finished() && !board.all_arrived() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        stop.store(true, Ordering::Relaxed);
        let outcomes = [("producer", producer.join()), ("reader", reader.join())];
        for (who, outcome) in outcomes {
            outcome.map_err(|_| anyhow::anyhow!("the {who} panicked"))?.with_context(|| who)?;
        }
        Ok(board.show_summary())
    }
}

/// A topic of this run's own, so that an upstream that already has records does not confuse the count.
fn topic() -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(format!("telemetry-demo-{}", now.as_millis()))
}

/// Sets `stop` at the first Ctrl-C.
fn watch_for_ctrl_c(stop: Arc<AtomicBool>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::spawn(move || {
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            stop.store(true, Ordering::Relaxed);
        }
    });
    Ok(())
}
