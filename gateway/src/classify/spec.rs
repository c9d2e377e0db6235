//! What a detector is: the declarations that policies and `policies/detectors/*.toml` make.

use serde::Deserialize;

use super::edges::Edges;
use super::shapes::Trigger;
use super::validate::Validator;

/// Longest match of a detector that does not say otherwise, bytes.
const MAX_LENGTH_DEFAULT: u32 = 4096;

/// Longest text that `after` matches, bytes.
pub(super) const AFTER_BYTES_MAX: usize = 512;

/// What kind of data a detector finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Card numbers, bank accounts.
    Payment,
    /// Numbers by which states know persons and companies, and their documents.
    Identity,
    /// Numbers of patients and of those who treat them.
    Health,
    /// What reaches or describes a person: addresses of mail and telephone.
    Person,
    /// Network identities.
    Network,
    /// Credentials and keys.
    Secret,
    /// The organisation's own identifiers, declared in its policy.
    Custom,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 7] = [
        Self::Payment,
        Self::Identity,
        Self::Health,
        Self::Person,
        Self::Network,
        Self::Secret,
        Self::Custom,
    ];

    /// The family's name as declarations write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Identity => "identity",
            Self::Health => "health",
            Self::Person => "person",
            Self::Network => "network",
            Self::Secret => "secret",
            Self::Custom => "custom",
        }
    }
}

/// Whether a context word (`keywords`) must be near a match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Context {
    /// The shape speaks for itself.
    #[default]
    None,
    /// A keyword must be in the key of the value, or within 30 bytes in the same value.
    Required,
    /// The match begins the value of a key that ends in a keyword.
    Key,
}

/// One way in which a detector's value is written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Syntax of the `regex` crate with Unicode off.
    pub pattern: String,
    /// What must stand right before the match, as far back as [`AFTER_BYTES_MAX`] and in the same syntax.
    #[serde(default)]
    pub after: Option<String>,
    /// What must not touch the match.
    #[serde(default)]
    pub edges: Edges,
    /// Whether a context word is needed.
    #[serde(default)]
    pub context: Context,
    /// The check of the matched bytes.
    #[serde(default)]
    pub validator: Validator,
    /// Where stage 1 looks, for the built-in shapes that the pass over shapes knows; the compiler finds a
    /// literal or a run of digits in any other pattern.
    #[serde(default)]
    pub trigger: Option<Trigger>,
}

/// A detector: what is looked for, how it is recognised, what it must and must not match.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectorSpec {
    /// Unique name, `[a-z0-9_]+`.
    pub id: String,
    /// What kind of data it finds.
    pub family: Family,
    /// Level that policies give by default: `public`, `internal`, `confidential` or `regulated`.
    pub default_level: String,
    /// Context words: lower case, words separated by one space.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// Words near a value that speak against a finding, unless a keyword is there too.
    #[serde(default)]
    pub not_keywords: Vec<String>,
    /// Values that are never findings: known samples, compared without separators and case.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Findings of this detector yield to those of others: where they overlap, they are dropped.
    #[serde(default)]
    pub fallback: bool,
    /// Longest match, bytes.
    #[serde(default = "max_length_default")]
    pub max_length: u32,
    /// The ways in which the value is written.
    #[serde(rename = "shape")]
    pub shapes: Vec<Shape>,
    /// Texts in which the detector must find something.
    #[serde(default)]
    pub matches: Vec<String>,
    /// Texts in which it must find nothing.
    #[serde(default)]
    pub rejects: Vec<String>,
}

impl DetectorSpec {
    /// The organisation's own detector, from a policy's `[[detector]]` table: one pattern; when `keywords`
    /// are given, one of them must be near.
    ///
    /// # Errors
    ///
    /// When no validator has the name `validator`.
    pub fn custom(
        id: &str,
        pattern: &str,
        keywords: Vec<String>,
        validator: &str,
    ) -> Result<Self, SpecError> {
        let context = if keywords.is_empty() { Context::None } else { Context::Required };
        let validator = Validator::named(validator)?;
        Ok(Self {
            id: id.to_owned(),
            family: Family::Custom,
            default_level: "internal".to_owned(),
            keywords,
            not_keywords: Vec::new(),
            allow: Vec::new(),
            fallback: false,
            max_length: MAX_LENGTH_DEFAULT,
            shapes: vec![Shape {
                pattern: pattern.to_owned(),
                after: None,
                edges: Edges::Word,
                context,
                validator,
                trigger: None,
            }],
            matches: Vec::new(),
            rejects: Vec::new(),
        })
    }

    /// The names of the validators of this detector's shapes, for people; `none` when there is none.
    pub fn validator_names(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for shape in &self.shapes {
            if !names.contains(&shape.validator.as_str()) {
                names.push(shape.validator.as_str());
            }
        }
        names.join("+")
    }
}

/// A mistake in the declaration of a detector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// No validator has this name.
    #[error("no validator is named `{name}`; there are: {known}")]
    UnknownValidator {
        /// The name that was given.
        name: String,
        /// The names that exist, separated by commas.
        known: String,
    },
}

fn max_length_default() -> u32 {
    MAX_LENGTH_DEFAULT
}
