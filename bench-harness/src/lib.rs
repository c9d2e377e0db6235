//! Memory broker, telemetry and load for `gateway`.
