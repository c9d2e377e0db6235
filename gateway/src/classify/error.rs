//! What can go wrong: in a declaration, in a scan, in the engine itself.

/// A detector that the engine refuses, at load.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("detector `{detector}`: {problem}; {advice}")]
pub struct EngineError {
    /// Id of the detector.
    pub detector: String,
    /// Which of its shapes, from 0.
    pub shape: usize,
    /// What is wrong.
    pub problem: String,
    /// The cheaper or safer form.
    pub advice: String,
}

/// A scan that was not finished: its text must not be forwarded as clean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// More candidates than one scan may confirm.
    #[error("confirming the candidates took more than {steps_max} steps")]
    WorkExceeded {
        /// The cap.
        steps_max: u64,
    },
    /// The text is larger than one scan takes.
    #[error("text of {bytes} bytes, at most {bytes_max} fit one scan")]
    TextTooLarge {
        /// Its size.
        bytes: usize,
        /// The largest.
        bytes_max: usize,
    },
    /// More findings than are decided on and masked at once.
    #[error("{findings} findings, at most {findings_max} are decided on at once")]
    TooManyFindings {
        /// Their number.
        findings: usize,
        /// The most.
        findings_max: usize,
    },
    /// The masks would be much longer than what they mask.
    #[error("the masks are more than {growth_bytes_max} bytes longer than the text")]
    MasksTooLong {
        /// The most.
        growth_bytes_max: usize,
    },
    /// The pattern matcher failed.
    #[error("Hyperscan returned {code}")]
    Engine {
        /// Its `hs_error_t`.
        code: i32,
    },
}

/// The pattern matcher is not the one that was tested, or does not work here: refuse to serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelfTestError {
    /// Another library or version than the one that was checked against a reference.
    #[error("Hyperscan {expected} was checked, but {found} is linked")]
    Version {
        /// The version that was checked.
        expected: &'static str,
        /// What the library says it is.
        found: String,
    },
    /// The processor lacks what Hyperscan needs (SSSE3).
    #[error("Hyperscan does not run on this processor")]
    Platform,
    /// A known vector was not found as it must be.
    #[error("known vector failed: {0}")]
    Vector(&'static str),
}
