//! A worker on a network that is as it should be: the test plays its clients and its brokers, turn by turn.

use std::sync::Arc;
use std::time::Duration;

use bench_harness::broker::Outcome;
use bytes::Bytes;

use super::super::super::Worker;
use super::super::super::driver::faulty::{Faults, Faulty, Network, Peer};
use super::super::TURNS_MAX;
use super::broker::{Brokers, node_address};
use super::control;
use super::requests::{Planned, Planner};
use super::world::{gateway_address, worker};
use crate::mailbox::{ControlMailbox, ToWorker};
use crate::telemetry::Reason;
use crate::topology::{CurrentTopology, Topology};

/// See the module's documentation.
pub(super) struct Stage {
    pub(super) network: Network,
    pub(super) brokers: Brokers,
    pub(super) worker: Worker<Faulty>,
    pub(super) mailbox: ControlMailbox,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::knowing(control::complete)
    }

    pub(super) fn knowing(topology: impl FnOnce(&Brokers) -> Topology) -> Self {
        let network = Network::new(1, Faults::default());
        let brokers = Brokers::new(&network, false);
        let topology = Arc::new(CurrentTopology::from_pointee(topology(&brokers)));
        let (worker, mailbox) = worker(&network, &topology, true, MAILBOX);
        Self { network, brokers, worker, mailbox }
    }

    pub(super) fn turns(&mut self, count: usize) {
        (0..count).for_each(|_| self.worker.turn().unwrap());
    }

    pub(super) fn after(&mut self, time: Duration) {
        self.network.advance(time);
        self.turns(SETTLING_TURNS);
    }

    pub(super) fn client(&self) -> Peer {
        self.network.connect(gateway_address(NODE)).expect("the gateway listens")
    }

    /// What the gateway has connected to the broker.
    pub(super) fn upstream(&self) -> Peer {
        self.network.accept(node_address(NODE)).expect("a request goes upstream")
    }

    pub(super) fn metadata(&self) -> Bytes {
        let topics = self.brokers.topic_ids();
        let planner = Planner { network: &self.network, topics: &topics, client: 1, node_id: NODE };
        planner.introduction().remove(1).frame
    }

    /// The broker's answer to [`metadata`](Self::metadata).
    pub(super) fn metadata_answer(&self, request: &Bytes) -> Bytes {
        match self.brokers.ask(NODE, request.slice(4..)) {
            Outcome::Answer(answer) => answer,
            _ => panic!("a metadata request has an answer"),
        }
    }

    /// The same with a tagged field of 300,000 bytes that nobody knows (KIP-482).
    pub(super) fn large_metadata_answer(&self, request: &Bytes) -> Vec<u8> {
        let mut answer = self.metadata_answer(request).to_vec();
        assert_eq!(answer.pop(), Some(0), "no tagged fields");
        answer.extend([1, 99, 0xe0, 0xa7, 0x12]);
        answer.resize(answer.len() + 300_000, 0);
        let size = answer.len() as u32 - 4;
        answer[..4].copy_from_slice(&size.to_be_bytes());
        answer
    }

    pub(super) fn fetches(&self, from: i32, count: usize) -> Vec<u8> {
        let topics = self.brokers.topic_ids();
        let planner = Planner { network: &self.network, topics: &topics, client: 1, node_id: NODE };
        let fetches = planner.fetches(from, count).into_iter();
        fetches.flat_map(|Planned { frame, .. }| frame).collect()
    }

    /// Small answers to requests, correlation id and nothing behind it: nobody reads further.
    pub(super) fn answers(&self, requests: &[u8]) -> Vec<u8> {
        let mut answers = Vec::new();
        let mut rest = requests;
        while let Some((size, behind)) = rest.split_first_chunk() {
            let (frame, behind) = behind.split_at(u32::from_be_bytes(*size) as usize);
            answers.extend_from_slice(&4_u32.to_be_bytes());
            answers.extend_from_slice(&frame[4..8]);
            rest = behind;
        }
        answers
    }

    pub(super) fn drain(&mut self, time: Duration) {
        let deadline = self.worker.executor.io().now() + time;
        self.mailbox.send(ToWorker::Drain { deadline });
    }

    pub(super) fn refused(&self, reason: Reason) -> u64 {
        self.worker.shared.counters.refused(reason)
    }

    pub(super) fn until_end(&mut self, client: &Peer, received: &mut Vec<u8>) {
        for _ in 0..TURNS_MAX {
            client.read(received);
            if client.at_end() {
                return;
            }
            self.turns(1);
        }
        panic!("a hang");
    }
}

/// The node whose port the clients use.
pub(super) const NODE: i32 = 1;
/// Messages of more than a turn.
const MAILBOX: usize = 16;
/// Turns in which the gateway does what it can.
pub(super) const SETTLING_TURNS: usize = 10;
