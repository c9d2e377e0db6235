//! Mistakes that only several rules together make.

use super::rules::Source;
use crate::document::Document;
use crate::mask::Operator;
use crate::payload::Part;
use crate::policy::glob;
use crate::policy::model::{Mode, Rule};

/// Compares every rule with those before it.
pub(super) fn check(document: &Document<'_>, rules: &[Source]) {
    for (position, later) in rules.iter().enumerate() {
        let earlier = &rules[..position];
        check_truncations(document, later, earlier);
        check_order(document, later, earlier);
    }
}

/// A value truncated in two ways can be put together again.
fn check_truncations(document: &Document<'_>, later: &Source, earlier: &[Source]) {
    let Some(Operator::Keep(keep)) = &later.operator else { return };
    for earlier in earlier {
        let Some(Operator::Keep(other)) = &earlier.operator else { continue };
        let same_form = (keep.first, keep.last) == (other.first, other.last);
        if !same_form && later.rule.shares_a_detector(&earlier.rule) && later.rule.mode == earlier.rule.mode {
            let message = format!(
                "rule `{}` keeps the first {} and last {} of the same detector: two truncations of one value \
                 let it be put together again; keep the same here, or use `redact`",
                earlier.rule.id, other.first, other.last
            );
            document.mistake(later.mask_at, message);
        }
    }
}

/// The first rule with a mask masks, so a rule behind one that covers all it looks at never does.
fn check_order(document: &Document<'_>, later: &Source, earlier: &[Source]) {
    let Some(operator) = &later.operator else { return };
    let differs = |other: &Operator| match (other, operator) {
        // Two truncations of one value are a mistake in any order.
        (Operator::Keep(_), Operator::Keep(_)) => false,
        _ => other != operator,
    };
    let covers = |earlier: &&Source| {
        earlier.operator.as_ref().is_some_and(differs) && earlier.rule.masks_before(&later.rule)
    };
    if let Some(earlier) = earlier.iter().find(covers) {
        let message = format!(
            "never masks: rule `{}` stands before it and masks all that this rule looks for; put this rule first, \
             or leave `mask` out",
            earlier.rule.id
        );
        document.mistake(later.mask_at, message);
    }
}

impl Rule {
    fn shares_a_detector(&self, other: &Self) -> bool {
        let ours = self.detectors.as_deref().unwrap_or_default();
        let theirs = other.detectors.as_deref().unwrap_or_default();
        ours.iter().any(|(detector, _)| theirs.iter().any(|(other, _)| other == detector))
    }

    /// True when this rule, which masks, matches wherever `later` masks.
    fn masks_before(&self, later: &Self) -> bool {
        let ours = self.detectors.as_deref().unwrap_or_default();
        let mut theirs = later.detectors.iter().flatten();
        let mut parts = [Part::Key, Part::Value, Part::Header].into_iter();
        let mut fields = later.fields.iter();
        self.mode == Mode::Enforce
            && later.mode == Mode::Enforce
            && theirs.all(|(detector, _)| ours.iter().any(|(other, _)| other == detector))
            && glob::cover(&self.topics, &later.topics)
            && glob::cover(&self.principals, &later.principals)
            && glob::cover(&self.listeners, &later.listeners)
            && parts.all(|part| self.masked_parts.contains(part) || !later.masked_parts.contains(part))
            && (self.fields.is_empty()
                || fields.len() > 0
                    && fields.all(|inner| self.fields.iter().any(|outer| outer.contains(inner))))
    }
}
