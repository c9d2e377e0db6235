//! The buffer that texts are decompressed into, and blobs compressed into.

use super::Failure;
use crate::budget::KEPT_BYTES;

/// Bytes that once were initialised and are written over from batch to batch: `filled <= bytes.len()`, and
/// no more than `bytes_max` are filled.
#[derive(Debug, Default)]
pub(super) struct Text {
    bytes: Vec<u8>,
    filled: usize,
    bytes_max: usize,
}

impl Text {
    /// Empties the buffer for a text of at most `bytes_max` bytes. Its memory is kept, but for that of a single
    /// large text.
    pub(super) fn clear(&mut self, bytes_max: usize) {
        if self.filled <= KEPT_BYTES && self.bytes.len() > KEPT_BYTES {
            self.bytes.truncate(KEPT_BYTES);
            self.bytes.shrink_to_fit();
        }
        self.filled = 0;
        self.bytes_max = bytes_max;
    }

    /// The bytes filled so far.
    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }

    /// Room for at least one and, below the limit, for at least `wanted` bytes.
    pub(super) fn room(&mut self, wanted: usize) -> Result<&mut [u8], Failure> {
        let left = self.bytes_max.saturating_sub(self.filled);
        if left == 0 {
            return Err(Failure::TooLarge);
        }
        let needed = self.filled + wanted.min(left);
        if self.bytes.len() < needed {
            self.bytes.resize(needed, 0);
        }
        let end = self.bytes.len().min(self.bytes_max);
        self.bytes.get_mut(self.filled..end).ok_or(Failure::TooLarge)
    }

    /// Counts `bytes` of the room as filled.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.filled = (self.filled + bytes).min(self.bytes.len());
    }

    /// Appends bytes that need no decompression.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if bytes.is_empty() {
            return Ok(());
        }
        let room = self.room(bytes.len())?.get_mut(..bytes.len()).ok_or(Failure::TooLarge)?;
        room.copy_from_slice(bytes);
        self.advance(bytes.len());
        Ok(())
    }

    /// Bytes that may still be filled.
    pub(super) fn left(&self) -> usize {
        self.bytes_max.saturating_sub(self.filled)
    }
}
