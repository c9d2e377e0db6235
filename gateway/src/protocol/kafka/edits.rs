//! What policy adds to single records beside patches: labels, and stubs in place of values.

use super::wire::Span;

/// Labels and stubs of the records of one text, ascending by record. Reused: `clear` keeps the capacity.
#[derive(Debug, Default)]
pub struct RecordEdits {
    edits: Vec<RecordEdit>,
    labels: Vec<Label>,
    arena: Vec<u8>,
    stub_bytes: usize,
}

/// The edit of one record; spans are of the arena.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordEdit {
    /// Index of the record.
    pub(super) record: u32,
    /// What replaces the value.
    pub(super) stub: Option<Span>,
    labels_start: u32,
    labels_end: u32,
}

#[derive(Clone, Copy, Debug)]
struct Label {
    name: Span,
    value: Span,
}

impl RecordEdits {
    /// Forgets all edits and keeps the memory.
    pub fn clear(&mut self) {
        self.edits.clear();
        self.labels.clear();
        self.arena.clear();
        self.stub_bytes = 0;
    }

    /// True when no record has an edit.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Appends a header `name` to `record`; `write` appends its value to the arena.
    ///
    /// # Panics
    ///
    /// When `record` is before the record of the previous edit.
    pub fn label(&mut self, record: u32, name: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        let name = self.store(|arena| arena.extend_from_slice(name));
        let value = self.store(write);
        let edit = self.edit(record);
        edit.labels_end += 1;
        self.labels.push(Label { name, value });
    }

    /// Replaces the value of `record`, whatever it was; `write` appends the stub to the arena.
    ///
    /// # Panics
    ///
    /// When `record` is before the record of the previous edit.
    pub fn stub(&mut self, record: u32, write: impl FnOnce(&mut Vec<u8>)) {
        let stub = self.store(write);
        self.stub_bytes += stub.bytes();
        self.edit(record).stub = Some(stub);
    }

    /// The edit of `record`, which is the last one or comes after it.
    fn edit(&mut self, record: u32) -> &mut RecordEdit {
        let last = self.edits.last().map(|edit| edit.record);
        assert!(last.is_none_or(|last| last <= record), "edits ascend by record");
        if last != Some(record) {
            let labels = self.labels.len() as u32;
            self.edits.push(RecordEdit { record, stub: None, labels_start: labels, labels_end: labels });
        }
        let index = self.edits.len() - 1;
        &mut self.edits[index]
    }

    fn store(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Span {
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
        let labels = self.labels.get(edit.labels_start as usize..edit.labels_end as usize);
        labels.unwrap_or_default().iter().map(|label| (self.bytes(label.name), self.bytes(label.value)))
    }

    pub(super) fn bytes(&self, span: Span) -> &[u8] {
        span.of(&self.arena)
    }
}
