//! Re-emits a batch whose records change in length or get labels.
//!
//! ```text
//! head 61 B | record | record | record          untouched records are copied as they are, in runs
//!   |           |        |
//!   |           |        +- length' | attributes, deltas | key' | value' | count' | headers' + labels
//!   +- batch_length, crc: set by the seal at the end
//! ```

use super::compression::{CompressionError, Compressor, Effort, TEXT_BYTES_MAX};
use super::edits::{RecordEdit, RecordEdits};
use super::record_batch::{BatchHead, Codec, HEAD_BYTES, blob, seal};
use super::records::{Header, Record, Records};
use super::wire::{Span, put_varint, replace_field, varint_bytes};
use crate::budget;
use crate::payload::{Patch, Patches};

/// Largest batch that a broker takes by default, bytes: `max.message.bytes`, batch head included. A listener may say
/// otherwise.
pub const BATCH_BYTES_MAX: usize = 1_048_588;

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

/// Compression contexts and the text buffer of one worker, reused from batch to batch.
#[derive(Default)]
pub struct Emitter {
    compressor: Compressor,
    text: Vec<u8>,
}

impl Emitter {
    /// Appends the changed batch to `out`, sealed: lengths and checksum are right.
    ///
    /// `original` is the batch as it came, verified, `text` its records uncompressed, `records` their places.
    /// Everything but keys, values, header lists, lengths and the checksum stays: producer id, epoch, sequence,
    /// offsets, timestamps, attributes.
    ///
    /// Labels that would make the batch larger than `changes.batch_bytes_max` are left out: record by record
    /// when the batch is not compressed; all of them when it is, because its size shows only afterwards.
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
        let start = out.len();
        let codec = head.codec().unwrap_or(Codec::None);
        out.extend_from_slice(original.get(..HEAD_BYTES).unwrap_or_default());
        let emitted = if codec == Codec::None {
            let label_bytes_max = label_budget(text, &changes);
            RecordWriter::new(text, records, changes, label_bytes_max, out).write()
        } else {
            self.emit_compressed(codec, original, text, records, changes, out).inspect_err(|_| {
                out.truncate(start);
            })?
        };
        seal(&mut out[start..]);
        Ok(emitted)
    }

    fn emit_compressed(
        &mut self,
        codec: Codec,
        original: &[u8],
        text: &[u8],
        records: &Records,
        changes: Changes<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Emitted, CompressionError> {
        let blob_start = out.len();
        budget::reuse(&mut self.text);
        let mut emitted = RecordWriter::new(text, records, changes, LABEL_BYTES_MAX, &mut self.text).write();
        self.compressor.compress(codec, blob(original), &self.text, Effort::Fast, out)?;
        let is_too_large = |out: &Vec<u8>| HEAD_BYTES + out.len() - blob_start > changes.batch_bytes_max;
        if is_too_large(out) && changes.edits.has_labels() {
            self.text.clear();
            emitted = RecordWriter::new(text, records, changes, 0, &mut self.text).write();
            out.truncate(blob_start);
            self.compressor.compress(codec, blob(original), &self.text, Effort::Fast, out)?;
        }
        // The client has compressed it to a size that the broker takes.
        if is_too_large(out) && codec == Codec::Zstd && original.len() <= changes.batch_bytes_max {
            out.truncate(blob_start);
            self.compressor.compress(codec, blob(original), &self.text, Effort::Small, out)?;
        }
        Ok(emitted)
    }
}

/// Bytes that labels may add to an uncompressed batch; what the rest becomes is estimated from above.
fn label_budget(text: &[u8], changes: &Changes<'_>) -> usize {
    let patches = changes.patches.as_slice();
    let grown: i64 = patches.iter().map(|patch| patch.growth().max(0)).sum();
    let grown = usize::try_from(grown).unwrap_or(usize::MAX);
    let widened = (patches.len() + changes.edits.len()) * WIDENED_BYTES_MAX;
    let batch_bytes = HEAD_BYTES + text.len() + grown + changes.edits.stub_bytes() + widened;
    changes.batch_bytes_max.saturating_sub(batch_bytes)
}

/// Writes the records of one text with their changes.
struct RecordWriter<'a> {
    text: &'a [u8],
    records: &'a Records,
    changes: Changes<'a>,
    /// Patches not yet written, ascending.
    patches: &'a [Patch],
    /// Edits not yet written, ascending.
    edits: &'a [RecordEdit],
    label_bytes_left: usize,
    emitted: Emitted,
    out: &'a mut Vec<u8>,
}

impl<'a> RecordWriter<'a> {
    fn new(
        text: &'a [u8],
        records: &'a Records,
        changes: Changes<'a>,
        label_bytes_max: usize,
        out: &'a mut Vec<u8>,
    ) -> Self {
        Self {
            text,
            records,
            changes,
            patches: changes.patches.as_slice(),
            edits: changes.edits.as_slice(),
            label_bytes_left: label_bytes_max,
            emitted: Emitted::default(),
            out,
        }
    }

    fn write(mut self) -> Emitted {
        let mut copied = 0;
        for (index, record) in self.records.records.iter().enumerate() {
            let edit = self.edits.split_first().filter(|(edit, _)| edit.record as usize == index);
            let edit = edit.map(|(edit, rest)| {
                self.edits = rest;
                edit
            });
            let patched = self.patches.first().is_some_and(|patch| patch.end <= record.end);
            if edit.is_some() || patched || self.has_stripped(record) {
                self.out.extend_from_slice(Span { start: copied, end: record.start }.of(self.text));
                self.write_record(record, edit);
                copied = record.end;
            }
        }
        self.out.extend_from_slice(self.text.get(copied as usize..).unwrap_or_default());
        self.emitted
    }

    /// Writes one record; its length gets the width that it had, and moves the record when that changes.
    fn write_record(&mut self, record: &Record, edit: Option<&'a RecordEdit>) {
        let length_at = self.out.len();
        self.out.extend_from_slice(Span { start: record.start, end: record.body }.of(self.text));
        let body_start = self.out.len();
        self.out.extend_from_slice(Span { start: record.body, end: record.key_length }.of(self.text));
        self.write_part(record.key);
        match edit.and_then(|edit| edit.stub) {
            Some(stub) => self.write_stub(record.value, self.changes.edits.bytes(stub)),
            None => self.write_part(record.value),
        }
        self.write_headers(record, edit);
        let body_bytes = (self.out.len() - body_start) as i32;
        replace_field(self.out, length_at..body_start, |out| put_varint(out, body_bytes));
    }

    /// Writes a nullable part with its patches.
    fn write_part(&mut self, part: Option<Span>) {
        let Some(span) = part else {
            put_varint(self.out, NULL);
            return;
        };
        let patches = self.take_patches(span);
        let growth: i64 = patches.iter().map(Patch::growth).sum();
        put_varint(self.out, (span.bytes() as i64 + growth) as i32);
        let mut from = span.start;
        for patch in patches {
            self.out.extend_from_slice(Span { start: from, end: patch.start }.of(self.text));
            self.out.extend_from_slice(self.changes.patches.with(patch));
            from = patch.end;
        }
        self.out.extend_from_slice(Span { start: from, end: span.end }.of(self.text));
    }

    /// Writes `stub` in place of a value.
    fn write_stub(&mut self, value: Option<Span>, stub: &[u8]) {
        if let Some(span) = value {
            self.take_patches(span);
        }
        put_varint(self.out, stub.len() as i32);
        self.out.extend_from_slice(stub);
    }

    fn write_headers(&mut self, record: &Record, edit: Option<&RecordEdit>) {
        let records = self.records;
        let headers = records.headers_of(record);
        let stripped = headers.iter().filter(|header| self.is_stripped(header)).count();
        let labels = edit.map_or(0, |edit| self.admit_labels(edit));
        self.emitted.headers_stripped += stripped;
        put_varint(self.out, (headers.len() - stripped + labels) as i32);
        for header in headers {
            if self.is_stripped(header) {
                self.take_patches(header.value.unwrap_or_default());
            } else {
                put_varint(self.out, header.key.bytes() as i32);
                self.out.extend_from_slice(header.key.of(self.text));
                self.write_part(header.value);
            }
        }
        if let Some(edit) = edit.filter(|_| labels > 0) {
            for (name, value) in self.changes.edits.labels_of(edit) {
                put_varint(self.out, name.len() as i32);
                self.out.extend_from_slice(name);
                put_varint(self.out, value.len() as i32);
                self.out.extend_from_slice(value);
            }
        }
    }

    /// Number of labels that are written for `edit`: all, or none when they do not fit.
    fn admit_labels(&mut self, edit: &RecordEdit) -> usize {
        let (mut count, mut bytes) = (0, 0);
        for (name, value) in self.changes.edits.labels_of(edit) {
            count += 1;
            bytes += varint_bytes(name.len() as i32) + name.len();
            bytes += varint_bytes(value.len() as i32) + value.len();
        }
        match self.label_bytes_left.checked_sub(bytes) {
            Some(left) => {
                self.label_bytes_left = left;
                count
            }
            None => {
                self.emitted.labels_skipped += count;
                0
            }
        }
    }

    fn has_stripped(&self, record: &Record) -> bool {
        !self.changes.strip.is_empty()
            && self.records.headers_of(record).iter().any(|header| self.is_stripped(header))
    }

    fn is_stripped(&self, header: &Header) -> bool {
        self.changes.strip.contains(&header.key.of(self.text))
    }

    /// Takes the patches that lie within `span` off the list.
    fn take_patches(&mut self, span: Span) -> &'a [Patch] {
        let count = self.patches.partition_point(|patch| patch.end <= span.end);
        let (taken, rest) = self.patches.split_at(count);
        self.patches = rest;
        taken
    }
}

/// Bytes of labels in a compressed batch before its size is known: as much again as the largest text, so that the
/// labels of ever so many tiny records stay within what a text may take.
const LABEL_BYTES_MAX: usize = TEXT_BYTES_MAX;

/// Length that stands for null.
const NULL: i32 = -1;

/// Bytes by which the lengths and counts of one changed record can widen: three of at most four bytes more, and
/// as many for each changed part.
const WIDENED_BYTES_MAX: usize = 16;

#[cfg(test)]
mod tests;
