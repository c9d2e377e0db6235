//! The epoll driver, for hosts where io_uring is off: non-blocking sockets, edge-triggered, no unsafe code.
//!
//! A socket is registered once for both directions; its edges are remembered, so arming and cancelling a receive cost
//! no system call. Reads go into the ring blocks of the pool, packed one behind the other; a socket reads a bounded
//! number of bytes per pass and then waits behind the others. A send is tried at once and continues on the edge.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, SocketFlags, sockopt};

use super::{
    Completion, Driver, GATHER_MAX, ListenerId, ReceiveEnd, SocketId, Token, keep, net, take_front, tcp_info,
};
use crate::tcp;
use crate::worker::buffers::{Pool, RingShape, Slice};
use crate::worker::slots::{Key, SlotId, Slots};
use crate::worker::wake::WakeHandle;

/// See the module's documentation.
pub struct Epoll {
    epoll: OwnedFd,
    pool: Pool,
    sockets: Slots<SocketId, Socket>,
    listeners: Slots<ListenerId, Listener>,
    /// Armed sockets that may have something to read, first come, first served.
    readable: VecDeque<SocketId>,
    /// Of those, how many found no block when it was their turn.
    starved: usize,
    /// The free rest of the block that is being filled.
    filling: Option<Slice>,
    /// Queues of sends that are over.
    spare_queues: Vec<VecDeque<Slice>>,
    /// Completions of operations that did not have to wait.
    local: Vec<Completion>,
    events: Vec<epoll::Event>,
    wake: WakeHandle,
}

struct Socket {
    fd: OwnedFd,
    state: Connection,
    armed: bool,
    /// An edge said so and no read has found the end since.
    readable: bool,
    /// The peer has finished or failed: there is no further edge, so read to the end.
    hung_up: bool,
    /// In `Epoll::readable`.
    queued: bool,
    sending: Option<VecDeque<Slice>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Connection {
    Connecting,
    Open,
}

struct Listener {
    fd: OwnedFd,
    /// Out of descriptors: not registered until then.
    paused_until: Option<Instant>,
}

impl Epoll {
    /// A driver for the calling thread.
    ///
    /// # Errors
    ///
    /// When the process is out of descriptors.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake = WakeHandle::new()?;
        let data = Token::new(WAKE, Key::new(0, 0)).pack();
        epoll::add(&epoll, &wake, epoll::EventData::new_u64(data), epoll::EventFlags::IN)?;
        Ok(Self {
            epoll,
            pool: Pool::new(RingShape::PACKED),
            sockets: Slots::default(),
            listeners: Slots::default(),
            readable: VecDeque::new(),
            starved: 0,
            filling: None,
            spare_queues: Vec::new(),
            local: Vec::new(),
            events: Vec::with_capacity(EVENTS_PER_PASS),
            wake,
        })
    }

    fn insert(&mut self, fd: OwnedFd, state: Connection) -> io::Result<SocketId> {
        let socket =
            Socket { fd, state, armed: false, readable: false, hung_up: false, queued: false, sending: None };
        let id = self.sockets.insert(socket);
        let data = epoll::EventData::new_u64(Token::new(SOCKET, id.key()).pack());
        let edges = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP;
        let Some(socket) = self.sockets.get(id) else { return Ok(id) };
        if let Err(error) = epoll::add(&self.epoll, &socket.fd, data, edges | epoll::EventFlags::ET) {
            self.sockets.remove(id);
            return Err(error.into());
        }
        Ok(id)
    }

    /// Registers listeners whose pause is over; returns when the next pause ends.
    fn resume_accepts(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let mut next: Option<Instant> = None;
        let epoll = &self.epoll;
        for (id, listener) in self.listeners.iter_mut() {
            let Some(until) = listener.paused_until else { continue };
            let data = epoll::EventData::new_u64(Token::new(LISTENER, id.key()).pack());
            if until <= now && epoll::add(epoll, &listener.fd, data, epoll::EventFlags::IN).is_ok() {
                listener.paused_until = None;
            } else {
                let again = until.max(now + net::ACCEPT_PAUSE);
                next = Some(next.map_or(again, |next| next.min(again)));
            }
        }
        next
    }

    fn poll_events(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        let timeout = deadline.map(|deadline| {
            let rest = deadline.saturating_duration_since(Instant::now());
            Timespec { tv_sec: rest.as_secs() as i64, tv_nsec: i64::from(rest.subsec_nanos()) }
        });
        let mut events = std::mem::take(&mut self.events);
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        for event in events.drain(..) {
            let token = Token::unpack(event.data.u64());
            match token.tag {
                LISTENER => self.on_listener(ListenerId::from_key(token.key)),
                SOCKET => self.on_socket(SocketId::from_key(token.key), event.flags),
                _ => {
                    self.wake.clear();
                    self.local.push(Completion::Woken);
                }
            }
        }
        self.events = events;
        Ok(())
    }

    fn on_listener(&mut self, id: ListenerId) {
        for _ in 0..ACCEPTS_PER_PASS {
            let Some(listener) = self.listeners.get_mut(id) else { return };
            match rustix::net::accept_with(&listener.fd, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(fd) => self.announce(id, fd),
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(errno) => {
                    self.local.push(Completion::AcceptFailed { listener: id, error: errno.into() });
                    if net::is_exhaustion(errno) && epoll::delete(&self.epoll, &listener.fd).is_ok() {
                        listener.paused_until = Some(Instant::now() + net::ACCEPT_PAUSE);
                    }
                    return;
                }
            }
        }
    }

    fn announce(&mut self, listener: ListenerId, fd: OwnedFd) {
        // A connection that was reset while it waited has no peer any more, and nothing to say.
        let Some(peer) = net::peer_of(&fd) else { return };
        let completion = match self.insert(fd, Connection::Open) {
            Ok(socket) => Completion::Accepted { listener, socket, peer },
            Err(error) => Completion::AcceptFailed { listener, error },
        };
        self.local.push(completion);
    }

    fn on_socket(&mut self, id: SocketId, edges: epoll::EventFlags) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let failed = edges.intersects(epoll::EventFlags::ERR | epoll::EventFlags::HUP);
        if socket.state == Connection::Connecting {
            if !failed && !edges.contains(epoll::EventFlags::OUT) {
                return;
            }
            socket.state = Connection::Open;
            let result = sockopt::socket_error(&socket.fd).and_then(|result| result).map_err(io::Error::from);
            self.local.push(Completion::Connected { socket: id, result });
            // The same edge may also say that the first bytes have come.
        }
        socket.hung_up |= failed || edges.contains(epoll::EventFlags::RDHUP);
        socket.readable |= socket.hung_up || edges.contains(epoll::EventFlags::IN);
        self.queue_read(id);
        if edges.contains(epoll::EventFlags::OUT) || failed {
            self.try_send(id);
        }
    }

    fn queue_read(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.get_mut(id)
            && socket.armed
            && socket.readable
            && !std::mem::replace(&mut socket.queued, true)
        {
            self.readable.push_back(id);
        }
    }

    /// One turn of every socket that may have something to read.
    fn read_all(&mut self) {
        self.starved = 0;
        for _ in 0..self.readable.len() {
            let Some(id) = self.readable.pop_front() else { return };
            if !self.has_room() {
                self.readable.push_front(id);
                self.starved = self.readable.len();
                return;
            }
            if let Some(socket) = self.sockets.get_mut(id) {
                socket.queued = false;
                self.read(id);
                self.queue_read(id);
            }
        }
    }

    /// Reads until the socket is empty, has had its share of the pass, or there is no block left.
    fn read(&mut self, id: SocketId) {
        let mut share = BYTES_PER_PASS;
        while share > 0 && self.has_room() {
            let (Some(filling), Some(socket)) = (&mut self.filling, self.sockets.get_mut(id)) else { return };
            let asked = filling.len().min(READ_BYTES_MAX);
            if !socket.armed || !socket.readable {
                return;
            }
            let received = rustix::net::recv(&socket.fd, &mut filling[..asked], RecvFlags::DONTWAIT);
            match received.map(|(bytes, _)| bytes) {
                Ok(0) => return self.end_read(id, ReceiveEnd::Eof),
                Ok(bytes) => {
                    let slice = filling.split_to(bytes);
                    self.local.push(Completion::Received { socket: id, slice });
                    share = share.saturating_sub(bytes);
                    // Less than asked for: the socket is empty, and the next byte makes an edge.
                    socket.readable = bytes == asked || socket.hung_up;
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => socket.readable = false,
                Err(errno) => return self.end_read(id, ReceiveEnd::Failed(errno.into())),
            }
        }
    }

    fn end_read(&mut self, id: SocketId, end: ReceiveEnd) {
        if let Some(socket) = self.sockets.get_mut(id) {
            socket.armed = false;
            self.local.push(Completion::ReceiveEnded { socket: id, end });
        }
    }

    /// True when there is a block to read into.
    fn has_room(&mut self) -> bool {
        if self.filling.as_ref().is_none_or(|filling| filling.len() < READ_BYTES_MIN) {
            // Dropped first: the rest of the old block may be the last holder of it.
            self.filling = None;
            self.filling = self.pool.ring_slice();
        }
        self.filling.is_some()
    }

    /// Sends until everything has left or the kernel takes no more.
    fn try_send(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let Some(mut queue) = socket.sending.take() else { return };
        let mut sent = 0;
        let error = loop {
            if queue.is_empty() {
                break None;
            }
            match gathered_send(&socket.fd, &queue) {
                Ok(bytes) => {
                    sent += bytes;
                    take_front(&mut queue, bytes);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break None,
                Err(errno) => break Some(io::Error::from(errno)),
            }
        };
        let over = error.is_some() || queue.is_empty();
        if over {
            queue.clear();
            keep(&mut self.spare_queues, queue);
        } else {
            socket.sending = Some(queue);
        }
        if sent > 0 || over {
            self.local.push(Completion::Sent { socket: id, bytes: sent, over, error });
        }
    }
}

impl Driver for Epoll {
    type Listener = TcpListener;

    fn pool(&self) -> &Pool {
        &self.pool
    }

    fn listen(&mut self, listener: TcpListener) -> io::Result<ListenerId> {
        listener.set_nonblocking(true)?;
        // Registered by the next wait, like a listener whose pause is over.
        Ok(self.listeners.insert(Listener { fd: listener.into(), paused_until: Some(Instant::now()) }))
    }

    fn unlisten(&mut self, id: ListenerId) {
        let Some(listener) = self.listeners.remove(id) else { return };
        net::accept_queued(&listener.fd, SocketFlags::NONBLOCK, |fd| self.announce(id, fd));
        self.local.push(Completion::ListenerClosed { listener: id });
    }

    fn connect(&mut self, peer: SocketAddr) -> io::Result<SocketId> {
        let fd = tcp::socket(peer, SocketFlags::NONBLOCK)?;
        let started = rustix::net::connect(&fd, &peer);
        let state = if started == Err(Errno::INPROGRESS) { Connection::Connecting } else { Connection::Open };
        let id = self.insert(fd, state)?;
        if state == Connection::Open {
            let result = started.map_err(io::Error::from);
            self.local.push(Completion::Connected { socket: id, result });
        }
        Ok(id)
    }

    fn recv(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.get_mut(id) {
            socket.armed = true;
            self.queue_read(id);
        }
    }

    fn cancel_recv(&mut self, id: SocketId) {
        if self.sockets.get(id).is_some_and(|socket| socket.armed) {
            self.end_read(id, ReceiveEnd::Cancelled);
        }
    }

    fn send(&mut self, id: SocketId, next: &mut dyn FnMut() -> Option<Slice>) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        assert!(socket.sending.is_none(), "one send per socket: two would interleave");
        let mut queue = self.spare_queues.pop().unwrap_or_else(|| VecDeque::with_capacity(GATHER_MAX));
        queue.extend(std::iter::from_fn(next).take(GATHER_MAX));
        socket.sending = Some(queue);
        self.try_send(id);
    }

    fn let_go_of_the_ring(&mut self) {
        for (_, socket) in self.sockets.iter_mut() {
            socket.sending.iter_mut().flatten().for_each(Slice::detach);
        }
    }

    fn shutdown_write(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.get(id) {
            // Fails when the connection is gone, which the receive reports.
            let _ = rustix::net::shutdown(&socket.fd, rustix::net::Shutdown::Write);
        }
    }

    fn reset_on_close(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.get(id) {
            net::reset_on_close(&socket.fd);
        }
    }

    fn close(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.remove(id) else { return };
        if let Some(mut queue) = socket.sending {
            queue.clear();
            keep(&mut self.spare_queues, queue);
        }
        self.local.push(Completion::Closed { socket: id });
    }

    fn wake_handle(&self) -> WakeHandle {
        self.wake.clone()
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wait(&mut self, deadline: Option<Instant>, completions: &mut Vec<Completion>) -> io::Result<()> {
        let resume = self.resume_accepts();
        let can_read = !self.readable.is_empty() && self.has_room();
        let deadline = if can_read || !self.local.is_empty() {
            Some(Instant::now())
        } else {
            [deadline, resume].into_iter().flatten().min()
        };
        self.poll_events(deadline)?;
        self.read_all();
        completions.append(&mut self.local);
        Ok(())
    }

    fn arrived_bytes(&self, id: SocketId) -> u64 {
        self.sockets.get(id).map_or(0, |socket| tcp_info::acknowledged_bytes(&socket.fd))
    }

    fn starved(&self) -> usize {
        self.starved
    }
}

fn gathered_send(fd: &OwnedFd, queue: &VecDeque<Slice>) -> rustix::io::Result<usize> {
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    if let [only] = queue.as_slices().0
        && queue.len() == 1
    {
        return rustix::net::send(fd, only, flags);
    }
    let mut vectors = [IoSlice::new(&[]); GATHER_MAX];
    let count = vectors.iter_mut().zip(queue).map(|(vector, slice)| *vector = IoSlice::new(slice)).count();
    rustix::net::sendmsg(fd, &vectors[..count], &mut SendAncillaryBuffer::default(), flags)
}

const LISTENER: u8 = 0;
const SOCKET: u8 = 1;
const WAKE: u8 = 2;

/// Events taken from the kernel at once.
const EVENTS_PER_PASS: usize = 256;

/// Connections accepted per listener and pass.
const ACCEPTS_PER_PASS: usize = 64;

/// Most bytes of one read: a whole block.
const READ_BYTES_MAX: usize = RingShape::PACKED.block_bytes;

/// A block with less room is given up: small reads cost more than the rest of the block.
const READ_BYTES_MIN: usize = 16 * 1024;

/// Most bytes that one socket reads in a pass, so that a fast sender does not keep the others waiting.
const BYTES_PER_PASS: usize = 256 * 1024;
