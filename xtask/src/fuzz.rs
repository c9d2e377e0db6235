//! A smoke run of the fuzz targets: each finds nothing in a few seconds, starting from the committed corpus.
//!
//! An hour by hand: `RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir gateway/fuzz TARGET -- -max_total_time=3600`.

use crate::command::{cargo, root, run};
use crate::setup;
use anyhow::{Context, Result};
use std::fs;

/// The fuzz crate, which is not a member of the workspace.
const FUZZ_DIR: &str = "gateway/fuzz";

/// Time for each target.
const SECONDS: u32 = 10;

/// Runs every target.
///
/// # Errors
///
/// When one finds something.
pub(crate) fn smoke() -> Result<()> {
    if !setup::on_path("cargo-fuzz") {
        eprintln!("set-up: installing cargo-fuzz: runs the fuzz targets");
        run(&mut cargo(&["install", "--quiet", "--locked", "--version", "^0.13", "cargo-fuzz"]))?;
    }
    // One build for all: runs side by side would wait for each other's.
    run(cargo(&["fuzz", "build", "--fuzz-dir", FUZZ_DIR]).env("RUSTC_BOOTSTRAP", "1"))?;
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    for targets in targets()?.chunks(at_once) {
        std::thread::scope(|scope| {
            let runs: Vec<_> = targets.iter().map(|target| scope.spawn(|| run_target(target))).collect();
            runs.into_iter().try_for_each(|run| run.join().expect("a run returns its error"))
        })?;
    }
    Ok(())
}

/// Names of the targets, in order.
fn targets() -> Result<Vec<String>> {
    let sources = fs::read_dir(root().join(FUZZ_DIR).join("fuzz_targets")).context("no fuzz targets")?;
    let names = sources
        .map(|source| Ok(source?.path().file_stem().and_then(|name| name.to_str()).map(str::to_owned)));
    let mut names: Vec<String> = names.filter_map(Result::transpose).collect::<Result<_>>()?;
    names.sort_unstable();
    Ok(names)
}

/// New inputs go to a folder of their own, so that the committed corpus stays as it is.
fn run_target(target: &str) -> Result<()> {
    let found = std::env::temp_dir().join(format!("gateway-fuzz-{}-{target}", std::process::id()));
    fs::create_dir_all(&found)?;
    let mut fuzz = cargo(&["fuzz", "run", "--fuzz-dir", FUZZ_DIR, target]);
    fuzz.arg(&found);
    let corpus = root().join(FUZZ_DIR).join("corpus").join(target);
    fuzz.args(corpus.is_dir().then_some(corpus));
    fuzz.args(["--", &format!("-max_total_time={SECONDS}"), "-verbosity=0", "-print_final_stats=1"]);
    // The sanitizer's flags are unstable; the toolchain of this repository has its runtime.
    let outcome = run(fuzz.env("RUSTC_BOOTSTRAP", "1"));
    fs::remove_dir_all(&found)?;
    outcome.with_context(|| format!("fuzz target {target}; the input is in {FUZZ_DIR}/artifacts/{target}"))
}
