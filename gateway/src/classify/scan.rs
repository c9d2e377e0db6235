//! One scan: starts from places (`starts.rs`), findings from starts.

use super::context::Near;
use super::engine::{Engine, Group, Member, keyword_owner};
use super::hyperscan::HsScratch;
use super::spec::AFTER_BYTES_MAX;
use super::starts::Cursor;
use super::unescaped::{self, Unescaped};
use super::validate::Match;
use super::work::{STEPS_PER_FINGERPRINT, STEPS_PER_MATCH, STEPS_PER_START, Work};
use super::{Context, DetectorSpec, ScanError};
use crate::budget;
use crate::payload::{DetectorIndex, Field, Finding};

/// Largest text of one scan, bytes; callers cut longer ones between records where they can.
pub const TEXT_BYTES_MAX: usize = u32::MAX as usize;
/// Starts that may await confirmation: one for so many bytes of text,
pub(super) const BYTES_PER_START: usize = 1;
/// and so many for any text. The memory for more than these is taken when a text needs it.
pub(super) const STARTS_MIN: usize = 1 << 13;

/// The memory that one scan at a time needs; one per worker.
#[derive(Debug)]
pub struct Scratch {
    pub(super) hyperscan: Option<HsScratch>,
    /// Start offset in the upper bits, group in the lower 16.
    pub(super) starts: Vec<u64>,
    /// Where something begins, of the place at hand.
    pub(super) begins: Vec<usize>,
    /// Pattern and end, of the start at hand.
    ends: Vec<(u16, u32)>,
    /// For each detector, its last finding.
    last: Vec<Last>,
    near: Near,
    pub(super) work: Work,
    /// Where escapes may begin, ascending.
    pub(super) escapes: Vec<u32>,
    unescaped: Unescaped,
    /// Findings in them.
    hidden: Vec<Finding>,
}

/// The last finding of a detector.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    start: u32,
    end: u32,
    /// Index of the finding plus one; 0 when there is none.
    place: u32,
}

impl Scratch {
    pub(super) fn new(engine: &Engine) -> Self {
        Self {
            hyperscan: engine.hyperscan.as_ref().map(|literals| literals.database.scratch()),
            starts: Vec::with_capacity(STARTS_MIN),
            begins: Vec::with_capacity(AFTER_BYTES_MAX),
            ends: Vec::with_capacity(256),
            last: vec![Last::default(); engine.specs.len()],
            near: Near::new(),
            work: Work::default(),
            escapes: Vec::with_capacity(256),
            unescaped: Unescaped::default(),
            hidden: Vec::new(),
        }
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
        self.scan_as_written(scratch, text, fields, findings)?;
        if !scratch.escapes.is_empty() {
            self.scan_unescaped(scratch, text, fields, findings)?;
        }
        findings.sort_unstable_by_key(|finding| {
            (finding.field, finding.start, std::cmp::Reverse(finding.end), finding.detector)
        });
        if self.has_fallback {
            self.yield_to_others(findings);
        }
        Ok(())
    }

    /// Replaces `findings` by those in the text as it stands, in no order, and notes which fields have escapes.
    fn scan_as_written(
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
        budget::reuse(&mut scratch.starts);
        budget::reuse(&mut scratch.escapes);
        scratch.work = Work::for_text(text.len());
        self.find_starts(scratch, text, fields)?;
        if scratch.starts.is_empty() {
            return Ok(());
        }
        sort(&mut scratch.starts);
        scratch.starts.dedup();
        scratch.last.fill(Last::default());
        scratch.near.begin_text();
        self.confirm_all(scratch, text, fields, findings)
    }

    /// Adds what is found in the fields with escapes once these are decoded.
    fn scan_unescaped(
        &self,
        scratch: &mut Scratch,
        text: &[u8],
        fields: &[Field],
        findings: &mut Vec<Finding>,
    ) -> Result<(), ScanError> {
        let mut unescaped = std::mem::take(&mut scratch.unescaped);
        let mut hidden = std::mem::take(&mut scratch.hidden);
        unescaped.fill(text, fields, &scratch.escapes);
        let outcome = self.scan_as_written(scratch, unescaped.text(), unescaped.fields(), &mut hidden);
        if !hidden.is_empty() {
            findings.extend(hidden.iter().map(|finding| unescaped.written(finding)));
            unescaped::join(findings);
        }
        (scratch.unescaped, scratch.hidden) = (unescaped, hidden);
        outcome
    }

    /// Drops the findings of fallback detectors that overlap those of others. Findings of one detector do not
    /// overlap, so looking ahead costs each finding at most once per fallback detector.
    fn yield_to_others(&self, findings: &mut Vec<Finding>) {
        let is_fallback = |finding: &Finding| self.detector(finding.detector).fallback;
        let (mut kept, mut covered) = (0, (0, 0));
        for index in 0..findings.len() {
            let finding = findings[index];
            if is_fallback(&finding) {
                let ahead = findings[index + 1..].iter();
                let mut ahead =
                    ahead.take_while(|next| next.field == finding.field && next.start < finding.end);
                if covered > (finding.field, finding.start) || ahead.any(|next| !is_fallback(next)) {
                    continue;
                }
            } else {
                covered = covered.max((finding.field, finding.end));
            }
            findings[kept] = finding;
            kept += 1;
        }
        findings.truncate(kept);
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
        if !self.may_agree(group, here, start, near) {
            return work.spend(STEPS_PER_START);
        }
        ends.clear();
        let may_end = |end| group.edges.allow_end(here.field, end);
        let read = group.forward.ends(here.field, start, group.bytes_max, may_end, |pattern, end| {
            if group.members[pattern].validator.may_end(here.field, end) {
                ends.push((pattern as u16, end as u32));
            }
        });
        work.spend(read + STEPS_PER_START)?;
        if ends.is_empty() {
            return Ok(());
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
            if member.has_values && !self.specs[usize::from(member.detector)].may_list(&found) {
                work.spend(found.bytes().len())?;
                continue;
            }
            work.spend(steps_of(member, &found))?;
            let Some(end) = self.accept(member, found, here.offset, near) else { continue };
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

    /// Whether what stands before `start` lets some member of the group find something.
    fn may_agree(&self, group: &Group, here: Here<'_>, start: usize, near: &mut Near) -> bool {
        let Some(words) = &self.words else { return group.context == Context::None };
        match group.context {
            Context::None => true,
            Context::Required => {
                near.look(words, here.field, here.offset as usize, start);
                near.has_any(&group.keywords)
                    || near.may_have_after(here.field, here.offset as usize, start, group.bytes_max)
            }
            Context::Key => {
                near.look_key(words, here.field, here.offset as usize, start);
                near.key_ends_in_any(&group.keywords)
            }
        }
    }

    /// The end of the finding that a match is. The context is asked first where it refuses most.
    fn accept(&self, member: &Member, found: Match<'_>, offset: u32, near: &mut Near) -> Option<usize> {
        let needs_word = member.context == Context::Required;
        if needs_word && !self.context_agrees(member, &found, offset, near) {
            return None;
        }
        let spec = &self.specs[usize::from(member.detector)];
        let accepted = member.validator.accept(found).filter(|_| !is_allowed(spec, &found));
        let end = accepted.filter(|_| spec.lists(&found))?;
        (needs_word || self.context_agrees(member, &found, offset, near)).then_some(end)
    }

    /// Whether the words around a match let it be a finding.
    fn context_agrees(&self, member: &Member, found: &Match<'_>, offset: u32, near: &mut Near) -> bool {
        if member.context == Context::None && !member.has_not_keywords {
            return true;
        }
        let Some(words) = &self.words else { return member.context == Context::None };
        let owner = keyword_owner(member.detector);
        if member.context == Context::Key {
            near.look_key(words, found.field, offset as usize, found.start);
            return near.key_ends(words, owner);
        }
        near.look(words, found.field, offset as usize, found.start);
        let here = (found.field, offset as usize);
        let is_against =
            |near: &Near| near.has(words, owner + 1) && near.has_last(words, here, found.start, owner + 1);
        match member.context {
            Context::None if !is_against(near) => true,
            _ => {
                near.has(words, owner)
                    || near.has_after(words, found.field, offset as usize, found.end, owner)
            }
        }
    }
}

/// What the checks of a match may take.
fn steps_of(member: &Member, found: &Match<'_>) -> usize {
    let fingerprint = if member.has_values { STEPS_PER_FINGERPRINT } else { 0 };
    STEPS_PER_MATCH.max(member.validator.bytes_read(found)) + fingerprint
}

/// Sorts starts. They come nearly sorted, each at most a few places late, so that insertion is the fastest; when it
/// is not, another algorithm goes on.
fn sort(starts: &mut [u64]) {
    let mut moves_left = MOVES_PER_START * starts.len();
    for next in 1..starts.len() {
        let start = starts[next];
        let mut at = next;
        while at > 0 && starts[at - 1] > start {
            starts[at] = starts[at - 1];
            at -= 1;
        }
        starts[at] = start;
        let moves = next - at;
        if moves > moves_left {
            return starts.sort_unstable();
        }
        moves_left -= moves;
    }
}

/// Moves by insertion that cost less than the other algorithm.
const MOVES_PER_START: usize = 8;

/// A field while its starts are confirmed.
#[derive(Clone, Copy)]
pub(super) struct Here<'a> {
    pub(super) field: &'a [u8],
    /// Its offset in the text.
    pub(super) offset: u32,
    pub(super) index: u32,
}

/// Whether the detector's declaration names the value as a known sample.
pub(super) fn is_allowed(spec: &DetectorSpec, found: &Match<'_>) -> bool {
    fn significant(bytes: &[u8]) -> impl Iterator<Item = u8> {
        bytes.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase)
    }
    spec.allow.iter().any(|allowed| significant(allowed.as_bytes()).eq(significant(found.bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_sorted_however_late_they_come() {
        let late =
            |most: u64| (0..2000_u64).map(move |index| 8 * index + index.wrapping_mul(2654435761) % most);
        for mut starts in [late(1).collect::<Vec<_>>(), late(40).collect(), late(9000).rev().collect()] {
            let mut expected = starts.clone();
            expected.sort_unstable();
            sort(&mut starts);
            assert_eq!(starts, expected);
        }
    }
}
