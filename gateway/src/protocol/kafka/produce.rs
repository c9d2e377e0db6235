//! ProduceRequest 3 to 13, read to the last byte.
//!
//! A parsed request holds offsets into its frame, no bytes. Besides what the gateway asks about, it keeps the
//! places that change when the records of a partition do ([`super::produce_writer`]).

use super::api::ApiKey;
use super::error_code::ErrorCode;
use super::header::RequestHeader;
use super::wire::{Reader, Span, WireError, WireErrorKind, WireResult};

/// A ProduceRequest. Reused from request to request: [`ProduceRequest::parse`] keeps the capacity.
///
/// Every offset is one of the frame that was parsed; partitions are in the order of the request.
#[derive(Debug, Default)]
pub struct ProduceRequest {
    /// Version of the request.
    pub api_version: i16,
    /// Comes back in the response.
    pub correlation_id: i32,
    /// Span of the client id.
    pub client_id: Option<Span>,
    /// Span of the transactional id.
    pub transactional_id: Option<Span>,
    /// 0: no response at all; 1: the leader; -1: all in-sync replicas.
    pub acks: i16,
    /// How long the client lets the broker wait for replicas, milliseconds.
    pub timeout_ms: i32,
    /// The topics.
    pub topics: Vec<Topic>,
    /// The partitions of all topics.
    pub partitions: Vec<Partition>,
    /// Where the number of topics stands.
    pub(super) topics_count: Span,
    /// One past the last topic; tagged fields follow in flexible versions.
    pub(super) topics_end: u32,
}

/// How a request names a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicRef {
    /// Span of the name, up to version 12. It may be any bytes: see [`topic_name`].
    Name(Span),
    /// The topic id, from version 13 on.
    Id([u8; 16]),
}

/// One topic of a ProduceRequest.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    /// Its name or id.
    pub topic: TopicRef,
    /// Index of its first partition in [`ProduceRequest::partitions`].
    pub partitions_start: u32,
    /// One past the index of its last partition.
    pub partitions_end: u32,
    /// The name or id as it stands in the frame, with its length.
    pub(super) head: Span,
    /// Where the number of partitions stands.
    pub(super) partitions_count: Span,
    /// The tagged fields after the partitions; empty when not flexible.
    pub(super) tail: Span,
}

/// One partition of a ProduceRequest.
#[derive(Clone, Copy, Debug)]
pub struct Partition {
    /// Index of its topic in [`ProduceRequest::topics`].
    pub topic: u32,
    /// The partition index.
    pub index: i32,
    /// Span of the records; `None` for null.
    pub records: Option<Span>,
    /// Where the length of the records stands: `i32`, or an unsigned varint of length + 1.
    pub(super) records_length: Span,
    /// The whole partition, its tagged fields included.
    pub(super) whole: Span,
}

impl ProduceRequest {
    /// Reads a whole frame into this request; what it held before is forgotten, its capacity kept.
    ///
    /// # Errors
    ///
    /// When the frame is not a ProduceRequest of version 3 to 13 or bytes follow it. The request is then in an
    /// unspecified state.
    pub fn parse(&mut self, frame: &[u8]) -> WireResult<()> {
        self.topics.clear();
        self.partitions.clear();
        let mut reader = self.parse_head(frame)?;
        let flexible = is_flexible(self.api_version);
        let count_start = reader.at();
        let topics = reader.array_count(flexible, TOPIC_BYTES_MIN)?;
        self.topics_count = Span { start: count_start, end: reader.at() };
        for _ in 0..topics {
            self.parse_topic(&mut reader)?;
        }
        self.topics_end = reader.at();
        reader.skip_tagged_fields(flexible)?;
        reader.finish()
    }

    /// Reads everything before the topics: enough to know `acks`.
    fn parse_head<'a>(&mut self, frame: &'a [u8]) -> WireResult<Reader<'a>> {
        let header = RequestHeader::parse(frame)?;
        let version = header.prefix.api_version;
        if header.prefix.api_key != ApiKey::PRODUCE || !VERSIONS.contains(&version) {
            return Err(WireError { kind: WireErrorKind::Value, at: 4 });
        }
        let mut reader = Reader::starting_at(frame, header.body_start as usize);
        self.api_version = version;
        self.correlation_id = header.prefix.correlation_id;
        self.client_id = header.client_id;
        self.transactional_id = reader.nullable_string(is_flexible(version))?;
        self.acks = reader.i16()?;
        self.timeout_ms = reader.i32()?;
        Ok(reader)
    }

    fn parse_topic(&mut self, reader: &mut Reader<'_>) -> WireResult<()> {
        let flexible = is_flexible(self.api_version);
        let head_start = reader.at();
        let topic = if self.api_version >= TOPIC_ID_FROM {
            TopicRef::Id(reader.uuid()?)
        } else {
            TopicRef::Name(reader.string(flexible)?)
        };
        let count_start = reader.at();
        let count = reader.array_count(flexible, PARTITION_BYTES_MIN)?;
        let partitions_count = Span { start: count_start, end: reader.at() };
        let partitions_start = self.partitions.len() as u32;
        for _ in 0..count {
            let partition = parse_partition(reader, self.topics.len() as u32, flexible)?;
            self.partitions.push(partition);
        }
        let tail_start = reader.at();
        reader.skip_tagged_fields(flexible)?;
        self.topics.push(Topic {
            topic,
            partitions_start,
            partitions_end: self.partitions.len() as u32,
            head: Span { start: head_start, end: count_start },
            partitions_count,
            tail: Span { start: tail_start, end: reader.at() },
        });
        Ok(())
    }

    /// The topic of `partition`.
    pub fn topic_of(&self, partition: &Partition) -> Option<&Topic> {
        self.topics.get(partition.topic as usize)
    }
}

fn parse_partition(reader: &mut Reader<'_>, topic: u32, flexible: bool) -> WireResult<Partition> {
    let start = reader.at();
    let index = reader.i32()?;
    let length_start = reader.at();
    let records = reader.nullable_bytes(flexible)?;
    let length_end = records.map_or(reader.at(), |span| span.start);
    reader.skip_tagged_fields(flexible)?;
    Ok(Partition {
        topic,
        index,
        records,
        records_length: Span { start: length_start, end: length_end },
        whole: Span { start, end: reader.at() },
    })
}

/// `acks` of a Produce frame that is not inspected: with 0 there will be no response. Needs only the bytes up
/// to it.
///
/// # Errors
///
/// When the frame is not a ProduceRequest of version 3 to 13.
pub fn acks(frame: &[u8]) -> WireResult<i16> {
    let mut request = ProduceRequest::default();
    request.parse_head(frame)?;
    Ok(request.acks)
}

/// A topic name as text.
///
/// # Errors
///
/// `UNKNOWN_TOPIC_OR_PARTITION` for a name that no topic can have (Kafka's `Topic.validate`: 1 to 249 ASCII
/// letters, digits, `.`, `_`, `-`, neither `.` nor `..`), as a broker answers it.
pub fn topic_name(name: &[u8]) -> Result<&str, ErrorCode> {
    let legal = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let valid = (1..=TOPIC_NAME_BYTES_MAX).contains(&name.len()) && name.iter().all(legal);
    if !valid || name == b"." || name == b".." {
        return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    std::str::from_utf8(name).map_err(|_| ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
}

/// True from the first Produce version on that has compact forms and tagged fields.
pub(super) fn is_flexible(api_version: i16) -> bool {
    super::api::is_flexible(ApiKey::PRODUCE, api_version)
}

/// Versions that this module reads.
const VERSIONS: std::ops::RangeInclusive<i16> = 3..=13;

/// First version that names topics by id (KIP-516).
pub(super) const TOPIC_ID_FROM: i16 = 13;

/// Longest topic name, bytes: Kafka's `Topic.MAX_NAME_LENGTH`.
const TOPIC_NAME_BYTES_MAX: usize = 249;

/// Fewest bytes of a topic: a name of length 0, a count, tagged fields.
const TOPIC_BYTES_MIN: usize = 3;

/// Fewest bytes of a partition: an index and a length.
const PARTITION_BYTES_MIN: usize = 5;
