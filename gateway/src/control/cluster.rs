//! Keeps the snapshot of one listener's cluster: resolves names, binds ports of brokers that the
//! configuration did not list, and publishes every change.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::mpsc;
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
}

/// A new snapshot, and the sockets of ports that came with it.
pub(super) struct Published {
    pub(super) listener: u16,
    pub(super) topology: Arc<Topology>,
    /// Node id, port, one socket per worker.
    pub(super) bound: Vec<(i32, u16, Vec<TcpListener>)>,
}

impl Cluster {
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
                    Some(news) => self.learn(news).await,
                    None => return,
                },
                _ = refresh.tick() => {
                    if !self.resolve_again().await {
                        continue;
                    }
                    Vec::new()
                }
            };
            let topology = Arc::new(self.topology.clone());
            if out.send(Published { listener: self.listener, topology, bound }).is_err() {
                return;
            }
        }
    }

    async fn learn(&mut self, news: Learned) -> Vec<(i32, u16, Vec<TcpListener>)> {
        let mut brokers = (*self.topology.brokers).clone();
        let mut bound = Vec::new();
        for (node_id, host, port) in news.brokers {
            if self.topology.knows_broker(node_id, &host, port) {
                continue;
            }
            let addresses = resolve(&host, port).await;
            if addresses.is_empty() {
                warn!(listener = self.listener, node_id, host, port, "broker address does not resolve");
            }
            info!(listener = self.listener, node_id, host, port, "broker learned");
            brokers.insert(node_id, Broker { host: host.into(), port, addresses: addresses.into() });
            bound.extend(self.bind_port(node_id));
        }
        self.topology.brokers = Arc::new(brokers);
        if !news.topics.is_empty() {
            self.learn_topics(news.topics);
        }
        bound
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

    /// Looks every name up again; true when an address changed.
    async fn resolve_again(&mut self) -> bool {
        let mut changed = false;
        let bootstrap = resolve_all(&self.upstream).await;
        if bootstrap.is_empty() {
            warn!(listener = self.listener, upstream = ?self.upstream, "no upstream address resolves");
        } else if *bootstrap != *self.topology.bootstrap {
            self.topology.bootstrap = bootstrap.into();
            changed = true;
        }
        let mut brokers = (*self.topology.brokers).clone();
        for broker in brokers.values_mut() {
            let addresses = resolve(&broker.host, broker.port).await;
            if !addresses.is_empty() && *addresses != *broker.addresses {
                broker.addresses = addresses.into();
                changed = true;
            }
        }
        self.topology.brokers = Arc::new(brokers);
        changed
    }
}

/// Addresses of every `host:port`, in the order given.
async fn resolve_all(upstream: &[String]) -> Vec<Bootstrap> {
    let mut found = Vec::new();
    for name in upstream {
        let host: Arc<str> =
            name.rsplit_once(':').map_or(name.as_str(), |(host, _)| host.trim_matches(['[', ']'])).into();
        if let Ok(addresses) = lookup_host(name.as_str()).await {
            found.extend(addresses.map(|address| Bootstrap { host: host.clone(), address }));
        }
    }
    found
}

async fn resolve(host: &str, port: u16) -> Vec<SocketAddr> {
    lookup_host((host, port)).await.map(Iterator::collect).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster() -> Cluster {
        Cluster {
            listener: 0,
            upstream: vec!["127.0.0.1:9092".into(), "nosuchhost.invalid:1".into()],
            bind: std::net::Ipv4Addr::LOCALHOST.into(),
            broker_port_base: 65_530,
            workers: 2,
            topology: Topology::default(),
        }
    }

    #[tokio::test]
    async fn a_learned_broker_gets_its_address_and_its_port() {
        let mut cluster = cluster();
        let news = Learned {
            brokers: vec![(2, "127.0.0.1".into(), 1234)],
            topics: vec![([7; 16], "orders".into())],
        };

        let bound = cluster.learn(news).await;

        assert_eq!(
            bound.first().map(|(node, port, group)| (*node, *port, group.len())),
            Some((2, 65_532, 2))
        );
        assert!(cluster.topology.knows_broker(2, "127.0.0.1", 1234));
        assert!(cluster.topology.knows_topic(&[7; 16], "orders"));
        assert_eq!(cluster.topology.brokers[&2].addresses.len(), 1);
    }

    #[tokio::test]
    async fn a_node_id_beyond_the_port_range_is_known_to_have_no_port() {
        let mut cluster = cluster();
        let bound =
            cluster.learn(Learned { brokers: vec![(9, "127.0.0.1".into(), 1)], topics: vec![] }).await;
        assert!(bound.is_empty());
        assert_eq!(cluster.topology.ports.get(&9), Some(&None));
    }

    #[tokio::test]
    async fn an_upstream_name_that_does_not_resolve_does_not_hide_the_others() {
        let mut cluster = cluster();
        assert!(cluster.resolve_again().await);
        let addresses: Vec<_> = cluster.topology.bootstrap.iter().map(|found| found.address).collect();
        assert_eq!(addresses, [SocketAddr::from(([127, 0, 0, 1], 9092))]);
        assert!(!cluster.resolve_again().await);
    }
}
