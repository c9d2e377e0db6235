//! Stage 1 of a scan: places from both passes, and the starts that follow from them.

use std::ops::Range;

use super::context;
use super::engine::{Engine, Group, Head};
use super::hyperscan::ScanFailure;
use super::plan::{Back, Reach};
use super::scan::{BYTES_PER_START, Here, STARTS_MIN, Scratch};
use super::shapes::{Trigger, is_token};
use super::spec::AFTER_BYTES_MAX;
use super::work::{STEPS_PER_START, Work};
use super::{ScanError, simd};
use crate::payload::Field;

impl Engine {
    /// Stage 1: fills `scratch.starts`.
    pub(super) fn find_starts(
        &self,
        scratch: &mut Scratch,
        text: &[u8],
        fields: &[Field],
    ) -> Result<(), ScanError> {
        let mut starts = Starts {
            groups: &self.groups,
            heads: &self.heads,
            starts: &mut scratch.starts,
            begins: &mut scratch.begins,
            work: &mut scratch.work,
            cursor: Cursor::new(text, fields),
            starts_max: STARTS_MIN + text.len() / BYTES_PER_START,
            escapes: &mut scratch.escapes,
            colons_end: 0,
            colon_places: 0,
            failure: None,
        };
        simd::sweep_fastest(text, self.minimum, |trigger, place| starts.shape(self, trigger, place));
        starts.edges_of_fields(self);
        starts.listed(self);
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
}

/// Turns places into starts.
struct Starts<'a> {
    groups: &'a [Group],
    heads: &'a [Head],
    starts: &'a mut Vec<u64>,
    begins: &'a mut Vec<usize>,
    work: &'a mut Work,
    cursor: Cursor<'a>,
    starts_max: usize,
    /// Where escapes may begin.
    escapes: &'a mut Vec<u32>,
    /// Colons before this offset belong to a run of which so many places were seen.
    colons_end: usize,
    colon_places: u32,
    failure: Option<ScanError>,
}

impl Starts<'_> {
    /// A place of the pass over shapes.
    #[inline]
    fn shape(&mut self, engine: &Engine, trigger: Trigger, place: usize) {
        match trigger {
            Trigger::Token => return self.token(engine, place),
            Trigger::Key => return self.key(engine, place),
            Trigger::Digits => return self.number(engine, place),
            Trigger::Escape => return self.escapes.push(place as u32),
            _ => {}
        }
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

    /// A number whose first digit is at `place`.
    #[inline]
    fn number(&mut self, engine: &Engine, place: usize) {
        let Some((_, field)) = self.cursor.field_of(place, place + 1) else { return };
        let groups = engine.numbers.groups(&self.cursor.text[field.range()], place - field.start as usize);
        self.add_in(field, groups, place);
    }

    /// A token at `place`, or behind the escape that it seems to begin with.
    #[inline]
    fn token(&mut self, engine: &Engine, place: usize) {
        let text = self.cursor.text;
        let before = place.checked_sub(1).map_or(b' ', |index| text[index]);
        self.token_at(engine, place, !is_token(before));
        let escape = match (before, text.get(place)) {
            (b'\\', Some(b'u')) => 5,
            (b'\\', _) => 1,
            (b'%', _) => 2,
            _ => return,
        };
        if text.get(place + escape).is_some_and(|byte| is_token(*byte)) {
            self.token_at(engine, place + escape, true);
        }
    }

    /// Adds what tokens that start at `place` may be; without anything of a token before it when `is_whole`.
    #[inline]
    fn token_at(&mut self, engine: &Engine, place: usize, is_whole: bool) {
        let first = self.cursor.text.get(place..).and_then(|rest| rest.first_chunk().copied());
        let groups = first.map_or(&[][..], |first| engine.prefixes.groups(first));
        if !groups.is_empty() {
            self.add(groups, place, place..place + 1);
        }
        let groups = &engine.by_trigger[Trigger::Token as usize];
        if is_whole && !groups.is_empty() {
            self.add(groups, place, place..place + 1);
        }
    }

    /// The value of a key whose operator is at `place`.
    #[inline]
    fn key(&mut self, engine: &Engine, place: usize) {
        let text = self.cursor.text;
        let Some(end) = context::key_end(text, place) else { return };
        let groups = engine.keys.groups(end);
        if !groups.is_empty() {
            let value = context::value_of(text, place);
            self.add(groups, value, place..value + 1);
        }
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

    /// A group of digits or a token that a field begins with is hidden from the pass when a byte of the same kind
    /// precedes the field.
    fn edges_of_fields(&mut self, engine: &Engine) {
        let text = self.cursor.text;
        for index in 0..self.cursor.fields.len() {
            let start = self.cursor.fields[index].start as usize;
            let around =
                start.checked_sub(1).and_then(|before| Some((*text.get(before)?, *text.get(start)?)));
            let Some((before, first)) = around else { continue };
            if before.is_ascii_digit() && first.is_ascii_digit() {
                self.cursor.at = index;
                self.number(engine, start);
            }
            if is_token(before) && is_token(first) {
                self.cursor.at = index;
                self.token_at(engine, start, true);
            }
        }
    }

    /// The words with which values of lists may begin.
    fn listed(&mut self, engine: &Engine) {
        let (text, fields) = (self.cursor.text, self.cursor.fields);
        for (group, list) in &engine.listed {
            for field in fields {
                list.starts(&text[field.range()], |start| {
                    let place = field.start as usize + start;
                    self.add(&[*group], place, place..place + 1);
                });
            }
        }
    }

    /// A place that the bytes `evidence` gave: adds the starts that its groups may have there.
    fn add(&mut self, groups: &[u16], place: usize, evidence: Range<usize>) {
        if let Some((_, field)) = self.cursor.field_of(evidence.start, evidence.end) {
            self.add_in(field, groups, place);
        }
    }

    /// Adds the starts that the groups may have at a place of `field`.
    fn add_in(&mut self, field: Field, groups: &[u16], place: usize) {
        let bytes = &self.cursor.text[field.range()];
        let here = Here { field: bytes, offset: field.start, index: 0 };
        let place = place - field.start as usize;
        for index in groups {
            let (head, group) = (&self.heads[usize::from(*index)], &self.groups[usize::from(*index)]);
            match head.back {
                Some(back) => {
                    if let Some(start) = place.checked_sub(back) {
                        push(self.starts, *index, (head, group), here, start);
                    }
                }
                None => self.walk(*index, (head, group), here, place),
            }
        }
        if self.starts.len() > self.starts_max {
            self.failure.get_or_insert(self.work.exceeded());
        }
    }

    /// Adds the starts that automata find from `place`.
    fn walk(&mut self, index: u16, of: (&Head, &Group), here: Here<'_>, place: usize) {
        let Self { starts, begins, .. } = self;
        let (group, reach) = (of.1, &of.1.reach);
        begins.clear();
        let mut read = match reach.back() {
            Back::Bytes(length) => {
                begins.extend(place.checked_sub(*length));
                0
            }
            Back::Reverse(reverse) => {
                let bytes_max =
                    if matches!(reach, Reach::After(..)) { AFTER_BYTES_MAX } else { group.bytes_max };
                reverse.starts(here.field, place, bytes_max, |begin| begins.push(begin)) + STEPS_PER_START
            }
        };
        for begin in begins.iter() {
            match reach {
                Reach::Match(_) => push(starts, index, of, here, *begin),
                Reach::After(_, after) => {
                    let add = |_, end| push(starts, index, of, here, end);
                    read += after.ends(here.field, *begin, AFTER_BYTES_MAX, |_| true, add) + STEPS_PER_START;
                }
            }
        }
        if let Err(failure) = self.work.spend(read) {
            self.failure.get_or_insert(failure);
        }
    }
}

/// Notes a start with a byte that begins a match and edges that allow it.
#[inline]
fn push(starts: &mut Vec<u64>, index: u16, (head, group): (&Head, &Group), here: Here<'_>, start: usize) {
    let begins = here.field.get(start).is_some_and(|byte| head.first_bytes.contains(*byte));
    if begins && group.edges.allow_start(here.field, start) {
        starts.push(((here.offset as usize + start) as u64) << 16 | u64::from(index));
    }
}

/// Finds the field of an offset; offsets mostly ascend.
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    fields: &'a [Field],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8], fields: &'a [Field]) -> Self {
        Self { text, fields, at: 0 }
    }

    /// The field that holds `start..end`, and its index.
    pub(super) fn field_of(&mut self, start: usize, end: usize) -> Option<(u32, Field)> {
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
