//! What is looked for: the policies of the engine, and the expressions of the naive arms beside each.

use std::path::Path;

use anyhow::{Result, anyhow};
use bench_harness::telemetry::Random;
use gateway::policy::{Keys, Policy};

/// Rules of both kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rules {
    /// The default policy, and all expressions.
    All,
    /// The default policy with 500 detectors more, and all expressions.
    WithLiterals,
    /// What every rival of `bench-harness/rivals` knows, on both sides.
    SixTypes,
}

impl Rules {
    /// In the order of `Rules as usize`.
    pub(crate) const EACH: [Self; 3] = [Self::All, Self::WithLiterals, Self::SixTypes];

    pub(crate) fn policy(self) -> Result<Policy> {
        let source = match self {
            Self::All => DEFAULT.to_owned(),
            Self::WithLiterals => with_literals(),
            Self::SixTypes => format!(
                "version = 1\n[[rule]]\nid = \"six\"\ndetectors = {SIX_TYPES:?}\nlevel = \"confidential\"\n\
                 mask = {{ operator = \"redact\" }}\n"
            ),
        };
        let file = Path::new("policies/default.toml");
        Policy::compile(file, &source, &Keys::StandIn, 0)
            .map_err(|mistakes| anyhow!("{self:?}: {mistakes:?}"))
    }

    pub(crate) fn expressions(self) -> Vec<&'static str> {
        let lines = EXPRESSIONS.lines().filter_map(|line| line.split_once(' '));
        let wanted = lines.filter(|(name, _)| self != Self::SixTypes || SIX_TYPES.contains(name));
        wanted.map(|(_, expression)| expression).collect()
    }
}

const DEFAULT: &str = include_str!("../../../policies/default.toml");

/// What one writes at first: no checksums, no context.
const EXPRESSIONS: &str = include_str!("../../../bench-harness/rivals/expressions.txt");

/// Addresses of both versions are one type.
const SIX_TYPES: [&str; 7] = ["credit_card", "us_ssn", "email", "iban", "phone", "ipv4", "ipv6"];

/// The default policy with 500 detectors: half of them a word of its own, half a prefix before six digits.
fn with_literals() -> String {
    let mut random = Random::new(5);
    let mut source = DEFAULT.to_owned();
    for index in 0..500 {
        let word = random.text("bcdfghjklmnpqrstvwxz", 6);
        let pattern = match index % 2 {
            0 => format!("prj-{word}"),
            _ => format!("{}-\\d{{6}}", word.to_uppercase()),
        };
        source.push_str(&format!("\n[[detector]]\nid = \"own_{index}\"\npattern = '{pattern}'\n"));
    }
    source
        + "\n[[rule]]\nid = \"own\"\ndetectors = [\"custom/*\"]\nlevel = \"internal\"\nmask = { operator = \"redact\" }\n"
}
