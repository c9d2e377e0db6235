//! In the steady state a worker allocates nothing for what it relays: shown by an allocator that counts.
#![expect(unsafe_code, reason = "a global allocator that counts and forwards")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use gateway::worker::driver::{Driver, SocketId, epoll::Epoll, net::bind_reuseport, uring::Uring};
use gateway::worker::executor::Executor;
use gateway::worker::io::Io;

#[test]
fn io_uring_relays_without_allocating() {
    relay_frames(Uring::new);
}

#[test]
fn epoll_relays_without_allocating() {
    relay_frames(Epoll::new);
}

/// Relays rounds of frames of several sizes. Queues and pools grow to their high-water mark first, so the test asks
/// for one whole round without an allocation, not for the first.
fn relay_frames<D: Driver<Listener = TcpListener>>(make: fn() -> io::Result<D>) {
    let allocations = Arc::new(AtomicU64::new(0));
    let over = Arc::new(AtomicBool::new(false));
    let listener = bind_reuseport((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let (address, upstream) = (listener.local_addr().unwrap(), echo_server());
    let worker = {
        let (allocations, over) = (allocations.clone(), over.clone());
        thread::spawn(move || work(make, listener, upstream, &allocations, &over))
    };

    let mut clients: Vec<TcpStream> = (0..4).map(|_| TcpStream::connect(address).unwrap()).collect();
    let rounds = (0..ROUNDS_MAX).map(|_| {
        let before = allocations.load(Ordering::SeqCst);
        clients.iter_mut().for_each(exchange_frames);
        allocations.load(Ordering::SeqCst) - before
    });
    let counts: Vec<u64> =
        rounds.scan(false, |done, count| (!std::mem::replace(done, count == 0)).then_some(count)).collect();
    assert_eq!(counts.last(), Some(&0), "allocations per round: {counts:?}");

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
    allocations: &AtomicU64,
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
        allocations.store(ALLOCATIONS.get(), Ordering::SeqCst);
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
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
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

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is forwarded unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Rounds after which the high-water marks must have been reached.
const ROUNDS_MAX: usize = 30;
