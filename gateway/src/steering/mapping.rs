//! The load map in our own memory (`BPF_F_MMAPABLE`): workers count with a store instead of a system call,
//! and need no capability once it is mapped.

use std::io;
use std::ops::Deref;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

use gateway_ebpf_common::Loads;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// The kernel's [`Loads`], shared with the program until the last handle is dropped.
#[derive(Debug)]
pub(super) struct Mapping {
    loads: NonNull<Loads>,
}

impl Mapping {
    /// Maps the single entry of the array `map`, which must hold a [`Loads`].
    ///
    /// # Errors
    ///
    /// What mmap(2) says.
    pub(super) fn of(map: BorrowedFd<'_>) -> io::Result<Self> {
        // SAFETY: a null hint lets the kernel choose unused addresses, so no existing memory is touched; it
        // refuses a length beyond the map's single entry, rounded up to a page.
        let address = unsafe {
            mmap(
                std::ptr::null_mut(),
                size_of::<Loads>(),
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                map,
                0,
            )
        }?;
        let loads = NonNull::new(address.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { loads })
    }
}

impl Deref for Mapping {
    type Target = Loads;

    fn deref(&self) -> &Loads {
        // SAFETY: page-aligned memory of `size_of::<Loads>()` bytes, mapped until drop. The kernel zeroed it,
        // and it holds only atomics, so writes of the program through its own mapping are allowed.
        unsafe { self.loads.as_ref() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is exactly what `of` mapped, and no reference into it outlives `self`.
        let unmapped = unsafe { munmap(self.loads.as_ptr().cast(), size_of::<Loads>()) };
        debug_assert!(unmapped.is_ok(), "munmap fails only for a range that is not page-aligned");
    }
}

// SAFETY: the mapping belongs to the process, not to a thread.
unsafe impl Send for Mapping {}

// SAFETY: a shared `Mapping` gives only `&Loads`, whose fields are atomics.
unsafe impl Sync for Mapping {}
