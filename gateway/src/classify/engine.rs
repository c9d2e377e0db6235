//! The compiled engine and one scan.

use super::{DetectorSpec, EngineError, ScanError, SelfTestError};
use crate::payload::{DetectorIndex, Field, Finding};

/// Compiled detectors: immutable, shared by all workers.
#[derive(Debug)]
pub struct Engine {
    specs: Vec<DetectorSpec>,
}

/// The memory that one scan at a time needs; one per worker.
#[derive(Debug)]
pub struct Scratch {}

impl Engine {
    /// Compiles `specs`; `DetectorIndex` of a finding is the position in `specs`.
    ///
    /// # Errors
    ///
    /// Every detector that cannot be compiled, with the form that can.
    pub fn compile(specs: &[DetectorSpec]) -> Result<Self, Vec<EngineError>> {
        Ok(Self { specs: specs.to_vec() })
    }

    /// The detector that made a finding.
    ///
    /// # Panics
    ///
    /// When `index` comes from another engine.
    pub fn detector(&self, index: DetectorIndex) -> &DetectorSpec {
        &self.specs[usize::from(index.0)]
    }

    /// Memory for scans with this engine.
    pub fn scratch(&self) -> Scratch {
        Scratch {}
    }

    /// Replaces `findings` by all findings in the `fields` of `text`, sorted by field, start, then longest
    /// first; those of one detector never overlap and each lies within one field.
    ///
    /// # Errors
    ///
    /// When the scan was not finished; `findings` is then incomplete.
    pub fn scan(
        &self,
        _scratch: &mut Scratch,
        _text: &[u8],
        _fields: &[Field],
        findings: &mut Vec<Finding>,
    ) -> Result<(), ScanError> {
        findings.clear();
        todo!()
    }

    /// Checks the linked pattern matcher: version, processor, and known vectors.
    ///
    /// # Errors
    ///
    /// When it is not the one that was tested: the caller refuses to serve.
    pub fn self_test() -> Result<(), SelfTestError> {
        todo!()
    }
}
