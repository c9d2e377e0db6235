//! What the kernel programs and their loader share: map names, keys, values, limits, and the choice
//! between workers as pure functions, so that it is tested without a kernel.
#![no_std]

#[cfg(feature = "user")]
#[expect(unsafe_code, reason = "`Pod` promises that a type may be copied to the kernel byte by byte")]
mod pod;

use core::sync::atomic::AtomicU64;

/// Name of the `sk_reuseport` program that chooses a listener for a new connection.
pub const STEER_PROGRAM: &str = "steer";

/// Name of the hash map from [`Endpoint`] to port index (`u32`).
pub const ENDPOINTS_MAP: &str = "ENDPOINTS";

/// Name of the socket array; [`slot`] computes an index of it.
pub const LISTENERS_MAP: &str = "LISTENERS";

/// Name of the array whose single entry is a [`Loads`], mapped into user space.
pub const LOADS_MAP: &str = "LOADS";

/// Most workers of one gateway; a power of two.
pub const WORKERS_MAX: u32 = 64;

/// Most endpoints of one gateway: bootstrap addresses and one port per broker.
pub const PORTS_MAX: u32 = 1024;

/// Entries of the socket array: 512 KiB of kernel memory.
pub const SLOTS_MAX: u32 = PORTS_MAX * WORKERS_MAX;

/// Index in the socket array of the listener that `worker` has for the endpoint `port_index`.
///
/// A socket fits into one slot only, and each endpoint is its own reuseport group.
pub const fn slot(port_index: u32, worker: u32) -> u32 {
    port_index * WORKERS_MAX + worker
}

/// The local address of a reuseport group, as `struct bpf_sock` gives it.
///
/// `address` is in network byte order; an IPv4 address stands in its first word. `port` is in host byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(C)]
pub struct Endpoint {
    /// `AF_INET` or `AF_INET6`: `0.0.0.0` and `::` with the same port are two groups.
    pub family: u32,
    /// Local port.
    pub port: u32,
    /// Local address, network byte order.
    pub address: [u32; 4],
}

/// Who may be chosen and how much work each worker has: the one value that program and workers share.
///
/// Every word has one writer: the program counts its picks, a worker its connections.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Loads {
    /// How many workers take connections; zero leaves every choice to the kernel's hash. Written by user space.
    pub steered_count: AtomicU64,
    /// Connections for which no listener was found, so that the kernel's hash decided. Written by the program.
    pub fallbacks: AtomicU64,
    /// The workers that take connections: the first `steered_count` entries. Written by user space.
    ///
    /// A table and not a set of bits: a loop that searches bits multiplies the paths that the verifier walks.
    pub steered: [AtomicU64; WORKERS_MAX as usize],
    /// The load of each worker.
    pub workers: [WorkerLoad; WORKERS_MAX as usize],
}

/// The load of one worker, on a cache line of its own.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct WorkerLoad {
    /// Connections that the program handed to this worker since the start. Written by the program.
    pub picked: AtomicU64,
    /// A [`Held`], written by the worker.
    pub held: AtomicU64,
}

/// What a worker says of its connections. Packed into one word, so that a connection moves from pending to
/// open in a single store and is never counted twice or not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Connections that are open.
    pub open: u32,
    /// Low half of the number of picks that are no longer pending: accepted or given up.
    pub settled: u32,
}

impl Held {
    /// The word that is shared.
    pub const fn pack(self) -> u64 {
        (self.open as u64) << 32 | self.settled as u64
    }

    /// Reads a shared word.
    pub const fn unpack(word: u64) -> Self {
        Self { open: (word >> 32) as u32, settled: word as u32 }
    }

    /// Picks that are not settled, given all picks of this worker. Never negative: a connection that came
    /// without a pick may have settled more than was picked.
    pub const fn pending(self, picked: u64) -> u32 {
        let ahead = (picked as u32).wrapping_sub(self.settled) as i32;
        if ahead < 0 { 0 } else { ahead as u32 }
    }

    /// Open and pending connections.
    pub const fn load(self, picked: u64) -> u32 {
        self.open.saturating_add(self.pending(picked))
    }
}

/// Two distinct positions below `count`, drawn by the low 31 bits of `random`; the same one twice when there is
/// only one, `None` when there is none.
#[inline(always)]
pub const fn draw_two(count: u32, random: u32) -> Option<(u32, u32)> {
    if count == 0 {
        return None;
    }
    let first = (random & 0x7fff) % count;
    let distance = if count == 1 { 0 } else { 1 + (random >> 15 & 0xffff) % (count - 1) };
    Some((first, (first + distance) % count))
}

/// The pair, the less loaded worker first; the top bit of `random` breaks a tie.
#[inline(always)]
pub const fn less_loaded_first(pair: (u32, u32), loads: (u32, u32), random: u32) -> (u32, u32) {
    let keep = loads.0 < loads.1 || (loads.0 == loads.1 && random >> 31 == 0);
    if keep { pair } else { (pair.1, pair.0) }
}

const _: () = assert!(WORKERS_MAX.is_power_of_two(), "the program bounds an index by a mask");
const _: () =
    assert!(size_of::<Loads>() == 64 + (8 + 64) * WORKERS_MAX as usize, "the layout both sides agree on");
const _: () = assert!(size_of::<Endpoint>() == 24, "a map key has no padding");

#[cfg(test)]
mod tests;
