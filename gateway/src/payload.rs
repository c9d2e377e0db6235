//! The vocabulary that `protocol`, `classify`, `policy` and `mask` share: where a record's bytes lie
//! (`Field`), what was found in them (`Finding`), how sensitive that is (`Level`) and what the bytes become
//! (`Patch`).
//!
//! All offsets are half-open byte offsets into one *text*: the uncompressed records of one batch, or
//! one chunk of lines. A text is at most 4 GiB, so offsets are `u32`.

use crate::budget;

/// Which part of a record a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The record's key.
    Key,
    /// The record's value.
    Value,
    /// The value of one header.
    Header,
}

/// How sensitive a record is; ordered, so that the highest of several rules is their maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// May be seen by anyone.
    #[default]
    Public,
    /// Stays within the organisation.
    Internal,
    /// Needs a reason to be seen.
    Confidential,
    /// Governed by law or contract: cards, health, credentials.
    Regulated,
}

impl Level {
    /// Every level with its name, lowest first.
    pub const NAMES: [(&'static str, Level); 4] = [
        ("public", Level::Public),
        ("internal", Level::Internal),
        ("confidential", Level::Confidential),
        ("regulated", Level::Regulated),
    ];

    /// The name as policies, labels and metrics write it.
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

/// One inspectable piece of one record.
///
/// Fields of a text are in ascending order and never overlap: `start <= end`, and `end` of a field is at
/// most `start` of the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Index of the record within the text, ascending.
    pub record: u32,
    /// Which part of the record.
    pub part: Part,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Field {
    /// The field as a range of the text.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Index of a detector in the engine that made the finding; its id is `Engine::detector(index).id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DetectorIndex(pub u16);

/// A validated occurrence of a detector: it lies within one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was found.
    pub detector: DetectorIndex,
    /// Index into the slice of fields that was scanned.
    pub field: u32,
    /// First byte, offset into the text.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Finding {
    /// The finding as a range of the text.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One replacement: bytes `start..end` of the text become `Patches::with(patch)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Index into the slice of fields that was scanned; the patch lies within this field.
    pub field: u32,
    /// First byte replaced, offset into the text.
    pub start: u32,
    /// One past the last byte replaced.
    pub end: u32,
    with_start: u32,
    with_end: u32,
}

impl Patch {
    /// Change of the field's length in bytes that this patch makes.
    pub fn growth(&self) -> i64 {
        i64::from(self.with_end - self.with_start) - i64::from(self.end - self.start)
    }
}

/// The edits of one text, ascending and without overlap, with their replacement bytes in one arena.
///
/// Reused from text to text: `clear` keeps the capacity, so the steady state allocates nothing.
#[derive(Debug, Default)]
pub struct Patches {
    patches: Vec<Patch>,
    arena: Vec<u8>,
}

impl Patches {
    /// Forgets all patches and keeps the memory, but for that of a single large text.
    pub fn clear(&mut self) {
        budget::reuse(&mut self.patches);
        budget::reuse(&mut self.arena);
    }

    /// True when the text stays as it is.
    pub fn is_empty(&self) -> bool {
        self.patches.is_empty()
    }

    /// The patches in ascending order.
    pub fn as_slice(&self) -> &[Patch] {
        &self.patches
    }

    /// The bytes that replace `patch`.
    pub fn with(&self, patch: &Patch) -> &[u8] {
        &self.arena[patch.with_start as usize..patch.with_end as usize]
    }

    /// Bytes of all replacements.
    pub fn bytes(&self) -> usize {
        self.arena.len()
    }

    /// True when no patch changes the length of its span, so the text can be edited in place.
    pub fn keeps_lengths(&self) -> bool {
        self.patches.iter().all(|patch| patch.growth() == 0)
    }

    /// Adds a patch of `start..end` whose replacement `write` appends to the arena.
    ///
    /// # Panics
    ///
    /// When `start` lies before the end of the previous patch: the caller sorts and resolves overlaps.
    pub fn push(&mut self, field: u32, start: u32, end: u32, write: impl FnOnce(&mut Vec<u8>)) {
        assert!(start <= end, "a patch is a forward span");
        let ascends = |last: &Patch| last.end <= start && last.field <= field;
        assert!(self.patches.last().is_none_or(ascends), "patches ascend without overlap");
        let with_start = offset(self.arena.len());
        write(&mut self.arena);
        self.patches.push(Patch { field, start, end, with_start, with_end: offset(self.arena.len()) });
    }

    /// Writes same-length patches into `text`.
    ///
    /// # Panics
    ///
    /// When a patch changes a length: `keeps_lengths` decides which way to go.
    pub fn apply_in_place(&self, text: &mut [u8]) {
        for patch in &self.patches {
            text[patch.start as usize..patch.end as usize].copy_from_slice(self.with(patch));
        }
    }

    /// The patches of one field, given its index in the slice of fields that was scanned.
    pub fn of_field(&self, field: u32) -> &[Patch] {
        let first = self.patches.partition_point(|patch| patch.field < field);
        let count = self.patches[first..].partition_point(|patch| patch.field == field);
        &self.patches[first..first + count]
    }

    /// Appends the field at index `index`, with its patches applied, to `out`.
    pub fn apply_field(&self, text: &[u8], index: u32, field: &Field, out: &mut Vec<u8>) {
        let mut from = field.start;
        for patch in self.of_field(index) {
            out.extend_from_slice(&text[from as usize..patch.start as usize]);
            out.extend_from_slice(self.with(patch));
            from = patch.end;
        }
        out.extend_from_slice(&text[from as usize..field.end as usize]);
    }
}

/// An arena offset.
fn offset(length: usize) -> u32 {
    u32::try_from(length).expect("replacements of one text are bounded by the frame size, far below 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_applied_to_their_own_field_only() {
        let mut patches = Patches::default();
        patches.push(0, 2, 4, |out| out.extend_from_slice(b"XX"));
        patches.push(1, 6, 6, |out| out.extend_from_slice(b"long"));
        patches.push(2, 8, 9, |_| {});
        let empty_value = Field { record: 0, part: Part::Value, start: 6, end: 6 };
        let key = Field { record: 0, part: Part::Key, start: 1, end: 6 };

        let (mut masked_key, mut masked_value) = (Vec::new(), Vec::new());
        patches.apply_field(b"0123456789", 0, &key, &mut masked_key);
        patches.apply_field(b"0123456789", 1, &empty_value, &mut masked_value);

        assert_eq!(masked_key, b"1XX45");
        assert_eq!(masked_value, b"long");
        assert!(!patches.keeps_lengths());
    }

    #[test]
    fn a_level_is_named_by_its_own_entry() {
        for (name, level) in Level::NAMES {
            assert_eq!(level.as_str(), name);
        }
    }

    #[test]
    fn same_length_patches_edit_in_place() {
        let mut patches = Patches::default();
        patches.push(0, 1, 3, |out| out.extend_from_slice(b"**"));
        let mut text = *b"abcd";

        patches.apply_in_place(&mut text);

        assert_eq!(&text, b"a**d");
    }
}
