//! The asynchronous face of a worker's sockets, used by its connection tasks.
//!
//! Everything is queued: a pass takes in all completions, polls the ready tasks, then hands each socket's queue to
//! the driver as one gathered send. No borrow lives across an await, and nothing here is shared between threads.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::buffers::{Pool, Slice, block_bytes};
use super::driver::{Driver, ListenerId, SocketId};
use super::rooms::{Side, Ticket};
use super::schedule::{TaskId, TimerId};
use super::sockets::{Shortage, State};
use super::wake::WakeHandle;

pub use super::sockets::Accepted;

/// Handle to the sockets, timers and buffers of one worker. Cheap to clone.
///
/// The futures wake the task that awaits them only through the socket's or timer's owner: the task that accepted,
/// connected or slept. A socket is awaited by its owner.
pub struct Io<D>(Rc<RefCell<State<D>>>);

impl<D> Clone for Io<D> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<D> fmt::Debug for Io<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").finish_non_exhaustive()
    }
}

impl<D: Driver> Io<D> {
    /// The sockets of one worker on `driver`.
    pub fn new(driver: D) -> Self {
        Self(Rc::new(RefCell::new(State::new(driver))))
    }

    /// Buffers of this worker.
    pub fn pool(&self) -> Pool {
        self.0.borrow().pool.clone()
    }

    /// The driver's clock.
    pub fn now(&self) -> Instant {
        self.0.borrow().driver.now()
    }

    /// Ends the wait of this worker, from any thread.
    pub fn wake_handle(&self) -> WakeHandle {
        self.0.borrow().driver.wake_handle()
    }

    // Listeners and drain.

    /// Starts to accept; the executor makes a task of each connection.
    ///
    /// # Errors
    ///
    /// When the listener cannot be registered with the kernel.
    pub fn listen(&self, listener: D::Listener) -> io::Result<ListenerId> {
        let state = &mut *self.0.borrow_mut();
        let listener = state.driver.listen(listener)?;
        state.listeners.push(listener);
        Ok(listener)
    }

    /// Stops accepting on all listeners and tells all tasks; what still runs at `deadline` is dropped. Connections
    /// already queued in the kernel move to another worker's listener, or are accepted first where the kernel does not
    /// move them (`net.ipv4.tcp_migrate_req`).
    pub fn drain(&self, deadline: Instant) {
        let state = &mut *self.0.borrow_mut();
        state.drain_deadline = Some(deadline);
        for &listener in &state.listeners {
            state.driver.unlisten(listener);
        }
        state.schedule.wake_all();
    }

    /// True from [`drain`](Self::drain) on: finish what is under way, start nothing.
    pub fn draining(&self) -> bool {
        self.0.borrow().drain_deadline.is_some()
    }

    /// The listeners that are not closed yet.
    pub fn listeners(&self) -> Vec<ListenerId> {
        self.0.borrow().listeners.clone()
    }

    // Sockets.

    /// Connects to `peer`; the socket belongs to the current task and is closed with it.
    ///
    /// # Errors
    ///
    /// What connect(2) says, or `TimedOut` at `deadline`.
    pub async fn connect(&self, peer: SocketAddr, deadline: Instant) -> io::Result<SocketId> {
        let mut connecting = Connecting { io: self, socket: Some(self.0.borrow_mut().connect(peer)?) };
        let _timer = self.sleep_until(deadline);
        poll_fn(|_| {
            let Some(socket) = connecting.socket else { return Poll::Pending };
            let connected = self.0.borrow_mut().connected(socket);
            match connected {
                Some(Ok(())) => Poll::Ready(Ok(connecting.socket.take().unwrap_or(socket))),
                Some(Err(error)) => Poll::Ready(Err(error)),
                None if self.now() >= deadline => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// The next piece of the stream, in order; `None` at its end.
    ///
    /// # Errors
    ///
    /// When the connection failed (after everything received before) or the socket is closed.
    pub async fn recv(&self, socket: SocketId) -> io::Result<Option<Slice>> {
        poll_fn(|_| self.poll_recv(socket)).await
    }

    /// Receives no more: what was received before is still handed out, then the stream ends.
    pub fn stop_receiving(&self, socket: SocketId) {
        self.0.borrow_mut().stop_receiving(socket);
    }

    /// As [`recv`](Self::recv), for tasks that wait for several things.
    pub fn poll_recv(&self, socket: SocketId) -> Poll<io::Result<Option<Slice>>> {
        self.0.borrow_mut().receive(socket).map_or(Poll::Pending, Poll::Ready)
    }

    /// True while receives wait because all ring blocks are held. A task that holds slices across an await and sees
    /// this when it is polled lets go of the ring with [`Slice::detach`]; all tasks are polled when it begins.
    pub fn ring_short(&self) -> bool {
        matches!(self.0.borrow().shortage, Shortage::Relieved(_))
    }

    /// Queues `slice`; everything queued in one pass leaves as one send. Dropped when the connection has failed:
    /// [`recv`](Self::recv) and [`flushed_below`](Self::flushed_below) report it.
    pub fn send(&self, socket: SocketId, slice: Slice) {
        self.0.borrow_mut().send(socket, slice);
    }

    /// Bytes queued for sending that have not left yet; 0 when the connection has failed or is closed.
    pub fn outbound_bytes(&self, socket: SocketId) -> usize {
        self.0.borrow_mut().outbound_bytes(socket).unwrap_or(0)
    }

    /// Bytes that have arrived at the peer's host since the socket was opened; 0 when it is closed. A system call.
    pub(super) fn arrived_bytes(&self, socket: SocketId) -> u64 {
        self.0.borrow().driver.arrived_bytes(socket)
    }

    /// Waits until at most `bytes` are queued for sending; 0 waits until everything has left.
    ///
    /// # Errors
    ///
    /// When the connection failed or the socket is closed.
    pub async fn flushed_below(&self, socket: SocketId, bytes: usize) -> io::Result<()> {
        poll_fn(|_| self.poll_flushed_below(socket, bytes)).await
    }

    /// As [`flushed_below`](Self::flushed_below), for tasks that wait for several things.
    pub fn poll_flushed_below(&self, socket: SocketId, bytes: usize) -> Poll<io::Result<()>> {
        let queued = self.0.borrow_mut().outbound_bytes(socket);
        match queued {
            Ok(queued) if queued > bytes => Poll::Pending,
            Ok(_) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// Waits until the socket's queue is short enough to take in more for it: the bound of the memory budget.
    ///
    /// # Errors
    ///
    /// As [`flushed_below`](Self::flushed_below).
    pub async fn writable(&self, socket: SocketId) -> io::Result<()> {
        poll_fn(|_| self.poll_writable(socket)).await
    }

    /// As [`writable`](Self::writable), for tasks that wait for several things.
    pub fn poll_writable(&self, socket: SocketId) -> Poll<io::Result<()>> {
        self.poll_flushed_below(socket, self.outbound_bytes_max())
    }

    /// Bytes that may be queued for one socket now, by the memory budget.
    pub fn outbound_bytes_max(&self) -> usize {
        self.0.borrow().bounds().outbound
    }

    /// Counts bytes that wait at a connection to be sent as queued on its socket.
    pub(super) fn note_waiting(&self, socket: SocketId, bytes: usize) {
        self.0.borrow_mut().note_waiting(socket, bytes);
    }

    /// Waits until the worker has room for a large frame, and reserves it. First come, first served.
    pub(super) async fn frame_room(&self, side: Side, frame_bytes: usize) -> FrameRoom<D> {
        let bytes = block_bytes(frame_bytes);
        let ticket = self.0.borrow_mut().enter_room(side, bytes);
        let mut room = FrameRoom { io: self.clone(), side, ticket, bytes, frame_bytes, since: self.now() };
        poll_fn(|_| if self.0.borrow().has_room(side, ticket) { Poll::Ready(()) } else { Poll::Pending })
            .await;
        room.since = self.now();
        room
    }

    /// Large frames from `side` that wait for room now.
    pub(super) fn frames_waiting(&self, side: Side) -> usize {
        self.0.borrow().rooms(side).waiting()
    }

    /// Bytes reserved for large frames from `side`.
    pub(super) fn frame_bytes(&self, side: Side) -> usize {
        self.0.borrow().rooms(side).taken()
    }

    /// Tells the peer, after everything queued, that nothing more comes.
    pub fn shutdown_write(&self, socket: SocketId) {
        self.0.borrow_mut().shutdown_write(socket);
    }

    /// Has the end of the socket look like a failure to its peer: closing resets the connection.
    pub fn reset_on_close(&self, socket: SocketId) {
        self.0.borrow_mut().driver.reset_on_close(socket);
    }

    /// Closes the socket and drops what is queued: await `flushed_below(socket, 0)` first to keep it.
    pub fn close(&self, socket: SocketId) {
        self.0.borrow_mut().close(socket);
    }

    /// Number of sockets that are not closed yet.
    pub fn sockets(&self) -> usize {
        self.0.borrow().socket_count()
    }

    /// Bytes queued on all sockets of the worker, both directions.
    pub fn queued_bytes(&self) -> usize {
        self.0.borrow().queued_bytes()
    }

    // Tasks and time.

    /// Ends at `deadline`.
    pub fn sleep_until(&self, deadline: Instant) -> Sleep<D> {
        let state = &mut *self.0.borrow_mut();
        let timer = state.schedule.current.map(|task| state.schedule.start_timer(deadline, task));
        Sleep { io: self.clone(), deadline, timer }
    }

    /// Lets all other ready tasks, and the completions that wait, have their turn.
    pub async fn yield_now(&self) {
        let mut yielded = false;
        poll_fn(|_| {
            if std::mem::replace(&mut yielded, true) {
                return Poll::Ready(());
            }
            if let Some(task) = self.current_task() {
                self.wake(task);
            }
            Poll::Pending
        })
        .await;
    }

    /// The task that is being polled.
    pub fn current_task(&self) -> Option<TaskId> {
        self.0.borrow().schedule.current
    }

    /// Has `task` polled in the next pass; nothing when it has ended.
    pub fn wake(&self, task: TaskId) {
        self.0.borrow_mut().schedule.wake(task);
    }

    /// Has every task polled in the next pass.
    pub fn wake_all(&self) {
        self.0.borrow_mut().schedule.wake_all();
    }

    /// The state, for the executor.
    pub(super) fn state(&self) -> std::cell::RefMut<'_, State<D>> {
        self.0.borrow_mut()
    }
}

/// Closes the socket of a connect that failed or was given up.
struct Connecting<'a, D: Driver> {
    io: &'a Io<D>,
    socket: Option<SocketId>,
}

impl<D: Driver> Drop for Connecting<'_, D> {
    fn drop(&mut self) {
        if let Some(socket) = self.socket.take() {
            self.io.close(socket);
        }
    }
}

/// Room for one large frame, or a place in the queue for it, until it is dropped.
pub(super) struct FrameRoom<D: Driver> {
    io: Io<D>,
    side: Side,
    ticket: Ticket,
    /// Of its whole buffer.
    bytes: usize,
    frame_bytes: usize,
    since: Instant,
}

impl<D: Driver> FrameRoom<D> {
    /// When there was room.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// Bytes of the frame.
    pub(super) fn frame_bytes(&self) -> usize {
        self.frame_bytes
    }
}

impl<D: Driver> Drop for FrameRoom<D> {
    fn drop(&mut self) {
        self.io.0.borrow_mut().leave_room(self.side, self.ticket, self.bytes);
    }
}

/// Future of [`Io::sleep_until`].
#[must_use = "a sleep does nothing until it is awaited"]
pub struct Sleep<D: Driver> {
    io: Io<D>,
    deadline: Instant,
    timer: Option<TimerId>,
}

impl<D: Driver> Future for Sleep<D> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        // A look at the timer, not at the clock: tasks are polled far more often than their timers fire.
        let over = match self.timer {
            Some(timer) => self.io.0.borrow().schedule.has_fired(timer),
            None => self.io.now() >= self.deadline,
        };
        if over { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl<D: Driver> Drop for Sleep<D> {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            self.io.0.borrow_mut().schedule.stop_timer(timer);
        }
    }
}
