//! What reaches a worker's thread from outside: the wake from another thread, and the core it is pinned to.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, eventfd};
use rustix::thread::{CpuSet, sched_setaffinity};

/// Ends the wait of a worker's driver; cheap to clone, usable from any thread.
///
/// An eventfd (eventfd(2)): wakes that come before the worker looks count as one.
#[derive(Clone, Debug)]
pub struct WakeHandle(Arc<OwnedFd>);

impl WakeHandle {
    /// A new eventfd.
    ///
    /// # Errors
    ///
    /// When the process is out of descriptors.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)))
    }

    /// Wakes the worker, now or when it next waits.
    pub fn wake(&self) {
        // The only failure of a non-blocking write of 1 is a full counter, and then a wake is pending anyway.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// Takes back all wakes so far.
    pub(super) fn clear(&self) {
        let mut count = [0; 8];
        // Fails only when no wake is pending, which is what is wanted.
        let _ = rustix::io::read(&self.0, &mut count);
    }
}

impl AsFd for WakeHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Pins the calling thread to one core.
///
/// # Errors
///
/// When the core does not exist or is outside the process's own set.
pub fn pin_to_core(core: usize) -> io::Result<()> {
    if core >= CpuSet::MAX_CPU {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("core {core} is beyond {}", CpuSet::MAX_CPU),
        ));
    }
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_beyond_the_set_is_refused() {
        assert_eq!(pin_to_core(CpuSet::MAX_CPU).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
