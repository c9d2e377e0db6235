//! The `gateway` command: arguments, and one module per subcommand.

mod cli;

use std::process::ExitCode;

use clap::Parser;

/// Inline classification and masking between producers and their streaming endpoint.
#[derive(Debug, Parser)]
#[command(name = "gateway", version)]
struct Arguments {
    #[command(subcommand)]
    command: cli::Command,
}

/// Exit code 0: fine, 1: refused or failed, 2: wrong usage.
fn main() -> ExitCode {
    Arguments::parse().command.run()
}
