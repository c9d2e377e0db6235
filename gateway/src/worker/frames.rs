//! From received slices to frames, for one direction of one connection.
//!
//! A frame that lies in one received slice is split off without a copy. A frame that spans slices is copied
//! once into a buffer of its own, which grows with the bytes that are really there; beyond the first 256 KiB once
//! there is room for the whole frame. An opaque response is not assembled at all: after its head has been read, its
//! slices go on as they come.

use super::buffers::{Pool, Slice};
use crate::protocol::kafka::frame::{FrameError, Framed, PREFIX_BYTES, RESPONSE_BYTES_MIN, framed};

/// Up to this size a frame buffer is taken at once; above, it needs room and grows with the bytes that came.
const AT_ONCE_BYTES: usize = 256 * 1024;
/// Factor by which a larger frame buffer grows when it is full.
const GROWTH: usize = 4;
/// Bytes of a response that must be there before it can be routed: size and correlation id.
pub(super) const RESPONSE_HEAD_BYTES: usize = PREFIX_BYTES + RESPONSE_BYTES_MIN;

/// Splits a stream of slices into frames.
#[derive(Debug, Default)]
pub(super) struct FrameReader {
    /// Received, not yet taken; only non-empty slices.
    rest: Option<Slice>,
    /// The beginning of a frame that spans slices; empty when `rest` begins with a frame.
    partial: Vec<u8>,
    /// There is room for all of `partial`.
    roomy: bool,
    /// Bytes of an opaque frame that are still to be passed on.
    streaming: usize,
}

impl FrameReader {
    /// Adds received bytes. The bytes before must have been used up: `next` or `piece` returned `None`.
    pub(super) fn push(&mut self, slice: Slice) {
        debug_assert!(self.rest.is_none(), "the reader is drained before it gets more");
        self.rest = (!slice.is_empty()).then_some(slice);
    }

    /// True when no byte waits to be taken.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_none()
    }

    /// True while an opaque frame is passed on in pieces.
    pub(super) fn is_streaming(&self) -> bool {
        self.streaming > 0
    }

    /// Copies what is held of the buffer ring, so that others can receive.
    pub(super) fn let_go_of_the_ring(&mut self) {
        if let Some(rest) = &mut self.rest {
            rest.detach();
        }
    }

    /// Bytes of the frame under way, if what has come of it is more than may be kept without room.
    ///
    /// Who only announces a large frame has not come so far: it takes no room, and no place in the queue for it.
    pub(super) fn wants_room(&self) -> Option<usize> {
        let waits = !self.roomy && self.rest.is_some() && self.partial.len() >= AT_ONCE_BYTES;
        let size = self.partial.first_chunk().filter(|_| waits)?;
        Some(PREFIX_BYTES + u32::from_be_bytes(*size) as usize)
    }

    /// There is room for all of the frame under way.
    pub(super) fn give_room(&mut self) {
        self.roomy = true;
    }

    /// The next whole frame, size prefix included; `None` when more bytes or [room](Self::wants_room) are needed. Sizes
    /// outside the limits are errors as soon as the prefix is there.
    pub(super) fn next(
        &mut self,
        pool: &Pool,
        frame_bytes_min: usize,
        frame_bytes_max: usize,
    ) -> Result<Option<Slice>, FrameError> {
        if self.partial.is_empty() {
            let Some(rest) = &mut self.rest else { return Ok(None) };
            match framed(rest, frame_bytes_min, frame_bytes_max)? {
                Framed::Frame { bytes } if bytes == rest.len() => return Ok(self.rest.take()),
                Framed::Frame { bytes } => return Ok(Some(rest.split_to(bytes))),
                Framed::NeedMore { .. } => {}
            }
        }
        loop {
            let wanted = match framed(&self.partial, frame_bytes_min, frame_bytes_max)? {
                Framed::Frame { .. } => {
                    self.roomy = false;
                    return Ok(Some(pool.slice_from(std::mem::take(&mut self.partial))));
                }
                Framed::NeedMore { frame_bytes } => frame_bytes.unwrap_or(PREFIX_BYTES),
            };
            if self.rest.is_none() || self.wants_room().is_some() {
                return Ok(None);
            }
            self.fill(pool, wanted);
        }
    }

    /// The head of the next frame, if it is there.
    pub(super) fn head(&mut self, pool: &Pool) -> Option<[u8; RESPONSE_HEAD_BYTES]> {
        if self.partial.is_empty()
            && let Some(head) = self.rest.as_ref().and_then(|rest| rest.first_chunk())
        {
            return Some(*head);
        }
        self.fill(pool, RESPONSE_HEAD_BYTES);
        self.partial.first_chunk().copied()
    }

    /// From here the frame that begins now is passed on in pieces.
    pub(super) fn stream(&mut self, frame_bytes: usize) {
        self.streaming = frame_bytes;
    }

    /// The next piece of the streamed frame and whether it is the last; `None` when more bytes are needed or
    /// nothing is streamed.
    pub(super) fn piece(&mut self, pool: &Pool) -> Option<(Slice, bool)> {
        if self.streaming == 0 {
            return None;
        }
        let piece = if self.partial.is_empty() {
            let rest = self.rest.as_mut()?;
            if rest.len() > self.streaming { rest.split_to(self.streaming) } else { self.rest.take()? }
        } else {
            pool.slice_from(std::mem::take(&mut self.partial))
        };
        self.streaming -= piece.len();
        Some((piece, self.streaming == 0))
    }

    /// Copies received bytes until the partial frame has `wanted` bytes, all that it may have, or nothing is left.
    fn fill(&mut self, pool: &Pool, wanted: usize) {
        let Some(rest) = &mut self.rest else { return };
        let allowed = if self.roomy { wanted } else { wanted.min(AT_ONCE_BYTES) };
        let taken = rest.len().min(allowed.saturating_sub(self.partial.len()));
        reserve(pool, &mut self.partial, wanted, taken);
        self.partial.extend_from_slice(&rest[..taken]);
        if taken == rest.len() {
            self.rest = None;
        } else {
            rest.advance(taken);
        }
    }
}

/// Makes room for `coming` bytes of a frame of `wanted` bytes, without running far ahead of the bytes.
fn reserve(pool: &Pool, partial: &mut Vec<u8>, wanted: usize, coming: usize) {
    let needed = partial.len() + coming;
    if needed <= partial.capacity() {
        return;
    }
    let ahead = if wanted <= AT_ONCE_BYTES {
        wanted
    } else {
        AT_ONCE_BYTES.max(partial.capacity() * GROWTH).min(wanted)
    };
    let mut larger = pool.vec(ahead.max(needed));
    larger.extend_from_slice(partial);
    pool.recycle(std::mem::replace(partial, larger));
}
