//! What the connections of one worker share. Belongs to the worker's thread; no locks.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::transport::Transport;
use crate::audit::AuditBatch;
use crate::budget;
use crate::inspect::{Inspector, Sender};
use crate::mailbox::{ToControl, WorkerMailbox};
use crate::policy::{Policy, Scratch};
use crate::protocol::kafka::rewrite::Directory;
use crate::steering::{LoadHandle, SETTLE_INTERVAL_SECONDS};
use crate::telemetry::{Reason, WorkerCounters};
use crate::topology::{CurrentTopology, Learned, TopicId, Topology};

/// Host that stands for a broker whose port the gateway cannot bind: only this broker is out of reach, not the whole
/// metadata response (RFC 2606 reserves `.invalid`).
const NO_PORT_HOST: &str = "broker-without-port.invalid";

/// One configured listener, as the workers need it.
#[derive(Debug)]
pub struct ListenerSettings {
    /// Index in the configuration.
    pub index: u16,
    /// Its name, as policies know it.
    pub name: Arc<str>,
    /// Host that clients are told for every broker.
    pub advertised_host: String,
    /// False: requests are relayed without a look at their records.
    pub inspected: bool,
    /// What happens to records that cannot be inspected: true forwards them.
    pub forward_on_error: bool,
    /// What happens to blocked records where no rule says it: true stubs them, false refuses their batch.
    pub stub_on_block: bool,
    /// Largest request frame, bytes.
    pub frame_bytes_max: usize,
    /// Largest batch that the upstream takes, bytes.
    pub message_bytes_max: usize,
    /// Claim of a bearer token that names the principal.
    pub principal_claim: String,
    /// TLS towards clients.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// TLS towards the upstream.
    pub upstream_tls: Option<Arc<rustls::ClientConfig>>,
}

/// Which of a listener's ports a connection came in on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Listener index in the configuration.
    pub(super) listener: u16,
    /// The broker behind the port; `None` for the bootstrap port.
    pub(super) node_id: Option<i32>,
}

/// Where a connection goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// Addresses to try in this order, each with the host name that its certificate must carry.
    pub(super) targets: Vec<(Arc<str>, SocketAddr)>,
    /// A bootstrap server stands in for a broker that is not known yet.
    pub(super) stand_in: bool,
}

struct ListenerState {
    settings: Arc<ListenerSettings>,
    topology: Arc<CurrentTopology>,
    /// Bootstrap servers take turns.
    turn: Cell<usize>,
}

/// What the connections of one worker share.
pub(super) struct Shared {
    /// Counters of this worker.
    pub(super) counters: Arc<WorkerCounters>,
    /// This worker's entry in the steering program's load map.
    load: Option<RefCell<LoadHandle>>,
    /// When pending picks are settled next.
    settle_at: Cell<Option<Instant>>,
    listeners: Vec<ListenerState>,
    inspector: RefCell<Inspector>,
    audit: RefCell<Box<AuditBatch>>,
    #[expect(clippy::vec_box, reason = "the boxes themselves travel through the mailbox")]
    spare_audits: RefCell<Vec<Box<AuditBatch>>>,
    /// Messages that the mailbox had no room for, oldest first.
    outbox: RefCell<VecDeque<ToControl>>,
    /// The last flush left some of them.
    behind: Cell<bool>,
    anonymous: Arc<str>,
}

impl Shared {
    pub(super) fn new(
        counters: Arc<WorkerCounters>,
        load: Option<LoadHandle>,
        listeners: Vec<(Arc<ListenerSettings>, Arc<CurrentTopology>)>,
        inspector: Inspector,
    ) -> Self {
        let state = |(settings, topology)| ListenerState { settings, topology, turn: Cell::new(0) };
        Self {
            counters,
            load: load.map(RefCell::new),
            settle_at: Cell::new(None),
            listeners: listeners.into_iter().map(state).collect(),
            inspector: RefCell::new(inspector),
            audit: RefCell::default(),
            spare_audits: RefCell::new((0..budget::SPARE_AUDITS).map(|_| Box::default()).collect()),
            outbox: RefCell::default(),
            behind: Cell::new(false),
            anonymous: "User:ANONYMOUS".into(),
        }
    }

    /// A client connection was accepted.
    pub(super) fn opened(&self) {
        self.counters.opened();
        if let Some(load) = &self.load {
            load.borrow_mut().accepted();
        }
    }

    /// A client connection ended.
    pub(super) fn closed(&self) {
        self.counters.closed();
        if let Some(load) = &self.load {
            load.borrow_mut().closed();
        }
    }

    /// Lets the steering program choose this worker, or no longer.
    pub(super) fn accepts(&self, accepts: bool) {
        if let Some(load) = &self.load {
            load.borrow().draining(!accepts);
        }
    }

    /// Forgets picks that never became connections, now and then.
    pub(super) fn settle(&self, now: Instant) {
        let Some(load) = &self.load else { return };
        if self.settle_at.get().is_none_or(|at| now >= at) {
            self.settle_at.set(Some(now + Duration::from_secs(SETTLE_INTERVAL_SECONDS)));
            load.borrow_mut().settle();
        }
    }

    /// The principal of a client that has not logged in, as Kafka prints it.
    pub(super) fn anonymous(&self) -> Arc<str> {
        self.anonymous.clone()
    }

    /// Settings of the listener.
    pub(super) fn settings(&self, endpoint: Endpoint) -> &Arc<ListenerSettings> {
        &self.listener(endpoint.listener).settings
    }

    /// The snapshot in force.
    pub(super) fn topology(&self, listener: u16) -> Arc<Topology> {
        self.listener(listener).topology.load_full()
    }

    /// The inspector of this worker, with its policy.
    pub(super) fn inspector(&self) -> std::cell::RefMut<'_, Inspector> {
        self.inspector.borrow_mut()
    }

    /// The audit batch that decisions are added to.
    pub(super) fn audit(&self) -> std::cell::RefMut<'_, Box<AuditBatch>> {
        self.audit.borrow_mut()
    }

    /// Where requests of this connection come from.
    pub(super) fn sender<'a>(
        &'a self,
        endpoint: Endpoint,
        principal: &'a Arc<str>,
        topology: &'a Topology,
    ) -> Sender<'a> {
        let settings = self.settings(endpoint);
        Sender {
            listener: endpoint.listener,
            listener_name: &settings.name,
            principal,
            forward_on_error: settings.forward_on_error,
            stub_on_block: settings.stub_on_block,
            message_bytes_max: settings.message_bytes_max,
            topology,
        }
    }

    /// Transport towards a client of this listener.
    pub(super) fn client_transport(&self, endpoint: Endpoint) -> Result<Transport, rustls::Error> {
        self.settings(endpoint).tls.as_ref().map_or(Ok(Transport::Plain), Transport::accept)
    }

    /// Transport towards `host`.
    pub(super) fn upstream_transport(
        &self,
        endpoint: Endpoint,
        host: &str,
    ) -> Result<Transport, rustls::Error> {
        let settings = self.settings(endpoint);
        settings.upstream_tls.as_ref().map_or(Ok(Transport::Plain), |config| Transport::connect(config, host))
    }

    /// Where a new connection of `endpoint` goes: its broker, or a bootstrap server while that is unknown.
    pub(super) fn route(&self, endpoint: Endpoint) -> Route {
        let listener = self.listener(endpoint.listener);
        let topology = listener.topology.load();
        let broker = endpoint.node_id.and_then(|node_id| topology.brokers.get(&node_id));
        if let Some(broker) = broker {
            let targets = broker.addresses.iter().map(|address| (broker.host.clone(), *address)).collect();
            return Route { targets, stand_in: false };
        }
        let mut targets: Vec<_> =
            topology.bootstrap.iter().map(|server| (server.host.clone(), server.address)).collect();
        if !targets.is_empty() {
            let turn = listener.turn.replace(listener.turn.get().wrapping_add(1));
            let first = turn % targets.len();
            targets.rotate_left(first);
        }
        Route { targets, stand_in: endpoint.node_id.is_some() }
    }

    /// Tells the control thread what a response named.
    pub(super) fn learned(&self, listener: u16, learned: Learned) {
        self.outbox.borrow_mut().push_back(ToControl::Learned { listener, learned });
    }

    /// Tells the control thread that this worker needs a policy no more: behind what was decided by it.
    pub(super) fn retire(&self, policy: Arc<Policy>, scratch: Box<Scratch>) {
        self.queue_audit();
        self.outbox.borrow_mut().push_back(ToControl::Retired(policy, scratch));
    }

    fn queue_audit(&self) {
        let mut audit = self.audit.borrow_mut();
        if !audit.is_empty() {
            let empty = self.spare_audits.borrow_mut().pop().unwrap_or_default();
            let batch = std::mem::replace(&mut *audit, empty);
            self.outbox.borrow_mut().push_back(ToControl::AuditBatch(batch));
        }
    }

    /// An emptied audit batch came back. It is kept, unless the control thread was so far behind that others had to be
    /// allocated meanwhile.
    pub(super) fn return_audit(&self, batch: Box<AuditBatch>) {
        let mut spares = self.spare_audits.borrow_mut();
        if spares.len() < budget::SPARE_AUDITS {
            spares.push(batch);
        }
    }

    /// Hands over what was decided and everything queued, as far as the mailbox takes it. True when the control
    /// thread was behind and has caught up.
    pub(super) fn flush(&self, mailbox: &mut WorkerMailbox) -> bool {
        self.queue_audit();
        let mut outbox = self.outbox.borrow_mut();
        while let Some(message) = outbox.pop_front() {
            if let Err(message) = mailbox.send(message) {
                outbox.push_front(message);
                self.behind.set(true);
                return false;
            }
        }
        self.behind.replace(false)
    }

    /// True while the control thread is behind: nothing new is read until it has caught up.
    pub(super) fn is_congested(&self) -> bool {
        self.behind.get()
    }

    /// Counts a refusal and logs it.
    pub(super) fn refuse(&self, reason: Reason, error: &dyn std::fmt::Display) {
        self.counters.refuse(reason);
        tracing::warn!(%reason, %error, "connection refused");
    }

    fn listener(&self, index: u16) -> &ListenerState {
        self.listeners.get(usize::from(index)).expect("endpoints are made from the configured listeners only")
    }
}

/// The address book of one listener while one response is rewritten.
pub(super) struct AddressBook<'a> {
    settings: &'a ListenerSettings,
    topology: &'a Topology,
    /// What the response names and the snapshot lacks.
    pub(super) learned: Learned,
}

impl<'a> AddressBook<'a> {
    pub(super) fn new(settings: &'a ListenerSettings, topology: &'a Topology) -> Self {
        Self { settings, topology, learned: Learned::default() }
    }
}

impl Directory for AddressBook<'_> {
    fn learn_node(&mut self, node_id: i32, host: &str, port: u16) {
        if !self.topology.knows_broker(node_id, host, port) {
            self.learned.brokers.push((node_id, host.to_owned(), port));
        }
    }

    fn learn_topic(&mut self, topic_id: TopicId, name: &str) {
        if !self.topology.knows_topic(&topic_id, name) {
            self.learned.topics.push((topic_id, name.to_owned()));
        }
    }

    fn address(&self, node_id: i32) -> Option<(&str, u16)> {
        let port = self.topology.ports.get(&node_id)?;
        Some(port.map_or((NO_PORT_HOST, 1), |port| (&self.settings.advertised_host, port)))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::audit::{PartitionEntry, Run};
    use crate::mailbox::{Wake, mailbox};
    use crate::payload::Level;
    use crate::policy::{Keys, Verdict};

    fn policy() -> Arc<Policy> {
        let policy = Policy::compile(Path::new("test.toml"), "version = 1", &Keys::StandIn, 1);
        Arc::new(policy.expect("a policy"))
    }

    fn worker(topology: &Arc<CurrentTopology>) -> Shared {
        let policy = policy();
        let scratch = Box::new(policy.scratch());
        let settings = ListenerSettings {
            index: 0,
            name: "test".into(),
            advertised_host: "gateway".to_owned(),
            inspected: true,
            forward_on_error: false,
            stub_on_block: false,
            frame_bytes_max: 1024,
            message_bytes_max: 1024,
            principal_claim: "sub".to_owned(),
            tls: None,
            upstream_tls: None,
        };
        let listeners = vec![(Arc::new(settings), topology.clone())];
        Shared::new(Arc::default(), None, listeners, Inspector::new(policy, scratch))
    }

    #[test]
    fn audit_batches_of_a_time_of_congestion_do_not_stay() {
        let worker = worker(&Arc::default());
        // All of them are under way.
        worker.spare_audits.borrow_mut().clear();
        for _ in 0..100 {
            let mut batch = Box::<AuditBatch>::default();
            batch.runs.resize(1 << 16, RUN);
            batch.clear();
            worker.return_audit(batch);
        }
        let spares = worker.spare_audits.borrow();
        let bytes = |batch: &AuditBatch| batch.runs.capacity() * size_of::<Run>();
        assert_eq!(spares.len(), budget::SPARE_AUDITS);
        assert!(spares.iter().all(|batch| bytes(batch) <= budget::AUDIT_KEPT_BYTES));
    }

    const RUN: Run = Run { count: 1, level: Level::Public, verdict: Verdict::Forward };

    struct NoWake;
    impl Wake for NoWake {
        fn wake(&self) {}
    }

    #[test]
    fn a_policy_is_retired_behind_what_was_decided_by_it() {
        let worker = worker(&Arc::default());
        let (mut ours, mut theirs) = mailbox(Arc::default(), Box::new(NoWake));
        worker.audit().partitions.push(PartitionEntry {
            topic: "orders".into(),
            partition: 0,
            principal: "User:ANONYMOUS".into(),
            listener: 0,
            generation: 1,
            records: 1,
            unseen: None,
            runs: (0, 0),
            findings: (0, 0),
        });
        let policy = policy();
        let scratch = Box::new(policy.scratch());
        worker.retire(policy, scratch);
        worker.flush(&mut ours);

        assert!(matches!(theirs.receive(), Some(ToControl::AuditBatch(_))));
        assert!(matches!(theirs.receive(), Some(ToControl::Retired(..))));
    }

    #[test]
    fn a_published_broker_is_known_to_every_worker_before_it_reads_its_mail() {
        let topology = Arc::new(CurrentTopology::default());
        let workers = [worker(&topology), worker(&topology)];
        let endpoint = Endpoint { listener: 0, node_id: Some(1) };
        assert!(workers.iter().all(|worker| worker.route(endpoint).stand_in));

        let address = SocketAddr::from(([127, 0, 0, 1], 9092));
        let broker = crate::topology::Broker { host: "b1".into(), port: 9092, addresses: [address].into() };
        let brokers = Arc::new([(1, broker)].into());
        topology.store(Arc::new(Topology { brokers, ..Topology::default() }));

        let known = Route { targets: vec![("b1".into(), address)], stand_in: false };
        assert!(workers.iter().all(|worker| worker.route(endpoint) == known));
    }
}
