//! Socket calls that the io_uring and epoll drivers share: they are made once per connection or listener.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::SocketFlags;

/// The other end of an accepted socket; `None` when it has gone already.
pub(super) fn peer_of(socket: &OwnedFd) -> Option<SocketAddr> {
    let peer = rustix::net::getpeername(socket).ok()??;
    SocketAddr::try_from(peer).ok()
}

/// Has close(2) drop what is queued and reset the connection.
pub(super) fn reset_on_close(socket: &OwnedFd) {
    // Fails on a connection that is gone already, which is as good.
    let _ = rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO));
}

/// Accepts what the kernel has queued, before the listener is closed, where closing it would reset those
/// connections: without our program Linux moves them to another listener of the group only with
/// `net.ipv4.tcp_migrate_req=1` (Linux 5.14, ip-sysctl.rst).
pub(super) fn accept_queued(listener: &OwnedFd, flags: SocketFlags, mut accepted: impl FnMut(OwnedFd)) {
    if kernel_migrates_requests() || rustix::io::ioctl_fionbio(listener, true).is_err() {
        return;
    }
    loop {
        match rustix::net::accept_with(listener, flags | SocketFlags::CLOEXEC) {
            Ok(socket) => accepted(socket),
            Err(Errno::INTR | Errno::CONNABORTED) => {}
            Err(_) => return,
        }
    }
}

/// Accepting failed for lack of descriptors or memory: trying again at once would spin.
pub(super) fn is_exhaustion(error: Errno) -> bool {
    matches!(error, Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
}

fn kernel_migrates_requests() -> bool {
    std::fs::read_to_string("/proc/sys/net/ipv4/tcp_migrate_req").is_ok_and(|value| value.trim() == "1")
}

/// How long accepting pauses after [`is_exhaustion`].
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
