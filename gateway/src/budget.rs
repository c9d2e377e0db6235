//! Memory of one worker, as a sum: one term for each user of buffers.
//!
//! ```text
//!   RING_BYTES               receive ring, the cache budget
//! + RING_EXTRA_BYTES_MAX     its growth while slow readers hold its blocks
//! + HEAP_FREE_BYTES_MAX      heap blocks that wait for their next use
//! + QUEUED_BYTES_MAX         bytes queued on the worker's sockets, and answers that wait for their client
//! + LARGE_REQUEST_BYTES_MAX  requests above 256 KiB that have not left
//! + LARGE_ANSWER_BYTES_MAX   answers above 256 KiB that have not come to their end
//! + AUDIT_BYTES_MAX          audit batches that wait for their next use
//! + AUDIT_SENT_BYTES_MAX     audit batches that the control thread has not taken
//! ```
//!
//! Beyond the sum, each connection may hold what it is entitled to alone: the two `*_BYTES_PRESSED` bounds of
//! its sockets, one received piece, and the first 256 KiB of a frame.
//!
//! Inspection reuses its buffers (text, records, findings, edits, a dozen in all), each up to [`KEPT_BYTES`]. A single
//! large batch takes more; [`reuse`] gives that back. How much more is bounded by the limits on text and counts that
//! `protocol` has.

/// Bytes provided for receiving. Measured: 2 MiB is as fast as any; 8 MiB costs up to 14 % in cache misses, and
/// the ring bounds what one pass can bring (fairness).
pub const RING_BYTES: usize = 2 * MIB;

/// Bytes by which the ring grows while its blocks are held by connections whose peers do not read.
pub const RING_EXTRA_BYTES_MAX: usize = 32 * MIB;

/// Bytes of free heap blocks kept for reuse; what comes back beyond goes to the allocator.
pub const HEAP_FREE_BYTES_MAX: usize = 16 * MIB;

/// Bytes queued on all sockets of a worker, both directions, above which every socket is held to its `PRESSED` bound.
pub const QUEUED_BYTES_MAX: usize = 64 * MIB;

/// Bytes of large requests under way on all connections: a connection reserves its whole frame before it receives more
/// than the first 256 KiB, and waits for room. One frame alone always has room, whatever the listener's limit.
pub const LARGE_REQUEST_BYTES_MAX: usize = 112 * MIB;

/// The same for answers that are read whole: Metadata of 100,000 partitions has some 5 MiB. An allowance of their own,
/// because a broker whose answer is not read does not read the request that holds the room.
pub const LARGE_ANSWER_BYTES_MAX: usize = 16 * MIB;

/// Bytes received but not yet taken by the connection, per socket: above, the receive is cancelled until the
/// connection has taken half of it. Covers the largest batch that stays in cache (256 KiB) twice.
pub const INBOUND_BYTES_MAX: usize = 512 * KIB;

/// The same while the worker as a whole is above [`QUEUED_BYTES_MAX`].
pub const INBOUND_BYTES_PRESSED: usize = 16 * KIB;

/// Bytes queued for sending, per socket, above which a connection waits before it takes more in.
pub const OUTBOUND_BYTES_MAX: usize = 512 * KIB;

/// The same while the worker as a whole is above [`QUEUED_BYTES_MAX`].
pub const OUTBOUND_BYTES_PRESSED: usize = 16 * KIB;

/// Pieces up to this size are copied out of the ring at once: a copy costs less than a block that a slow
/// connection keeps for a hundred bytes.
pub const SMALL_PIECE_BYTES: usize = 2 * KIB;

/// Audit batches that a worker keeps beside the one it fills: so many may be under way to the control thread while it is
/// busy, before one has to be allocated.
pub const SPARE_AUDITS: usize = 16;

/// Memory kept of one of the three buffers of an audit batch, bytes: 8,000 findings, one in 256 bytes of a turn that
/// takes the whole ring.
pub const AUDIT_KEPT_BYTES: usize = 128 * KIB;

/// Memory of the audit batches of one worker that are empty.
pub const AUDIT_BYTES_MAX: usize = (SPARE_AUDITS + 1) * 3 * AUDIT_KEPT_BYTES;

/// Memory of the audit batches that a worker has sent and the control thread has not taken: above, the worker reads no
/// further until it has. One batch alone always goes: the worst turn, 2 MiB of findings in 7 bytes each, makes 8 MiB.
pub const AUDIT_SENT_BYTES_MAX: usize = 6 * MIB;

/// Memory kept of one reused buffer, bytes: room for the text of a batch at the default limit of brokers (1 MiB), twice.
pub const KEPT_BYTES: usize = 2 * MIB;

/// Empties `buffer` for its next use. Beyond [`KEPT_BYTES`] its memory goes once a use has done without it, so that
/// neither one large batch is paid for ever nor each of many allocates anew.
pub fn reuse<T>(buffer: &mut Vec<T>) {
    let kept = KEPT_BYTES / size_of::<T>().max(1);
    if buffer.len() <= kept && buffer.capacity() > kept {
        buffer.shrink_to(kept);
    }
    buffer.clear();
}

/// Empties `buffer` and keeps no more than `kept_bytes` of it: for buffers of which many wait for their next use, so that
/// nobody knows when that comes.
pub fn empty_within<T>(buffer: &mut Vec<T>, kept_bytes: usize) {
    buffer.clear();
    buffer.shrink_to(kept_bytes / size_of::<T>().max(1));
}

/// The sum.
pub const WORKER_BYTES_MAX: usize = RING_BYTES
    + RING_EXTRA_BYTES_MAX
    + HEAP_FREE_BYTES_MAX
    + QUEUED_BYTES_MAX
    + LARGE_REQUEST_BYTES_MAX
    + LARGE_ANSWER_BYTES_MAX
    + AUDIT_BYTES_MAX
    + AUDIT_SENT_BYTES_MAX;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

const _: () = assert!(WORKER_BYTES_MAX <= 256 * MIB, "a worker fits beside others on a small host");
const _: () =
    assert!(INBOUND_BYTES_PRESSED < INBOUND_BYTES_MAX && OUTBOUND_BYTES_PRESSED < OUTBOUND_BYTES_MAX);
const _: () = assert!(INBOUND_BYTES_MAX <= RING_BYTES, "one socket cannot hold the whole ring");
const _: () = assert!(SMALL_PIECE_BYTES <= INBOUND_BYTES_PRESSED, "small pieces alone do not press a socket");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_one_large_use_goes_with_the_second_small_one_after_it() {
        let mut buffer = vec![0u64; KEPT_BYTES];
        reuse(&mut buffer);
        assert!(buffer.capacity() >= KEPT_BYTES, "another large use may follow");
        buffer.push(1);
        reuse(&mut buffer);
        assert!(buffer.is_empty() && buffer.capacity() <= KEPT_BYTES / 8, "{}", buffer.capacity());
    }
}
