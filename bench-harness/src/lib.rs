//! What the demo, the tests and the benchmark of `gateway` share.
//!
//! - [`broker`]: a Kafka broker in memory, which standard clients produce to and consume from.
//! - [`gateway`]: a gateway process in front of a broker.
//! - [`kafka`]: real Apache Kafka brokers and the client programs of six libraries.
//! - [`client`]: a client that is just enough to produce and to read back.
//! - [`codec`]: the five codecs of a record batch.
//! - [`load`]: Produce requests as fast as they are acknowledged, and a plain relay to compare with.
//! - [`host`]: cores, CPU time and the state of this machine.
//! - [`outgoing`]: records on their way out, as one batch.
//! - [`record`]: what a measurement leaves.
//! - [`telemetry`]: records as services write them, with planted sensitive values and their truth.

pub mod broker;
pub mod client;
pub mod codec;
pub mod gateway;
pub mod host;
pub mod kafka;
pub mod load;
pub mod outgoing;
pub mod ports;
pub mod record;
pub mod relay;
pub mod telemetry;
