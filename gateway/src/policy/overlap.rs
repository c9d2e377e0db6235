//! Edits that overlap become edits that do not.
//!
//! Order: higher level, then longer, then earlier. The winner's operator covers its whole span; what sticks
//! out of a loser is redacted. In a record key one operator covers all that hangs together: what is redacted no longer
//! tells keys apart, so that a compacted topic would lose records.

use std::cmp::Reverse;
use std::ops::Range;

use crate::budget;
use crate::mask::{Edit, OperatorIndex};
use crate::payload::{Field, Level, Part};

/// An edit and the level of the finding behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) edit: Edit,
    pub(super) level: Level,
}

/// Memory for resolving; reused from text to text.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    /// Positions in the cluster, first to win first.
    ranked: Vec<usize>,
    /// For each claim of the cluster.
    standing: Vec<Standing>,
    winners: Vec<Edit>,
}

/// How a claim fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Open,
    Won,
    Lost,
}

impl Resolver {
    /// Replaces `edits` by those that `claims` in `fields` lead to. Claims ascend by field and start.
    pub(super) fn resolve(&mut self, claims: &[Claim], fields: &[Field], edits: &mut Vec<Edit>) {
        budget::reuse(edits);
        let mut rest = claims;
        while let Some(first) = rest.first() {
            let length = cluster_length(first, rest);
            let (cluster, after) = rest.split_at(length);
            match cluster {
                [only] => edits.push(only.edit),
                _ if fields[first.edit.field as usize].part == Part::Key => edits.push(self.unite(cluster)),
                _ => self.resolve_cluster(cluster, edits),
            }
            rest = after;
        }
    }

    /// Looks at every two claims that overlap at most twice. Findings of one detector do not overlap, so there
    /// are at most as many such pairs as claims times detectors.
    fn resolve_cluster(&mut self, cluster: &[Claim], edits: &mut Vec<Edit>) {
        self.rank(cluster);
        budget::reuse(&mut self.standing);
        self.standing.resize(cluster.len(), Standing::Open);
        for &position in &self.ranked {
            let end = cluster[position].edit.end;
            let after = cluster[position + 1..].iter().take_while(|later| later.edit.start < end).count();
            let overlapped = position + 1..position + 1 + after;
            let is_beaten = self.standing[overlapped.clone()].contains(&Standing::Won);
            if self.standing[position] == Standing::Open && !is_beaten {
                self.standing[position] = Standing::Won;
                self.standing[overlapped].fill(Standing::Lost);
            } else {
                self.standing[position] = Standing::Lost;
            }
        }
        let with = |wanted| {
            let standing = self.standing.iter();
            standing.zip(cluster).filter(move |(found, _)| **found == wanted).map(|(_, claim)| claim.edit)
        };
        budget::reuse(&mut self.winners);
        self.winners.extend(with(Standing::Won));
        let first = edits.len();
        edits.extend_from_slice(&self.winners);
        redact_rests(&self.winners, with(Standing::Lost), edits);
        edits[first..].sort_unstable_by_key(|edit| edit.start);
    }

    /// The edit that wins, over the whole cluster.
    fn unite(&mut self, cluster: &[Claim]) -> Edit {
        self.rank(cluster);
        let winner = cluster[self.ranked[0]].edit;
        let start = cluster[0].edit.start;
        let end = cluster.iter().map(|claim| claim.edit.end).max().unwrap_or(winner.end);
        Edit { start, end, is_united: (start, end) != (winner.start, winner.end), ..winner }
    }

    fn rank(&mut self, cluster: &[Claim]) {
        budget::reuse(&mut self.ranked);
        self.ranked.extend(0..cluster.len());
        self.ranked.sort_unstable_by_key(|&position| {
            let Claim { edit: Edit { start, end, operator, .. }, level } = cluster[position];
            (Reverse(level), Reverse(end - start), start, operator.0)
        });
    }
}

/// Adds a redaction for every part of a loser that no winner and no earlier redaction covers.
fn redact_rests(winners: &[Edit], losers: impl Iterator<Item = Edit>, edits: &mut Vec<Edit>) {
    let mut covered_to = 0;
    for loser in losers {
        let mut from = loser.start.max(covered_to);
        let first = winners.partition_point(|winner| winner.end <= from);
        for winner in winners[first..].iter().take_while(|winner| winner.start < loser.end) {
            push_redaction(&loser, from..winner.start, edits);
            from = winner.end;
        }
        push_redaction(&loser, from..loser.end, edits);
        covered_to = covered_to.max(loser.end);
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
    use proptest::prelude::*;

    use super::*;
    use crate::payload::DetectorIndex;
    use Level::{Confidential, Internal, Regulated};

    fn resolve(claims: &[(u32, u32, Level, u16)]) -> Vec<(u32, u32, u16)> {
        resolve_in(Part::Value, claims)
    }

    fn resolve_in(part: Part, claims: &[(u32, u32, Level, u16)]) -> Vec<(u32, u32, u16)> {
        let claim = |&(start, end, level, operator): &(u32, u32, Level, u16)| Claim {
            edit: Edit {
                field: 0,
                start,
                end,
                operator: OperatorIndex(operator),
                detector: DetectorIndex(0),
                is_united: false,
            },
            level,
        };
        let claims: Vec<Claim> = claims.iter().map(claim).collect();
        let mut edits = Vec::new();
        let field = Field { record: 0, part, start: 0, end: 100 };
        Resolver::default().resolve(&claims, &[field], &mut edits);
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

    #[test]
    fn in_a_key_the_winner_covers_all_that_hangs_together() {
        let claims = [(0, 9, Internal, 1), (3, 5, Regulated, 2), (8, 12, Internal, 3), (12, 14, Internal, 4)];
        assert_eq!(resolve_in(Part::Key, &claims), [(0, 12, 2), (12, 14, 4)]);
    }

    proptest! {
        #[test]
        fn edits_cover_exactly_what_was_claimed_without_overlap(
            mut claims in prop::collection::vec((0u32..60, 1u32..12, 0usize..4, 1u16..5), 0..20),
        ) {
            claims.sort_by_key(|claim| claim.0);
            let claims: Vec<_> = claims
                .into_iter()
                .map(|(start, length, level, operator)| (start, start + length, Level::NAMES[level].1, operator))
                .collect();
            let edits = resolve(&claims);
            prop_assert!(edits.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{edits:?}");
            for at in 0..80 {
                let claimed = claims.iter().any(|claim| (claim.0..claim.1).contains(&at));
                let edited = edits.iter().any(|edit| (edit.0..edit.1).contains(&at));
                prop_assert_eq!(claimed, edited, "byte {}", at);
            }
            let strongest = claims.iter().max_by_key(|claim| (claim.2, claim.1 - claim.0, Reverse(claim.0), Reverse(claim.3)));
            prop_assert!(strongest.is_none_or(|claim| edits.contains(&(claim.0, claim.1, claim.3))));
        }
    }
}
