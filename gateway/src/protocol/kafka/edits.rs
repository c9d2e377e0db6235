//! What policy adds to single records beside patches: labels, and stubs in place of values.

use super::compression::TEXT_BYTES_MAX;
use super::wire::Span;
use crate::budget;

/// Labels and stubs of the records of one text, ascending by record. Reused: `clear` keeps the capacity.
///
/// Records that get what the one before them got share its bytes: a batch of a million tiny records costs one label.
/// The arena holds at most [`EDIT_BYTES_MAX`] and one edit more, so its offsets are `u32`.
#[derive(Debug, Default)]
pub struct RecordEdits {
    edits: Vec<RecordEdit>,
    labels: Vec<Label>,
    arena: Vec<u8>,
    stub_bytes: usize,
    /// Labels of the record that was labelled last.
    last_labels: Labels,
    last_stub: Span,
    is_full: bool,
}

/// The edit of one record; spans are of the arena.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordEdit {
    /// Index of the record.
    pub(super) record: u32,
    /// What replaces the value.
    pub(super) stub: Option<Span>,
    labels: Labels,
}

/// Half-open range of labels.
#[derive(Clone, Copy, Debug, Default)]
struct Labels {
    start: u32,
    end: u32,
}

#[derive(Clone, Copy, Debug)]
struct Label {
    name: Span,
    value: Span,
}

impl RecordEdits {
    /// Forgets all edits and keeps the memory, but for that of a single large batch.
    pub fn clear(&mut self) {
        budget::reuse(&mut self.edits);
        budget::reuse(&mut self.labels);
        budget::reuse(&mut self.arena);
        self.stub_bytes = 0;
        self.is_full = false;
    }

    /// True when no record has an edit.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// True when more was asked for than [`EDIT_BYTES_MAX`] allows. The edits are then incomplete, and the batch must
    /// not be emitted.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Appends a header `name` to `record`; `write` appends its value to the arena.
    ///
    /// # Panics
    ///
    /// When `record` is before the record of the previous edit.
    pub fn label(&mut self, record: u32, name: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        let name = self.store(|arena| arena.extend_from_slice(name));
        let value = self.store(write);
        self.labels.push(Label { name, value });
        let end = self.labels.len() as u32; // two for each record, and records are counted in i32
        let edit = self.edit(record);
        let start = if edit.labels.start == edit.labels.end { end - 1 } else { edit.labels.start };
        edit.labels = Labels { start, end };
        self.last_labels = Labels { start, end };
    }

    /// Gives `record`, which has no label yet, the labels of the record that was labelled last.
    ///
    /// # Panics
    ///
    /// When `record` is before the record of the previous edit.
    pub fn label_again(&mut self, record: u32) {
        let labels = self.last_labels;
        self.edit(record).labels = labels;
    }

    /// Replaces the value of `record`, whatever it was; `write` appends the stub to the arena.
    ///
    /// # Panics
    ///
    /// When `record` is before the record of the previous edit.
    pub fn stub(&mut self, record: u32, write: impl FnOnce(&mut Vec<u8>)) {
        self.last_stub = self.store(write);
        self.stub_again(record);
    }

    /// Replaces the value of `record` by the stub that was written last.
    ///
    /// # Panics
    ///
    /// When `record` is before the record of the previous edit.
    pub fn stub_again(&mut self, record: u32) {
        let stub = self.last_stub;
        self.stub_bytes += stub.bytes();
        self.is_full |= self.stub_bytes > EDIT_BYTES_MAX;
        self.edit(record).stub = Some(stub);
    }

    /// The edit of `record`, which is the last one or comes after it.
    fn edit(&mut self, record: u32) -> &mut RecordEdit {
        let last = self.edits.last().map(|edit| edit.record);
        assert!(last.is_none_or(|last| last <= record), "edits ascend by record");
        if last != Some(record) {
            self.edits.push(RecordEdit { record, stub: None, labels: Labels::default() });
        }
        let index = self.edits.len() - 1;
        &mut self.edits[index]
    }

    fn store(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Span {
        if self.arena.len() > EDIT_BYTES_MAX {
            self.is_full = true;
            return Span::default();
        }
        let start = self.arena.len() as u32;
        write(&mut self.arena);
        Span { start, end: self.arena.len() as u32 }
    }

    pub(super) fn as_slice(&self) -> &[RecordEdit] {
        &self.edits
    }

    pub(super) fn len(&self) -> usize {
        self.edits.len()
    }

    pub(super) fn has_labels(&self) -> bool {
        !self.labels.is_empty()
    }

    /// Bytes of all stubs.
    pub(super) fn stub_bytes(&self) -> usize {
        self.stub_bytes
    }

    /// Name and value of each label of `edit`.
    pub(super) fn labels_of(&self, edit: &RecordEdit) -> impl Iterator<Item = (&[u8], &[u8])> {
        let labels = self.labels.get(edit.labels.start as usize..edit.labels.end as usize);
        labels.unwrap_or_default().iter().map(|label| (self.bytes(label.name), self.bytes(label.value)))
    }

    pub(super) fn bytes(&self, span: Span) -> &[u8] {
        span.of(&self.arena)
    }
}

/// Bytes of all labels that differ, and of all stubs: as much as the largest text.
const EDIT_BYTES_MAX: usize = TEXT_BYTES_MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_share_the_labels_and_stubs_of_the_one_before() {
        let mut edits = RecordEdits::default();
        edits.label(0, b"name", |out| out.extend_from_slice(b"a"));
        edits.label(0, b"other", |out| out.extend_from_slice(b"b"));
        edits.stub(1, |out| out.extend_from_slice(b"stub"));
        let arena_bytes = edits.arena.len();
        for record in 1..1000 {
            edits.stub_again(record);
            edits.label_again(record);
        }

        assert_eq!(edits.arena.len(), arena_bytes);
        let last = edits.as_slice().last().expect("an edit");
        let labels: Vec<_> = edits.labels_of(last).collect();
        assert_eq!(labels, [(&b"name"[..], &b"a"[..]), (b"other", b"b")]);
        assert_eq!(last.stub.map(|stub| edits.bytes(stub)), Some(&b"stub"[..]));
        assert!(!edits.is_full());
    }

    #[test]
    fn what_does_not_fit_is_told_instead_of_wrapped() {
        let mut edits = RecordEdits::default();
        let large = vec![b'x'; EDIT_BYTES_MAX / 2 + 1];
        for record in 0..4 {
            edits.label(record, b"name", |out| out.extend_from_slice(&large));
        }
        assert!(edits.is_full() && edits.arena.len() < 2 * EDIT_BYTES_MAX);

        edits.clear();
        edits.stub(0, |out| out.extend_from_slice(&large));
        assert!(!edits.is_full());
        edits.stub_again(1);
        assert!(edits.is_full(), "two of them are more than a text may hold");
    }
}
