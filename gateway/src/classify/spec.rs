//! What a detector is: the declarations that policies and `policies/detectors/*.toml` make.

use std::sync::Arc;

use super::declaration::MAX_LENGTH_DEFAULT;
use super::edges::Edges;
use super::shapes::Trigger;
use super::validate::{Match, Validator};
use super::values::ValueList;

/// Longest text that `after` matches, bytes.
pub(super) const AFTER_BYTES_MAX: usize = 512;

/// What kind of data a detector finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// Every family with its name, in the order of its discriminant.
    pub const NAMES: [(&str, Self); 7] = [
        ("payment", Self::Payment),
        ("identity", Self::Identity),
        ("health", Self::Health),
        ("person", Self::Person),
        ("network", Self::Network),
        ("secret", Self::Secret),
        ("custom", Self::Custom),
    ];

    /// The family's name as declarations write it.
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize].0
    }
}

/// Whether a context word (`keywords`) must be near a match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Context {
    /// The shape speaks for itself.
    #[default]
    None,
    /// A keyword must be in the key of the value, or within 30 bytes in the same value.
    Required,
    /// The match begins the value of a key that ends in a keyword.
    Key,
}

impl Context {
    /// Every need with its name.
    pub(super) const NAMES: [(&str, Self); 3] =
        [("none", Self::None), ("required", Self::Required), ("key", Self::Key)];
}

/// One way in which a detector's value is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Syntax of the `regex` crate with Unicode off.
    pub pattern: String,
    /// What must stand right before the match, as far back as [`AFTER_BYTES_MAX`] and in the same syntax.
    pub after: Option<String>,
    /// What must not touch the match.
    pub edges: Edges,
    /// Whether a context word is needed.
    pub context: Context,
    /// The check of the matched bytes.
    pub validator: Validator,
    /// Where stage 1 looks, for the built-in shapes that the pass over shapes knows; the compiler finds a
    /// literal or a run of digits in any other pattern.
    pub trigger: Option<Trigger>,
}

/// A detector: what is looked for, how it is recognised, what it must and must not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetectorSpec {
    /// Unique name, `[a-z0-9_]+`.
    pub id: String,
    /// What kind of data it finds.
    pub family: Family,
    /// Level that policies give by default: `public`, `internal`, `confidential` or `regulated`.
    pub default_level: String,
    /// Context words: lower case, words separated by one space.
    pub keywords: Vec<String>,
    /// Words that speak against a finding where they are the last before the value, unless a keyword is near.
    pub not_keywords: Vec<String>,
    /// Values that are never findings: known samples, compared without separators and case.
    pub allow: Vec<String>,
    /// Findings of this detector yield to those of others: where they overlap, they are dropped.
    pub fallback: bool,
    /// The only values that are findings, of all that the shapes match.
    pub values: Option<Arc<ValueList>>,
    /// Its findings are alarms: it looks everywhere, and each batch with one is logged.
    pub canary: bool,
    /// Longest match, bytes.
    pub max_length: u32,
    /// The ways in which the value is written.
    pub shapes: Vec<Shape>,
    /// Texts in which the detector must find something.
    pub matches: Vec<String>,
    /// Texts in which it must find nothing.
    pub rejects: Vec<String>,
}

impl DetectorSpec {
    /// A detector with one pattern; when `keywords` are given, one of them must be near.
    pub fn custom(id: &str, pattern: &str, keywords: Vec<String>, validator: Validator) -> Self {
        let context = if keywords.is_empty() { Context::None } else { Context::Required };
        Self {
            id: id.to_owned(),
            family: Family::Custom,
            default_level: "internal".to_owned(),
            keywords,
            not_keywords: Vec::new(),
            allow: Vec::new(),
            fallback: false,
            values: None,
            canary: false,
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
        }
    }

    /// Whether the list of values, where there is one, holds the match.
    pub(super) fn lists(&self, found: &Match<'_>) -> bool {
        let any_gaps = || self.shapes.iter().all(|shape| shape.trigger != Some(Trigger::Listed));
        self.values.as_ref().is_none_or(|values| values.contains(found, any_gaps()))
    }

    /// Whether [`Self::lists`] may hold of the match, at the price of a step for each of its bytes.
    pub(super) fn may_list(&self, found: &Match<'_>) -> bool {
        self.values.as_ref().is_none_or(|values| values.may_contain(found))
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
