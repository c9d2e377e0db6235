//! The subcommands of `gateway`.

mod check;
mod detectors;
mod explain;
mod input;
mod keys;
mod policy_fingerprint;
mod policy_schema;
mod policy_test;
mod run;
mod scan;

use std::fmt::Display;
use std::process::ExitCode;

use clap::Subcommand;

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
    Fingerprint(policy_fingerprint::Fingerprint),
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
            Self::Policy(PolicyCommand::Fingerprint(fingerprint)) => fingerprint.run(),
        }
    }
}

/// Says what is wrong, one mistake a line, on standard error.
fn refuse<M: Display>(mistakes: impl IntoIterator<Item = M>) -> ExitCode {
    for mistake in mistakes {
        eprintln!("{mistake}");
    }
    ExitCode::FAILURE
}
