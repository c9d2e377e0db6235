//! ProduceResponse 3 to 13: local answers for refused partitions, merged with the broker's for the others.

use super::error_code::ErrorCode;
use super::produce::ProduceRequest;
use super::rewrite::{Directory, RewriteError};

/// What a batch that a policy refuses is answered: clients of Produce 7 and older need not know
/// `INVALID_RECORD` (KIP-467).
pub fn refusal_code(api_version: i16) -> ErrorCode {
    if api_version >= RECORD_ERRORS_FROM { ErrorCode::INVALID_RECORD } else { ErrorCode::POLICY_VIOLATION }
}

/// First version with `record_errors` and `error_message` (KIP-467).
const RECORD_ERRORS_FROM: i16 = 8;

/// The answer for one partition that the gateway refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionError {
    /// The code.
    pub error_code: ErrorCode,
    /// Records at fault with what to say about each (version 8 and newer, KIP-467); sorted when written.
    pub record_errors: Vec<(i32, Option<String>)>,
    /// What to say about the batch (version 8 and newer). Never content of records.
    pub message: Option<String>,
}

/// The answer to one ProduceRequest of which partitions were refused. It owns what it needs: the request's
/// frame is gone when the broker's response comes.
#[derive(Clone, Debug)]
pub struct ProduceAnswer {
    api_version: i16,
}

impl ProduceAnswer {
    /// An answer for all partitions of `request`, none refused yet.
    pub fn new(frame: &[u8], request: &ProduceRequest) -> Self {
        let _ = frame;
        Self { api_version: request.api_version }
    }

    /// Refuses the partition at `position` of [`ProduceRequest::partitions`].
    pub fn refuse(&mut self, position: usize, error: PartitionError) {
        let _ = (position, error);
        todo!()
    }

    /// True when no partition is left for the broker.
    pub fn is_local(&self) -> bool {
        todo!()
    }

    /// Appends the response when nothing went to the broker.
    pub fn write_local(&self, out: &mut Vec<u8>) {
        let _ = (out, self.api_version);
        todo!()
    }

    /// Appends the broker's `response` with the refused partitions in their places.
    ///
    /// # Errors
    ///
    /// As [`rewrite`]; also when the response lacks a partition that was forwarded.
    pub fn merge(
        &self,
        response: &[u8],
        directory: &mut impl Directory,
        out: &mut Vec<u8>,
    ) -> Result<(), RewriteError> {
        let _ = (response, directory, out);
        todo!()
    }
}

/// Appends the broker's `response` to a request of which nothing was refused: only `node_endpoints` (version
/// 10 and newer, KIP-951) change.
///
/// # Errors
///
/// When `response`, a whole frame, is no ProduceResponse of this version, or names an unknown node.
pub fn rewrite(
    api_version: i16,
    response: &[u8],
    directory: &mut impl Directory,
    out: &mut Vec<u8>,
) -> Result<(), RewriteError> {
    let _ = (api_version, response, directory, out);
    todo!()
}
