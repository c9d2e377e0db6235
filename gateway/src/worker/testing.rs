//! What the tests of the drivers share: the simplest worker task, a relay.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;

use super::driver::{Driver, SocketId};
use super::io::Io;

/// Relays until both directions have ended or one has failed.
pub(super) async fn both_ways<D: Driver>(io: &Io<D>, client: SocketId, upstream: SocketId) {
    let (mut there, mut back) = (pin!(copy(io, client, upstream)), pin!(copy(io, upstream, client)));
    let (mut there_over, mut back_over) = (false, false);
    poll_fn(|context| {
        for (direction, over) in [(there.as_mut(), &mut there_over), (back.as_mut(), &mut back_over)] {
            if !*over && let Poll::Ready(result) = direction.poll(context) {
                *over = true;
                if result.is_err() {
                    return Poll::Ready(());
                }
            }
        }
        if there_over && back_over { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Relays one direction to its end.
pub(super) async fn copy<D: Driver>(io: &Io<D>, from: SocketId, to: SocketId) -> io::Result<()> {
    loop {
        io.writable(to).await?;
        match io.recv(from).await? {
            Some(piece) => io.send(to, piece),
            None => break,
        }
    }
    io.shutdown_write(to);
    io.flushed_below(to, 0).await
}
