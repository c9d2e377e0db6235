//! Re-emits a batch whose records change in length or get labels.

use super::compression::CompressionError;
use super::record_batch::BatchHead;
use super::records::Records;
use crate::payload::Patches;

/// Labels and stubs of the records of one text. Reused: `clear` keeps the capacity.
#[derive(Debug, Default)]
pub struct RecordEdits {
    arena: Vec<u8>,
}

impl RecordEdits {
    /// Forgets all edits and keeps the memory.
    pub fn clear(&mut self) {
        self.arena.clear();
    }

    /// True when no record has an edit.
    pub fn is_empty(&self) -> bool {
        todo!()
    }

    /// Appends a header to `record`; `write` appends its value to the arena.
    ///
    /// # Panics
    ///
    /// When `record` is before the record of the previous edit.
    pub fn label(&mut self, record: u32, name: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        let _ = (record, name, write);
        todo!()
    }

    /// Replaces the value of `record`, whatever it was; `write` appends the stub to the arena.
    ///
    /// # Panics
    ///
    /// When `record` is before the record of the previous edit.
    pub fn stub(&mut self, record: u32, write: impl FnOnce(&mut Vec<u8>)) {
        let _ = (record, write);
        todo!()
    }
}

/// Everything that changes in one batch.
#[derive(Clone, Copy)]
pub struct Changes<'a> {
    /// Replacements within fields.
    pub patches: &'a Patches,
    /// Labels and stubs.
    pub edits: &'a RecordEdits,
    /// Headers with these keys are taken out: clients must not label.
    pub strip: &'a [&'a [u8]],
    /// Largest batch that the broker takes, bytes: labels that would pass it are left out.
    pub batch_bytes_max: usize,
}

/// What was emitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Emitted {
    /// Headers taken out.
    pub headers_stripped: usize,
    /// Labels left out because the batch would become too large.
    pub labels_skipped: usize,
}

/// Compression contexts and buffers of one worker, reused from batch to batch.
#[derive(Default)]
pub struct Emitter {
    text: Vec<u8>,
}

impl Emitter {
    /// Appends the changed batch to `out`, sealed: lengths and checksum are right.
    ///
    /// `original` is the batch as it came, `text` its records uncompressed, `records` their places. Everything
    /// but keys, values, header lists, lengths and the checksum stays: producer id, epoch, sequence, offsets,
    /// timestamps, attributes.
    ///
    /// # Errors
    ///
    /// When the codec's engine fails; `out` is then as it was.
    pub fn emit(
        &mut self,
        original: &[u8],
        head: &BatchHead,
        text: &[u8],
        records: &Records,
        changes: Changes<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Emitted, CompressionError> {
        let _ = (&mut self.text, original, head, text, records, changes, out);
        todo!()
    }
}
