//! `gateway policy fingerprint`: a list of values becomes a file that detectors find them by and that does not hold them.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use gateway::config::{self, Config, OWN_KEY};
use gateway::policy::{Case, Key, Policy};

use super::refuse;

/// Print the keyed fingerprints of values, for `values` of a detector.
#[derive(Debug, Args)]
pub(crate) struct Fingerprint {
    /// The configuration with the key.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Id of the key.
    #[arg(long, value_name = "ID", default_value = OWN_KEY)]
    key: String,
    /// `a` and `A` differ.
    #[arg(long)]
    case_sensitive: bool,
    /// Values, one per line; standard input when left out.
    file: Option<PathBuf>,
}

impl Fingerprint {
    pub(crate) fn run(self) -> ExitCode {
        match self.fingerprint() {
            Ok(file) => match io::stdout().lock().write_all(file.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            },
            Err(mistakes) => refuse(mistakes),
        }
    }

    fn fingerprint(&self) -> Result<String, Vec<String>> {
        let lines = |mistakes: Vec<gateway::diagnostic::Diagnostic>| {
            mistakes.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let key =
            self.find_key(&Config::load(&self.config).map_err(lines)?).map_err(|problem| vec![problem])?;
        let name = self.file.as_deref().unwrap_or(Path::new("standard input")).display();
        let values = self.read().map_err(|error| vec![format!("{name}: {error}")])?;
        let case = if self.case_sensitive { Case::Counts } else { Case::Ignored };
        let file = Policy::fingerprint(&values, &key, case);
        file.map_err(|errors| errors.iter().map(|error| format!("{name}:{error}")).collect())
    }

    fn find_key(&self, config: &Config) -> Result<Key, String> {
        if let Some(key) = config.keys.find(&self.key) {
            return Ok(key);
        }
        let own = config::made_own_key(&config.state_dir).map_err(|error| error.to_string())?;
        own.filter(|own| own.id() == self.key).ok_or_else(|| {
            format!(
                "{}: there is no key `{}`: declare it as [[key]]; that of the name `{OWN_KEY}` the gateway makes when it \
                 first starts",
                self.config.display(),
                self.key
            )
        })
    }

    fn read(&self) -> io::Result<String> {
        let mut values = String::new();
        match &self.file {
            Some(file) => File::open(file)?.read_to_string(&mut values)?,
            None => io::stdin().read_to_string(&mut values)?,
        };
        Ok(values)
    }
}
