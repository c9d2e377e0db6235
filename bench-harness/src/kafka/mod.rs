//! A real Apache Kafka and real client libraries, from package registries only, on 127.0.0.1.
//!
//! ```text
//! Jars ──▶ Cluster (1 or 3 brokers) ◀── Clients (Java, librdkafka, franz-go, sarama, kafkajs, aiokafka)
//!                     ▲
//!                    Tap (records the frames that pass)
//! ```
//!
//! Everything is installed once into [`cache`] and found there afterwards. Needs Java 17 with its compiler and
//! Maven; the client programs also need Go, Node.js with npm, and Python with venv.

pub mod cache;
pub mod clients;
pub mod cluster;
mod go;
pub mod jars;
mod lock;
pub mod pem;
mod properties;
pub mod tap;
pub mod wait;

pub use clients::{Clients, Library};
pub use cluster::{Cluster, Listener, Spec};
pub use jars::Jars;
pub use pem::{Authority, Certificate};
