//! What scripted clients ask for, and what must become of it.

use bench_harness::client;
use bench_harness::codec::Codec;
use bench_harness::outgoing::{NOT_IDEMPOTENT, OutgoingRecord, batch};
use bytes::Bytes;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiVersionsRequest, BrokerId, FetchRequest, ListOffsetsRequest, MetadataRequest, ProduceRequest,
};

use super::super::super::driver::faulty::Network;
use super::broker::{ARCHIVE, PARTITIONS, TOPICS, TopicIds, leader_of};

/// One request of a script.
pub(super) struct Planned {
    /// Client and position in one number: names the request everywhere.
    pub(super) correlation_id: i32,
    pub(super) frame: Bytes,
    /// What the client must get; `None` when there is no answer.
    pub(super) answer: Option<Answer>,
    /// What must become of the batches of a Produce.
    pub(super) partitions: Vec<Expected>,
    /// The connection ends with it: without an answer, closing is the only way to tell of an error.
    pub(super) closes: bool,
}

/// What is checked of an answer, beside that it is this request's.
pub(super) enum Answer {
    /// Only ranges that the gateway supports.
    ApiVersions { version: i16 },
    /// The gateway's own answer to a version of tomorrow.
    TooNew,
    /// Only addresses of the gateway.
    Metadata { version: i16 },
    /// Each partition as expected.
    Produce { version: i16 },
    /// Byte for byte what the broker wrote.
    Verbatim,
}

/// What must become of a partition's batch.
pub(super) struct Expected {
    pub(super) topic: &'static str,
    pub(super) partition: i32,
    pub(super) fate: Fate,
    /// What the broker must have when it appended: key, value and label of each record.
    pub(super) records: Vec<ExpectedRecord>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Appended,
    Refused,
    NotLeader,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExpectedRecord {
    pub(super) key: Bytes,
    pub(super) value: Bytes,
    /// Masked or stubbed: labelled where the policy labels.
    pub(super) sensitive: bool,
}

/// Makes the requests of one client.
pub(super) struct Planner<'a> {
    pub(super) network: &'a Network,
    pub(super) topics: &'a TopicIds,
    pub(super) client: i32,
    /// The node that the requests go to.
    pub(super) node_id: i32,
}

impl Planner<'_> {
    /// What a client asks first; teaches the gateway brokers and topics.
    pub(super) fn introduction(&self) -> Vec<Planned> {
        vec![self.api_versions(0), self.metadata(1)]
    }

    /// `count` requests, with positions from `from` on.
    pub(super) fn requests(&self, from: i32, count: usize) -> Vec<Planned> {
        (from..).take(count).map(|position| self.request(position)).collect()
    }

    /// `count` large answers.
    pub(super) fn fetches(&self, from: i32, count: usize) -> Vec<Planned> {
        (from..).take(count).map(|position| self.fetch(position)).collect()
    }

    fn request(&self, position: i32) -> Planned {
        match self.network.random(16) {
            0 => self.api_versions(position),
            1 => self.metadata(position),
            2 | 3 => self.fetch(position),
            4 => self.list_offsets(position),
            _ => self.produce(position),
        }
    }

    fn plan<T: kafka_protocol::protocol::Request>(
        &self,
        position: i32,
        version: i16,
        request: &T,
        answer: Option<Answer>,
    ) -> Planned {
        let correlation_id = self.client * REQUESTS_MAX + position;
        let frame = client::frame(version, correlation_id, request).expect("the version has these fields");
        Planned { correlation_id, frame, answer, partitions: Vec::new(), closes: false }
    }

    fn api_versions(&self, position: i32) -> Planned {
        let version = self.network.random(5) as i16;
        let answer = Answer::ApiVersions { version };
        let mut planned = self.plan(position, version, &ApiVersionsRequest::default(), Some(answer));
        if self.network.random(4) == 0 {
            let mut frame = planned.frame.to_vec();
            frame[API_VERSION].copy_from_slice(&99_i16.to_be_bytes());
            (planned.frame, planned.answer) = (frame.into(), Some(Answer::TooNew));
        }
        planned
    }

    fn metadata(&self, position: i32) -> Planned {
        // From version 10 on the answer teaches topic ids, and Produce by topic id needs them.
        let version = if position == 1 { 12 } else { self.network.random(14) as i16 };
        let topic = |name| MetadataRequestTopic::default().with_name(Some(client::topic_name(name)));
        let request = MetadataRequest::default()
            .with_topics(Some(TOPICS.into_iter().map(topic).collect()))
            .with_allow_auto_topic_creation(true);
        self.plan(position, version, &request, Some(Answer::Metadata { version }))
    }

    /// A large answer, relayed unread.
    fn fetch(&self, position: i32) -> Planned {
        let version = 4 + self.network.random(9) as i16;
        let partition = FetchPartition::default()
            .with_partition(self.own_partition())
            .with_partition_max_bytes(self.network.random(ARCHIVE_BYTES) as i32);
        let topic =
            FetchTopic::default().with_topic(client::topic_name(ARCHIVE)).with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_bytes(ARCHIVE_BYTES as i32)
            .with_topics(vec![topic]);
        self.plan(position, version, &request, Some(Answer::Verbatim))
    }

    fn list_offsets(&self, position: i32) -> Planned {
        let version = 1 + self.network.random(9) as i16;
        let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1));
        self.plan(position, version, &request, Some(Answer::Verbatim))
    }

    fn own_partition(&self) -> i32 {
        let all: Vec<i32> = (0..PARTITIONS).filter(|&index| leader_of(index) == self.node_id).collect();
        all[self.network.random(all.len())]
    }

    fn produce(&self, position: i32) -> Planned {
        let version = 3 + self.network.random(11) as i16;
        let acks = [-1, -1, 1, 0][self.network.random(4)];
        let mut topics = Vec::new();
        let mut partitions = Vec::new();
        for topic in TOPICS.into_iter().filter(|_| self.network.random(2) == 0) {
            let mut batches = Vec::new();
            for pair in 0..1 + self.network.random(PARTITIONS as usize / 2) as i32 {
                let elsewhere = i32::from(self.network.random(8) == 0);
                let partition = pair * 2 + ((self.node_id - 1) ^ elsewhere);
                let (batch, one) = self.batch(version, topic, partition, position);
                batches.push((partition, batch));
                partitions.push(one);
            }
            topics.push(client::topic_data(version, topic, self.topics[topic], batches));
        }
        let request =
            ProduceRequest::default().with_acks(acks).with_timeout_ms(30_000).with_topic_data(topics);
        let closes = acks == 0 && partitions.iter().any(|one: &Expected| one.fate != Fate::Appended);
        let answer = (acks != 0).then_some(Answer::Produce { version });
        Planned { closes, partitions, ..self.plan(position, version, &request, answer) }
    }

    fn batch(&self, version: i16, topic: &'static str, partition: i32, position: i32) -> (Bytes, Expected) {
        let codecs = if version < ZSTD_VERSION { &Codec::ALL[..4] } else { &Codec::ALL[..] };
        let codec = codecs[self.network.random(codecs.len())];
        let (mut outgoing, mut records, mut refused) = (Vec::new(), Vec::new(), false);
        for index in 0..1 + self.network.random(4) {
            let key = Bytes::from(format!("{topic}-{partition}-{}-{position}-{index}", self.client));
            let (value, expected) = self.value(topic);
            refused |= expected.is_none();
            outgoing.push(OutgoingRecord {
                timestamp: 1_700_000_000_000,
                key: Some(key.clone()),
                value: Some(value.clone()),
                headers: Vec::new(),
            });
            let expected = expected.unwrap_or_default();
            records.push(ExpectedRecord { key, sensitive: expected != value, value: expected });
        }
        let fate = match refused {
            true => Fate::Refused,
            false if leader_of(partition) == self.node_id => Fate::Appended,
            false => Fate::NotLeader,
        };
        let batch = batch(&outgoing, codec, NOT_IDEMPOTENT).expect("the codec takes any text");
        (batch, Expected { topic, partition, fate, records })
    }

    /// A value, and what the broker gets in its place; `None` when its batch is refused.
    fn value(&self, topic: &str) -> (Bytes, Option<Bytes>) {
        let (before, after) = match (self.network.random(5), topic) {
            (0, "masked") => (CARD, Some("\"**** **** **** ****\"")),
            (1, "masked") => (MAIL, Some("\"[email]\"")),
            (0, "refused") => (CARD, None),
            (0, "stubbed") => {
                return (format!("{{\"pan\":{CARD}}}").into(), Some("{\"blocked\":\"stub\"}".into()));
            }
            _ => ("\"nothing\"", Some("\"nothing\"")),
        };
        let filler = "lorem ipsum ".repeat(self.network.random(1 << self.network.random(9)));
        let write = |field| Bytes::from(format!("{{\"text\":\"{filler}\",\"field\":{field}}}"));
        (write(before), after.map(write))
    }
}

/// Sensitive values, which no broker may see: a test number of the card schemes, and an address.
const CARD: &str = "\"4111 1111 1111 1111\"";
const MAIL: &str = "\"jane.doe@corp.example.com\"";
/// What no byte towards a broker may contain.
pub(super) const CANARIES: [&[u8]; 2] = [b"4111 1111 1111 1111", b"jane.doe@corp"];

/// Requests of one client, at most.
pub(super) const REQUESTS_MAX: i32 = 1_000;
/// Bytes of the archive that a Fetch asks for, at most: several windows of the network.
const ARCHIVE_BYTES: usize = 40_000;
/// First Produce that may carry zstd (KIP-110).
const ZSTD_VERSION: i16 = 7;
/// Where a request frame has its version.
const API_VERSION: std::ops::Range<usize> = 6..8;
