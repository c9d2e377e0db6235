//! The io_uring driver: one ring, one group of provided buffers, one thread.
//!
//! | verb | operation | ends with |
//! |---|---|---|
//! | accept | multishot `ACCEPT` | first CQE without `F_MORE` |
//! | receive | multishot `RECV` from buffer group 0 | first CQE without `F_MORE` |
//! | send | `SENDMSG`, `MSG_WAITALL`, one per socket | its CQE |
//! | connect | `CONNECT` | its CQE |
//! | close | `ASYNC_CANCEL` of everything on the descriptor, then close(2) | the last CQE of the socket |
//! | wake | multishot `POLL_ADD` on an eventfd | — |
//!
//! What the kernel may touch (message headers, addresses, provided buffers) has no Rust reference and a stable
//! address, and lives until the operation's last CQE: a socket's slot is freed only then, and a driver that is dropped
//! waits for it. The ring is `SINGLE_ISSUER | DEFER_TASKRUN` (Linux 6.1): completions run when this thread waits.

mod provided;

use std::collections::VecDeque;
use std::io;
use std::mem::ManuallyDrop;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use io_uring::types::{CancelBuilder, Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use rustix::io::Errno;
use rustix::net::{SocketAddrAny, SocketFlags, addr::SocketAddrArg};

use self::provided::{BUFFER_GROUP, ProvidedRing};
use super::{
    Completion, Driver, GATHER_MAX, ListenerId, ReceiveEnd, SocketId, Token, keep, net, take_front, tcp_info,
};
use crate::tcp;
use crate::worker::buffers::{Pool, RingShape, Slice};
use crate::worker::slots::{Key, SlotId, Slots};
use crate::worker::wake::WakeHandle;

/// See the module's documentation.
pub struct Uring {
    ring: IoUring,
    provided: ProvidedRing,
    /// Dropped by hand: it must outlive what the kernel was given of it.
    pool: ManuallyDrop<Pool>,
    sockets: Slots<SocketId, Socket>,
    listeners: Slots<ListenerId, Listener>,
    /// Sockets whose receive waits for a buffer, first come, first served.
    starved: VecDeque<SocketId>,
    /// Message headers that no send is using.
    #[expect(clippy::vec_box, reason = "a header keeps its address while the kernel has it")]
    headers: Vec<Box<Gather>>,
    /// Operations for which the submission queue had no room.
    backlog: VecDeque<squeue::Entry>,
    /// Completions that need no CQE.
    local: Vec<Completion>,
    cqes: Vec<cqueue::Entry>,
    wake: WakeHandle,
}

struct Socket {
    fd: OwnedFd,
    /// Operations whose last CQE has not come.
    pending: u32,
    receive: Receive,
    /// In the kernel's hands until the send's CQE.
    sending: Option<NonNull<Gather>>,
    /// The send under way holds nothing of the ring, or will not once its cancel has come back.
    lets_go: bool,
    /// In the kernel's hands until the connect's CQE.
    address: Option<NonNull<SocketAddrAny>>,
    closing: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Receive {
    Off,
    Armed,
    /// Armed, and its cancel is under way.
    Cancelling,
    Starved,
}

struct Listener {
    fd: OwnedFd,
    armed: bool,
    /// Out of descriptors: when to accept again.
    paused_until: Option<Instant>,
    closing: bool,
}

/// A message header with what it points to: stable addresses while a send is under way.
struct Gather {
    header: libc::msghdr,
    vectors: Vec<libc::iovec>,
    slices: VecDeque<Slice>,
}

impl Uring {
    /// A ring for the calling thread, which alone may use it.
    ///
    /// # Errors
    ///
    /// When the kernel has no io_uring, forbids it, or is older than Linux 6.1.
    pub fn new() -> io::Result<Self> {
        Self::with_provided(ProvidedRing::register)
    }

    /// As on kernels before Linux 6.12, where every piece takes a whole block.
    #[cfg(test)]
    pub(super) fn with_whole_blocks() -> io::Result<Self> {
        Self::with_provided(|ring| ProvidedRing::register_as(ring, RingShape::WHOLE, 0))
    }

    fn with_provided(register: fn(&IoUring) -> io::Result<(ProvidedRing, RingShape)>) -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .setup_cqsize(CQ_ENTRIES)
            .build(SQ_ENTRIES)?;
        let (provided, shape) = register(&ring)?;
        let mut driver = Self {
            ring,
            provided,
            pool: ManuallyDrop::new(Pool::new(shape)),
            sockets: Slots::default(),
            listeners: Slots::default(),
            starved: VecDeque::new(),
            headers: Vec::new(),
            backlog: VecDeque::new(),
            local: Vec::new(),
            cqes: Vec::with_capacity(CQ_ENTRIES as usize),
            wake: WakeHandle::new()?,
        };
        driver.arm_wake();
        Ok(driver)
    }

    fn push(&mut self, entry: squeue::Entry, user_data: u64) {
        self.backlog.push_back(entry.user_data(user_data));
    }

    /// Moves the backlog into the submission queue, submitting as often as that takes.
    fn stage(&mut self) -> io::Result<()> {
        loop {
            let mut queue = self.ring.submission();
            while let Some(entry) = self.backlog.front() {
                // SAFETY: what the entry points to lives until the operation's last CQE (see the module's documentation).
                if unsafe { queue.push(entry) }.is_err() {
                    break;
                }
                self.backlog.pop_front();
            }
            drop(queue);
            if self.backlog.is_empty() {
                return Ok(());
            }
            match self.ring.submit() {
                Ok(_) => {}
                Err(error) if is_transient(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn enter(&mut self, deadline: Option<Instant>, block: bool) -> io::Result<()> {
        let timeout =
            deadline.map(|deadline| Timespec::from(deadline.saturating_duration_since(Instant::now())));
        let mut arguments = SubmitArgs::new();
        if let Some(timeout) = &timeout {
            arguments = arguments.timespec(timeout);
        }
        match self.ring.submitter().submit_with_args(usize::from(block), &arguments) {
            Ok(_) => Ok(()),
            Err(error) if is_transient(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn arm_wake(&mut self) {
        let poll =
            opcode::PollAdd::new(Fd(self.wake.as_fd().as_raw_fd()), libc::POLLIN as u32).multi(true).build();
        self.push(poll, Token::new(WAKE, Key::new(0, 0)).pack());
    }

    fn arm_accept(&mut self, id: ListenerId) {
        let Some(listener) = self.listeners.get_mut(id) else { return };
        listener.armed = true;
        listener.paused_until = None;
        let accept = opcode::AcceptMulti::new(Fd(listener.fd.as_raw_fd())).flags(libc::SOCK_CLOEXEC).build();
        self.push(accept, Token::new(ACCEPT, id.key()).pack());
    }

    fn arm_receive(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        socket.receive = Receive::Armed;
        socket.pending += 1;
        let receive = opcode::RecvMulti::new(Fd(socket.fd.as_raw_fd()), BUFFER_GROUP).build();
        self.push(receive, Token::new(RECEIVE, id.key()).pack());
    }

    /// Gives free blocks to the kernel, then lets the receives that waited for them try again.
    fn refill(&mut self) {
        while self.provided.has_room()
            && let Some((bid, start)) = self.pool.provide()
        {
            self.provided.push(bid, start);
        }
        self.provided.publish();
        if self.provided.count == 0 {
            return;
        }
        for _ in 0..self.starved.len() {
            if let Some(id) = self.starved.pop_front()
                && self.sockets.get(id).is_some_and(|socket| socket.receive == Receive::Starved)
            {
                self.arm_receive(id);
            }
        }
    }

    /// Accepts again on listeners whose pause is over; returns when the next pause ends.
    fn resume_accepts(&mut self) -> Option<Instant> {
        let paused =
            self.listeners.iter().filter_map(|(id, listener)| Some((listener.paused_until?, id))).min()?;
        if paused.0 > Instant::now() {
            return Some(paused.0);
        }
        self.arm_accept(paused.1);
        self.resume_accepts()
    }

    fn dispatch(&mut self, cqe: &cqueue::Entry, completions: &mut Vec<Completion>) {
        let token = Token::unpack(cqe.user_data());
        let more = cqueue::more(cqe.flags());
        match token.tag {
            RECEIVE => self.on_receive(SocketId::from_key(token.key), cqe, completions),
            SEND => self.on_send(SocketId::from_key(token.key), cqe.result(), completions),
            CONNECT => self.on_connect(SocketId::from_key(token.key), cqe.result(), completions),
            CANCEL => self.finish_operation(SocketId::from_key(token.key), completions),
            ACCEPT => self.on_accept(ListenerId::from_key(token.key), cqe.result(), more, completions),
            WAKE => {
                self.wake.clear();
                completions.push(Completion::Woken);
                if !more {
                    self.arm_wake();
                }
            }
            // The cancel of an accept: what counts is the end of the accept itself.
            _ => {}
        }
    }

    fn on_receive(&mut self, id: SocketId, cqe: &cqueue::Entry, completions: &mut Vec<Completion>) {
        let piece = cqueue::buffer_select(cqe.flags()).and_then(|bid| self.take_piece(bid, cqe));
        let Some(socket) = self.sockets.get_mut(id) else { return };
        if let Some(slice) = piece.filter(|_| !socket.closing) {
            completions.push(Completion::Received { socket: id, slice });
        }
        if cqueue::more(cqe.flags()) {
            return;
        }
        let cancelled = socket.receive == Receive::Cancelling;
        socket.receive = Receive::Off;
        let end = match result_of(cqe.result()) {
            _ if socket.closing => None,
            Ok(0) => Some(ReceiveEnd::Eof),
            Err(Errno::CANCELED) => Some(ReceiveEnd::Cancelled),
            Ok(_) | Err(Errno::NOBUFS) if cancelled => Some(ReceiveEnd::Cancelled),
            // The kernel ends a multishot when the completion queue overflows.
            Ok(_) => {
                self.arm_receive(id);
                None
            }
            Err(Errno::NOBUFS) => {
                socket.receive = Receive::Starved;
                self.starved.push_back(id);
                None
            }
            Err(errno) => Some(ReceiveEnd::Failed(errno.into())),
        };
        completions.extend(end.map(|end| Completion::ReceiveEnded { socket: id, end }));
        self.finish_operation(id, completions);
    }

    fn take_piece(&mut self, bid: u16, cqe: &cqueue::Entry) -> Option<Slice> {
        let kept = cqueue::buffer_more(cqe.flags());
        self.provided.count -= u16::from(!kept);
        // SAFETY: `bid` came from a CQE of our only buffer group, so `refill` provided it and the kernel has not
        // given it up before this CQE; the result says how many bytes it wrote behind those of earlier CQEs.
        unsafe { self.pool.received(bid, cqe.result().max(0).unsigned_abs(), kept) }
    }

    fn on_send(&mut self, id: SocketId, result: i32, completions: &mut Vec<Completion>) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        let Some(gather) = socket.sending.take() else { return };
        // SAFETY: leaked by `send` or below; this CQE is the operation's only one, so the kernel is done with it.
        let mut gather = unsafe { Box::from_raw(gather.as_ptr()) };
        let (bytes, error) = match result_of(result) {
            Ok(bytes) => (bytes as usize, None),
            // Cancelled to let go of the ring, before a byte had left.
            Err(Errno::CANCELED) => (0, None),
            Err(errno) => (0, Some(io::Error::from(errno))),
        };
        take_front(&mut gather.slices, bytes);
        let over = error.is_some() || gather.slices.is_empty() || socket.closing;
        if !socket.closing {
            completions.push(Completion::Sent { socket: id, bytes, over, error });
        }
        if over {
            socket.lets_go = false;
            gather.slices.clear();
            keep(&mut self.headers, gather);
        } else {
            if socket.lets_go {
                gather.slices.iter_mut().for_each(Slice::detach);
            }
            self.launch(id, gather);
        }
        self.finish_operation(id, completions);
    }

    /// Starts the send of `gather`, which is in the kernel's hands from here on.
    fn launch(&mut self, id: SocketId, mut gather: Box<Gather>) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        gather.point();
        let gather = NonNull::from(Box::leak(gather));
        socket.sending = Some(gather);
        socket.pending += 1;
        // SAFETY: `gather` is a live allocation; only the address of the field is taken.
        let header = unsafe { &raw const (*gather.as_ptr()).header };
        let flags = (libc::MSG_WAITALL | libc::MSG_NOSIGNAL) as u32;
        let send = opcode::SendMsg::new(Fd(socket.fd.as_raw_fd()), header).flags(flags).build();
        self.push(send, Token::new(SEND, id.key()).pack());
    }

    fn on_connect(&mut self, id: SocketId, result: i32, completions: &mut Vec<Completion>) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        if let Some(address) = socket.address.take() {
            // SAFETY: leaked by `connect`; this CQE is the operation's only one, so the kernel is done with it.
            drop(unsafe { Box::from_raw(address.as_ptr()) });
        }
        if !socket.closing {
            let result = result_of(result).map(drop).map_err(io::Error::from);
            completions.push(Completion::Connected { socket: id, result });
        }
        self.finish_operation(id, completions);
    }

    fn on_accept(&mut self, id: ListenerId, result: i32, more: bool, completions: &mut Vec<Completion>) {
        let accepted = result_of(result).map(|fd| {
            // SAFETY: a successful accept made this descriptor, and nobody else knows it.
            unsafe { OwnedFd::from_raw_fd(fd as i32) }
        });
        let closing = self.listeners.get(id).is_none_or(|listener| listener.closing);
        let exhausted = match accepted {
            Ok(socket) => {
                self.announce(id, socket, completions);
                false
            }
            Err(Errno::CANCELED) => false,
            Err(errno) => {
                if !closing {
                    completions.push(Completion::AcceptFailed { listener: id, error: errno.into() });
                }
                net::is_exhaustion(errno)
            }
        };
        if more {
            return;
        }
        match self.listeners.get_mut(id) {
            Some(listener) if exhausted && !closing => {
                listener.armed = false;
                listener.paused_until = Some(Instant::now() + net::ACCEPT_PAUSE);
            }
            Some(_) if !closing => self.arm_accept(id),
            _ => self.close_listener(id, completions),
        }
    }

    fn announce(&mut self, listener: ListenerId, fd: OwnedFd, completions: &mut Vec<Completion>) {
        // A connection that was reset while it waited has no peer any more, and nothing to say.
        let Some(peer) = net::peer_of(&fd) else { return };
        let socket = self.sockets.insert(Socket::new(fd));
        completions.push(Completion::Accepted { listener, socket, peer });
    }

    /// Closes a listener whose accept has ended.
    fn close_listener(&mut self, id: ListenerId, completions: &mut Vec<Completion>) {
        let Some(listener) = self.listeners.remove(id) else { return };
        net::accept_queued(&listener.fd, SocketFlags::empty(), |fd| self.announce(id, fd, completions));
        completions.push(Completion::ListenerClosed { listener: id });
    }

    /// An operation of the socket has had its last CQE. Closes the socket when it was the last one of all.
    fn finish_operation(&mut self, id: SocketId, completions: &mut Vec<Completion>) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        socket.pending -= 1;
        if socket.closing && socket.pending == 0 {
            self.sockets.remove(id);
            completions.push(Completion::Closed { socket: id });
        }
    }
}

impl Driver for Uring {
    type Listener = TcpListener;

    fn pool(&self) -> &Pool {
        &self.pool
    }

    fn listen(&mut self, listener: TcpListener) -> io::Result<ListenerId> {
        let listener = Listener { fd: listener.into(), armed: false, paused_until: None, closing: false };
        let id = self.listeners.insert(listener);
        self.arm_accept(id);
        Ok(id)
    }

    fn unlisten(&mut self, id: ListenerId) {
        let Some(listener) = self.listeners.get_mut(id) else { return };
        if std::mem::replace(&mut listener.closing, true) {
            return;
        }
        if listener.armed {
            // An armed accept keeps the listener open: end it first, close on its last CQE.
            let cancel = opcode::AsyncCancel::new(Token::new(ACCEPT, id.key()).pack()).build();
            self.push(cancel, Token::new(CANCEL_ACCEPT, id.key()).pack());
        } else {
            let mut local = std::mem::take(&mut self.local);
            self.close_listener(id, &mut local);
            self.local = local;
        }
    }

    fn connect(&mut self, peer: SocketAddr) -> io::Result<SocketId> {
        let fd = tcp::socket(peer, SocketFlags::empty())?;
        let raw = Fd(fd.as_raw_fd());
        let address = Box::leak(Box::new(peer.as_any()));
        let (pointer, length) = (address.as_ptr(), address.addr_len());
        let address = Some(NonNull::from(address));
        let id = self.sockets.insert(Socket { address, pending: 1, ..Socket::new(fd) });
        self.push(
            opcode::Connect::new(raw, pointer.cast(), length).build(),
            Token::new(CONNECT, id.key()).pack(),
        );
        Ok(id)
    }

    fn recv(&mut self, id: SocketId) {
        if self.sockets.get(id).is_some_and(|socket| socket.receive == Receive::Off && !socket.closing) {
            self.arm_receive(id);
        }
    }

    fn cancel_recv(&mut self, id: SocketId) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        match socket.receive {
            Receive::Armed => {
                socket.receive = Receive::Cancelling;
                socket.pending += 1;
                let cancel = opcode::AsyncCancel::new(Token::new(RECEIVE, id.key()).pack()).build();
                self.push(cancel, Token::new(CANCEL, id.key()).pack());
            }
            Receive::Starved => {
                socket.receive = Receive::Off;
                self.starved.retain(|&starved| starved != id);
                self.local.push(Completion::ReceiveEnded { socket: id, end: ReceiveEnd::Cancelled });
            }
            Receive::Off | Receive::Cancelling => {}
        }
    }

    fn send(&mut self, id: SocketId, next: &mut dyn FnMut() -> Option<Slice>) {
        let Some(socket) = self.sockets.get(id) else { return };
        assert!(socket.sending.is_none(), "one send per socket: two would interleave");
        let mut gather = self.headers.pop().unwrap_or_else(Gather::new);
        gather.slices.extend(std::iter::from_fn(next).take(GATHER_MAX));
        self.launch(id, gather);
    }

    /// The kernel reads from the blocks until the CQE of the send: each send is cancelled, and goes on from a copy.
    fn let_go_of_the_ring(&mut self) {
        for (id, socket) in self.sockets.iter_mut() {
            if socket.sending.is_some() && !socket.closing && !std::mem::replace(&mut socket.lets_go, true) {
                socket.pending += 1;
                let cancel = opcode::AsyncCancel::new(Token::new(SEND, id.key()).pack()).build();
                self.backlog.push_back(cancel.user_data(Token::new(CANCEL, id.key()).pack()));
            }
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
        let Some(socket) = self.sockets.get_mut(id) else { return };
        if std::mem::replace(&mut socket.closing, true) {
            return;
        }
        if socket.receive == Receive::Starved {
            socket.receive = Receive::Off;
            self.starved.retain(|&starved| starved != id);
        }
        if socket.pending == 0 {
            self.sockets.remove(id);
            self.local.push(Completion::Closed { socket: id });
            return;
        }
        socket.pending += 1;
        let everything = CancelBuilder::fd(Fd(socket.fd.as_raw_fd())).all();
        self.push(opcode::AsyncCancel2::new(everything).build(), Token::new(CANCEL, id.key()).pack());
    }

    fn wake_handle(&self) -> WakeHandle {
        self.wake.clone()
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wait(&mut self, deadline: Option<Instant>, completions: &mut Vec<Completion>) -> io::Result<()> {
        self.refill();
        let resume = self.resume_accepts();
        self.stage()?;
        completions.append(&mut self.local);
        let deadline = [deadline, resume].into_iter().flatten().min();
        let block = completions.is_empty()
            && self.backlog.is_empty()
            && deadline.is_none_or(|deadline| deadline > Instant::now());
        self.enter(deadline.filter(|_| block), block)?;
        let mut cqes = std::mem::take(&mut self.cqes);
        cqes.extend(self.ring.completion());
        for cqe in cqes.drain(..) {
            self.dispatch(&cqe, completions);
        }
        self.cqes = cqes;
        Ok(())
    }

    fn arrived_bytes(&self, id: SocketId) -> u64 {
        self.sockets.get(id).map_or(0, |socket| tcp_info::acknowledged_bytes(&socket.fd))
    }

    fn starved(&self) -> usize {
        self.starved.len()
    }
}

impl Drop for Uring {
    /// Ends every operation and waits until the kernel has let go of all memory. What it does not let go of in time
    /// is leaked: it could still be written to.
    fn drop(&mut self) {
        let sockets: Vec<SocketId> = self.sockets.iter().map(|(id, _)| id).collect();
        sockets.into_iter().for_each(|id| self.close(id));
        let listeners: Vec<ListenerId> = self.listeners.iter().map(|(id, _)| id).collect();
        listeners.into_iter().for_each(|id| self.unlisten(id));
        let deadline = Instant::now() + TEARDOWN_PATIENCE;
        let mut completions = Vec::new();
        while !(self.sockets.is_empty() && self.listeners.is_empty()) && Instant::now() < deadline {
            if self.wait(Some(deadline), &mut completions).is_err() {
                break;
            }
            // Connections that were queued at a listener have become sockets.
            for completion in completions.drain(..) {
                if let Completion::Accepted { socket, .. } = completion {
                    self.close(socket);
                }
            }
        }
        if self.sockets.is_empty() && self.provided.unregister(&self.ring) {
            // SAFETY: dropped once, here; the kernel has given up the provided blocks and no operation is left.
            unsafe { ManuallyDrop::drop(&mut self.pool) };
        }
    }
}

impl Socket {
    fn new(fd: OwnedFd) -> Self {
        Self {
            fd,
            pending: 0,
            receive: Receive::Off,
            sending: None,
            lets_go: false,
            address: None,
            closing: false,
        }
    }
}

impl Gather {
    fn new() -> Box<Self> {
        // SAFETY: `msghdr` is a C struct of integers and pointers, for which zero is a valid value.
        let header = unsafe { std::mem::zeroed() };
        let vectors = Vec::with_capacity(GATHER_MAX);
        Box::new(Self { header, vectors, slices: VecDeque::with_capacity(GATHER_MAX) })
    }

    /// Points the header at the slices.
    fn point(&mut self) {
        self.vectors.clear();
        self.vectors.extend(
            self.slices.iter().map(|slice| libc::iovec {
                iov_base: slice.as_ptr().cast_mut().cast(),
                iov_len: slice.len(),
            }),
        );
        self.header.msg_iov = self.vectors.as_mut_ptr();
        self.header.msg_iovlen = self.vectors.len();
    }
}

/// The result of a CQE: a count or descriptor, or an error.
fn result_of(result: i32) -> Result<u32, Errno> {
    u32::try_from(result).map_err(|_| Errno::from_raw_os_error(-result))
}

/// Waiting ended without a completion, or must be tried again after reaping.
fn is_transient(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN))
}

const ACCEPT: u8 = 0;
const RECEIVE: u8 = 1;
const SEND: u8 = 2;
const CONNECT: u8 = 3;
const CANCEL: u8 = 4;
const CANCEL_ACCEPT: u8 = 5;
const WAKE: u8 = 6;

/// Operations that one submission can carry: more than a pass of 512 busy pairs of sockets starts.
const SQ_ENTRIES: u32 = 1024;

/// Completions that fit before the kernel has to keep them in a list of its own.
const CQ_ENTRIES: u32 = 4096;

/// How long a driver that is dropped waits for the kernel to end its operations.
const TEARDOWN_PATIENCE: Duration = Duration::from_secs(1);
