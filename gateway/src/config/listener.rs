//! `[[listener]]`: an address for clients and the upstream behind it.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::Reader;
use crate::document::{Located, Table};
use crate::policy::OnBlock;
use crate::protocol::kafka::emit::BATCH_BYTES_MAX;

/// Largest request frame unless the listener says otherwise, bytes: default of the broker's
/// `socket.request.max.bytes`.
const FRAME_BYTES_MAX_DEFAULT: u32 = 100 * 1024 * 1024;

/// Bounds of a configured `frame_bytes_max`: the smallest broker default for a batch, and the limit of the
/// 32-bit offsets with which a batch is described.
const FRAME_BYTES_MAX_RANGE: RangeInclusive<i64> = 1024 * 1024..=1024 * 1024 * 1024;

/// Largest batch that the upstream takes unless the listener says otherwise, bytes: default of `max.message.bytes`.
const MESSAGE_BYTES_MAX_DEFAULT: u32 = BATCH_BYTES_MAX as u32;

/// Bounds of a configured `message_bytes_max`: the broker's own are 0 and the largest `i32`; below a KiB no label fits.
const MESSAGE_BYTES_MAX_RANGE: RangeInclusive<i64> = 1024..=i32::MAX as i64;

/// Broker ids whose ports are bound at start unless the listener says otherwise.
const BROKERS_DEFAULT: &str = "0..31";

/// Claim of a bearer token that names the principal unless the listener says otherwise (RFC 7519 section 4.1.2).
const PRINCIPAL_CLAIM_DEFAULT: &str = "sub";

/// Most broker ids of one listener: each has a socket for every worker.
const BROKERS_MAX: usize = 1000;

/// The keys of a listener.
const KEYS: &[&str] = &[
    "name",
    "protocol",
    "bind",
    "advertised_host",
    "broker_port_base",
    "brokers",
    "upstream",
    "inspection",
    "on_error",
    "on_block",
    "principal_claim",
    "frame_bytes_max",
    "message_bytes_max",
    "tls",
    "upstream_tls",
];

/// One address for clients and the upstream behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Unique name, in policies, logs and metrics.
    pub name: String,
    /// What clients speak.
    pub protocol: Protocol,
    /// Bootstrap address of clients.
    pub bind: SocketAddr,
    /// Host name that clients are told to connect to.
    pub advertised_host: String,
    /// The broker with node id n is reached at this port + n.
    pub broker_port_base: u16,
    /// Node ids whose ports are bound at start; others are bound when first seen.
    pub brokers: BrokerIds,
    /// Bootstrap addresses of the upstream, each `host:port`.
    pub upstream: Vec<String>,
    /// False: relay only, visible in audit and metrics.
    pub inspection: bool,
    /// What happens to records that cannot be inspected.
    pub on_error: OnError,
    /// How a blocked record is refused where no rule says how.
    pub on_block: OnBlock,
    /// Claim of a bearer token that names the principal.
    pub principal_claim: String,
    /// Largest request frame, bytes.
    pub frame_bytes_max: u32,
    /// Largest batch that every topic of the upstream takes, bytes: labels that would pass it are left out.
    pub message_bytes_max: u32,
    /// TLS towards clients.
    pub tls: Option<DownstreamTls>,
    /// TLS towards the upstream.
    pub upstream_tls: Option<UpstreamTls>,
}

/// What clients of a listener speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The Kafka protocol.
    Kafka,
}

/// What happens to records that cannot be inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// They are refused.
    Reject,
    /// They are forwarded unseen, visible in audit and metrics.
    Forward,
}

impl OnError {
    /// Every choice with its name.
    pub const NAMES: [(&'static str, OnError); 2] =
        [("reject", OnError::Reject), ("forward", OnError::Forward)];
}

/// TLS towards clients: PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownstreamTls {
    /// The gateway's certificate chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// When given, clients must present a certificate that it signed.
    pub client_ca: Option<PathBuf>,
}

/// TLS towards the upstream: PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    /// Who signs the certificates of the upstream.
    pub ca: PathBuf,
    /// What the gateway presents when the upstream asks for a certificate.
    pub identity: Option<ClientIdentity>,
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A set of broker node ids, as inclusive ranges that ascend and do not touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerIds(Vec<RangeInclusive<i32>>);

impl BrokerIds {
    /// The ids, ascending.
    pub fn iter(&self) -> impl Iterator<Item = i32> {
        self.0.iter().flat_map(Clone::clone)
    }

    /// The ranges, ascending.
    pub fn ranges(&self) -> &[RangeInclusive<i32>] {
        &self.0
    }

    /// Reads `0..31` or `1..3,101`.
    fn parse(text: &str) -> Option<Self> {
        let mut ranges = Vec::new();
        for piece in text.split(',') {
            let (first, last) = piece.split_once("..").unwrap_or((piece, piece));
            let (first, last): (i32, i32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            let after =
                ranges.last().map_or(0, |previous: &RangeInclusive<i32>| previous.end().saturating_add(1));
            if first < after || last < first || last == i32::MAX {
                return None;
            }
            ranges.push(first..=last);
        }
        Some(Self(ranges))
    }
}

impl Listener {
    /// The port at which clients reach a broker; `None` beyond the last port.
    pub fn broker_port(&self, node_id: i32) -> Option<u16> {
        let port = i32::from(self.broker_port_base).checked_add(node_id)?;
        u16::try_from(port).ok().filter(|_| node_id >= 0)
    }
}

impl Reader<'_, '_> {
    pub(super) fn listeners(&self, tables: &[Table<'_, '_>]) -> Vec<Located<Listener>> {
        let mut listeners: Vec<Located<Listener>> = Vec::new();
        for table in tables {
            table.allow_only(KEYS);
            let Some(listener) = self.listener(table) else { continue };
            if listeners.iter().any(|other| other.value.name == listener.name) {
                table.mistake(
                    "name",
                    format!("two listeners are named `{}`: choose another name", listener.name),
                );
            }
            listeners.push(Located { value: listener, at: table.at_key("bind") });
        }
        listeners
    }

    fn listener(&self, table: &Table<'_, '_>) -> Option<Listener> {
        let name = table.required_string("name");
        table.require("protocol", "`protocol = \"kafka\"`");
        let protocol = table.choice("protocol", &[("kafka", Protocol::Kafka)]);
        let bind = table.required_string("bind").and_then(|found| self.address("bind", found));
        let advertised_host = table.required_string("advertised_host").and_then(|found| self.host(found));
        table.require("broker_port_base", "the port of the broker with node id 0");
        let broker_port_base = table.integer("broker_port_base", 1..=i64::from(u16::MAX));
        let brokers = self.brokers(table);
        let upstream = self.upstream(table);
        let inspection = table.choice_or("inspection", &[("on", true), ("off", false)], true);
        let on_error = table.choice_or("on_error", &OnError::NAMES, OnError::Reject);
        let on_block = table.choice_or("on_block", &OnBlock::NAMES, OnBlock::Reject);
        let frame_bytes_max =
            bytes_or(table, "frame_bytes_max", FRAME_BYTES_MAX_RANGE, FRAME_BYTES_MAX_DEFAULT);
        let message_bytes_max =
            bytes_or(table, "message_bytes_max", MESSAGE_BYTES_MAX_RANGE, MESSAGE_BYTES_MAX_DEFAULT);
        let (tls, upstream_tls) = (self.tls(table), self.upstream_tls(table));
        let principal_claim =
            table.string("principal_claim").map_or(PRINCIPAL_CLAIM_DEFAULT, |found| found.value);
        let listener = Listener {
            name: name?.value.to_owned(),
            protocol: protocol?.value,
            bind: bind?,
            advertised_host: advertised_host?,
            broker_port_base: u16::try_from(broker_port_base?.value).ok()?,
            brokers: brokers?,
            upstream,
            inspection: inspection?,
            on_error: on_error?,
            on_block: on_block?,
            principal_claim: principal_claim.to_owned(),
            frame_bytes_max: frame_bytes_max?,
            message_bytes_max: message_bytes_max?,
            tls,
            upstream_tls,
        };
        self.check_broker_ports(table, &listener);
        Some(listener)
    }

    fn host(&self, found: Located<&str>) -> Option<String> {
        let is_host = !found.value.is_empty()
            && found.value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
        let has_port = found.value.contains(':') && found.value.parse::<std::net::Ipv6Addr>().is_err();
        if !is_host || has_port {
            self.document.mistake(
                found.at,
                format!("`{}` is no host name: a name or address without a port", found.value),
            );
            return None;
        }
        Some(found.value.to_owned())
    }

    fn brokers(&self, table: &Table<'_, '_>) -> Option<BrokerIds> {
        let found = table.string("brokers");
        if found.is_none() && table.has("brokers") {
            return None;
        }
        let text = found.map_or(BROKERS_DEFAULT, |found| found.value);
        let brokers = BrokerIds::parse(text);
        if brokers.is_none() {
            let message =
                format!("`brokers` cannot be `{text}`: ascending node ids, as in `0..31` or `1..3,101..103`");
            table.mistake("brokers", message);
        }
        brokers
    }

    fn upstream(&self, table: &Table<'_, '_>) -> Vec<String> {
        table.require("upstream", "bootstrap addresses, as in [\"broker-1:9092\"]");
        let addresses = table.some_strings("upstream").into_iter().inspect(|found| {
            let port = found
                .value
                .rsplit_once(':')
                .filter(|(host, _)| !host.is_empty())
                .map(|(_, port)| port.parse());
            if !matches!(port, Some(Ok(1..=u16::MAX))) {
                let message =
                    format!("`{}` is no upstream: a host and a port, as in `broker-1:9092`", found.value);
                self.document.mistake(found.at, message);
            }
        });
        addresses.map(|found| found.value.to_owned()).collect()
    }

    fn check_broker_ports(&self, table: &Table<'_, '_>, listener: &Listener) {
        let count: usize = listener
            .brokers
            .ranges()
            .iter()
            .map(|range| range.end().abs_diff(*range.start()) as usize + 1)
            .sum();
        if count > BROKERS_MAX {
            table.mistake("brokers", format!("{count} brokers: at most {BROKERS_MAX} are bound at start"));
        }
        let last = listener.brokers.ranges().last().map_or(0, |range| *range.end());
        if listener.broker_port(last).is_none() {
            let base = listener.broker_port_base;
            table.mistake(
                "broker_port_base",
                format!("broker {last} would be reached at port {base} + {last}, above 65535"),
            );
        }
    }

    fn tls(&self, listener: &Table<'_, '_>) -> Option<DownstreamTls> {
        let table = listener.table("tls")?;
        table.allow_only(&["certificate", "key", "client_ca"]);
        let certificate = table.required_string("certificate").and_then(|found| self.existing_file(found));
        let key = table.required_string("key").and_then(|found| self.existing_file(found));
        let client_ca = table.string("client_ca").and_then(|found| self.existing_file(found));
        Some(DownstreamTls { certificate: certificate?, key: key?, client_ca })
    }

    fn upstream_tls(&self, listener: &Table<'_, '_>) -> Option<UpstreamTls> {
        let table = listener.table("upstream_tls")?;
        table.allow_only(&["ca", "certificate", "key"]);
        let ca = table.required_string("ca").and_then(|found| self.existing_file(found));
        let file = |key| table.string(key).and_then(|found| self.existing_file(found));
        let identity = match (table.has("certificate"), table.has("key")) {
            (false, false) => None,
            (true, true) => file("certificate")
                .zip(file("key"))
                .map(|(certificate, key)| ClientIdentity { certificate, key }),
            _ => {
                self.document
                    .mistake(table.at(), "`certificate` and `key` belong together: give both, or neither");
                None
            }
        };
        Some(UpstreamTls { ca: ca?, identity })
    }
}

/// A number of bytes, or its default where the file does not have it.
fn bytes_or(
    table: &Table<'_, '_>,
    key: &'static str,
    range: RangeInclusive<i64>,
    default: u32,
) -> Option<u32> {
    if !table.has(key) {
        return Some(default);
    }
    table.integer(key, range).and_then(|found| u32::try_from(found.value).ok())
}
