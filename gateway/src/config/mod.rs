//! The configuration file: which listeners, which upstreams, which policy.
//!
//! [`Config::load`] reads TOML, checks every value, every file it names and the ports against each other, and
//! reports all mistakes at once. Unknown keys are mistakes. Relative paths start at the directory of the
//! configuration file.

mod effective;
mod keys;
mod listener;
mod ports;

pub use keys::{KeyFile, KeySource, OWN_KEY, OwnKeyError, made_own_key, own_key};
pub use listener::{BrokerIds, ClientIdentity, DownstreamTls, Listener, OnError, Protocol, UpstreamTls};

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use gateway_ebpf_common::WORKERS_MAX;

use crate::diagnostic::Diagnostic;
use crate::document::{Document, Located, Table};
use crate::files;
use crate::mask::Keys;

/// Where state is kept unless the file says otherwise.
const STATE_DIR_DEFAULT: &str = "/var/lib/gateway";

/// Where metrics and health are served unless the file says otherwise: this host only.
const ADMIN_BIND_DEFAULT: &str = "127.0.0.1:9644";

/// A configuration without mistakes.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    /// Directory for audit segments, recordings and approvals.
    pub state_dir: PathBuf,
    /// The policy file.
    pub policy: PathBuf,
    /// The data plane's threads.
    pub workers: Workers,
    /// The administrative endpoint.
    pub admin: Admin,
    /// The configured keys, loaded.
    pub keys: Keys,
    /// Where each key was read from.
    pub key_files: Vec<KeyFile>,
    /// The listeners, in the order of the file; at least one.
    pub listeners: Vec<Listener>,
}

/// The data plane's threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workers {
    /// How many.
    pub count: WorkerCount,
    /// How they do I/O.
    pub io: IoKind,
}

/// How many workers are started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerCount {
    /// One per core, less one for the control thread when there are more than two cores.
    Auto,
    /// This many.
    Fixed(NonZeroUsize),
}

/// The driver of the workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoKind {
    /// One ring per worker.
    IoUring,
    /// For hosts where io_uring is off.
    Epoll,
}

/// The administrative endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Address of `/metrics`, `/healthz` and `/readyz`.
    pub bind: SocketAddr,
}

impl Config {
    /// Reads and checks a configuration file and the keys that it names.
    ///
    /// # Errors
    ///
    /// Every mistake, each with its line and column and what is allowed instead.
    pub fn load(file: &Path) -> Result<Self, Vec<Diagnostic>> {
        let source = files::read(file)?;
        let document = Document::new(file, &source);
        let root = document.parse();
        let reader = Reader { document: &document, directory: file.parent().unwrap_or(Path::new("")) };
        let config = reader.config(file, &Table::root(&document, &root));
        document.finish(config)
    }
}

impl WorkerCount {
    /// The number of workers on a host with so many cores; never more than the socket map has room for.
    pub fn resolve(self, cores: usize) -> usize {
        match self {
            Self::Fixed(count) => count.get(),
            Self::Auto if cores > 2 => (cores - 1).min(WORKERS_MAX as usize),
            Self::Auto => cores.max(1),
        }
    }
}

impl IoKind {
    /// Every driver with its name.
    pub const NAMES: [(&'static str, IoKind); 2] = [("io_uring", IoKind::IoUring), ("epoll", IoKind::Epoll)];

    /// The name as the configuration writes it.
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

/// What reading needs: where mistakes go, and where relative paths start.
struct Reader<'d, 'a> {
    document: &'d Document<'a>,
    directory: &'d Path,
}

impl Reader<'_, '_> {
    fn config(&self, file: &Path, root: &Table<'_, '_>) -> Option<Config> {
        root.allow_only(&["state_dir", "policy", "workers", "admin", "key", "listener"]);
        let state_dir = root.string("state_dir").map_or(STATE_DIR_DEFAULT, |found| found.value);
        let policy = root.required_string("policy").and_then(|found| self.existing_file(found));
        let workers = self.workers(root.table("workers").as_ref());
        let admin = root.table("admin");
        let admin_at = admin.as_ref().map_or(0, |admin| admin.at_key("bind"));
        let admin = self.admin(admin.as_ref());
        let (keys, key_files) = self.keys(&root.tables("key"));
        root.require("listener", "at least one [[listener]]");
        let listeners = self.listeners(&root.tables("listener"));
        ports::check(self.document, admin.map(|admin| (admin, admin_at)), &listeners);
        Some(Config {
            file: file.to_owned(),
            state_dir: self.directory.join(state_dir),
            policy: policy?,
            workers: workers?,
            admin: admin?,
            keys: Keys::Configured(keys),
            key_files,
            listeners: listeners.into_iter().map(|found| found.value).collect(),
        })
    }

    fn workers(&self, table: Option<&Table<'_, '_>>) -> Option<Workers> {
        let Some(table) = table else {
            return Some(Workers { count: WorkerCount::Auto, io: IoKind::IoUring });
        };
        table.allow_only(&["count", "io"]);
        let io = table.choice_or("io", &IoKind::NAMES, IoKind::IoUring);
        let count = if !table.has("count") || table.is_string("count", "auto") {
            Some(WorkerCount::Auto)
        } else {
            let count = table.integer("count", 1..=i64::from(WORKERS_MAX));
            count
                .and_then(|found| NonZeroUsize::new(usize::try_from(found.value).ok()?))
                .map(WorkerCount::Fixed)
        };
        Some(Workers { count: count?, io: io? })
    }

    fn admin(&self, table: Option<&Table<'_, '_>>) -> Option<Admin> {
        let bind = table.and_then(|table| {
            table.allow_only(&["bind"]);
            table.string("bind")
        });
        match bind {
            Some(bind) => self.address("bind", bind).map(|bind| Admin { bind }),
            None => ADMIN_BIND_DEFAULT.parse().ok().map(|bind| Admin { bind }),
        }
    }

    fn address(&self, key: &str, found: Located<&str>) -> Option<SocketAddr> {
        let address = found.value.parse().ok();
        if address.is_none() {
            let message = format!(
                "`{key}` cannot be `{}`: an IP address and a port, as in `0.0.0.0:9092`",
                found.value
            );
            self.document.mistake(found.at, message);
        }
        address
    }

    fn existing_file(&self, found: Located<&str>) -> Option<PathBuf> {
        let path = self.directory.join(found.value);
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => return Some(path),
            Ok(_) => self.document.mistake(found.at, format!("{} is not a file", path.display())),
            Err(error) => self.document.mistake(found.at, format!("{}: {error}", path.display())),
        }
        None
    }
}

#[cfg(test)]
mod tests;
