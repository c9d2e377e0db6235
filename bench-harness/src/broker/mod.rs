//! A Kafka broker in memory: what standard clients need to produce and to read back by partition.
//!
//! It is strict where the gateway must be right: each batch is checked as a broker checks it and decoded
//! with the `kafka-protocol` crate, so an encoder's mistake cannot hide behind a decoder of the same hand.
//! It is test code that nevertheless takes bytes from the network: every count is checked before the
//! crate, which allocates what a count claims, sees it.
//!
//! ```
//! use bench_harness::broker::{MemoryBroker, Options};
//! let broker = MemoryBroker::start(Options::default())?;
//! println!("bootstrap.servers={}", broker.address());
//! assert!(broker.records("orders").is_empty());
//! # Ok::<(), std::io::Error>(())
//! ```

mod answer;
mod batch;
mod fetch;
mod log;
mod offline;
mod produce;
mod serve;
mod shape;
mod topology;

pub use log::{StoredBatch, StoredRecord};
pub use offline::{OfflineBroker, Outcome};

use log::Logs;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc::UnboundedSender};

/// How a broker is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Number of nodes, each on a port of its own; node ids are 1, 2, and so on, as in KRaft.
    pub nodes: i32,
    /// Host name that Metadata and all other answers give for every node; `None`: the address listened on.
    ///
    /// A name that does not resolve proves that a proxy rewrites every address.
    pub advertised_host: Option<String>,
    /// Partitions of a topic that is created by its first use. Partition `p` is led by node `p % nodes + 1`.
    pub partitions: i32,
    /// Largest batch in bytes, as the broker's `max.message.bytes`.
    pub batch_bytes_max: usize,
    /// What becomes of accepted batches.
    pub keep: Keep,
    /// Highest advertised version by API key, to play an older broker; keys not named keep theirs.
    pub version_max: Vec<(i16, i16)>,
}

/// What becomes of accepted batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Decode every batch and keep bytes and records: tests and demo.
    Records,
    /// Check header, checksum and sequence, count, forget: benchmarks.
    Counts,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 1,
            advertised_host: None,
            partitions: 4,
            batch_bytes_max: BATCH_BYTES_MAX,
            keep: Keep::Records,
            version_max: Vec::new(),
        }
    }
}

/// Default of the broker's `max.message.bytes`.
const BATCH_BYTES_MAX: usize = 1_048_588;

/// Something that goes wrong on purpose. `count` is the number of requests it strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// From now on requests are read and never answered, until [`MemoryBroker::heal`].
    Silence,
    /// The answers of the next `count` Produce requests wait for `delay`.
    Delay {
        /// Requests struck.
        count: usize,
        /// Time between append and answer.
        delay: Duration,
    },
    /// The next `count` Produce requests append nothing and get this error code in every partition.
    Refuse {
        /// Requests struck.
        count: usize,
        /// Kafka error code, for example 19 (`NOT_ENOUGH_REPLICAS`).
        error_code: i16,
    },
    /// The next `count` Produce requests append nothing and the connection is closed.
    DropBefore {
        /// Requests struck.
        count: usize,
    },
    /// The next `count` Produce requests are appended and the connection is closed without an answer.
    DropAfter {
        /// Requests struck.
        count: usize,
    },
}

/// What the broker has seen since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Connections accepted.
    pub connections: u64,
    /// Batches appended.
    pub batches: u64,
    /// Records appended.
    pub records: u64,
    /// Bytes of the appended batches.
    pub bytes: u64,
    /// Batches that an idempotent producer sent again and that were acknowledged without appending.
    pub duplicates: u64,
    /// Why batches were refused and connections closed for bad input, newest last, at most 1,000.
    pub complaints: VecDeque<String>,
}

/// A running broker; dropping it ends it.
#[derive(Debug)]
pub struct MemoryBroker {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    orders: UnboundedSender<Order>,
    thread: Option<JoinHandle<()>>,
}

impl MemoryBroker {
    /// Starts all nodes on free ports of 127.0.0.1, on a thread of the broker's own.
    ///
    /// # Errors
    ///
    /// When a socket or the thread cannot be made.
    pub fn start(options: Options) -> io::Result<Self> {
        let listeners = serve::bind(options.nodes)?;
        let addresses =
            listeners.iter().map(std::net::TcpListener::local_addr).collect::<io::Result<Vec<_>>>()?;
        let shared = Arc::new(Shared::new(options, addresses.clone()));
        let (orders, inbox) = tokio::sync::mpsc::unbounded_channel();
        let for_thread = Arc::clone(&shared);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new()
            .name("memory-broker".to_owned())
            .spawn(move || runtime.block_on(serve::nodes(for_thread, listeners, inbox)))?;
        Ok(Self { shared, addresses, orders, thread: Some(thread) })
    }

    /// Where the first node listens: the bootstrap address.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Where each node listens; index 0 is node id 1.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Records of a topic, by partition and offset. Empty for a topic that does not exist.
    pub fn records(&self, topic: &str) -> Vec<StoredRecord> {
        self.shared.state().logs.records(topic)
    }

    /// Batches of a topic, by partition and offset.
    pub fn batches(&self, topic: &str) -> Vec<StoredBatch> {
        self.shared.state().logs.batches(topic)
    }

    /// Waits until the topic has at least `count` records and returns them; after `timeout`, what is there.
    pub fn wait_for_records(&self, topic: &str, count: usize, timeout: Duration) -> Vec<StoredRecord> {
        let deadline = Instant::now() + timeout;
        let mut state = self.shared.state();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if state.logs.record_count(topic) >= count || left.is_zero() {
                return state.logs.records(topic);
            }
            let waited = self.shared.appended.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Counters and complaints so far.
    pub fn totals(&self) -> Totals {
        self.shared.state().totals.clone()
    }

    /// Changes what becomes of batches from now on.
    pub fn keep(&self, keep: Keep) {
        self.shared.state().keep = keep;
    }

    /// Creates a topic, or makes it anew with another topic id and no records.
    pub fn create_topic(&self, topic: &str, partitions: i32) {
        self.shared.state().logs.create(topic, partitions);
    }

    /// The id of a topic, as Metadata v10 and later give it.
    pub fn topic_id(&self, topic: &str) -> Option<[u8; 16]> {
        self.shared.state().logs.topic(topic).map(|topic| topic.id.into_bytes())
    }

    /// Makes node `node_id` the leader of a partition.
    pub fn move_leader(&self, topic: &str, partition: i32, node_id: i32) {
        self.shared.state().logs.move_leader(topic, partition, node_id);
    }

    /// Adds a fault behind those that are still to strike.
    pub fn fault(&self, fault: Fault) {
        self.shared.state().faults.push_back(fault);
    }

    /// Takes all faults back; connections that were silenced stay silent.
    pub fn heal(&self) {
        self.shared.state().faults.clear();
    }

    /// Closes the listener and all connections of node `node_id`, as a killed broker would.
    pub fn stop_node(&self, node_id: i32) {
        self.order(|done| Order::Stop { node_id, done });
    }

    /// Starts a stopped node again on its port, with its records as they were.
    pub fn start_node(&self, node_id: i32) {
        self.order(|done| Order::Start { node_id, done });
    }

    /// Ends the broker and waits for its thread.
    pub fn stop(mut self) {
        self.finish();
    }

    /// Sends an order to the broker's thread and waits until it is carried out.
    fn order(&self, order: impl FnOnce(mpsc::Sender<()>) -> Order) {
        let (done, wait) = mpsc::channel();
        if self.orders.send(order(done)).is_ok() {
            // An error means that the thread has ended, and with it the node.
            wait.recv().ok();
        }
    }

    fn finish(&mut self) {
        self.orders.send(Order::Quit).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl Drop for MemoryBroker {
    fn drop(&mut self) {
        self.finish();
    }
}

/// What the handle tells the broker's thread.
enum Order {
    Stop { node_id: i32, done: mpsc::Sender<()> },
    Start { node_id: i32, done: mpsc::Sender<()> },
    Quit,
}

/// What the handle and the broker's thread share.
#[derive(Debug)]
struct Shared {
    options: Options,
    addresses: Vec<SocketAddr>,
    state: Mutex<State>,
    /// Signalled after each append, for waiting threads.
    appended: Condvar,
    /// Signalled after each append, for waiting Fetch requests.
    fetchable: Notify,
}

#[derive(Debug)]
struct State {
    logs: Logs,
    totals: Totals,
    faults: VecDeque<Fault>,
    keep: Keep,
    producer_ids: topology::ProducerIds,
}

impl Shared {
    fn new(options: Options, addresses: Vec<SocketAddr>) -> Self {
        let state = State {
            logs: Logs::new(options.nodes),
            totals: Totals::default(),
            faults: VecDeque::new(),
            keep: options.keep,
            producer_ids: topology::ProducerIds::default(),
        };
        let (appended, fetchable) = (Condvar::new(), Notify::new());
        Self { options, addresses, state: Mutex::new(state), appended, fetchable }
    }

    /// The state; a panic of another holder leaves nothing half done that a test could not see.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Host and port that answers give for a node.
    fn advertised(&self, node_id: i32) -> Option<(String, u16)> {
        let index = usize::try_from(node_id.checked_sub(1)?).ok()?;
        let address = self.addresses.get(index)?;
        let host = self.options.advertised_host.clone().unwrap_or_else(|| address.ip().to_string());
        Some((host, address.port()))
    }
}

impl State {
    /// Remembers why something was refused.
    fn complain(&mut self, complaint: String) {
        if self.totals.complaints.len() == COMPLAINTS_MAX {
            self.totals.complaints.pop_front();
        }
        self.totals.complaints.push_back(complaint);
    }
}

/// Complaints kept; older ones are forgotten.
const COMPLAINTS_MAX: usize = 1000;

#[cfg(test)]
mod tests;
