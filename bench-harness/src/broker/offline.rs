//! The broker without sockets: a request in, an answer out. For simulations, whose network is not the kernel's.

use super::{Options, Shared, StoredRecord, answer};
use anyhow::Result;
use bytes::Bytes;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

pub use super::answer::Outcome;

/// A broker that is asked by function call. As strict as [`MemoryBroker`](super::MemoryBroker).
#[derive(Debug)]
pub struct OfflineBroker {
    shared: Shared,
}

impl OfflineBroker {
    /// One node for each address, with node ids 1, 2, and so on; the addresses are only told to clients.
    pub fn new(options: Options, addresses: Vec<SocketAddr>) -> Self {
        let nodes = i32::try_from(addresses.len()).unwrap_or(i32::MAX);
        Self { shared: Shared::new(Options { nodes, ..options }, addresses) }
    }

    /// What node `node_id` makes of a request frame, given without its length prefix.
    ///
    /// # Errors
    ///
    /// When the request is one that a broker closes the connection for.
    ///
    /// # Panics
    ///
    /// When the answer takes time: for a Fetch that waits for records.
    pub fn answer(&self, node_id: i32, frame: Bytes) -> Result<Outcome> {
        let mut context = Context::from_waker(Waker::noop());
        match pin!(answer::answer(&self.shared, node_id, frame)).poll(&mut context) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => panic!("there is no clock that this answer could wait for"),
        }
    }

    /// Records of a topic, by partition and offset.
    pub fn records(&self, topic: &str) -> Vec<StoredRecord> {
        self.shared.state().logs.records(topic)
    }

    /// Creates a topic.
    pub fn create_topic(&self, topic: &str, partitions: i32) {
        self.shared.state().logs.create(topic, partitions);
    }

    /// The id of a topic.
    pub fn topic_id(&self, topic: &str) -> Option<[u8; 16]> {
        self.shared.state().logs.topic(topic).map(|topic| topic.id.into_bytes())
    }

    /// Why batches were refused, newest last.
    pub fn complaints(&self) -> Vec<String> {
        self.shared.state().totals.complaints.iter().cloned().collect()
    }
}
