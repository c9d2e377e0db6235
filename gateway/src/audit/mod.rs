//! Audit: what was decided about every partition of every request. Today a counting sink on the control
//! thread takes the batches; it is what the record and finding metrics are made of.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::budget;
use crate::payload::{DetectorIndex, Level, Part};
use crate::policy::{Policy, Verdict};
use crate::telemetry::Reason;

/// Records of one partition batch, as decided.
#[derive(Clone, Debug)]
pub struct PartitionEntry {
    /// Topic or route.
    pub topic: Arc<str>,
    /// Partition index.
    pub partition: i32,
    /// Who sent it, `User:name`.
    pub principal: Arc<str>,
    /// Listener index in the configuration.
    pub listener: u16,
    /// Generation of the policy that decided.
    pub generation: u64,
    /// Number of records in the batch; of one that nobody has looked into, what it says of itself.
    pub records: u32,
    /// The batch went on without inspection, for this reason. It has no runs and no findings.
    pub unseen: Option<Reason>,
    /// Runs of records with the same outcome: from and to in `AuditBatch::runs`.
    pub runs: (usize, usize),
    /// Findings: from and to in `AuditBatch::findings`.
    pub findings: (usize, usize),
}

/// So many consecutive records with one level and one verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Number of records.
    pub count: u32,
    /// Their level.
    pub level: Level,
    /// Their verdict.
    pub verdict: Verdict,
}

/// One finding without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FindingEntry {
    /// Detector, an index of the policy of the partition's generation.
    pub detector: DetectorIndex,
    /// Record within the batch.
    pub record: u32,
    /// Which part of the record: key, value or header.
    pub part: Part,
    /// First byte within that part.
    pub start: u32,
    /// Length in bytes.
    pub length: u32,
}

/// Entries of many partitions on their way to the control thread. Emptied and handed back, so that the
/// steady state allocates nothing.
#[derive(Debug)]
pub struct AuditBatch {
    /// One per decided partition.
    pub partitions: Vec<PartitionEntry>,
    /// Run-length encoded outcomes.
    pub runs: Vec<Run>,
    /// Findings of all partitions.
    pub findings: Vec<FindingEntry>,
}

/// Requests of one partition that a turn has under load: a pass of the receive ring in batches of 32 KiB.
const PARTITIONS_PER_TURN: usize = 64;

/// A finding every 8 KiB of such a pass, each between clean records.
const RUNS_PER_TURN: usize = 256;

impl Default for AuditBatch {
    /// With room for what one turn of a busy worker decides: batches take turns, and none should have to grow on the hot
    /// path.
    fn default() -> Self {
        Self {
            partitions: Vec::with_capacity(PARTITIONS_PER_TURN),
            runs: Vec::with_capacity(RUNS_PER_TURN),
            findings: Vec::with_capacity(RUNS_PER_TURN),
        }
    }
}

impl AuditBatch {
    /// True when there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.partitions.is_empty()
    }

    /// Memory of the entries, used or not. Names are shared, and not counted.
    pub fn bytes(&self) -> usize {
        self.partitions.capacity() * size_of::<PartitionEntry>()
            + self.runs.capacity() * size_of::<Run>()
            + self.findings.capacity() * size_of::<FindingEntry>()
    }

    /// Forgets the entries and keeps the memory, but for that of a large batch.
    pub fn clear(&mut self) {
        budget::empty_within(&mut self.partitions, budget::AUDIT_KEPT_BYTES);
        budget::empty_within(&mut self.runs, budget::AUDIT_KEPT_BYTES);
        budget::empty_within(&mut self.findings, budget::AUDIT_KEPT_BYTES);
    }
}

/// Counts records by level and verdict, and findings by detector.
#[derive(Debug, Default)]
pub struct CountingSink {
    records: BTreeMap<(Level, Verdict), u64>,
    findings: BTreeMap<String, u64>,
}

impl CountingSink {
    /// Takes the counts of one batch; `policies` are those that its partitions were decided by.
    pub fn take(&mut self, batch: &AuditBatch, policies: &[Arc<Policy>]) {
        for run in &batch.runs {
            *self.records.entry((run.level, run.verdict)).or_default() += u64::from(run.count);
        }
        for partition in &batch.partitions {
            let policy = policies.iter().find(|policy| policy.generation() == partition.generation);
            let findings = batch.findings.get(partition.findings.0..partition.findings.1).unwrap_or_default();
            for finding in findings {
                let id = policy.map_or("unknown", |policy| &policy.detector(finding.detector).id);
                match self.findings.get_mut(id) {
                    Some(count) => *count += 1,
                    None => drop(self.findings.insert(id.to_owned(), 1)),
                }
            }
        }
    }

    /// Records so far, by level and verdict.
    pub fn records(&self) -> impl Iterator<Item = (Level, Verdict, u64)> + '_ {
        self.records.iter().map(|((level, verdict), count)| (*level, *verdict, *count))
    }

    /// Findings so far, by detector id.
    pub fn findings(&self) -> impl Iterator<Item = (&str, u64)> + '_ {
        self.findings.iter().map(|(detector, count)| (detector.as_str(), *count))
    }
}
