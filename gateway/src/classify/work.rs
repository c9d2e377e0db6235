//! The bound of the work of a scan: so many steps, about one look-up in a table each.

use super::ScanError;

/// Steps taken and allowed. `steps <= steps_max`, else the scan ends.
#[derive(Debug, Default)]
pub(super) struct Work {
    steps: u64,
    steps_max: u64,
}

impl Work {
    /// The work that a text of so many bytes may take.
    pub(super) fn for_text(bytes: usize) -> Self {
        Self { steps: 0, steps_max: STEPS_MIN + STEPS_PER_BYTE * bytes as u64 }
    }

    /// Takes steps.
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), ScanError> {
        self.steps += steps as u64;
        if self.steps > self.steps_max { Err(self.exceeded()) } else { Ok(()) }
    }

    /// The scan takes more steps than it may.
    pub(super) fn exceeded(&self) -> ScanError {
        ScanError::WorkExceeded { steps_max: self.steps_max }
    }
}

/// Steps that confirming may take: so many per byte of text,
const STEPS_PER_BYTE: u64 = 128;
/// and so many for any text.
const STEPS_MIN: u64 = 1 << 16;
/// Steps that a start costs besides its bytes.
pub(super) const STEPS_PER_START: usize = 8;
/// Steps that validator and context of a match cost at least; one for each byte that the validator reads.
pub(super) const STEPS_PER_MATCH: usize = 32;
/// Steps that the fingerprint of a match costs.
pub(super) const STEPS_PER_FINGERPRINT: usize = 128;
