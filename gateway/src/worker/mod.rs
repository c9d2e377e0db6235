//! The data plane: one pinned thread per core, with its own ring, buffers and tasks.

#[expect(unsafe_code, reason = "memory shared with the kernel; slices own disjoint ranges of pooled blocks")]
pub mod buffers;
pub mod driver;
pub mod executor;
pub mod io;
mod queue;
pub mod schedule;
#[cfg(test)]
mod simulation;
pub mod slots;
mod sockets;
#[cfg(test)]
mod testing;
pub mod wake;
