//! The `server.properties` of one broker.

use std::fmt::Write as _;
use std::path::Path;

use super::cluster::{Listener, Ports};
use super::pem::Certificate;

/// What the settings of one broker depend on.
pub(super) struct Node<'a> {
    pub id: i32,
    pub ports: Ports,
    /// Port of the controller of node 1.
    pub controller: u16,
    pub brokers: usize,
    pub upstream_host: &'a str,
    pub data: &'a Path,
    pub certificate: &'a Certificate,
    pub ca: &'a Path,
}

/// User and password that the broker's PLAIN and SCRAM listeners know.
pub(super) const SASL_USER: (&str, &str) = ("alice", "alice-secret");

/// Writes the settings: node 1 is controller and broker, the others are brokers. Replication follows the
/// number of brokers; every wait that only serves production is 0.
pub(super) fn render(node: &Node<'_>) -> String {
    let mut text = String::new();
    let replicas = node.brokers.min(3);
    let mut set = |key: &str, value: String| {
        let _ = writeln!(text, "{key}={value}");
    };
    let controller = node.id == 1;
    set("process.roles", if controller { "broker,controller" } else { "broker" }.to_owned());
    set("node.id", node.id.to_string());
    set("listeners", listeners(node, controller));
    set("advertised.listeners", advertised(node));
    set("listener.security.protocol.map", protocols());
    set("inter.broker.listener.name", Listener::Direct.name().to_owned());
    set("controller.listener.names", "CONTROLLER".to_owned());
    set("controller.quorum.voters", format!("1@127.0.0.1:{}", node.controller));
    set("log.dirs", node.data.display().to_string());
    set("num.partitions", "4".to_owned());
    for topic in ["offsets.topic", "transaction.state.log", "share.coordinator.state.topic"] {
        set(&format!("{topic}.replication.factor"), replicas.to_string());
        set(&format!("{topic}.num.partitions"), "4".to_owned());
    }
    set("transaction.state.log.min.isr", "1".to_owned());
    set("share.coordinator.state.topic.min.isr", "1".to_owned());
    set("default.replication.factor", replicas.to_string());
    set("group.initial.rebalance.delay.ms", "0".to_owned());
    set("num.network.threads", "2".to_owned());
    set("num.io.threads", "4".to_owned());
    set("log.cleaner.enable", "false".to_owned());
    // Index files are sparse, but each counts with its full size against small test disks.
    set("log.index.size.max.bytes", "1048576".to_owned());
    set("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256".to_owned());
    set("ssl.keystore.type", "PEM".to_owned());
    set("ssl.keystore.location", node.certificate.both.display().to_string());
    set("ssl.truststore.type", "PEM".to_owned());
    set("ssl.truststore.location", node.ca.display().to_string());
    set("listener.name.upstream_mutual_tls.ssl.client.auth", "required".to_owned());
    let login = "org.apache.kafka.common.security";
    let (user, password) = SASL_USER;
    set(
        "listener.name.upstream_sasl.plain.sasl.jaas.config",
        format!("{login}.plain.PlainLoginModule required user_{user}=\"{password}\";"),
    );
    set(
        "listener.name.upstream_sasl.scram-sha-256.sasl.jaas.config",
        format!("{login}.scram.ScramLoginModule required;"),
    );
    text
}

fn listeners(node: &Node<'_>, controller: bool) -> String {
    let mut all: Vec<String> = Listener::ALL
        .iter()
        .map(|listener| format!("{}://127.0.0.1:{}", listener.name(), node.ports.of(*listener)))
        .collect();
    if controller {
        all.push(format!("CONTROLLER://127.0.0.1:{}", node.controller));
    }
    all.join(",")
}

fn advertised(node: &Node<'_>) -> String {
    let address = |listener: &Listener| {
        let host = if *listener == Listener::Direct { "127.0.0.1" } else { node.upstream_host };
        format!("{}://{host}:{}", listener.name(), node.ports.of(*listener))
    };
    Listener::ALL.iter().map(address).collect::<Vec<_>>().join(",")
}

fn protocols() -> String {
    let pair = |listener: &Listener| format!("{}:{}", listener.name(), listener.protocol());
    let mut all: Vec<String> = Listener::ALL.iter().map(pair).collect();
    all.push("CONTROLLER:PLAINTEXT".to_owned());
    all.join(",")
}
