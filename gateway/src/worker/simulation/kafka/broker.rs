//! The scripted cluster: two nodes that check what they get, answer late and in pieces, and fall away.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use bench_harness::broker::{OfflineBroker, Options, Outcome, StoredRecord};
use bench_harness::client;
use bench_harness::codec::Codec;
use bench_harness::outgoing::{NOT_IDEMPOTENT, OutgoingRecord, batch};
use bytes::Bytes;

use super::super::super::driver::faulty::{Network, Peer};
use super::requests::{CANARIES, REQUESTS_MAX};

/// Ids of the topics, by name.
pub(super) type TopicIds = BTreeMap<&'static str, [u8; 16]>;

/// The two nodes, and what they have done.
pub(super) struct Brokers {
    engine: OfflineBroker,
    upstreams: Vec<Upstream>,
    /// Upstream connections end early, now and then.
    fall_away: bool,
    /// A node that does nothing for now.
    pub(super) frozen: Option<i32>,
    /// The answer to each request, whole frames.
    pub(super) answers: BTreeMap<i32, Bytes>,
    /// Requests whose answer has been written to its last byte.
    pub(super) written: BTreeSet<i32>,
    /// Clients whose upstream connection was reset by the network or the broker.
    pub(super) reset: BTreeSet<i32>,
}

/// One connection of the gateway.
struct Upstream {
    node_id: i32,
    peer: Peer,
    received: Vec<u8>,
    /// Written so far of what is to be written.
    pending: VecDeque<u8>,
    /// Answers in `pending`: correlation id and the bytes that are left up to its end.
    unwritten: VecDeque<(i32, usize)>,
    /// Correlation id of the last request; names the client.
    last: Option<i32>,
    end: End,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// When the gateway has finished.
    Orderly,
    /// The broker finishes after so many answers more.
    Finishes(usize),
    /// Reset after so many bytes more.
    Resets(usize),
    /// The broker has finished: what still comes is not read.
    Finished,
}

impl Brokers {
    pub(super) fn new(network: &Network, fall_away: bool) -> Self {
        NODES.into_iter().for_each(|(_, address)| network.listen(address.into()));
        let addresses = NODES.into_iter().map(|(_, address)| address.into()).collect();
        let options = Options { advertised_host: Some(UPSTREAM_HOST.to_owned()), ..Options::default() };
        let engine = OfflineBroker::new(options, addresses);
        TOPICS.into_iter().chain([ARCHIVE]).for_each(|topic| engine.create_topic(topic, PARTITIONS));
        (0..PARTITIONS).for_each(|partition| fill_archive(&engine, partition));
        Self {
            engine,
            upstreams: Vec::new(),
            fall_away,
            frozen: None,
            answers: BTreeMap::new(),
            written: BTreeSet::new(),
            reset: BTreeSet::new(),
        }
    }

    /// Ids of the topics.
    pub(super) fn topic_ids(&self) -> TopicIds {
        let id = |topic| (topic, self.engine.topic_id(topic).expect("created at the start"));
        TOPICS.into_iter().map(id).collect()
    }

    /// Records of a topic, by partition and offset.
    pub(super) fn records(&self, topic: &str) -> Vec<StoredRecord> {
        self.engine.records(topic)
    }

    /// What node `node_id` makes of a request without its length prefix.
    pub(super) fn ask(&self, node_id: i32, frame: Bytes) -> Outcome {
        self.engine.answer(node_id, frame).expect("a request that a broker takes")
    }

    /// Connections of the gateway that are not over.
    pub(super) fn connections(&self) -> usize {
        self.upstreams.len()
    }

    /// Reads, answers and writes, as far as the seed's mood goes.
    pub(super) fn step(&mut self, network: &Network) {
        for (node_id, address) in NODES {
            while let Some(peer) = network.accept(address.into()) {
                let end = match network.random(3) {
                    0 if self.fall_away => End::Finishes(network.random(8)),
                    1 if self.fall_away => End::Resets(network.random(20_000)),
                    _ => End::Orderly,
                };
                self.upstreams.push(Upstream::new(node_id, peer, end));
            }
        }
        let mut upstreams = std::mem::take(&mut self.upstreams);
        upstreams.retain_mut(|upstream| self.serve(network, upstream));
        self.upstreams = upstreams;
        assert_eq!(self.engine.complaints(), [""; 0], "the gateway sends what a broker refuses");
    }

    /// False when the connection is over.
    fn serve(&mut self, network: &Network, upstream: &mut Upstream) -> bool {
        if self.frozen == Some(upstream.node_id) {
            return true;
        }
        if network.random(4) > 0 {
            upstream.peer.read(&mut upstream.received);
        }
        while network.random(3) > 0
            && let Some(frame) = upstream.next_frame()
        {
            self.answer(upstream, frame);
        }
        self.written.extend(upstream.write(network));
        if upstream.peer.is_reset() {
            // Where brokers stay, only the gateway can have done it, and it may not.
            self.reset.extend(upstream.client().filter(|_| self.fall_away));
            return false;
        }
        if !upstream.peer.at_end() {
            return true;
        }
        // As a proxy in between may do it, which leaves no connection half closed: answers still owed are lost.
        while let Some(frame) = upstream.next_frame() {
            self.answer(upstream, frame);
        }
        let finished = matches!(upstream.end, End::Finished | End::Finishes(0));
        assert!(finished || upstream.received.is_empty(), "the gateway finishes within a frame");
        upstream.peer.shutdown_write();
        false
    }

    fn answer(&mut self, upstream: &mut Upstream, frame: Bytes) {
        let leaked = CANARIES.iter().any(|canary| frame.windows(canary.len()).any(|bytes| bytes == *canary));
        assert!(!leaked, "a canary arrives at the broker");
        let correlation_id = i32::from_be_bytes(frame[4..8].try_into().expect("four bytes"));
        let before = upstream.last.replace(correlation_id);
        assert!(before.is_none_or(|before| before < correlation_id), "requests arrive in order, once");
        assert!(
            before.is_none_or(|before| client_of(before) == client_of(correlation_id)),
            "one client each"
        );
        match self.ask(upstream.node_id, frame) {
            Outcome::Answer(answer) => {
                upstream.pending.extend(&answer);
                upstream.unwritten.push_back((correlation_id, upstream.pending.len()));
                self.answers.insert(correlation_id, answer);
            }
            Outcome::Nothing => {}
            Outcome::Close => upstream.end = End::Finishes(0),
        }
    }
}

impl Upstream {
    fn new(node_id: i32, peer: Peer, end: End) -> Self {
        Self {
            node_id,
            peer,
            received: Vec::new(),
            pending: VecDeque::new(),
            unwritten: VecDeque::new(),
            last: None,
            end,
        }
    }

    fn client(&self) -> Option<i32> {
        self.last.map(client_of)
    }

    /// The next whole request, without its length prefix.
    fn next_frame(&mut self) -> Option<Bytes> {
        if matches!(self.end, End::Finished | End::Finishes(0)) {
            return None;
        }
        let bytes = u32::from_be_bytes(*self.received.first_chunk()?) as usize + 4;
        if bytes > self.received.len() {
            return None;
        }
        let frame: Vec<u8> = self.received.drain(..bytes).collect();
        if let End::Finishes(left) = &mut self.end {
            *left -= 1;
        }
        Some(Bytes::from(frame).slice(4..))
    }

    /// Writes a part of what is pending; the requests whose answers are out.
    fn write(&mut self, network: &Network) -> Vec<i32> {
        let mut part = network.random(self.pending.len() + 1);
        if let End::Resets(left) = &mut self.end {
            part = part.min(*left);
            *left -= part;
            if *left == 0 {
                self.peer.reset();
            }
        }
        let bytes: Vec<u8> = self.pending.iter().take(part).copied().collect();
        let written = self.peer.write(&bytes);
        self.pending.drain(..written);
        self.unwritten.iter_mut().for_each(|(_, left)| *left = left.saturating_sub(written));
        if self.end == End::Finishes(0) && self.pending.is_empty() {
            self.peer.shutdown_write();
            self.end = End::Finished;
        }
        let mut out = Vec::new();
        while let Some((correlation_id, _)) = self.unwritten.pop_front_if(|(_, left)| *left == 0) {
            out.push(correlation_id);
        }
        out
    }
}

fn client_of(correlation_id: i32) -> i32 {
    correlation_id / REQUESTS_MAX
}

/// Records to fetch, from a small batch to one that fills the window of the network.
fn fill_archive(engine: &OfflineBroker, partition: i32) {
    for index in 0..10 {
        let value = Some(Bytes::from(format!("archived {index} ").repeat(1 << index)));
        let record = OutgoingRecord { value, ..OutgoingRecord::default() };
        let batch = batch(&[record], Codec::None, NOT_IDEMPOTENT).expect("encodes");
        let request = client::produce_request(ARCHIVE, partition, batch);
        let frame = client::frame(client::PRODUCE_VERSION, 0, &request).expect("encodes");
        let stored = engine.answer(leader_of(partition), frame.slice(4..));
        assert!(matches!(stored, Ok(Outcome::Answer(_))));
    }
}

/// The node that leads a partition of any topic.
pub(super) fn leader_of(partition: i32) -> i32 {
    partition % NODES.len() as i32 + 1
}

/// Topics whose names say what the policy does in them.
pub(super) const TOPICS: [&str; 3] = ["masked", "refused", "stubbed"];
/// A topic that is only read.
pub(super) const ARCHIVE: &str = "archive";
/// Partitions of each topic; even ones are led by node 1.
pub(super) const PARTITIONS: i32 = 6;
/// Node ids and where they listen.
pub(super) const NODES: [(i32, ([u8; 4], u16)); 2] = [(1, ([10, 0, 0, 2], 9092)), (2, ([10, 0, 0, 3], 9093))];
/// What the brokers call themselves: no client may see it.
pub(super) const UPSTREAM_HOST: &str = "upstream.internal";

/// A socket address of a node.
pub(super) fn node_address(node_id: i32) -> SocketAddr {
    let (_, address) = NODES[(node_id - 1) as usize];
    address.into()
}
