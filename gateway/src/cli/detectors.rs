//! `gateway detectors`: what can be looked for.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use gateway::classify::catalog;

/// List the built-in detectors: id, family, validator, default level.
#[derive(Debug, Args)]
pub(crate) struct Detectors {}

impl Detectors {
    pub(crate) fn run(self) -> ExitCode {
        let mut out = io::stdout().lock();
        for spec in catalog::builtin() {
            let (id, family, validator) = (&spec.id, spec.family.as_str(), spec.validator_names());
            if writeln!(out, "{id:<32} {family:<8} {validator:<16} {}", spec.default_level).is_err() {
                return ExitCode::FAILURE;
            }
        }
        ExitCode::SUCCESS
    }
}
