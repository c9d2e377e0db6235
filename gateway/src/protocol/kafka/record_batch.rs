//! The head of a record batch of magic 2 (KIP-98) and the checks that a broker makes on produce.

use super::compression::CompressionError;
use super::error_code::ErrorCode;
use super::wire::WireError;

/// Bytes before the records of a batch.
pub const HEAD_BYTES: usize = 61;

/// Codec of a batch: bits 0 to 2 of its attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Not compressed.
    None,
    /// RFC 1952, members may follow each other.
    Gzip,
    /// A raw block or Xerial's framing.
    Snappy,
    /// LZ4 frame with independent blocks.
    Lz4,
    /// RFC 8878 (KIP-110).
    Zstd,
}

/// The head of a record batch; names as in the protocol guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHead {
    /// 0 on produce.
    pub base_offset: i64,
    /// Bytes after this field.
    pub batch_length: i32,
    /// Not covered by the CRC.
    pub partition_leader_epoch: i32,
    /// 2.
    pub magic: i8,
    /// CRC-32C of everything after this field.
    pub crc: u32,
    /// Codec and flags.
    pub attributes: i16,
    /// Count of records less one.
    pub last_offset_delta: i32,
    /// Milliseconds since the epoch.
    pub base_timestamp: i64,
    /// Milliseconds since the epoch.
    pub max_timestamp: i64,
    /// -1 when the producer is not idempotent.
    pub producer_id: i64,
    /// Epoch of the producer id.
    pub producer_epoch: i16,
    /// Sequence number of the first record.
    pub base_sequence: i32,
    /// Number of records.
    pub record_count: i32,
}

/// Why a batch is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The partition has no records.
    #[error("no record batch")]
    Missing,
    /// Shorter than a batch head, or than it claims.
    #[error("batch is cut off")]
    CutOff,
    /// Smaller than any batch can be.
    #[error("batch length {batch_length} is too small")]
    TooSmall {
        /// As sent.
        batch_length: i32,
    },
    /// Bytes follow the batch: exactly one is allowed.
    #[error("more than one batch")]
    Trailing,
    /// Not magic 2.
    #[error("magic {magic} is not 2")]
    Magic {
        /// As sent.
        magic: i8,
    },
    /// The checksum is wrong.
    #[error("CRC-32C is {computed:#010x}, not {claimed:#010x}")]
    Crc {
        /// As sent.
        claimed: u32,
        /// Of the bytes.
        computed: u32,
    },
    /// The attributes name no codec.
    #[error("codec {codec} is not known")]
    UnknownCodec {
        /// As sent.
        codec: i16,
    },
    /// Zstd before Produce 7.
    #[error("zstd needs Produce 7 or newer")]
    ZstdTooOld,
    /// The base offset is not 0.
    #[error("base offset {base_offset} is not 0")]
    BaseOffset {
        /// As sent.
        base_offset: i64,
    },
    /// The count is not positive or does not agree with the last offset delta or with the records.
    #[error("record count {record_count} is wrong")]
    Count {
        /// As sent.
        record_count: i32,
    },
    /// Only brokers write control batches.
    #[error("control batch")]
    Control,
    /// An idempotent batch without a sequence number.
    #[error("base sequence {base_sequence} is negative")]
    Sequence {
        /// As sent.
        base_sequence: i32,
    },
    /// Offset deltas of a compressed batch are not consecutive.
    #[error("offset delta {offset_delta} of record {record} is wrong")]
    OffsetDelta {
        /// Index of the record.
        record: u32,
        /// As sent.
        offset_delta: i32,
    },
    /// The records cannot be decompressed within the limits.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// The records do not have the structure of records.
    #[error("record: {0}")]
    Record(#[from] WireError),
}

impl BatchError {
    /// What a broker answers.
    pub fn error_code(&self, api_version: i16) -> ErrorCode {
        let _ = api_version;
        todo!()
    }
}

impl BatchHead {
    /// Reads the head; `None` when `batch` is shorter than [`HEAD_BYTES`].
    pub fn read(batch: &[u8]) -> Option<Self> {
        let _ = batch;
        todo!()
    }

    /// The codec; `None` for a number that names none.
    pub fn codec(&self) -> Option<Codec> {
        todo!()
    }

    /// True for a batch within a transaction.
    pub fn is_transactional(&self) -> bool {
        todo!()
    }
}

/// Makes the checks that a broker makes on the records of one partition before it reads them: exactly one
/// batch, magic, checksum, codec, counts, flags.
///
/// # Errors
///
/// The first check that fails; [`BatchError::error_code`] is the answer.
pub fn verify(records: Option<&[u8]>, api_version: i16) -> Result<(BatchHead, Codec), BatchError> {
    let _ = (records, api_version);
    todo!()
}

/// Recomputes the checksum of an edited batch; nothing else changes.
pub fn seal_in_place(batch: &mut [u8]) {
    let _ = batch;
    todo!()
}
