//! The records that a command judges, resident in memory, and the policy and scope to judge them by.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::PathBuf;

use clap::Args;
use gateway::diagnostic::Diagnostic;
use gateway::payload::{Field, Part};
use gateway::policy::{PRINCIPAL_ANONYMOUS, Policy, Scope};

use super::keys::KeySource;

/// Where the records come from, and what judges them.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// The policy file.
    #[arg(long, value_name = "FILE")]
    pub(super) policy: PathBuf,
    #[command(flatten)]
    keys: KeySource,
    /// Topic to which the records are written.
    #[arg(long, default_value = "", hide_default_value = true)]
    topic: String,
    /// Who writes them.
    #[arg(long, default_value = PRINCIPAL_ANONYMOUS)]
    principal: String,
    /// Take the string in this field of each JSON line as the record.
    #[arg(long, value_name = "NAME")]
    jsonl_field: Option<String>,
    /// Records, one per line; standard input when left out.
    file: Option<PathBuf>,
}

/// All records, back to back in one text.
pub(super) struct Input {
    text: Vec<u8>,
    pub(super) records: Vec<Range<usize>>,
}

impl Source {
    /// The policy and its text.
    pub(super) fn compile(&self) -> Result<(Policy, String), Vec<Diagnostic>> {
        self.keys.compile(&self.policy)
    }

    /// Where the records are written, and by whom.
    pub(super) fn scope(&self) -> Scope<'_> {
        Scope { listener: "", topic: &self.topic, principal: &self.principal }
    }

    /// Reads all records.
    pub(super) fn read(&self) -> Result<Input, String> {
        let mut text = Vec::new();
        let name = self.file.as_ref().map_or("standard input".to_owned(), |file| file.display().to_string());
        match &self.file {
            Some(file) => File::open(file).and_then(|mut file| file.read_to_end(&mut text)),
            None => io::stdin().read_to_end(&mut text),
        }
        .map_err(|error| format!("{name}: {error}"))?;
        match &self.jsonl_field {
            None => Ok(Input::lines(text)),
            Some(field) => Input::field_of_lines(&text, field).map_err(|error| format!("{name}:{error}")),
        }
    }
}

impl Input {
    /// One record per line; a last line need not end.
    fn lines(text: Vec<u8>) -> Self {
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
    fn field_of_lines(lines: &[u8], field: &str) -> Result<Self, String> {
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

    /// The records one by one.
    pub(super) fn each(&self) -> impl Iterator<Item = &[u8]> {
        self.records.iter().map(|record| &self.text[record.clone()])
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

/// A record as the value of a Kafka record; the offsets are those in its text.
pub(super) fn value_field(record: usize, start: usize, end: usize) -> Field {
    let narrow = |number| u32::try_from(number).unwrap_or(u32::MAX);
    Field { record: narrow(record), part: Part::Value, start: narrow(start), end: narrow(end) }
}
