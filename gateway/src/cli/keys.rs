//! The keys that a command has for policies.

use std::path::{Path, PathBuf};

use clap::Args;
use gateway::config::{self, Config, OWN_KEY};
use gateway::control;
use gateway::diagnostic::Diagnostic;
use gateway::policy::{Key, Keys, Policy};

/// Where the keys come from.
#[derive(Debug, Args)]
pub(super) struct KeySource {
    /// Configuration with the keys that the policy names; without it any key stands in, but not for lists of values.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl KeySource {
    /// A policy and its text.
    pub(super) fn compile(&self, policy: &Path) -> Result<(Policy, String), Vec<Diagnostic>> {
        let keys = match &self.config {
            Some(config) => of_config(&Config::load(config)?),
            None => Keys::StandIn,
        };
        control::compile(policy, &keys, 0)
    }
}

/// The keys of a configuration. Looking makes no file: `run` makes the gateway's own key, and before it does, one stands
/// in. Where it may not be read one does, too, and it is said: lists that were made under it will not fit.
pub(super) fn of_config(config: &Config) -> Keys {
    let own = config::made_own_key(&config.state_dir).unwrap_or_else(|error| {
        eprintln!("warning: {error}; until it can be read, a key that stands for it is used");
        None
    });
    config.keys.clone().or(own.unwrap_or_else(|| Key::stand_in(OWN_KEY)))
}
