//! What was decided about the records of one batch, and what it adds to them: stubs and labels.

use super::Sender;
use crate::payload::Level;
use crate::policy::{Decision, OnBlock, Policy, RuleIndex, RuleSet, Scratch, Verdict};
use crate::protocol::kafka::edits::RecordEdits;
use crate::protocol::kafka::record_batch::BatchHead;

/// The decisions about one batch.
#[derive(Clone, Copy)]
pub(super) struct Decided<'a> {
    pub(super) policy: &'a Policy,
    pub(super) scratch: &'a Scratch,
    /// Number of records.
    pub(super) records: u32,
    rules: &'a RuleSet,
    /// How a record is blocked whose rules do not say it.
    on_block: OnBlock,
}

/// What was decided about one record.
#[derive(Clone, Copy)]
pub(super) struct Outcome<'a> {
    pub(super) record: u32,
    pub(super) decision: Decision,
    pub(super) rules: &'a [RuleIndex],
}

impl<'a> Decided<'a> {
    /// The decisions in `scratch` about the batch with this head. Within a transaction a listener's `on_block = "stub"`
    /// does not count: the application commits what it believes to have written, so only a rule may say so.
    pub(super) fn new(
        policy: &'a Policy,
        scratch: &'a Scratch,
        rules: &'a RuleSet,
        head: &BatchHead,
        sender: &Sender<'_>,
    ) -> Self {
        let stubs = sender.stub_on_block && !head.is_transactional();
        let on_block = if stubs { OnBlock::Stub } else { OnBlock::Reject };
        let records = u32::try_from(head.record_count).unwrap_or(0);
        Self { policy, scratch, records, rules, on_block }
    }

    /// The outcome of every record, in order: those with findings have their own, the others the rule set's.
    pub(super) fn outcomes(&self) -> impl Iterator<Item = Outcome<'a>> + use<'a> {
        let (rules, scratch) = (self.rules, self.scratch);
        let mut decisions = scratch.decisions().iter().peekable();
        (0..self.records).map(move |record| match decisions.next_if(|own| own.record == record) {
            Some(own) => Outcome { record, decision: own.decision, rules: scratch.rules(own) },
            None => Outcome { record, decision: rules.base(), rules: rules.base_rules() },
        })
    }

    /// True when some record of the batch does not simply go on.
    pub(super) fn may_block(&self) -> bool {
        let stops = |decision: &Decision| decision.verdict != Verdict::Forward;
        stops(&self.rules.base()) || self.scratch.decisions().iter().any(|own| stops(&own.decision))
    }

    /// How a record is kept from the upstream; `None` when it goes on. A held record is blocked: nobody can release it
    /// yet, and no decision in time means block.
    pub(super) fn blocking(&self, decision: &Decision) -> Option<OnBlock> {
        match decision.verdict {
            Verdict::Forward => None,
            Verdict::Hold => Some(OnBlock::Reject),
            Verdict::Block => Some(decision.on_block.unwrap_or(self.on_block)),
        }
    }

    /// Collects stubs and labels, record by record. Neighbours that get the same share its bytes.
    pub(super) fn collect_edits(&self, edits: &mut RecordEdits) {
        edits.clear();
        let base = self.rules.base();
        let touches_every_record = self.policy.label_due(base.level) || base.verdict != Verdict::Forward;
        if !touches_every_record && self.scratch.decisions().is_empty() {
            return;
        }
        let (mut stubbed, mut labelled) = (None, None);
        for Outcome { record, decision, rules } in self.outcomes() {
            if self.blocking(&decision).is_some() {
                match stubbed.replace(rules) {
                    Some(last) if last == rules => edits.stub_again(record),
                    _ => edits.stub(record, |out| write_stub(self.policy, rules, out)),
                }
            }
            if self.policy.label_due(decision.level) {
                let label = (decision.level, rules);
                match labelled.replace(label) {
                    Some(last) if last == label => edits.label_again(record),
                    _ => self.write_labels(edits, record, decision.level, rules),
                }
            }
        }
    }

    fn write_labels(&self, edits: &mut RecordEdits, record: u32, level: Level, rules: &[RuleIndex]) {
        let names = self.policy.labels();
        edits.label(record, names.header.as_bytes(), |out| out.extend_from_slice(level.as_str().as_bytes()));
        if !rules.is_empty() {
            edits.label(record, names.rules_header.as_bytes(), |out| {
                self.policy.write_label_rules(rules, out)
            });
        }
    }

    /// What the sender of a rejected record is told: the rules, never the content.
    pub(super) fn blocked_message(&self, rules: &[RuleIndex]) -> String {
        let mut ids = Vec::new();
        self.policy.write_label_rules(rules, &mut ids);
        format!("blocked by policy rule {}", String::from_utf8_lossy(&ids))
    }
}

/// `{"blocked":"cards"}`: what a consumer reads in the place of a blocked value.
fn write_stub(policy: &Policy, rules: &[RuleIndex], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"blocked\":\"");
    policy.write_label_rules(rules, out);
    out.extend_from_slice(b"\"}");
}
