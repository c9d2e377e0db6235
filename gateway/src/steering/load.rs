//! What a worker tells the program about its connections.

use std::sync::atomic::Ordering::{Relaxed, Release};
use std::sync::{Arc, Mutex, PoisonError};

use gateway_ebpf_common::{Held, Loads, WorkerLoad};

use super::mapping::Mapping;

/// Least time between two calls of [`LoadHandle::settle`], seconds: longer than a client's slow handshake, whose
/// SYN-ACK is sent again after 1, 3 and 7 seconds (tcp(7), `tcp_synack_retries`).
pub const SETTLE_INTERVAL_SECONDS: u64 = 10;

/// The load of one worker: open connections, and those that the program picked and nobody accepted yet.
///
/// One handle per worker, owned by its thread; a call is one store to shared memory, no system call, no lock.
/// Dropping it takes the worker out of the choice.
#[derive(Debug)]
pub struct LoadHandle {
    shared: Arc<Shared>,
    worker: u32,
    held: Held,
    /// Low half of the picks at the last `settle`.
    picked_before: u32,
}

impl LoadHandle {
    /// The handle of `worker`, whose load is zero and which takes no connections yet.
    pub(super) fn new(shared: Arc<Shared>, worker: u32) -> Self {
        Self { shared, worker, held: Held::default(), picked_before: 0 }
    }

    /// Lets the program choose this worker, or, when `draining`, no longer.
    ///
    /// A SYN that is being steered at this moment may still arrive: close the listeners afterwards.
    pub fn draining(&self, draining: bool) {
        self.shared.steer_to(|workers| {
            workers.retain(|worker| *worker != self.worker);
            workers.extend((!draining).then_some(self.worker));
        });
    }

    /// A connection was accepted: it is open, and its pick is no longer pending.
    pub fn accepted(&mut self) {
        self.held.open += 1;
        if self.held.pending(self.picked()) > 0 {
            self.held.settled = self.held.settled.wrapping_add(1);
        }
        self.publish();
    }

    /// An accepted connection was closed.
    ///
    /// # Panics
    ///
    /// When more connections are closed than were accepted.
    pub fn closed(&mut self) {
        self.held.open =
            self.held.open.checked_sub(1).expect("a connection is closed once, after its accept");
        self.publish();
    }

    /// Gives up picks that were pending at the last call and still are: SYNs whose handshake never completed
    /// (a scan, a flood, a client that went away) must not weigh on the worker for ever.
    ///
    /// To be called about every [`SETTLE_INTERVAL_SECONDS`].
    pub fn settle(&mut self) {
        let overdue = Held { open: 0, settled: self.held.settled }.pending(u64::from(self.picked_before));
        self.held.settled = self.held.settled.wrapping_add(overdue);
        self.picked_before = self.picked() as u32;
        self.publish();
    }

    fn picked(&self) -> u64 {
        self.load().picked.load(Relaxed)
    }

    fn publish(&self) {
        self.load().held.store(self.held.pack(), Relaxed);
    }

    fn load(&self) -> &WorkerLoad {
        &self.shared.loads().workers[self.worker as usize]
    }
}

impl Drop for LoadHandle {
    fn drop(&mut self) {
        self.draining(true);
    }
}

/// The program's counters, for metrics.
#[derive(Clone, Debug)]
pub struct Counters {
    shared: Arc<Shared>,
    workers: u32,
}

impl Counters {
    pub(super) fn new(shared: Arc<Shared>, workers: u32) -> Self {
        Self { shared, workers }
    }

    /// Connections that the program handed to each worker since the start, by worker.
    pub fn picks(&self) -> impl Iterator<Item = u64> {
        self.each().map(|worker| worker.picked.load(Relaxed))
    }

    /// Open and pending connections of each worker, by worker.
    pub fn loads(&self) -> impl Iterator<Item = u32> {
        self.each().map(|worker| Held::unpack(worker.held.load(Relaxed)).load(worker.picked.load(Relaxed)))
    }

    /// Connections that the program left to the kernel's hash, because no worker had a listener for them.
    pub fn fallbacks(&self) -> u64 {
        self.shared.loads().fallbacks.load(Relaxed)
    }

    fn each(&self) -> impl Iterator<Item = &WorkerLoad> {
        self.shared.loads().workers.iter().take(self.workers as usize)
    }
}

/// The mapped load map, and who may be chosen.
#[derive(Debug)]
pub(super) struct Shared {
    mapping: Mapping,
    /// The workers that take connections, `None` once the loader is gone. Locked only when one starts or stops to
    /// take connections: its table has several words.
    steered: Mutex<Option<Vec<u32>>>,
}

impl Shared {
    /// Nobody is chosen yet.
    pub(super) fn new(mapping: Mapping) -> Self {
        Self { mapping, steered: Mutex::new(Some(Vec::new())) }
    }

    /// Leaves every choice to the kernel's hash, for good.
    pub(super) fn stop(&self) {
        let mut steered = self.steered.lock().unwrap_or_else(PoisonError::into_inner);
        *steered = None;
        self.loads().steered_count.store(0, Relaxed);
    }

    /// Changes who is chosen.
    ///
    /// Entries are written before their number. A program that reads both in between may choose a worker twice or
    /// one that just stopped, which is what `draining` allows.
    fn steer_to(&self, change: impl FnOnce(&mut Vec<u32>)) {
        let mut steered = self.steered.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(workers) = steered.as_mut() else { return };
        change(workers);
        self.loads()
            .steered
            .iter()
            .zip(workers.iter())
            .for_each(|(entry, worker)| entry.store(u64::from(*worker), Relaxed));
        self.loads().steered_count.store(workers.len() as u64, Release);
    }

    fn loads(&self) -> &Loads {
        &self.mapping
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use rustix::fs::{MemfdFlags, ftruncate, memfd_create};

    use super::*;

    /// A load map that no program reads: ordinary memory, zeroed as the kernel's.
    fn shared() -> Arc<Shared> {
        let memory = memfd_create("loads", MemfdFlags::CLOEXEC).expect("memory");
        ftruncate(&memory, size_of::<Loads>() as u64).expect("memory");
        Arc::new(Shared::new(Mapping::of(memory.as_fd()).expect("mapped")))
    }

    fn pick(shared: &Shared, worker: usize, count: u64) {
        shared.loads().workers[worker].picked.fetch_add(count, Relaxed);
    }

    fn loads(shared: &Arc<Shared>) -> Vec<u32> {
        Counters::new(Arc::clone(shared), 2).loads().collect()
    }

    fn steered(shared: &Shared) -> Vec<u64> {
        let count = shared.loads().steered_count.load(Relaxed) as usize;
        shared.loads().steered.iter().take(count).map(|worker| worker.load(Relaxed)).collect()
    }

    #[test]
    fn a_connection_counts_once_from_its_pick_to_its_close() {
        let shared = shared();
        let mut handle = LoadHandle::new(Arc::clone(&shared), 1);
        pick(&shared, 1, 1);
        assert_eq!(loads(&shared), [0, 1], "pending");
        handle.accepted();
        assert_eq!(loads(&shared), [0, 1], "open");
        handle.closed();
        assert_eq!(loads(&shared), [0, 0], "closed");
    }

    #[test]
    fn a_connection_that_the_kernels_hash_chose_counts_too() {
        let shared = shared();
        let mut handle = LoadHandle::new(Arc::clone(&shared), 0);
        handle.accepted();
        pick(&shared, 0, 1);
        assert_eq!(loads(&shared), [2, 0], "the next pick is pending");
        handle.closed();
        handle.accepted();
        handle.closed();
        assert_eq!(loads(&shared), [0, 0]);
    }

    #[test]
    fn picks_that_are_pending_twice_are_given_up_and_may_still_come() {
        let shared = shared();
        let mut handle = LoadHandle::new(Arc::clone(&shared), 0);
        pick(&shared, 0, 3);
        handle.settle();
        handle.accepted();
        pick(&shared, 0, 1);
        handle.settle();
        assert_eq!(loads(&shared), [2, 0], "one open, one picked since the last call");
        handle.accepted();
        handle.accepted();
        assert_eq!(loads(&shared), [3, 0], "three open");
    }

    #[test]
    fn settling_loses_nothing_when_everything_arrived() {
        let shared = shared();
        let mut handle = LoadHandle::new(Arc::clone(&shared), 0);
        for _ in 0..3 {
            pick(&shared, 0, 2);
            handle.accepted();
            handle.accepted();
            handle.settle();
        }
        assert_eq!(loads(&shared), [6, 0]);
        pick(&shared, 0, 1);
        assert_eq!(loads(&shared), [7, 0]);
    }

    #[test]
    fn only_workers_that_do_not_drain_are_steered_to() {
        let shared = shared();
        let handles: Vec<_> = (0..3).map(|worker| LoadHandle::new(Arc::clone(&shared), worker)).collect();
        assert!(steered(&shared).is_empty(), "nobody before the first call");
        handles.iter().for_each(|handle| handle.draining(false));
        handles[1].draining(false);
        assert_eq!(steered(&shared), [0, 2, 1], "each once");
        handles[0].draining(true);
        assert_eq!(steered(&shared), [2, 1]);
        drop(handles);
        assert!(steered(&shared).is_empty());
    }

    #[test]
    fn nobody_is_steered_to_once_the_loader_is_gone() {
        let shared = shared();
        let handle = LoadHandle::new(Arc::clone(&shared), 0);
        handle.draining(false);
        shared.stop();
        handle.draining(false);
        assert!(steered(&shared).is_empty());
    }
}
