//! A blocking Kafka client that is just enough to produce and to read back: demo, tests, benchmark.

use anyhow::{Context, Result, ensure};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::error::{ParseResponseErrorCode, ResponseError};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    BrokerId, FetchRequest, FetchResponse, MetadataRequest, MetadataResponse, ProduceRequest,
    ProduceResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Time after which a silent peer is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Largest answer taken, bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// One connection to one broker, one request at a time.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    correlation_id: i32,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    ///
    /// When nobody answers there.
    pub fn open(address: impl ToSocketAddrs) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, correlation_id: 0 })
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    ///
    /// When the peer closes, stays silent, or answers something else.
    pub fn call<T: Request>(&mut self, version: i16, request: &T) -> Result<T::Response> {
        self.send(version, request)?;
        self.receive::<T>(version)
    }

    /// Sends a request without waiting.
    ///
    /// # Errors
    ///
    /// When the peer has closed.
    pub fn send<T: Request>(&mut self, version: i16, request: &T) -> Result<()> {
        self.correlation_id += 1;
        let frame = frame(version, self.correlation_id, request)?;
        Ok(self.stream.write_all(&frame)?)
    }

    /// Receives the answer to the request sent last.
    ///
    /// # Errors
    ///
    /// As [`Connection::call`].
    pub fn receive<T: Request>(&mut self, version: i16) -> Result<T::Response> {
        let mut answer = self.receive_frame()?;
        let header = ResponseHeader::decode(&mut answer, T::Response::header_version(version))?;
        ensure!(header.correlation_id == self.correlation_id, "the answer belongs to another request");
        T::Response::decode(&mut answer, version).context("cannot decode the answer")
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    ///
    /// When the peer has closed.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// Receives a frame, without its length prefix.
    ///
    /// # Errors
    ///
    /// When the peer closes or stays silent.
    pub fn receive_frame(&mut self) -> Result<Bytes> {
        let mut prefix = [0; 4];
        self.stream.read_exact(&mut prefix).context("no answer")?;
        let size = usize::try_from((&prefix[..]).get_i32())?;
        ensure!(size <= ANSWER_BYTES_MAX, "an answer of {size} bytes");
        let mut frame = vec![0; size];
        self.stream.read_exact(&mut frame)?;
        Ok(frame.into())
    }

    /// Asks for a topic, creating it, and waits until each of its partitions has a leader.
    ///
    /// # Errors
    ///
    /// When that does not happen within half a minute.
    pub fn metadata(&mut self, topic: &str) -> Result<MetadataResponse> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let asked = MetadataRequestTopic::default().with_name(Some(topic_name(topic)));
            let request = MetadataRequest::default()
                .with_topics(Some(vec![asked]))
                .with_allow_auto_topic_creation(true);
            let response = self.call(METADATA_VERSION, &request)?;
            let topic = response.topics.first().context("the topic is missing from its Metadata")?;
            let led = topic.partitions.iter().all(|partition| partition.leader_id.0 >= 0);
            if topic.error_code == 0 && led && !topic.partitions.is_empty() {
                return Ok(response);
            }
            let error = topic.error_code.err().unwrap_or(ResponseError::LeaderNotAvailable);
            ensure!(error.is_retriable() && Instant::now() < deadline, "topic {topic:?}: {error}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Fetches from one partition; waits up to `wait` for something to come.
    ///
    /// # Errors
    ///
    /// When the broker refuses.
    pub fn fetch(&mut self, topic: &str, partition: i32, offset: i64, wait: Duration) -> Result<Bytes> {
        let asked = FetchPartition::default()
            .with_partition(partition)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(FETCH_BYTES_MAX);
        let topics = vec![FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![asked])];
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(i32::try_from(wait.as_millis())?)
            .with_min_bytes(1)
            .with_max_bytes(FETCH_BYTES_MAX)
            .with_topics(topics);
        let response: FetchResponse = self.call(FETCH_VERSION, &request)?;
        let partition = response.responses.into_iter().flat_map(|topic| topic.partitions).next();
        let partition = partition.context("the partition is missing from the answer")?;
        ensure!(partition.error_code == 0, "fetch: {:?}", partition.error_code.err());
        Ok(partition.records.unwrap_or_default())
    }
}

/// Metadata by name, as all brokers since 2.4 have it.
const METADATA_VERSION: i16 = 9;
/// The last Fetch that names topics by name.
const FETCH_VERSION: i16 = 12;
/// The last Produce that names topics by name and that brokers since 2.4 have.
pub const PRODUCE_VERSION: i16 = 9;
/// The first Produce that names topics by id (KIP-516).
const TOPIC_ID_VERSION: i16 = 13;
/// Bytes asked for in one Fetch.
const FETCH_BYTES_MAX: i32 = 8 << 20;

/// A topic's name in the protocol's type.
pub fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// A whole request frame with its length prefix.
///
/// # Errors
///
/// When this version cannot express the request.
pub fn frame<T: Request>(version: i16, correlation_id: i32, request: &T) -> Result<Bytes> {
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    let header = RequestHeader::default()
        .with_request_api_key(T::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(StrBytes::from_static_str("bench-harness")));
    header.encode(&mut frame, T::header_version(version))?;
    request.encode(&mut frame, version)?;
    let size = i32::try_from(frame.len() - 4)?;
    frame[..4].copy_from_slice(&size.to_be_bytes());
    Ok(frame.freeze())
}

/// A Produce of one batch to one partition, acknowledged by all replicas.
pub fn produce_request(topic: &str, partition: i32, batch: Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
    let topic = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
    ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![topic])
}

/// Batches for partitions of one topic, which is named by its name or by its id, as the version wants it.
pub fn topic_data(
    version: i16,
    name: &str,
    id: [u8; 16],
    batches: impl IntoIterator<Item = (i32, Bytes)>,
) -> TopicProduceData {
    let data = |(index, batch)| PartitionProduceData::default().with_index(index).with_records(Some(batch));
    let topic = TopicProduceData::default().with_partition_data(batches.into_iter().map(data).collect());
    if version < TOPIC_ID_VERSION {
        topic.with_name(topic_name(name))
    } else {
        topic.with_topic_id(Uuid::from_bytes(id))
    }
}

/// The error code of the only partition of a Produce answer.
pub fn produce_error(response: &ProduceResponse) -> Option<ResponseError> {
    let partition = response.responses.first().and_then(|topic| topic.partition_responses.first());
    partition.and_then(|partition| partition.error_code.err())
}
