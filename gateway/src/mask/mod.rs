//! Turns edits into replacement bytes; knows neither Kafka nor rules.
//!
//! An [`Edit`] says which span is masked and how; [`apply`] appends the matching patches. Operators see
//! decoded characters: an escape that stands for a letter or digit is masked as one, and numbers in JSON
//! stay numbers, so that the outer form remains valid.

mod character;
mod ff1;
mod number;
mod operator;
mod pseudonym;
mod text;
mod token;

pub use operator::{CHAR_DEFAULT, Keep, Operator, Replacement};
pub use pseudonym::{KEY_BYTES_MIN, Key, KeyError, Keys, Normal, Subject};
pub use token::Token;

use std::ops::Range;

use crate::json::{Cursor, Place};
use crate::payload::{DetectorIndex, Field, Part, Patches};

/// Position of an operator in [`Masking::operators`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OperatorIndex(pub u16);

impl OperatorIndex {
    /// The plain `redact` that every [`Masking`] starts with.
    pub const REDACT: Self = Self(0);
}

/// One span to mask, within one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Index into the fields of the text.
    pub field: u32,
    /// First byte, offset into the text.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// How it is masked.
    pub operator: OperatorIndex,
    /// What was found there.
    pub detector: DetectorIndex,
    /// Whether it covers what was found beside that, too. Two such texts are the same only when they are byte for byte:
    /// the detector says nothing of the rest.
    pub is_united: bool,
}

/// What edits refer to: the operators of a policy, and its detectors as masking sees them.
#[derive(Debug)]
pub struct Masking {
    operators: Vec<Operator>,
    subjects: Vec<Subject>,
    /// The same detectors, for united edits.
    united: Vec<Subject>,
}

impl Masking {
    /// No operators yet but [`OperatorIndex::REDACT`].
    pub fn new(subjects: Vec<Subject>) -> Self {
        let verbatim = |subject: &Subject| Subject { normal: Normal::Verbatim, ..subject.clone() };
        let united = subjects.iter().map(verbatim).collect();
        Self { operators: vec![Operator::Redact { with: CHAR_DEFAULT }], subjects, united }
    }

    /// Adds an operator.
    ///
    /// # Panics
    ///
    /// Beyond 65,535 operators: policies are bounded far below.
    pub fn add(&mut self, operator: Operator) -> OperatorIndex {
        let index = u16::try_from(self.operators.len()).expect("the compiler bounds the number of rules");
        self.operators.push(operator);
        OperatorIndex(index)
    }

    /// The operator that `index` stands for.
    pub fn operator(&self, index: OperatorIndex) -> &Operator {
        &self.operators[usize::from(index.0)]
    }

    fn subject(&self, edit: &Edit) -> &Subject {
        let subjects = if edit.is_united { &self.united } else { &self.subjects };
        &subjects[usize::from(edit.detector.0)]
    }
}

/// The masks of one text would be more than [`GROWTH_BYTES_MAX`] longer than the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Bytes by which the masks of one text may pass the text itself: without it, a million findings of seven bytes under a
/// long replacement would make hundreds of megabytes of a request of eighty kilobytes.
pub const GROWTH_BYTES_MAX: usize = 32 << 20;

/// Replaces `patches` by those that make `edits`, which ascend and do not overlap. `cursor` is only memory.
///
/// # Errors
///
/// [`TooLong`]; some patches are then missing.
pub fn apply(
    masking: &Masking,
    text: &[u8],
    fields: &[Field],
    edits: &[Edit],
    cursor: &mut Cursor,
    patches: &mut Patches,
) -> Result<(), TooLong> {
    patches.clear();
    let mut pen = Pen { field: u32::MAX, written_to: 0 };
    for (position, edit) in edits.iter().enumerate() {
        let field = &fields[edit.field as usize];
        if pen.field != edit.field {
            pen = Pen { field: edit.field, written_to: 0 };
            cursor.reset();
        }
        let next = edits.get(position + 1).filter(|next| next.field == edit.field);
        let site = Site {
            part: field.part,
            text: &text[field.range()],
            span: (edit.start - field.start) as usize..(edit.end - field.start) as usize,
            written_to: pen.written_to,
            next: next.map_or(field.range().len(), |next| (next.start - field.start) as usize),
        };
        pen.written_to = site.mask(masking, edit, field.start, cursor, patches);
        if patches.bytes() > text.len() + GROWTH_BYTES_MAX {
            return Err(TooLong);
        }
    }
    Ok(())
}

/// Where the last patch was made.
struct Pen {
    field: u32,
    /// One past its last byte, offset into the field.
    written_to: usize,
}

/// One edit in its surroundings; offsets are into the field.
struct Site<'t> {
    /// Which part of the record it is.
    part: Part,
    /// The whole field.
    text: &'t [u8],
    /// What is masked.
    span: Range<usize>,
    /// One past what is already patched.
    written_to: usize,
    /// Where the next edit starts.
    next: usize,
}

impl Site<'_> {
    /// Adds the patch and returns one past its last byte.
    fn mask(
        &self,
        masking: &Masking,
        edit: &Edit,
        base: u32,
        cursor: &mut Cursor,
        patches: &mut Patches,
    ) -> usize {
        if self.span.end <= self.written_to {
            return self.written_to;
        }
        let subject = masking.subject(edit);
        let escapes = self.escapes(cursor);
        let number = number::token_around(self.text, &self.span)
            .filter(|token| cursor.seek(self.text, token.start) == Place::Number && cursor.token() == *token);
        let operator = self.operator(masking, edit, number.is_some(), escapes);
        let span = match &number {
            Some(token) => number::span(operator, self.text, token, &self.span, self.written_to),
            None if matches!(operator, Operator::Null) => self.null_span(cursor),
            None => text::span(operator, self.text, escapes, &self.span, self.written_to),
        };
        let patch = offset(base, span.start)..offset(base, span.end);
        patches.push(edit.field, patch.start, patch.end, |out| match number {
            Some(token) => number::write(operator, subject, self.text, &token, &span, out),
            None if span != self.span && matches!(operator, Operator::Null) => out.extend_from_slice(b"null"),
            None => text::write(operator, subject, &self.text[span.clone()], escapes, out),
        });
        span.end
    }

    /// The operator itself; where it is `token` and there is none for the value, what stands in for it.
    fn operator<'m>(
        &self,
        masking: &'m Masking,
        edit: &Edit,
        in_number: bool,
        escapes: bool,
    ) -> &'m Operator {
        let (subject, raw) = (masking.subject(edit), &self.text[self.span.clone()]);
        match masking.operator(edit.operator) {
            Operator::Token(token) if !Token::fits(subject, raw, escapes, in_number) => {
                if self.part == Part::Key { token.in_keys() } else { masking.operator(OperatorIndex::REDACT) }
            }
            operator => operator,
        }
    }

    /// True when backslashes in and before the span are escapes.
    fn escapes(&self, cursor: &mut Cursor) -> bool {
        let from = self.span.start.saturating_sub(text::ESCAPE_BYTES_MAX);
        self.text[from..self.span.end].contains(&b'\\') && cursor.is_json(self.text)
    }

    /// The quoted string that the span fills, when it is a value and the neighbours leave room.
    fn null_span(&self, cursor: &mut Cursor) -> Range<usize> {
        let quoted = self.span.start.wrapping_sub(1)..self.span.end + 1;
        let fits = self.span.start > self.written_to && quoted.end <= self.next;
        if fits && cursor.seek(self.text, self.span.start) == Place::String && cursor.token() == quoted {
            return quoted;
        }
        self.span.start.max(self.written_to)..self.span.end
    }
}

/// An offset into the text, from one into a field of it.
fn offset(base: u32, within: usize) -> u32 {
    base + u32::try_from(within).expect("a field lies in a text of at most 4 GiB")
}

#[cfg(test)]
mod tests;
