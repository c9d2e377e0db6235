//! The log: text on a terminal, one JSON object a line otherwise. Payload bytes never enter it.

use std::any::Any;
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Level when the environment does not name one.
const DEFAULT_LEVEL: &str = "info";

/// Sends events, panics among them, to standard error; `GATEWAY_LOG` holds the filter, such as `debug` or `gateway::worker=trace`.
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
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, message = constant_message(panic.payload()), "panic");
    }));
}

/// The message of a panic when it is a constant of the program. A formatted one may quote what it was formatted from,
/// such as the string that was cut within a character, so it is left out.
fn constant_message(payload: &dyn Any) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("(formatted, so it may hold payload)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_message_that_may_quote_payload_is_left_out() {
        let payload_of = |cause: fn()| std::panic::catch_unwind(cause).expect_err("it panics");
        let constant = payload_of(|| panic!("a constant"));
        let quoting = payload_of(|| _ = &"pan 4111\u{e9}"[..9]);

        assert_eq!(constant_message(&*constant), "a constant");
        assert!(!constant_message(&*quoting).contains("4111"));
    }
}
