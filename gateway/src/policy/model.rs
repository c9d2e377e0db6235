//! A policy as the compiler leaves it: rules, their outcome and the labels.

use super::glob::Glob;
use super::pointer::Pointer;
use crate::mask::OperatorIndex;
use crate::payload::{DetectorIndex, Level, Part};

/// Position of a rule in its policy file, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleIndex(pub u16);

/// What happens to a record; ordered, so that the strongest of several rules is their maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// Goes on to the upstream.
    #[default]
    Forward,
    /// Waits for a reviewer.
    Hold,
    /// Is refused.
    Block,
}

impl Verdict {
    /// Every verdict with its name, weakest first.
    pub const NAMES: [(&'static str, Verdict); 3] =
        [("forward", Verdict::Forward), ("hold", Verdict::Hold), ("block", Verdict::Block)];

    /// The name as policies and metrics write it.
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

/// How a blocked record is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnBlock {
    /// The record keeps its place, its value becomes a stub that names the rule; success is answered.
    Stub,
    /// The partition's batch is refused.
    Reject,
}

impl OnBlock {
    /// Every way with its name.
    pub const NAMES: [(&'static str, OnBlock); 2] = [("stub", OnBlock::Stub), ("reject", OnBlock::Reject)];

    /// The stronger of what two blocking rules say; `None` is the default of the listener, which lies
    /// between: where it is `Reject` it is the stronger, where it is `Stub` it makes no difference.
    pub(super) fn stronger(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(Self::Reject), _) | (_, Some(Self::Reject)) => Some(Self::Reject),
            (None, _) | (_, None) => None,
            _ => Some(Self::Stub),
        }
    }
}

/// Whether a rule acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The rule counts and masks.
    #[default]
    Enforce,
    /// The rule is reported where it would have matched, and has no effect.
    Shadow,
}

impl Mode {
    /// Every mode with its name.
    pub const NAMES: [(&'static str, Mode); 2] = [("enforce", Mode::Enforce), ("shadow", Mode::Shadow)];
}

/// Which records get the label headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Labelling {
    /// Those above the default level: no label means the default level.
    #[default]
    Sensitive,
    /// Every record: every batch is then rewritten.
    All,
    /// None.
    Off,
}

impl Labelling {
    /// Every way with its name.
    pub const NAMES: [(&'static str, Labelling); 3] =
        [("sensitive", Labelling::Sensitive), ("all", Labelling::All), ("off", Labelling::Off)];
}

/// Names of the headers that tell consumers a record's level and the rules that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    /// Which records are labelled.
    pub labelling: Labelling,
    /// Header with the level; `classification` unless the policy names another.
    pub header: String,
    /// Header with the ids of the rules: `header` and `-rules`.
    pub rules_header: String,
}

/// A set of parts of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts(u8);

impl Parts {
    pub(super) const NONE: Self = Self(0);
    pub(super) const ALL: Self = Self(0b111);

    pub(super) fn with(self, part: Part) -> Self {
        Self(self.0 | Self::bit(part))
    }

    pub(super) fn without(self, part: Part) -> Self {
        Self(self.0 & !Self::bit(part))
    }

    pub(super) fn contains(self, part: Part) -> bool {
        self.0 & Self::bit(part) != 0
    }

    fn bit(part: Part) -> u8 {
        match part {
            Part::Key => 0b001,
            Part::Value => 0b010,
            Part::Header => 0b100,
        }
    }
}

/// One compiled rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: String,
    /// Byte offset of the rule in the policy file.
    pub(super) at: usize,
    /// The detectors it looks for, each with the level that a finding gets; `None`: every record in scope.
    pub(super) detectors: Option<Vec<(DetectorIndex, Level)>>,
    /// Empty: every topic.
    pub(super) topics: Vec<Glob>,
    /// Empty: every principal.
    pub(super) principals: Vec<Glob>,
    /// Empty: every listener.
    pub(super) listeners: Vec<Glob>,
    /// Where findings count.
    pub(super) parts: Parts,
    /// Where findings are masked: within `parts`.
    pub(super) masked_parts: Parts,
    /// Empty: anywhere in the part; else the values of JSON, logfmt or a form in which findings count.
    pub(super) fields: Vec<Pointer>,
    /// Level of a record that a rule without detectors matches.
    pub(super) level: Option<Level>,
    pub(super) mask: Option<OperatorIndex>,
    pub(super) verdict: Verdict,
    pub(super) on_block: Option<OnBlock>,
    pub(super) mode: Mode,
}

/// A rule as one detector sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interest {
    pub(super) rule: RuleIndex,
    /// The level that the rule gives to a finding of the detector.
    pub(super) level: Level,
}

/// Per detector the rules that look for it, in file order.
pub(super) fn interests(rules: &[Rule], detector_count: usize) -> Vec<Vec<Interest>> {
    let mut interests = vec![Vec::new(); detector_count];
    for (index, rule) in (0..).map(RuleIndex).zip(rules) {
        for (detector, level) in rule.detectors.iter().flatten() {
            interests[usize::from(detector.0)].push(Interest { rule: index, level: *level });
        }
    }
    interests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_of_the_listener_lies_between_stub_and_reject() {
        use OnBlock::{Reject, Stub};
        let table = [
            (Some(Stub), Some(Stub), Some(Stub)),
            (Some(Stub), None, None),
            (None, None, None),
            (None, Some(Reject), Some(Reject)),
            (Some(Reject), Some(Stub), Some(Reject)),
        ];
        for (one, other, expected) in table {
            assert_eq!(OnBlock::stronger(one, other), expected, "{one:?} and {other:?}");
            assert_eq!(OnBlock::stronger(other, one), expected, "{other:?} and {one:?}");
        }
    }

    #[test]
    fn a_verdict_is_named_by_its_own_entry() {
        for (name, verdict) in Verdict::NAMES {
            assert_eq!(verdict.as_str(), name);
        }
    }
}
