//! Produce requests as fast as they are acknowledged: a closed loop with a fixed number in flight.
//!
//! Requests are prepared whole before the clock starts; what remains is one write and one read each, so the
//! generator's own cost hardly shows.

use crate::client::{PRODUCE_VERSION, frame, produce_request};
use crate::codec::Codec;
use crate::outgoing::{NOT_IDEMPOTENT, OutgoingRecord, batch};
use crate::telemetry::{Options, Telemetry, TelemetryRecord};
use anyhow::{Context, Result, ensure};
use bytes::{Buf, Bytes};
use kafka_protocol::messages::ProduceResponse;
use kafka_protocol::messages::ResponseHeader;
use kafka_protocol::protocol::Decodable;
use std::collections::VecDeque;
use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What the requests carry.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Codec of the batches.
    pub codec: Codec,
    /// Share of the records with a planted sensitive value.
    pub hit_rate: f64,
    /// Length of a record's value.
    pub record_bytes: usize,
    /// Uncompressed bytes of a batch, at most.
    pub batch_bytes: usize,
}

/// Requests that were prepared, and what is in them.
#[derive(Debug)]
pub struct Requests {
    frames: Vec<Vec<u8>>,
    /// Uncompressed bytes of each frame's records.
    payload_bytes: Vec<u64>,
    /// The records of all frames, in order.
    pub records: Vec<TelemetryRecord>,
}

/// Distinct requests of a workload: 4 MiB at 64 KiB each, more than a second-level cache.
const DISTINCT: usize = 64;

/// What a record adds to the lengths of its key and value, at most.
const RECORD_OVERHEAD_BYTES: usize = 32;

impl Requests {
    /// Prepares requests to partition 0 of a topic.
    ///
    /// # Errors
    ///
    /// When the codec fails.
    pub fn prepare(topic: &str, workload: &Workload) -> Result<Self> {
        let options = Options { seed: 1, hit_rate: workload.hit_rate, record_bytes: workload.record_bytes };
        let mut telemetry = Telemetry::new(options);
        let mut prepared = Self { frames: Vec::new(), payload_bytes: Vec::new(), records: Vec::new() };
        for _ in 0..DISTINCT {
            prepared.add(topic, workload, &mut telemetry)?;
        }
        Ok(prepared)
    }

    fn add(&mut self, topic: &str, workload: &Workload, telemetry: &mut Telemetry) -> Result<()> {
        let mut records = Vec::new();
        let mut bytes = 0;
        while bytes + workload.record_bytes + RECORD_OVERHEAD_BYTES <= workload.batch_bytes {
            let record = telemetry.next().context("telemetry is endless")?;
            bytes += record.value.len() + RECORD_OVERHEAD_BYTES;
            records.push(outgoing(&record));
            self.records.push(record);
        }
        let payload = batch(&records, Codec::None, NOT_IDEMPOTENT)?.len();
        let batch = batch(&records, workload.codec, NOT_IDEMPOTENT)?;
        self.frames.push(frame(PRODUCE_VERSION, 0, &produce_request(topic, 0, batch))?.to_vec());
        self.payload_bytes.push(payload as u64);
        Ok(())
    }

    /// Number of distinct requests.
    pub fn count(&self) -> usize {
        self.frames.len()
    }
}

fn outgoing(record: &TelemetryRecord) -> OutgoingRecord {
    OutgoingRecord {
        timestamp: 1_700_000_000_000,
        key: Some(Bytes::from_static(record.key.as_bytes())),
        value: Some(Bytes::copy_from_slice(record.value.as_bytes())),
        headers: Vec::new(),
    }
}

/// What one run of the loop did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// Requests acknowledged without an error.
    pub requests: u64,
    /// Uncompressed bytes of their batches.
    pub payload_bytes: u64,
    /// From the first write to the last answer.
    pub elapsed: Duration,
}

/// One connection that produces.
#[derive(Debug)]
pub struct Producer {
    write: TcpStream,
    read: BufReader<TcpStream>,
    next: usize,
    correlation_id: i32,
}

/// Correlation id in a request frame: behind size, API key and version.
const CORRELATION_ID: std::ops::Range<usize> = 8..12;

impl Producer {
    /// Connects.
    ///
    /// # Errors
    ///
    /// When nobody answers there.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let write = TcpStream::connect(address)?;
        write.set_nodelay(true)?;
        write.set_read_timeout(Some(Duration::from_secs(30)))?;
        let read = BufReader::new(write.try_clone()?);
        Ok(Self { write, read, next: 0, correlation_id: 0 })
    }

    /// Sends while `more(requests sent, time since the start)`, never more than `in_flight` unanswered, and waits
    /// for all answers.
    ///
    /// # Errors
    ///
    /// When a request is refused or the connection breaks.
    pub fn run(
        &mut self,
        requests: &mut Requests,
        in_flight: usize,
        more: impl Fn(u64, Duration) -> bool,
    ) -> Result<Ran> {
        let started = Instant::now();
        let mut ran = Ran::default();
        let mut waiting = VecDeque::with_capacity(in_flight);
        let mut sent = 0;
        loop {
            while waiting.len() < in_flight && more(sent, started.elapsed()) {
                waiting.push_back(self.send(requests)?);
                sent += 1;
            }
            let Some(payload_bytes) = waiting.pop_front() else {
                ran.elapsed = started.elapsed();
                return Ok(ran);
            };
            self.receive(waiting.len())?;
            ran.requests += 1;
            ran.payload_bytes += payload_bytes;
        }
    }

    /// Writes the next request and gives the bytes of its payload.
    fn send(&mut self, requests: &mut Requests) -> Result<u64> {
        let index = self.next % requests.frames.len();
        self.next += 1;
        self.correlation_id = self.correlation_id.wrapping_add(1) & i32::MAX;
        let frame = &mut requests.frames[index];
        frame[CORRELATION_ID].copy_from_slice(&self.correlation_id.to_be_bytes());
        self.write.write_all(frame)?;
        Ok(requests.payload_bytes[index])
    }

    /// Reads the oldest answer, behind which `newer` others are awaited.
    fn receive(&mut self, newer: usize) -> Result<()> {
        let mut prefix = [0; 4];
        self.read.read_exact(&mut prefix).context("no answer")?;
        let mut answer = vec![0; usize::try_from((&prefix[..]).get_i32())?];
        self.read.read_exact(&mut answer)?;
        let mut answer = Bytes::from(answer);
        let header = ResponseHeader::decode(&mut answer, 1)?;
        let expected = self.correlation_id.wrapping_sub(i32::try_from(newer)?) & i32::MAX;
        ensure!(header.correlation_id == expected, "answer {} instead of {expected}", header.correlation_id);
        let response = ProduceResponse::decode(&mut answer, PRODUCE_VERSION)?;
        let partition = response.responses.first().and_then(|topic| topic.partition_responses.first());
        ensure!(partition.is_some_and(|partition| partition.error_code == 0), "refused: {partition:?}");
        Ok(())
    }
}
