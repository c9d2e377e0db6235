//! The five codecs of a record batch, with bounded decompression.

use anyhow::{Context, Result, ensure};
use bytes::{Buf, Bytes};
use kafka_protocol::records::Compression;
use std::io::{Read, Write};

/// Compression of a batch; the value is its number in the batch's attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Records as they are.
    None = 0,
    /// RFC 1952, members concatenated.
    Gzip = 1,
    /// Raw block or xerial framing; written as a raw block, as librdkafka does.
    Snappy = 2,
    /// LZ4 frame format, blocks of 64 KiB that are independent of each other.
    Lz4 = 3,
    /// RFC 8878.
    Zstd = 4,
}

impl Codec {
    /// All codecs, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec in a batch's attributes; `None` for a number that is not assigned.
    pub fn of_attributes(attributes: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| *codec as i16 == attributes & 7)
    }

    /// The codec that users call `name`, as in Kafka's `compression.type`.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }

    /// Its name in Kafka's `compression.type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Compresses the records of a batch.
    ///
    /// # Errors
    ///
    /// When the codec's library fails.
    pub fn compress(self, text: &[u8]) -> Result<Vec<u8>> {
        match self {
            Self::None => Ok(text.to_vec()),
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(text)?;
                Ok(encoder.finish()?)
            }
            Self::Snappy => Ok(snap::raw::Encoder::new().compress_vec(text)?),
            Self::Lz4 => {
                let frame = lz4_flex::frame::FrameInfo::new()
                    .block_mode(lz4_flex::frame::BlockMode::Independent)
                    .block_size(lz4_flex::frame::BlockSize::Max64KB);
                let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(frame, Vec::new());
                encoder.write_all(text)?;
                Ok(encoder.finish()?)
            }
            Self::Zstd => Ok(zstd::encode_all(text, zstd::DEFAULT_COMPRESSION_LEVEL)?),
        }
    }

    /// The uncompressed records of a batch.
    ///
    /// # Errors
    ///
    /// When the bytes are not of this codec, or are more than 64 MiB uncompressed.
    pub fn decompress(self, body: &[u8]) -> Result<Bytes> {
        match self {
            Self::None => Ok(Bytes::copy_from_slice(body)),
            Self::Gzip => bounded(flate2::read::MultiGzDecoder::new(body)),
            Self::Snappy => unsnap(body),
            Self::Lz4 => bounded(lz4_flex::frame::FrameDecoder::new(body)),
            Self::Zstd => bounded(zstd::Decoder::new(body)?),
        }
    }

    /// The codec in the type of the `kafka-protocol` crate.
    pub(crate) fn in_attributes(self) -> Compression {
        match self {
            Self::None => Compression::None,
            Self::Gzip => Compression::Gzip,
            Self::Snappy => Compression::Snappy,
            Self::Lz4 => Compression::Lz4,
            Self::Zstd => Compression::Zstd,
        }
    }
}

/// Largest text of a batch, bytes.
const TEXT_BYTES_MAX: u64 = 64 << 20;

fn bounded(reader: impl Read) -> Result<Bytes> {
    let mut text = Vec::new();
    reader.take(TEXT_BYTES_MAX + 1).read_to_end(&mut text)?;
    ensure!(text.len() as u64 <= TEXT_BYTES_MAX, "more than {TEXT_BYTES_MAX} bytes");
    Ok(text.into())
}

/// The framing of xerial's snappy-java: magic, version 1, compatible 1, then blocks with their lengths.
const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\x00";

fn unsnap(body: &[u8]) -> Result<Bytes> {
    let Some(mut blocks) = body.strip_prefix(XERIAL_MAGIC) else {
        return Ok(unsnap_block(body)?.into());
    };
    ensure!(blocks.len() >= 8, "short xerial header");
    blocks.advance(8);
    let mut text = Vec::new();
    while blocks.has_remaining() {
        ensure!(blocks.remaining() >= 4, "short block length");
        let length = usize::try_from(blocks.get_i32()).context("negative block length")?;
        ensure!(blocks.remaining() >= length, "short block");
        text.extend_from_slice(&unsnap_block(&blocks[..length])?);
        ensure!(text.len() as u64 <= TEXT_BYTES_MAX, "more than {TEXT_BYTES_MAX} bytes");
        blocks.advance(length);
    }
    Ok(text.into())
}

fn unsnap_block(block: &[u8]) -> Result<Vec<u8>> {
    let claimed = snap::raw::decompress_len(block)?;
    // Snappy's best is a copy of 64 bytes for 3.
    ensure!(claimed <= block.len().saturating_mul(22) + 64, "claims {claimed} bytes");
    Ok(snap::raw::Decoder::new().decompress_vec(block)?)
}
