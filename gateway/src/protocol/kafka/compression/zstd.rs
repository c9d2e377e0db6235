//! Zstandard (RFC 8878), decoded in one call into the text: no window, so nothing that a frame header claims
//! is allocated.

use zstd::zstd_safe::{CCtx, CParameter, DCtx, compress_bound, find_frame_compressed_size};

use super::text::Text;
use super::{Contents, Effort, Failure, append_with};

/// A decompression context, made at the first use.
#[derive(Default)]
pub(super) struct Decoder(Option<DCtx<'static>>);

impl Decoder {
    /// Decompresses all frames of `blob`. Without a trusted size the room is a guess; when it is too small, it
    /// grows fourfold and the work is done again, which the kept buffer makes rare.
    pub(super) fn decompress(&mut self, blob: &[u8], text: &mut Text) -> Result<Contents, Failure> {
        let context = self.0.get_or_insert_with(DCtx::create);
        let mut wanted = blob.len().saturating_mul(GROWTH).max(ROOM_BYTES_MIN);
        loop {
            let room = text.room(wanted)?;
            let room_bytes = room.len();
            match context.decompress(room, blob) {
                Ok(written) => {
                    text.advance(written);
                    return Ok(Contents::text_only(is_one_frame(blob)));
                }
                Err(DESTINATION_TOO_SMALL) if room_bytes >= text.left() => return Err(Failure::TooLarge),
                Err(DESTINATION_TOO_SMALL) => wanted = room_bytes.saturating_mul(GROWTH),
                Err(_) => return Err(Failure::Invalid),
            }
        }
    }
}

/// True for one frame of today's format: no skippable frame, whose bytes no decoder looks at, and none of the formats
/// before version 1.
fn is_one_frame(blob: &[u8]) -> bool {
    blob.starts_with(&FRAME_MAGIC) && find_frame_compressed_size(blob) == Ok(blob.len())
}

/// A compression context, made at the first use.
#[derive(Default)]
pub(super) struct Encoder(Option<CCtx<'static>>);

impl Encoder {
    pub(super) fn compress(
        &mut self,
        text: &[u8],
        effort: Effort,
        room: &mut Text,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        let context = self.0.get_or_insert_with(CCtx::create);
        let level = match effort {
            Effort::Fast => FAST_LEVEL,
            Effort::Small => SMALL_LEVEL,
        };
        // Fails only for levels out of range; the level before would then serve as well.
        let _ = context.set_parameter(CParameter::CompressionLevel(level));
        append_with(room, out, compress_bound(text.len()), |room| {
            context.compress2(room, text).map_err(|_| Failure::Invalid)
        })
    }
}

/// First bytes of a frame (RFC 8878 3.1.1).
const FRAME_MAGIC: [u8; 4] = 0xfd2f_b528_u32.to_le_bytes();

/// Half the time of level 3 for about a tenth more bytes.
const FAST_LEVEL: i32 = 1;

/// Java's default.
const SMALL_LEVEL: i32 = 3;

/// `ZSTD_error_dstSize_tooSmall` (zstd_errors.h, stable since 1.3.1) as the functions return it.
const DESTINATION_TOO_SMALL: usize = 0usize.wrapping_sub(70);

/// Growth of the room from try to try, and first guess of the ratio.
const GROWTH: usize = 4;

/// Least room, bytes.
const ROOM_BYTES_MIN: usize = 64 << 10;
