//! A worker, its control thread, its clients and its cluster on one faulty network.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bench_harness::broker::StoredRecord;
use bytes::Bytes;

use super::super::super::Worker;
use super::super::super::driver::faulty::{Address, Faults, Faulty, Network};
use super::super::super::io::Io;
use super::super::super::shared::{ListenerSettings, Shared};
use super::super::super::sockets::{Bounds, Limits};
use super::super::TURNS_MAX;
use super::broker::{Brokers, NODES, TOPICS};
use super::client::{Client, Ended};
use super::control::{self, Control, GATEWAY_HOST, PORT_BASE};
use super::requests::{CANARIES, ExpectedRecord, Fate, Planned, Planner};
use crate::inspect::Inspector;
use crate::mailbox::{ControlMailbox, ToWorker, mailbox_of};
use crate::policy::{Keys, Policy};
use crate::topology::CurrentTopology;

/// What goes wrong in a world.
#[derive(Clone, Copy)]
pub(super) struct Weather {
    pub(super) faults: Faults,
    /// Brokers finish and reset connections in the middle of their answers.
    pub(super) brokers_fall_away: bool,
    /// Some clients go away in the middle of their requests.
    pub(super) clients_quit: bool,
    /// The gateway drains while they are at it.
    pub(super) drains: bool,
}

impl Weather {
    /// The network misbehaves, but everybody stays.
    pub(super) const ROUGH: Self =
        Self { faults: Faults::ROUGH, brokers_fall_away: false, clients_quit: false, drains: false };
    /// Brokers go, too.
    pub(super) const FALLING_BROKERS: Self = Self { brokers_fall_away: true, ..Self::ROUGH };
    /// Everybody goes.
    pub(super) const HOSTILE: Self =
        Self { faults: Faults::HOSTILE, brokers_fall_away: true, clients_quit: true, drains: false };
    /// The gateway goes.
    pub(super) const DRAINING: Self = Self { drains: true, ..Self::ROUGH };
}

/// Everything of one seed.
pub(super) struct World {
    pub(super) network: Network,
    pub(super) worker: Worker<Faulty>,
    control: Control,
    pub(super) brokers: Brokers,
    weather: Weather,
    labels: bool,
    /// The gateway has just been started and knows no broker.
    fresh: bool,
    /// Clients go to the brokers' ports before the gateway knows the brokers.
    impatient: bool,
    pub(super) turns: usize,
}

impl World {
    /// A world whose gateway may know the brokers, or not yet.
    pub(super) fn new(seed: u64, weather: Weather) -> Self {
        let network = Network::new(seed, weather.faults);
        let fresh = network.random(2) == 0;
        Self::on(network, weather, fresh)
    }

    /// A world whose gateway knows the brokers.
    pub(super) fn informed(seed: u64, weather: Weather) -> Self {
        Self::on(Network::new(seed, weather.faults), weather, false)
    }

    fn on(network: Network, weather: Weather, fresh: bool) -> Self {
        let brokers = Brokers::new(&network, weather.brokers_fall_away);
        let labels = network.random(2) == 0;
        let topology = if fresh { control::bootstrap() } else { control::complete(&brokers) };
        let topology = Arc::new(CurrentTopology::from_pointee(topology));
        let (worker, mailbox) = worker(&network, &topology, labels, 1 + network.random(4));
        worker.executor.io().state().limits = limits(&network);
        let control = Control::new(mailbox, topology);
        Self { network, worker, control, brokers, weather, labels, fresh, impatient: false, turns: 0 }
    }

    fn turn(&mut self) {
        self.turns += 1;
        self.brokers.step(&self.network);
        self.control.step(&self.network);
        self.worker.turn().unwrap();
    }

    /// Turns until `done` returns something.
    pub(super) fn until<T>(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> Option<T>) -> T {
        for _ in 0..TURNS_MAX {
            if let Some(done) = done(self) {
                return done;
            }
            self.turn();
        }
        panic!("a hang while waiting for {what}");
    }

    /// One client that asks the bootstrap port for metadata, then, or meanwhile, several at the nodes' ports.
    pub(super) fn run_clients(&mut self) -> Vec<Ended> {
        let mut clients = Vec::from_iter(self.client(0, None));
        let mut ended = Vec::new();
        let waits = self.network.random(4) > 0;
        self.impatient = self.fresh && !waits;
        if waits {
            ended.extend(self.run(std::mem::take(&mut clients)));
        }
        for id in 1..2 + self.network.random(4) as i32 {
            let (node_id, _) = NODES[self.network.random(NODES.len())];
            clients.extend(self.client(id, Some(node_id)));
        }
        ended.extend(self.run(clients));
        ended
    }

    /// A client of the bootstrap port or of a node's; `None` when nobody listens there any more.
    pub(super) fn client(&self, id: i32, port: Option<i32>) -> Option<Client> {
        let topics = self.brokers.topic_ids();
        let node_id = port.unwrap_or(1);
        let planner = Planner { network: &self.network, topics: &topics, client: id, node_id };
        let mut plan = planner.introduction();
        if port.is_some() {
            plan.extend(planner.requests(2, self.network.random(12)));
        }
        let Some(peer) = self.network.connect(gateway_address(port.unwrap_or(0))) else {
            assert!(self.weather.drains, "the gateway listens until it drains");
            return None;
        };
        let client = Client::new(&self.network, id, peer, plan);
        if self.weather.clients_quit && self.network.random(3) == 0 {
            return Some(client.quit_somewhere(&self.network));
        }
        Some(client)
    }

    /// A client of a node's port that asks for large answers.
    pub(super) fn consumer(&self, id: i32, node_id: i32) -> Client {
        let topics = self.brokers.topic_ids();
        let planner = Planner { network: &self.network, topics: &topics, client: id, node_id };
        let plan = planner.introduction().into_iter().chain(planner.fetches(2, 8)).collect();
        let peer = self.network.connect(gateway_address(node_id)).expect("the gateway listens");
        Client::new(&self.network, id, peer, plan)
    }

    pub(super) fn run(&mut self, mut clients: Vec<Client>) -> Vec<Ended> {
        let drain_at = self.weather.drains.then(|| self.turns + self.network.random(200));
        let mut ended = Vec::new();
        self.until("the clients", |world| {
            if drain_at == Some(world.turns) && !world.worker.executor.io().draining() {
                let deadline = world.worker.executor.io().now() + Duration::from_secs(60);
                world.control.mailbox.send(ToWorker::Drain { deadline });
            }
            clients.retain_mut(|client| {
                let over = client.step(&world.network, &world.brokers, world.turns);
                let goes_on = over.is_none();
                ended.extend(over);
                goes_on
            });
            clients.is_empty().then_some(())
        });
        ended
    }
}

impl World {
    /// Checks what has come of everything, and that nothing is left.
    pub(super) fn check(&mut self, ended: &[Ended]) {
        self.check_nothing_left();
        let stored: BTreeMap<Bytes, StoredRecord> = self.stored();
        let records = |planned: &Planned| {
            planned.partitions.iter().flat_map(|one| one.records.clone()).collect::<Vec<_>>()
        };
        let expected: BTreeMap<Bytes, ExpectedRecord> = ended
            .iter()
            .flat_map(|ended| &ended.plan)
            .flat_map(records)
            .map(|record| (record.key.clone(), record))
            .collect();
        for (key, stored) in &stored {
            self.check_stored(stored, &expected[key]);
        }
        assert!(self.control.audited_records >= stored.len() as u64, "records without audit");
        for ended in ended {
            self.check_answers(ended);
            let all_stay = !self.weather.brokers_fall_away && !self.weather.drains;
            if all_stay && (ended.id == 0 || !self.impatient) {
                check_complete(ended, &stored);
            }
        }
    }

    /// Every record at the brokers, once.
    fn stored(&self) -> BTreeMap<Bytes, StoredRecord> {
        let mut stored = BTreeMap::new();
        for record in TOPICS.into_iter().flat_map(|topic| self.brokers.records(topic)) {
            let key = record.key.clone().expect("all records have keys");
            assert!(stored.insert(key, record).is_none(), "a record arrives twice");
        }
        stored
    }

    fn check_stored(&self, stored: &StoredRecord, expected: &ExpectedRecord) {
        let value = stored.value.as_ref().expect("all records have values");
        assert!(!CANARIES.iter().any(|canary| contains(value, canary)), "a canary is stored");
        assert_eq!(value, &expected.value);
        let labelled = stored.header("classification").is_some();
        assert_eq!(labelled, self.labels && expected.sensitive, "labels say what was found");
    }

    /// What a broker has answered, the client has, unless one of the two connections was cut. Of brokers that fall
    /// away, what they have written counts.
    fn check_answers(&self, ended: &Ended) {
        let network_resets = self.weather.faults.reset > 0;
        if ended.quit || network_resets && ended.was_reset || self.brokers.reset.contains(&ended.id) {
            return;
        }
        for Planned { correlation_id, .. } in &ended.plan[ended.answered..] {
            let due = match self.weather.brokers_fall_away {
                true => self.brokers.written.contains(correlation_id),
                false => self.brokers.answers.contains_key(correlation_id),
            };
            assert!(!due, "client {} lacks answer {correlation_id}", ended.id);
        }
    }

    fn check_nothing_left(&mut self) {
        self.until("the end of all sockets", |world| {
            let executor = &world.worker.executor;
            (executor.tasks() == 0 && executor.io().sockets() == 0).then_some(())
        });
        self.until("the end of the upstream connections", |world| {
            (world.brokers.connections() == 0 && world.network.connections() == 0).then_some(())
        });
        self.until("the control thread to catch up", |world| {
            (!world.worker.shared.is_congested()).then_some(())
        });
        self.control.take_messages(&self.network);
        let io = self.worker.executor.io();
        assert_eq!(io.queued_bytes(), 0, "queued bytes leak");
        assert_eq!(self.worker.executor.failures().panics, 0);
        assert_eq!(self.worker.shared.counters.open_connections(), 0);
        let (bytes, shape) = (io.pool().bytes(), io.pool().ring_shape());
        assert!(bytes.ring_held <= shape.block_bytes && bytes.heap_held == 0, "buffers leak: {bytes:?}");
        assert_eq!(bytes.ring, shape.block_bytes * usize::from(shape.blocks), "the ring has not shrunk");
    }
}

/// Where nobody goes away, all is answered and stored up to the request with which the connection ends; of that, what was
/// not refused.
fn check_complete(ended: &Ended, stored: &BTreeMap<Bytes, StoredRecord>) {
    let last = ended.plan.iter().position(|planned| planned.closes);
    let end = last.map_or(ended.plan.len(), |last| last + 1);
    for (position, planned) in ended.plan[..end].iter().enumerate() {
        let answered = planned.answer.is_none() || position < ended.answered;
        assert!(answered, "client {} lacks answer {}", ended.id, planned.correlation_id);
        let appended = planned.partitions.iter().filter(|one| one.fate == Fate::Appended);
        for record in appended.flat_map(|one| &one.records) {
            assert!(stored.contains_key(&record.key), "{:?} is lost", record.key);
        }
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// A worker that listens at the bootstrap port and at the port of each node; `mailbox` messages may wait.
pub(super) fn worker(
    network: &Network,
    topology: &Arc<CurrentTopology>,
    labels: bool,
    mailbox: usize,
) -> (Worker<Faulty>, ControlMailbox) {
    let io = Io::new(network.driver(0).unwrap());
    let (ours, theirs) = mailbox_of(mailbox, Arc::default(), Box::new(io.wake_handle()));
    let policy = policy(labels);
    let inspector = Inspector::new(policy.clone(), Box::new(policy.scratch()));
    let listeners = vec![(Arc::new(settings()), topology.clone())];
    let mut worker = Worker::new(io, Shared::new(Arc::default(), None, listeners, inspector), ours);
    worker.listen(0, None, Address(gateway_address(0))).unwrap();
    for (node_id, _) in NODES {
        worker.listen(0, Some(node_id), Address(gateway_address(node_id))).unwrap();
    }
    (worker, theirs)
}

/// Bounds so small that receives are cancelled and writers wait.
fn limits(network: &Network) -> Limits {
    let bound = |network: &Network| 1 << (8 + network.random(8));
    let bounds = || Bounds { inbound: bound(network), outbound: bound(network) };
    Limits {
        queued: 1 << (10 + network.random(8)),
        frames: [1 << 20; 2],
        relaxed: bounds(),
        pressed: Bounds { inbound: 256, outbound: 256 },
    }
}

fn settings() -> ListenerSettings {
    ListenerSettings {
        index: 0,
        name: "simulated".into(),
        advertised_host: GATEWAY_HOST.to_owned(),
        inspected: true,
        forward_on_error: false,
        stub_on_block: false,
        frame_bytes_max: 4 << 20,
        message_bytes_max: 1 << 20,
        principal_claim: "sub".to_owned(),
        tls: None,
        upstream_tls: None,
    }
}

/// Port of a node at the gateway; 0 is the bootstrap port.
pub(super) fn gateway_address(node_id: i32) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], PORT_BASE + node_id as u16))
}

/// The policy of the topics, with labels or without; compiled once.
fn policy(labels: bool) -> Arc<Policy> {
    static POLICIES: OnceLock<[Arc<Policy>; 2]> = OnceLock::new();
    let compile = |label: &str| {
        let source = format!("version = 1\nlabel = \"{label}\"\n{RULES}");
        Arc::new(
            Policy::compile(Path::new("simulated.toml"), &source, &Keys::StandIn, 1).expect("a good policy"),
        )
    };
    let policies = POLICIES.get_or_init(|| [compile("off"), compile("sensitive")]);
    policies[usize::from(labels)].clone()
}

const RULES: &str = r#"
[[rule]]
id = "refuse"
detectors = ["credit_card"]
topics = ["refused"]
level = "regulated"
verdict = "block"

[[rule]]
id = "stub"
detectors = ["credit_card"]
topics = ["stubbed"]
level = "regulated"
verdict = "block"
on_block = "stub"

[[rule]]
id = "cards"
detectors = ["credit_card"]
topics = ["masked"]
level = "regulated"
mask = { operator = "redact" }

[[rule]]
id = "addresses"
detectors = ["email"]
level = "confidential"
mask = { operator = "replace", with = "[{detector}]" }
"#;
