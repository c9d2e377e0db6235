//! `gateway check`: every mistake of a configuration or policy, or the effective configuration.

mod cost;
mod sample;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use gateway::config::Config;
use gateway::control;
use gateway::diagnostic::Diagnostic;
use gateway::policy::{Keys, Labelling, Policy};

use super::{keys, refuse};

/// Report every mistake of a configuration (with its policy) or of a policy; print the effective configuration.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Check {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A policy file alone; keys that it names need not exist, but for those of lists of values.
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
    let (policy, source) = match control::compile(&config.policy, &keys::of_config(&config), 0) {
        Ok(compiled) => compiled,
        Err(mistakes) => return refuse(mistakes),
    };
    print!("{config}");
    let names: Vec<&str> = config.listeners.iter().map(|listener| listener.name.as_str()).collect();
    for rule in policy.rules_without_listener(&names) {
        eprintln!("note: rule `{rule}` names no listener of this configuration and never matches");
    }
    note(&config.policy, &source, &policy);
    ExitCode::SUCCESS
}

fn check_policy(file: &Path) -> ExitCode {
    match control::compile(file, &Keys::StandIn, 0) {
        Ok((policy, source)) => {
            println!(
                "{}: {} rules, {} detectors",
                file.display(),
                policy.rule_count(),
                policy.detectors().count()
            );
            note(file, &source, &policy);
            ExitCode::SUCCESS
        }
        Err(mistakes) => refuse(mistakes),
    }
}

/// Says what is right and yet not what one may think.
fn note(file: &Path, source: &str, policy: &Policy) {
    cost::note(file, source, policy);
    for (rule, at) in policy.rules_that_hold() {
        let message = format!(
            "note: rule `{rule}` has the verdict `hold`: there are no reviewers yet, so what it holds is blocked at once, \
             by reject"
        );
        eprintln!("{}", Diagnostic::at(file, source, at, message));
    }
    if policy.labels().labelling == Labelling::All {
        eprintln!(
            "note: `label = \"all\"` writes a header to every record, so every batch is rewritten and compressed \
             again; `label = \"sensitive\"` leaves clean batches as they are"
        );
    }
}
