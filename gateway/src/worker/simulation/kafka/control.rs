//! The scripted control thread: takes batches back, and publishes what a worker has learned, some turns later.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use super::super::super::driver::faulty::Network;
use super::broker::{Brokers, NODES, UPSTREAM_HOST, node_address};
use crate::mailbox::{ControlMailbox, ToControl, ToWorker};
use crate::topology::{Bootstrap, Broker, CurrentTopology, Learned, Topology};

/// What is left of the control thread.
pub(super) struct Control {
    pub(super) mailbox: ControlMailbox,
    topology: Arc<CurrentTopology>,
    /// What is not published yet, and in how many turns it will be.
    learned: Vec<(usize, Learned)>,
    /// Turns that it still has no time for its mailbox.
    busy: usize,
    /// Records in all audit batches.
    pub(super) audited_records: u64,
}

impl Control {
    pub(super) fn new(mailbox: ControlMailbox, topology: Arc<CurrentTopology>) -> Self {
        Self { mailbox, topology, learned: Vec::new(), busy: 0, audited_records: 0 }
    }

    pub(super) fn step(&mut self, network: &Network) {
        if self.busy > 0 {
            self.busy -= 1;
            return;
        }
        if network.random(50) == 0 {
            self.busy = network.random(300);
        }
        self.take_messages(network);
        self.learned.iter_mut().for_each(|(turns, _)| *turns = turns.saturating_sub(1));
        let due: Vec<_> = self.learned.extract_if(.., |(turns, _)| *turns == 0).collect();
        for (_, learned) in due {
            self.publish(learned);
        }
    }

    pub(super) fn take_messages(&mut self, network: &Network) {
        while let Some(message) = self.mailbox.receive() {
            match message {
                ToControl::AuditBatch(mut batch) => {
                    self.audited_records += batch.runs.iter().map(|run| u64::from(run.count)).sum::<u64>();
                    batch.clear();
                    self.mailbox.give_back(ToWorker::AuditBatch(batch));
                }
                ToControl::Learned { learned, .. } => self.learned.push((network.random(30), learned)),
                ToControl::Retired(..) => panic!("nobody changed the policy"),
            }
        }
    }

    fn publish(&mut self, learned: Learned) {
        let brokers = learned.brokers.into_iter().map(|(node_id, host, port)| {
            let address = node_address(node_id);
            assert_eq!((host.as_str(), port), (UPSTREAM_HOST, address.port()));
            (node_id, broker(address))
        });
        let mut topology = Topology::clone(&self.topology.load());
        Arc::make_mut(&mut topology.brokers).extend(brokers);
        let topics = learned.topics.into_iter().map(|(id, name)| (id, name.into()));
        Arc::make_mut(&mut topology.topics).extend(topics);
        self.topology.store(Arc::new(topology));
        self.mailbox.send(ToWorker::TopologyChanged);
    }
}

/// What a gateway knows that has just been started.
pub(super) fn bootstrap() -> Topology {
    let server = Bootstrap { host: UPSTREAM_HOST.into(), address: node_address(1) };
    let ports: BTreeMap<_, _> =
        NODES.into_iter().map(|(node, _)| (node, Some(PORT_BASE + node as u16))).collect();
    Topology { bootstrap: [server].into(), ports: ports.into(), ..Topology::default() }
}

/// What a gateway knows once metadata has passed by.
pub(super) fn complete(brokers: &Brokers) -> Topology {
    let nodes: BTreeMap<_, _> =
        NODES.into_iter().map(|(node, address)| (node, broker(address.into()))).collect();
    let topics: HashMap<_, _> = brokers.topic_ids().into_iter().map(|(name, id)| (id, name.into())).collect();
    Topology { brokers: nodes.into(), topics: topics.into(), ..bootstrap() }
}

fn broker(address: SocketAddr) -> Broker {
    Broker { host: UPSTREAM_HOST.into(), port: address.port(), addresses: [address].into() }
}

/// Where the gateway is, with which port of node 0.
pub(super) const GATEWAY_HOST: &str = "gw.example.net";
pub(super) const PORT_BASE: u16 = 9100;
