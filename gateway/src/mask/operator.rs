//! How a finding is masked.

use super::pseudonym::Key;
use super::token::Token;

/// What stands in for a letter or digit unless the policy says otherwise.
pub const CHAR_DEFAULT: u8 = b'*';

/// A mask operator with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Every letter and digit becomes `with`; separators stay. Same length.
    Redact {
        /// One printable ASCII byte that needs no escape.
        with: u8,
    },
    /// As `Redact`, but for the first and last letters and digits. Same length.
    Keep(Keep),
    /// A value of the same form, encrypted: digits for digits, letters for letters. Same length.
    Token(Token),
    /// The first `length` hex digits of a keyed hash.
    Hash {
        /// The key.
        key: Key,
        /// Hex digits, 8 to 64.
        length: usize,
    },
    /// A constant text.
    Replace(Replacement),
    /// JSON null, or nothing.
    Null,
}

/// How much `keep` leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Letters and digits left at the front.
    pub first: usize,
    /// Letters and digits left at the back.
    pub last: usize,
    /// What becomes of the others.
    pub with: u8,
}

/// A constant text in which `{detector}` stands for the detector's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The text between the occurrences of `{detector}`.
    pieces: Vec<String>,
}

impl Replacement {
    /// Where the detector's id goes.
    const DETECTOR: &'static str = "{detector}";

    /// A replacement from its text in the policy.
    pub fn new(with: &str) -> Self {
        Self { pieces: with.split(Self::DETECTOR).map(str::to_owned).collect() }
    }

    /// Appends the text for a detector.
    pub fn write(&self, detector: &str, out: &mut Vec<u8>) {
        for (position, piece) in self.pieces.iter().enumerate() {
            if position > 0 {
                out.extend_from_slice(detector.as_bytes());
            }
            out.extend_from_slice(piece.as_bytes());
        }
    }
}

impl Operator {
    /// The name as policies write it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Redact { .. } => "redact",
            Self::Keep(_) => "keep",
            Self::Token(_) => "token",
            Self::Hash { .. } => "hash",
            Self::Replace(_) => "replace",
            Self::Null => "null",
        }
    }

    /// True when different inputs give different outputs, so that records stay apart by a masked key.
    pub fn keeps_apart(&self) -> bool {
        matches!(self, Self::Hash { .. } | Self::Token(_))
    }

    /// True when what is masked stays as long as it was, escapes included.
    pub(super) fn keeps_length(&self) -> bool {
        matches!(self, Self::Redact { .. } | Self::Keep(_) | Self::Token(_))
    }
}
