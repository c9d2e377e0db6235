//! Memory broker, telemetry and load for `gateway`.

pub mod kafka;
