//! `cargo xtask demo`: the product at work, from a clone and cargo alone.

use crate::command::{cargo, command, release_directory, root, run};
use crate::setup;
use anyhow::{Context, Result};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Options of `cargo xtask demo`.
#[derive(clap::Args)]
pub(crate) struct Demo {
    /// Send a fixed number of records, check every one of them and stop.
    #[arg(long)]
    once: bool,
    /// Produce to this Kafka instead of the embedded broker.
    #[arg(long, value_name = "HOST:PORT")]
    upstream: Option<String>,
}

impl Demo {
    /// Builds the release programs and becomes `bench-harness demo`, so that a Ctrl-C is its own.
    pub(crate) fn run(self) -> Result<()> {
        let mut demo = self.command()?;
        Err(demo.exec()).context("cannot start bench-harness")
    }

    /// The command, after everything that it needs was installed and built.
    fn command(&self) -> Result<Command> {
        setup::packages(setup::BUILD)?;
        run(&mut cargo(&["build", "--release", "--bin", "gateway", "--bin", "bench-harness"]))?;
        let programs = release_directory();
        let mut demo = command(&programs.join("bench-harness").to_string_lossy(), &["demo"]);
        demo.arg("--gateway").arg(programs.join("gateway"));
        demo.arg("--policy").arg(root().join("policies/default.toml"));
        demo.args(self.once.then_some("--once"));
        if let Some(upstream) = &self.upstream {
            demo.args(["--upstream", upstream]);
        }
        Ok(demo)
    }
}

/// The finite demo, against the embedded broker.
///
/// # Errors
///
/// When it cannot be built, a record did not arrive or a planted value leaked.
pub(crate) fn once() -> Result<()> {
    run(&mut Demo { once: true, upstream: None }.command()?)
}
