//! `gateway` stands between producers and the streaming endpoint they write to, classifies every record
//! inline and masks sensitive bytes before the endpoint sees them.
//!
//! # The line of a record
//!
//! ```text
//! steer -> recv -> frame -> parse -> scan -> validate -> decide -> mask -> seal -> forward | hold | reject
//! ```
//!
//! | step | module | what it does |
//! |---|---|---|
//! | steer | [`steering`] | the kernel program hands a new connection to the less loaded of two workers |
//! | recv | [`worker`] | one pinned thread per core receives into pooled buffers |
//! | frame, parse | [`protocol`] | bytes become requests, batches, records and fields; pure functions |
//! | scan, validate | [`classify`] | candidates from Hyperscan and one AVX2 pass, confirmed by validators |
//! | decide | [`policy`] | findings become a level, a verdict and edits |
//! | mask | [`mask`] | edits become replacement bytes |
//! | seal | [`inspect`] | the edited batch gets its lengths and checksum; only now may it be written |
//! | forward, reject | [`worker`] | the upstream writer takes it, or the reply queue answers |
//!
//! The control thread ([`control`]) compiles policies, learns broker addresses, serves metrics and collects
//! audit batches. It and the workers meet only in [`mailbox`].

pub mod admin;
pub mod audit;
pub mod budget;
pub mod classify;
pub mod config;
pub mod control;
pub mod diagnostic;
pub mod document;
pub mod escape;
pub mod files;
pub mod identity;
pub mod inspect;
pub mod json;
pub mod mailbox;
pub mod mask;
pub mod pairs;
pub mod payload;
pub mod policy;
pub mod protocol;
pub mod steering;
pub mod tcp;
pub mod telemetry;
pub mod tls;
pub mod topology;
pub mod worker;
