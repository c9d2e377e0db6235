//! `cargo xtask kafka`: a real Apache Kafka on 127.0.0.1, and captures of real clients.

use crate::command::{cargo, run};
use crate::setup;
use anyhow::Result;

/// What `cargo xtask kafka` hands to the `kafka` program of bench-harness as it is.
#[derive(clap::Args)]
pub(crate) struct Kafka {
    /// `up`, `down`, `install` or `capture FOLDER`; `-- --help` lists the options.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    options: Vec<String>,
}

impl Kafka {
    /// Installs Java and Maven (and, where clients are needed, their languages), then runs the program.
    pub(crate) fn run(self) -> Result<()> {
        setup::packages(&[&setup::C_COMPILER, &setup::JAVA, &setup::MAVEN])?;
        if matches!(self.options.first().map(String::as_str), Some("install" | "capture")) {
            setup::packages(&[&setup::GO, &setup::NODE, &setup::PYTHON])?;
        }
        let mut program = cargo(&["run", "--quiet", "--package", "bench-harness", "--bin", "kafka", "--"]);
        run(program.args(self.options))
    }
}
