//! `gateway policy test`: runs the `[[test]]` tables of policies.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use gateway::diagnostic::Diagnostic;

use super::keys::KeySource;
use super::refuse;

/// Run the [[test]] tables of policies.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Policy files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    keys: KeySource,
}

impl Test {
    pub(crate) fn run(self) -> ExitCode {
        let mut code = ExitCode::SUCCESS;
        for file in &self.files {
            match test_file(file, &self.keys) {
                Ok(count) => println!("{}: {count} tests passed", file.display()),
                Err(mistakes) => code = refuse(mistakes),
            }
        }
        code
    }
}

/// The number of tests, all of which passed; or what is wrong.
fn test_file(file: &Path, keys: &KeySource) -> Result<usize, Vec<Diagnostic>> {
    let (policy, source) = keys.compile(file)?;
    let mut scratch = policy.scratch();
    let mut failures = Vec::new();
    for test in policy.tests() {
        for failure in test.run(&policy, &mut scratch) {
            failures.push(Diagnostic::at(file, &source, test.at(), failure.to_string()));
        }
    }
    if failures.is_empty() { Ok(policy.tests().len()) } else { Err(failures) }
}
