//! Fields with escapes ([`Escape`]), decoded: what hides behind them is found there, and lies, in the text as it was
//! sent, where the map of offsets says.
//!
//! ```text
//! text      {"to":"jane\u0040x.org"}      map: from 11 on, 0 further; from 12 on, 5 further
//! decoded   {"to":"jane@x.org"}
//! ```

use std::ops::Range;

use crate::budget;
use crate::escape::Escape;
use crate::payload::{Field, Finding, Part};

/// Decoded fields, one after the other, and the way back.
#[derive(Debug, Default)]
pub(super) struct Unescaped {
    text: Vec<u8>,
    fields: Vec<Field>,
    /// For each decoded field, its index among the fields of the text.
    origins: Vec<u32>,
    /// Ascending by offset in the decoded text.
    steps: Vec<Step>,
}

/// From `decoded` on, until the next step, the decoded text is the text from `written` on.
#[derive(Clone, Copy, Debug)]
struct Step {
    decoded: u32,
    written: u32,
}

impl Unescaped {
    /// A text that is one field; `None` when it has no escapes.
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        let mut unescaped = Self::default();
        let field = Field { record: 0, part: Part::Value, start: 0, end: text.len() as u32 };
        let places: Vec<u32> =
            (0..field.end).filter(|at| Escape::at(&text[*at as usize..]).is_some()).collect();
        unescaped.push(text, 0, field, &places);
        (unescaped.steps.len() > 1).then_some(unescaped)
    }

    /// Replaces all by those of `fields` in which something of `places`, ascending, lies: there escapes may begin.
    pub(super) fn fill(&mut self, text: &[u8], fields: &[Field], places: &[u32]) {
        budget::reuse(&mut self.text);
        budget::reuse(&mut self.fields);
        budget::reuse(&mut self.origins);
        budget::reuse(&mut self.steps);
        let mut rest = places;
        while let Some(place) = rest.first() {
            let index = fields.partition_point(|field| field.end <= *place);
            let Some(field) = fields.get(index) else { break };
            let inside = rest.partition_point(|place| *place < field.end);
            self.push(text, index as u32, *field, &rest[..inside]);
            rest = &rest[inside..];
        }
    }

    /// Adds a field, the one of that index, after the others; its escapes begin at some of `places`.
    fn push(&mut self, text: &[u8], index: u32, field: Field, places: &[u32]) {
        let start = self.offset();
        self.steps.push(Step { decoded: start, written: field.start });
        let mut copied = field.start as usize;
        for place in places.iter().map(|place| *place as usize) {
            let Some(before) = text.get(copied..place) else { continue };
            let Some(escape) = escape_after(before, &text[place..field.end as usize]) else { continue };
            self.text.extend_from_slice(before);
            copied = place + escape.length;
            // What begins or ends within a character of two bytes does so after its escape.
            for byte in escape.value.encode_utf8(&mut [0; 4]).bytes() {
                self.text.push(byte);
                self.steps.push(Step { decoded: self.offset(), written: copied as u32 });
            }
        }
        self.text.extend_from_slice(&text[copied..field.end as usize]);
        self.fields.push(Field { start, end: self.offset(), ..field });
        self.origins.push(index);
        // Between fields, so that the end of one and the start of the next are two offsets.
        self.text.push(b'\n');
    }

    fn offset(&self) -> u32 {
        self.text.len() as u32
    }

    /// The decoded text.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Its fields.
    pub(super) fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The decoded bytes of a field.
    pub(super) fn field(&self, index: usize) -> &[u8] {
        &self.text[self.fields[index].range()]
    }

    /// A range of the decoded text, as one of the text.
    pub(super) fn range_written(&self, decoded: &Range<usize>) -> Range<usize> {
        let written = |offset: usize| self.offset_written(offset as u32) as usize;
        written(decoded.start)..written(decoded.end)
    }

    /// A finding in the decoded text, as one in the text.
    pub(super) fn written(&self, found: &Finding) -> Finding {
        Finding {
            field: self.origins[found.field as usize],
            start: self.offset_written(found.start),
            end: self.offset_written(found.end),
            ..*found
        }
    }

    fn offset_written(&self, decoded: u32) -> u32 {
        let after = self.steps.partition_point(|step| step.decoded <= decoded);
        let step = self.steps[after - 1];
        step.written + (decoded - step.decoded)
    }
}

/// The escape with which `text` begins, unless its backslash is itself escaped.
fn escape_after(before: &[u8], text: &[u8]) -> Option<Escape> {
    let backslashes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
    Escape::at(text).filter(|_| text[0] != b'\\' || backslashes % 2 == 0)
}

/// Makes one of the findings of a detector that overlap; `findings` are sorted as a scan leaves them afterwards.
pub(super) fn join(findings: &mut Vec<Finding>) {
    findings.sort_unstable_by_key(|finding| (finding.detector, finding.field, finding.start));
    findings.dedup_by(|next, one| {
        let is_same = (next.detector, next.field) == (one.detector, one.field) && next.start < one.end;
        if is_same {
            one.end = one.end.max(next.end);
        }
        is_same
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::DetectorIndex;

    fn field(start: usize, end: usize) -> Field {
        Field { record: 0, part: Part::Value, start: start as u32, end: end as u32 }
    }

    fn finding(field: u32, start: usize, end: usize) -> Finding {
        Finding { detector: DetectorIndex(0), field, start: start as u32, end: end as u32 }
    }

    #[test]
    fn what_is_decoded_lies_where_it_was_written() {
        let table = [
            (r"to jane\u0040x.org", "to jane@x.org", "jane@x.org", r"jane\u0040x.org"),
            ("to jane%40x.org%20now", "to jane@x.org now", "jane@x.org", "jane%40x.org"),
            ("&#106;ane&#x40;x.org", "jane@x.org", "jane@x.org", "&#106;ane&#x40;x.org"),
            (r"a\/b", "a/b", "b", "b"),
            (r"tel\u00e9fono 1", "tel\u{e9}fono 1", "l\u{e9}f", r"l\u00e9f"),
            ("tel%C3%A9fono 1", "tel\u{e9}fono 1", "fono 1", "fono 1"),
            (r"\\u0040\u0041\n%", r"\\u0040A\n%", "A", r"\u0041"),
        ];
        for (written, decoded, value, expected) in table {
            let text = format!("#{written}!");
            let places: Vec<u32> = (0..text.len() as u32).collect();
            let fields = [field(0, 1), field(1, text.len() - 1), field(text.len() - 1, text.len())];
            let mut unescaped = Unescaped::default();
            unescaped.fill(text.as_bytes(), &fields, &places[1..]);
            assert_eq!(unescaped.text(), format!("{decoded}\n!\n").as_bytes());
            let start = decoded.find(value).unwrap();
            let found = unescaped.written(&finding(0, start, start + value.len()));
            assert_eq!((&text[found.range()], found.field), (expected, 1));
        }
    }

    #[test]
    fn findings_that_overlap_are_joined() {
        let mut findings = vec![finding(0, 5, 9), finding(0, 0, 4), finding(0, 4, 6), finding(1, 8, 9)];
        join(&mut findings);
        assert_eq!(findings, [finding(0, 0, 4), finding(0, 4, 9), finding(1, 8, 9)]);
    }
}
