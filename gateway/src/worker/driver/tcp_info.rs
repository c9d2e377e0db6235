//! What the kernel knows of a connection's progress. The end of a send is no measure of it: io_uring reports one when all
//! of it lies in the socket's buffer, which may take megabytes and minutes.

use std::os::fd::{AsRawFd, OwnedFd};

/// Bytes that the peer has acknowledged (`TCP_INFO`, tcp(7); `tcpi_bytes_acked` since Linux 4.1); 0 where the kernel does
/// not say.
pub(super) fn acknowledged_bytes(socket: &OwnedFd) -> u64 {
    // SAFETY: all-zero bytes are a valid `tcp_info`: it is integers only.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut length = size_of_val(&info) as libc::socklen_t;
    let (descriptor, into) = (socket.as_raw_fd(), (&raw mut info).cast());
    // SAFETY: the descriptor is open while `socket` is borrowed; `into` points to `length` bytes that the kernel may write
    // until the call returns, and any bytes are a valid `tcp_info`.
    let result =
        unsafe { libc::getsockopt(descriptor, libc::IPPROTO_TCP, libc::TCP_INFO, into, &raw mut length) };
    if result == 0 { info.tcpi_bytes_acked } else { 0 }
}
