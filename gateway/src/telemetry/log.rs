//! The log: text on a terminal, one JSON object a line otherwise. Payload bytes never enter it.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Level when the environment does not name one.
const DEFAULT_LEVEL: &str = "info";

/// Sends events to standard error; `GATEWAY_LOG` holds the filter, such as `debug` or `gateway::worker=trace`.
///
/// # Panics
///
/// When called twice in one process.
pub fn init() {
    let filter = EnvFilter::try_from_env("GATEWAY_LOG").unwrap_or_else(|_| EnvFilter::new(DEFAULT_LEVEL));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        log.init();
    } else {
        log.json().flatten_event(true).init();
    }
}
