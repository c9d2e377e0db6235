//! The records of a scan, resident in memory.

use std::ops::Range;

use gateway::payload::Field;

use super::value_field;

/// All records, back to back in one text.
pub(super) struct Input {
    text: Vec<u8>,
    pub(super) records: Vec<Range<usize>>,
}

impl Input {
    /// One record per line; a last line need not end.
    pub(super) fn lines(text: Vec<u8>) -> Self {
        let mut records = Vec::new();
        let mut start = 0;
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let length = line.strip_suffix(b"\n").unwrap_or(line).len();
            records.push(start..start + length);
            start += line.len();
        }
        Self { text, records }
    }

    /// The decoded string in `field` of each JSON line that is not blank; the error starts with the line number.
    pub(super) fn field_of_lines(lines: &[u8], field: &str) -> Result<Self, String> {
        let mut input = Self { text: Vec::with_capacity(lines.len()), records: Vec::new() };
        for (number, line) in (1..).zip(lines.split_inclusive(|&byte| byte == b'\n')) {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_slice(line).map_err(|error| format!("{number}: no JSON object: {error}"))?;
            let record = object.get(field).and_then(|value| value.as_str());
            let record = record.ok_or_else(|| format!("{number}: no string in field `{field}`"))?;
            let start = input.text.len();
            input.text.extend_from_slice(record.as_bytes());
            input.records.push(start..input.text.len());
        }
        Ok(input)
    }

    /// Bytes of all records.
    pub(super) fn bytes(&self) -> usize {
        self.records.iter().map(ExactSizeIterator::len).sum()
    }

    /// One past the last record of the run of whole records that starts with `first`.
    pub(super) fn run_end(&self, first: usize, end: usize, bytes_max: usize) -> usize {
        let start = self.records[first].start;
        let fits =
            self.records[first..end].iter().take_while(|record| record.end - start <= bytes_max).count();
        first + fits.max(1)
    }

    /// The text of a run and, in `fields`, where its records lie.
    pub(super) fn run(&self, first: usize, end: usize, fields: &mut Vec<Field>) -> &[u8] {
        let records = &self.records[first..end];
        let start = records[0].start;
        fields.clear();
        let field = |(index, record): (usize, &Range<usize>)| {
            value_field(index, record.start - start, record.end - start)
        };
        fields.extend(records.iter().enumerate().map(field));
        &self.text[start..records[records.len() - 1].end]
    }
}
