//! `gateway run`: serves until SIGTERM or SIGINT.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use gateway::config::Config;
use gateway::{control, telemetry};

/// Serve as the configuration says, until SIGTERM or SIGINT; SIGHUP reloads the policy.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Run {
    /// Runs the gateway; every mistake goes to standard error.
    pub(crate) fn run(self) -> ExitCode {
        let config = match Config::load(&self.config) {
            Ok(config) => config,
            Err(mistakes) => return super::refuse(mistakes),
        };
        telemetry::init_log();
        match control::run(config) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => super::refuse([error]),
        }
    }
}
