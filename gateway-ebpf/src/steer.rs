//! `steer`: chooses the listener of a new connection: the less loaded of two workers drawn at random.
//!
//! The kernel runs it for every segment that finds no connection in a reuseport group it is attached to: a SYN,
//! the last ACK of a handshake by SYN cookie, or a stray. It runs it again when a connection that waits in the
//! queue of a closing listener looks for another one (Linux 5.14, `SELECT_OR_MIGRATE`). It only steers: what it
//! cannot place falls to the kernel's own hash and is counted.
#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "core::sync::atomic has no read-modify-write on bpf targets; the instructions exist"
)]

use core::intrinsics::{AtomicOrdering, atomic_cxchg, atomic_xadd};
use core::sync::atomic::AtomicU64;

use aya_ebpf::bindings::BPF_F_MMAPABLE;
use aya_ebpf::bindings::sk_action::SK_PASS;
use aya_ebpf::helpers::bpf_get_prandom_u32;
use aya_ebpf::macros::{map, sk_reuseport};
use aya_ebpf::maps::{Array, HashMap, ReusePortSockArray};
use aya_ebpf::programs::SkReuseportContext;
use gateway_ebpf_common::{
    Endpoint, Held, Loads, PORTS_MAX, SLOTS_MAX, WORKERS_MAX, WorkerLoad, draw_two, less_loaded_first, slot,
};

/// Endpoint -> port index.
#[map]
static ENDPOINTS: HashMap<Endpoint, u32> = HashMap::with_max_entries(PORTS_MAX, 0);

/// Slot -> listener; the kernel empties a slot when its listener closes.
#[map]
static LISTENERS: ReusePortSockArray = ReusePortSockArray::with_max_entries(SLOTS_MAX, 0);

/// One entry, mapped into the workers' memory: they count without a system call.
#[map]
static LOADS: Array<Loads> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// Picks a worker, or leaves the choice to the kernel's hash.
#[sk_reuseport(migrate)]
fn steer(ctx: SkReuseportContext) -> u32 {
    let Some(loads) = LOADS.get(0) else { return SK_PASS };
    if pick(&ctx, loads).is_none() {
        add(&loads.fallbacks, 1);
    }
    SK_PASS
}

/// Selects the listener of the less loaded of two workers, or else of the other one.
#[inline(always)]
fn pick(ctx: &SkReuseportContext, loads: &Loads) -> Option<()> {
    let endpoint = endpoint(ctx);
    // SAFETY: the entry is a plain u32 that user space writes once, before the port index is in use.
    let port_index = *unsafe { ENDPOINTS.get(&endpoint) }?;
    // SAFETY: the helper takes nothing and has no precondition (bpf-helpers(7)).
    let random = unsafe { bpf_get_prandom_u32() };
    let steered = read(&loads.steered_count) as u32;
    let drawn = draw_two(steered, random)?;
    let workers = (steered_at(loads, drawn.0)?, steered_at(loads, drawn.1)?);
    let counts = begins_connection(ctx);
    let (first, second) = claim(loads, workers, random, counts)?;
    if LISTENERS.select_reuseport(ctx, slot(port_index, first)).is_ok() {
        return Some(());
    }
    if counts {
        add(&worker(loads, first)?.picked, TAKE_BACK);
    }
    LISTENERS.select_reuseport(ctx, slot(port_index, second)).ok()?;
    if counts {
        add(&worker(loads, second)?.picked, 1);
    }
    Some(())
}

/// True for a SYN, and for a connection that looks for another listener: it has no segment.
///
/// Nothing else is counted. A cookie's connection was counted with its SYN, and a stray segment, such as an ACK
/// that comes after the close, never becomes a connection.
#[inline(always)]
fn begins_connection(ctx: &SkReuseportContext) -> bool {
    let flags = ctx.data() + TCP_FLAGS_OFFSET;
    if flags + 1 > ctx.data_end() {
        return true;
    }
    // SAFETY: `data` is the TCP header, readable up to `data_end` (bpf.h, `struct sk_reuseport_md`).
    let flags = unsafe { *(flags as *const u8) };
    flags & (TCP_SYN | TCP_ACK | TCP_RST) == TCP_SYN
}

/// Returns the pair, the less loaded worker first, and counts the connection on that one if it `counts`.
///
/// Other CPUs steer at the same time and read the same loads. Whoever finds the count changed looks again: so a
/// burst spreads as evenly as if its connections came one by one.
#[inline(always)]
fn claim(loads: &Loads, drawn: (u32, u32), random: u32, counts: bool) -> Option<(u32, u32)> {
    let (one, other) = (worker(loads, drawn.0)?, worker(loads, drawn.1)?);
    for _ in 0..CLAIM_ATTEMPTS {
        let (one_picked, other_picked) = (read(&one.picked), read(&other.picked));
        let one_load = Held::unpack(read(&one.held)).load(one_picked);
        let other_load = Held::unpack(read(&other.held)).load(other_picked);
        let pair = less_loaded_first(drawn, (one_load, other_load), random);
        let (chosen, picked) = if pair.0 == drawn.0 { (one, one_picked) } else { (other, other_picked) };
        if !counts || replace(&chosen.picked, picked, picked.wrapping_add(1)) {
            return Some(pair);
        }
    }
    None
}

/// The worker at a position of the table.
#[inline(always)]
fn steered_at(loads: &Loads, position: u32) -> Option<u32> {
    loads.steered.get(bounded(position)).map(|entry| read(entry) as u32)
}

/// The load of one worker.
#[inline(always)]
fn worker(loads: &Loads, index: u32) -> Option<&WorkerLoad> {
    loads.workers.get(bounded(index))
}

/// An index that the verifier knows to be small enough: both arrays have `WORKERS_MAX` entries.
#[inline(always)]
fn bounded(index: u32) -> usize {
    (index & (WORKERS_MAX - 1)) as usize
}

/// Reads a word that others write. The instruction set has no atomic load before Linux 6.15; an aligned word
/// is read in one instruction, and volatile keeps it one.
#[inline(always)]
fn read(word: &AtomicU64) -> u64 {
    // SAFETY: the pointer comes from a reference to a map value: aligned, and alive as long as the program.
    unsafe { word.as_ptr().read_volatile() }
}

/// Puts `new` in place of `old`; false when the word was no longer `old`.
#[inline(always)]
fn replace(word: &AtomicU64, old: u64, new: u64) -> bool {
    // SAFETY: as in `read`.
    let exchange = unsafe {
        atomic_cxchg::<u64, { AtomicOrdering::Relaxed }, { AtomicOrdering::Relaxed }>(word.as_ptr(), old, new)
    };
    exchange.1
}

/// Adds atomically, and wraps.
#[inline(always)]
fn add(word: &AtomicU64, amount: u64) {
    // SAFETY: as in `read`.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(word.as_ptr(), amount) };
}

/// The group's local address, read from its socket: a migrating connection has no packet to read it from.
///
/// Every field is read at its own constant offset (volatile, so that the compiler does not compute an address
/// to read from): the verifier allows no arithmetic on the pointer to a socket.
#[inline(always)]
fn endpoint(ctx: &SkReuseportContext) -> Endpoint {
    let sock = ctx.sk().sock.cast_const();
    // SAFETY: `sk` of the context is a trusted, non-null socket for as long as the program runs (bpf.h).
    let sock = unsafe { &*sock };
    let v4 = [field(&sock.src_ip4), 0, 0, 0];
    let v6 =
        [field(&sock.src_ip6[0]), field(&sock.src_ip6[1]), field(&sock.src_ip6[2]), field(&sock.src_ip6[3])];
    let family = field(&sock.family);
    Endpoint { family, port: field(&sock.src_port), address: if family == AF_INET6 { v6 } else { v4 } }
}

/// Reads one field of a kernel structure.
#[inline(always)]
fn field(of: &u32) -> u32 {
    // SAFETY: the pointer comes from a reference.
    unsafe { core::ptr::from_ref(of).read_volatile() }
}

/// Where the flags are in a TCP header (RFC 9293, section 3.1).
const TCP_FLAGS_OFFSET: usize = 13;
const TCP_SYN: u8 = 0x02;
const TCP_RST: u8 = 0x04;
const TCP_ACK: u8 = 0x10;

/// Tries to claim a worker. Each failure is another CPU's success.
const CLAIM_ATTEMPTS: u32 = 8;

/// Minus one: takes a claim back.
const TAKE_BACK: u64 = u64::MAX;

/// Linux socket.h.
const AF_INET6: u32 = 10;

/// A panic cannot happen: the verifier refuses a program that could reach it.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// None of the helpers used is restricted to GPL programs, so the program keeps the project's license.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 11] = *b"Apache-2.0\0";
