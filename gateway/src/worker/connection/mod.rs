//! One client connection: one task of three loops that share a session.
//!
//! ```text
//!            requests                         ┌───────────┐
//!  client ─▶ frame, allow, inspect, seal ────▶│ exchanges │────▶ upstream
//!            answers                          │ replies   │      responses
//!         ◀─ the head of the reply queue ◀────└───────────┘◀──── match, rewrite
//! ```
//!
//! The loops never wait for each other's wake-ups: the task polls all three whenever one of its sockets has news
//! or the session has changed.

mod requests;
mod responses;
mod watch;

use std::cell::{Cell, OnceCell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tracing::{debug, warn};

use super::buffers::{Pool, Slice};
use super::driver::{Driver, SocketId};
use super::frames::FrameReader;
use super::io::{FrameRoom, Io};
use super::rooms::Side;
use super::session::Session;
use super::shared::{Endpoint, Shared};
use super::transport::Link;
use crate::telemetry::Reason;

/// Longest wait for the last bytes to leave and for the client to close after a connection has ended.
const LINGER: Duration = Duration::from_secs(5);

/// Why a connection ends before its client has finished.
#[derive(Debug)]
enum Close {
    /// A peer broke the protocol or a policy asked for it.
    Refused(Reason, String),
    /// The client's or the upstream's socket failed, or the upstream closed.
    Lost(Side, io::Error),
}

impl Close {
    fn refused(reason: Reason, error: impl ToString) -> Self {
        Self::Refused(reason, error.to_string())
    }

    /// True when the client need not have done anything wrong: its broker is not there, or takes nothing.
    fn is_upstreams(&self) -> bool {
        matches!(
            self,
            Self::Lost(Side::Upstream, _)
                | Self::Refused(Reason::UpstreamUnreachable | Reason::StalledFrame, _)
        )
    }
}

/// One client connection.
struct Connection<D: Driver> {
    io: Io<D>,
    pool: Pool,
    shared: Rc<Shared>,
    endpoint: Endpoint,
    client: Link,
    upstream: OnceCell<Link>,
    /// The upstream is a bootstrap server standing in for a broker whose address is not known yet.
    stand_in: Cell<bool>,
    session: RefCell<Session>,
    /// Reserved for a large frame under way, from each side.
    rooms: [RefCell<Option<FrameRoom<D>>>; 2],
    /// The session has changed since the loops were polled.
    changed: Cell<bool>,
    /// A whole request has come.
    asked: Cell<bool>,
    /// Bytes that have come, by side.
    heard: [Cell<u64>; 2],
    /// The client has been sent an answer.
    answered: Cell<bool>,
}

/// Serves one accepted connection until it ends.
pub(super) async fn serve<D: Driver>(io: Io<D>, shared: Rc<Shared>, endpoint: Endpoint, socket: SocketId) {
    shared.opened();
    let _open = Open(shared.clone());
    let pool = io.pool();
    let link = shared
        .client_transport(endpoint)
        .map_err(io::Error::other)
        .and_then(|transport| Link::open(&io, &pool, socket, transport));
    let client = match link {
        Ok(client) => client,
        Err(error) => return shared.refuse(Reason::Tls, &error),
    };
    let session = RefCell::new(Session::new(shared.anonymous()));
    let connection = Connection {
        io,
        pool,
        shared,
        endpoint,
        client,
        upstream: OnceCell::new(),
        stand_in: Cell::new(false),
        session,
        rooms: Default::default(),
        changed: Cell::new(false),
        asked: Cell::new(false),
        heard: Default::default(),
        answered: Cell::new(false),
    };
    let ended = connection.run().await;
    if let Err(close) = &ended {
        connection.report(close);
    }
    if let (Err(Close::Refused(Reason::StalledFrame, _)), Some(upstream)) =
        (&ended, connection.upstream.get())
    {
        // What is left of the frame would not leave within the linger either.
        connection.io.close(upstream.socket());
    }
    connection.leave_empty_rooms();
    let deadline = connection.io.now() + LINGER;
    connection.flush_until(deadline).await;
    connection.leave_empty_rooms();
    // An end of the stream before the first answer reads as a wrong listener or a refused login, after which
    // franz-go gives its records up. A reset reads as what it is, a failure to be tried again.
    if ended.is_err_and(|close| close.is_upstreams()) && !connection.answered.get() {
        connection.io.reset_on_close(connection.client.socket());
    } else {
        connection.hear_out_until(deadline).await;
    }
}

/// Counts the connection as open until it is dropped, also by a panic.
struct Open(Rc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.closed();
    }
}

impl<D: Driver> Connection<D> {
    /// Polls the three loops until all have ended or one has failed.
    async fn run(&self) -> Result<(), Close> {
        let mut requests = pin!(self.requests());
        let mut responses = pin!(self.responses());
        let mut answers = pin!(self.answers());
        let mut watch = pin!(self.watch());
        let mut done = [false; 3];
        poll_fn(|context| {
            if self.io.ring_short() {
                self.session.borrow_mut().replies.pieces_mut().for_each(Slice::detach);
            }
            loop {
                self.changed.set(false);
                advance(&mut done[0], requests.as_mut(), context)?;
                advance(&mut done[1], responses.as_mut(), context)?;
                advance(&mut done[2], answers.as_mut(), context)?;
                if done == [true; 3] {
                    return Poll::Ready(Ok(()));
                }
                if !self.changed.get() {
                    let waiting = self.session.borrow().replies.bytes();
                    self.io.note_waiting(self.client.socket(), waiting);
                    // Last: it sees what has moved and who has room now.
                    return watch.as_mut().poll(context).map(|ended| ended.map(|never| match never {}));
                }
            }
        })
        .await
    }

    /// Bytes have come.
    fn hear(&self, side: Side, bytes: usize) {
        let heard = &self.heard[side as usize];
        heard.set(heard.get() + bytes as u64);
    }

    /// Waits until the worker has room for the large frame under way; false when the reader wants none.
    async fn make_room(&self, side: Side, reader: &mut FrameReader) -> bool {
        let Some(frame_bytes) = reader.wants_room() else { return false };
        let room = self.beside(reader, pin!(self.io.frame_room(side, frame_bytes))).await;
        self.rooms[side as usize].replace(Some(room));
        reader.give_room();
        true
    }

    /// A frame has come to its end.
    fn leave_room(&self, side: Side) {
        self.rooms[side as usize].replace(None);
    }

    /// The loops have gone, and their frames with them: room is needed by what is still queued for the upstream only.
    fn leave_empty_rooms(&self) {
        self.leave_room(Side::Upstream);
        let queued = self.upstream.get().map_or(0, |upstream| self.io.outbound_bytes(upstream.socket()));
        if queued <= self.io.outbound_bytes_max() {
            self.leave_room(Side::Client);
        }
    }

    fn report(&self, close: &Close) {
        let listener = &*self.shared.settings(self.endpoint).name;
        match close {
            Close::Refused(reason, detail) => {
                self.shared.counters.refuse(*reason);
                warn!(listener, %reason, detail, "connection closed");
            }
            Close::Lost(side, error) => debug!(listener, ?side, %error, "connection lost"),
        }
    }

    /// Lets answers that are complete and bytes that are queued leave, in both directions, within a bound.
    async fn flush_until(&self, deadline: Instant) {
        while let Some(piece) = self.update(|session| session.replies.pop()) {
            self.answered.set(true);
            // A failed TLS session takes nothing more; there is nobody left to tell.
            let _ = self.client.send(&self.io, &self.pool, piece);
        }
        self.io.note_waiting(self.client.socket(), 0);
        let _timer = self.io.sleep_until(deadline);
        let links = [Some(&self.client), self.upstream.get()];
        poll_fn(|_| {
            let flushed = |link: &Link| self.io.poll_flushed_below(link.socket(), 0).is_ready();
            let all = links.iter().flatten().all(|link| flushed(link));
            if all || self.io.now() >= deadline { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Ends the stream towards the client and throws away what still comes, until the client closes.
    ///
    /// A close alone answers bytes under way with a reset. Java then fails its next send and never reads the answers that
    /// have arrived: what a broker wrote that is just shutting down it sends again, and a broker that has restarted
    /// remembers but the last batch of a producer. RFC 9112 section 9.6 has the same for HTTP.
    async fn hear_out_until(&self, deadline: Instant) {
        let socket = self.client.socket();
        if self.client.finish(&self.io, &self.pool).is_err() {
            return;
        }
        let _timer = self.io.sleep_until(deadline);
        poll_fn(|_| {
            while let Poll::Ready(received) = self.io.poll_recv(socket) {
                if !matches!(received, Ok(Some(_))) {
                    return Poll::Ready(());
                }
            }
            let is_over = self.io.draining() || self.io.now() >= deadline;
            if is_over { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Waits until `holds` does.
    async fn until(&self, mut holds: impl FnMut(&mut Session) -> bool) {
        poll_fn(|_| if holds(&mut self.session.borrow_mut()) { Poll::Ready(()) } else { Poll::Pending })
            .await;
    }

    /// Awaits `waiting`. Should receives run short of the ring meanwhile, `reader` lets go of it.
    fn beside<'a, T>(
        &'a self,
        reader: &'a mut FrameReader,
        mut waiting: Pin<&'a mut impl Future<Output = T>>,
    ) -> impl Future<Output = T> + 'a {
        poll_fn(move |context| {
            if self.io.ring_short() {
                reader.let_go_of_the_ring();
            }
            waiting.as_mut().poll(context)
        })
    }

    /// Changes the session; the other loops see it in this pass.
    fn update<T>(&self, change: impl FnOnce(&mut Session) -> T) -> T {
        self.changed.set(true);
        change(&mut self.session.borrow_mut())
    }
}

impl<D: Driver> Connection<D> {
    async fn answers(&self) -> Result<(), Close> {
        loop {
            let mut next = None;
            self.until(|session| {
                next = session.replies.pop();
                next.is_some() || (session.requests_done && session.replies.is_empty())
            })
            .await;
            let Some(piece) = next else { break };
            self.changed.set(true);
            self.answered.set(true);
            self.client
                .send(&self.io, &self.pool, piece)
                .map_err(|error| lost_or_tls(Side::Client, error))?;
            self.io.writable(self.client.socket()).await.map_err(|error| Close::Lost(Side::Client, error))?;
        }
        self.client.finish(&self.io, &self.pool).map_err(|error| Close::Lost(Side::Client, error))
    }
}

/// Polls one of the loops, unless it has ended.
fn advance(
    done: &mut bool,
    one: Pin<&mut impl Future<Output = Result<(), Close>>>,
    context: &mut Context<'_>,
) -> Result<(), Close> {
    if !*done && let Poll::Ready(ended) = one.poll(context) {
        ended?;
        *done = true;
    }
    Ok(())
}

/// A failed socket is a lost connection; a failed TLS record or handshake is a refusal.
fn lost_or_tls(side: Side, error: io::Error) -> Close {
    if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) {
        return Close::refused(Reason::Tls, format!("{side:?}: {error}"));
    }
    Close::Lost(side, error)
}
