//! What the three loops of a connection share: the exchanges that wait for the upstream and the replies
//! that wait for the client. Plain data without I/O; the loops move it on and wait for its changes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::buffers::Slice;
use crate::inspect::Scopes;
use crate::protocol::kafka::api::AddressResponse;
use crate::protocol::kafka::produce_response::ProduceAnswer;
use crate::protocol::kafka::sasl::{Handshake, Login, Mechanism, Progress, Round};

/// Names one entry of a [`ReplyQueue`]; counts up per connection and is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ReplyId(u64);

/// A held request: worker, slab key and generation in one number, as the control thread knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ticket(pub(super) u64);

/// Why the head of the reply queue cannot be written yet.
///
/// ```text
///              first bytes            last bytes
/// AwaitUpstream ─────────▶ Streaming ───────────▶ Ready ─▶ written, popped
///        │ whole answer, audit not on disk yet      ▲
///        ├──────────────▶ AwaitDurable(seq) ────────┤  watermark reached seq
/// Held(ticket) ─────────────────────────────────────┘  decided
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplyState {
    /// The upstream owes the answer, or the rest of it.
    AwaitUpstream,
    /// The answer is here; it leaves when the audit log is durable up to this sequence number.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "reached once the audit log is durable; the queue obeys it already")
    )]
    AwaitDurable(u64),
    /// The request waits for a reviewer; the answer follows the decision.
    Held(Ticket),
    /// All bytes of the answer are here.
    Ready,
}

#[derive(Debug)]
struct Reply<B> {
    state: ReplyState,
    bytes: VecDeque<B>,
}

/// The only source of bytes to the client: one entry per request that gets an answer, in request order.
/// A locally made answer therefore never overtakes one that the upstream still owes.
///
/// `B` is a piece of an answer (a pooled slice). Only the head's bytes may be taken.
#[derive(Debug)]
pub(super) struct ReplyQueue<B> {
    replies: VecDeque<Reply<B>>,
    /// Emptied piece lists, kept so that the steady state allocates nothing.
    spare: Vec<VecDeque<B>>,
    /// Id of the first entry.
    head: u64,
    /// Bytes of all pieces.
    bytes: usize,
}

impl<B> Default for ReplyQueue<B> {
    fn default() -> Self {
        Self { replies: VecDeque::new(), spare: Vec::new(), head: 0, bytes: 0 }
    }
}

impl<B: AsRef<[u8]>> ReplyQueue<B> {
    /// Appends an entry that waits as `state` says.
    pub(super) fn push(&mut self, state: ReplyState) -> ReplyId {
        let id = ReplyId(self.head + self.replies.len() as u64);
        let bytes = self.spare.pop().unwrap_or_default();
        self.replies.push_back(Reply { state, bytes });
        id
    }

    /// Appends a locally made, complete answer.
    pub(super) fn push_ready(&mut self, answer: B) {
        let id = self.push(ReplyState::Ready);
        self.extend(id, answer);
    }

    /// Adds a piece to the answer `id`. A piece of an answer that is gone is dropped.
    pub(super) fn extend(&mut self, id: ReplyId, piece: B) {
        let piece_bytes = piece.as_ref().len();
        if let Some(reply) = self.reply(id) {
            reply.bytes.push_back(piece);
            self.bytes += piece_bytes;
        }
    }

    /// Moves the entry `id` to `state`.
    pub(super) fn set(&mut self, id: ReplyId, state: ReplyState) {
        if let Some(reply) = self.reply(id) {
            reply.state = state;
        }
    }

    /// Releases every answer that waited for the audit log up to `watermark`.
    #[cfg_attr(not(test), expect(dead_code, reason = "called once the audit log is durable"))]
    pub(super) fn durable(&mut self, watermark: u64) {
        for reply in &mut self.replies {
            if matches!(reply.state, ReplyState::AwaitDurable(sequence) if sequence <= watermark) {
                reply.state = ReplyState::Ready;
            }
        }
    }

    /// Moves the entry held under `ticket` to `state`; false when no entry is.
    #[cfg_attr(not(test), expect(dead_code, reason = "called once there are reviewers"))]
    pub(super) fn decided(&mut self, ticket: Ticket, state: ReplyState) -> bool {
        let held = self.replies.iter_mut().find(|reply| reply.state == ReplyState::Held(ticket));
        held.is_some_and(|reply| {
            reply.state = state;
            true
        })
    }

    /// The next piece that may be written to the client, if the head has one.
    ///
    /// An answer that the upstream still streams gives up its pieces as they come.
    pub(super) fn pop(&mut self) -> Option<B> {
        loop {
            let head = self.replies.front_mut()?;
            let open = matches!(head.state, ReplyState::Ready | ReplyState::AwaitUpstream);
            if open && let Some(piece) = head.bytes.pop_front() {
                self.bytes -= piece.as_ref().len();
                return Some(piece);
            }
            if head.state != ReplyState::Ready {
                return None;
            }
            let done = self.replies.pop_front()?;
            self.head += 1;
            self.spare.push(done.bytes);
        }
    }

    /// True when what comes next waits for the upstream: only reading on from there helps, whatever has piled up behind.
    pub(super) fn waits_for_upstream(&self) -> bool {
        // An entry that has been written whole is at the head until the next `pop`.
        let mut unwritten = self
            .replies
            .iter()
            .skip_while(|reply| reply.state == ReplyState::Ready && reply.bytes.is_empty());
        unwritten.next().is_some_and(|next| next.state == ReplyState::AwaitUpstream && next.bytes.is_empty())
    }

    /// Gives up what a busy time has left, when nobody waits for an answer.
    fn shrink(&mut self) {
        if self.is_empty() {
            (self.replies, self.spare) = Default::default();
        }
    }

    /// Every piece that has not been handed to the writer.
    pub(super) fn pieces_mut(&mut self) -> impl Iterator<Item = &mut B> {
        self.replies.iter_mut().flat_map(|reply| &mut reply.bytes)
    }

    /// Number of requests whose answer has not been handed to the writer.
    pub(super) fn len(&self) -> usize {
        self.replies.len()
    }

    /// Bytes of answers that have not been handed to the writer.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// True when every request has been answered.
    pub(super) fn is_empty(&self) -> bool {
        self.replies.is_empty()
    }

    fn reply(&mut self, id: ReplyId) -> Option<&mut Reply<B>> {
        let index = id.0.checked_sub(self.head)?;
        self.replies.get_mut(usize::try_from(index).ok()?)
    }
}

/// What is done with the upstream's answer.
#[derive(Debug)]
pub(super) enum Response {
    /// Passed on as it comes.
    Opaque,
    /// Cut down to what the gateway supports.
    ApiVersions,
    /// Names brokers: their addresses become the gateway's.
    Rewrite(AddressResponse),
    /// Merged with the refusals of the gateway.
    Produce(Option<Box<ProduceAnswer>>),
    /// Says whether the mechanism is accepted.
    SaslHandshake(Handshake),
    /// Says whether a round of the login is accepted.
    SaslAuthenticate,
    /// A frame without header, after a handshake of version 0.
    SaslToken,
}

/// One request that went upstream and its one answer.
#[derive(Debug)]
pub(super) struct Exchange {
    /// Where the answer goes.
    pub(super) reply: ReplyId,
    /// Its version.
    pub(super) api_version: i16,
    /// The answer must carry it.
    pub(super) correlation_id: i32,
    /// What is done with the answer.
    pub(super) response: Response,
    /// When the request was complete.
    pub(super) started: Instant,
}

impl Exchange {
    /// True when the answer goes on unread, piece by piece.
    pub(super) fn is_streamed(&self) -> bool {
        match &self.response {
            Response::Opaque => true,
            // Only version 10 and later name brokers (KIP-951).
            Response::Produce(None) => self.api_version < 10,
            _ => false,
        }
    }
}

/// The state that the three loops of a connection share.
#[derive(Debug)]
pub(super) struct Session {
    /// Answers on their way to the client.
    pub(super) replies: ReplyQueue<Slice>,
    /// Requests that the upstream has not answered yet, oldest first.
    pub(super) exchanges: VecDeque<Exchange>,
    /// The client sends no more, or is not read any more.
    pub(super) requests_done: bool,
    /// Who the client is.
    pub(super) principal: Arc<str>,
    /// The SASL login under way, from the accepted handshake on.
    pub(super) login: Option<Login>,
    /// The rules that apply, by topic.
    pub(super) scopes: Scopes,
}

impl Session {
    /// A session of a client that has not logged in.
    pub(super) fn new(principal: Arc<str>) -> Self {
        Self {
            replies: ReplyQueue::default(),
            exchanges: VecDeque::new(),
            requests_done: false,
            principal,
            login: None,
            scopes: Scopes::default(),
        }
    }

    /// For a silent connection: gives up what a busy time has left.
    pub(super) fn shrink(&mut self) {
        self.replies.shrink();
        if self.exchanges.is_empty() {
            self.exchanges = VecDeque::new();
        }
    }

    /// The broker answered a handshake. Whose login cannot be read is unknown, whatever the broker knows of it.
    pub(super) fn handshake_answered(&mut self, handshake: Handshake, accepted: bool) {
        self.login = accepted.then(|| Login::new(handshake));
        if accepted && handshake.mechanism == Mechanism::Unreadable {
            self.log_in(None);
        }
    }

    /// Whether the client's next frame is a token of its login, without a header.
    pub(super) fn takes_raw_tokens(&self) -> bool {
        self.login.as_ref().is_some_and(Login::takes_raw_tokens)
    }

    /// The broker answered a round of the login. The principal counts only after the last.
    pub(super) fn round_answered(&mut self, round: Round<'_>) {
        let Some(login) = &mut self.login else { return };
        match login.broker_answer(round) {
            Progress::Continue => {}
            Progress::Accepted(name) => self.log_in(name.as_deref()),
            Progress::Refused => self.login = None,
        }
    }

    /// The client is known by this name from here on; `None`: a name that the gateway cannot read.
    pub(super) fn log_in(&mut self, name: Option<&str>) {
        self.login = None;
        self.principal = format!("User:{}", name.unwrap_or("unknown")).into();
        self.scopes = Scopes::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_answer_waits_for_the_upstream_answer_before_it() {
        let mut queue = ReplyQueue::default();
        let first = queue.push(ReplyState::AwaitUpstream);
        queue.push_ready("local");

        assert_eq!(queue.pop(), None);
        queue.extend(first, "upstream");
        assert_eq!(queue.pop(), Some("upstream"));
        assert_eq!(queue.pop(), None, "the first answer may go on");
        queue.set(first, ReplyState::Ready);
        assert_eq!(queue.pop(), Some("local"));
        assert!(queue.pop().is_none() && queue.is_empty());
    }

    #[test]
    fn an_answer_waits_for_the_audit_watermark() {
        let mut queue = ReplyQueue::default();
        let id = queue.push(ReplyState::AwaitUpstream);
        queue.extend(id, [1]);
        queue.set(id, ReplyState::AwaitDurable(7));

        queue.durable(6);
        assert_eq!(queue.pop(), None);
        queue.durable(7);
        assert_eq!(queue.pop(), Some([1]));
    }

    #[test]
    fn a_held_answer_leaves_after_its_decision_only() {
        let mut queue = ReplyQueue::default();
        let id = queue.push(ReplyState::Held(Ticket(3)));
        queue.extend(id, [1]);

        assert!(!queue.decided(Ticket(4), ReplyState::Ready));
        assert_eq!(queue.pop(), None);
        assert!(queue.decided(Ticket(3), ReplyState::Ready));
        assert_eq!(queue.pop(), Some([1]));
    }

    #[test]
    fn only_the_upstream_helps_when_what_comes_next_is_not_there() {
        let mut queue = ReplyQueue::default();
        assert!(!queue.waits_for_upstream(), "nothing is owed");
        let first = queue.push(ReplyState::AwaitUpstream);
        queue.push(ReplyState::AwaitUpstream);
        queue.push_ready("piled up behind");
        assert!(queue.waits_for_upstream());
        queue.extend(first, "first");
        queue.set(first, ReplyState::Ready);
        assert!(!queue.waits_for_upstream(), "the client can take the first");

        queue.pop();
        assert!(queue.waits_for_upstream(), "the first is written, the second is owed");
    }

    #[test]
    fn a_silent_session_holds_no_buffer() {
        let mut queue = ReplyQueue::default();
        let ids: Vec<ReplyId> = (0..512).map(|_| queue.push(ReplyState::AwaitUpstream)).collect();
        for &id in &ids {
            (0..10).for_each(|piece| queue.extend(id, [piece]));
            queue.set(id, ReplyState::Ready);
        }
        queue.shrink();
        assert_eq!(std::iter::from_fn(|| queue.pop()).count(), 512 * 10, "a busy queue keeps everything");

        queue.shrink();
        assert_eq!((queue.replies.capacity(), queue.spare.capacity()), (0, 0));
        let next = queue.push(ReplyState::AwaitUpstream);
        assert!(next > ids[511], "ids go on");
    }

    #[test]
    fn pieces_of_a_finished_answer_are_dropped() {
        let mut queue = ReplyQueue::default();
        let id = queue.push(ReplyState::Ready);
        assert_eq!(queue.pop(), None);
        queue.extend(id, [1]);
        assert!(queue.is_empty());
    }
}
