//! A scripted client: writes its requests in pieces, reads when it likes, and checks every answer as it comes.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;

use super::super::super::driver::faulty::{Network, Peer};
use super::answers;
use super::broker::Brokers;
use super::requests::Planned;

/// One connection with its script.
pub(super) struct Client {
    pub(super) id: i32,
    peer: Peer,
    plan: Vec<Planned>,
    /// All requests behind each other, and where each of them ends.
    stream: Vec<u8>,
    ends: Vec<usize>,
    sent: usize,
    /// Requests without an answer, at most.
    in_flight_max: usize,
    /// Finishes when everything is sent, not when everything is answered.
    finishes_early: bool,
    /// Reads nothing for now.
    pub(super) deaf: bool,
    /// Goes away after so many bytes.
    quits_after: Option<usize>,
    received: Vec<u8>,
    /// Position in the plan behind the last answered request.
    answered: usize,
    course: DefaultHasher,
}

/// How a connection went.
pub(super) struct Ended {
    pub(super) id: i32,
    pub(super) plan: Vec<Planned>,
    /// Position in the plan behind the last answered request.
    pub(super) answered: usize,
    pub(super) was_reset: bool,
    /// The client went away on its own.
    pub(super) quit: bool,
    /// Of everything that came, and when.
    pub(super) course: u64,
}

impl Client {
    pub(super) fn new(network: &Network, id: i32, peer: Peer, plan: Vec<Planned>) -> Self {
        let (mut stream, mut ends) = (Vec::new(), Vec::new());
        for planned in &plan {
            stream.extend_from_slice(&planned.frame);
            ends.push(stream.len());
        }
        Self {
            id,
            peer,
            plan,
            stream,
            ends,
            sent: 0,
            in_flight_max: 1 + network.random(8),
            finishes_early: network.random(2) == 0,
            deaf: false,
            quits_after: None,
            received: Vec::new(),
            answered: 0,
            course: DefaultHasher::new(),
        }
    }

    /// Goes away in the middle of its requests.
    pub(super) fn quit_somewhere(mut self, network: &Network) -> Self {
        self.quits_after = Some(network.random(self.stream.len() + 1));
        self
    }

    /// Writes and reads as far as the seed's mood goes; what became of it when nothing more can happen.
    pub(super) fn step(&mut self, network: &Network, brokers: &Brokers, turn: usize) -> Option<Ended> {
        if network.random(3) > 0 {
            self.write(network);
        }
        if !self.deaf && network.random(4) > 0 {
            self.read(brokers, turn);
        }
        let quits = self.quits_after.is_some_and(|bytes| self.sent >= bytes);
        if !quits && !self.peer.at_end() {
            return None;
        }
        self.read(brokers, turn);
        Some(Ended {
            id: self.id,
            answered: self.answered,
            was_reset: self.peer.is_reset(),
            quit: quits,
            course: self.course.finish(),
            plan: std::mem::take(&mut self.plan),
        })
    }

    fn write(&mut self, network: &Network) {
        let allowed = self.quits_after.unwrap_or(usize::MAX).min(self.may_be_sent());
        let most = allowed.saturating_sub(self.sent).min(1 + network.random(WRITE_BYTES_MAX));
        self.sent += self.peer.write(&self.stream[self.sent..self.sent + most]);
        let all_sent = self.sent == self.stream.len();
        if all_sent && (self.finishes_early || self.next_answer().is_none()) {
            self.peer.shutdown_write();
        }
    }

    /// Bytes up to the request that would be one too many.
    fn may_be_sent(&self) -> usize {
        let unanswered = (self.answered..self.plan.len()).filter(|&at| self.plan[at].answer.is_some());
        unanswered.take(self.in_flight_max).last().map_or(self.stream.len(), |last| {
            // Requests without an answer behind it go along.
            let next = (last + 1..self.plan.len()).find(|&at| self.plan[at].answer.is_some());
            next.map_or(self.stream.len(), |next| self.ends[next - 1])
        })
    }

    /// Position in the plan of the request whose answer comes next.
    fn next_answer(&self) -> Option<usize> {
        (self.answered..self.plan.len()).find(|&at| self.plan[at].answer.is_some())
    }

    fn read(&mut self, brokers: &Brokers, turn: usize) {
        let before = self.received.len();
        if !self.peer.read(&mut self.received) {
            return;
        }
        (turn, &self.received[before..]).hash(&mut self.course);
        while let Some(frame) = self.next_frame() {
            let at = self.next_answer().expect("an answer to a request");
            let planned = &self.plan[at];
            let requested = self.sent >= self.ends[at];
            assert!(requested, "an answer before its request");
            answers::check(planned, &frame, brokers);
            self.answered = at + 1;
        }
    }

    fn next_frame(&mut self) -> Option<Bytes> {
        let size = u32::from_be_bytes(*self.received.first_chunk()?) as usize + 4;
        (size <= self.received.len()).then(|| self.received.drain(..size).collect::<Vec<_>>().into())
    }
}

/// Bytes of one write, at most.
const WRITE_BYTES_MAX: usize = 6_000;
