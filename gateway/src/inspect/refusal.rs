//! What does not go on, and how its sender learns of it.

use super::Sender;
use super::batch::{Job, topic_of};
use crate::classify::ScanError;
use crate::policy::Verdict;
use crate::protocol::kafka::compression::CompressionError;
use crate::protocol::kafka::error_code::ErrorCode;
use crate::protocol::kafka::produce::ProduceRequest;
use crate::protocol::kafka::produce_response::{PartitionError, ProduceAnswer, refusal_code};
use crate::protocol::kafka::record_batch::BatchError;
use crate::protocol::kafka::wire::{WireError, WireErrorKind};
use crate::telemetry::Reason;

/// One refused partition.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reason: Reason,
    pub(super) error: PartitionError,
}

impl Refusal {
    /// A refusal without more to say.
    pub(super) fn new(reason: Reason, error_code: ErrorCode) -> Self {
        Self { reason, error: PartitionError::new(error_code) }
    }

    /// What this means for the records of the batch.
    pub(super) fn verdict(&self) -> Verdict {
        if self.reason == Reason::Hold { Verdict::Hold } else { Verdict::Block }
    }

    fn saying(reason: Reason, error_code: ErrorCode, message: String) -> Self {
        let error = PartitionError { error_code, record_errors: Vec::new(), message: Some(message) };
        Self { reason, error }
    }

    /// A batch that cannot be read: refused with the broker's own code.
    pub(super) fn undecodable(error: &BatchError, api_version: i16) -> Self {
        let reason = match error {
            BatchError::Crc { .. } => Reason::CorruptBatch,
            BatchError::RequestText { .. } | BatchError::Compression(CompressionError::TooLarge { .. }) => {
                Reason::DecompressionLimit
            }
            BatchError::Compression(_) | BatchError::UnknownCodec { .. } | BatchError::ZstdTooOld => {
                Reason::Compression
            }
            BatchError::CountLimit { .. } => Reason::CountLimit,
            _ => Reason::InvalidBatch,
        };
        Self::saying(reason, error.error_code(api_version), error.to_string())
    }

    /// The engine did not finish: nothing is known of the batch.
    pub(super) fn unclassified(error: &ScanError, api_version: i16) -> Self {
        let message = format!("the batch cannot be classified: {error}");
        Self::saying(Reason::Engine, refusal_code(api_version), message)
    }

    /// Labels or stubs that would take more memory than the largest text.
    pub(super) fn too_many_edits(api_version: i16) -> Self {
        let message = "too many records with different labels, or blocked ones".to_owned();
        Self::saying(Reason::CountLimit, refusal_code(api_version), message)
    }

    /// The codec's engine refused to compress: nothing of the batch can go.
    pub(super) fn not_emitted(error: &CompressionError) -> Self {
        let message = format!("cannot compress the masked records: {error}");
        Self::saying(Reason::Compression, ErrorCode::UNKNOWN_SERVER_ERROR, message)
    }
}

/// Why a connection is closed whose request cannot be parsed.
pub(super) fn unparsed(error: &WireError) -> (Reason, String) {
    let reason = match error.kind {
        WireErrorKind::CountLimit { .. } => Reason::CountLimit,
        _ => Reason::Malformed,
    };
    (reason, error.to_string())
}

/// What an operator reads of the refused partitions of one request. No content of records.
#[derive(Debug, PartialEq, Eq)]
pub struct RefusedPartitions {
    /// Why the first was refused.
    pub reason: Reason,
    /// Its topic, as the request or the metadata names it; `None` for an id that nothing has named yet.
    pub topic: Option<String>,
    /// Its index.
    pub partition: i32,
    /// What its client is told, with the rule that blocks.
    pub detail: String,
    /// How many were refused.
    pub partitions: usize,
}

/// The refused partitions of one request, to be told as its `acks` wants it.
#[derive(Default)]
pub(super) struct Refusals {
    /// For the log.
    pub(super) refused: Option<RefusedPartitions>,
    /// For the client, merged with what the broker answers for the other partitions.
    pub(super) answer: Option<Box<ProduceAnswer>>,
    /// With acks=0 closing the connection is the only answer; its reason is counted when that happens.
    pub(super) close: Option<(Reason, String)>,
}

impl Refusals {
    /// The partition at `position` is refused.
    pub(super) fn add(
        &mut self,
        frame: &[u8],
        request: &ProduceRequest,
        position: usize,
        refusal: Refusal,
        job: &Job<'_>,
    ) {
        match &mut self.refused {
            Some(refused) => refused.partitions += 1,
            None => self.refused = Some(first_refused(frame, request, position, &refusal, job.sender)),
        }
        if request.acks != 0 {
            let answer = self.answer.get_or_insert_with(|| Box::new(ProduceAnswer::new(frame, request)));
            answer.refuse(position, refusal.error);
        } else if self.close.is_none() {
            let detail = "refused, and with acks=0 there is no other answer".to_owned();
            self.close = Some((refusal.reason, detail));
            return;
        }
        job.counters.refuse(refusal.reason);
    }
}

fn first_refused(
    frame: &[u8],
    request: &ProduceRequest,
    position: usize,
    refusal: &Refusal,
    sender: &Sender<'_>,
) -> RefusedPartitions {
    let partition = &request.partitions[position];
    let PartitionError { error_code, record_errors, message } = &refusal.error;
    let said = message.clone().or_else(|| record_errors.iter().find_map(|(_, said)| said.clone()));
    RefusedPartitions {
        reason: refusal.reason,
        topic: topic_of(frame, request, partition, sender).ok().map(str::to_owned),
        partition: partition.index,
        detail: said.unwrap_or_else(|| format!("error code {}", error_code.0)),
        partitions: 1,
    }
}
