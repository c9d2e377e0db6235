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
//! In a field with escapes ([`crate::escape`]) what they hide is found, too: it is searched as it stands and
//! decoded, and findings of one detector that then overlap are joined.
//! Stage 1 only over-approximates where a match could start, so that definition alone decides what is
//! found; `oracle.rs` implements it naively and the tests demand exact agreement.

mod automaton;
pub mod catalog;
mod context;
pub mod declaration;
mod edges;
mod engine;
mod error;
pub mod explain;
mod grams;
#[expect(unsafe_code, reason = "foreign functions of the C library Hyperscan")]
mod hyperscan;
mod numbers;
#[cfg(any(test, fuzzing))]
pub mod oracle;
mod plan;
mod scan;
mod self_test;
mod shapes;
#[expect(unsafe_code, reason = "AVX2 intrinsics")]
mod simd;
mod spec;
mod starts;
mod syntax;
#[cfg(test)]
mod tests;
mod unescaped;
mod validate;
pub mod values;
mod words;
mod work;

pub use edges::Edges;
pub use engine::Engine;
pub use error::{EngineError, ScanError, SelfTestError};
pub use scan::{Scratch, TEXT_BYTES_MAX};
pub use shapes::Trigger;
pub use spec::{Context, DetectorSpec, Family, Shape};
pub use validate::Validator;
