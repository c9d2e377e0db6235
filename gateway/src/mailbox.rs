//! Every message that crosses between the control thread and a worker, in both directions.
//!
//! ```text
//!            ToControl: bounded ring, wakes a tokio Notify
//!  worker ──────────────────────────────────────────────▶ control thread
//!         ◀──────────────────────────────────────────────
//!            ToWorker: bounded ring, wakes the worker's eventfd
//! ```
//!
//! Both rings are single-producer single-consumer and bounded, the worker's also by the memory of the audit batches in
//! it. A worker that finds its ring full keeps the message and is woken to try again as soon as there is room; nothing
//! is lost.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst, fence};
use std::time::Instant;

use tokio::sync::Notify;

use crate::audit::AuditBatch;
use crate::budget::AUDIT_SENT_BYTES_MAX;
use crate::policy::{Policy, Scratch};
use crate::topology::Learned;

/// Messages that may wait for the control thread, per worker: a turn sends a few at most.
const TO_CONTROL_CAPACITY: usize = 256;
/// Messages that may wait for a worker: reloads and topology changes are rare.
const TO_WORKER_CAPACITY: usize = 256;

/// What a worker tells the control thread.
#[derive(Debug)]
pub enum ToControl {
    /// What was decided since the last one; comes back emptied as [`ToWorker::AuditBatch`].
    AuditBatch(Box<AuditBatch>),
    /// A response named brokers or topics that the snapshot of this listener lacks.
    Learned {
        /// Listener index in the configuration.
        listener: u16,
        /// Only what is new.
        learned: Learned,
    },
    /// A policy that this worker no longer uses; freed on the control thread.
    Retired(Arc<Policy>, Box<Scratch>),
}

impl ToControl {
    /// Memory that the budget counts while the message is under way.
    fn bytes(&self) -> usize {
        if let Self::AuditBatch(batch) = self { batch.bytes() } else { 0 }
    }
}

/// What the control thread tells a worker.
#[derive(Debug)]
pub enum ToWorker {
    /// A new policy and the scratch that belongs to it.
    Policy(Arc<Policy>, Box<Scratch>),
    /// Some listener has a new [`CurrentTopology`](crate::topology::CurrentTopology): let those look who wait for it.
    TopologyChanged,
    /// A port for a broker outside the configured range.
    Listen {
        /// Listener index in the configuration.
        listener: u16,
        /// The broker's node id.
        node_id: i32,
        /// Bound and listening, one per worker.
        socket: TcpListener,
    },
    /// An emptied batch to fill again.
    AuditBatch(Box<AuditBatch>),
    /// Take a turn: an idle worker brings its counters and its entry in the load map up to date.
    Kick,
    /// Stop accepting, finish what is under way, close what is idle; drop the rest at the deadline.
    Drain {
        /// When the rest is dropped.
        deadline: Instant,
    },
}

/// Wakes a sleeping worker.
pub trait Wake: Send {
    /// Makes the worker look into its mailbox soon.
    fn wake(&self);
}

/// The worker's end.
#[derive(Debug)]
pub struct WorkerMailbox {
    to_control: rtrb::Producer<ToControl>,
    from_control: rtrb::Consumer<ToWorker>,
    notify: Arc<Notify>,
    waits_for_room: Arc<AtomicBool>,
    /// Memory of the audit batches in the ring.
    sent_bytes: Arc<AtomicUsize>,
}

/// The control thread's end of one worker's mailbox.
pub struct ControlMailbox {
    to_worker: rtrb::Producer<ToWorker>,
    from_worker: rtrb::Consumer<ToControl>,
    waker: Box<dyn Wake>,
    waits_for_room: Arc<AtomicBool>,
    sent_bytes: Arc<AtomicUsize>,
    /// Messages for which the ring had no room, oldest first.
    backlog: std::collections::VecDeque<ToWorker>,
}

/// Makes both ends; `notify` wakes the control thread, `waker` the worker.
pub fn mailbox(notify: Arc<Notify>, waker: Box<dyn Wake>) -> (WorkerMailbox, ControlMailbox) {
    mailbox_of(TO_CONTROL_CAPACITY, notify, waker)
}

/// As [`mailbox`], where `to_control` messages may wait for the control thread.
pub(crate) fn mailbox_of(
    to_control: usize,
    notify: Arc<Notify>,
    waker: Box<dyn Wake>,
) -> (WorkerMailbox, ControlMailbox) {
    let (to_control, from_worker) = rtrb::RingBuffer::new(to_control);
    let (to_worker, from_control) = rtrb::RingBuffer::new(TO_WORKER_CAPACITY);
    let backlog = std::collections::VecDeque::new();
    let (waits_for_room, sent_bytes) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let (waits, sent) = (waits_for_room.clone(), sent_bytes.clone());
    (
        WorkerMailbox { to_control, from_control, notify, waits_for_room: waits, sent_bytes: sent },
        ControlMailbox { to_worker, from_worker, waker, waits_for_room, sent_bytes, backlog },
    )
}

impl WorkerMailbox {
    /// Hands a message over.
    ///
    /// # Errors
    ///
    /// Gives the message back when the ring is full; the worker is woken when it no longer is.
    pub fn send(&mut self, message: ToControl) -> Result<(), ToControl> {
        if let Err(message) = self.push(message) {
            // Said before the last try, with a fence on either side: this try sees the room that the control thread
            // made, or the control thread sees that it is waited for.
            self.waits_for_room.store(true, Relaxed);
            fence(SeqCst);
            self.push(message)?;
        }
        self.notify.notify_one();
        Ok(())
    }

    fn push(&mut self, message: ToControl) -> Result<(), ToControl> {
        let (bytes, sent) = (message.bytes(), self.sent_bytes.load(Relaxed));
        if sent > 0 && bytes > 0 && sent + bytes > AUDIT_SENT_BYTES_MAX {
            return Err(message);
        }
        // Before the message can be taken, and its bytes with it.
        self.sent_bytes.fetch_add(bytes, Relaxed);
        self.to_control.push(message).map_err(|rtrb::PushError::Full(message)| {
            self.sent_bytes.fetch_sub(bytes, Relaxed);
            message
        })
    }

    /// The next message from the control thread.
    pub fn receive(&mut self) -> Option<ToWorker> {
        self.from_control.pop().ok()
    }
}

impl ControlMailbox {
    /// Queues a message, hands over as much as the ring takes and wakes the worker.
    pub fn send(&mut self, message: ToWorker) {
        self.backlog.push_back(message);
        self.flush();
        self.waker.wake();
    }

    /// Queues a message that is no reason to wake the worker.
    pub fn give_back(&mut self, message: ToWorker) {
        self.backlog.push_back(message);
        self.flush();
    }

    /// The next message from the worker.
    pub fn receive(&mut self) -> Option<ToControl> {
        let message = self.from_worker.pop().ok();
        self.sent_bytes.fetch_sub(message.as_ref().map_or(0, ToControl::bytes), Relaxed);
        fence(SeqCst);
        if message.is_some() && self.waits_for_room.swap(false, Relaxed) {
            self.waker.wake();
        }
        self.flush();
        message
    }

    fn flush(&mut self) {
        while let Some(message) = self.backlog.pop_front() {
            if let Err(rtrb::PushError::Full(message)) = self.to_worker.push(message) {
                self.backlog.push_front(message);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::audit::FindingEntry;

    struct NoWake;
    impl Wake for NoWake {
        fn wake(&self) {}
    }

    #[test]
    fn a_full_ring_loses_nothing() {
        let (mut worker, mut control) = mailbox(Arc::new(Notify::new()), Box::new(NoWake));
        let now = Instant::now();
        for _ in 0..TO_WORKER_CAPACITY + 3 {
            control.send(ToWorker::Drain { deadline: now });
        }
        let mut received = 0;
        loop {
            while worker.receive().is_some() {
                received += 1;
            }
            if control.backlog.is_empty() {
                break;
            }
            control.receive();
        }
        while worker.receive().is_some() {
            received += 1;
        }
        assert_eq!(received, TO_WORKER_CAPACITY + 3);
    }

    impl Wake for mpsc::Sender<()> {
        fn wake(&self) {
            // Nobody listens any more when the last message has gone.
            self.send(()).ok();
        }
    }

    #[test]
    fn a_worker_keeps_what_the_ring_cannot_take_until_it_is_woken() {
        let (waker, woken) = mpsc::channel();
        let (mut worker, mut control) = mailbox(Arc::new(Notify::new()), Box::new(waker));
        let message = || ToControl::AuditBatch(Box::default());
        for _ in 0..TO_CONTROL_CAPACITY {
            worker.send(message()).expect("the ring has room");
        }
        control.receive();
        assert!(woken.try_recv().is_err(), "nobody waits");
        worker.send(message()).expect("the ring has room");
        assert!(worker.send(message()).is_err());
        control.receive();

        woken.try_recv().expect("there is room now");
        assert!(worker.send(message()).is_ok());
    }

    #[test]
    fn a_worker_keeps_what_would_be_too_much_memory_until_it_is_woken() {
        let (waker, woken) = mpsc::channel();
        let (mut worker, mut control) = mailbox(Arc::new(Notify::new()), Box::new(waker));
        let message = || {
            let mut batch = Box::<AuditBatch>::default();
            batch.findings.reserve(AUDIT_SENT_BYTES_MAX / size_of::<FindingEntry>());
            ToControl::AuditBatch(batch)
        };
        worker.send(message()).expect("one alone always goes");
        assert!(worker.send(message()).is_err(), "the ring has room, the sum has not");
        let learned = ToControl::Learned { listener: 0, learned: Learned::default() };
        worker.send(learned).expect("this takes no part in the sum");

        control.receive();
        woken.try_recv().expect("there is room now");
        assert!(worker.send(message()).is_ok());
    }

    #[test]
    fn a_worker_that_waits_for_room_is_always_woken() {
        let (waker, woken) = mpsc::channel();
        let (mut worker, mut control) = mailbox_of(1, Arc::new(Notify::new()), Box::new(waker));
        let sender = thread::spawn(move || {
            for _ in 0..MESSAGES {
                while worker.send(ToControl::AuditBatch(Box::default())).is_err() {
                    woken.recv_timeout(Duration::from_secs(10)).expect("woken when there is room");
                }
            }
        });
        let mut received = 0;
        while received < MESSAGES {
            let over = sender.is_finished();
            match control.receive() {
                Some(_) => received += 1,
                None => assert!(!over, "the sender has given up after {received} messages"),
            }
        }
        sender.join().unwrap();
    }

    const MESSAGES: usize = 100_000;
}
