//! The verbs of I/O and their completions: what io_uring, epoll and the faulty test network have in common.
//!
//! A driver belongs to one thread. It starts operations and reports how they went in [`Driver::wait`]; it
//! neither queues nor decides. Queues, back-pressure and tasks are [`Io`](super::io::Io)'s.

pub mod epoll;
#[cfg(test)]
pub mod faulty;
mod net;
#[expect(unsafe_code, reason = "the kernel fills a structure that no crate of ours has a call for")]
mod tcp_info;
#[cfg(test)]
mod tests;
#[expect(
    unsafe_code,
    reason = "operations point at memory that the kernel reads and writes until their last CQE"
)]
pub mod uring;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use super::buffers::{Pool, Slice};
use super::slots::{Key, slot_id};
use super::wake::WakeHandle;

slot_id!(
    /// A connected (or connecting) socket. Stays unique until its [`Completion::Closed`] was reported.
    pub SocketId
);
slot_id!(
    /// A listening socket of this worker.
    pub ListenerId
);

/// The verbs of I/O.
///
/// An id that has gone is ignored by every verb: what became of the socket was reported before.
pub trait Driver: 'static {
    /// What a listener is made from: a bound and listening socket, or an address of the test network.
    type Listener;

    /// The pool whose ring blocks the driver receives into.
    fn pool(&self) -> &Pool;

    /// Starts to accept until [`unlisten`](Self::unlisten): [`Completion::Accepted`] for each connection.
    ///
    /// # Errors
    ///
    /// When the listener cannot be registered with the kernel.
    fn listen(&mut self, listener: Self::Listener) -> io::Result<ListenerId>;

    /// Stops accepting and closes the listener: [`Completion::ListenerClosed`], after which no connection comes.
    fn unlisten(&mut self, listener: ListenerId);

    /// Starts to connect: [`Completion::Connected`].
    ///
    /// # Errors
    ///
    /// When no socket can be had.
    fn connect(&mut self, peer: SocketAddr) -> io::Result<SocketId>;

    /// Receives until [`Completion::ReceiveEnded`]: a [`Completion::Received`] for each piece.
    ///
    /// A lack of buffers pauses the receive; the driver resumes it, first come, first served.
    fn recv(&mut self, socket: SocketId);

    /// Ends the receive early: pieces that were under way still come, then [`ReceiveEnd::Cancelled`]. Nothing is
    /// lost: the next [`recv`](Self::recv) continues where this one ended.
    fn cancel_recv(&mut self, socket: SocketId);

    /// Sends what `next` yields, at most [`GATHER_MAX`] slices, as one operation: [`Completion::Sent`] as it goes.
    ///
    /// # Panics
    ///
    /// While an earlier send of this socket is under way: two would interleave.
    fn send(&mut self, socket: SocketId, next: &mut dyn FnMut() -> Option<Slice>);

    /// Copies what sends under way hold of the ring, so that receives can go on; at once, or with completions to come.
    fn let_go_of_the_ring(&mut self);

    /// Tells the peer that nothing more comes.
    fn shutdown_write(&mut self, socket: SocketId);

    /// Has [`close`](Self::close) reset the connection: the peer sees a failure, not an end (`SO_LINGER`, socket(7)).
    fn reset_on_close(&mut self, socket: SocketId);

    /// Abandons all operations of the socket and closes it: [`Completion::Closed`] is its last.
    fn close(&mut self, socket: SocketId);

    /// A handle with which another thread ends this driver's [`wait`](Self::wait).
    fn wake_handle(&self) -> WakeHandle;

    /// The driver's clock, monotonic.
    fn now(&self) -> Instant;

    /// Submits what was started, waits for a completion, a wake or `deadline`, and appends all completions.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to wait at all; errors of operations are in their completions.
    fn wait(&mut self, deadline: Option<Instant>, completions: &mut Vec<Completion>) -> io::Result<()>;

    /// Bytes that have arrived at the peer's host since the socket was opened, of all that was sent. With the kernel's
    /// sockets a system call: nothing for every pass.
    fn arrived_bytes(&self, socket: SocketId) -> u64;

    /// Sockets whose receive is paused for lack of buffers.
    fn starved(&self) -> usize;
}

/// What became of an operation.
#[derive(Debug)]
pub enum Completion {
    /// A connection arrived.
    Accepted {
        /// Where it arrived.
        listener: ListenerId,
        /// The connection; its receive is not armed yet.
        socket: SocketId,
        /// The other end.
        peer: SocketAddr,
    },
    /// The kernel could not hand out a connection (out of descriptors, for one); accepting continues by itself.
    AcceptFailed {
        /// Where it would have arrived.
        listener: ListenerId,
        /// Why.
        error: io::Error,
    },
    /// The listener is closed.
    ListenerClosed {
        /// Which.
        listener: ListenerId,
    },
    /// The connect is over.
    Connected {
        /// Which.
        socket: SocketId,
        /// Whether it succeeded.
        result: io::Result<()>,
    },
    /// Bytes arrived.
    Received {
        /// Where.
        socket: SocketId,
        /// At least one byte.
        slice: Slice,
    },
    /// No more bytes come from this receive.
    ReceiveEnded {
        /// Where.
        socket: SocketId,
        /// Why.
        end: ReceiveEnd,
    },
    /// Bytes of a send left, or the send failed.
    Sent {
        /// Where.
        socket: SocketId,
        /// How many bytes left since the last report.
        bytes: usize,
        /// The send is over: all of it left, or it failed and the rest was dropped.
        over: bool,
        /// The failure, with `over`.
        error: Option<io::Error>,
    },
    /// The socket is closed, its id is free.
    Closed {
        /// Which.
        socket: SocketId,
    },
    /// Another thread used the [`WakeHandle`].
    Woken,
}

/// Why a receive ended.
#[derive(Debug)]
pub enum ReceiveEnd {
    /// The peer sends no more.
    Eof,
    /// [`Driver::cancel_recv`].
    Cancelled,
    /// The connection failed.
    Failed(io::Error),
}

/// What the kernel hands back with an event: which operation, on which slot and generation. Never a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Token {
    tag: u8,
    key: Key,
}

impl Token {
    fn new(tag: u8, key: Key) -> Self {
        Self { tag, key }
    }

    fn pack(self) -> u64 {
        u64::from(self.tag) << 56 | u64::from(self.key.generation()) << 32 | self.key.index() as u64
    }

    fn unpack(packed: u64) -> Self {
        Self { tag: (packed >> 56) as u8, key: Key::new(packed as u32, (packed >> 32) as u32) }
    }
}

/// Lets go of the first `bytes` bytes of a send.
fn take_front(queue: &mut VecDeque<Slice>, mut bytes: usize) {
    while let Some(first) = queue.front_mut()
        && bytes > 0
    {
        if bytes < first.len() {
            first.advance(bytes);
            return;
        }
        bytes -= first.len();
        queue.pop_front();
    }
}

/// Keeps what a send that is over leaves for the next one, unless that is more than a burst of sends needs again.
fn keep<T>(spares: &mut Vec<T>, spare: T) {
    if spares.len() < SPARE_SENDS_MAX {
        spares.push(spare);
    }
}

/// Some 10 KiB each: as many as sockets that send in one pass of a busy worker.
const SPARE_SENDS_MAX: usize = 256;

/// Most slices of one send: a quarter of Linux's `UIO_MAXIOV`, and a page of `iovec`s.
pub const GATHER_MAX: usize = 256;

#[cfg(test)]
mod unit_tests {
    use super::*;

    #[test]
    fn spares_of_a_burst_go_again() {
        let mut spares = Vec::new();
        (0..10 * SPARE_SENDS_MAX).for_each(|spare| keep(&mut spares, spare));
        assert_eq!(spares.len(), SPARE_SENDS_MAX);
    }

    #[test]
    fn tokens_survive_the_kernel() {
        for token in [Token::new(0, Key::new(0, 0)), Token::new(255, Key::new(u32::MAX, 0x00ff_ffff))] {
            assert_eq!(Token::unpack(token.pack()), token);
        }
    }
}
