//! However the network cuts the two streams of a connection, the same bytes come out of the gateway.

use std::cell::RefCell;
use std::sync::Arc;

use bench_harness::broker::Outcome;
use bytes::Bytes;
use proptest::prelude::*;

use super::super::super::Worker;
use super::super::super::driver::faulty::{Faults, Faulty, Network, Peer};
use super::super::TURNS_MAX;
use super::broker::{Brokers, node_address};
use super::control::{self, Control};
use super::requests::{Planned, Planner};
use super::world::{gateway_address, worker};
use crate::topology::CurrentTopology;

#[test]
fn one_cut_anywhere_in_the_requests_changes_nothing() {
    let (mut stage, recorded) = Stage::record();
    for at in 1..recorded.requests.len() {
        let (first, second) = recorded.requests.split_at(at);
        stage.check(&recorded, &[first, second], &[&recorded.answers], &format!("requests cut at {at}"));
    }
}

#[test]
fn one_cut_anywhere_in_the_answers_changes_nothing() {
    let (mut stage, recorded) = Stage::record();
    for at in 1..recorded.answers.len() {
        let (first, second) = recorded.answers.split_at(at);
        stage.check(&recorded, &[&recorded.requests], &[first, second], &format!("answers cut at {at}"));
    }
}

#[test]
fn many_cuts_change_nothing() {
    let (stage, recorded) = Stage::record();
    let stage = RefCell::new(stage);
    let sizes = || prop::collection::vec(1..400_usize, 1..20);
    proptest!(|(requests in sizes(), answers in sizes())| {
        let requests = pieces(&recorded.requests, &requests);
        let answers = pieces(&recorded.answers, &answers);
        stage.borrow_mut().check(&recorded, &requests, &answers, "many cuts");
    });
}

/// `bytes` in pieces of these sizes, over and over.
fn pieces<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for &size in sizes.iter().cycle() {
        let (piece, rest) = bytes.split_at(size.min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
        if bytes.is_empty() {
            break;
        }
    }
    pieces
}

/// The four streams of one connection.
struct Recorded {
    /// From the client.
    requests: Vec<u8>,
    /// To the broker.
    forwarded: Vec<u8>,
    /// From the broker.
    answers: Vec<u8>,
    /// To the client.
    replies: Vec<u8>,
}

/// A worker that serves one connection after the other, on a network that is as it should be.
struct Stage {
    network: Network,
    worker: Worker<Faulty>,
    control: Control,
}

impl Stage {
    /// A stage, and what happens on it uncut.
    fn record() -> (Self, Recorded) {
        let network = Network::new(SEED, Faults::default());
        let brokers = Brokers::new(&network, false);
        let topology = Arc::new(CurrentTopology::from_pointee(control::complete(&brokers)));
        let (worker, mailbox) = worker(&network, &topology, true, MAILBOX);
        let requests = requests(&network, &brokers);
        let mut stage = Self { network, worker, control: Control::new(mailbox, topology) };
        let (connection, forwarded) = stage.forward(&[&requests], usize::MAX);
        let answers = answers(&brokers, &forwarded);
        let replies = stage.reply(connection, &[&answers]);
        (stage, Recorded { requests, forwarded, answers, replies })
    }

    fn check(&mut self, recorded: &Recorded, requests: &[&[u8]], answers: &[&[u8]], what: &str) {
        let (connection, forwarded) = self.forward(requests, recorded.forwarded.len());
        assert!(forwarded == recorded.forwarded, "{what}: other bytes at the broker");
        let replies = self.reply(connection, answers);
        assert!(replies == recorded.replies, "{what}: other bytes at the client");
    }

    /// Writes requests to a new connection until `bytes` have arrived at the broker, or nothing more does.
    fn forward(&mut self, requests: &[&[u8]], bytes: usize) -> (Connection, Vec<u8>) {
        let client = self.network.connect(gateway_address(NODE)).expect("the gateway listens");
        requests.iter().for_each(|piece| self.write(&client, piece));
        let (mut upstream, mut forwarded, mut idle) = (None, Vec::new(), 0);
        while forwarded.len() < bytes && idle < IDLE_TURNS {
            self.turn();
            upstream = upstream.or_else(|| self.network.accept(node_address(NODE)));
            let progress = upstream.as_ref().is_some_and(|peer: &Peer| peer.read(&mut forwarded));
            idle = if progress { 0 } else { idle + 1 };
        }
        (Connection { client, upstream: upstream.expect("a request goes upstream") }, forwarded)
    }

    /// Writes answers and ends the connection; what the client has got.
    fn reply(&mut self, connection: Connection, answers: &[&[u8]]) -> Vec<u8> {
        let Connection { client, upstream } = connection;
        answers.iter().for_each(|piece| self.write(&upstream, piece));
        client.shutdown_write();
        let (mut replies, mut turns) = (Vec::new(), 0..TURNS_MAX);
        while !client.at_end() {
            assert!(turns.next().is_some(), "a hang");
            self.turn();
            client.read(&mut replies);
            if upstream.at_end() {
                upstream.shutdown_write();
            }
        }
        assert!(!client.is_reset() && !upstream.read(&mut Vec::new()), "bytes after the last request");
        replies
    }

    fn turn(&mut self) {
        self.control.take_messages(&self.network);
        self.worker.turn().unwrap();
    }

    /// Writes a piece, and has the gateway take it in before the next one.
    fn write(&mut self, peer: &Peer, mut piece: &[u8]) {
        while !piece.is_empty() {
            piece = &piece[peer.write(piece)..];
            (0..TURNS_PER_PIECE).for_each(|_| self.turn());
        }
    }
}

/// Both ends of one connection.
struct Connection {
    client: Peer,
    upstream: Peer,
}

/// A dozen small requests of all kinds, with small answers.
fn requests(network: &Network, brokers: &Brokers) -> Vec<u8> {
    let topics = brokers.topic_ids();
    let planner = Planner { network, topics: &topics, client: 1, node_id: NODE };
    let small = |planned: &Planned| {
        let answer = || match brokers.ask(NODE, planned.frame.slice(4..)) {
            Outcome::Answer(answer) => answer.len(),
            _ => 0,
        };
        let produce = !planned.partitions.is_empty();
        !planned.closes && planned.frame.len() <= BYTES_MAX && (produce || answer() <= BYTES_MAX)
    };
    let planned = planner.introduction().into_iter().chain(planner.requests(2, 100));
    planned.filter(small).take(REQUESTS).flat_map(|planned| planned.frame).collect()
}

/// What the broker makes of forwarded requests.
fn answers(brokers: &Brokers, mut forwarded: &[u8]) -> Vec<u8> {
    let mut answers = Vec::new();
    while let Some((size, rest)) = forwarded.split_first_chunk() {
        let (frame, rest) = rest.split_at(u32::from_be_bytes(*size) as usize);
        match brokers.ask(NODE, Bytes::copy_from_slice(frame)) {
            Outcome::Answer(answer) => answers.extend_from_slice(&answer),
            Outcome::Nothing => {}
            Outcome::Close => panic!("none of the requests ends the connection"),
        }
        forwarded = rest;
    }
    answers
}

/// The node whose port the client uses.
const NODE: i32 = 1;
/// Gives requests of all kinds.
const SEED: u64 = 12;
/// Requests of a stream, and the bytes of one and of its answer, at most: every byte is a place to cut.
const REQUESTS: usize = 8;
const BYTES_MAX: usize = 700;
/// Messages of more than a turn.
const MAILBOX: usize = 16;
/// Turns in which the gateway takes in all of a piece, and sends on what it can.
const TURNS_PER_PIECE: usize = 3;
/// Turns without a byte after which none comes.
const IDLE_TURNS: usize = 20;
