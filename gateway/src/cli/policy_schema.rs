//! `gateway policy schema`: what editors need to complete and check policies.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use gateway::policy::Policy;

/// Print the JSON Schema of policy files.
#[derive(Debug, Args)]
pub(crate) struct Schema {}

impl Schema {
    pub(crate) fn run(self) -> ExitCode {
        match writeln!(io::stdout().lock(), "{:#}", Policy::schema()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        }
    }
}
