//! Counters of one worker. The worker is the only writer, so a plain load and store replaces a locked
//! addition; the metrics endpoint reads them at any time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::Reason;

/// Which way bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a client to the gateway.
    Downstream,
    /// From the upstream to the gateway.
    Upstream,
}

/// API keys that have a counter of their own; others share the last one.
pub(super) const API_KEYS: usize = 128;

/// Upper bounds of the buckets of `gateway_request_seconds`, in microseconds.
pub(super) const REQUEST_BUCKETS_US: [u64; 16] = [
    50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 102_400, 204_800, 819_200,
    3_276_800, 30_000_000,
];

/// Counters of one worker, on cache lines of their own.
#[derive(Debug)]
#[repr(align(128))]
pub struct WorkerCounters {
    pub(super) connections: AtomicU64,
    pub(super) requests: [AtomicU64; API_KEYS],
    pub(super) refused: [AtomicU64; Reason::ALL.len()],
    pub(super) bytes: [AtomicU64; 2],
    pub(super) request_buckets: [AtomicU64; REQUEST_BUCKETS_US.len() + 1],
    pub(super) request_micros: AtomicU64,
    pub(super) pool_ring_bytes: AtomicU64,
    pub(super) pool_heap_bytes: AtomicU64,
    /// Large frames, by the side that they come from: bytes reserved, and how many wait.
    pub(super) frames_reserved_bytes: [AtomicU64; 2],
    pub(super) frames_waiting: [AtomicU64; 2],
}

impl Default for WorkerCounters {
    fn default() -> Self {
        Self {
            connections: AtomicU64::default(),
            requests: [const { AtomicU64::new(0) }; API_KEYS],
            refused: [const { AtomicU64::new(0) }; Reason::ALL.len()],
            bytes: [const { AtomicU64::new(0) }; 2],
            request_buckets: [const { AtomicU64::new(0) }; REQUEST_BUCKETS_US.len() + 1],
            request_micros: AtomicU64::default(),
            pool_ring_bytes: AtomicU64::default(),
            pool_heap_bytes: AtomicU64::default(),
            frames_reserved_bytes: Default::default(),
            frames_waiting: Default::default(),
        }
    }
}

impl WorkerCounters {
    /// A client connection was opened.
    pub fn opened(&self) {
        add(&self.connections, 1);
    }

    /// A client connection was closed.
    pub fn closed(&self) {
        let open = self.connections.load(Relaxed);
        self.connections.store(open.saturating_sub(1), Relaxed);
    }

    /// Client connections that are open now.
    pub fn open_connections(&self) -> u64 {
        self.connections.load(Relaxed)
    }

    /// A whole request frame with this API key arrived.
    pub fn request(&self, api_key: i16) {
        let index = usize::try_from(api_key).map_or(API_KEYS - 1, |key| key.min(API_KEYS - 1));
        add(&self.requests[index], 1);
    }

    /// Something was refused.
    pub fn refuse(&self, reason: Reason) {
        self.refuse_many(reason, 1);
    }

    /// `count` things were refused for one reason.
    pub fn refuse_many(&self, reason: Reason, count: u64) {
        add(&self.refused[reason as usize], count);
    }

    /// How often something was refused for `reason`.
    #[cfg(test)]
    pub(crate) fn refused(&self, reason: Reason) -> u64 {
        self.refused[reason as usize].load(Relaxed)
    }

    /// Bytes were received.
    pub fn received(&self, direction: Direction, bytes: usize) {
        add(&self.bytes[direction as usize], bytes as u64);
    }

    /// A request was answered after `elapsed`.
    pub fn answered(&self, elapsed: Duration) {
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let bucket = REQUEST_BUCKETS_US.partition_point(|bound| *bound < micros);
        add(&self.request_buckets[bucket], 1);
        add(&self.request_micros, micros);
    }

    /// Memory that the worker's pool holds now, by class.
    pub fn pool(&self, ring_bytes: usize, heap_bytes: usize) {
        self.pool_ring_bytes.store(ring_bytes as u64, Relaxed);
        self.pool_heap_bytes.store(heap_bytes as u64, Relaxed);
    }

    /// Room that large frames from `direction` have now, and how many wait for some.
    pub fn large_frames(&self, direction: Direction, reserved_bytes: usize, waiting: usize) {
        self.frames_reserved_bytes[direction as usize].store(reserved_bytes as u64, Relaxed);
        self.frames_waiting[direction as usize].store(waiting as u64, Relaxed);
    }

    /// Large frames from `direction` that wait for room.
    #[cfg(test)]
    pub(crate) fn large_frames_waiting(&self, direction: Direction) -> u64 {
        self.frames_waiting[direction as usize].load(Relaxed)
    }
}

/// Adds without a locked instruction: the worker is the only writer.
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(count), Relaxed);
}
