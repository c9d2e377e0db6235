//! Workers on the faulty network: many seeds, each a different course of events.
//!
//! `GATEWAY_SEEDS=10000` runs more of them; a failure prints its seed, and `GATEWAY_SEED=N` runs that one alone.

mod kafka;
mod relay;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

fn for_every_seed(seeds: u64, test: impl Fn(u64)) {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = match number("GATEWAY_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("GATEWAY_SEEDS").unwrap_or(seeds),
    };
    for seed in seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(seed))) {
            eprintln!("failed with GATEWAY_SEED={seed}");
            resume_unwind(panic);
        }
    }
}

/// More turns than any seed needs.
const TURNS_MAX: usize = 100_000;
