//! Protocols: bytes to structure and back, without I/O.

pub mod kafka;
