//! Buffers of one worker: ring blocks that the driver receives into, heap blocks for everything else.
//!
//! ```text
//!  ring block  ├─ slice ─┤├─ slice ─┤├──── not received yet ────┤     holders = 2 slices + the kernel
//!                tasks      kernel             kernel
//!                           (being sent)       (provided to it)
//! ```
//!
//! A [`Slice`] is the only owner of its bytes. A block counts its holders; the last one to go returns it to the
//! pool: ring blocks to a LIFO list (the block that is warm in the cache is provided next), heap blocks to the
//! list of their size class. In the steady state nothing is allocated.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::RefCell;
use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::rc::Rc;

use slab::Slab;

use crate::budget;

/// Shape of the ring: how many blocks are provided for receiving, and of which size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingShape {
    /// Bytes of one block, a multiple of the page size.
    pub block_bytes: usize,
    /// Number of blocks, a power of two.
    pub blocks: u16,
    /// Blocks by which the ring may grow while those who hold its blocks have not let go of them yet.
    pub extra_blocks: u16,
}

impl RingShape {
    /// One receive per block: for kernels that cannot fill a block piece by piece.
    pub const WHOLE: Self = Self::of_blocks(64 * 1024);
    /// Receives packed one behind the other: `IOU_PBUF_RING_INC` (Linux 6.12), and the epoll driver.
    pub const PACKED: Self = Self::of_blocks(256 * 1024);

    /// The memory budget in blocks of this size.
    const fn of_blocks(block_bytes: usize) -> Self {
        Self {
            block_bytes,
            blocks: (budget::RING_BYTES / block_bytes) as u16,
            extra_blocks: (budget::RING_EXTRA_BYTES_MAX / block_bytes) as u16,
        }
    }
}

/// The buffers of one worker. Cheap to clone; belongs to one thread.
#[derive(Clone)]
pub struct Pool(Rc<RefCell<State>>);

/// Bytes that the pool has from the allocator, by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolBytes {
    /// Ring blocks, the extra ones of a shortage included.
    pub ring: usize,
    /// Of those, blocks in which a slice holds bytes.
    pub ring_held: usize,
    /// Heap blocks, free or held by slices, by size class; the last entry counts those above the largest class.
    pub heap: [usize; CLASS_BYTES.len() + 1],
    /// Of those, blocks that slices hold.
    pub heap_held: usize,
}

struct State {
    shape: RingShape,
    /// Indexed by buffer id; nominal blocks first, then the slots of extra ones.
    ring: Vec<RingBlock>,
    ring_free: Vec<u16>,
    ring_allocated: usize,
    heap: Slab<HeapBlock>,
    heap_free: [Vec<Vec<u8>>; CLASS_BYTES.len()],
    heap_free_bytes: usize,
    bytes: PoolBytes,
}

/// Memory of one ring block; absent in the slot of an extra block that is not there.
struct RingBlock {
    memory: Option<NonNull<u8>>,
    /// Slices, and the kernel while the block is provided to it.
    holders: u32,
    provided: bool,
    /// Bytes received so far: the next piece starts here.
    filled: u32,
}

/// A `Vec<u8>` taken apart, so that no reference to its bytes exists but through slices.
struct HeapBlock {
    memory: NonNull<u8>,
    capacity: usize,
    holders: u32,
}

impl Pool {
    /// A pool whose ring has `shape`. The blocks' pages are touched only when bytes arrive.
    pub fn new(shape: RingShape) -> Self {
        assert!(shape.blocks.is_power_of_two() && shape.block_bytes.is_multiple_of(PAGE_BYTES));
        let slots = usize::from(shape.blocks) + usize::from(shape.extra_blocks);
        let absent = || RingBlock { memory: None, holders: 0, provided: false, filled: 0 };
        let mut state = State {
            shape,
            ring: (0..slots).map(|_| absent()).collect(),
            ring_free: Vec::with_capacity(slots),
            ring_allocated: 0,
            heap: Slab::new(),
            heap_free: [const { Vec::new() }; CLASS_BYTES.len()],
            heap_free_bytes: 0,
            bytes: PoolBytes::default(),
        };
        for _ in 0..shape.blocks {
            state.allocate_ring_block();
        }
        Self(Rc::new(RefCell::new(state)))
    }

    /// An empty vector of at least `capacity` bytes, recycled when there is one.
    ///
    /// Give it back with [`slice_from`](Self::slice_from) or [`recycle`](Self::recycle).
    pub fn vec(&self, capacity: usize) -> Vec<u8> {
        let Some(class) = CLASS_BYTES.iter().position(|&bytes| bytes >= capacity) else {
            return Vec::with_capacity(capacity);
        };
        let state = &mut *self.0.borrow_mut();
        match state.heap_free[class].pop() {
            Some(vec) => {
                state.heap_free_bytes -= vec.capacity();
                state.bytes.heap[class] -= vec.capacity();
                vec
            }
            None => Vec::with_capacity(CLASS_BYTES[class]),
        }
    }

    /// Keeps an allocation for the next [`vec`](Self::vec), as far as the budget for free memory allows.
    pub fn recycle(&self, vec: Vec<u8>) {
        let surplus = self.0.borrow_mut().keep(vec);
        drop(surplus);
    }

    /// The contents of `vec` as a slice; the allocation comes back to the pool with its last slice.
    ///
    /// # Panics
    ///
    /// When `vec` holds 4 GiB or more.
    pub fn slice_from(&self, vec: Vec<u8>) -> Slice {
        let len = u32::try_from(vec.len()).expect("frames are bounded far below 4 GiB");
        let mut vec = ManuallyDrop::new(vec);
        let memory = NonNull::new(vec.as_mut_ptr()).expect("a vector's pointer is never null");
        let state = &mut *self.0.borrow_mut();
        state.bytes.heap[class_of(vec.capacity())] += vec.capacity();
        let key = state.heap.insert(HeapBlock { memory, capacity: vec.capacity(), holders: 1 });
        let block = HEAP | u32::try_from(key).expect("fewer blocks than 2^31");
        assert!(block != HEAP | (HEAP - 1), "fewer blocks than 2^31");
        Slice { pool: self.clone(), start: memory, len, block }
    }

    /// As [`slice_from`](Self::slice_from), in a block that fits: few bytes that wait for long must not keep a block made
    /// for many.
    pub fn fitted(&self, vec: Vec<u8>) -> Slice {
        if vec.len() >= vec.capacity() / 4 {
            return self.slice_from(vec);
        }
        let slice = self.copy_of(&vec);
        self.recycle(vec);
        slice
    }

    /// A copy of `bytes` in a heap block.
    pub fn copy_of(&self, bytes: &[u8]) -> Slice {
        let mut vec = self.vec(bytes.len());
        vec.extend_from_slice(bytes);
        self.slice_from(vec)
    }

    /// A whole free ring block as one slice, to receive into from its front; `None` when the ring is exhausted.
    pub fn ring_slice(&self) -> Option<Slice> {
        let state = &mut *self.0.borrow_mut();
        let bid = state.ring_free.pop()?;
        let block = &mut state.ring[usize::from(bid)];
        let start = block.memory.expect("a free block has memory");
        block.holders = 1;
        Some(Slice { pool: self.clone(), start, len: state.shape.block_bytes as u32, block: bid.into() })
    }

    /// Takes a free ring block for the kernel to fill: its buffer id and address. `None` when the ring is exhausted.
    ///
    /// From now on the kernel is a holder of the block, until [`received`](Self::received) says that it gave it up.
    pub(super) fn provide(&self) -> Option<(u16, NonNull<u8>)> {
        let state = &mut *self.0.borrow_mut();
        let bid = state.ring_free.pop()?;
        let block = &mut state.ring[usize::from(bid)];
        let start = block.memory.expect("a free block has memory");
        (block.holders, block.provided, block.filled) = (1, true, 0);
        Some((bid, start))
    }

    /// The next `len` bytes of block `bid`, which the kernel has filled. `more`: it keeps the rest of the block.
    ///
    /// # Safety
    ///
    /// `bid` comes from [`provide`](Self::provide) and the kernel did not give it up before; the kernel has written
    /// the `len` bytes that follow those of earlier calls, and will not touch them again.
    ///
    /// # Panics
    ///
    /// When `len` goes beyond the block: the kernel and we disagree about memory.
    pub(super) unsafe fn received(&self, bid: u16, len: u32, more: bool) -> Option<Slice> {
        let (start, kept) = {
            let state = &mut *self.0.borrow_mut();
            let block = &mut state.ring[usize::from(bid)];
            let memory = block.memory.expect("a provided block has memory");
            let from = block.filled as usize;
            assert!(block.holders > 0 && from + len as usize <= state.shape.block_bytes);
            block.filled += len;
            block.holders += u32::from(len > 0);
            block.provided = more;
            // SAFETY: `from` is within the block, as just asserted.
            (unsafe { memory.add(from) }, more)
        };
        if !kept {
            self.release(bid.into());
        }
        (len > 0).then(|| Slice { pool: self.clone(), start, len, block: bid.into() })
    }

    /// Number of ring blocks that neither the kernel nor a slice holds.
    pub fn ring_free(&self) -> usize {
        self.0.borrow().ring_free.len()
    }

    /// Shape of the ring.
    pub fn ring_shape(&self) -> RingShape {
        self.0.borrow().shape
    }

    /// Adds one block to a ring whose blocks are all held by slow readers; it goes when they have caught up.
    /// False when the budget is used up.
    pub fn grow_ring(&self) -> bool {
        self.0.borrow_mut().allocate_ring_block()
    }

    /// Bytes from the allocator, by class.
    pub fn bytes(&self) -> PoolBytes {
        let state = self.0.borrow();
        let held = state.ring.iter().filter(|block| block.holders > u32::from(block.provided)).count();
        PoolBytes {
            ring_held: held * state.shape.block_bytes,
            heap_held: state.bytes.heap.iter().sum::<usize>() - state.heap_free_bytes,
            ..state.bytes
        }
    }

    /// Takes away one holder of `block`, and returns the block to its list when that was the last.
    fn release(&self, block: u32) {
        let state = &mut *self.0.borrow_mut();
        let surplus = if block & HEAP == 0 {
            state.release_ring(block as usize);
            None
        } else {
            state.release_heap((block & !HEAP) as usize)
        };
        drop(surplus);
    }

    /// Bytes of the block behind `end` that nobody holds; 0 where the kernel or another slice may.
    fn room_behind(&self, block: u32, end: NonNull<u8>) -> usize {
        let state = self.0.borrow();
        match block & HEAP {
            0 => 0,
            _ => match &state.heap[(block & !HEAP) as usize] {
                HeapBlock { holders: 1, memory, capacity } => {
                    *capacity - (end.as_ptr() as usize - memory.as_ptr() as usize)
                }
                _ => 0,
            },
        }
    }

    fn hold(&self, block: u32) {
        let state = &mut *self.0.borrow_mut();
        match block & HEAP {
            0 => state.ring[block as usize].holders += 1,
            _ => state.heap[(block & !HEAP) as usize].holders += 1,
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("ring_free", &self.ring_free()).field("bytes", &self.bytes()).finish()
    }
}

impl State {
    fn allocate_ring_block(&mut self) -> bool {
        let Some(bid) = self.ring.iter().position(|block| block.memory.is_none()) else { return false };
        let layout = ring_layout(self.shape);
        // SAFETY: the layout is not empty: `Pool::new` takes positive multiples of the page only.
        let memory = unsafe { alloc_zeroed(layout) };
        let memory = NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout));
        self.ring[bid] = RingBlock { memory: Some(memory), holders: 0, provided: false, filled: 0 };
        self.ring_allocated += 1;
        self.bytes.ring += self.shape.block_bytes;
        self.ring_free.push(bid as u16);
        true
    }

    fn release_ring(&mut self, bid: usize) {
        let block = &mut self.ring[bid];
        block.holders -= 1;
        if block.holders > 0 {
            return;
        }
        if self.ring_allocated <= usize::from(self.shape.blocks) {
            self.ring_free.push(bid as u16);
            return;
        }
        let memory = block.memory.take().expect("a held block has memory");
        // SAFETY: allocated with this layout; its last holder has just gone.
        unsafe { dealloc(memory.as_ptr(), ring_layout(self.shape)) };
        self.ring_allocated -= 1;
        self.bytes.ring -= self.shape.block_bytes;
    }

    /// Returns the vector that the pool does not keep, to be freed by the caller.
    fn release_heap(&mut self, key: usize) -> Option<Vec<u8>> {
        let block = &mut self.heap[key];
        block.holders -= 1;
        if block.holders > 0 {
            return None;
        }
        let block = self.heap.remove(key);
        self.bytes.heap[class_of(block.capacity)] -= block.capacity;
        // SAFETY: pointer and capacity are those of the vector that `slice_from` took apart, put together once,
        // after its last slice has gone.
        let vec = unsafe { Vec::from_raw_parts(block.memory.as_ptr(), 0, block.capacity) };
        self.keep(vec)
    }

    fn keep(&mut self, mut vec: Vec<u8>) -> Option<Vec<u8>> {
        let bytes = vec.capacity();
        // The largest class that the vector can serve; nothing below the smallest or above the largest is kept.
        let class = CLASS_BYTES.iter().rposition(|&class| class <= bytes);
        let Some(class) = class.filter(|_| self.heap_free_bytes + bytes <= budget::HEAP_FREE_BYTES_MAX)
        else {
            return Some(vec);
        };
        vec.clear();
        self.heap_free_bytes += bytes;
        self.bytes.heap[class] += bytes;
        self.heap_free[class].push(vec);
        None
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let layout = ring_layout(self.shape);
        for memory in self.ring.iter_mut().filter_map(|block| block.memory.take()) {
            // SAFETY: allocated with this layout. Every slice holds the pool, and so does a driver until the
            // kernel has given up what was provided to it, so nobody holds the block now.
            unsafe { dealloc(memory.as_ptr(), layout) };
        }
        assert!(self.heap.is_empty(), "slices keep their pool alive");
    }
}

/// The only owner of a range of bytes of a pooled block.
///
/// Ranges of live slices never overlap, so shared and exclusive access are safe. Dropping the last slice of a block
/// returns the block to its pool; the other slices of the block are not affected.
pub struct Slice {
    pool: Pool,
    start: NonNull<u8>,
    len: u32,
    /// Buffer id of a ring block, or `HEAP |` key of a heap block.
    block: u32,
}

impl Slice {
    /// Splits off the first `n` bytes and returns them; `self` keeps the rest.
    ///
    /// # Panics
    ///
    /// When the slice is shorter.
    pub fn split_to(&mut self, n: usize) -> Self {
        assert!(n <= self.len());
        self.pool.hold(self.block);
        let front = Self { pool: self.pool.clone(), start: self.start, len: n as u32, block: self.block };
        self.advance(n);
        front
    }

    /// Splits off everything behind the first `n` bytes and returns it.
    ///
    /// # Panics
    ///
    /// When the slice is shorter.
    pub fn split_off(&mut self, n: usize) -> Self {
        let mut back = self.split_to(n);
        std::mem::swap(self, &mut back);
        back
    }

    /// Gives up the first `n` bytes.
    ///
    /// # Panics
    ///
    /// When the slice is shorter.
    pub fn advance(&mut self, n: usize) {
        assert!(n <= self.len());
        // SAFETY: at most one past the end of the block, as just asserted.
        self.start = unsafe { self.start.add(n) };
        self.len -= n as u32;
    }

    /// Gives up everything behind the first `n` bytes; nothing when the slice is shorter.
    pub fn truncate(&mut self, n: usize) {
        self.len = self.len.min(u32::try_from(n).unwrap_or(u32::MAX));
    }

    /// Appends `next` when it lies directly behind in the same block, as two receives of one socket often do.
    ///
    /// # Errors
    ///
    /// Gives `next` back when it lies elsewhere.
    pub fn join(&mut self, next: Self) -> Result<(), Self> {
        // SAFETY: one past the end of the range, which is within or at the end of the block.
        let end = unsafe { self.start.add(self.len()) };
        let adjacent =
            next.block == self.block && next.start == end && Rc::ptr_eq(&self.pool.0, &next.pool.0);
        if !adjacent {
            return Err(next);
        }
        self.len += next.len;
        Ok(())
    }

    /// Copies the front of `bytes` behind this slice, as far as its heap block has room that nobody else holds;
    /// returns how much.
    pub(super) fn append(&mut self, bytes: &[u8]) -> usize {
        // SAFETY: one past the end of the range, which is within or at the end of the block.
        let end = unsafe { self.start.add(self.len()) };
        let taken = bytes.len().min(self.pool.room_behind(self.block, end));
        // SAFETY: the block has room for `taken` bytes there, and this slice alone holds the block.
        unsafe { end.copy_from_nonoverlapping(NonNull::from(bytes).cast(), taken) };
        self.len += taken as u32;
        taken
    }

    /// True when the bytes lie in a block that receives need.
    pub fn is_ring(&self) -> bool {
        self.block & HEAP == 0
    }

    /// Moves the bytes out of a ring block, so that they do not hold it: a copy into a heap block. Nothing for a
    /// slice that is in one.
    pub fn detach(&mut self) {
        if self.is_ring() {
            *self = self.pool.copy_of(self);
        }
    }
}

impl Deref for Slice {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the range is initialised memory of a block that `self` holds, and no other slice covers it.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len as usize) }
    }
}

impl DerefMut for Slice {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `deref`; `&mut self` makes this the only access to the range.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len as usize) }
    }
}

impl AsRef<[u8]> for Slice {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl AsMut<[u8]> for Slice {
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl Drop for Slice {
    fn drop(&mut self) {
        self.pool.release(self.block);
    }
}

/// Shows where the bytes are, never what they are.
impl fmt::Debug for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slice").field("len", &self.len).field("ring", &self.is_ring()).finish_non_exhaustive()
    }
}

/// Index into [`PoolBytes::heap`] of a heap block.
fn class_of(capacity: usize) -> usize {
    match CLASS_BYTES.iter().rposition(|&class| class <= capacity) {
        Some(class) if capacity <= CLASS_BYTES[CLASS_BYTES.len() - 1] => class,
        Some(_) => CLASS_BYTES.len(),
        None => 0,
    }
}

/// Bytes of the heap block that [`Pool::vec`] takes for `bytes`.
pub(super) fn block_bytes(bytes: usize) -> usize {
    CLASS_BYTES.into_iter().find(|&class| class >= bytes).unwrap_or(bytes)
}

fn ring_layout(shape: RingShape) -> Layout {
    Layout::from_size_align(shape.block_bytes, PAGE_BYTES)
        .expect("a multiple of the page, far below isize::MAX")
}

/// Sizes of heap blocks. A factor of four: a frame that outgrows its block is copied at most log4 times.
pub const CLASS_BYTES: [usize; 9] =
    [256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20];

/// Smallest page of the supported machines.
const PAGE_BYTES: usize = 4096;

/// Set in `Slice::block` for heap blocks.
const HEAP: u32 = 1 << 31;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_slice_returns_its_block() {
        let pool = Pool::new(RingShape { block_bytes: 4096, blocks: 2, extra_blocks: 1 });
        let mut block = pool.ring_slice().unwrap();
        let front = block.split_to(1000);
        let back = block.split_off(96);
        drop(block);
        drop(back);
        assert_eq!((pool.ring_free(), pool.bytes().ring_held), (1, 4096));

        drop(front);
        assert_eq!((pool.ring_free(), pool.bytes().ring_held), (2, 0));
    }

    #[test]
    fn slices_of_a_block_are_written_apart() {
        let pool = Pool::new(RingShape::PACKED);
        let mut first = pool.slice_from(b"abcdef".to_vec());
        let mut second = first.split_off(3);
        first[0] = b'X';
        second.as_mut()[0] = b'Y';
        second.truncate(2);
        first.advance(1);

        assert_eq!((&first[..], &second[..]), (&b"bc"[..], &b"Ye"[..]));
    }

    #[test]
    fn only_neighbours_join() {
        let pool = Pool::new(RingShape::PACKED);
        let mut first = pool.copy_of(b"abcdef");
        let (second, third) = (first.split_off(2), pool.copy_of(b"gh"));
        first.join(second).unwrap();
        let third = first.join(third).unwrap_err();

        assert_eq!((&first[..], &third[..]), (&b"abcdef"[..], &b"gh"[..]));
    }

    #[test]
    fn bytes_are_appended_where_nobody_else_holds_the_block() {
        let pool = Pool::new(RingShape::PACKED);
        let mut first = pool.copy_of(b"abc");
        assert_eq!(first.append(&[b'd'; 300]), CLASS_BYTES[0] - 3);
        assert_eq!((first.len(), &first[..5], first[255]), (256, &b"abcdd"[..], b'd'));

        let mut shared = pool.copy_of(b"abcdef");
        let behind = shared.split_off(3);
        assert_eq!(shared.append(b"x"), 0);
        drop(behind);
        assert_eq!((shared.append(b"x"), &shared[..]), (1, &b"abcx"[..]));
        assert_eq!(pool.ring_slice().unwrap().append(b"x"), 0);
    }

    #[test]
    fn heap_blocks_are_recycled_by_class() {
        let pool = Pool::new(RingShape::PACKED);
        for (asked, class) in [(1, 0), (256, 0), (257, 1), (65_536, 4), (65_537, 5)] {
            let vec = pool.vec(asked);
            assert!(vec.is_empty() && vec.capacity() >= CLASS_BYTES[class]);
            let address = vec.as_ptr();
            drop(pool.slice_from(vec));
            assert!(pool.bytes().heap[class] >= CLASS_BYTES[class], "{asked}");
            let again = pool.vec(asked);
            assert_eq!(again.as_ptr(), address, "{asked}");
        }
    }

    #[test]
    fn few_bytes_keep_a_small_block() {
        let pool = Pool::new(RingShape::PACKED);
        let filled = |bytes: usize| {
            let mut vec = pool.vec(64 * 1024);
            vec.resize(bytes, 7);
            vec
        };
        let small: Vec<Slice> = (0..100).map(|_| pool.fitted(filled(100))).collect();
        assert_eq!(pool.bytes().heap_held, 100 * CLASS_BYTES[0]);
        assert!(small.iter().all(|slice| slice[..] == [7; 100]));
        drop(small);

        let large = pool.fitted(filled(16 * 1024));
        assert_eq!((large.len(), pool.bytes().heap_held), (16 * 1024, 64 * 1024));
    }

    #[test]
    fn free_heap_memory_is_bounded() {
        let pool = Pool::new(RingShape::PACKED);
        for _ in 0..100 {
            pool.recycle(Vec::with_capacity(1 << 20));
            pool.recycle(Vec::with_capacity(64 << 20));
        }
        assert!(pool.bytes().heap.iter().sum::<usize>() <= budget::HEAP_FREE_BYTES_MAX);
    }

    #[test]
    fn an_extra_block_goes_when_the_ring_has_recovered() {
        let shape = RingShape { block_bytes: 4096, blocks: 2, extra_blocks: 1 };
        let pool = Pool::new(shape);
        let held: Vec<Slice> = std::iter::from_fn(|| pool.ring_slice()).collect();
        assert!(pool.grow_ring());
        let extra = pool.ring_slice().unwrap();
        assert_eq!(pool.bytes().ring, 3 * 4096);

        drop(held);
        assert_eq!((pool.bytes().ring, pool.ring_free()), (2 * 4096, 1));
        drop(extra);
        assert_eq!(pool.ring_free(), 2);
    }

    #[test]
    fn a_block_filled_piece_by_piece_stays_with_the_kernel_until_it_says_so() {
        let pool = Pool::new(RingShape { block_bytes: 4096, blocks: 2, extra_blocks: 1 });
        let (bid, start) = pool.provide().unwrap();
        // SAFETY: nobody else has the block, which has 4096 bytes.
        unsafe { start.write_bytes(7, 4096) };
        // SAFETY: the block was provided and 100 bytes of it written.
        let first = unsafe { pool.received(bid, 100, true) }.unwrap();
        drop(first);
        assert_eq!((pool.ring_free(), pool.bytes().ring_held), (1, 0));

        // SAFETY: as above, the rest of the block.
        let second = unsafe { pool.received(bid, 3996, false) }.unwrap();
        assert_eq!((second.len(), second[3995], pool.bytes().ring_held), (3996, 7, 4096));
        drop(second);
        assert_eq!(pool.ring_free(), 2);
    }
}
