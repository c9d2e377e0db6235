//! From findings to decisions and edits.

use super::model::{Interest, Mode, OnBlock, Rule, RuleIndex, Verdict};
use super::overlap::{Claim, Resolver};
use super::{Policy, RuleSet};
use crate::budget;
use crate::classify::{self, ScanError};
use crate::json::Cursor;
use crate::mask::{self, Edit};
use crate::pairs::Pairs;
use crate::payload::{Field, Finding, Level, Patches};

/// What is decided about a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The highest level of all enforced rules that match.
    pub level: Level,
    /// The strongest verdict of all enforced rules that match.
    pub verdict: Verdict,
    /// When blocked: how; `None` leaves it to the listener. `Some(Stub)` was said by the rules themselves.
    pub on_block: Option<OnBlock>,
}

/// The decision about one record in which something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordDecision {
    /// Index of the record, as its fields give it.
    pub record: u32,
    /// What was decided.
    pub decision: Decision,
    rules_start: u32,
    rules_end: u32,
}

/// A finding that some rule of the scope looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// What and where.
    pub finding: Finding,
    /// The rule that masks it; where none does, the first that matches.
    pub rule: RuleIndex,
    /// True when the rule masks it.
    pub is_masked: bool,
}

/// The memory and the results of `Policy::inspect`, reused from text to text.
#[derive(Debug)]
pub struct Scratch {
    engine: classify::Scratch,
    findings: Vec<Finding>,
    found: Vec<Found>,
    decisions: Vec<RecordDecision>,
    rules: Vec<RuleIndex>,
    claims: Vec<Claim>,
    edits: Vec<Edit>,
    resolver: Resolver,
    cursor: Cursor,
    pairs: Pairs,
    patches: Patches,
}

impl Scratch {
    pub(super) fn new(engine: classify::Scratch) -> Self {
        Self {
            engine,
            findings: Vec::new(),
            found: Vec::new(),
            decisions: Vec::new(),
            rules: Vec::new(),
            claims: Vec::new(),
            edits: Vec::new(),
            resolver: Resolver::default(),
            cursor: Cursor::default(),
            pairs: Pairs::default(),
            patches: Patches::default(),
        }
    }

    /// The records in which something was found, ascending. For all others `RuleSet::base` is decided.
    pub fn decisions(&self) -> &[RecordDecision] {
        &self.decisions
    }

    /// The rules that match a record, in file order: enforced and shadow ones.
    pub fn rules(&self, decision: &RecordDecision) -> &[RuleIndex] {
        &self.rules[decision.rules_start as usize..decision.rules_end as usize]
    }

    /// The findings that rules look for, sorted by field and start.
    pub fn found(&self) -> &[Found] {
        &self.found
    }

    /// The masks.
    pub fn patches(&self) -> &Patches {
        &self.patches
    }

    fn clear(&mut self) {
        budget::reuse(&mut self.findings);
        budget::reuse(&mut self.found);
        budget::reuse(&mut self.decisions);
        budget::reuse(&mut self.rules);
        budget::reuse(&mut self.claims);
        self.patches.clear();
    }
}

pub(super) fn inspect(
    policy: &Policy,
    scratch: &mut Scratch,
    rules: &RuleSet,
    text: &[u8],
    fields: &[Field],
) -> Result<(), ScanError> {
    scratch.clear();
    let inspected = try_inspect(policy, scratch, rules, text, fields);
    if inspected.is_err() {
        scratch.clear();
    }
    inspected
}

fn try_inspect(
    policy: &Policy,
    scratch: &mut Scratch,
    rules: &RuleSet,
    text: &[u8],
    fields: &[Field],
) -> Result<(), ScanError> {
    if rules.is_blind() {
        return Ok(());
    }
    policy.engine.scan(&mut scratch.engine, text, fields, &mut scratch.findings)?;
    let findings = scratch.findings.len();
    if findings > FINDINGS_MAX {
        return Err(ScanError::TooManyFindings { findings, findings_max: FINDINGS_MAX });
    }
    if findings > 0 {
        decide(policy, scratch, rules, text, fields);
        scratch.resolver.resolve(&scratch.claims, fields, &mut scratch.edits);
        let Scratch { edits, cursor, patches, .. } = scratch;
        mask::apply(&policy.masking, text, fields, edits, cursor, patches)
            .map_err(|mask::TooLong| ScanError::MasksTooLong { growth_bytes_max: mask::GROWTH_BYTES_MAX })?;
    }
    Ok(())
}

/// Most findings of one text: each takes over 100 bytes on its way to a patch, so that addresses of seven bytes would
/// make 1.6 GB of a batch of 100 MiB. The largest text, 32 MiB, has one every 32 bytes then.
const FINDINGS_MAX: usize = 1 << 20;

/// Applies the rules to the findings: decisions per record, and one claim per finding that is masked.
fn decide(policy: &Policy, scratch: &mut Scratch, rules: &RuleSet, text: &[u8], fields: &[Field]) {
    let findings = std::mem::take(&mut scratch.findings);
    let mut cursor_field = u32::MAX;
    for finding in &findings {
        let field = &fields[finding.field as usize];
        if cursor_field != finding.field {
            cursor_field = finding.field;
            scratch.cursor.reset();
            scratch.pairs.reset();
        }
        let mut judgement = Judgement::default();
        for interest in rules.of(policy, finding.detector) {
            let rule = policy.rule(interest.rule);
            if matches(rule, finding, field, text, &mut scratch.cursor, &mut scratch.pairs) {
                judgement.hear(interest, rule, field);
                note_rule(scratch, rules, field.record, interest, rule);
            }
        }
        judgement.conclude(scratch, finding);
    }
    for decision in &scratch.decisions {
        scratch.rules[decision.rules_start as usize..decision.rules_end as usize].sort_unstable();
    }
    scratch.findings = findings;
}

/// What the rules say about one finding.
#[derive(Default)]
struct Judgement {
    level: Level,
    first: Option<RuleIndex>,
    masked_by: Option<(RuleIndex, mask::OperatorIndex)>,
}

impl Judgement {
    fn hear(&mut self, interest: &Interest, rule: &Rule, field: &Field) {
        self.first.get_or_insert(interest.rule);
        if rule.mode == Mode::Shadow {
            return;
        }
        self.level = self.level.max(interest.level);
        if let (None, Some(operator)) = (self.masked_by, rule.mask)
            && rule.masked_parts.contains(field.part)
        {
            self.masked_by = Some((interest.rule, operator));
        }
    }

    fn conclude(self, scratch: &mut Scratch, finding: &Finding) {
        let Some(first) = self.first else { return };
        let rule = self.masked_by.map_or(first, |(rule, _)| rule);
        scratch.found.push(Found { finding: *finding, rule, is_masked: self.masked_by.is_some() });
        if let Some((_, operator)) = self.masked_by {
            let Finding { field, start, end, detector } = *finding;
            let edit = Edit { field, start, end, operator, detector, is_united: false };
            scratch.claims.push(Claim { edit, level: self.level });
        }
    }
}

/// True when the rule looks where the finding begins. Findings of one field come in ascending order, so that the
/// cursor walks over it once, and so do the pairs. What is in no container of JSON may be in a pair: `[info] a=1`.
fn matches(
    rule: &Rule,
    finding: &Finding,
    field: &Field,
    text: &[u8],
    cursor: &mut Cursor,
    pairs: &mut Pairs,
) -> bool {
    if !rule.parts.contains(field.part) {
        return false;
    }
    if rule.fields.is_empty() {
        return true;
    }
    let text = &text[field.range()];
    let start = (finding.start - field.start) as usize;
    cursor.seek(text, start);
    if cursor.is_outside() {
        return pairs.keys(text, start).any(|key| rule.fields.iter().any(|pointer| pointer.names(key)));
    }
    cursor.token().start <= start && rule.fields.iter().any(|pointer| pointer.covers(cursor, text))
}

/// Counts the rule for the record, which gets its decision with its first rule.
fn note_rule(scratch: &mut Scratch, rules: &RuleSet, record: u32, interest: &Interest, rule: &Rule) {
    if scratch.decisions.last().is_none_or(|last| last.record != record) {
        let rules_start = position(scratch.rules.len());
        scratch.rules.extend_from_slice(rules.base_rules());
        let rules_end = position(scratch.rules.len());
        scratch.decisions.push(RecordDecision { record, decision: rules.base(), rules_start, rules_end });
    }
    let Some(last) = scratch.decisions.last_mut() else { return };
    if !scratch.rules[last.rules_start as usize..].contains(&interest.rule) {
        scratch.rules.push(interest.rule);
        last.rules_end += 1;
    }
    if rule.mode == Mode::Enforce {
        last.decision.raise(interest.level, rule.verdict, rule.on_block);
    }
}

/// A position in the list of matched rules.
fn position(length: usize) -> u32 {
    u32::try_from(length).expect("a text of 4 GiB has fewer findings than bytes")
}

impl Decision {
    /// Takes the higher level and the stronger verdict.
    pub(super) fn raise(&mut self, level: Level, verdict: Verdict, on_block: Option<OnBlock>) {
        self.level = self.level.max(level);
        if verdict == Verdict::Block {
            let is_first = self.verdict != Verdict::Block;
            self.on_block = if is_first { on_block } else { OnBlock::stronger(self.on_block, on_block) };
        }
        self.verdict = self.verdict.max(verdict);
    }
}
