//! The least that a proxy can do: read from one socket, write to the other.
//!
//! One thread, one connection at a time, 64 KiB at once, no look at the bytes. What the gateway costs above
//! this is what it does for its users.

use crate::host;
use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::thread::gettid;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

/// A relay on a thread of its own, which ends with the process.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    task: PathBuf,
}

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;

impl Relay {
    /// Starts a relay to `upstream`, pinned to `cores`.
    ///
    /// # Errors
    ///
    /// When the socket or the thread cannot be made.
    pub fn start(upstream: SocketAddr, cores: Vec<usize>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (tell, told) = mpsc::channel();
        std::thread::Builder::new().name("relay".to_owned()).spawn(move || {
            let pinned = host::pin(&cores).map(|()| gettid());
            if tell.send(pinned).is_ok() {
                for downstream in listener.incoming().flatten() {
                    // The peer sees a broken connection; the next one is served.
                    relay(downstream, upstream).ok();
                }
            }
        })?;
        let thread = told.recv().context("the relay's thread has ended")??;
        Ok(Self { address, task: format!("/proc/self/task/{}", thread.as_raw_nonzero()).into() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// CPU time of its thread.
    ///
    /// # Errors
    ///
    /// When the thread has ended.
    pub fn cpu_time(&self) -> Result<Duration> {
        host::cpu_time(&self.task)
    }
}

/// Relays both ways until one side ends.
fn relay(mut downstream: TcpStream, upstream: SocketAddr) -> Result<()> {
    let mut upstream = TcpStream::connect(upstream)?;
    downstream.set_nodelay(true)?;
    upstream.set_nodelay(true)?;
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let wanted = PollFlags::IN;
        let mut ready = [PollFd::new(&downstream, wanted), PollFd::new(&upstream, wanted)];
        poll(&mut ready, None)?;
        let ready = ready.map(|socket| !socket.revents().is_empty());
        let open = (!ready[0] || copy(&mut downstream, &mut upstream, &mut buffer)?)
            && (!ready[1] || copy(&mut upstream, &mut downstream, &mut buffer)?);
        if !open {
            return Ok(());
        }
    }
}

/// One read and its write; false at the end of the stream.
fn copy(from: &mut TcpStream, to: &mut TcpStream, buffer: &mut [u8]) -> Result<bool> {
    let count = from.read(buffer)?;
    to.write_all(&buffer[..count])?;
    Ok(count > 0)
}
