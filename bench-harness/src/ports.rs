//! Ports for servers on 127.0.0.1.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, bail};

/// The first of `count` consecutive ports that nothing on 127.0.0.1 uses, below the kernel's ephemeral range
/// (32768 up) so that no outgoing connection takes one in between.
///
/// # Errors
/// No such block was found.
pub fn free_ports(count: u16) -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let process_offset = (std::process::id() % 64) as u16 * 128;
    for _ in 0..256 {
        let step = NEXT.fetch_add(count.next_multiple_of(8), Ordering::Relaxed);
        let base = 20_000 + (process_offset + step) % 12_000;
        let is_free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if (base..base + count).all(is_free) {
            return Ok(base);
        }
    }
    bail!("no {count} consecutive free ports")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_free_ports_do_not_overlap() {
        let first = free_ports(16).unwrap();
        let second = free_ports(16).unwrap();
        assert!(second >= first + 16 || first >= second + 16, "{first} {second}");
    }
}
