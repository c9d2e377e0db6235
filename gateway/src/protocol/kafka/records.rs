//! The records of one batch: where their parts lie in the text.

use super::record_batch::{BatchError, BatchHead, Codec};
use super::wire::{Reader, Span, WireError, WireErrorKind, WireResult};
use crate::budget;
use crate::payload::{Field, Part};

/// One record of a text. Offsets are of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// First byte: the length varint.
    pub start: u32,
    /// First byte after the length varint.
    pub body: u32,
    /// Where the length of the key stands; what comes before it never changes.
    pub(super) key_length: u32,
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

/// The records of one text: at most [`COUNT_MAX`] records and as many headers. Reused from batch to batch:
/// [`Records::walk`] keeps the capacity, but for that of a single large batch.
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
    /// Walks the records of `text`, the uncompressed bytes after the head of a batch.
    ///
    /// # Errors
    ///
    /// When the text does not hold exactly `head.record_count` records, or, in a compressed batch, when offset
    /// deltas are not consecutive: a broker checks them there only. Also when it has more than [`COUNT_MAX`] records or
    /// headers.
    pub fn walk(&mut self, head: &BatchHead, text: &[u8]) -> Result<(), BatchError> {
        budget::reuse(&mut self.records);
        budget::reuse(&mut self.headers);
        budget::reuse(&mut self.fields);
        let count_error = BatchError::Count { record_count: head.record_count };
        let count = u32::try_from(head.record_count).map_err(|_| count_error)?;
        if count as usize > text.len() / RECORD_BYTES_MIN {
            return Err(count_error);
        }
        check_count(count as usize, "records")?;
        let consecutive = head.codec() != Some(Codec::None);
        let mut start = 0;
        for index in 0..count {
            let (record, offset_delta) = self.walk_record(text, start, index)?;
            if consecutive && offset_delta.cast_unsigned() != index {
                return Err(BatchError::OffsetDelta { record: index, offset_delta });
            }
            start = record.end;
            self.records.push(record);
        }
        if start as usize == text.len() { Ok(()) } else { Err(count_error) }
    }

    /// Reads the record at `start` and its offset delta.
    fn walk_record(&mut self, text: &[u8], start: u32, index: u32) -> Result<(Record, i32), BatchError> {
        let mut reader = Reader::starting_at(text, start as usize);
        let length = reader.varint()?;
        let body = reader.at();
        let end = usize::try_from(length).ok().and_then(|length| length.checked_add(body as usize));
        let too_long = WireError { kind: WireErrorKind::Length, at: start };
        let record_bytes = end.and_then(|end| text.get(..end)).ok_or(too_long)?;
        let mut reader = Reader::starting_at(record_bytes, body as usize);
        let _attributes = reader.i8()?;
        let _timestamp_delta = reader.varlong()?;
        let offset_delta = reader.varint()?;
        let key_length = reader.at();
        let key = self.part(&mut reader, index, Part::Key)?;
        let value = self.part(&mut reader, index, Part::Value)?;
        let headers_start = self.headers.len() as u32;
        self.walk_headers(&mut reader, index)?;
        let headers_end = self.headers.len() as u32;
        reader.finish()?;
        let end = reader.at();
        Ok((Record { start, body, key_length, key, value, headers_start, headers_end, end }, offset_delta))
    }

    fn walk_headers(&mut self, reader: &mut Reader<'_>, index: u32) -> Result<(), BatchError> {
        let at = reader.at();
        let count = reader.varint()?;
        let fits = usize::try_from(count).is_ok_and(|count| count <= reader.left() / HEADER_BYTES_MIN);
        if !fits {
            return Err(WireError { kind: WireErrorKind::Count, at }.into());
        }
        check_count(self.headers.len() + count as usize, "headers")?;
        for _ in 0..count {
            let start = reader.at();
            let null = WireError { kind: WireErrorKind::Null, at: start };
            let key = nullable(reader)?.ok_or(null)?;
            let value = self.part(reader, index, Part::Header)?;
            self.headers.push(Header { start, key, value });
        }
        Ok(())
    }

    /// Reads a part and, when it has bytes, counts it among the fields.
    #[inline]
    fn part(&mut self, reader: &mut Reader<'_>, record: u32, part: Part) -> WireResult<Option<Span>> {
        let span = nullable(reader)?;
        if let Some(Span { start, end }) = span
            && start < end
        {
            self.fields.push(Field { record, part, start, end });
        }
        Ok(span)
    }

    /// The headers of `record`.
    pub fn headers_of(&self, record: &Record) -> &[Header] {
        self.headers.get(record.headers_start as usize..record.headers_end as usize).unwrap_or_default()
    }

    /// Number of headers whose key is one of `names`.
    pub fn count_headers(&self, text: &[u8], names: &[&[u8]]) -> usize {
        self.headers.iter().filter(|header| names.contains(&header.key.of(text))).count()
    }
}

fn check_count(count: usize, of: &'static str) -> Result<(), BatchError> {
    if count > COUNT_MAX { Err(BatchError::CountLimit { of, count_max: COUNT_MAX }) } else { Ok(()) }
}

/// Reads a span behind a `VARINT` length, -1 for null.
#[inline]
fn nullable(reader: &mut Reader<'_>) -> WireResult<Option<Span>> {
    let at = reader.at();
    let length = reader.varint()?;
    if length == -1 {
        return Ok(None);
    }
    let length = usize::try_from(length).map_err(|_| WireError { kind: WireErrorKind::Length, at })?;
    reader.take(length).map(Some)
}

/// Most records of a batch, and most headers: librdkafka's largest `batch.num.messages`, a hundred times its default;
/// no other client counts further. A header of two bytes takes 24 here, a record of seven takes 48: without a bound, a
/// blob of 335 KB took 400 MB.
pub const COUNT_MAX: usize = 1_000_000;

/// Fewest bytes of a record: length, attributes, two deltas, two lengths and a count.
const RECORD_BYTES_MIN: usize = 7;

/// Fewest bytes of a header: two lengths.
const HEADER_BYTES_MIN: usize = 2;

#[cfg(test)]
mod tests {
    use super::super::record_batch::{blob, verify};
    use super::super::testing::{BatchSpec, RecordSpec, batch};
    use super::super::wire::put_varint;
    use super::*;

    fn walk(spec: &BatchSpec) -> (Vec<u8>, Records, Result<(), BatchError>) {
        let made = batch(spec);
        let (head, _) = verify(Some(&made), 9).expect("a good head");
        let mut records = Records::default();
        let walked = records.walk(&head, blob(&made));
        (blob(&made).to_vec(), records, walked)
    }

    #[test]
    fn fields_are_the_parts_that_have_bytes_in_text_order() {
        let record = RecordSpec {
            key: Some(b"k".to_vec()),
            value: None,
            headers: vec![
                (b"h".to_vec(), Some(b"v1".to_vec())),
                (b"h".to_vec(), None),
                (vec![0xff], Some(vec![])),
            ],
        };
        let tombstone = RecordSpec { key: None, value: Some(b"value".to_vec()), headers: vec![] };
        let (text, records, walked) =
            walk(&BatchSpec { records: vec![record, tombstone], ..BatchSpec::default() });

        assert_eq!(walked, Ok(()));
        let found: Vec<_> =
            records.fields.iter().map(|field| (field.record, field.part, &text[field.range()])).collect();
        let expected: Vec<(u32, Part, &[u8])> =
            vec![(0, Part::Key, b"k"), (0, Part::Header, b"v1"), (1, Part::Value, b"value")];
        assert_eq!(found, expected);
        assert_eq!(records.headers.len(), 3);
        assert_eq!(records.count_headers(&text, &[b"h", b"x"]), 2);
        assert_eq!(records.records[0].value, None);
    }

    #[test]
    fn lying_counts_and_lengths_are_errors() {
        let text = blob(&batch(&BatchSpec::default())).to_vec();
        let head = BatchHead::read(&batch(&BatchSpec::default())).expect("a head");
        let mut records = Records::default();
        for record_count in [0, 1, 4, i32::MAX, -1] {
            let lying = BatchHead { record_count, ..head };
            assert!(records.walk(&lying, &text).is_err(), "{record_count}");
        }
        for end in 0..text.len() {
            assert!(records.walk(&head, &text[..end]).is_err(), "cut at {end}");
        }
        assert_eq!(records.walk(&head, &text), Ok(()));
    }

    #[test]
    fn offset_deltas_are_checked_only_where_a_broker_does() {
        let gap = BatchSpec { offset_deltas: Some(vec![0, 2, 3]), ..BatchSpec::default() };
        assert_eq!(walk(&gap).2, Ok(()));

        let text = blob(&batch(&gap)).to_vec();
        let head = BatchHead { attributes: 1, ..BatchHead::read(&batch(&gap)).expect("a head") };
        let walked = Records::default().walk(&head, &text);
        assert_eq!(walked, Err(BatchError::OffsetDelta { record: 1, offset_delta: 2 }));
    }

    #[test]
    fn more_records_or_headers_than_any_client_sends_are_refused() {
        let head = BatchHead::read(&batch(&BatchSpec::default())).expect("a head");
        let mut records = Records::default();
        let many = COUNT_MAX as i32 + 1;
        let text = [12, 0, 0, 0, 1, 1, 0].repeat(COUNT_MAX + 1);
        let walked = records.walk(&BatchHead { record_count: many, ..head }, &text);
        assert_eq!(walked, Err(BatchError::CountLimit { of: "records", count_max: COUNT_MAX }));

        let mut body = vec![0, 0, 0, 1, 1];
        put_varint(&mut body, many);
        body.extend([0, 1].repeat(COUNT_MAX + 1));
        let mut text = Vec::new();
        put_varint(&mut text, body.len() as i32);
        text.extend_from_slice(&body);
        let walked = records.walk(&BatchHead { record_count: 1, ..head }, &text);
        assert_eq!(walked, Err(BatchError::CountLimit { of: "headers", count_max: COUNT_MAX }));
        assert_eq!(records.headers.capacity(), 0, "nothing was reserved");
    }
}
