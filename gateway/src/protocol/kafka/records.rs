//! The records of one batch: where their parts lie in the text.

use super::record_batch::{BatchError, BatchHead};
use super::wire::Span;
use crate::payload::Field;

/// One record of a text. Offsets are of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// First byte: the length varint.
    pub start: u32,
    /// First byte after the length varint.
    pub body: u32,
    /// The key; `None` for null.
    pub key: Option<Span>,
    /// The value; `None` for null.
    pub value: Option<Span>,
    /// Index of the first header in [`Records::headers`].
    pub headers_start: u32,
    /// One past the index of the last header.
    pub headers_end: u32,
    /// One past the last byte.
    pub end: u32,
}

/// One header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// First byte: the length of the key.
    pub start: u32,
    /// The key; any bytes, may repeat within a record.
    pub key: Span,
    /// The value; `None` for null.
    pub value: Option<Span>,
}

/// The records of one text. Reused from batch to batch: [`Records::walk`] keeps the capacity.
#[derive(Debug, Default)]
pub struct Records {
    /// The records, in order.
    pub records: Vec<Record>,
    /// Their headers, in order.
    pub headers: Vec<Header>,
    /// What is scanned: keys, values and header values that are not null, in text order.
    pub fields: Vec<Field>,
}

impl Records {
    /// Walks the records of `text`.
    ///
    /// # Errors
    ///
    /// When the text does not hold exactly `head.record_count` records, or, in a compressed batch, when offset
    /// deltas are not consecutive.
    pub fn walk(&mut self, head: &BatchHead, text: &[u8]) -> Result<(), BatchError> {
        let _ = (head, text);
        todo!()
    }

    /// Number of headers whose key is one of `names`.
    pub fn count_headers(&self, text: &[u8], names: &[&[u8]]) -> usize {
        let _ = (text, names);
        todo!()
    }
}
