//! ProduceRequest 3 to 13, read to the last byte.
//!
//! A parsed request holds offsets into its frame, no bytes. Besides what the gateway asks about, it keeps the
//! places that change when the records of a partition do ([`super::produce_writer`]).

use super::api::ApiKey;
use super::error_code::ErrorCode;
use super::header::RequestHeader;
use super::wire::{Reader, Span, WireError, WireErrorKind, WireResult};
use crate::budget;

/// A ProduceRequest of at most [`COUNT_MAX`] topics and as many partitions. Reused from request to request:
/// [`ProduceRequest::parse`] keeps the capacity, but for that of a single large request.
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

impl TopicRef {
    /// The name or the id; spans are of `frame`.
    pub(super) fn bytes<'a>(&'a self, frame: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Name(name) => name.of(frame),
            Self::Id(id) => id,
        }
    }
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
    /// When the frame is not a ProduceRequest of version 3 to 13, bytes follow it, or it has more than [`COUNT_MAX`]
    /// topics or partitions. The request is then in an unspecified state.
    pub fn parse(&mut self, frame: &[u8]) -> WireResult<()> {
        budget::reuse(&mut self.topics);
        budget::reuse(&mut self.partitions);
        let mut reader = self.parse_head(frame)?;
        let flexible = is_flexible(self.api_version);
        let count_start = reader.at();
        let topics = reader.array_count(flexible, TOPIC_BYTES_MIN)?;
        check_count(topics, count_start)?;
        self.topics_count = Span { start: count_start, end: reader.at() };
        for _ in 0..topics {
            self.parse_topic(&mut reader)?;
        }
        self.topics_end = reader.at();
        reader.skip_tagged_fields(flexible)?;
        reader.finish()
    }

    /// Reads everything before the topics.
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
        check_count(self.partitions.len() + count, count_start)?;
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

fn check_count(count: usize, at: u32) -> WireResult<()> {
    let kind = WireErrorKind::CountLimit { count_max: COUNT_MAX };
    if count > COUNT_MAX { Err(WireError { kind, at }) } else { Ok(()) }
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

/// Most topics of a request, and most partitions: a request has one batch for each partition that its broker leads,
/// and brokers with more than some ten thousand are unheard of. A partition without records is 5 bytes on the wire and
/// over 100 here and in the answer.
pub const COUNT_MAX: usize = 1 << 16;

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

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
    use kafka_protocol::messages::{
        self, ApiKey as Key, RequestHeader as Header, TopicName, TransactionalId,
    };
    use kafka_protocol::protocol::{Encodable, StrBytes};
    use proptest::prelude::*;

    use super::super::testing::{RequestSpec, produce_frame, topic_id};
    use super::*;

    fn spec(api_version: i16) -> RequestSpec<'static> {
        let records = |byte: u8| Some(vec![byte; 130]);
        RequestSpec {
            api_version,
            acks: -1,
            transactional_id: Some("transaction"),
            topics: vec![
                ("orders", vec![(0, records(1)), (7, None)]),
                ("", vec![]),
                ("logs", vec![(1, records(2))]),
            ],
        }
    }

    #[test]
    fn every_version_is_read_to_the_last_byte() {
        let mut request = ProduceRequest::default();
        for api_version in VERSIONS {
            let frame = produce_frame(&spec(api_version));
            request.parse(&frame).expect("a good frame");

            assert_eq!((request.acks, request.timeout_ms, request.correlation_id), (-1, 30_000, 77));
            assert_eq!(request.client_id.map(|span| span.of(&frame)), Some(&b"tester"[..]));
            assert_eq!(request.transactional_id.map(|span| span.of(&frame)), Some(&b"transaction"[..]));
            let partitions: Vec<_> = request
                .partitions
                .iter()
                .map(|partition| (partition.topic, partition.index, partition.records.map(Span::bytes)))
                .collect();
            assert_eq!(partitions, [(0, 0, Some(130)), (0, 7, None), (2, 1, Some(130))]);
            match request.topics[2].topic {
                TopicRef::Name(name) => assert_eq!(name.of(&frame), b"logs"),
                TopicRef::Id(id) => assert_eq!(id, topic_id("logs")),
            }
        }
    }

    #[test]
    fn every_strict_prefix_and_every_extra_byte_is_an_error() {
        let mut request = ProduceRequest::default();
        for api_version in VERSIONS {
            let mut frame = produce_frame(&spec(api_version));
            for end in 0..frame.len() {
                assert!(request.parse(&frame[..end]).is_err(), "version {api_version} cut at {end}");
            }
            frame.push(0);
            assert!(request.parse(&frame).is_err());
        }
    }

    #[test]
    fn lying_counts_reserve_nothing() {
        let mut frame = produce_frame(&RequestSpec { topics: vec![], ..spec(3) });
        let count_at = frame.len() - 4;
        frame[count_at..].copy_from_slice(&i32::MAX.to_be_bytes());
        let mut request = ProduceRequest::default();

        assert!(request.parse(&frame).is_err());
        assert_eq!((request.topics.capacity(), request.partitions.capacity()), (0, 0));
    }

    #[test]
    fn more_topics_or_partitions_than_any_client_sends_are_refused() {
        let at_limit = vec![(0, None); COUNT_MAX];
        let over = vec![("a", at_limit.clone()), ("b", vec![(0, None)])];
        let topics = vec![("a", vec![]); COUNT_MAX + 1];
        let mut request = ProduceRequest::default();
        for (topics, is_good) in [(vec![("a", at_limit)], true), (over, false), (topics, false)] {
            let parsed = request.parse(&produce_frame(&RequestSpec { topics, ..spec(9) }));
            let refused = parsed.map_err(|error| error.kind);
            let limit = WireErrorKind::CountLimit { count_max: COUNT_MAX };
            assert_eq!(refused, if is_good { Ok(()) } else { Err(limit) });
        }
    }

    #[test]
    fn names_that_no_topic_can_have_are_unknown_topics() {
        let long = [b'a'; 250];
        for name in [&b""[..], b".", b"..", b"a\0b", b"\xff\xfe", b"a/b", "\u{e9}".as_bytes(), &long] {
            assert_eq!(topic_name(name), Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), "{name:?}");
        }
        assert_eq!(topic_name(b"Orders_2.v-1"), Ok("Orders_2.v-1"));
        assert_eq!(topic_name(&long[..249]).map(str::len), Ok(249));
    }

    /// A frame made by the `kafka-protocol` crate, with an unknown tagged field at each place that has them.
    fn frame_of_crate(version: i16, spec: &RequestSpec<'_>, tagged: bool) -> Vec<u8> {
        let unknown = |fields: &mut std::collections::BTreeMap<i32, bytes::Bytes>| {
            if tagged && version >= 9 {
                fields.insert(90, bytes::Bytes::from_static(b"unknown"));
            }
        };
        let mut request = messages::ProduceRequest::default()
            .with_transactional_id(
                spec.transactional_id.map(|id| TransactionalId(StrBytes::from_string(id.into()))),
            )
            .with_acks(spec.acks)
            .with_timeout_ms(5);
        unknown(&mut request.unknown_tagged_fields);
        for (name, partitions) in &spec.topics {
            let mut topic = TopicProduceData::default();
            if version >= 13 {
                topic.topic_id = topic_id(name).to_vec().try_into().expect("16 bytes");
            } else {
                topic.name = TopicName(StrBytes::from_string((*name).into()));
            }
            unknown(&mut topic.unknown_tagged_fields);
            for (index, records) in partitions {
                let mut partition = PartitionProduceData::default()
                    .with_index(*index)
                    .with_records(records.clone().map(bytes::Bytes::from));
                unknown(&mut partition.unknown_tagged_fields);
                topic.partition_data.push(partition);
            }
            request.topic_data.push(topic);
        }
        let header = Header::default()
            .with_request_api_key(0)
            .with_request_api_version(version)
            .with_correlation_id(4)
            .with_client_id(None);
        let mut frame = vec![0; 4];
        header.encode(&mut frame, Key::Produce.request_header_version(version)).expect("encodes");
        request.encode(&mut frame, version).expect("encodes");
        let size = (frame.len() - 4) as u32;
        frame[..4].copy_from_slice(&size.to_be_bytes());
        frame
    }

    proptest! {
        #[test]
        fn frames_of_the_kafka_protocol_crate_are_read(
            version in VERSIONS,
            acks in -1i16..=1,
            transactional in any::<bool>(),
            tagged in any::<bool>(),
            sizes in prop::collection::vec(prop::collection::vec(prop::option::of(0usize..400), 0..4), 0..4),
        ) {
            let topics = sizes.iter().map(|partitions| {
                let records = |bytes: &Option<usize>| bytes.map(|bytes| vec![7; bytes]);
                let partitions =
                    partitions.iter().enumerate().map(|(index, bytes)| (index as i32, records(bytes)));
                ("topic", partitions.collect::<Vec<_>>())
            });
            let spec = RequestSpec {
                api_version: version,
                acks,
                transactional_id: transactional.then_some("t"),
                topics: topics.collect(),
            };
            let frame = frame_of_crate(version, &spec, tagged);
            let mut request = ProduceRequest::default();

            prop_assert_eq!(request.parse(&frame), Ok(()));
            prop_assert_eq!(request.acks, acks);
            prop_assert_eq!(request.timeout_ms, 5);
            prop_assert_eq!(request.transactional_id.is_some(), transactional);
            let found: Vec<_> =
                request.partitions.iter().map(|partition| partition.records.map(Span::bytes)).collect();
            prop_assert_eq!(found, sizes.concat());
        }
    }
}
