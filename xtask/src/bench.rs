//! `cargo xtask bench`: CPU time per payload byte of the gateway, beside a plain relay in the same run.

use crate::command::{cargo, command, release_directory, root, run};
use crate::setup;
use anyhow::Result;

/// Options of `cargo xtask bench`, handed to `bench-harness bench` as they are.
#[derive(clap::Args)]
pub(crate) struct Bench {
    /// Options of the benchmark; `-- --help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

impl Bench {
    /// Builds the release programs and hands over to `bench-harness bench`.
    pub(crate) fn run(self) -> Result<()> {
        setup::packages(setup::BUILD)?;
        run(&mut cargo(&["build", "--release", "--bin", "gateway", "--bin", "bench-harness"]))?;
        let programs = release_directory();
        let mut bench = command(&programs.join("bench-harness").to_string_lossy(), &["bench"]);
        bench.arg("--gateway").arg(programs.join("gateway"));
        bench.arg("--policy").arg(root().join("policies/default.toml"));
        run(bench.args(self.options))
    }
}
