//! The producing side of the demo: telemetry to the gateway, as a Kafka producer would send it.

use super::board::Board;
use anyhow::{Context, Result, bail};
use bench_harness::client::{Connection, PRODUCE_VERSION, produce_error, produce_request};
use bench_harness::codec::Codec;
use bench_harness::outgoing::{NOT_IDEMPOTENT, OutgoingRecord, batch};
use bench_harness::telemetry::{Options, Telemetry, TelemetryRecord};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What is produced, and where to.
pub(super) struct Plan {
    pub(super) gateway: SocketAddr,
    pub(super) topic: String,
    /// Records in all; `None` until stopped.
    pub(super) records: Option<u64>,
    /// Records a second; `None` as fast as they are acknowledged.
    pub(super) per_second: Option<u32>,
}

/// Records that are sent together.
const RECORDS_PER_ROUND: usize = 200;

/// Starts the producer.
pub(super) fn start(plan: Plan, board: Arc<Board>, stop: Arc<AtomicBool>) -> JoinHandle<Result<()>> {
    std::thread::spawn(move || produce(&plan, &board, &stop))
}

fn produce(plan: &Plan, board: &Board, stop: &AtomicBool) -> Result<()> {
    let mut telemetry = Telemetry::new(Options { hit_rate: 0.2, ..Options::default() });
    let mut leaders = Leaders::find(plan)?;
    let started = Instant::now();
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) && plan.records.is_none_or(|all| sent < all) {
        let left = plan.records.map_or(u64::MAX, |all| all - sent);
        let round: Vec<_> = telemetry.by_ref().take(RECORDS_PER_ROUND.min(usize::try_from(left)?)).collect();
        sent += round.len() as u64;
        leaders.send(plan, board, round)?;
        if let Some(per_second) = plan.per_second {
            let due = Duration::from_secs_f64(sent as f64 / f64::from(per_second));
            std::thread::sleep(due.saturating_sub(started.elapsed()));
        }
    }
    Ok(())
}

/// One connection to the leader of each partition, by the addresses that the gateway gave.
struct Leaders {
    by_partition: Vec<i32>,
    connections: BTreeMap<i32, Connection>,
}

impl Leaders {
    fn find(plan: &Plan) -> Result<Self> {
        let metadata = Connection::open(plan.gateway)?.metadata(&plan.topic)?;
        let topic = metadata.topics.first().context("no topic in Metadata")?;
        let mut connections = BTreeMap::new();
        for node in &metadata.brokers {
            let port = u16::try_from(node.port)?;
            connections.insert(node.node_id.0, Connection::open((node.host.as_str(), port))?);
        }
        let mut partitions: Vec<_> = topic.partitions.iter().collect();
        partitions.sort_by_key(|partition| partition.partition_index);
        let by_partition = partitions.iter().map(|partition| partition.leader_id.0).collect();
        Ok(Self { by_partition, connections })
    }

    /// Sends one batch to each partition that has records in this round.
    fn send(&mut self, plan: &Plan, board: &Board, round: Vec<TelemetryRecord>) -> Result<()> {
        let mut batches: BTreeMap<usize, Vec<OutgoingRecord>> = BTreeMap::new();
        for record in &round {
            let mut hasher = DefaultHasher::new();
            record.key.hash(&mut hasher);
            let partition = hasher.finish() as usize % self.by_partition.len();
            batches.entry(partition).or_default().push(outgoing(record)?);
        }
        board.sent(round);
        for (partition, records) in batches {
            let leader = self.by_partition[partition];
            let connection = self.connections.get_mut(&leader).context("a leader without an address")?;
            let batch = batch(&records, Codec::None, NOT_IDEMPOTENT)?;
            let request = produce_request(&plan.topic, i32::try_from(partition)?, batch);
            let started = Instant::now();
            let response = connection.call(PRODUCE_VERSION, &request)?;
            if let Some(error) = produce_error(&response) {
                bail!("partition {partition} refused: {error}");
            }
            board.acknowledged(started.elapsed());
        }
        Ok(())
    }
}

fn outgoing(record: &TelemetryRecord) -> Result<OutgoingRecord> {
    Ok(OutgoingRecord {
        timestamp: 1_700_000_000_000 + i64::try_from(record.number)?,
        key: Some(Bytes::from_static(record.key.as_bytes())),
        value: Some(Bytes::copy_from_slice(record.value.as_bytes())),
        headers: vec![("seq".to_owned(), record.number.to_string().into())],
    })
}
