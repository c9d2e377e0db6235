//! One scan: places from both passes, starts from places, findings from starts.

use std::ops::Range;

use super::automaton::Reverse;
use super::context::Near;
use super::engine::{Engine, Group, Member, keyword_owner};
use super::hyperscan::{HsScratch, ScanFailure};
use super::plan::Reach;
use super::shapes::Trigger;
use super::validate::Match;
use super::{Context, DetectorSpec, ScanError, simd};
use crate::payload::{DetectorIndex, Field, Finding};

/// Largest text of one scan, bytes; callers cut longer ones between records where they can.
pub const TEXT_BYTES_MAX: usize = u32::MAX as usize;
/// Starts that may await confirmation: one for so many bytes of text,
const BYTES_PER_START: usize = 1;
/// and so many for any text. The memory for more than these is taken when a text needs it.
const STARTS_MIN: usize = 1 << 13;
/// Steps (about one look-up in a table each) that confirming may take: so many per byte of text,
const STEPS_PER_BYTE: u64 = 128;
/// and so many for any text.
const STEPS_MIN: u64 = 1 << 16;

/// The memory that one scan at a time needs; one per worker.
#[derive(Debug)]
pub struct Scratch {
    hyperscan: Option<HsScratch>,
    /// Start offset in the upper bits, group in the lower 16.
    starts: Vec<u64>,
    /// Pattern and end, of the start at hand.
    ends: Vec<(u16, u32)>,
    /// For each detector, its last finding.
    last: Vec<Last>,
    near: Near,
    work: Work,
}

/// The last finding of a detector.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    start: u32,
    end: u32,
    /// Index of the finding plus one; 0 when there is none.
    place: u32,
}

/// Steps taken and allowed.
#[derive(Debug, Default)]
struct Work {
    steps: u64,
    steps_max: u64,
}

impl Scratch {
    pub(super) fn new(engine: &Engine) -> Self {
        Self {
            hyperscan: engine.hyperscan.as_ref().map(|literals| literals.database.scratch()),
            starts: Vec::with_capacity(STARTS_MIN),
            ends: Vec::with_capacity(256),
            last: vec![Last::default(); engine.specs.len()],
            near: Near::new(),
            work: Work::default(),
        }
    }
}

impl Work {
    fn spend(&mut self, steps: usize) -> Result<(), ScanError> {
        self.steps += steps as u64;
        if self.steps > self.steps_max { Err(self.exceeded()) } else { Ok(()) }
    }

    fn exceeded(&self) -> ScanError {
        ScanError::WorkExceeded { steps_max: self.steps_max }
    }
}

impl Engine {
    /// Replaces `findings` by all findings in the `fields` of `text`, sorted by field, start, then longest
    /// first; those of one detector never overlap and each lies within one field. `fields` ascend.
    ///
    /// # Errors
    ///
    /// When the scan was not finished; `findings` is then incomplete.
    pub fn scan(
        &self,
        scratch: &mut Scratch,
        text: &[u8],
        fields: &[Field],
        findings: &mut Vec<Finding>,
    ) -> Result<(), ScanError> {
        findings.clear();
        if text.len() > TEXT_BYTES_MAX {
            return Err(ScanError::TextTooLarge { bytes: text.len(), bytes_max: TEXT_BYTES_MAX });
        }
        scratch.starts.clear();
        scratch.work = Work { steps: 0, steps_max: STEPS_MIN + STEPS_PER_BYTE * text.len() as u64 };
        self.find_starts(scratch, text, fields)?;
        if scratch.starts.is_empty() {
            return Ok(());
        }
        scratch.starts.sort_unstable();
        scratch.starts.dedup();
        scratch.last.fill(Last::default());
        scratch.near.begin_text();
        self.confirm_all(scratch, text, fields, findings)?;
        findings.sort_unstable_by_key(|finding| {
            (finding.field, finding.start, std::cmp::Reverse(finding.end), finding.detector)
        });
        Ok(())
    }

    /// Stage 1: fills `scratch.starts`.
    fn find_starts(&self, scratch: &mut Scratch, text: &[u8], fields: &[Field]) -> Result<(), ScanError> {
        let mut starts = Starts {
            groups: &self.groups,
            starts: &mut scratch.starts,
            work: &mut scratch.work,
            cursor: Cursor::new(text, fields),
            starts_max: STARTS_MIN + text.len() / BYTES_PER_START,
            colons_end: 0,
            colon_places: 0,
            failure: None,
        };
        simd::sweep_fastest(text, self.minimum, |trigger, place| starts.shape(self, trigger, place));
        starts.edges_of_fields(self);
        if let Some(failure) = starts.failure {
            return Err(failure);
        }
        let (Some(literals), Some(hyperscan)) = (&self.hyperscan, &mut scratch.hyperscan) else {
            return Ok(());
        };
        starts.cursor.at = 0;
        let scanned = literals.database.scan(hyperscan, text, |id, end| {
            if let Some(target) = literals.targets.get(id as usize) {
                let end = end as usize;
                starts.add(&target.groups, end - target.length, end - target.length.max(1)..end);
            }
            starts.failure.is_none()
        });
        match (starts.failure, scanned) {
            (Some(failure), _) => Err(failure),
            (None, Ok(())) => Ok(()),
            (None, Err(ScanFailure::Stopped)) => Err(scratch.work.exceeded()),
            (None, Err(ScanFailure::Code(code))) => Err(ScanError::Engine { code }),
        }
    }

    /// Stage 2: every start, ascending.
    fn confirm_all(
        &self,
        scratch: &mut Scratch,
        text: &[u8],
        fields: &[Field],
        findings: &mut Vec<Finding>,
    ) -> Result<(), ScanError> {
        let starts = std::mem::take(&mut scratch.starts);
        let mut cursor = Cursor::new(text, fields);
        let mut outcome = Ok(());
        for packed in &starts {
            let (start, group) = ((packed >> 16) as usize, &self.groups[usize::from(*packed as u16)]);
            let Some((index, field)) = cursor.field_of(start, start + 1) else { continue };
            let here = Here { field: &text[field.range()], offset: field.start, index };
            outcome = self.confirm(scratch, group, here, start - field.start as usize, findings);
            if outcome.is_err() {
                break;
            }
        }
        scratch.starts = starts;
        outcome
    }

    /// Runs the automaton of `group` at `start` and accepts the longest match of each detector that holds.
    fn confirm(
        &self,
        scratch: &mut Scratch,
        group: &Group,
        here: Here<'_>,
        start: usize,
        findings: &mut Vec<Finding>,
    ) -> Result<(), ScanError> {
        let Scratch { ends, last, near, work, .. } = scratch;
        ends.clear();
        let may_end = |end| group.edges.allow_end(here.field, end);
        let read = group.forward.ends(here.field, start, group.bytes_max, may_end, |pattern, end| {
            ends.push((pattern as u16, end as u32));
        });
        work.spend(read + STEPS_PER_START)?;
        if ends.is_empty() {
            return Ok(());
        }
        if group.needs_context {
            let Some(words) = &self.words else { return Ok(()) };
            near.look(words, here.field, here.offset as usize, start);
            if near.is_key() && !group.keyword_owners.iter().any(|owner| near.has(words, *owner)) {
                return Ok(());
            }
        }
        for (pattern, end) in ends.iter().rev() {
            let (member, end) = (&group.members[usize::from(*pattern)], *end as usize);
            let last = &mut last[usize::from(member.detector)];
            let start_offset = here.offset + start as u32;
            let again = last.place > 0 && last.start == start_offset;
            let covered = last.place > 0
                && (!again && start_offset < last.end || again && last.end >= here.offset + end as u32);
            if end - start > member.bytes_max || covered && !(again && member.validator.moves_end()) {
                continue;
            }
            let found = Match { field: here.field, start, end };
            let spec = &self.specs[usize::from(member.detector)];
            let Some(end) = member.validator.accept(found).filter(|_| !is_allowed(spec, &found)) else {
                continue;
            };
            work.spend(STEPS_PER_MATCH)?;
            if !self.context_agrees(member, &found, here.offset, near) {
                continue;
            }
            let end_offset = here.offset + end as u32;
            if again {
                if end_offset > last.end {
                    findings[last.place as usize - 1].end = end_offset;
                    last.end = end_offset;
                }
                continue;
            }
            findings.push(Finding {
                detector: DetectorIndex(member.detector),
                field: here.index,
                start: start_offset,
                end: end_offset,
            });
            *last = Last { start: start_offset, end: end_offset, place: findings.len() as u32 };
        }
        Ok(())
    }

    /// Whether the words around a match let it be a finding.
    fn context_agrees(&self, member: &Member, found: &Match<'_>, offset: u32, near: &mut Near) -> bool {
        if member.context == Context::None && !member.has_not_keywords {
            return true;
        }
        let Some(words) = &self.words else { return member.context == Context::None };
        near.look(words, found.field, offset as usize, found.start);
        let owner = keyword_owner(member.detector);
        match member.context {
            Context::None if !near.has(words, owner + 1) => true,
            _ => near.has(words, owner) || near.has_after(words, found.field, found.end, owner),
        }
    }
}

/// Steps that a start costs besides its bytes.
const STEPS_PER_START: usize = 8;
/// Steps that validator and context of a match cost.
const STEPS_PER_MATCH: usize = 32;

/// A field while its starts are confirmed.
#[derive(Clone, Copy)]
struct Here<'a> {
    field: &'a [u8],
    /// Its offset in the text.
    offset: u32,
    index: u32,
}

/// Whether the detector's declaration names the value as a known sample.
fn is_allowed(spec: &DetectorSpec, found: &Match<'_>) -> bool {
    fn significant(bytes: &[u8]) -> impl Iterator<Item = u8> {
        bytes.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase)
    }
    spec.allow.iter().any(|allowed| significant(allowed.as_bytes()).eq(significant(found.bytes())))
}

/// Turns places into starts.
struct Starts<'a> {
    groups: &'a [Group],
    starts: &'a mut Vec<u64>,
    work: &'a mut Work,
    cursor: Cursor<'a>,
    starts_max: usize,
    /// Colons before this offset belong to a run of which so many places were seen.
    colons_end: usize,
    colon_places: u32,
    failure: Option<ScanError>,
}

impl Starts<'_> {
    /// A place of the pass over shapes.
    #[inline]
    fn shape(&mut self, engine: &Engine, trigger: Trigger, place: usize) {
        let groups = &engine.by_trigger[trigger as usize];
        if groups.is_empty() {
            return;
        }
        match trigger {
            Trigger::At if !self.is_between_names(place) => return,
            Trigger::Colons if self.is_covered(place) => return,
            _ => {}
        }
        self.add(groups, place, place..place + 1);
    }

    /// Whether a letter or digit follows the `@` at `place`, and something that may end a name precedes it.
    fn is_between_names(&self, place: usize) -> bool {
        let at = |index: Option<usize>| {
            index.and_then(|index| self.cursor.text.get(index)).copied().unwrap_or(b' ')
        };
        let (before, after) = (at(place.checked_sub(1)), at(Some(place + 1)));
        after.is_ascii_alphanumeric() && !matches!(before, b' ' | b'"' | b'@' | b'\'' | b',' | b':' | b'=')
    }

    /// Whether the colon at `place` is at least the third place of its run of hexadecimal digits and colons. An
    /// address begins where its run begins, or after the first colon when that ends a name, so the first two
    /// places reach it.
    fn is_covered(&mut self, place: usize) -> bool {
        if place < self.colons_end {
            self.colon_places += 1;
            return self.colon_places > 2;
        }
        let rest = self.cursor.text.get(place..).unwrap_or_default();
        let run = rest.iter().take_while(|byte| byte.is_ascii_hexdigit() || **byte == b':').count();
        let field_end = self.cursor.field_of(place, place + 1).map_or(place, |(_, field)| field.end as usize);
        (self.colons_end, self.colon_places) = (field_end.min(place + run), 1);
        false
    }

    /// A group of digits that a field begins with is hidden from the pass when a digit precedes the field.
    fn edges_of_fields(&mut self, engine: &Engine) {
        let groups = &engine.by_trigger[Trigger::Digits as usize];
        let digit_at = |text: &[u8], index: usize| text.get(index).is_some_and(u8::is_ascii_digit);
        for index in 0..self.cursor.fields.len() {
            let start = self.cursor.fields[index].start as usize;
            let text = self.cursor.text;
            if digit_at(text, start) && start > 0 && digit_at(text, start - 1) {
                self.cursor.at = index;
                self.add(groups, start, start..start + 1);
            }
        }
    }

    /// A place that the bytes `evidence` gave: adds the starts that its groups may have there.
    fn add(&mut self, groups: &[u16], place: usize, evidence: Range<usize>) {
        let Some((_, field)) = self.cursor.field_of(evidence.start, evidence.end) else { return };
        let bytes = &self.cursor.text[field.range()];
        let offset = field.start as usize;
        let place = place - offset;
        for index in groups {
            let group = &self.groups[usize::from(*index)];
            let push = |starts: &mut Vec<u64>, start: usize| {
                if group.edges.allow_start(bytes, start) {
                    starts.push((((offset + start) as u64) << 16) | u64::from(*index));
                }
            };
            match &group.reach {
                Reach::Back(length) => {
                    if let Some(start) = place.checked_sub(*length) {
                        push(self.starts, start);
                    }
                }
                Reach::Reverse(reverse) => self.reverse(reverse, group, bytes, place, push),
            }
        }
        if self.starts.len() > self.starts_max {
            self.failure.get_or_insert(self.work.exceeded());
        }
    }

    fn reverse(
        &mut self,
        reverse: &Reverse,
        group: &Group,
        bytes: &[u8],
        place: usize,
        push: impl Fn(&mut Vec<u64>, usize),
    ) {
        let (starts, starts_max) = (&mut *self.starts, self.starts_max);
        let read = reverse.starts(bytes, place, group.bytes_max, |start| {
            if starts.len() <= starts_max {
                push(starts, start);
            }
        });
        if let Err(failure) = self.work.spend(read + STEPS_PER_START) {
            self.failure.get_or_insert(failure);
        }
    }
}

/// Finds the field of an offset; offsets mostly ascend.
struct Cursor<'a> {
    text: &'a [u8],
    fields: &'a [Field],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a [u8], fields: &'a [Field]) -> Self {
        Self { text, fields, at: 0 }
    }

    /// The field that holds `start..end`, and its index.
    fn field_of(&mut self, start: usize, end: usize) -> Option<(u32, Field)> {
        let before = |field: &Field| (field.end as usize) <= start;
        if self.at > 0 && self.fields.get(self.at - 1).is_some_and(|field| !before(field)) {
            self.at = self.fields.partition_point(before);
        }
        while self.fields.get(self.at).is_some_and(before) {
            self.at += 1;
        }
        let field = self.fields.get(self.at)?;
        ((field.start as usize) <= start && end <= field.end as usize).then_some((self.at as u32, *field))
    }
}
