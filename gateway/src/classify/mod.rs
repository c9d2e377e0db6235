//! Finds sensitive values in the fields of a text: candidates, then confirmation.
//!
//! ```text
//! text ─┬─ Hyperscan: literals, no start-of-match ─┐
//!       └─ one AVX2 pass: shapes of digits, @, : . ├─▶ candidates ─▶ sort ─▶ confirm ─▶ findings
//!                                                  ┘                 pattern, edges, context, validator
//! ```
//!
//! A *detector* ([`DetectorSpec`]) has one or more *shapes*: a pattern with its edges, validator and need
//! for context. A finding is, per detector, the leftmost start at which some shape is accepted and there
//! the longest accepted end; findings of one detector never overlap and each lies within one field.
//! Stage 1 only over-approximates where a match could start, so that definition alone decides what is
//! found; `oracle.rs` implements it naively and the tests demand exact agreement.

pub mod catalog;
mod engine;
mod error;
mod spec;

pub use engine::{Engine, Scratch};
pub use error::{EngineError, ScanError, SelfTestError};
pub use spec::{Context, DetectorSpec, Edges, Family, Shape, SpecError, Validator};
