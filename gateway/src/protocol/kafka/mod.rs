//! Kafka: the wire code of the data path. Pure functions on bytes, no I/O, no clock.
//!
//! ```text
//! frame -> header -> api, allow -> produce -> record_batch -> compression -> records    (in)
//! response <- produce_response     frame <- produce_writer <- emit <- edits, patches    (out)
//! ```
//!
//! Bytes from the network are data: whatever they are, the answer is a value of an error type, never a panic,
//! and nothing is allocated because a length or count field says so. Results go into structs that the caller
//! reuses, so the Produce path allocates nothing in the steady state.

pub mod allow;
pub mod api;
pub mod api_versions;
pub mod compression;
pub mod edits;
pub mod emit;
pub mod error_code;
pub mod frame;
pub mod header;
pub mod produce;
pub mod produce_response;
pub mod produce_writer;
pub mod record_batch;
pub mod records;
pub mod rewrite;
pub mod sasl;
mod splice;
pub mod wire;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
