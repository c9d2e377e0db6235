//! What was decided about a partition, as an audit entry. No bytes of records, only where something was found.

use super::Sender;
use super::decided::Decided;
use super::scopes::Entry;
use crate::audit::{AuditBatch, FindingEntry, PartitionEntry, Run};
use crate::policy::Verdict;
use crate::protocol::kafka::produce::Partition;
use crate::protocol::kafka::record_batch::BatchHead;
use crate::protocol::kafka::records::Records;
use crate::telemetry::Reason;

/// Adds the entry of one inspected partition. With a record that is rejected the whole batch is `stopped`: that is what
/// becomes of the records beside it, too.
pub(super) fn partition(
    audit: &mut AuditBatch,
    decided: &Decided<'_>,
    entry: &Entry,
    partition: &Partition,
    records: &Records,
    sender: &Sender<'_>,
    stopped: Option<Verdict>,
) {
    let first_run = audit.runs.len();
    for outcome in decided.outcomes() {
        let level = outcome.decision.level;
        let verdict = outcome.decision.verdict.max(stopped.unwrap_or(Verdict::Forward));
        match audit.runs.get_mut(first_run..).and_then(|runs| runs.last_mut()) {
            Some(run) if (run.level, run.verdict) == (level, verdict) => run.count += 1,
            _ => audit.runs.push(Run { count: 1, level, verdict }),
        }
    }
    let first_finding = audit.findings.len();
    for found in decided.scratch.found() {
        let finding = &found.finding;
        let Some(field) = records.fields.get(finding.field as usize) else { continue };
        audit.findings.push(FindingEntry {
            detector: finding.detector,
            record: field.record,
            part: field.part,
            start: finding.start - field.start,
            length: finding.end - finding.start,
        });
    }
    let unfinished = unfinished(audit, decided.policy.generation(), entry, partition, sender);
    audit.partitions.push(PartitionEntry {
        records: decided.records,
        runs: (first_run, audit.runs.len()),
        findings: (first_finding, audit.findings.len()),
        ..unfinished
    });
}

/// The partition whose entry was added last has been stopped after all.
pub(super) fn stop(audit: &mut AuditBatch, verdict: Verdict) {
    let Some(&PartitionEntry { runs: (from, to), .. }) = audit.partitions.last() else { return };
    for run in audit.runs.get_mut(from..to).unwrap_or_default() {
        run.verdict = run.verdict.max(verdict);
    }
}

/// Adds the entry of a partition that goes on though nobody has looked into it. Its count of records is what the batch
/// says of itself.
pub(super) fn unseen(
    audit: &mut AuditBatch,
    generation: u64,
    entry: &Entry,
    partition: &Partition,
    frame: &[u8],
    sender: &Sender<'_>,
    reason: Reason,
) {
    let head = partition.records.and_then(|records| BatchHead::read(records.of(frame)));
    let records = head.map_or(0, |head| u32::try_from(head.record_count).unwrap_or(0));
    let unfinished = unfinished(audit, generation, entry, partition, sender);
    audit.partitions.push(PartitionEntry { records, unseen: Some(reason), ..unfinished });
}

/// An entry without records and outcomes.
fn unfinished(
    audit: &AuditBatch,
    generation: u64,
    entry: &Entry,
    partition: &Partition,
    sender: &Sender<'_>,
) -> PartitionEntry {
    PartitionEntry {
        topic: entry.topic.clone(),
        partition: partition.index,
        principal: sender.principal.clone(),
        listener: sender.listener,
        generation,
        records: 0,
        unseen: None,
        runs: (audit.runs.len(), audit.runs.len()),
        findings: (audit.findings.len(), audit.findings.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Level;

    #[test]
    fn only_the_partition_that_was_reported_last_is_stopped() {
        let mut audit = AuditBatch::default();
        for (count, verdict) in [(1, Verdict::Forward), (2, Verdict::Forward), (3, Verdict::Block)] {
            audit.runs.push(Run { count, level: Level::Public, verdict });
        }
        let entry = |runs| PartitionEntry {
            topic: "orders".into(),
            partition: 0,
            principal: "User:ANONYMOUS".into(),
            listener: 0,
            generation: 1,
            records: 0,
            unseen: None,
            runs,
            findings: (0, 0),
        };
        audit.partitions.extend([entry((0, 1)), entry((1, 3))]);

        stop(&mut audit, Verdict::Hold);
        let verdicts: Vec<Verdict> = audit.runs.iter().map(|run| run.verdict).collect();
        assert_eq!(verdicts, [Verdict::Forward, Verdict::Hold, Verdict::Block]);
    }
}
