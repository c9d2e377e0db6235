//! Sockets, queues and buffers: frames of several sizes through the simplest task.

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use gateway::tcp;
use gateway::worker::driver::{Driver, SocketId, epoll::Epoll, uring::Uring};
use gateway::worker::executor::Executor;
use gateway::worker::io::Io;

use super::counting;

#[test]
fn io_uring_relays_without_allocating() {
    relay_frames(Uring::new);
}

#[test]
fn epoll_relays_without_allocating() {
    relay_frames(Epoll::new);
}

fn relay_frames<D: Driver<Listener = TcpListener>>(make: fn() -> io::Result<D>) {
    let _alone = counting::alone();
    let over = Arc::new(AtomicBool::new(false));
    let listener = tcp::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let (address, upstream) = (listener.local_addr().unwrap(), echo_server());
    let worker = {
        let over = over.clone();
        thread::spawn(move || work(make, listener, upstream, &over))
    };

    let mut clients: Vec<TcpStream> = (0..4).map(|_| TcpStream::connect(address).unwrap()).collect();
    counting::rounds_allocate_nothing(|| clients.iter_mut().for_each(exchange_frames));

    over.store(true, Ordering::SeqCst);
    drop(clients);
    worker.join().unwrap();
}

fn exchange_frames(client: &mut TcpStream) {
    for size in [60, 1_000, 4_200, 16_488, 65_640, 150_000].into_iter().cycle().take(120) {
        let frame = vec![7; size];
        let mut answer = vec![0; size];
        client.write_all(&frame).unwrap();
        client.read_exact(&mut answer).unwrap();
    }
}

fn work<D: Driver<Listener = TcpListener>>(
    make: fn() -> io::Result<D>,
    listener: TcpListener,
    upstream: SocketAddr,
    over: &AtomicBool,
) {
    let io = Io::new(make().unwrap());
    io.listen(listener).unwrap();
    let mut executor = Executor::new(io.clone());
    while !(over.load(Ordering::SeqCst) && executor.tasks() == 0) {
        executor
            .turn(&mut |accepted| {
                let io = io.clone();
                async move {
                    let deadline = io.now() + Duration::from_secs(10);
                    let upstream = io.connect(upstream, deadline).await.unwrap();
                    relay(&io, accepted.socket, upstream).await;
                }
            })
            .unwrap();
    }
}

/// Relays both directions until one has ended.
async fn relay<D: Driver>(io: &Io<D>, client: SocketId, upstream: SocketId) {
    poll_fn(|_| {
        for (from, to) in [(client, upstream), (upstream, client)] {
            while let Poll::Ready(writable) = io.poll_writable(to) {
                match (writable, io.poll_recv(from)) {
                    (Ok(()), Poll::Ready(Ok(Some(piece)))) => io.send(to, piece),
                    (Ok(()), Poll::Pending) => break,
                    _ => return Poll::Ready(()),
                }
            }
        }
        Poll::Pending
    })
    .await;
}

fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        counting::exempt_this_thread();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                counting::exempt_this_thread();
                let mut buffer = vec![0; 65_536];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..count]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}
