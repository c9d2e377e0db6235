//! The faulty driver: an in-memory network for tests that misbehaves on purpose, and the same way for the same seed.
//!
//! Pieces arrive short, sends leave in parts, completions come late and in another order, buffers run out,
//! connections are refused and reset. What TCP promises is kept: the order of bytes, and no loss but by a reset.
//! Time is virtual: it moves only while the driver waits. The other ends are [`Peer`]s in the hands of the test.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::{Completion, Driver, GATHER_MAX, ListenerId, ReceiveEnd, SocketId, take_front};
use crate::worker::buffers::{Pool, RingShape, Slice};
use crate::worker::slots::{SlotId, Slots, slot_id};
use crate::worker::wake::WakeHandle;

slot_id!(
    /// A connection between a peer and the driver.
    ConnectionId
);

/// How often what goes wrong, in thousandths.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// An operation that could make progress in a pass waits for another one.
    pub late: u32,
    /// A receive finds no buffer.
    pub no_buffers: u32,
    /// A piece or a part of a send is cut short.
    pub short: u32,
    /// A connect is refused.
    pub refuse: u32,
    /// A connection is reset, for each piece that it moves.
    pub reset: u32,
}

impl Faults {
    /// Everything goes wrong often, but connections live.
    pub const ROUGH: Self = Self { late: 300, no_buffers: 100, short: 600, refuse: 0, reset: 0 };
    /// As `ROUGH`, and connections fail.
    pub const HOSTILE: Self = Self { refuse: 50, reset: 10, ..Self::ROUGH };
}

/// The network: makes the driver, and the peers at its other end. Cheap to clone.
#[derive(Clone)]
pub struct Network(Rc<RefCell<Net>>);

struct Net {
    random: Random,
    faults: Faults,
    start: Instant,
    elapsed: Duration,
    connections: Slots<ConnectionId, Connection>,
    /// Where the driver listens, with the connections that wait to be accepted.
    driver_backlogs: BTreeMap<SocketAddr, VecDeque<ConnectionId>>,
    /// Where the test listens.
    peer_backlogs: BTreeMap<SocketAddr, VecDeque<ConnectionId>>,
}

#[derive(Default)]
struct Connection {
    to_driver: Pipe,
    to_peer: Pipe,
    reset: bool,
    /// Ends that still hold it.
    peer_open: bool,
    driver_open: bool,
}

#[derive(Default)]
struct Pipe {
    bytes: VecDeque<u8>,
    finished: bool,
}

impl Network {
    /// A network whose faults depend on `seed` alone.
    pub fn new(seed: u64, faults: Faults) -> Self {
        Self(Rc::new(RefCell::new(Net {
            random: Random(seed),
            faults,
            start: Instant::now(),
            elapsed: Duration::ZERO,
            connections: Slots::default(),
            driver_backlogs: BTreeMap::new(),
            peer_backlogs: BTreeMap::new(),
        })))
    }

    /// A driver on this network. Its ring blocks are few and small, and run out; `extra_blocks` may be added.
    pub fn driver(&self, extra_blocks: u16) -> io::Result<Faulty> {
        Ok(Faulty {
            net: self.clone(),
            pool: Pool::new(RingShape { block_bytes: 4096, blocks: 4, extra_blocks }),
            filling: None,
            sockets: Slots::default(),
            listeners: Slots::default(),
            local: Vec::new(),
            starved: 0,
            wake: WakeHandle::new()?,
        })
    }

    /// Listens at `address` for connects of the driver.
    pub fn listen(&self, address: SocketAddr) {
        self.0.borrow_mut().peer_backlogs.entry(address).or_default();
    }

    /// Stops listening at `address`: connects are refused.
    pub fn unlisten(&self, address: SocketAddr) {
        self.0.borrow_mut().peer_backlogs.remove(&address);
    }

    /// The next connection that the driver made to `address`.
    pub fn accept(&self, address: SocketAddr) -> Option<Peer> {
        let connection = self.0.borrow_mut().peer_backlogs.get_mut(&address)?.pop_front()?;
        Some(Peer { network: self.clone(), connection })
    }

    /// Connects to a listener of the driver; `None` when nobody listens.
    pub fn connect(&self, address: SocketAddr) -> Option<Peer> {
        let net = &mut *self.0.borrow_mut();
        let backlog = net.driver_backlogs.get_mut(&address)?;
        let connection = net.connections.insert(Connection {
            peer_open: true,
            driver_open: true,
            ..Connection::default()
        });
        backlog.push_back(connection);
        Some(Peer { network: self.clone(), connection })
    }

    /// Moves the clock.
    pub fn advance(&self, time: Duration) {
        self.0.borrow_mut().elapsed += time;
    }

    /// A number below `bound` from the seed, for choices of the test.
    pub fn random(&self, bound: usize) -> usize {
        self.0.borrow_mut().random.below(bound)
    }

    /// Connections that an end still holds.
    pub fn connections(&self) -> usize {
        self.0.borrow().connections.len()
    }
}

/// The test's end of a connection. Dropping it closes it.
pub struct Peer {
    network: Network,
    connection: ConnectionId,
}

impl Peer {
    /// Sends as much of `bytes` as the window takes; returns how much.
    pub fn write(&self, bytes: &[u8]) -> usize {
        self.with(|connection| {
            let room = WINDOW_BYTES.saturating_sub(connection.to_driver.bytes.len());
            let taken = bytes.len().min(room);
            if !connection.to_driver.finished && !connection.reset {
                connection.to_driver.bytes.extend(&bytes[..taken]);
            }
            taken
        })
    }

    /// Moves what has arrived to the end of `received`; false when nothing has.
    pub fn read(&self, received: &mut Vec<u8>) -> bool {
        self.with(|connection| {
            let before = received.len();
            received.extend(connection.to_peer.bytes.drain(..));
            received.len() > before
        })
    }

    /// True when nothing more comes: everything was read and the driver has finished or reset.
    pub fn at_end(&self) -> bool {
        self.with(|connection| {
            connection.reset || connection.to_peer.finished && connection.to_peer.bytes.is_empty()
        })
    }

    /// True when the connection was reset.
    pub fn is_reset(&self) -> bool {
        self.with(|connection| connection.reset)
    }

    /// Finishes sending.
    pub fn shutdown_write(&self) {
        self.with(|connection| connection.to_driver.finished = true);
    }

    /// Resets the connection.
    pub fn reset(&self) {
        self.with(|connection| connection.reset = true);
    }

    fn with<R>(&self, act: impl FnOnce(&mut Connection) -> R) -> R {
        let net = &mut *self.network.0.borrow_mut();
        act(net.connections.get_mut(self.connection).expect("a peer keeps its connection"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let net = &mut *self.network.0.borrow_mut();
        net.release(self.connection, |connection| {
            connection.peer_open = false;
            connection.to_driver.finished = true;
            // As TCP does when the reader goes before it has read everything.
            connection.reset |= !connection.to_peer.bytes.is_empty();
        });
    }
}

impl Net {
    fn chance(&mut self, thousandths: u32) -> bool {
        self.random.below(1000) < thousandths as usize
    }

    /// How much of `bytes` moves now.
    fn share(&mut self, bytes: usize) -> usize {
        if bytes > 1 && self.chance(self.faults.short) { 1 + self.random.below(bytes - 1) } else { bytes }
    }

    fn release(&mut self, id: ConnectionId, close: impl FnOnce(&mut Connection)) {
        if let Some(connection) = self.connections.get_mut(id) {
            close(connection);
            if !connection.peer_open && !connection.driver_open {
                self.connections.remove(id);
            }
        }
    }
}

/// Where the driver listens on its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(pub SocketAddr);

impl From<TcpListener> for Address {
    /// The address of a socket of the kernel, which stands for one of this network.
    ///
    /// # Panics
    ///
    /// When the socket has none: it is not bound.
    fn from(socket: TcpListener) -> Self {
        Self(socket.local_addr().expect("a bound socket"))
    }
}

/// See the module's documentation.
pub struct Faulty {
    net: Network,
    pool: Pool,
    filling: Option<Slice>,
    sockets: Slots<SocketId, Socket>,
    listeners: Slots<ListenerId, Listening>,
    local: Vec<Completion>,
    starved: usize,
    wake: WakeHandle,
}

struct Socket {
    connecting: Option<SocketAddr>,
    connection: Option<ConnectionId>,
    receive: Receive,
    sending: VecDeque<Slice>,
    arrived: u64,
    reset_on_close: bool,
    closing: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Receive {
    Off,
    Armed,
    Cancelling,
}

struct Listening {
    address: SocketAddr,
    closing: bool,
}

/// What stops an operation.
enum Stop {
    /// It goes on in a later pass.
    Later,
    /// It is over.
    Reset,
}

impl Faulty {
    fn progress_listener(&mut self, id: ListenerId, completions: &mut Vec<Completion>) {
        let Some(listening) = self.listeners.get(id) else { return };
        let (address, closing) = (listening.address, listening.closing);
        let net = &mut *self.net.0.borrow_mut();
        let Some(backlog) = net.driver_backlogs.get_mut(&address) else { return };
        while let Some(connection) = backlog.pop_front() {
            let socket = self.sockets.insert(Socket::new(None, Some(connection)));
            completions.push(Completion::Accepted { listener: id, socket, peer: address });
        }
        if closing {
            net.driver_backlogs.remove(&address);
            self.listeners.remove(id);
            completions.push(Completion::ListenerClosed { listener: id });
        }
    }

    fn progress_socket(&mut self, id: SocketId, completions: &mut Vec<Completion>) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        if socket.closing {
            let (connection, reset) = (socket.connection, socket.reset_on_close);
            self.sockets.remove(id);
            if let Some(connection) = connection {
                self.net.0.borrow_mut().release(connection, |connection| {
                    connection.driver_open = false;
                    connection.to_peer.finished = true;
                    connection.reset |= reset || !connection.to_driver.bytes.is_empty();
                });
            }
            completions.push(Completion::Closed { socket: id });
        } else if let Some(peer) = socket.connecting.take() {
            let result = self.establish(id, peer);
            completions.push(Completion::Connected { socket: id, result });
        } else {
            self.progress_send(id, completions);
            self.progress_receive(id, completions);
        }
    }

    fn establish(&mut self, id: SocketId, peer: SocketAddr) -> io::Result<()> {
        let net = &mut *self.net.0.borrow_mut();
        let refused = net.chance(net.faults.refuse);
        let (Some(backlog), Some(socket), false) =
            (net.peer_backlogs.get_mut(&peer), self.sockets.get_mut(id), refused)
        else {
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let connection = net.connections.insert(Connection {
            peer_open: true,
            driver_open: true,
            ..Connection::default()
        });
        backlog.push_back(connection);
        socket.connection = Some(connection);
        Ok(())
    }

    fn progress_receive(&mut self, id: SocketId, completions: &mut Vec<Completion>) {
        if self.sockets.get(id).is_none_or(|socket| socket.receive == Receive::Off) {
            return;
        }
        // A receive that is being cancelled may still bring a last piece.
        let stop = loop {
            match self.receive_piece(id) {
                Ok(Some(slice)) => completions.push(Completion::Received { socket: id, slice }),
                Ok(None) => break Some(ReceiveEnd::Eof),
                Err(Stop::Reset) => break Some(ReceiveEnd::Failed(io::ErrorKind::ConnectionReset.into())),
                Err(Stop::Later) => break None,
            }
        };
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let end = match stop {
            None if socket.receive == Receive::Cancelling => ReceiveEnd::Cancelled,
            None => return,
            Some(end) => end,
        };
        socket.receive = Receive::Off;
        completions.push(Completion::ReceiveEnded { socket: id, end });
    }

    /// The next piece; `None` at the end of the stream.
    fn receive_piece(&mut self, id: SocketId) -> Result<Option<Slice>, Stop> {
        let net = &mut *self.net.0.borrow_mut();
        let connection = self.sockets.get(id).and_then(|socket| socket.connection).ok_or(Stop::Reset)?;
        let waiting =
            net.connections.get(connection).map_or(0, |connection| connection.to_driver.bytes.len());
        let resets = waiting > 0 && net.chance(net.faults.reset);
        let no_buffer = net.chance(net.faults.no_buffers);
        let share = net.share(waiting);
        let connection = net.connections.get_mut(connection).ok_or(Stop::Reset)?;
        if resets {
            connection.reset = true;
            connection.to_driver.bytes.clear();
        }
        // As in Linux, what arrived before the reset can still be read.
        if connection.to_driver.bytes.is_empty() {
            return match (connection.reset, connection.to_driver.finished) {
                (true, _) => Err(Stop::Reset),
                (false, true) => Ok(None),
                (false, false) => Err(Stop::Later),
            };
        }
        if self.filling.is_none() {
            self.filling = self.pool.ring_slice();
        }
        let Some(filling) = self.filling.as_mut().filter(|_| !no_buffer) else {
            self.starved += 1;
            return Err(Stop::Later);
        };
        let mut piece = filling.split_to(share.min(filling.len()));
        if filling.is_empty() {
            self.filling = None;
        }
        let length = piece.len();
        piece.copy_from_slice(&connection.to_driver.bytes.make_contiguous()[..length]);
        connection.to_driver.bytes.drain(..length);
        Ok(Some(piece))
    }

    fn progress_send(&mut self, id: SocketId, completions: &mut Vec<Completion>) {
        let net = &mut *self.net.0.borrow_mut();
        let Some(socket) = self.sockets.get_mut(id).filter(|socket| !socket.sending.is_empty()) else {
            return;
        };
        let resets = net.chance(net.faults.reset);
        let queued: usize = socket.sending.iter().map(|slice| slice.len()).sum();
        let share = net.share(queued);
        let connection = socket.connection.and_then(|connection| net.connections.get_mut(connection));
        let Some(connection) = connection.filter(|connection| !(connection.reset || resets)) else {
            let lost = socket.connection.and_then(|connection| net.connections.get_mut(connection));
            lost.into_iter().for_each(|connection| connection.reset = true);
            socket.sending.clear();
            let error = Some(io::ErrorKind::ConnectionReset.into());
            completions.push(Completion::Sent { socket: id, bytes: 0, over: true, error });
            return;
        };
        let room = WINDOW_BYTES.saturating_sub(connection.to_peer.bytes.len());
        let bytes = share.min(room);
        if bytes == 0 {
            return;
        }
        if connection.peer_open {
            let mut rest = bytes;
            for slice in &socket.sending {
                let part = slice.len().min(rest);
                connection.to_peer.bytes.extend(&slice[..part]);
                rest -= part;
            }
        } else {
            // Nobody is there to read: the next attempt finds the connection reset.
            connection.reset = true;
        }
        take_front(&mut socket.sending, bytes);
        socket.arrived += bytes as u64;
        completions.push(Completion::Sent {
            socket: id,
            bytes,
            over: socket.sending.is_empty(),
            error: None,
        });
    }

    /// Everything that could make progress, in an order of the seed.
    fn shuffled<I: SlotId, T>(&self, slots: &Slots<I, T>) -> Vec<I> {
        let net = &mut *self.net.0.borrow_mut();
        let mut ids: Vec<I> = slots.iter().map(|(id, _)| id).collect();
        for index in (1..ids.len()).rev() {
            ids.swap(index, net.random.below(index + 1));
        }
        ids.retain(|_| !net.chance(net.faults.late));
        ids
    }
}

impl Driver for Faulty {
    type Listener = Address;

    fn pool(&self) -> &Pool {
        &self.pool
    }

    fn listen(&mut self, Address(address): Address) -> io::Result<ListenerId> {
        self.net.0.borrow_mut().driver_backlogs.entry(address).or_default();
        Ok(self.listeners.insert(Listening { address, closing: false }))
    }

    fn unlisten(&mut self, id: ListenerId) {
        if let Some(listening) = self.listeners.get_mut(id) {
            listening.closing = true;
        }
    }

    fn connect(&mut self, peer: SocketAddr) -> io::Result<SocketId> {
        Ok(self.sockets.insert(Socket::new(Some(peer), None)))
    }

    fn recv(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.get_mut(id) {
            assert!(socket.receive == Receive::Off, "one receive per socket");
            socket.receive = Receive::Armed;
        }
    }

    fn cancel_recv(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.get_mut(id)
            && socket.receive == Receive::Armed
        {
            socket.receive = Receive::Cancelling;
        }
    }

    fn send(&mut self, id: SocketId, next: &mut dyn FnMut() -> Option<Slice>) {
        if let Some(socket) = self.sockets.get_mut(id) {
            assert!(socket.sending.is_empty(), "one send per socket: two would interleave");
            socket.sending.extend(std::iter::from_fn(next).take(GATHER_MAX));
        }
    }

    fn let_go_of_the_ring(&mut self) {
        for (_, socket) in self.sockets.iter_mut() {
            socket.sending.iter_mut().for_each(Slice::detach);
        }
    }

    fn shutdown_write(&mut self, id: SocketId) {
        if let Some(connection) = self.sockets.get(id).and_then(|socket| socket.connection)
            && let Some(connection) = self.net.0.borrow_mut().connections.get_mut(connection)
        {
            connection.to_peer.finished = true;
        }
    }

    fn reset_on_close(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.get_mut(id) {
            socket.reset_on_close = true;
        }
    }

    fn close(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.get_mut(id) {
            socket.closing = true;
            // A send under way keeps its slices until its completion, as with io_uring.
        }
    }

    fn wake_handle(&self) -> WakeHandle {
        self.wake.clone()
    }

    fn now(&self) -> Instant {
        let net = self.net.0.borrow();
        net.start + net.elapsed
    }

    /// Never blocks: when nothing happens, time passes, by at most [`TICK`].
    fn wait(&mut self, deadline: Option<Instant>, completions: &mut Vec<Completion>) -> io::Result<()> {
        let before = completions.len();
        completions.append(&mut self.local);
        self.starved = 0;
        for id in self.shuffled(&self.listeners) {
            self.progress_listener(id, completions);
        }
        for id in self.shuffled(&self.sockets) {
            self.progress_socket(id, completions);
        }
        if completions.len() == before {
            let rest = deadline.map_or(TICK, |deadline| deadline.saturating_duration_since(self.now()));
            self.net.advance(rest.min(TICK));
        }
        Ok(())
    }

    fn arrived_bytes(&self, id: SocketId) -> u64 {
        self.sockets.get(id).map_or(0, |socket| socket.arrived)
    }

    fn starved(&self) -> usize {
        self.starved
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        let net = &mut *self.net.0.borrow_mut();
        for (_, socket) in self.sockets.iter() {
            let Some(connection) = socket.connection else { continue };
            net.release(connection, |connection| {
                connection.driver_open = false;
                connection.reset = true;
            });
        }
        for (_, listening) in self.listeners.iter() {
            net.driver_backlogs.remove(&listening.address);
        }
    }
}

impl Socket {
    fn new(connecting: Option<SocketAddr>, connection: Option<ConnectionId>) -> Self {
        Self {
            connecting,
            connection,
            receive: Receive::Off,
            sending: VecDeque::new(),
            arrived: 0,
            reset_on_close: false,
            closing: false,
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): good enough for choices, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}

/// Bytes that a direction of a connection holds unread: about a socket buffer, small enough to fill up.
const WINDOW_BYTES: usize = 8 * 1024;

/// How far the clock moves when nothing happens.
const TICK: Duration = Duration::from_micros(200);
