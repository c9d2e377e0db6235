//! What a listener knows about the cluster behind it: bootstrap addresses, brokers and topic ids.
//!
//! Workers learn brokers and topic ids from metadata responses that pass by and tell the control thread; it
//! resolves host names, binds ports for brokers outside the configured range, and publishes a new snapshot. A
//! snapshot never changes.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// Id of a topic, as `Metadata` v10 and later give it (KIP-516).
pub type TopicId = [u8; 16];

/// A broker as the upstream advertises it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// The advertised host.
    pub host: Arc<str>,
    /// The advertised port.
    pub port: u16,
    /// What the host resolved to; empty when it did not resolve.
    pub addresses: Arc<[SocketAddr]>,
}

/// One address of the configured upstream, with the name that its certificate must carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bootstrap {
    /// The configured host.
    pub host: Arc<str>,
    /// One address that it resolved to.
    pub address: SocketAddr,
}

/// One immutable snapshot for one listener.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    /// Resolved addresses of the configured upstream, in its order.
    pub bootstrap: Arc<[Bootstrap]>,
    /// Brokers by node id.
    pub brokers: Arc<BTreeMap<i32, Broker>>,
    /// Port of each node id on every worker; `None` when it can have none (out of range, or taken).
    pub ports: Arc<BTreeMap<i32, Option<u16>>>,
    /// Topic names by id.
    pub topics: Arc<HashMap<TopicId, Arc<str>>>,
}

impl Topology {
    /// True when the broker is known at exactly this address.
    pub fn knows_broker(&self, node_id: i32, host: &str, port: u16) -> bool {
        self.brokers.get(&node_id).is_some_and(|broker| *broker.host == *host && broker.port == port)
    }

    /// True when the topic id is known under exactly this name.
    pub fn knows_topic(&self, id: &TopicId, name: &str) -> bool {
        self.topics.get(id).is_some_and(|known| **known == *name)
    }
}

/// The snapshot in force of one listener: one for all threads, and every worker sees a new one at the same moment.
///
/// A message to each worker would not do: the one that is told first answers its client, and the client may reach
/// another worker before that one is told (docs/decisions/0009).
pub type CurrentTopology = ArcSwap<Topology>;

/// What a worker saw in a response: only what its snapshot does not hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// Node id, advertised host, advertised port.
    pub brokers: Vec<(i32, String, u16)>,
    /// Topic id and name.
    pub topics: Vec<(TopicId, String)>,
}

impl Learned {
    /// True when nothing new was seen.
    pub fn is_empty(&self) -> bool {
        self.brokers.is_empty() && self.topics.is_empty()
    }
}
