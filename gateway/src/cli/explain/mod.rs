//! `gateway explain`: why a policy finds what it finds in records, and what it nearly found.

mod account;
mod text;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use gateway::classify::ScanError;
use gateway::classify::explain::Explainer;
use gateway::policy::{RuleSet, Scratch};

use super::input::Source;
use super::refuse;
use account::{Account, PolicyFile};

/// Show why a policy finds what it finds in each record, and what it nearly found.
///
/// Values are shown masked: those that no rule masks with every letter and digit hidden.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    source: Source,
    /// Print one JSON object per record.
    #[arg(long)]
    json: bool,
    /// Show the values themselves beside the masked ones.
    #[arg(long)]
    show_values: bool,
}

/// A record that could not be inspected.
#[derive(Debug, thiserror::Error)]
#[error("record {index} was not inspected: {error}")]
struct NotInspected {
    index: usize,
    error: ScanError,
}

impl Explain {
    pub(crate) fn run(self) -> ExitCode {
        let file = &self.source.policy;
        let (policy, source) = match self.source.compile() {
            Ok(compiled) => compiled,
            Err(mistakes) => return refuse(mistakes),
        };
        let file = PolicyFile { policy: &policy, path: file, source: &source };
        match self.explain_all(&file) {
            Ok(code) => code,
            Err(message) => refuse([message]),
        }
    }

    fn explain_all(&self, file: &PolicyFile<'_>) -> Result<ExitCode, String> {
        let input = self.source.read()?;
        let mut bench = Bench {
            rules: file.policy.rules_for(&self.source.scope()),
            explainer: file.policy.explainer(),
            scratch: file.policy.scratch(),
        };
        let mut out = io::stdout().lock();
        for (index, record) in input.each().enumerate() {
            let account = bench.account(file, index, record, self.show_values);
            let account = account.map_err(|error| error.to_string())?;
            let line = if self.json { account.as_json() } else { text::write(&account) };
            if out.write_all(line.as_bytes()).is_err() {
                return Ok(ExitCode::FAILURE);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What explaining needs besides the policy.
struct Bench<'p> {
    rules: RuleSet,
    explainer: Explainer<'p>,
    scratch: Scratch,
}

impl Bench<'_> {
    fn account(
        &mut self,
        file: &PolicyFile<'_>,
        index: usize,
        record: &[u8],
        show_values: bool,
    ) -> Result<Account, NotInspected> {
        let field = super::input::value_field(0, 0, record.len());
        let inspected = file.policy.inspect(&mut self.scratch, &self.rules, record, &[field]);
        inspected.map_err(|error| NotInspected { index, error })?;
        let explanation = self.explainer.explain(record);
        Ok(Account::new(file, &self.rules, &self.scratch, index, record, explanation, show_values))
    }
}
