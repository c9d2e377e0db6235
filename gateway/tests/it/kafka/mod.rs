//! Real clients, the gateway, a real Apache Kafka: what arrives is judged at the broker.
//!
//! | module | what it shows |
//! |---|---|
//! | [`matrix`] | every client library with every codec, with and without TLS, on both drivers |
//! | [`transactions`] | transactional producers, TransactionalMessageCopier, ProducerPerformance |
//! | [`block`] | what clients see when a record is blocked: reject and stub |
//! | [`relay`] | consumers, share consumers and admin tools work through the gateway |
//! | [`equivalence`] | the same requests direct and through get the same answers |
//! | [`certificates`] | clients are known by their certificate, and so is the gateway at the broker |
//! | [`login`] | SASL passed through, TLS on the upstream leg |
//! | [`faults`] | a broker is killed, frozen, restarted under load: nothing is lost, doubled or out of order |
//! | [`topology`] | three brokers: no address but the gateway's is seen, producers follow the leaders |
//!
//! Needs Java, Maven, Go, Node.js and Python (`cargo xtask test` installs them).

mod block;
mod certificates;
mod endpoints;
mod equivalence;
mod faults;
mod gateway;
mod judge;
mod load;
mod login;
mod matrix;
mod policy;
mod records;
mod relay;
mod topology;
mod transactions;
mod world;
