//! The subcommands of `gateway`.

mod check;
mod detectors;
mod explain;
mod input;
mod policy_schema;
mod policy_test;
mod run;
mod scan;

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use gateway::diagnostic::Diagnostic;
use gateway::document;
use gateway::policy::{Keys, Policy};

/// What `gateway` does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(run::Run),
    Check(check::Check),
    Scan(scan::Scan),
    Explain(explain::Explain),
    Detectors(detectors::Detectors),
    #[command(subcommand)]
    Policy(PolicyCommand),
}

/// Work on policies.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    Test(policy_test::Test),
    Schema(policy_schema::Schema),
}

impl Command {
    pub(crate) fn run(self) -> ExitCode {
        match self {
            Self::Run(run) => run.run(),
            Self::Check(check) => check.run(),
            Self::Scan(scan) => scan.run(),
            Self::Explain(explain) => explain.run(),
            Self::Detectors(detectors) => detectors.run(),
            Self::Policy(PolicyCommand::Test(test)) => test.run(),
            Self::Policy(PolicyCommand::Schema(schema)) => schema.run(),
        }
    }
}

/// Compiles a policy without a configuration: any key that it names is there, as a stand-in.
fn compile_policy(file: &Path) -> Result<Policy, Vec<Diagnostic>> {
    Policy::compile(file, &document::read(file)?, &Keys::StandIn, 0)
}

/// Says what is wrong, one mistake a line, on standard error.
fn refuse<M: Display>(mistakes: impl IntoIterator<Item = M>) -> ExitCode {
    for mistake in mistakes {
        eprintln!("{mistake}");
    }
    ExitCode::FAILURE
}
