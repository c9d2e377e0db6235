//! `cargo xtask bench`: CPU time per payload byte of the gateway, beside a plain relay in the same run; with
//! `--classify` of scanning and masking alone, beside naive scanners; with `--idle` the memory of connections that wait.

use crate::command::{cargo, command, release_directory, root, run};
use crate::setup;
use anyhow::Result;

/// Options of `cargo xtask bench`; all but the first two are handed on as they are.
#[derive(clap::Args)]
pub(crate) struct Bench {
    /// Measure the memory of 5,000 idle connections instead of CPU time.
    #[arg(long)]
    idle: bool,
    /// Measure scanning and masking alone, beside naive scanners of the same records.
    #[arg(long, conflicts_with = "idle")]
    classify: bool,
    /// Options of the benchmark; `-- --help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

impl Bench {
    /// Builds what is measured and hands over to `bench-harness`, or to the gateway's own benchmark.
    pub(crate) fn run(self) -> Result<()> {
        setup::packages(setup::BUILD)?;
        if self.classify {
            let bench = ["bench", "--package", "gateway", "--bench", "classify", "--"];
            return run(cargo(&bench).args(self.options));
        }
        run(&mut cargo(&["build", "--release", "--bin", "gateway", "--bin", "bench-harness"]))?;
        let programs = release_directory();
        let scenario = if self.idle { "idle" } else { "bench" };
        let mut bench = command(&programs.join("bench-harness").to_string_lossy(), &[scenario]);
        bench.arg("--gateway").arg(programs.join("gateway"));
        bench.arg("--policy").arg(root().join("policies/default.toml"));
        run(bench.args(self.options))
    }
}
