//! What operators see: counters per worker, their Prometheus exposition, and the log.

mod counters;
mod exposition;
mod log;
mod reason;

pub use counters::{Direction, WorkerCounters};
pub use exposition::{Exposition, PolicyState};
pub use log::init as init_log;
pub use reason::Reason;
