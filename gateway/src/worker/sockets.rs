//! What a worker knows of its sockets between a completion and the task that wants it.
//!
//! ```text
//! receive:  Off ──listen/connect──▶ Armed ──too much queued──▶ Cancelling ──▶ Off ──half taken──▶ Armed
//!                                     └── Eof, failure, stop_receiving ──▶ Ended
//! ```
//!
//! Invariant: at most one send of a socket is under way, and `in_flight` is what it still holds.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tracing::warn;

use crate::budget;

use super::buffers::{Pool, Slice};
use super::driver::{Completion, Driver, ListenerId, ReceiveEnd, SocketId};
use super::queue::{Queue, QueueArena};
use super::rooms::{Rooms, Side, Ticket};
use super::schedule::{Schedule, TaskId};
use super::slots::SlotId;

/// A connection that has just arrived.
#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    /// The connection; it belongs to the task made from it.
    pub socket: SocketId,
    /// The listener it arrived at.
    pub listener: ListenerId,
    /// The other end.
    pub peer: SocketAddr,
}

/// Everything behind [`Io`](super::io::Io).
pub(super) struct State<D> {
    pub(super) driver: D,
    pub(super) pool: Pool,
    pub(super) schedule: Schedule,
    /// Connections for which there is no task yet.
    pub(super) accepted: Vec<Accepted>,
    pub(super) listeners: Vec<ListenerId>,
    pub(super) drain_deadline: Option<Instant>,
    /// Connections that the kernel could not hand out.
    pub(super) accept_failures: u64,
    pub(super) shortage: Shortage,
    pub(super) limits: Limits,
    /// Indexed by the slot of the socket.
    sockets: Vec<Option<Socket>>,
    arena: QueueArena,
    in_flight: usize,
    /// Answers that wait for their client, on all connections.
    waiting: usize,
    /// Reserved for large frames, by side.
    frames: [Rooms; 2],
    /// Sockets that want something of the driver after this pass.
    dirty: Vec<SocketId>,
    completions: Vec<Completion>,
}

/// Bytes that may be queued.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// On all sockets; above, each has its `pressed` bounds.
    pub(super) queued: usize,
    /// Of large frames under way, by side.
    pub(super) frames: [usize; 2],
    pub(super) relaxed: Bounds,
    pub(super) pressed: Bounds,
}

/// Bytes that may be queued on one socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) inbound: usize,
    pub(super) outbound: usize,
}

impl Limits {
    const BUDGET: Self = Self {
        queued: budget::QUEUED_BYTES_MAX,
        frames: [budget::LARGE_REQUEST_BYTES_MAX, budget::LARGE_ANSWER_BYTES_MAX],
        relaxed: Bounds { inbound: budget::INBOUND_BYTES_MAX, outbound: budget::OUTBOUND_BYTES_MAX },
        pressed: Bounds { inbound: budget::INBOUND_BYTES_PRESSED, outbound: budget::OUTBOUND_BYTES_PRESSED },
    };
}

/// How a lack of ring blocks develops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shortage {
    /// There are free blocks, or nobody waits for one.
    None,
    /// Receives have waited since then, and nothing has come back.
    Since(Instant),
    /// As `Since`; everybody was made to let go of the ring.
    Relieved(Instant),
}

#[derive(Debug)]
struct Socket {
    id: SocketId,
    owner: Option<TaskId>,
    inbound: Queue,
    outbound: Queue,
    in_flight: usize,
    /// Bytes that wait at its connection to be sent.
    waiting: usize,
    receive: Receive,
    /// The receive is not started again once it is off.
    stopping: bool,
    connected: bool,
    sending: bool,
    shutdown: Shutdown,
    failure: Option<Failure>,
    closing: bool,
    dirty: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receive {
    Off,
    Armed,
    Cancelling,
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shutdown {
    Open,
    /// When everything queued has left.
    Wanted,
    Done,
}

/// An error that can be reported more than once.
#[derive(Clone, Copy, Debug)]
struct Failure {
    kind: io::ErrorKind,
    raw: Option<i32>,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self { kind: error.kind(), raw: error.raw_os_error() }
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        failure.raw.map_or_else(|| failure.kind.into(), Self::from_raw_os_error)
    }
}

impl<D: Driver> State<D> {
    pub(super) fn new(driver: D) -> Self {
        Self {
            pool: driver.pool().clone(),
            driver,
            schedule: Schedule::default(),
            accepted: Vec::new(),
            listeners: Vec::new(),
            drain_deadline: None,
            accept_failures: 0,
            shortage: Shortage::None,
            limits: Limits::BUDGET,
            sockets: Vec::new(),
            arena: QueueArena::default(),
            in_flight: 0,
            waiting: 0,
            frames: Default::default(),
            dirty: Vec::new(),
            completions: Vec::with_capacity(COMPLETIONS_PER_PASS),
        }
    }

    /// Makes `task` the owner of an accepted socket and starts to receive.
    pub(super) fn adopt(&mut self, id: SocketId, task: TaskId) {
        let Some(socket) = find(&mut self.sockets, id) else { return };
        socket.owner = Some(task);
        if let Some(task) = self.schedule.tasks.get_mut(task) {
            task.sockets.push(id);
        }
        arm(&mut self.driver, socket);
    }

    pub(super) fn connect(&mut self, peer: SocketAddr) -> io::Result<SocketId> {
        let id = self.driver.connect(peer)?;
        let owner = self.schedule.current;
        self.insert(Socket { owner, ..Socket::new(id) });
        if let Some(task) = owner.and_then(|task| self.schedule.tasks.get_mut(task)) {
            task.sockets.push(id);
        }
        Ok(id)
    }

    /// Whether the connect is over, and how.
    pub(super) fn connected(&mut self, id: SocketId) -> Option<io::Result<()>> {
        match find(&mut self.sockets, id) {
            None => Some(Err(io::ErrorKind::NotConnected.into())),
            Some(socket) => match socket.failure {
                Some(failure) => Some(Err(failure.into())),
                None => socket.connected.then_some(Ok(())),
            },
        }
    }

    /// The next piece; `Ok(None)` at the end of the stream; `None` while there is nothing.
    pub(super) fn receive(&mut self, id: SocketId) -> Option<io::Result<Option<Slice>>> {
        let inbound_max = self.bounds().inbound;
        let Some(socket) = find(&mut self.sockets, id) else {
            return Some(Err(io::ErrorKind::NotConnected.into()));
        };
        let piece = self.arena.pop_front(&mut socket.inbound);
        arm_below(inbound_max / 2, &mut self.driver, socket);
        // A send fails before the receive has brought what the peer sent before it went.
        let ended = socket.receive == Receive::Ended || !socket.connected;
        match (piece, socket.failure) {
            (Some(piece), _) => Some(Ok(Some(piece))),
            (None, Some(failure)) if ended => Some(Err(failure.into())),
            (None, None) if socket.receive == Receive::Ended => Some(Ok(None)),
            (None, _) => None,
        }
    }

    /// Receives no more; what is queued can still be taken.
    pub(super) fn stop_receiving(&mut self, id: SocketId) {
        let Some(socket) = find(&mut self.sockets, id) else { return };
        if std::mem::replace(&mut socket.stopping, true) {
            return;
        }
        match socket.receive {
            Receive::Off => socket.receive = Receive::Ended,
            Receive::Armed => cancel(&mut self.driver, socket),
            Receive::Cancelling | Receive::Ended => {}
        }
    }

    pub(super) fn send(&mut self, id: SocketId, slice: Slice) {
        let Some(socket) = find(&mut self.sockets, id) else { return };
        debug_assert!(socket.shutdown == Shutdown::Open, "nothing is sent after shutdown_write");
        if slice.is_empty() || socket.failure.is_some() {
            return;
        }
        self.arena.push_back(&mut socket.outbound, slice);
        mark(&mut self.dirty, socket);
    }

    /// Bytes that have not left yet.
    pub(super) fn outbound_bytes(&mut self, id: SocketId) -> io::Result<usize> {
        match find(&mut self.sockets, id) {
            None => Err(io::ErrorKind::NotConnected.into()),
            Some(Socket { failure: Some(failure), .. }) => Err((*failure).into()),
            Some(socket) => Ok(socket.outbound.bytes() + socket.in_flight),
        }
    }

    pub(super) fn shutdown_write(&mut self, id: SocketId) {
        if let Some(socket) = find(&mut self.sockets, id)
            && socket.shutdown == Shutdown::Open
        {
            socket.shutdown = Shutdown::Wanted;
            mark(&mut self.dirty, socket);
        }
    }

    pub(super) fn close(&mut self, id: SocketId) {
        let Some(socket) = find(&mut self.sockets, id) else { return };
        socket.closing = true;
        self.arena.clear(&mut socket.inbound);
        self.arena.clear(&mut socket.outbound);
        self.waiting -= std::mem::take(&mut socket.waiting);
        if let Some(task) = socket.owner.take().and_then(|task| self.schedule.tasks.get_mut(task)) {
            task.sockets.retain(|&owned| owned != id);
        }
        self.driver.close(id);
    }

    /// Bytes queued on all sockets, both directions, and at their connections.
    pub(super) fn queued_bytes(&self) -> usize {
        self.arena.bytes() + self.in_flight + self.waiting
    }

    /// So many bytes wait at the connection of this socket to be sent.
    pub(super) fn note_waiting(&mut self, id: SocketId, bytes: usize) {
        if let Some(socket) = find(&mut self.sockets, id) {
            self.waiting = self.waiting + bytes - std::mem::replace(&mut socket.waiting, bytes);
        }
    }

    /// Asks for room for a large frame of the current task.
    ///
    /// # Panics
    ///
    /// When no task is polled: nobody could be told.
    pub(super) fn enter_room(&mut self, side: Side, bytes: usize) -> Ticket {
        let task = self.schedule.current.expect("a task asks");
        self.frames[side as usize].enter(bytes, self.limits.frames[side as usize], task)
    }

    /// Who has room for large frames from `side`, and who waits.
    pub(super) fn rooms(&self, side: Side) -> &Rooms {
        &self.frames[side as usize]
    }

    /// True once there is room.
    pub(super) fn has_room(&self, side: Side, ticket: Ticket) -> bool {
        self.frames[side as usize].is_admitted(ticket)
    }

    /// Gives room for a large frame back, or no longer waits for it.
    pub(super) fn leave_room(&mut self, side: Side, ticket: Ticket, bytes: usize) {
        let wake = |task| self.schedule.wake(task);
        self.frames[side as usize].leave(ticket, bytes, self.limits.frames[side as usize], wake);
    }

    /// Sockets that are not closed yet.
    pub(super) fn socket_count(&self) -> usize {
        self.sockets.iter().flatten().count()
    }

    /// The bounds that each socket has now.
    pub(super) fn bounds(&self) -> Bounds {
        if self.queued_bytes() <= self.limits.queued { self.limits.relaxed } else { self.limits.pressed }
    }

    /// Hands the driver what this pass has left to do: one gathered send per socket, shutdowns, cancelled receives.
    pub(super) fn flush(&mut self) {
        let inbound_max = self.bounds().inbound;
        for id in self.dirty.drain(..) {
            let Some(socket) = find(&mut self.sockets, id) else { continue };
            socket.dirty = false;
            if socket.connected && !socket.sending && !socket.outbound.is_empty() {
                let queued = socket.outbound.bytes();
                socket.sending = true;
                let mut allowed = SEND_BYTES_MAX;
                self.driver.send(id, &mut || {
                    let piece = self.arena.pop_at_most(&mut socket.outbound, allowed)?;
                    allowed -= piece.len();
                    Some(piece)
                });
                socket.in_flight = queued - socket.outbound.bytes();
                self.in_flight += socket.in_flight;
            }
            if socket.shutdown == Shutdown::Wanted && !socket.sending && socket.connected {
                socket.shutdown = Shutdown::Done;
                self.driver.shutdown_write(id);
            }
            if socket.receive == Receive::Armed && socket.inbound.bytes() > inbound_max {
                cancel(&mut self.driver, socket);
            }
        }
    }

    /// Waits for the driver, unless a task is ready, and takes all completions in.
    pub(super) fn wait(&mut self) -> io::Result<()> {
        let deadline = self.wait_deadline();
        let mut completions = std::mem::take(&mut self.completions);
        let waited = self.driver.wait(deadline, &mut completions);
        for completion in completions.drain(..) {
            self.complete(completion);
        }
        self.completions = completions;
        let now = self.driver.now();
        self.schedule.fire(now);
        self.relieve(now);
        waited
    }

    fn wait_deadline(&mut self) -> Option<Instant> {
        if self.schedule.has_ready() {
            return Some(self.driver.now());
        }
        let shortage = match self.shortage {
            Shortage::None => None,
            Shortage::Since(since) | Shortage::Relieved(since) => Some(since + SHORTAGE_PATIENCE),
        };
        [self.schedule.next_deadline(), self.drain_deadline, shortage].into_iter().flatten().min()
    }

    pub(super) fn complete(&mut self, completion: Completion) {
        match completion {
            Completion::Accepted { listener, socket, peer } => {
                self.insert(Socket { connected: true, ..Socket::new(socket) });
                self.accepted.push(Accepted { socket, listener, peer });
            }
            Completion::AcceptFailed { error, .. } => {
                // The driver pauses after each: this is no flood.
                warn!(%error, "a connection cannot be accepted");
                self.accept_failures += 1;
            }
            Completion::ListenerClosed { listener } => self.listeners.retain(|&open| open != listener),
            Completion::Connected { socket, result } => self.complete_connect(socket, result),
            Completion::Received { socket, slice } => self.complete_received(socket, slice),
            Completion::ReceiveEnded { socket, end } => self.complete_receive_ended(socket, end),
            Completion::Sent { socket, bytes, over, error } => self.complete_sent(socket, bytes, over, error),
            Completion::Closed { socket } => {
                if let Some(entry) = self.sockets.get_mut(socket.key().index())
                    && let Some(closed) = entry.take_if(|entry| entry.id == socket)
                {
                    self.in_flight -= closed.in_flight;
                }
            }
            Completion::Woken => {}
        }
    }

    fn complete_connect(&mut self, id: SocketId, result: io::Result<()>) {
        let Some(socket) = find(&mut self.sockets, id) else { return };
        match result {
            Ok(()) => {
                socket.connected = true;
                arm(&mut self.driver, socket);
                mark(&mut self.dirty, socket);
            }
            Err(error) => socket.failure = Some(error.into()),
        }
        wake(&mut self.schedule, socket);
    }

    fn complete_received(&mut self, id: SocketId, slice: Slice) {
        let inbound_max = self.bounds().inbound;
        let Some(socket) = find(&mut self.sockets, id) else { return };
        if slice.len() <= budget::SMALL_PIECE_BYTES {
            self.arena.push_copy(&mut socket.inbound, slice);
        } else {
            self.arena.push_back(&mut socket.inbound, slice);
        }
        // Looked at only after the task had its turn: what it takes at once needs no cancelling.
        if socket.inbound.bytes() > inbound_max {
            mark(&mut self.dirty, socket);
        }
        wake(&mut self.schedule, socket);
    }

    fn complete_receive_ended(&mut self, id: SocketId, end: ReceiveEnd) {
        let inbound_max = self.bounds().inbound;
        let Some(socket) = find(&mut self.sockets, id) else { return };
        match end {
            ReceiveEnd::Eof => socket.receive = Receive::Ended,
            ReceiveEnd::Cancelled => {
                socket.receive = if socket.stopping { Receive::Ended } else { Receive::Off };
                arm_below(inbound_max / 2, &mut self.driver, socket);
            }
            ReceiveEnd::Failed(error) => {
                socket.receive = Receive::Ended;
                socket.failure.get_or_insert(error.into());
            }
        }
        wake(&mut self.schedule, socket);
    }

    fn complete_sent(&mut self, id: SocketId, bytes: usize, over: bool, error: Option<io::Error>) {
        let Some(entry) = self.sockets.get_mut(id.key().index()) else { return };
        let Some(socket) = entry.as_mut().filter(|socket| socket.id == id) else { return };
        let left = if over { socket.in_flight } else { bytes };
        socket.in_flight -= left;
        self.in_flight -= left;
        if over {
            socket.sending = false;
            mark(&mut self.dirty, socket);
        }
        if let Some(error) = error {
            socket.failure.get_or_insert(error.into());
            self.arena.clear(&mut socket.outbound);
        }
        if !socket.closing {
            wake(&mut self.schedule, socket);
        }
    }

    /// Gets the ring going again when its blocks are held by those who wait: all let go of it, and while that has not
    /// helped yet it grows by a block.
    fn relieve(&mut self, now: Instant) {
        if self.driver.starved() == 0 || self.pool.ring_free() > 0 {
            self.shortage = Shortage::None;
            return;
        }
        match self.shortage {
            Shortage::None => self.shortage = Shortage::Since(now),
            Shortage::Since(since) if now >= since + SHORTAGE_PATIENCE => self.let_go_of_the_ring(now),
            Shortage::Relieved(since) if now >= since + SHORTAGE_PATIENCE => {
                self.pool.grow_ring();
                self.let_go_of_the_ring(now);
            }
            Shortage::Since(_) | Shortage::Relieved(_) => {}
        }
    }

    /// Copies what is queued and what is being sent; tasks watch [`Io::ring_short`](super::io::Io::ring_short).
    pub(super) fn let_go_of_the_ring(&mut self, now: Instant) {
        self.arena.detach_all();
        self.driver.let_go_of_the_ring();
        self.schedule.wake_all();
        self.shortage = Shortage::Relieved(now);
    }

    fn insert(&mut self, socket: Socket) {
        let index = socket.id.key().index();
        if self.sockets.len() <= index {
            self.sockets.resize_with(index + 1, || None);
        }
        self.sockets[index] = Some(socket);
    }
}

impl Socket {
    fn new(id: SocketId) -> Self {
        Self {
            id,
            owner: None,
            inbound: Queue::default(),
            outbound: Queue::default(),
            in_flight: 0,
            waiting: 0,
            receive: Receive::Off,
            stopping: false,
            connected: false,
            sending: false,
            shutdown: Shutdown::Open,
            failure: None,
            closing: false,
            dirty: false,
        }
    }
}

/// The socket `id`, unless it is closed or closing.
fn find(sockets: &mut [Option<Socket>], id: SocketId) -> Option<&mut Socket> {
    sockets.get_mut(id.key().index())?.as_mut().filter(|socket| socket.id == id && !socket.closing)
}

/// Receives again when no more than `bytes` wait to be taken.
fn arm_below(bytes: usize, driver: &mut impl Driver, socket: &mut Socket) {
    if socket.receive == Receive::Off && socket.connected && socket.inbound.bytes() <= bytes {
        arm(driver, socket);
    }
}

fn arm(driver: &mut impl Driver, socket: &mut Socket) {
    socket.receive = Receive::Armed;
    driver.recv(socket.id);
}

fn cancel(driver: &mut impl Driver, socket: &mut Socket) {
    socket.receive = Receive::Cancelling;
    driver.cancel_recv(socket.id);
}

fn mark(dirty: &mut Vec<SocketId>, socket: &mut Socket) {
    if !std::mem::replace(&mut socket.dirty, true) {
        dirty.push(socket.id);
    }
}

fn wake(schedule: &mut Schedule, socket: &Socket) {
    if let Some(task) = socket.owner {
        schedule.wake(task);
    }
}

/// Bytes of one send, at most: io_uring reports one when all of it has left, so this is the grain in which a
/// queue is seen to shrink. Above what may be queued for a socket, so that only large frames leave in parts.
const SEND_BYTES_MAX: usize = 2 * budget::OUTBOUND_BYTES_MAX;

/// How long receives may wait for a block before blocks are taken from those who hold them.
const SHORTAGE_PATIENCE: Duration = Duration::from_millis(1);

/// Completions for which there is room from the start.
const COMPLETIONS_PER_PASS: usize = 256;
