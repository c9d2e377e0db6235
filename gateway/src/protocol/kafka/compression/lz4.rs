//! LZ4 frames as Kafka has them: version 1, independent blocks, no dictionary, one frame per batch.
//!
//! Source: LZ4 frame format 1.6.4; `Lz4BlockInputStream` of Kafka for what a broker refuses.

use lz4_flex::block::{CompressTable, DecompressError, compress_into_with_table, decompress_into};
use twox_hash::XxHash32;

use super::super::wire::Reader;
use super::text::Text;
use super::{Contents, Failure, append_with};

/// What the frame descriptor says.
struct Descriptor {
    block_bytes_max: usize,
    block_checksum: bool,
    content_checksum: bool,
    content_size: Option<i64>,
}

/// Decompresses the one frame of `blob`: text, sizes and checksums, each of which must be right.
pub(super) fn decompress(blob: &[u8], text: &mut Text) -> Result<Contents, Failure> {
    let mut reader = Reader::new(blob);
    let descriptor = read_descriptor(&mut reader, blob).ok_or(Failure::Invalid)?;
    loop {
        let size = read_u32(&mut reader).ok_or(Failure::Invalid)?;
        if size == END_MARK {
            break;
        }
        let block_bytes = (size & !STORED_BIT) as usize;
        let block = reader.take(block_bytes).map_err(|_| Failure::Invalid)?.of(blob);
        if descriptor.block_checksum && read_u32(&mut reader) != Some(XxHash32::oneshot(0, block)) {
            return Err(Failure::Invalid);
        }
        if size & STORED_BIT != 0 {
            text.append(block)?;
        } else {
            decompress_block(block, descriptor.block_bytes_max, text)?;
        }
    }
    let checksum = XxHash32::oneshot(0, text.as_slice());
    if descriptor.content_checksum && read_u32(&mut reader) != Some(checksum) {
        return Err(Failure::Invalid);
    }
    reader.finish().map_err(|_| Failure::Invalid)?;
    let text_bytes = text.as_slice().len();
    let says_so = |size: i64| usize::try_from(size) == Ok(text_bytes);
    if descriptor.content_size.is_none_or(says_so) { Ok(Contents::Text) } else { Err(Failure::Invalid) }
}

fn decompress_block(block: &[u8], block_bytes_max: usize, text: &mut Text) -> Result<(), Failure> {
    let expands_to = block.len().saturating_mul(EXPANSION_MAX).min(block_bytes_max);
    let limited = text.left() < expands_to;
    let room = text.room(expands_to)?;
    let room_bytes = room.len().min(expands_to);
    let room = room.get_mut(..room_bytes).unwrap_or_default();
    match decompress_into(block, room) {
        Ok(written) => {
            text.advance(written);
            Ok(())
        }
        Err(DecompressError::OutputTooSmall { .. }) if limited => Err(Failure::TooLarge),
        Err(_) => Err(Failure::Invalid),
    }
}

/// Reads magic number and frame descriptor; `None` for anything that a broker refuses.
fn read_descriptor(reader: &mut Reader<'_>, blob: &[u8]) -> Option<Descriptor> {
    if read_u32(reader)? != MAGIC {
        return None;
    }
    let start = reader.at() as usize;
    let flags = reader.i8().ok()?.cast_unsigned();
    let block_descriptor = reader.i8().ok()?.cast_unsigned();
    if flags & FLAGS_FIXED != FLAG_VERSION_1 | FLAG_INDEPENDENT || block_descriptor & !BLOCK_SIZE_BITS != 0 {
        return None;
    }
    let content_size = match flags & FLAG_CONTENT_SIZE {
        0 => None,
        _ => Some(reader.i64().ok()?.swap_bytes()),
    };
    let hashed = blob.get(start..reader.at() as usize)?;
    let header_checksum = reader.i8().ok()?.cast_unsigned();
    if header_checksum != (XxHash32::oneshot(0, hashed) >> 8) as u8 {
        return None;
    }
    let size_code @ 4..=7 = block_descriptor >> 4 else { return None };
    Some(Descriptor {
        block_bytes_max: 1 << (8 + 2 * size_code),
        block_checksum: flags & FLAG_BLOCK_CHECKSUM != 0,
        content_checksum: flags & FLAG_CONTENT_CHECKSUM != 0,
        content_size,
    })
}

fn read_u32(reader: &mut Reader<'_>) -> Option<u32> {
    reader.i32().ok().map(|value| value.cast_unsigned().swap_bytes())
}

pub(super) fn compress(
    table: &mut CompressTable,
    text: &[u8],
    room: &mut Text,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    out.extend_from_slice(&HEADER);
    for block in text.chunks(BLOCK_BYTES) {
        let size_at = out.len();
        out.extend_from_slice(&[0; 4]);
        append_with(room, out, lz4_flex::block::get_maximum_output_size(block.len()), |room| {
            compress_into_with_table(block, room, table).map_err(|_| Failure::Invalid)
        })?;
        let mut size = (out.len() - size_at - 4) as u32;
        if size as usize >= block.len() {
            out.truncate(size_at + 4);
            out.extend_from_slice(block);
            size = block.len() as u32 | STORED_BIT;
        }
        out[size_at..size_at + 4].copy_from_slice(&size.to_le_bytes());
    }
    out.extend_from_slice(&END_MARK.to_le_bytes());
    Ok(())
}

const MAGIC: u32 = 0x184d_2204;

/// Size field after the last block.
const END_MARK: u32 = 0;

/// In the size of a block: it is stored as it is.
const STORED_BIT: u32 = 1 << 31;

const FLAG_VERSION_1: u8 = 1 << 6;
const FLAG_INDEPENDENT: u8 = 1 << 5;
const FLAG_BLOCK_CHECKSUM: u8 = 1 << 4;
const FLAG_CONTENT_SIZE: u8 = 1 << 3;
const FLAG_CONTENT_CHECKSUM: u8 = 1 << 2;

/// Flags that have one allowed value: version, independence, the reserved bit, dictionary id.
const FLAGS_FIXED: u8 = 0b1110_0011;

/// Block size in the block descriptor; the other bits are reserved.
const BLOCK_SIZE_BITS: u8 = 0b0111_0000;

/// Blocks of Java's producer, bytes.
const BLOCK_BYTES: usize = 64 << 10;

/// Header of our frames: version 1, independent blocks of at most 64 KiB, header checksum.
const HEADER: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, FLAG_VERSION_1 | FLAG_INDEPENDENT, 0x40, 0x82];

/// No byte of an LZ4 block stands for more than this many bytes of text.
const EXPANSION_MAX: usize = 255;
