//! The head of a record batch of magic 2 (KIP-98) and the checks that a broker makes on produce.

use std::cmp::Ordering;

use super::compression::CompressionError;
use super::error_code::ErrorCode;
use super::produce_response::refusal_code;
use super::wire::{Reader, WireError, WireResult, patch_i32};

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
    /// More records or headers than any client sends: each costs memory beside its bytes.
    #[error("more than {count_max} {of}")]
    CountLimit {
        /// What there are too many of.
        of: &'static str,
        /// The limit.
        count_max: usize,
    },
    /// The batches of the request before this one have used up what a request may expand to.
    #[error("the batches of this request expand to more than {text_bytes_max} bytes")]
    RequestText {
        /// The limit.
        text_bytes_max: usize,
    },
    /// The records cannot be decompressed within the limits.
    #[error(transparent)]
    Compression(#[from] CompressionError),
    /// The records do not have the structure of records.
    #[error("record: {0}")]
    Record(#[from] WireError),
}

impl BatchError {
    /// What a broker answers; a batch above our own limits is refused as by a policy.
    pub fn error_code(&self, api_version: i16) -> ErrorCode {
        match self {
            Self::Missing
            | Self::CutOff
            | Self::Trailing
            | Self::Magic { .. }
            | Self::BaseOffset { .. }
            | Self::Count { .. }
            | Self::Control
            | Self::Sequence { .. }
            | Self::Record(_) => ErrorCode::INVALID_RECORD,
            Self::TooSmall { .. } | Self::Crc { .. } => ErrorCode::CORRUPT_MESSAGE,
            Self::ZstdTooOld => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            Self::UnknownCodec { .. }
            | Self::OffsetDelta { .. }
            | Self::Compression(CompressionError::Invalid { .. }) => ErrorCode::UNKNOWN_SERVER_ERROR,
            Self::CountLimit { .. }
            | Self::RequestText { .. }
            | Self::Compression(CompressionError::TooLarge { .. }) => refusal_code(api_version),
        }
    }
}

impl BatchHead {
    /// Reads the head; `None` when `batch` is shorter than [`HEAD_BYTES`].
    pub fn read(batch: &[u8]) -> Option<Self> {
        Self::read_fields(&mut Reader::new(batch.get(..HEAD_BYTES)?)).ok()
    }

    fn read_fields(reader: &mut Reader<'_>) -> WireResult<Self> {
        Ok(Self {
            base_offset: reader.i64()?,
            batch_length: reader.i32()?,
            partition_leader_epoch: reader.i32()?,
            magic: reader.i8()?,
            crc: reader.i32()?.cast_unsigned(),
            attributes: reader.i16()?,
            last_offset_delta: reader.i32()?,
            base_timestamp: reader.i64()?,
            max_timestamp: reader.i64()?,
            producer_id: reader.i64()?,
            producer_epoch: reader.i16()?,
            base_sequence: reader.i32()?,
            record_count: reader.i32()?,
        })
    }

    /// The codec; `None` for a number that names none.
    pub fn codec(&self) -> Option<Codec> {
        match self.attributes & CODEC_BITS {
            0 => Some(Codec::None),
            1 => Some(Codec::Gzip),
            2 => Some(Codec::Snappy),
            3 => Some(Codec::Lz4),
            4 => Some(Codec::Zstd),
            _ => None,
        }
    }

    /// True for a batch within a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_BIT != 0
    }

    /// True when the batch carries a producer id; otherwise sequence and epoch mean nothing.
    pub fn is_idempotent(&self) -> bool {
        self.producer_id >= 0
    }

    /// The checks on single fields, in the order of a broker.
    fn check_fields(&self, api_version: i16) -> Result<Codec, BatchError> {
        if self.base_offset != 0 {
            return Err(BatchError::BaseOffset { base_offset: self.base_offset });
        }
        let unknown = BatchError::UnknownCodec { codec: self.attributes & CODEC_BITS };
        let codec = self.codec().ok_or(unknown)?;
        if codec == Codec::Zstd && api_version < ZSTD_FROM {
            return Err(BatchError::ZstdTooOld);
        }
        let consistent = self.last_offset_delta.checked_add(1) == Some(self.record_count);
        if self.record_count <= 0 || !consistent {
            return Err(BatchError::Count { record_count: self.record_count });
        }
        if self.is_idempotent() && self.base_sequence < 0 {
            return Err(BatchError::Sequence { base_sequence: self.base_sequence });
        }
        if self.attributes & CONTROL_BIT != 0 {
            return Err(BatchError::Control);
        }
        Ok(codec)
    }
}

/// Makes the checks that a broker makes on the records of one partition before it reads them: exactly one
/// batch, magic, checksum, codec, counts, flags. The checksum comes before everything that it covers.
///
/// # Errors
///
/// The first check that fails; [`BatchError::error_code`] is the answer.
pub fn verify(records: Option<&[u8]>, api_version: i16) -> Result<(BatchHead, Codec), BatchError> {
    let batch = records.unwrap_or_default();
    if batch.is_empty() {
        return Err(BatchError::Missing);
    }
    let head = BatchHead::read(batch).ok_or(BatchError::CutOff)?;
    if head.magic != MAGIC {
        return Err(BatchError::Magic { magic: head.magic });
    }
    check_length(&head, batch.len())?;
    let computed = checksum(batch);
    if computed != head.crc {
        return Err(BatchError::Crc { claimed: head.crc, computed });
    }
    let codec = head.check_fields(api_version)?;
    Ok((head, codec))
}

fn check_length(head: &BatchHead, batch_bytes: usize) -> Result<(), BatchError> {
    let batch_length = head.batch_length;
    let claimed = usize::try_from(batch_length).ok().and_then(|length| length.checked_add(PREFIX_BYTES));
    match claimed {
        Some(claimed) if claimed >= HEAD_BYTES => match claimed.cmp(&batch_bytes) {
            Ordering::Less => Err(BatchError::Trailing),
            Ordering::Equal => Ok(()),
            Ordering::Greater => Err(BatchError::CutOff),
        },
        _ => Err(BatchError::TooSmall { batch_length }),
    }
}

/// The bytes after the head: the records, or one compressed blob.
pub fn blob(batch: &[u8]) -> &[u8] {
    batch.get(HEAD_BYTES..).unwrap_or_default()
}

/// Recomputes the checksum of an edited batch; nothing else changes.
pub fn seal_in_place(batch: &mut [u8]) {
    let crc = checksum(batch);
    patch_i32(batch, CRC_AT, crc);
}

/// Sets the length and the checksum of a batch that was written anew.
pub(super) fn seal(batch: &mut [u8]) {
    let length = batch.len().saturating_sub(PREFIX_BYTES);
    patch_i32(batch, LENGTH_AT, u32::try_from(length).unwrap_or(u32::MAX));
    seal_in_place(batch);
}

/// CRC-32C over everything from the attributes on.
fn checksum(batch: &[u8]) -> u32 {
    crc32c::crc32c(batch.get(ATTRIBUTES_AT..).unwrap_or_default())
}

/// The only batch format that brokers from 4.0 on take (KIP-724).
const MAGIC: i8 = 2;

/// Bytes before those that `batch_length` counts.
const PREFIX_BYTES: usize = 12;

/// Offset of `batch_length`.
const LENGTH_AT: usize = 8;

/// Offset of `crc`.
const CRC_AT: usize = 17;

/// Offset of `attributes`, the first byte that the checksum covers.
const ATTRIBUTES_AT: usize = 21;

/// Codec in the attributes.
const CODEC_BITS: i16 = 0b111;

/// Transaction flag in the attributes.
const TRANSACTIONAL_BIT: i16 = 1 << 4;

/// Control flag in the attributes.
const CONTROL_BIT: i16 = 1 << 5;

/// First Produce version with zstd (KIP-110).
const ZSTD_FROM: i16 = 7;

#[cfg(test)]
mod tests {
    use super::super::testing::{BatchSpec, batch};
    use super::*;

    /// A batch with one byte range overwritten and the checksum made right again.
    fn with(at: usize, bytes: &[u8]) -> Vec<u8> {
        let mut made = batch(&BatchSpec::default());
        made[at..at + bytes.len()].copy_from_slice(bytes);
        seal_in_place(&mut made);
        made
    }

    #[test]
    fn each_check_has_the_code_of_a_broker() {
        let good = batch(&BatchSpec::default());
        let mut flipped = good.clone();
        *flipped.last_mut().expect("not empty") ^= 1;
        let twice = [good.clone(), good.clone()].concat();
        let table: [(&str, Vec<u8>, i16, &str, ErrorCode); 15] = [
            ("nothing", vec![], 9, "no record batch", ErrorCode::INVALID_RECORD),
            ("half a head", good[..40].to_vec(), 9, "batch is cut off", ErrorCode::INVALID_RECORD),
            ("cut", good[..good.len() - 1].to_vec(), 9, "batch is cut off", ErrorCode::INVALID_RECORD),
            ("two batches", twice, 9, "more than one batch", ErrorCode::INVALID_RECORD),
            ("flipped bit", flipped, 9, "CRC-32C is ", ErrorCode::CORRUPT_MESSAGE),
            ("length 48", with(8, &[0, 0, 0, 48]), 9, "batch length 48 ", ErrorCode::CORRUPT_MESSAGE),
            ("length -1", with(8, &[0xff; 4]), 9, "batch length -1 ", ErrorCode::CORRUPT_MESSAGE),
            ("magic 1", with(16, &[1]), 9, "magic 1 ", ErrorCode::INVALID_RECORD),
            ("codec 5", with(21, &[0, 5]), 9, "codec 5 ", ErrorCode::UNKNOWN_SERVER_ERROR),
            (
                "zstd in version 6",
                with(21, &[0, 4]),
                6,
                "zstd needs Produce 7",
                ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            ),
            (
                "base offset",
                with(0, &[0, 0, 0, 0, 0, 0, 0, 7]),
                9,
                "base offset 7 ",
                ErrorCode::INVALID_RECORD,
            ),
            ("count 0", with(57, &[0, 0, 0, 0]), 9, "record count 0 ", ErrorCode::INVALID_RECORD),
            (
                "count 2^31 - 1",
                with(23, &[0x7f, 0xff, 0xff, 0xff]),
                9,
                "record count 3 ",
                ErrorCode::INVALID_RECORD,
            ),
            ("control", with(21, &[0, 0x20]), 9, "control batch", ErrorCode::INVALID_RECORD),
            (
                "no sequence",
                with(43, &[0, 0, 0, 0, 0, 0, 0, 5]),
                9,
                "base sequence -1 ",
                ErrorCode::INVALID_RECORD,
            ),
        ];
        for (name, bytes, api_version, message, code) in table {
            let error = verify(Some(&bytes), api_version).expect_err(name);
            assert!(error.to_string().starts_with(message), "{name}: {error}");
            assert_eq!(error.error_code(api_version), code, "{name}");
        }
        assert_eq!(verify(None, 9), Err(BatchError::Missing));
        assert!(verify(Some(&good), 9).is_ok());
    }
}
