//! What was decided about a partition, as an audit entry. No bytes of records, only where something was found.

use super::Sender;
use super::batch::outcomes;
use super::scopes::Entry;
use crate::audit::{AuditBatch, FindingEntry, PartitionEntry, Run};
use crate::policy::{Policy, Scratch};
use crate::protocol::kafka::records::Records;

/// Adds the entry of one inspected partition.
pub(super) fn partition(
    audit: &mut AuditBatch,
    policy: &Policy,
    scratch: &Scratch,
    entry: &Entry,
    partition: i32,
    records: &Records,
    sender: &Sender<'_>,
) {
    let count = records.records.len();
    let (first_run, first_finding) = (audit.runs.len(), audit.findings.len());
    for outcome in outcomes(&entry.rules, scratch, count) {
        let (level, verdict) = (outcome.decision.level, outcome.decision.verdict);
        match audit.runs.get_mut(first_run..).and_then(|runs| runs.last_mut()) {
            Some(run) if (run.level, run.verdict) == (level, verdict) => run.count += 1,
            _ => audit.runs.push(Run { count: 1, level, verdict }),
        }
    }
    for found in scratch.found() {
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
    audit.partitions.push(PartitionEntry {
        topic: entry.topic.clone(),
        partition,
        principal: sender.principal.clone(),
        listener: sender.listener,
        generation: policy.generation(),
        records: u32::try_from(count).unwrap_or(u32::MAX),
        runs: (first_run, audit.runs.len()),
        findings: (first_finding, audit.findings.len()),
    });
}
