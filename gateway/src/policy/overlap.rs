//! Edits that overlap become edits that do not.
//!
//! Order: higher level, then longer, then earlier. The winner's operator covers its whole span; what sticks
//! out of a loser is redacted.

use std::cmp::Reverse;
use std::ops::Range;

use crate::mask::{Edit, OperatorIndex};
use crate::payload::Level;

/// An edit and the level of the finding behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) edit: Edit,
    pub(super) level: Level,
}

/// Memory for resolving; reused from text to text.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    ranked: Vec<Claim>,
    winners: Vec<Edit>,
    losers: Vec<Edit>,
}

impl Resolver {
    /// Replaces `edits` by those that `claims` lead to. Claims ascend by field and start.
    pub(super) fn resolve(&mut self, claims: &[Claim], edits: &mut Vec<Edit>) {
        edits.clear();
        let mut rest = claims;
        while let Some(first) = rest.first() {
            let length = cluster_length(first, rest);
            let (cluster, after) = rest.split_at(length);
            match cluster {
                [only] => edits.push(only.edit),
                _ => self.resolve_cluster(cluster, edits),
            }
            rest = after;
        }
    }

    fn resolve_cluster(&mut self, cluster: &[Claim], edits: &mut Vec<Edit>) {
        self.rank(cluster);
        self.winners.clear();
        self.losers.clear();
        for claim in &self.ranked {
            let place = self.winners.partition_point(|winner| winner.end <= claim.edit.start);
            match self.winners.get(place) {
                Some(winner) if winner.start < claim.edit.end => self.losers.push(claim.edit),
                _ => self.winners.insert(place, claim.edit),
            }
        }
        self.losers.sort_unstable_by_key(|loser| loser.start);
        let first = edits.len();
        edits.extend_from_slice(&self.winners);
        self.redact_rests(edits);
        edits[first..].sort_unstable_by_key(|edit| edit.start);
    }

    fn rank(&mut self, cluster: &[Claim]) {
        self.ranked.clear();
        self.ranked.extend_from_slice(cluster);
        self.ranked.sort_unstable_by_key(|claim| {
            let Edit { start, end, .. } = claim.edit;
            (Reverse(claim.level), Reverse(end - start), start, claim.edit.operator.0)
        });
    }

    /// Adds a redaction for every part of a loser that no winner and no earlier redaction covers.
    fn redact_rests(&self, edits: &mut Vec<Edit>) {
        let mut covered_to = 0;
        for loser in &self.losers {
            let mut from = loser.start.max(covered_to);
            let first = self.winners.partition_point(|winner| winner.end <= from);
            for winner in self.winners[first..].iter().take_while(|winner| winner.start < loser.end) {
                push_redaction(loser, from..winner.start, edits);
                from = winner.end;
            }
            push_redaction(loser, from..loser.end, edits);
            covered_to = covered_to.max(loser.end);
        }
    }
}

fn push_redaction(loser: &Edit, span: Range<u32>, edits: &mut Vec<Edit>) {
    if span.start < span.end {
        edits.push(Edit { start: span.start, end: span.end, operator: OperatorIndex::REDACT, ..*loser });
    }
}

/// How many claims from the first on hang together.
fn cluster_length(first: &Claim, claims: &[Claim]) -> usize {
    let mut end = 0;
    let hangs_on = |claim: &&Claim| {
        let connected = claim.edit.field == first.edit.field && (end == 0 || claim.edit.start < end);
        end = end.max(claim.edit.end);
        connected
    };
    claims.iter().take_while(hangs_on).count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::DetectorIndex;
    use Level::{Confidential, Internal, Regulated};

    fn resolve(claims: &[(u32, u32, Level, u16)]) -> Vec<(u32, u32, u16)> {
        let claim = |&(start, end, level, operator): &(u32, u32, Level, u16)| Claim {
            edit: Edit {
                field: 0,
                start,
                end,
                operator: OperatorIndex(operator),
                detector: DetectorIndex(0),
            },
            level,
        };
        let claims: Vec<Claim> = claims.iter().map(claim).collect();
        let mut edits = Vec::new();
        Resolver::default().resolve(&claims, &mut edits);
        edits.iter().map(|edit| (edit.start, edit.end, edit.operator.0)).collect()
    }

    #[test]
    fn the_higher_level_wins_then_the_longer_then_the_earlier() {
        let redact = OperatorIndex::REDACT.0;
        type Case<'a> = (&'a str, &'a [(u32, u32, Level, u16)], &'a [(u32, u32, u16)]);
        let table: [Case<'_>; 7] = [
            ("apart", &[(0, 2, Internal, 1), (2, 4, Internal, 2)], &[(0, 2, 1), (2, 4, 2)]),
            (
                "level",
                &[(0, 9, Internal, 1), (3, 5, Regulated, 2)],
                &[(0, 3, redact), (3, 5, 2), (5, 9, redact)],
            ),
            ("length", &[(0, 4, Internal, 1), (2, 9, Internal, 2)], &[(0, 2, redact), (2, 9, 2)]),
            ("start", &[(0, 4, Internal, 1), (2, 6, Internal, 2)], &[(0, 4, 1), (4, 6, redact)]),
            ("equal spans: the first rule", &[(0, 4, Internal, 2), (0, 4, Internal, 1)], &[(0, 4, 1)]),
            (
                "a loser between two winners",
                &[(0, 4, Regulated, 1), (3, 8, Internal, 2), (6, 9, Confidential, 3)],
                &[(0, 4, 1), (4, 6, redact), (6, 9, 3)],
            ),
            (
                "two losers share one rest",
                &[(0, 3, Regulated, 1), (1, 6, Internal, 2), (2, 8, Internal, 3)],
                &[(0, 3, 1), (3, 6, redact), (6, 8, redact)],
            ),
        ];
        for (name, claims, expected) in table {
            assert_eq!(resolve(claims), expected, "{name}");
        }
    }
}
