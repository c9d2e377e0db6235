//! `gateway scan`: what a policy makes of records, without a broker.

mod report;

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use gateway::classify::ScanError;
use gateway::payload::Field;
use gateway::policy::{Policy, RuleSet, Scratch};

use super::input::{Input, Source};
use super::refuse;

/// Bytes of records that are inspected together: about a batch of a busy producer.
const RUN_BYTES_MAX: usize = 256 * 1024;

/// Show what a policy makes of records: one JSON object per record.
#[derive(Debug, Args)]
pub(crate) struct Scan {
    #[command(flatten)]
    source: Source,
    /// Threads that inspect.
    #[arg(long, value_name = "N", default_value = "1")]
    threads: NonZeroUsize,
    /// Print nothing but the speed: the last line on standard error.
    #[arg(long)]
    quiet: bool,
}

impl Scan {
    pub(crate) fn run(self) -> ExitCode {
        let policy = match self.source.compile() {
            Ok((policy, _)) => policy,
            Err(mistakes) => return refuse(mistakes),
        };
        let input = match self.source.read() {
            Ok(input) => input,
            Err(message) => return refuse([message]),
        };
        let rules = policy.rules_for(&self.source.scope());
        let started = Instant::now();
        let shares = inspect_all(&policy, &rules, &input, self.threads.get(), self.quiet);
        let seconds = started.elapsed().as_secs_f64();
        let shares = match shares.into_iter().collect::<Result<Vec<_>, _>>() {
            Ok(shares) => shares,
            Err(error) => return refuse([error]),
        };
        if self.quiet {
            let findings: usize = shares.iter().map(|share| share.findings).sum();
            let (records, bytes) = (input.records.len(), input.bytes());
            let speed = bytes as f64 / seconds.max(f64::MIN_POSITIVE) / self.threads.get() as f64 / 1e9;
            eprintln!(
                "records={records} bytes={bytes} findings={findings} seconds={seconds:.3}: {speed:.2} GB/s per thread"
            );
            return ExitCode::SUCCESS;
        }
        let mut out = io::stdout().lock();
        match shares.iter().try_for_each(|share| out.write_all(&share.output)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        }
    }
}

/// What one thread made of its records.
#[derive(Debug, Default)]
struct Share {
    findings: usize,
    output: Vec<u8>,
}

/// Records that could not be inspected: nothing is known of them.
#[derive(Debug, thiserror::Error)]
#[error("records {first} to {last} were not inspected: {error}")]
struct NotInspected {
    first: usize,
    last: usize,
    error: ScanError,
}

/// Divides the records among threads; the shares come in the order of the records.
fn inspect_all(
    policy: &Policy,
    rules: &RuleSet,
    input: &Input,
    threads: usize,
    quiet: bool,
) -> Vec<Result<Share, NotInspected>> {
    let count = input.records.len();
    std::thread::scope(|scope| {
        let spawn = |thread: usize| {
            let records = count * thread / threads..count * (thread + 1) / threads;
            scope.spawn(move || inspect_records(policy, rules, input, records, quiet))
        };
        let handles: Vec<_> = (0..threads).map(spawn).collect();
        handles
            .into_iter()
            .map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

fn inspect_records(
    policy: &Policy,
    rules: &RuleSet,
    input: &Input,
    records: std::ops::Range<usize>,
    quiet: bool,
) -> Result<Share, NotInspected> {
    let mut scratch = policy.scratch();
    let mut share = Share::default();
    let mut fields = Vec::new();
    let mut masked = Vec::new();
    let mut first = records.start;
    while first < records.end {
        let last = input.run_end(first, records.end, RUN_BYTES_MAX);
        let text = input.run(first, last, &mut fields);
        policy.inspect(&mut scratch, rules, text, &fields).map_err(|error| NotInspected {
            first,
            last: last - 1,
            error,
        })?;
        share.findings += scratch.found().len();
        if quiet {
            apply_masks(&scratch, text, &fields, &mut masked);
        } else {
            report::write(policy, rules, &scratch, text, &fields, first, &mut share.output);
        }
        first = last;
    }
    Ok(share)
}

/// Builds what would go on, as a gateway does for records that change.
fn apply_masks(scratch: &Scratch, text: &[u8], fields: &[Field], masked: &mut Vec<u8>) {
    masked.clear();
    let mut previous = None;
    for patch in scratch.patches().as_slice() {
        if previous.replace(patch.field) != Some(patch.field) {
            scratch.patches().apply_field(text, patch.field, &fields[patch.field as usize], masked);
        }
    }
}
