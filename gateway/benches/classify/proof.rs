//! Whether the arms did what they are timed for.

use anyhow::{Context, Result, ensure};

use super::arms::Arms;
use super::texts::{Batch, Case};

/// Bytes of a case that are explained, which is thousands of times slower than a scan.
const EXPLAINED_BYTES: usize = 16 << 10;

/// Compares what the engine masks with what was planted, and a part of it with what its slow twin finds; and the
/// naive arms with each other.
pub(crate) fn prove(arms: &mut Arms<'_>, case: &Case) -> Result<()> {
    for batch in &case.batches {
        arms.engine.run(batch)?;
        for (index, sent) in (0..).zip(&batch.truth) {
            let masked = masked(arms, batch, index)?;
            let leaked = sent.secret().filter(|(_, secret)| masked.contains(secret));
            ensure!(leaked.is_none(), "leaked {leaked:?}");
            ensure!(sent.is_same_elsewhere(&masked), "changed elsewhere: {} became {masked}", sent.value);
        }
    }
    let first = case.batches.first().context("no batch")?;
    explain(arms, first)?;
    arms.naive.prove(first)
}

/// The slow twin finds the same in the first records of `batch`, and the masks change that and nothing else.
fn explain(arms: &mut Arms<'_>, batch: &Batch) -> Result<()> {
    arms.engine.run(batch)?;
    let policy = arms.engine.policy;
    let explainer = policy.explainer();
    for (index, field) in
        (0..).zip(&batch.fields).take_while(|(_, field)| field.end as usize <= EXPLAINED_BYTES)
    {
        let text = &batch.text[field.range()];
        let explained = explainer.explain(text).findings;
        let expected: Vec<_> = explained.iter().map(|found| (found.detector, found.span.clone())).collect();
        let found = arms.engine.scratch.found().iter().map(|found| found.finding);
        let offset = field.start as usize;
        let of_field = found.filter(|finding| finding.field == index);
        let found: Vec<_> =
            of_field.map(|f| (f.detector, f.start as usize - offset..f.end as usize - offset)).collect();
        ensure!(
            found == expected,
            "found {found:?}, expected {expected:?} in {}",
            String::from_utf8_lossy(text)
        );
        let masked = masked(arms, batch, index)?;
        ensure!(masked.len() == text.len(), "a mask of the default policy keeps the length: {masked}");
        let changed = text.iter().zip(masked.bytes()).map(|(byte, masked)| *byte != masked);
        let changed: Vec<bool> = changed.collect();
        for (detector, span) in &expected {
            let id = &policy.detector(*detector).id;
            ensure!(changed[span.clone()].contains(&true), "{id} at {span:?} is not masked in {masked}");
        }
        let covered = |at: usize| expected.iter().any(|(_, span)| span.contains(&at));
        let elsewhere = (0..).zip(&changed).find(|(at, changed)| **changed && !covered(*at));
        ensure!(elsewhere.is_none(), "changed where nothing was found: {masked}");
    }
    Ok(())
}

/// A record of the batch that the engine has just gone over, as it is forwarded.
fn masked(arms: &Arms<'_>, batch: &Batch, index: u32) -> Result<String> {
    let mut masked = Vec::new();
    arms.engine.scratch.patches().apply_field(&batch.text, index, &batch.fields[index as usize], &mut masked);
    String::from_utf8(masked).context("a record that is not UTF-8")
}
