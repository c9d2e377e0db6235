//! The rules that apply where a record goes, merged once per listener, topic and principal.

use super::decide::Decision;
use super::model::{Mode, RuleIndex};
use super::{Policy, glob};
use crate::payload::DetectorIndex;

/// The principal of a client that did not authenticate, as Kafka prints it.
pub const PRINCIPAL_ANONYMOUS: &str = "User:ANONYMOUS";

/// Where a record comes from and goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    /// Name of the listener it came in by.
    pub listener: &'a str,
    /// Topic it is written to.
    pub topic: &'a str,
    /// Who writes it, as Kafka prints it: `User:name`.
    pub principal: &'a str,
}

/// The rules of a policy that apply to one [`Scope`]. It belongs to the policy that made it.
#[derive(Debug)]
pub struct RuleSet {
    base: Decision,
    base_rules: Vec<RuleIndex>,
    /// Per detector of the engine the rules that look for it, in file order.
    by_detector: Vec<Vec<RuleIndex>>,
}

impl RuleSet {
    pub(super) fn new(policy: &Policy, scope: &Scope<'_>) -> Self {
        let mut set = Self {
            base: Decision { level: policy.default_level, ..Decision::default() },
            base_rules: Vec::new(),
            by_detector: vec![Vec::new(); policy.detectors_at.len()],
        };
        for (index, rule) in (0..).map(RuleIndex).zip(&policy.rules) {
            let applies = glob::any(&rule.topics, scope.topic)
                && glob::any(&rule.principals, scope.principal)
                && glob::any(&rule.listeners, scope.listener);
            match &rule.detectors {
                _ if !applies => {}
                Some(detectors) => {
                    for (detector, _) in detectors {
                        set.by_detector[usize::from(detector.0)].push(index);
                    }
                }
                None => {
                    set.base_rules.push(index);
                    if rule.mode == Mode::Enforce {
                        set.base.raise(rule.level.unwrap_or_default(), rule.verdict, rule.on_block);
                    }
                }
            }
        }
        set
    }

    /// The decision for every record that has no entry of its own in `Scratch::decisions`.
    pub fn base(&self) -> Decision {
        self.base
    }

    /// The rules that match every record of the scope.
    pub fn base_rules(&self) -> &[RuleIndex] {
        &self.base_rules
    }

    /// True when no rule of this scope looks into records, so that `inspect` does not scan.
    pub fn is_blind(&self) -> bool {
        self.by_detector.iter().all(Vec::is_empty)
    }

    /// The rules that look for `detector`, in file order.
    pub(super) fn of(&self, detector: DetectorIndex) -> &[RuleIndex] {
        self.by_detector.get(usize::from(detector.0)).map_or(&[], Vec::as_slice)
    }
}
