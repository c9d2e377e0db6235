//! The rules that apply where a record goes, merged once per listener, topic and principal.

use super::decide::Decision;
use super::model::{Interest, Mode, RuleIndex};
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
    /// For each rule of the policy whether it applies here and looks for detectors. Every connection has a set per topic,
    /// so it holds nothing per detector.
    looks: Box<[bool]>,
}

impl RuleSet {
    pub(super) fn new(policy: &Policy, scope: &Scope<'_>) -> Self {
        let mut set = Self {
            base: Decision { level: policy.default_level, ..Decision::default() },
            base_rules: Vec::new(),
            looks: vec![false; policy.rules.len()].into(),
        };
        for (index, rule) in (0..).map(RuleIndex).zip(&policy.rules) {
            let applies = glob::any(&rule.topics, scope.topic)
                && glob::any(&rule.principals, scope.principal)
                && glob::any(&rule.listeners, scope.listener);
            if !applies {
                continue;
            }
            if rule.detectors.is_some() {
                set.looks[usize::from(index.0)] = true;
                continue;
            }
            set.base_rules.push(index);
            if rule.mode == Mode::Enforce {
                set.base.raise(rule.level.unwrap_or_default(), rule.verdict, rule.on_block);
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
        !self.looks.contains(&true)
    }

    /// The rules of this scope that look for `detector`, in file order.
    pub(super) fn of<'p>(
        &self,
        policy: &'p Policy,
        detector: DetectorIndex,
    ) -> impl Iterator<Item = &'p Interest> {
        let interests = policy.interests.get(usize::from(detector.0)).into_iter().flatten();
        interests.filter(|interest| self.looks[usize::from(interest.rule.0)])
    }
}
