//! TCP sockets as the gateway wants them: answers leave at once, and a peer that vanished is noticed.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt};

/// Connections that may wait to be accepted, per socket; the kernel caps it at `net.core.somaxconn` (4096 since
/// Linux 5.4).
const BACKLOG: i32 = 4096;

/// A peer that vanished without a word is noticed after idle + 9 intervals (tcp(7): nine probes by default):
/// under four minutes instead of two hours.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Binds `count` sockets to `address`, in one reuseport group: the kernel, or a steering program, chooses among them.
///
/// # Errors
///
/// What the kernel says, such as an address in use by another program.
pub fn bind_group(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    (0..count).map(|_| bind(address)).collect()
}

/// A listening socket on `address` that others may join (`SO_REUSEPORT`, socket(7)). Accepted sockets inherit
/// `TCP_NODELAY` and keepalive.
///
/// # Errors
///
/// When the address is not ours or taken by a socket outside the group.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address, SocketFlags::NONBLOCK)?;
    // A restarted gateway takes its ports back at once, whatever connections still linger.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

/// An unconnected TCP socket for `peer`'s address family.
///
/// # Errors
///
/// When no socket can be had.
pub fn socket(peer: SocketAddr, flags: SocketFlags) -> io::Result<OwnedFd> {
    let family = if peer.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, flags | SocketFlags::CLOEXEC, None)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    sockopt::set_socket_keepalive(&socket, true)?;
    sockopt::set_tcp_keepidle(&socket, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(&socket, KEEPALIVE_INTERVAL)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};

    use super::*;

    #[test]
    fn a_group_shares_one_port() {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("loopback");
        let group = bind_group(free, 3).expect("the port was free a moment ago");
        assert!(group.iter().all(|socket| socket.local_addr().is_ok_and(|address| address == free)));
    }

    #[test]
    fn accepted_sockets_send_at_once_and_notice_vanished_peers() {
        let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        listener.set_nonblocking(false).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();

        assert!(sockopt::tcp_nodelay(&accepted).unwrap() && sockopt::socket_keepalive(&accepted).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&accepted).unwrap(), KEEPALIVE_IDLE);
    }
}
