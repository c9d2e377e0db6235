//! One table of behaviours for the drivers that use the kernel's sockets, over loopback.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::mpsc;
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{future, io, thread};

use super::epoll::Epoll;
use super::uring::Uring;
use super::{Driver, SocketId};
use crate::worker::buffers::RingShape;
use crate::worker::executor::Executor;
use crate::worker::io::{Accepted, Io};
use crate::worker::testing::{both_ways, copy};
use crate::worker::wake::WakeHandle;
use crate::{budget, tcp};

macro_rules! behaviours {
    ($($behaviour:ident)*) => {
        mod uring {
            $(#[test] fn $behaviour() { super::$behaviour(super::Uring::new); })*
        }
        mod uring_whole_blocks {
            $(#[test] fn $behaviour() { super::$behaviour(super::Uring::with_whole_blocks); })*
        }
        mod epoll {
            $(#[test] fn $behaviour() { super::$behaviour(super::Epoll::new); })*
        }
    };
}

behaviours! {
    bytes_of_every_size_are_relayed
    half_close_keeps_the_other_direction
    a_reset_ends_both_sides
    a_refused_connect_is_reported
    a_connect_ends_at_its_deadline
    many_connections_at_once
    a_stalled_receiver_bounds_the_sender
    a_stalled_send_lets_go_of_the_ring
    a_stalled_connection_does_not_stop_others
    a_send_shows_what_arrives_of_it
    close_drops_a_send_in_flight
    a_close_ends_or_resets_the_connection
    a_closed_listener_refuses_and_old_connections_go_on
    a_panic_ends_its_connection_only
    drain_ends_at_its_deadline
    idle_connections_hold_no_buffer
    timers_fire
}

fn bytes_of_every_size_are_relayed<D: Kernel>(make: Make<D>) {
    let worker = Worker::start(make, relay(echo_server()));
    let mut client = worker.client();
    for size in [1, 100, 2048, 2049, 16_384, 65_535, 65_536, 65_640, 262_144, 300_001, 1 << 20] {
        let sent = pattern(size);
        let mut writer = client.try_clone().unwrap();
        let copy = sent.clone();
        let writing = thread::spawn(move || writer.write_all(&copy).unwrap());
        let mut received = vec![0; size];
        client.read_exact(&mut received).unwrap();
        writing.join().unwrap();
        assert!(received == sent, "{size} bytes");
    }
    drop(client);
    worker.until(|executor| executor.tasks() == 0);
    worker.until(|executor| executor.io().pool().bytes().ring_held <= BEING_FILLED);
}

fn half_close_keeps_the_other_direction<D: Kernel>(make: Make<D>) {
    let upstream = server(|mut stream| {
        let mut question = Vec::new();
        stream.read_to_end(&mut question).unwrap();
        stream.write_all(format!("{} bytes", question.len()).as_bytes()).unwrap();
    });
    let worker = Worker::start(make, relay(upstream));
    let mut client = worker.client();
    client.write_all(&pattern(100_000)).unwrap();
    client.shutdown(Shutdown::Write).unwrap();

    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "100000 bytes");
}

fn a_reset_ends_both_sides<D: Kernel>(make: Make<D>) {
    let (ended, upstream_ended) = mpsc::channel();
    let upstream = server(move |mut stream| {
        stream.write_all(b"hello").unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        ended.send(()).unwrap();
    });
    let worker = Worker::start(make, relay(upstream));
    let mut client = worker.client();
    client.read_exact(&mut [0; 5]).unwrap();
    rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
    drop(client);

    upstream_ended.recv_timeout(PATIENCE).expect("the upstream connection is closed");
    worker.until(|executor| executor.tasks() == 0);
}

fn a_refused_connect_is_reported<D: Kernel>(make: Make<D>) {
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let worker = Worker::start(make, move |io, accepted| {
        boxed(async move {
            let error = io.connect(nobody, io.now() + PATIENCE).await.unwrap_err();
            answer(&io, accepted.socket, format!("{:?}", error.kind()).as_bytes()).await;
        })
    });
    assert_eq!(worker.ask_once(b""), b"ConnectionRefused");
}

fn a_connect_ends_at_its_deadline<D: Kernel>(make: Make<D>) {
    // A listener whose queue is full lets further connects wait.
    let full = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    rustix::net::listen(&full, 0).unwrap();
    let address = full.local_addr().unwrap();
    let _filler = TcpStream::connect(address).unwrap();
    let worker = Worker::start(make, move |io, accepted| {
        boxed(async move {
            let error = io.connect(address, io.now() + Duration::from_millis(50)).await.unwrap_err();
            answer(&io, accepted.socket, format!("{:?}", error.kind()).as_bytes()).await;
        })
    });
    assert_eq!(worker.ask_once(b""), b"TimedOut");
    worker.until(|executor| executor.tasks() == 0);
}

fn many_connections_at_once<D: Kernel>(make: Make<D>) {
    let worker = Worker::start(make, relay(echo_server()));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let address = worker.address;
            thread::spawn(move || {
                let mut streams: Vec<_> = (0..25).map(|_| TcpStream::connect(address).unwrap()).collect();
                for round in 1..20 {
                    let sent = pattern(round * 997);
                    streams.iter_mut().for_each(|stream| stream.write_all(&sent).unwrap());
                    for stream in &mut streams {
                        let mut received = vec![0; sent.len()];
                        stream.read_exact(&mut received).unwrap();
                        assert!(received == sent);
                    }
                }
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
    worker.until(|executor| executor.tasks() == 0);
}

fn a_stalled_receiver_bounds_the_sender<D: Kernel>(make: Make<D>) {
    let (go, upstream) = stalled_server();
    let worker = Worker::start(make, relay(upstream));
    let sending = Sending::start(worker.client());

    // The bound is reached, and stays: what the sockets of the worker queue does not grow any further.
    worker.until(|executor| executor.io().queued_bytes() > budget::OUTBOUND_BYTES_MAX);
    let most = budget::OUTBOUND_BYTES_MAX + budget::INBOUND_BYTES_MAX + 2 * budget::RING_BYTES;
    let pool = worker.run(|executor| (executor.io().queued_bytes(), executor.io().pool().bytes()));
    assert!(pool.0 <= most && pool.1.ring <= budget::RING_BYTES + budget::RING_EXTRA_BYTES_MAX, "{pool:?}");

    go.send(()).unwrap();
    sending.check();
}

fn a_stalled_send_lets_go_of_the_ring<D: Kernel>(make: Make<D>) {
    let (go, upstream) = stalled_server();
    let worker = Worker::start(make, relay(upstream));
    let sending = Sending::start(worker.client());
    worker.until(|executor| {
        let io = executor.io();
        io.queued_bytes() > budget::OUTBOUND_BYTES_MAX && io.pool().bytes().ring_held > BEING_FILLED
    });

    worker.until(|executor| {
        executor.io().state().let_go_of_the_ring(Instant::now());
        executor.io().pool().bytes().ring_held <= BEING_FILLED
    });

    go.send(()).unwrap();
    sending.check();
}

fn a_stalled_connection_does_not_stop_others<D: Kernel>(make: Make<D>) {
    let (go, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let upstream = server(move |mut stream| {
        let mut first = [0];
        stream.read_exact(&mut first).unwrap();
        if first == *b"s" {
            let _ = gate.lock().unwrap().recv();
        }
        let mut buffer = vec![0; 65_536];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            stream.write_all(&buffer[..count]).unwrap();
        }
    });
    let worker = Worker::start(make, relay(upstream));
    let stalled: Vec<_> = (0..16)
        .map(|_| {
            let mut client = worker.client();
            thread::spawn(move || {
                client.write_all(b"s").unwrap();
                // Ends when the worker is gone.
                let _ = client.write_all(&pattern(16 << 20));
            })
        })
        .collect();
    worker.until(|executor| executor.io().queued_bytes() > 12 * budget::OUTBOUND_BYTES_MAX);

    let mut healthy = worker.client();
    healthy.write_all(b"h").unwrap();
    for _ in 0..20 {
        let sent = pattern(100_000);
        healthy.write_all(&sent).unwrap();
        let mut received = vec![0; sent.len()];
        healthy.read_exact(&mut received).unwrap();
        assert!(received == sent);
    }
    drop(worker);
    drop(go);
    stalled.into_iter().for_each(|client| client.join().unwrap());
}

fn a_send_shows_what_arrives_of_it<D: Kernel>(make: Make<D>) {
    let (told, socket) = mpsc::channel();
    let worker = Worker::start(make, move |io, accepted| {
        told.send(accepted.socket).unwrap();
        boxed(async move {
            io.send(accepted.socket, io.pool().slice_from(pattern(64 << 20)));
            // Ends when the client goes.
            let _ = io.flushed_below(accepted.socket, 0).await;
        })
    });
    let mut client = worker.client();
    // The kernel doubles it. What has arrived and is not read is less than a piece.
    rustix::net::sockopt::set_socket_recv_buffer_size(&client, 1 << 16).unwrap();
    let socket = socket.recv_timeout(PATIENCE).expect("the worker accepts");
    client.read_exact(&mut vec![0; 16 << 20]).unwrap();
    for _ in 0..32 {
        let arrived = worker.run(move |executor| executor.io().arrived_bytes(socket));
        client.read_exact(&mut vec![0; 1 << 19]).unwrap();
        worker.until(move |executor| executor.io().arrived_bytes(socket) > arrived);
    }
}

fn close_drops_a_send_in_flight<D: Kernel>(make: Make<D>) {
    let worker = Worker::start(make, |io, accepted| {
        boxed(async move {
            for _ in 0..64 {
                io.send(accepted.socket, io.pool().slice_from(pattern(1 << 18)));
            }
            io.sleep_until(io.now() + Duration::from_millis(20)).await;
            assert!(io.outbound_bytes(accepted.socket) > 0, "the client does not read");
            io.close(accepted.socket);
        })
    });
    let client = worker.client();
    worker.until(|executor| executor.tasks() == 1);
    worker.until(|executor| executor.tasks() == 0 && executor.io().sockets() == 0);
    assert_eq!(worker.run(|executor| executor.io().queued_bytes()), 0);
    drop(client);
}

fn a_close_ends_or_resets_the_connection<D: Kernel>(make: Make<D>) {
    for reset in [false, true] {
        let worker = Worker::start(make, move |io, accepted| {
            boxed(async move {
                if reset {
                    io.reset_on_close(accepted.socket);
                }
            })
        });
        let end = worker.client().read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(end, if reset { Err(io::ErrorKind::ConnectionReset) } else { Ok(0) });
    }
}

fn a_closed_listener_refuses_and_old_connections_go_on<D: Kernel>(make: Make<D>) {
    let worker = Worker::start(make, relay(echo_server()));
    let mut old = worker.client();
    old.write_all(b"1").unwrap();
    old.read_exact(&mut [0]).unwrap();
    worker.run(|executor| {
        let listeners = executor.io().listeners();
        listeners.into_iter().for_each(|listener| executor.io().state().driver.unlisten(listener));
    });
    worker.until(|executor| executor.io().listeners().is_empty());

    assert_eq!(TcpStream::connect(worker.address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    old.write_all(b"2").unwrap();
    old.read_exact(&mut [0]).unwrap();
}

fn a_panic_ends_its_connection_only<D: Kernel>(make: Make<D>) {
    let worker = Worker::start(make, |io, accepted| {
        boxed(async move {
            while let Ok(Some(piece)) = io.recv(accepted.socket).await {
                assert_ne!(&piece[..], b"panic", "asked to");
                io.send(accepted.socket, piece);
            }
        })
    });
    let (mut good, mut bad) = (worker.client(), worker.client());
    bad.write_all(b"panic").unwrap();
    assert_eq!(bad.read(&mut [0]).unwrap_or(0), 0, "the connection is closed");
    good.write_all(b"fine").unwrap();
    good.read_exact(&mut [0; 4]).unwrap();
    assert_eq!(worker.run(|executor| (executor.failures().panics, executor.tasks())), (1, 1));
}

fn drain_ends_at_its_deadline<D: Kernel>(make: Make<D>) {
    let worker = Worker::start(make, |io, accepted| {
        boxed(async move {
            let mut last = 0;
            future::poll_fn(|_| {
                while let Poll::Ready(Ok(Some(piece))) = io.poll_recv(accepted.socket) {
                    last = piece[0];
                }
                // The polite ones leave when asked.
                if io.draining() && last == b'p' { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        })
    });
    let (mut polite, mut stubborn) = (worker.client(), worker.client());
    polite.write_all(b"p").unwrap();
    stubborn.write_all(b"s").unwrap();
    worker.until(|executor| executor.tasks() == 2);
    // Long enough for the first assertion, short enough for the second.
    worker.run(|executor| executor.io().drain(executor.io().now() + Duration::from_millis(300)));

    worker.until(|executor| executor.tasks() == 1);
    assert!(!worker.run(|executor| executor.is_drained()));
    assert_eq!(polite.read(&mut [0]).unwrap(), 0);
    worker.until(Executor::is_drained);
    assert_eq!(stubborn.read(&mut [0]).unwrap_or(0), 0);
}

fn idle_connections_hold_no_buffer<D: Kernel>(make: Make<D>) {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    let count = if limit.current.is_none_or(|files| files >= 24_000) { 5_000 } else { 400 };
    let worker = Worker::start(make, relay_to_itself());
    let idle: Vec<_> = (0..count)
        .map(|_| {
            let mut client = worker.client();
            client.write_all(b"once").unwrap();
            client.read_exact(&mut [0; 4]).unwrap();
            client
        })
        .collect();
    let (tasks, bytes) = worker.run(|executor| (executor.tasks(), executor.io().pool().bytes()));
    assert_eq!((tasks, bytes.ring), (count, budget::RING_BYTES));
    assert!(bytes.ring_held <= BEING_FILLED, "{bytes:?}");
    assert!(bytes.heap.iter().sum::<usize>() < 64 * 1024, "{bytes:?}");
    drop(idle);
}

fn timers_fire<D: Kernel>(make: Make<D>) {
    let worker = Worker::start(make, |io, accepted| {
        boxed(async move {
            let started = io.now();
            io.yield_now().await;
            let dropped = io.sleep_until(started + Duration::from_secs(3600));
            drop(dropped);
            io.sleep_until(started + Duration::from_millis(30)).await;
            let late = io.now() - started >= Duration::from_millis(30);
            answer(&io, accepted.socket, if late { b"late" } else { b"soon" }).await;
        })
    });
    assert_eq!(worker.ask_once(b""), b"late");
}

/// A driver of the kernel's sockets.
trait Kernel: Driver<Listener = TcpListener> {}
impl<D: Driver<Listener = TcpListener>> Kernel for D {}

type Make<D> = fn() -> io::Result<D>;
type Task = Pin<Box<dyn Future<Output = ()>>>;
type Command<D> = Box<dyn FnOnce(&mut Executor<D>) + Send>;

/// A worker thread whose executor the test can look into between turns.
struct Worker<D: Driver> {
    address: SocketAddr,
    commands: Option<mpsc::Sender<Command<D>>>,
    wake: WakeHandle,
    thread: Option<JoinHandle<()>>,
}

impl<D: Kernel> Worker<D> {
    fn start(make: Make<D>, task: impl Fn(Io<D>, Accepted) -> Task + Send + 'static) -> Self {
        let listener = tcp::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let (commands, inbox) = mpsc::channel::<Command<D>>();
        let (started, handle) = mpsc::channel();
        let thread = thread::spawn(move || {
            let io = Io::new(make().unwrap());
            io.listen(listener).unwrap();
            started.send(io.wake_handle()).unwrap();
            let mut executor = Executor::new(io.clone());
            loop {
                match inbox.try_recv() {
                    Ok(command) => command(&mut executor),
                    Err(mpsc::TryRecvError::Empty) => {
                        executor.turn(&mut |accepted| task(io.clone(), accepted)).unwrap();
                    }
                    Err(mpsc::TryRecvError::Disconnected) => return,
                }
            }
        });
        Self { address, commands: Some(commands), wake: handle.recv().unwrap(), thread: Some(thread) }
    }

    fn run<R: Send + 'static>(&self, command: impl FnOnce(&mut Executor<D>) -> R + Send + 'static) -> R {
        let (answer, answered) = mpsc::channel();
        let command: Command<D> = Box::new(move |executor| answer.send(command(executor)).unwrap());
        self.commands.as_ref().unwrap().send(command).unwrap();
        self.wake.wake();
        answered.recv_timeout(PATIENCE).expect("the worker answers")
    }

    /// Waits for a condition of the worker.
    fn until(&self, condition: impl Fn(&Executor<D>) -> bool + Copy + Send + 'static) {
        let deadline = Instant::now() + PATIENCE;
        while !self.run(move |executor| condition(executor)) {
            assert!(Instant::now() < deadline, "the condition never came true");
            thread::yield_now();
        }
    }

    fn client(&self) -> TcpStream {
        let client = TcpStream::connect(self.address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    }

    fn ask_once(&self, question: &[u8]) -> Vec<u8> {
        let mut client = self.client();
        client.write_all(question).unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        answer
    }
}

impl<D: Driver> Drop for Worker<D> {
    fn drop(&mut self) {
        drop(self.commands.take());
        self.wake.wake();
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking(), "the worker panicked");
    }
}

fn boxed(future: impl Future<Output = ()> + 'static) -> Task {
    Box::pin(future)
}

fn relay<D: Driver>(upstream: SocketAddr) -> impl Fn(Io<D>, Accepted) -> Task + Send + 'static {
    move |io, accepted| {
        boxed(async move {
            if let Ok(upstream) = io.connect(upstream, io.now() + PATIENCE).await {
                both_ways(&io, accepted.socket, upstream).await;
            }
        })
    }
}

/// Answers every byte itself.
fn relay_to_itself<D: Driver>() -> impl Fn(Io<D>, Accepted) -> Task + Send + 'static {
    |io, accepted| boxed(async move { drop(copy(&io, accepted.socket, accepted.socket).await) })
}

async fn answer<D: Driver>(io: &Io<D>, socket: SocketId, bytes: &[u8]) {
    io.send(socket, io.pool().copy_of(bytes));
    io.flushed_below(socket, 0).await.unwrap();
}

/// A server that handles each connection on a thread of its own.
fn server(handle: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let handle = std::sync::Arc::new(handle);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (handle, stream) = (handle.clone(), stream.unwrap());
            thread::spawn(move || handle(stream));
        }
    });
    address
}

/// A server that reads only when told to, and then answers with the checksum of everything.
fn stalled_server() -> (mpsc::Sender<()>, SocketAddr) {
    let (go, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let address = server(move |mut stream| {
        gate.lock().unwrap().recv().unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(&checksum(&all).to_be_bytes()).unwrap();
    });
    (go, address)
}

/// A client of a [`stalled_server`] that sends more than all queues on the way take.
struct Sending {
    client: TcpStream,
    expected: u32,
    writing: JoinHandle<()>,
}

impl Sending {
    fn start(client: TcpStream) -> Self {
        let sent = pattern(32 << 20);
        let (expected, mut writer) = (checksum(&sent), client.try_clone().unwrap());
        let writing = thread::spawn(move || {
            writer.write_all(&sent).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        Self { client, expected, writing }
    }

    /// Everything arrived as it was sent.
    fn check(mut self) {
        let mut sum = [0; 4];
        self.client.read_exact(&mut sum).unwrap();
        assert_eq!(u32::from_be_bytes(sum), self.expected);
        self.writing.join().unwrap();
    }
}

fn echo_server() -> SocketAddr {
    server(|mut stream| {
        let mut buffer = vec![0; 65_536];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            if stream.write_all(&buffer[..count]).is_err() {
                return;
            }
        }
    })
}

/// Bytes whose order and place can be told, quickly made: a prime number of them, again and again.
fn pattern(size: usize) -> Vec<u8> {
    let tile: Vec<u8> = (0..4093_usize).map(|index| (index ^ (index >> 4)) as u8).collect();
    let mut bytes = tile.repeat(size / tile.len() + 1);
    bytes.truncate(size);
    bytes
}

fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// The block that the epoll driver receives into next, whoever sends.
const BEING_FILLED: usize = RingShape::PACKED.block_bytes;

/// How long anything may take before the test says that it hangs.
const PATIENCE: Duration = Duration::from_secs(20);
