//! `gateway check`: every mistake of a configuration or policy, or the effective configuration.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use gateway::config::{Config, OWN_KEY};
use gateway::document;
use gateway::mask::Key;
use gateway::policy::{Labelling, Policy};

use super::{compile_policy, refuse};

/// Report every mistake of a configuration (with its policy) or of a policy; print the effective configuration.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Check {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A policy file alone; keys that it names need not exist.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

impl Check {
    pub(crate) fn run(self) -> ExitCode {
        match (self.config, self.policy) {
            (Some(config), _) => check_config(&config),
            (None, Some(policy)) => check_policy(&policy),
            (None, None) => unreachable!("clap requires one of the two"),
        }
    }
}

fn check_config(file: &Path) -> ExitCode {
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(mistakes) => return refuse(mistakes),
    };
    // Checking makes no file; `run` makes the gateway's own key.
    let keys = config.keys.clone().or(Key::stand_in(OWN_KEY));
    let policy =
        document::read(&config.policy).and_then(|source| Policy::compile(&config.policy, &source, &keys, 0));
    let policy = match policy {
        Ok(policy) => policy,
        Err(mistakes) => return refuse(mistakes),
    };
    print!("{config}");
    let names: Vec<&str> = config.listeners.iter().map(|listener| listener.name.as_str()).collect();
    for rule in policy.rules_without_listener(&names) {
        eprintln!("note: rule `{rule}` names no listener of this configuration and never matches");
    }
    note_costs(&policy);
    ExitCode::SUCCESS
}

fn check_policy(file: &Path) -> ExitCode {
    match compile_policy(file) {
        Ok(policy) => {
            println!(
                "{}: {} rules, {} detectors",
                file.display(),
                policy.rule_count(),
                policy.detectors().count()
            );
            note_costs(&policy);
            ExitCode::SUCCESS
        }
        Err(mistakes) => refuse(mistakes),
    }
}

fn note_costs(policy: &Policy) {
    if policy.labels().labelling == Labelling::All {
        eprintln!(
            "note: `label = \"all\"` writes a header to every record, so every batch is rewritten and compressed \
             again; `label = \"sensitive\"` leaves clean batches as they are"
        );
    }
}
