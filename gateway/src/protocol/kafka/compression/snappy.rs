//! Snappy in both framings that brokers take: one raw block, or Xerial's chunks.

use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

use super::super::wire::Reader;
use super::text::Text;
use super::{Contents, Failure, append_with};

/// Framing of a batch, kept when it is rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnappyFraming {
    /// One raw block (librdkafka, franz-go).
    Raw,
    /// Xerial's `SnappyOutputStream` (Java): magic, two versions, then chunks of an `i32` length and a raw block.
    Xerial,
}

impl SnappyFraming {
    /// The framing of a blob: Xerial's magic is no valid start of a raw block.
    pub fn of(blob: &[u8]) -> Self {
        if blob.starts_with(&XERIAL_MAGIC) { Self::Xerial } else { Self::Raw }
    }
}

/// Decompresses either framing. Xerial's header has two versions that nobody compares with anything.
pub(super) fn decompress(decoder: &mut Decoder, blob: &[u8], text: &mut Text) -> Result<Contents, Failure> {
    match SnappyFraming::of(blob) {
        SnappyFraming::Raw => {
            decompress_block(decoder, blob, text)?;
            Ok(Contents::Text)
        }
        SnappyFraming::Xerial => {
            decompress_chunks(decoder, blob, text)?;
            Ok(Contents::text_only(blob.starts_with(&XERIAL_HEADER)))
        }
    }
}

fn decompress_chunks(decoder: &mut Decoder, blob: &[u8], text: &mut Text) -> Result<(), Failure> {
    if blob.len() < XERIAL_HEADER.len() {
        return Err(Failure::Invalid);
    }
    let mut reader = Reader::starting_at(blob, XERIAL_HEADER.len());
    while reader.left() > 0 {
        let chunk = reader.bytes(false).map_err(|_| Failure::Invalid)?;
        decompress_block(decoder, chunk.of(blob), text)?;
    }
    Ok(())
}

fn decompress_block(decoder: &mut Decoder, block: &[u8], text: &mut Text) -> Result<(), Failure> {
    let claimed = decompress_len(block).map_err(|_| Failure::Invalid)?;
    if claimed > block.len().saturating_mul(EXPANSION_MAX) {
        return Err(Failure::Invalid);
    }
    if claimed > text.left() {
        return Err(Failure::TooLarge);
    }
    let written = if claimed == 0 {
        decoder.decompress(block, &mut []).map_err(|_| Failure::Invalid)?
    } else {
        decoder.decompress(block, text.room(claimed)?).map_err(|_| Failure::Invalid)?
    };
    text.advance(written);
    Ok(())
}

pub(super) fn compress(
    encoder: &mut Encoder,
    framing: SnappyFraming,
    text: &[u8],
    room: &mut Text,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    match framing {
        SnappyFraming::Raw => compress_block(encoder, text, room, out),
        SnappyFraming::Xerial => {
            out.extend_from_slice(&XERIAL_HEADER);
            for block in text.chunks(XERIAL_BLOCK_BYTES) {
                let length_at = out.len();
                out.extend_from_slice(&[0; 4]);
                compress_block(encoder, block, room, out)?;
                let length = (out.len() - length_at - 4) as u32;
                out[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
            }
            Ok(())
        }
    }
}

fn compress_block(
    encoder: &mut Encoder,
    text: &[u8],
    room: &mut Text,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    append_with(room, out, max_compress_len(text.len()), |room| {
        encoder.compress(text, room).map_err(|_| Failure::Invalid)
    })
}

/// First bytes of Xerial's framing.
const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];

/// Magic, version 1, compatible with version 1.
const XERIAL_HEADER: [u8; 16] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1];

/// Text bytes of one chunk: Xerial's default.
const XERIAL_BLOCK_BYTES: usize = 32 << 10;

/// No byte of a block stands for more than this many bytes of text: a copy of 64 bytes takes three.
const EXPANSION_MAX: usize = 22;
