//! ProduceResponse 3 to 13: local answers for refused partitions, merged with the broker's for the others.

use super::error_code::ErrorCode;
use super::frame::PREFIX_BYTES;
use super::produce::{ProduceRequest, TOPIC_ID_FROM, TopicRef, is_flexible};
use super::rewrite::{Directory, RewriteError};
use super::splice::Splicer;
use super::wire::{
    Reader, Span, WireResult, patch_frame_size, put_array_count, put_nullable_string, put_string,
};

/// First version whose response may name brokers (KIP-951); an older one passes as it is.
pub const NODE_ENDPOINTS_FROM: i16 = 10;

/// The answer for one partition that the gateway refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionError {
    /// The code.
    pub error_code: ErrorCode,
    /// Records at fault, by index, with what to say about each (version 8 and newer, KIP-467).
    pub record_errors: Vec<(i32, Option<String>)>,
    /// What to say about the batch (version 8 and newer). Never content of records.
    pub message: Option<String>,
}

impl PartitionError {
    /// An error without more to say.
    pub fn new(error_code: ErrorCode) -> Self {
        Self { error_code, record_errors: Vec::new(), message: None }
    }
}

/// What a batch that a policy refuses is answered: clients of Produce 7 and older need not know
/// `INVALID_RECORD` (KIP-467).
pub fn refusal_code(api_version: i16) -> ErrorCode {
    if api_version >= RECORD_ERRORS_FROM { ErrorCode::INVALID_RECORD } else { ErrorCode::POLICY_VIOLATION }
}

/// The answer to one ProduceRequest of which partitions were refused. It owns what it needs: the request's
/// frame is gone when the broker's response comes.
#[derive(Clone, Debug)]
pub struct ProduceAnswer {
    api_version: i16,
    correlation_id: i32,
    topics: Vec<TopicKey>,
    partitions: Vec<PartitionAnswer>,
}

/// Name or id of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
enum TopicKey {
    Name(Vec<u8>),
    Id([u8; 16]),
}

#[derive(Clone, Debug)]
struct PartitionAnswer {
    /// Index into the topics of the answer.
    topic: usize,
    index: i32,
    /// `None`: the broker answers.
    error: Option<PartitionError>,
}

impl ProduceAnswer {
    /// An answer for all partitions of `request`, none refused yet.
    pub fn new(frame: &[u8], request: &ProduceRequest) -> Self {
        let key = |topic| match topic {
            TopicRef::Name(name) => TopicKey::Name(name.of(frame).to_vec()),
            TopicRef::Id(id) => TopicKey::Id(id),
        };
        let partitions = request.partitions.iter().map(|partition| PartitionAnswer {
            topic: partition.topic as usize,
            index: partition.index,
            error: None,
        });
        Self {
            api_version: request.api_version,
            correlation_id: request.correlation_id,
            topics: request.topics.iter().map(|topic| key(topic.topic)).collect(),
            partitions: partitions.collect(),
        }
    }

    /// Refuses the partition at `position` of [`ProduceRequest::partitions`].
    ///
    /// # Panics
    ///
    /// When the request has no such partition.
    pub fn refuse(&mut self, position: usize, mut error: PartitionError) {
        error.record_errors.sort_by_key(|(index, _)| *index); // librdkafka walks them in order
        self.partitions[position].error = Some(error);
    }

    /// Appends the response when nothing went to the broker.
    pub fn write_local(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let flexible = is_flexible(self.api_version);
        out.extend_from_slice(&[0; PREFIX_BYTES]);
        out.extend_from_slice(&self.correlation_id.to_be_bytes());
        put_no_tags(out, flexible);
        // Every partition has an error, so that the broker is not asked.
        self.write_topics(out, |_, _| Ok(&[])).unwrap_or_default();
        out.extend_from_slice(&0i32.to_be_bytes()); // throttle_time_ms
        put_no_tags(out, flexible);
        patch_frame_size(out, start);
    }

    /// Appends the broker's `response` with the refused partitions in their places.
    ///
    /// # Errors
    ///
    /// As [`rewrite`]; also when the response lacks a partition that was forwarded. `out` is then as it was.
    pub fn merge(
        &self,
        response: &[u8],
        directory: &mut impl Directory,
        out: &mut Vec<u8>,
    ) -> Result<(), RewriteError> {
        let start = out.len();
        self.write_merged(response, directory, out).inspect_err(|_| out.truncate(start))
    }

    fn write_merged(
        &self,
        response: &[u8],
        directory: &mut impl Directory,
        out: &mut Vec<u8>,
    ) -> Result<(), RewriteError> {
        let mut splicer = Splicer::begin(response, is_flexible(self.api_version), out)?;
        let topics_start = splicer.reader.at();
        let answered = read_topics(&mut splicer.reader, response, self.api_version)?;
        let mut topics = Vec::new();
        let found = self.write_topics(&mut topics, |topic, index| {
            let wanted = (topic.bytes(), index);
            let found = answered.binary_search_by(|one| one.key(response).cmp(&wanted));
            let one = found.ok().and_then(|position| answered.get(position));
            one.map(|one| one.whole.of(response)).ok_or(RewriteError::MissingPartition { index })
        });
        found?;
        splicer.replace(topics_start, |out| out.extend_from_slice(&topics));
        read_tail(splicer, self.api_version, directory)
    }

    /// Writes the topics; `of_broker` gives the bytes of a partition that the broker answered.
    fn write_topics<'a>(
        &self,
        out: &mut Vec<u8>,
        of_broker: impl Fn(&TopicKey, i32) -> Result<&'a [u8], RewriteError>,
    ) -> Result<(), RewriteError> {
        let flexible = is_flexible(self.api_version);
        let of_one_topic = |a: &PartitionAnswer, b: &PartitionAnswer| a.topic == b.topic;
        put_array_count(out, flexible, self.partitions.chunk_by(of_one_topic).count());
        for partitions in self.partitions.chunk_by(of_one_topic) {
            let topic = partitions.first().and_then(|partition| self.topics.get(partition.topic));
            let Some(topic) = topic else { continue };
            match topic {
                TopicKey::Name(name) => put_string(out, flexible, name),
                TopicKey::Id(id) => out.extend_from_slice(id),
            }
            put_array_count(out, flexible, partitions.len());
            for partition in partitions {
                match &partition.error {
                    Some(error) => put_error(out, self.api_version, partition.index, error),
                    None => out.extend_from_slice(of_broker(topic, partition.index)?),
                }
            }
            put_no_tags(out, flexible);
        }
        Ok(())
    }
}

impl TopicKey {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Name(name) => name,
            Self::Id(id) => id,
        }
    }
}

/// Appends the broker's `response` to a request of which nothing was refused: only `node_endpoints` change.
///
/// # Errors
///
/// When `response`, a whole frame, is no ProduceResponse of this version, or names an unknown node; `out` is
/// then as it was.
pub fn rewrite(
    api_version: i16,
    response: &[u8],
    directory: &mut impl Directory,
    out: &mut Vec<u8>,
) -> Result<(), RewriteError> {
    let start = out.len();
    write_rewritten(api_version, response, directory, out).inspect_err(|_| out.truncate(start))
}

fn write_rewritten(
    api_version: i16,
    response: &[u8],
    directory: &mut impl Directory,
    out: &mut Vec<u8>,
) -> Result<(), RewriteError> {
    let mut splicer = Splicer::begin(response, is_flexible(api_version), out)?;
    skip_topics(&mut splicer.reader, api_version, |_| {})?;
    read_tail(splicer, api_version, directory)
}

/// One partition of a broker's response; spans are of the response.
struct Answered {
    topic: TopicRef,
    index: i32,
    whole: Span,
}

impl Answered {
    /// The topic's name or id, whichever the version has, and the partition.
    fn key<'a>(&'a self, response: &'a [u8]) -> (&'a [u8], i32) {
        (self.topic.bytes(response), self.index)
    }
}

/// Reads the partitions of a response, sorted by their key: brokers answer in an order of their own, and looking for
/// each of them from the start would take its square in steps.
fn read_topics(reader: &mut Reader<'_>, response: &[u8], api_version: i16) -> WireResult<Vec<Answered>> {
    let mut answered = Vec::new();
    skip_topics(reader, api_version, |partition| answered.push(partition))?;
    answered.sort_unstable_by(|one, other| one.key(response).cmp(&other.key(response)));
    Ok(answered)
}

fn skip_topics(reader: &mut Reader<'_>, api_version: i16, mut visit: impl FnMut(Answered)) -> WireResult<()> {
    let flexible = is_flexible(api_version);
    for _ in 0..reader.array_count(flexible, TOPIC_BYTES_MIN)? {
        let topic = if api_version >= TOPIC_ID_FROM {
            TopicRef::Id(reader.uuid()?)
        } else {
            TopicRef::Name(reader.string(flexible)?)
        };
        for _ in 0..reader.array_count(flexible, PARTITION_BYTES_MIN)? {
            let start = reader.at();
            let index = skip_partition(reader, api_version)?;
            visit(Answered { topic, index, whole: Span { start, end: reader.at() } });
        }
        reader.skip_tagged_fields(flexible)?;
    }
    Ok(())
}

/// Skips one partition and returns its index.
fn skip_partition(reader: &mut Reader<'_>, api_version: i16) -> WireResult<i32> {
    let flexible = is_flexible(api_version);
    let index = reader.i32()?;
    let _error_code = reader.i16()?;
    let _base_offset = reader.i64()?;
    let _log_append_time_ms = reader.i64()?;
    if api_version >= LOG_START_OFFSET_FROM {
        let _log_start_offset = reader.i64()?;
    }
    if api_version >= RECORD_ERRORS_FROM {
        for _ in 0..reader.array_count(flexible, RECORD_ERROR_BYTES_MIN)? {
            let _batch_index = reader.i32()?;
            let _message = reader.nullable_string(flexible)?;
            reader.skip_tagged_fields(flexible)?;
        }
        let _error_message = reader.nullable_string(flexible)?;
    }
    reader.skip_tagged_fields(flexible)?;
    Ok(index)
}

/// Reads what follows the topics, with new addresses in the node endpoints, and ends the response.
fn read_tail(
    mut splicer: Splicer<'_, '_>,
    api_version: i16,
    directory: &mut impl Directory,
) -> Result<(), RewriteError> {
    let _throttle_time_ms = splicer.reader.i32()?;
    if api_version >= NODE_ENDPOINTS_FROM {
        splicer.tagged_node_endpoints(NODE_ENDPOINTS_TAG, directory)?;
    } else {
        splicer.reader.skip_tagged_fields(is_flexible(api_version))?;
    }
    splicer.finish()
}

fn put_error(out: &mut Vec<u8>, api_version: i16, index: i32, error: &PartitionError) {
    let flexible = is_flexible(api_version);
    out.extend_from_slice(&index.to_be_bytes());
    out.extend_from_slice(&error.error_code.0.to_be_bytes());
    out.extend_from_slice(&UNKNOWN.to_be_bytes()); // base_offset
    out.extend_from_slice(&UNKNOWN.to_be_bytes()); // log_append_time_ms
    if api_version >= LOG_START_OFFSET_FROM {
        out.extend_from_slice(&UNKNOWN.to_be_bytes());
    }
    if api_version >= RECORD_ERRORS_FROM {
        put_array_count(out, flexible, error.record_errors.len());
        for (batch_index, message) in &error.record_errors {
            out.extend_from_slice(&batch_index.to_be_bytes());
            put_nullable_string(out, flexible, message.as_deref().map(str::as_bytes));
            put_no_tags(out, flexible);
        }
        put_nullable_string(out, flexible, error.message.as_deref().map(str::as_bytes));
    }
    put_no_tags(out, flexible);
}

fn put_no_tags(out: &mut Vec<u8>, flexible: bool) {
    if flexible {
        out.push(0);
    }
}

/// First version with `log_start_offset`.
const LOG_START_OFFSET_FROM: i16 = 5;

/// First version with `record_errors` and `error_message` (KIP-467).
const RECORD_ERRORS_FROM: i16 = 8;

/// Tag of `node_endpoints` in a response.
const NODE_ENDPOINTS_TAG: u32 = 0;

/// An offset or time that is not known.
const UNKNOWN: i64 = -1;

/// Fewest bytes of a topic: name, partitions.
const TOPIC_BYTES_MIN: usize = 2;

/// Fewest bytes of a partition: index, error code, offset, time.
const PARTITION_BYTES_MIN: usize = 22;

/// Fewest bytes of a record error: index, message.
const RECORD_ERROR_BYTES_MIN: usize = 5;

#[cfg(test)]
mod tests;
