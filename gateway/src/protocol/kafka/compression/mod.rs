//! The codecs of record batches, with bounds on what they may expand to.
//!
//! Nothing is allocated because a header claims a size: room grows with the bytes that are there. What a batch
//! may expand to depends on its own size, see [`text_bytes_max`].

mod gzip;
mod lz4;
mod snappy;
mod text;
mod zstd;

pub use self::snappy::SnappyFraming;
use self::text::Text;
use super::record_batch::Codec;

/// Why records cannot be decompressed or compressed.
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

/// Largest text of a batch, bytes, whatever its ratio.
pub const TEXT_BYTES_MAX: usize = 32 << 20;

/// A text up to this size, bytes, may have any ratio.
const ANY_RATIO_BYTES_MAX: usize = 1 << 20;

/// Largest ratio of text to compressed bytes above [`ANY_RATIO_BYTES_MAX`].
const RATIO_MAX: usize = 100;

/// Largest text that a blob of `blob_bytes` may expand to, bytes.
pub fn text_bytes_max(blob_bytes: usize) -> usize {
    blob_bytes.saturating_mul(RATIO_MAX).clamp(ANY_RATIO_BYTES_MAX, TEXT_BYTES_MAX)
}

/// Decompression contexts and the text buffer of one worker, reused from batch to batch.
#[derive(Default)]
pub struct Decompressor {
    text: Text,
    /// Of the blob that was decompressed last.
    has_extras: bool,
    gzip: gzip::Inflater,
    snappy: snap::raw::Decoder,
    zstd: zstd::Decoder,
}

impl Decompressor {
    /// Decompresses `blob`, the bytes after the head of a batch, and returns the text: the records.
    ///
    /// What follows the end of the compressed data could be read by one client and not by another, so it is
    /// refused. What a codec allows beside the text is told by [`Decompressor::has_extras`].
    ///
    /// # Errors
    ///
    /// When the bytes are not valid, or expand to more than [`text_bytes_max`].
    pub fn decompress(&mut self, codec: Codec, blob: &[u8]) -> Result<&[u8], CompressionError> {
        let text_bytes_max = text_bytes_max(blob.len());
        self.text.clear(text_bytes_max);
        let done = match codec {
            Codec::None => self.text.append(blob).map(|()| Contents::Text),
            Codec::Gzip => self.gzip.inflate(blob, &mut self.text),
            Codec::Snappy => snappy::decompress(&mut self.snappy, blob, &mut self.text),
            Codec::Lz4 => lz4::decompress(blob, &mut self.text),
            Codec::Zstd => self.zstd.decompress(blob, &mut self.text),
        };
        match done {
            Ok(contents) => {
                self.has_extras = contents == Contents::TextAndExtras;
                Ok(self.text.as_slice())
            }
            Err(Failure::Invalid) => Err(CompressionError::Invalid { codec }),
            Err(Failure::TooLarge) => Err(CompressionError::TooLarge { text_bytes_max }),
        }
    }

    /// True when the blob that was decompressed last has bytes that are no part of its text and that a client can
    /// fill as it likes: names and comments of gzip, skippable frames of zstd. Whoever inspects the text has not seen
    /// them, so the blob must not be passed on as it is.
    pub fn has_extras(&self) -> bool {
        self.has_extras
    }

    /// The text that was decompressed last.
    pub fn text(&self) -> &[u8] {
        self.text.as_slice()
    }
}

/// Compression contexts of one worker, reused from batch to batch.
pub struct Compressor {
    room: Text,
    gzip: gzip::Deflater,
    lz4: lz4_flex::block::CompressTable,
    snappy: snap::raw::Encoder,
    zstd: zstd::Encoder,
}

impl Default for Compressor {
    fn default() -> Self {
        Self {
            room: Text::default(),
            gzip: gzip::Deflater::default(),
            lz4: lz4_flex::block::CompressTable::default(),
            snappy: snap::raw::Encoder::new(),
            zstd: zstd::Encoder::default(),
        }
    }
}

/// How hard a compressor tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// The dirty path is on the clock.
    Fast,
    /// As small as what Java's producer makes by default; differs for zstd alone.
    Small,
}

impl Compressor {
    /// Appends `text`, compressed, to `out`. `original` is the blob that it came from: Snappy keeps its framing.
    ///
    /// # Errors
    ///
    /// When the codec's engine fails; `out` is then as it was.
    pub fn compress(
        &mut self,
        codec: Codec,
        original: &[u8],
        text: &[u8],
        effort: Effort,
        out: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        let start = out.len();
        let room = &mut self.room;
        let done = match codec {
            Codec::None => {
                out.extend_from_slice(text);
                Ok(())
            }
            Codec::Gzip => self.gzip.deflate(text, room, out),
            Codec::Snappy => snappy::compress(&mut self.snappy, SnappyFraming::of(original), text, room, out),
            Codec::Lz4 => lz4::compress(&mut self.lz4, text, room, out),
            Codec::Zstd => self.zstd.compress(text, effort, room, out),
        };
        done.map_err(|_| {
            out.truncate(start);
            CompressionError::Invalid { codec }
        })
    }
}

/// What a blob holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contents {
    /// Its text and what the codec derives from it, at most a time stamp.
    Text,
    /// Also bytes that are no part of the text.
    TextAndExtras,
}

impl Contents {
    fn text_only(is_text_only: bool) -> Self {
        if is_text_only { Self::Text } else { Self::TextAndExtras }
    }
}

/// What went wrong within one codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Invalid,
    TooLarge,
}

/// Appends to `out` what `write` puts into room of `bytes_max` bytes; it returns how many it wrote. The detour
/// keeps `out`, a frame of the worker's pool, from growing to the worst case of the codec.
fn append_with(
    room: &mut Text,
    out: &mut Vec<u8>,
    bytes_max: usize,
    write: impl FnOnce(&mut [u8]) -> Result<usize, Failure>,
) -> Result<(), Failure> {
    room.clear(usize::MAX);
    let written = write(room.room(bytes_max)?)?;
    room.advance(written);
    out.extend_from_slice(room.as_slice());
    Ok(())
}

#[cfg(test)]
mod tests;
