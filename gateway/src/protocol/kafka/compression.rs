//! The codecs of record batches, with bounds on what they may expand to.

use super::record_batch::Codec;

/// Why records cannot be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompressionError {
    /// The bytes are not what the codec produces.
    #[error("records are not valid {codec:?}")]
    Invalid {
        /// The codec of the batch.
        codec: Codec,
    },
    /// The text would be larger than the limit.
    #[error("records expand to more than {text_bytes_max} bytes")]
    TooLarge {
        /// The limit for a batch of this size.
        text_bytes_max: usize,
    },
}

/// Snappy framing of a batch, kept when it is rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnappyFraming {
    /// One raw block (librdkafka, franz-go).
    Raw,
    /// Xerial's chunks (Java).
    Xerial,
}

/// Contexts and the text buffer of one worker, reused from batch to batch.
#[derive(Default)]
pub struct Decompressor {
    text: Vec<u8>,
}

impl Decompressor {
    /// Decompresses `blob`, the bytes after the head of a batch, and returns the text: the records.
    ///
    /// # Errors
    ///
    /// When the bytes are not valid, or expand to more than 32 MiB, or to more than 1 MiB at a ratio above 100.
    pub fn decompress(&mut self, codec: Codec, blob: &[u8]) -> Result<&[u8], CompressionError> {
        let _ = (codec, blob);
        todo!()
    }

    /// The text that was decompressed last.
    pub fn text(&self) -> &[u8] {
        &self.text
    }
}
