//! `steer`: chooses the listener of a new connection: the less loaded of two workers drawn at random.
//!
//! The kernel runs it for every SYN to a reuseport group it is attached to, and again when a connection that
//! waits in the queue of a closing listener looks for another one (Linux 5.14, `SELECT_OR_MIGRATE`). It only
//! steers: what it cannot place falls to the kernel's own hash and is counted.
#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "core offers no atomic addition for bpf targets; the instruction exists"
)]

use core::intrinsics::{AtomicOrdering, atomic_xadd};
use core::sync::atomic::AtomicU64;

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::sk_action::SK_PASS;
use aya_ebpf::bindings::{BPF_F_MMAPABLE, bpf_sock};
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
pub fn steer(ctx: SkReuseportContext) -> u32 {
    let Some(loads) = LOADS.get(0) else { return SK_PASS };
    if pick(&ctx, loads).is_none() {
        count(&loads.fallbacks);
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
    let drawn = draw_two(read(&loads.steered), random)?;
    let pair_loads = (load(worker(loads, drawn.0)?), load(worker(loads, drawn.1)?));
    let (first, second) = less_loaded_first(drawn, pair_loads, random);
    select(ctx, loads, port_index, first).or_else(|| select(ctx, loads, port_index, second))
}

/// Selects the worker's listener and counts the pick; `None` when the slot is empty.
#[inline(always)]
fn select(ctx: &SkReuseportContext, loads: &Loads, port_index: u32, index: u32) -> Option<()> {
    LISTENERS.select_reuseport(ctx, slot(port_index, index)).ok()?;
    count(&worker(loads, index)?.picked);
    Some(())
}

/// The load of one worker. The mask states the bound in a way the verifier can follow.
#[inline(always)]
fn worker(loads: &Loads, index: u32) -> Option<&WorkerLoad> {
    loads.workers.get((index & (WORKERS_MAX - 1)) as usize)
}

/// Open and pending connections of a worker.
#[inline(always)]
fn load(worker: &WorkerLoad) -> u32 {
    Held::unpack(read(&worker.held)).load(read(&worker.picked))
}

/// Reads a word that others write. The instruction set has no atomic load before Linux 6.15; an aligned word
/// is read in one instruction, and volatile keeps it one.
#[inline(always)]
fn read(word: &AtomicU64) -> u64 {
    // SAFETY: the pointer comes from a reference to a map value: aligned, and alive as long as the program.
    unsafe { word.as_ptr().read_volatile() }
}

/// Adds one, atomically: other CPUs count at the same time.
#[inline(always)]
fn count(counter: &AtomicU64) {
    // SAFETY: the pointer comes from a reference to a map value, which lives as long as the program.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(counter.as_ptr(), 1) };
}

/// The group's local address, read from its socket: a migrating connection has no packet to read it from.
#[inline(always)]
fn endpoint(ctx: &SkReuseportContext) -> Endpoint {
    let sock: *const bpf_sock = ctx.sk().as_ptr().cast_const().cast();
    // SAFETY: `sk` of the context is a trusted, non-null socket for as long as the program runs (bpf.h).
    let sock = unsafe { &*sock };
    let address = match sock.family {
        AF_INET6 => sock.src_ip6,
        _ => [sock.src_ip4, 0, 0, 0],
    };
    Endpoint { family: sock.family, port: sock.src_port, address }
}

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
