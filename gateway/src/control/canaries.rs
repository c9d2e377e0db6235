//! Canaries that were found: who sent them where, never what they are.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::warn;

use crate::audit::{AuditBatch, PartitionEntry};
use crate::policy::Policy;

/// Lines of one canary in one second: a client that sends it all the time must not fill the log, nor hide others.
const LINES_MAX: u32 = 10;

/// Logs the canaries of audit batches.
#[derive(Debug)]
pub(super) struct Canaries {
    /// Names of the listeners, by index.
    listeners: Vec<String>,
    /// When the second began.
    began: Option<Instant>,
    /// The lines of each canary in it so far.
    lines: HashMap<String, u32>,
}

/// A canary in one batch of a partition.
#[derive(Debug)]
struct Sighting<'a> {
    detector: &'a str,
    partition: &'a PartitionEntry,
    findings: usize,
}

impl Canaries {
    pub(super) fn new(listeners: Vec<String>) -> Self {
        Self { listeners, began: None, lines: HashMap::new() }
    }

    /// Logs what canaries `batch` tells of; `policies` are those that its partitions were decided by.
    pub(super) fn tell(&mut self, batch: &AuditBatch, policies: &[Arc<Policy>], now: Instant) {
        for Sighting { detector, partition: of, findings } in sightings(batch, policies) {
            let line = self.line(detector, now);
            let listener = self.listeners.get(usize::from(of.listener)).map_or("", String::as_str);
            match line {
                1..LINES_MAX => warn!(
                    detector,
                    findings,
                    listener,
                    topic = &*of.topic,
                    partition = of.partition,
                    principal = &*of.principal,
                    "canary found"
                ),
                LINES_MAX => warn!(detector, "canary found more often: gateway_findings_total counts it"),
                _ => {}
            }
        }
    }

    /// Takes a line of the canary's second: which it is, from 1.
    fn line(&mut self, detector: &str, now: Instant) -> u32 {
        if self.began.is_none_or(|began| now.duration_since(began) >= Duration::from_secs(1)) {
            self.began = Some(now);
            self.lines.clear();
        }
        let lines = match self.lines.get_mut(detector) {
            Some(lines) => lines,
            None => self.lines.entry(detector.to_owned()).or_default(),
        };
        *lines = lines.saturating_add(1);
        *lines
    }
}

/// The canaries of a batch; nothing is looked at where the policy has none.
fn sightings<'a>(batch: &'a AuditBatch, policies: &'a [Arc<Policy>]) -> impl Iterator<Item = Sighting<'a>> {
    batch.partitions.iter().flat_map(move |partition| {
        let policy = policies.iter().find(|policy| policy.generation() == partition.generation);
        let found = batch.findings.get(partition.findings.0..partition.findings.1).unwrap_or_default();
        policy.into_iter().flat_map(move |policy| {
            policy.canaries().iter().filter_map(move |canary| {
                let findings = found.iter().filter(|finding| finding.detector == *canary).count();
                let detector = policy.detector(*canary).id.as_str();
                (findings > 0).then_some(Sighting { detector, partition, findings })
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::audit::FindingEntry;
    use crate::payload::{DetectorIndex, Part};
    use crate::policy::Keys;

    fn policy() -> Arc<Policy> {
        let source = "version = 1\n[[rule]]\nid = \"r\"\ndetectors = [\"email\"]\nlevel = \"internal\"\n\
                      [[detector]]\nid = \"planted\"\npattern = 'quagga-\\d{4}'\ncanary = true\n";
        Arc::new(Policy::compile(Path::new("p.toml"), source, &Keys::StandIn, 3).expect("a good policy"))
    }

    #[test]
    fn each_partition_with_a_canary_is_told_once_and_other_findings_are_not() {
        let policies = [policy()];
        let index = |id| {
            let found = policies[0].detectors().find(|(_, spec)| spec.id == id);
            found.expect("the policy has it").0
        };
        let (canary, mail) = (index("planted"), index("email"));
        let finding = |detector: DetectorIndex| FindingEntry {
            detector,
            record: 0,
            part: Part::Value,
            start: 0,
            length: 11,
        };
        let partition = |partition, generation, findings| PartitionEntry {
            topic: "orders".into(),
            partition,
            principal: "User:alice".into(),
            listener: 0,
            generation,
            records: 1,
            unseen: None,
            runs: (0, 0),
            findings,
        };
        let mut batch = AuditBatch::default();
        batch.findings.extend([mail, canary, canary, mail].map(finding));
        batch.partitions.extend([partition(7, 3, (0, 3)), partition(8, 3, (3, 4)), partition(9, 2, (0, 3))]);
        let told: Vec<_> = sightings(&batch, &policies)
            .map(|told| (told.detector, told.partition.partition, told.findings))
            .collect();
        assert_eq!(told, [("planted", 7, 2)]);
    }

    #[test]
    fn the_lines_of_a_second_are_counted_anew_in_the_next_and_for_each_canary() {
        let (mut canaries, now) = (Canaries::new(Vec::new()), Instant::now());
        let mut line = |detector, ms| canaries.line(detector, now + Duration::from_millis(ms));
        assert_eq!([0, 1, 999].map(|ms| line("noisy", ms)), [1, 2, 3]);
        assert_eq!(line("other", 999), 1);
        assert_eq!([1000, 1999, 2000].map(|ms| line("noisy", ms)), [1, 2, 1]);
    }
}
