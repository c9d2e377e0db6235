//! Keeps the snapshot of one listener's cluster: resolves names, binds ports of brokers that the
//! configuration did not list, and publishes every change.
//!
//! Every name is looked up by itself, beside the others: one that takes long delays only itself.

use std::collections::{HashMap, HashSet};
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::tcp;
use crate::topology::{Bootstrap, Broker, Learned, Topology};

/// Host names are looked up again this often, so that a broker that moved is found for new connections.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(30);
/// Topic ids kept per listener. A cluster holds far fewer; past it the map starts anew, which costs producers
/// one metadata refresh each (answer 100 is retriable).
const TOPICS_MAX: usize = 200_000;

/// One listener's cluster, as configured.
pub(super) struct Cluster {
    /// Listener index in the configuration.
    pub(super) listener: u16,
    /// `host:port` of the configured upstream.
    pub(super) upstream: Vec<String>,
    /// Address that ports of brokers are bound on.
    pub(super) bind: std::net::IpAddr,
    /// Broker with node id n is reached at this port plus n.
    pub(super) broker_port_base: u16,
    /// Sockets per port.
    pub(super) workers: usize,
    /// The snapshot in force.
    pub(super) topology: Topology,
    /// Addresses of each name of `upstream`.
    bootstrap: Vec<Vec<SocketAddr>>,
    lookups: JoinSet<(Name, Vec<SocketAddr>)>,
    looking_up: HashSet<Name>,
    lookup: Lookup,
}

/// A name that is looked up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Name {
    /// Position in the configured upstream.
    Upstream(usize),
    /// A broker that a worker has seen.
    Learned(i32, String, u16),
    /// A broker that is known, to see whether it has moved.
    Known(i32, String, u16),
}

/// Looks up a `host:port`; no addresses when it does not resolve.
type Lookup = fn(String) -> Pin<Box<dyn Future<Output = Vec<SocketAddr>> + Send>>;

/// A new snapshot, and the sockets of ports that came with it.
pub(super) struct Published {
    pub(super) listener: u16,
    pub(super) topology: Arc<Topology>,
    /// Node id, port, one socket per worker.
    pub(super) bound: Vec<(i32, u16, Vec<TcpListener>)>,
}

impl Cluster {
    /// The cluster of one listener, of which nothing is known but the ports that are bound.
    pub(super) fn new(
        listener: u16,
        upstream: Vec<String>,
        bind: std::net::IpAddr,
        broker_port_base: u16,
        workers: usize,
        topology: Topology,
    ) -> Self {
        let bootstrap = vec![Vec::new(); upstream.len()];
        Self {
            listener,
            upstream,
            bind,
            broker_port_base,
            workers,
            topology,
            bootstrap,
            lookups: JoinSet::new(),
            looking_up: HashSet::new(),
            lookup: |name| Box::pin(resolve(name)),
        }
    }

    /// Publishes the first snapshot, then one for every change, until the control thread is gone.
    pub(super) async fn run(
        mut self,
        mut learned: mpsc::UnboundedReceiver<Learned>,
        out: mpsc::UnboundedSender<Published>,
    ) {
        let mut refresh = tokio::time::interval(RESOLVE_INTERVAL);
        loop {
            let bound = tokio::select! {
                news = learned.recv() => match news {
                    Some(news) => self.learn(news),
                    None => return,
                },
                Some(Ok((name, addresses))) = self.lookups.join_next() => {
                    if !self.found(name, addresses) {
                        continue;
                    }
                    Vec::new()
                }
                _ = refresh.tick() => {
                    self.look_all_up();
                    continue;
                }
            };
            let topology = Arc::new(self.topology.clone());
            if out.send(Published { listener: self.listener, topology, bound }).is_err() {
                return;
            }
        }
    }

    /// Takes in what is known at once; brokers are known when their names are looked up.
    fn learn(&mut self, news: Learned) -> Vec<(i32, u16, Vec<TcpListener>)> {
        let mut bound = Vec::new();
        for (node_id, host, port) in news.brokers {
            if !self.topology.knows_broker(node_id, &host, port) {
                bound.extend(self.bind_port(node_id));
                self.look_up(Name::Learned(node_id, host, port));
            }
        }
        if !news.topics.is_empty() {
            self.learn_topics(news.topics);
        }
        bound
    }

    fn look_all_up(&mut self) {
        let upstream = (0..self.upstream.len()).map(Name::Upstream);
        let brokers = self.topology.brokers.clone();
        let known = brokers
            .iter()
            .map(|(node_id, broker)| Name::Known(*node_id, broker.host.to_string(), broker.port));
        upstream.chain(known).for_each(|name| self.look_up(name));
    }

    fn look_up(&mut self, name: Name) {
        if !self.looking_up.insert(name.clone()) {
            return;
        }
        let address = match &name {
            Name::Upstream(index) => self.upstream[*index].clone(),
            Name::Learned(_, host, port) | Name::Known(_, host, port) if host.contains(':') => {
                format!("[{host}]:{port}")
            }
            Name::Learned(_, host, port) | Name::Known(_, host, port) => format!("{host}:{port}"),
        };
        let found = (self.lookup)(address);
        self.lookups.spawn(async move { (name, found.await) });
    }

    /// Takes in what a name resolved to; true when the snapshot has changed. A name that does not resolve any more
    /// keeps the addresses that it had.
    fn found(&mut self, name: Name, addresses: Vec<SocketAddr>) -> bool {
        self.looking_up.remove(&name);
        if addresses.is_empty() {
            warn!(listener = self.listener, ?name, "a name does not resolve");
        }
        match name {
            Name::Upstream(_) | Name::Known(..) if addresses.is_empty() => false,
            Name::Upstream(index) => {
                self.bootstrap[index] = addresses;
                self.bootstrap_changes()
            }
            Name::Known(node_id, host, port) => {
                self.topology.knows_broker(node_id, &host, port)
                    && *self.topology.brokers[&node_id].addresses != *addresses
                    && self.broker_is_at(node_id, &host, port, addresses)
            }
            Name::Learned(node_id, host, port) => {
                info!(listener = self.listener, node_id, host, port, "broker learned");
                self.broker_is_at(node_id, &host, port, addresses)
            }
        }
    }

    fn broker_is_at(&mut self, node_id: i32, host: &str, port: u16, addresses: Vec<SocketAddr>) -> bool {
        let mut brokers = (*self.topology.brokers).clone();
        brokers.insert(node_id, Broker { host: host.into(), port, addresses: addresses.into() });
        self.topology.brokers = Arc::new(brokers);
        true
    }

    /// Puts the addresses of all upstream names in their order; true when that changes the snapshot.
    fn bootstrap_changes(&mut self) -> bool {
        let names = self.upstream.iter().zip(&self.bootstrap);
        let bootstrap: Vec<Bootstrap> = names
            .flat_map(|(name, addresses)| {
                let host: Arc<str> = host_of(name).into();
                addresses.iter().map(move |&address| Bootstrap { host: host.clone(), address })
            })
            .collect();
        let changed = *bootstrap != *self.topology.bootstrap;
        self.topology.bootstrap = bootstrap.into();
        changed
    }

    fn learn_topics(&mut self, news: Vec<(crate::topology::TopicId, String)>) {
        let mut topics = if self.topology.topics.len() + news.len() > TOPICS_MAX {
            HashMap::new()
        } else {
            (*self.topology.topics).clone()
        };
        topics.extend(news.into_iter().map(|(id, name)| (id, Arc::from(name))));
        self.topology.topics = Arc::new(topics);
    }

    /// Binds the port of a broker that is not in the configured range.
    fn bind_port(&mut self, node_id: i32) -> Option<(i32, u16, Vec<TcpListener>)> {
        if self.topology.ports.contains_key(&node_id) {
            return None;
        }
        let port = u16::try_from(node_id).ok().and_then(|id| self.broker_port_base.checked_add(id));
        let group = port.map(|port| (port, tcp::bind_group(SocketAddr::new(self.bind, port), self.workers)));
        let bound = match group {
            Some((port, Ok(group))) => {
                info!(listener = self.listener, node_id, port, "port bound for a broker outside `brokers`");
                Some((node_id, port, group))
            }
            Some((port, Err(error))) => {
                warn!(listener = self.listener, node_id, port, %error, "cannot bind the port of this broker: clients cannot reach it");
                None
            }
            None => {
                warn!(
                    listener = self.listener,
                    node_id, "broker_port_base plus node id is no port: clients cannot reach this broker"
                );
                None
            }
        };
        let mut ports = (*self.topology.ports).clone();
        ports.insert(node_id, bound.as_ref().map(|(_, port, _)| *port));
        self.topology.ports = Arc::new(ports);
        bound
    }
}

/// The host of a configured `host:port`.
fn host_of(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(host, _)| host.trim_matches(['[', ']']))
}

async fn resolve(name: String) -> Vec<SocketAddr> {
    lookup_host(name).await.map(Iterator::collect).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster() -> Cluster {
        let upstream = vec!["127.0.0.1:9092".into(), "nosuchhost.invalid:1".into()];
        let bind = std::net::Ipv4Addr::LOCALHOST.into();
        Cluster::new(0, upstream, bind, 65_530, 2, Topology::default())
    }

    /// Everything that the cluster's task publishes until the snapshot is as wanted.
    async fn publish(
        cluster: Cluster,
        news: Vec<Learned>,
        wanted: impl Fn(&Topology) -> bool,
    ) -> (Arc<Topology>, Vec<(i32, u16, Vec<TcpListener>)>) {
        let (learned_to, learned) = mpsc::unbounded_channel();
        let (out, mut published) = mpsc::unbounded_channel();
        news.into_iter().for_each(|news| learned_to.send(news).unwrap());
        tokio::spawn(cluster.run(learned, out));
        let mut bound = Vec::new();
        loop {
            let snapshot = published.recv().await.expect("the task runs while there may be news");
            bound.extend(snapshot.bound);
            if wanted(&snapshot.topology) {
                return (snapshot.topology, bound);
            }
        }
    }

    fn broker(node_id: i32, host: &str, port: u16) -> Learned {
        Learned { brokers: vec![(node_id, host.into(), port)], topics: vec![] }
    }

    #[tokio::test]
    async fn a_learned_broker_gets_its_address_and_its_port() {
        let topics = vec![([7; 16], "orders".into())];
        let news = vec![Learned { topics, ..broker(2, "127.0.0.1", 1234) }];

        let (topology, bound) =
            publish(cluster(), news, |topology| topology.knows_broker(2, "127.0.0.1", 1234)).await;

        let bound: Vec<_> = bound.iter().map(|(node, port, group)| (*node, *port, group.len())).collect();
        assert_eq!(bound, [(2, 65_532, 2)]);
        assert!(topology.knows_topic(&[7; 16], "orders"));
        assert_eq!(*topology.brokers[&2].addresses, [SocketAddr::from(([127, 0, 0, 1], 1234))]);
    }

    #[tokio::test]
    async fn a_node_id_beyond_the_port_range_is_known_to_have_no_port() {
        let news = vec![broker(9, "127.0.0.1", 1)];
        let (topology, bound) =
            publish(cluster(), news, |topology| topology.knows_broker(9, "127.0.0.1", 1)).await;
        assert!(bound.is_empty());
        assert_eq!(topology.ports.get(&9), Some(&None));
    }

    #[tokio::test]
    async fn an_upstream_name_that_does_not_resolve_does_not_hide_the_others() {
        let (topology, _) = publish(cluster(), vec![], |topology| !topology.bootstrap.is_empty()).await;
        let addresses: Vec<_> = topology.bootstrap.iter().map(|found| found.address).collect();
        assert_eq!(addresses, [SocketAddr::from(([127, 0, 0, 1], 9092))]);
    }

    #[tokio::test]
    async fn a_name_that_takes_for_ever_delays_no_other() {
        let mut cluster = cluster();
        cluster.lookup = |name| match name.as_str() {
            "slow:1" | "nosuchhost.invalid:1" => Box::pin(std::future::pending()),
            _ => Box::pin(std::future::ready(vec![SocketAddr::from(([10, 0, 0, 1], 1))])),
        };
        let mut news = broker(1, "slow", 1);
        news.brokers.push((2, "fast".into(), 1));

        let later = broker(3, "later", 1);
        let known =
            |topology: &Topology| topology.knows_broker(2, "fast", 1) && topology.knows_broker(3, "later", 1);
        let (topology, _) = publish(cluster, vec![news, later], known).await;
        assert!(!topology.brokers.contains_key(&1) && topology.ports.contains_key(&1));
    }
}
