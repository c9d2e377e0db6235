//! The data plane: one pinned thread per core, with its own ring, buffers and tasks. No locks, no tokio, no
//! allocation per request.

#[expect(unsafe_code, reason = "memory shared with the kernel; slices own disjoint ranges of pooled blocks")]
pub mod buffers;
mod connection;
pub mod driver;
pub mod executor;
mod frames;
pub mod io;
mod queue;
mod rooms;
pub mod schedule;
mod session;
mod shared;
#[cfg(test)]
mod simulation;
pub mod slots;
mod sockets;
#[cfg(test)]
mod testing;
mod transport;
pub mod wake;

use std::collections::HashMap;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use tokio::sync::Notify;

use crate::config::IoKind;
use crate::inspect::{Frames, Inspector};
use crate::mailbox::{ControlMailbox, ToWorker, Wake, WorkerMailbox, mailbox};
use crate::policy::Policy;
use crate::steering::LoadHandle;
use crate::telemetry::{Direction, Reason, WorkerCounters};
use crate::topology::CurrentTopology;
use buffers::{Pool, Slice};
use driver::{Driver, ListenerId};
use executor::{Executor, Failures};
use io::Io;
use rooms::Side;
use shared::{Endpoint, Shared};

pub use shared::ListenerSettings;

/// One socket of a port's reuseport group.
#[derive(Debug)]
pub struct ListeningPort {
    /// Listener index in the configuration.
    pub listener: u16,
    /// The broker behind the port; `None` for the bootstrap port.
    pub node_id: Option<i32>,
    /// Bound and listening.
    pub socket: TcpListener,
}

/// What a worker starts with.
#[derive(Debug)]
pub struct WorkerSetup {
    /// Index of the worker.
    pub index: usize,
    /// Core to be pinned to.
    pub core: Option<usize>,
    /// Settings and topology of each listener, in the order of the configuration.
    pub listeners: Vec<(Arc<ListenerSettings>, Arc<CurrentTopology>)>,
    /// This worker's socket of every port.
    pub ports: Vec<ListeningPort>,
    /// The policy in force.
    pub policy: Arc<Policy>,
    /// This worker's entry in the load map; `None` when the kernel's hash spreads connections.
    pub load: Option<LoadHandle>,
}

/// Starts the thread of one worker. Returns when its driver is up and its ports accept.
///
/// # Errors
///
/// When the driver cannot be made, a port cannot be registered or the thread cannot be pinned.
pub fn spawn(
    setup: WorkerSetup,
    io: IoKind,
    counters: Arc<WorkerCounters>,
    notify: Arc<Notify>,
) -> std::io::Result<WorkerThread> {
    let (started_to, started) = mpsc::sync_channel(1);
    let ended = Arc::new(AtomicBool::new(false));
    let guard = Ended { ended: ended.clone(), notify: notify.clone() };
    let thread = std::thread::Builder::new().name(format!("worker-{}", setup.index)).spawn(move || {
        let _ended = guard;
        if let Some(core) = setup.core {
            wake::pin_to_core(core)?;
        }
        match io {
            IoKind::IoUring => run(driver::uring::Uring::new()?, setup, counters, notify, &started_to),
            IoKind::Epoll => run(driver::epoll::Epoll::new()?, setup, counters, notify, &started_to),
        }
    })?;
    match started.recv() {
        Ok(mailbox) => Ok(WorkerThread { mailbox, ended, thread: Some(thread) }),
        // The thread ended before it was up: its result says why.
        Err(mpsc::RecvError) => {
            let ended = thread.join().unwrap_or_else(|_| Err(std::io::Error::other("the worker panicked")));
            Err(ended.err().unwrap_or_else(|| std::io::Error::other("the worker ended at once")))
        }
    }
}

/// Tells the control thread that a worker has ended, also by a panic.
struct Ended {
    ended: Arc<AtomicBool>,
    notify: Arc<Notify>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.ended.store(true, Release);
        self.notify.notify_one();
    }
}

/// A started worker, as the control thread keeps it.
pub struct WorkerThread {
    /// The control thread's end of its mailbox.
    pub mailbox: ControlMailbox,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl WorkerThread {
    /// True until `take_result` has given the result.
    pub fn is_running(&self) -> bool {
        self.thread.is_some()
    }

    /// How the worker ended, once, when it has.
    pub fn take_result(&mut self) -> Option<std::io::Result<()>> {
        // The flag, not `is_finished`: it is set before the control thread is woken, and joining then takes no time.
        let thread = self.thread.take_if(|_| self.ended.load(Acquire))?;
        Some(thread.join().unwrap_or_else(|_| Err(std::io::Error::other("the worker panicked"))))
    }
}

fn run<D: Driver<Listener: From<TcpListener>>>(
    driver: D,
    setup: WorkerSetup,
    counters: Arc<WorkerCounters>,
    notify: Arc<Notify>,
    started: &mpsc::SyncSender<ControlMailbox>,
) -> std::io::Result<()> {
    let io = Io::new(driver);
    let (ours, theirs) = mailbox(notify, Box::new(io.wake_handle()));
    let scratch = Box::new(setup.policy.scratch());
    let inspector = Inspector::new(setup.policy, scratch);
    let shared = Shared::new(counters, setup.load, setup.listeners, inspector);
    let mut worker = Worker::new(io, shared, ours);
    for port in setup.ports {
        worker.listen(port.listener, port.node_id, port.socket.into())?;
    }
    worker.shared.accepts(true);
    // The control thread waits for it; when it has gone, so has the process.
    let _ = started.send(theirs);
    worker.serve()
}

struct Worker<D: Driver> {
    shared: Rc<Shared>,
    executor: Executor<D>,
    endpoints: HashMap<ListenerId, Endpoint>,
    mailbox: WorkerMailbox,
    /// Those that are counted.
    failures: Failures,
}

impl<D: Driver<Listener: From<TcpListener>>> Worker<D> {
    fn new(io: Io<D>, shared: Shared, mailbox: WorkerMailbox) -> Self {
        let (shared, executor) = (Rc::new(shared), Executor::new(io));
        Self { shared, executor, endpoints: HashMap::new(), mailbox, failures: Failures::default() }
    }

    /// Turns until everything is drained.
    fn serve(mut self) -> std::io::Result<()> {
        while !self.executor.is_drained() {
            self.turn()?;
        }
        Ok(())
    }

    /// Takes in what the control thread and the driver have, gives every task its say, and hands over what that left.
    fn turn(&mut self) -> std::io::Result<()> {
        self.receive()?;
        let (io, shared, endpoints) = (self.executor.io().clone(), &self.shared, &self.endpoints);
        self.executor.turn(&mut |accepted| {
            let endpoint = endpoints.get(&accepted.listener).copied();
            let (io, shared) = (io.clone(), shared.clone());
            async move {
                if let Some(endpoint) = endpoint {
                    connection::serve(io, shared, endpoint, accepted.socket).await;
                }
            }
        })?;
        self.report();
        Ok(())
    }

    /// Takes every message of the control thread.
    fn receive(&mut self) -> std::io::Result<()> {
        while let Some(message) = self.mailbox.receive() {
            match message {
                ToWorker::Policy(policy, scratch) => {
                    self.shared.inspector().replace_policy(policy, scratch);
                    // At once: an idle worker has nothing else to report for long.
                    self.hand_over();
                }
                ToWorker::TopologyChanged => self.executor.io().wake_all(),
                // The broker was learned while the drain began; nobody would close its port again.
                ToWorker::Listen { .. } if self.executor.io().draining() => {}
                ToWorker::Listen { listener, node_id, socket } => {
                    self.listen(listener, Some(node_id), socket.into())?
                }
                ToWorker::AuditBatch(batch) => self.shared.return_audit(batch),
                ToWorker::Kick => {}
                ToWorker::Drain { deadline } => {
                    // New connections go elsewhere before the listeners close.
                    self.shared.accepts(false);
                    self.executor.io().drain(deadline);
                }
            }
        }
        Ok(())
    }

    fn listen(&mut self, listener: u16, node_id: Option<i32>, socket: D::Listener) -> std::io::Result<()> {
        let id = self.executor.io().listen(socket)?;
        self.endpoints.insert(id, Endpoint { listener, node_id });
        Ok(())
    }

    /// Hands audit batches, what was learned and policies that nobody needs any more to the control thread.
    fn hand_over(&mut self) {
        while let Some((policy, scratch)) = self.shared.inspector().retired() {
            self.shared.retire(policy, scratch);
        }
        if self.shared.flush(&mut self.mailbox) {
            // Connections stand still while the control thread is behind, and nothing else tells them that it is not.
            self.executor.io().wake_all();
        }
    }

    /// Hands over what this turn decided and counted.
    fn report(&mut self) {
        self.hand_over();
        self.shared.settle(self.executor.io().now());
        let pool = self.executor.io().pool().bytes();
        self.shared.counters.pool(pool.ring, pool.heap.iter().sum());
        let io = self.executor.io();
        for (side, direction) in
            [(Side::Client, Direction::Downstream), (Side::Upstream, Direction::Upstream)]
        {
            self.shared.counters.large_frames(direction, io.frame_bytes(side), io.frames_waiting(side));
        }
        let failures = self.executor.failures();
        let new = |count: fn(&Failures) -> u64| count(&failures) - count(&self.failures);
        self.shared.counters.refuse_many(Reason::Panic, new(|failures| failures.panics));
        self.shared.counters.refuse_many(Reason::DrainDeadline, new(|failures| failures.overdue));
        self.shared.counters.refuse_many(Reason::Accept, new(|failures| failures.accepts));
        self.failures = failures;
    }
}

impl Wake for wake::WakeHandle {
    fn wake(&self) {
        Self::wake(self);
    }
}

impl Frames for Pool {
    type Frame = Slice;

    fn vec(&self, bytes: usize) -> Vec<u8> {
        Self::vec(self, bytes)
    }

    fn frame(&self, vec: Vec<u8>) -> Slice {
        self.slice_from(vec)
    }
}
