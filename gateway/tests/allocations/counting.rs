//! An allocator that counts, but for the threads of the test itself.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts allocations; frees are nobody's concern.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static EXEMPT: Cell<bool> = const { Cell::new(false) };
}

/// Allocations of this thread do not count from now on.
pub(crate) fn exempt_this_thread() {
    EXEMPT.set(true);
}

/// One test at a time: all threads that are not exempt count together.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    exempt_this_thread();
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often `run` allocates.
pub(crate) fn allocations_of(run: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.load(SeqCst);
    EXEMPT.set(false);
    run();
    exempt_this_thread();
    ALLOCATIONS.load(SeqCst) - before
}

/// Runs rounds until several in a row have passed without an allocation: queues and pools grow to their high-water mark
/// first.
///
/// # Panics
///
/// When there are no such rounds.
pub(crate) fn rounds_allocate_nothing(mut round: impl FnMut()) {
    let mut counts = Vec::new();
    while !counts.ends_with(&[0; QUIET_ROUNDS]) {
        assert!(counts.len() < ROUNDS_MAX, "allocations per round: {counts:?}");
        let before = ALLOCATIONS.load(SeqCst);
        round();
        counts.push(ALLOCATIONS.load(SeqCst) - before);
    }
}

/// Bytes that are allocated and not freed, by all threads, those of C libraries too (mallinfo(3)).
pub(crate) fn live_bytes() -> usize {
    // SAFETY: it has no precondition and locks each arena that it reads.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks + info.hblkhd
}

// SAFETY: every call is forwarded unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !EXEMPT.get() {
            ALLOCATIONS.fetch_add(1, SeqCst);
        }
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Rounds in a row.
const QUIET_ROUNDS: usize = 5;
/// Rounds after which the high-water marks must have been reached.
const ROUNDS_MAX: usize = 30;
