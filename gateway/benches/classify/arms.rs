//! What goes over the records: the engine, what one would write without it, and the machine itself.

use std::ffi::CString;
use std::hint::black_box;

use anyhow::{Context, Result, ensure};
use gateway::policy::{PRINCIPAL_ANONYMOUS, Policy, RuleSet, Scope, Scratch};
use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use super::hyperscan::{Database, Expression, HsScratch};
use super::texts::Batch;

/// One way to go over records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arm {
    /// The policy's engine with all detectors, and the masks written.
    Engine,
    /// One Hyperscan database of the expressions with start-of-match.
    Hyperscan,
    /// One `RegexSet` of them: it says which match a record, not where.
    RegexSet,
    /// One regular expression after the other.
    Regexes,
    /// A copy of the bytes: what it costs to touch them at all.
    Copy,
}

impl Arm {
    pub(crate) const ALL: [Self; 5] =
        [Self::Engine, Self::Hyperscan, Self::RegexSet, Self::Regexes, Self::Copy];
}

/// A policy at work, as a worker has it.
pub(crate) struct Engine<'p> {
    pub(crate) policy: &'p Policy,
    rules: RuleSet,
    pub(crate) scratch: Scratch,
    /// The records with masks, one after the other.
    masked: Vec<u8>,
}

impl<'p> Engine<'p> {
    pub(crate) fn new(policy: &'p Policy) -> Self {
        let scope = Scope { listener: "", topic: "bench", principal: PRINCIPAL_ANONYMOUS };
        let rules = policy.rules_for(&scope);
        Self { policy, rules, scratch: policy.scratch(), masked: Vec::new() }
    }

    /// Scans, decides, and writes every record that has a mask.
    pub(crate) fn run(&mut self, batch: &Batch) -> Result<&[u8]> {
        self.policy.inspect(&mut self.scratch, &self.rules, &batch.text, &batch.fields)?;
        self.masked.clear();
        let patches = self.scratch.patches();
        for of_field in patches.as_slice().chunk_by(|one, other| one.field == other.field) {
            let index = of_field[0].field;
            patches.apply_field(&batch.text, index, &batch.fields[index as usize], &mut self.masked);
        }
        Ok(&self.masked)
    }
}

/// The naive scanners.
pub(crate) struct Naive {
    database: Database,
    scratch: HsScratch,
    set: RegexSet,
    regexes: Vec<Regex>,
}

impl Naive {
    pub(crate) fn new(expressions: &[&str]) -> Result<Self> {
        let compiled = expressions.iter().map(|text| Expression {
            text: CString::new(*text).expect("no pattern has a NUL"),
            flags: HS_FLAG_SOM_LEFTMOST,
        });
        let database = Database::compile(&compiled.collect::<Vec<_>>())
            .map_err(|failure| anyhow::anyhow!("{:?}: {}", failure.expression, failure.message))?;
        let regex = |pattern: &&str| RegexBuilder::new(pattern).unicode(false).build();
        Ok(Self {
            scratch: database.scratch(),
            database,
            set: RegexSetBuilder::new(expressions).unicode(false).build()?,
            regexes: expressions.iter().map(regex).collect::<Result<_, _>>()?,
        })
    }

    /// Matches of the database: every end of every expression.
    pub(crate) fn hyperscan(&mut self, batch: &Batch, on_match: impl FnMut(u32, u32) -> bool) -> Result<()> {
        let scanned = self.database.scan(&mut self.scratch, &batch.text, on_match);
        scanned.map_err(|failure| anyhow::anyhow!("{failure:?}"))
    }

    /// Expressions that match, summed over the records.
    pub(crate) fn set(&self, batch: &Batch) -> usize {
        let records = batch.fields.iter().map(|field| &batch.text[field.range()]);
        records.map(|record| self.set.matches(record).iter().count()).sum()
    }

    /// Expression and end of each match.
    pub(crate) fn regexes<'b>(&'b self, batch: &'b Batch) -> impl Iterator<Item = (u32, u32)> + 'b {
        (0..).zip(&self.regexes).flat_map(|(index, regex)| {
            regex.find_iter(&batch.text).map(move |found| (index, found.end() as u32))
        })
    }

    /// Checks that the three agree on a batch.
    pub(crate) fn prove(&mut self, batch: &Batch) -> Result<()> {
        let mut ends = std::collections::HashSet::new();
        self.hyperscan(batch, |expression, end| {
            ends.insert((expression, end));
            true
        })?;
        let lost = self.regexes(batch).find(|found| !ends.contains(found));
        ensure!(lost.is_none(), "Hyperscan does not report {lost:?} (expression, end)");
        let pair = |(expression, end): (u32, u32)| {
            let record = batch.fields.iter().position(|field| end <= field.end);
            record.map(|record| (expression, record)).context("a match behind the last record")
        };
        let pairs = self.regexes(batch).map(pair).collect::<Result<std::collections::HashSet<_>>>()?;
        let set = self.set(batch);
        ensure!(set == pairs.len(), "RegexSet has {set} matches, {} are right", pairs.len());
        Ok(())
    }
}

/// Report where a match begins (`hs_compile.h`).
const HS_FLAG_SOM_LEFTMOST: std::ffi::c_uint = 256;

/// All arms with the same rules.
pub(crate) struct Arms<'p> {
    pub(crate) engine: Engine<'p>,
    pub(crate) naive: Naive,
    copy: Vec<u8>,
}

impl<'p> Arms<'p> {
    pub(crate) fn new(policy: &'p Policy, expressions: &[&str]) -> Result<Self> {
        Ok(Self { engine: Engine::new(policy), naive: Naive::new(expressions)?, copy: Vec::new() })
    }

    /// One arm over one batch.
    pub(crate) fn run(&mut self, arm: Arm, batch: &Batch) -> Result<()> {
        match arm {
            Arm::Engine => {
                black_box(self.engine.run(batch)?);
            }
            Arm::Hyperscan => {
                let mut matches = 0_u64;
                self.naive.hyperscan(batch, |_, _| {
                    matches += 1;
                    true
                })?;
                black_box(matches);
            }
            Arm::RegexSet => {
                black_box(self.naive.set(batch));
            }
            Arm::Regexes => {
                black_box(self.naive.regexes(batch).count());
            }
            Arm::Copy => {
                self.copy.clear();
                self.copy.extend_from_slice(black_box(&batch.text));
                black_box(&self.copy);
            }
        }
        Ok(())
    }
}
