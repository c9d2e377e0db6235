//! The ring in which blocks of memory are provided to the kernel for receives.

use std::io;
use std::ptr::NonNull;

use io_uring::IoUring;
use io_uring::types::IOU_PBUF_RING_INC;

use crate::worker::buffers::RingShape;

/// The only buffer group.
pub(super) const BUFFER_GROUP: u16 = 0;

/// The ring in which blocks are provided to the kernel (io_uring_register_buf_ring(3)).
pub(super) struct ProvidedRing {
    entries: NonNull<io_uring::types::BufRingEntry>,
    capacity: u16,
    block_bytes: u32,
    tail: u16,
    /// Blocks in the kernel's hands.
    pub(super) count: u16,
}

impl ProvidedRing {
    /// Registers the ring, filled incrementally where the kernel can (Linux 6.12): small pieces then share a block.
    pub(super) fn register(ring: &IoUring) -> io::Result<(Self, RingShape)> {
        Self::register_as(ring, RingShape::PACKED, IOU_PBUF_RING_INC as u16)
            .or_else(|_| Self::register_as(ring, RingShape::WHOLE, 0))
    }

    pub(super) fn register_as(ring: &IoUring, shape: RingShape, flags: u16) -> io::Result<(Self, RingShape)> {
        // SAFETY: the layout is not empty.
        let memory = unsafe { std::alloc::alloc_zeroed(PROVIDED_LAYOUT) };
        let entries = NonNull::new(memory.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        let (address, capacity) = (entries.as_ptr() as u64, shape.blocks);
        // SAFETY: a page for at most 256 entries of 16 bytes, freed only after `unregister`.
        let registered =
            unsafe { ring.submitter().register_buf_ring_with_flags(address, capacity, BUFFER_GROUP, flags) };
        if let Err(error) = registered {
            // SAFETY: allocated above with this layout; the kernel refused it.
            unsafe { std::alloc::dealloc(memory, PROVIDED_LAYOUT) };
            return Err(error);
        }
        let block_bytes = u32::try_from(shape.block_bytes).expect("blocks are far below 4 GiB");
        Ok((Self { entries, capacity, block_bytes, tail: 0, count: 0 }, shape))
    }

    pub(super) fn has_room(&self) -> bool {
        self.count < self.capacity
    }

    /// Adds a block; the kernel sees it after [`publish`](Self::publish).
    pub(super) fn push(&mut self, bid: u16, start: NonNull<u8>) {
        let index = usize::from(self.tail & (self.capacity - 1));
        // SAFETY: below the capacity, which is at most the number of entries in the page.
        let entry = unsafe { self.entries.add(index) };
        // SAFETY: behind the published tail, so the kernel does not read the entry; nobody else refers to it.
        let entry = unsafe { &mut *entry.as_ptr() };
        entry.set_addr(start.as_ptr() as u64);
        entry.set_len(self.block_bytes);
        entry.set_bid(bid);
        self.tail = self.tail.wrapping_add(1);
        self.count += 1;
    }

    pub(super) fn publish(&mut self) {
        // SAFETY: `entries` is the base of the registered ring.
        let tail = unsafe { io_uring::types::BufRingEntry::tail(self.entries.as_ptr()) };
        // SAFETY: the tail is an aligned u16 that the kernel reads and only we write.
        let tail = unsafe { std::sync::atomic::AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, std::sync::atomic::Ordering::Release);
    }

    /// Takes the ring back from the kernel; false when that fails and everything in it must stay.
    pub(super) fn unregister(&mut self, ring: &IoUring) -> bool {
        if ring.submitter().unregister_buf_ring(BUFFER_GROUP).is_err() {
            return false;
        }
        // SAFETY: allocated by `register` with this layout; the kernel has let go of it; called once, from `drop`.
        unsafe { std::alloc::dealloc(self.entries.as_ptr().cast(), PROVIDED_LAYOUT) };
        true
    }
}

/// One page: 256 entries of 16 bytes, of which the kernel wants page alignment.
const PROVIDED_LAYOUT: std::alloc::Layout = match std::alloc::Layout::from_size_align(4096, 4096) {
    Ok(layout) => layout,
    Err(_) => panic!("a page is aligned to itself"),
};

const _: () = assert!(RingShape::PACKED.blocks <= 256 && RingShape::WHOLE.blocks <= 256);
