//! The configuration with every default filled in, as `gateway check` prints it.

use std::fmt::{self, Display, Formatter};
use std::path::Path;

use super::{Config, IoKind, KeySource, Listener, OnError, Protocol, WorkerCount};
use crate::policy::OnBlock;

/// The effective file: TOML that loads to the same configuration. Keys themselves are never shown.
impl Display for Config {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "state_dir = {}", path(&self.state_dir))?;
        writeln!(f, "policy = {}", path(&self.policy))?;
        match self.workers.count {
            WorkerCount::Auto => writeln!(f, "\n[workers]\ncount = \"auto\"")?,
            WorkerCount::Fixed(count) => writeln!(f, "\n[workers]\ncount = {count}")?,
        }
        writeln!(f, "io = {}", name(self.workers.io, &IoKind::NAMES))?;
        writeln!(f, "\n[admin]\nbind = \"{}\"", self.admin.bind)?;
        for key in &self.key_files {
            writeln!(f, "\n[[key]]\nid = {}", text(&key.id))?;
            match &key.source {
                KeySource::File(file) => writeln!(f, "file = {}", path(file))?,
                KeySource::Credential(name) => writeln!(f, "credential = {}", text(name))?,
            }
        }
        self.listeners.iter().try_for_each(|listener| write_listener(listener, f))
    }
}

fn write_listener(listener: &Listener, f: &mut Formatter<'_>) -> fmt::Result {
    let Protocol::Kafka = listener.protocol;
    let ranges = listener.brokers.ranges().iter().map(|range| format!("{}..{}", range.start(), range.end()));
    let upstream = listener.upstream.iter().map(|address| text(address)).collect::<Vec<_>>().join(", ");
    writeln!(f, "\n[[listener]]\nname = {}\nprotocol = \"kafka\"", text(&listener.name))?;
    writeln!(f, "bind = \"{}\"\nadvertised_host = {}", listener.bind, text(&listener.advertised_host))?;
    writeln!(f, "broker_port_base = {}", listener.broker_port_base)?;
    writeln!(f, "brokers = \"{}\"\nupstream = [{upstream}]", ranges.collect::<Vec<_>>().join(","))?;
    writeln!(f, "inspection = \"{}\"", if listener.inspection { "on" } else { "off" })?;
    writeln!(f, "on_error = {}", name(listener.on_error, &OnError::NAMES))?;
    writeln!(f, "on_block = {}", name(listener.on_block, &OnBlock::NAMES))?;
    writeln!(f, "principal_claim = {}", text(&listener.principal_claim))?;
    writeln!(f, "frame_bytes_max = {}", listener.frame_bytes_max)?;
    writeln!(f, "message_bytes_max = {}", listener.message_bytes_max)?;
    if let Some(tls) = &listener.tls {
        writeln!(f, "\n[listener.tls]\ncertificate = {}\nkey = {}", path(&tls.certificate), path(&tls.key))?;
        if let Some(client_ca) = &tls.client_ca {
            writeln!(f, "client_ca = {}", path(client_ca))?;
        }
    }
    if let Some(tls) = &listener.upstream_tls {
        writeln!(f, "\n[listener.upstream_tls]\nca = {}", path(&tls.ca))?;
        if let Some(identity) = &tls.identity {
            writeln!(f, "certificate = {}\nkey = {}", path(&identity.certificate), path(&identity.key))?;
        }
    }
    Ok(())
}

fn name<T: PartialEq>(value: T, names: &[(&'static str, T)]) -> String {
    names.iter().find(|(_, known)| *known == value).map(|(name, _)| text(name)).unwrap_or_default()
}

/// A TOML string.
fn text(value: &str) -> String {
    toml::Value::String(value.to_owned()).to_string()
}

fn path(value: &Path) -> String {
    text(&value.display().to_string())
}
