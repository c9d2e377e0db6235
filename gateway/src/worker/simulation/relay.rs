//! A relaying worker on the faulty network.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use super::super::buffers::Slice;
use super::super::driver::faulty::{Address, Faults, Faulty, Network, Peer};
use super::super::executor::Executor;
use super::super::io::{Accepted, Io};
use super::super::testing::both_ways;
use super::{TURNS_MAX, for_every_seed};

#[test]
fn what_is_sent_comes_back_whatever_the_network_does() {
    for_every_seed(SEEDS, |seed| {
        let mut world = World::new(seed, Faults::ROUGH);
        let clients = world.run_clients();
        for client in &clients {
            assert!(!client.peer.is_reset(), "nobody resets");
            assert_eq!(client.received.len(), client.to_send, "everything is echoed");
        }
        world.check_nothing_left(clients);
    });
}

#[test]
fn resets_end_what_they_hit_and_leave_nothing() {
    for_every_seed(SEEDS, |seed| {
        let mut world = World::new(seed, Faults::HOSTILE);
        let clients = world.run_clients();
        world.check_nothing_left(clients);
    });
}

#[test]
fn a_seed_gives_the_same_course_of_events() {
    let course = |seed| {
        let mut world = World::new(seed, Faults::HOSTILE);
        let clients = world.run_clients();
        let received: Vec<usize> = clients.iter().map(|client| client.received.len()).collect();
        (world.turns, received)
    };
    for seed in 0..20 {
        assert_eq!(course(seed), course(seed), "seed {seed}");
    }
}

#[test]
fn a_short_ring_recovers_when_tasks_let_go_of_it() {
    // Every connection holds half a message; the four blocks of the ring are not enough for all of them.
    let world = hold_half_messages(0, |io, piece| {
        if io.ring_short() {
            piece.detach();
        }
    });
    let pool = world.executor.io().pool();
    assert_eq!(pool.bytes().ring, 4 * pool.ring_shape().block_bytes, "no block had to be added");
}

#[test]
fn a_short_ring_grows_when_tasks_do_not_let_go_and_shrinks_again() {
    let mut world = hold_half_messages(64, |_, _| {});
    let pool = world.executor.io().pool();
    assert!(pool.bytes().ring > 4 * pool.ring_shape().block_bytes);
    world.until("the extra blocks to go", |_| pool.bytes().ring == 4 * pool.ring_shape().block_bytes);
}

/// Messages of twice [`HALF_BYTES`] whose halves the tasks hold until the second has come; the clients send second
/// halves only when every task holds a first one.
fn hold_half_messages(extra_blocks: u16, wait: fn(&Io<Faulty>, &mut Slice)) -> World {
    let mut world = World::with_growth(1, Faults::default(), extra_blocks);
    let io = world.executor.io().clone();
    let halves = Rc::new(Cell::new(0));
    let clients: Vec<Peer> = (0..32).map(|_| world.network.connect(listener()).unwrap()).collect();
    let half = vec![7; HALF_BYTES];
    for wanted in [clients.len(), 2 * clients.len()] {
        clients.iter().for_each(|client| assert_eq!(client.write(&half), HALF_BYTES));
        let mut turns = 0..TURNS_MAX;
        while halves.get() < wanted {
            assert!(turns.next().is_some(), "a hang with {} halves", halves.get());
            let (io, halves) = (io.clone(), halves.clone());
            world.executor.turn(&mut |accepted| hold(io.clone(), accepted, halves.clone(), wait)).unwrap();
        }
    }
    drop(clients);
    world
}

async fn hold(
    io: Io<Faulty>,
    accepted: Accepted,
    halves: Rc<Cell<usize>>,
    wait: fn(&Io<Faulty>, &mut Slice),
) {
    let mut held: Vec<Slice> = Vec::new();
    poll_fn(|_| {
        held.iter_mut().for_each(|piece| wait(&io, piece));
        while let Poll::Ready(received) = io.poll_recv(accepted.socket) {
            match received {
                Ok(Some(piece)) => held.push(piece),
                _ => return Poll::Ready(()),
            }
            let bytes: usize = held.iter().map(|piece| piece.len()).sum();
            if bytes.is_multiple_of(HALF_BYTES) {
                halves.set(halves.get() + 1);
            }
        }
        Poll::Pending
    })
    .await;
}

/// A worker whose connections are relayed to upstreams that echo.
struct World {
    network: Network,
    executor: Executor<Faulty>,
    upstreams: Vec<Echo>,
    turns: usize,
}

impl World {
    fn new(seed: u64, faults: Faults) -> Self {
        Self::with_growth(seed, faults, 0)
    }

    fn with_growth(seed: u64, faults: Faults, extra_blocks: u16) -> Self {
        let network = Network::new(seed, faults);
        network.listen(upstream());
        let io = Io::new(network.driver(extra_blocks).unwrap());
        io.listen(Address(listener())).unwrap();
        Self { network, executor: Executor::new(io), upstreams: Vec::new(), turns: 0 }
    }

    fn turn(&mut self) {
        self.turns += 1;
        while let Some(peer) = self.network.accept(upstream()) {
            self.upstreams.push(Echo { peer, pending: Vec::new() });
        }
        self.upstreams.retain_mut(|upstream| upstream.step(&self.network));
        let io = self.executor.io().clone();
        self.executor.turn(&mut |accepted| relay(io.clone(), accepted)).unwrap();
    }

    fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        for _ in 0..TURNS_MAX {
            if done(self) {
                return;
            }
            self.turn();
        }
        panic!("a hang while waiting for {what}");
    }

    fn run_clients(&mut self) -> Vec<Client> {
        let count = 1 + self.network.random(6);
        let mut clients: Vec<Client> = (0..count)
            .map(|_| Client {
                peer: self.network.connect(listener()).unwrap(),
                to_send: self.network.random(BYTES_MAX),
                sent: 0,
                received: Vec::new(),
            })
            .collect();
        self.until("the clients", |world| {
            clients.iter_mut().filter_map(|client| (!client.step(&world.network)).then_some(())).count() == 0
        });
        for client in &clients {
            let in_order = client.received.iter().enumerate().all(|(index, &byte)| byte == pattern(index));
            assert!(in_order && client.received.len() <= client.to_send, "bytes changed");
        }
        clients
    }

    fn check_nothing_left(&mut self, clients: Vec<Client>) {
        drop(clients);
        self.until("the end of all sockets", |world| {
            world.executor.tasks() == 0 && world.executor.io().sockets() == 0
        });
        self.until("the end of the upstreams", |world| world.upstreams.is_empty());
        assert_eq!(self.network.connections(), 0, "connections leak");
        assert_eq!(self.executor.io().queued_bytes(), 0, "queued bytes leak");
        assert_eq!(self.executor.failures().panics, 0);
        let bytes = self.executor.io().pool().bytes();
        assert!(
            bytes.ring_held <= self.executor.io().pool().ring_shape().block_bytes,
            "blocks leak: {bytes:?}"
        );
    }
}

async fn relay(io: Io<Faulty>, accepted: Accepted) {
    let deadline = io.now() + Duration::from_secs(30);
    if let Ok(upstream) = io.connect(upstream(), deadline).await {
        both_ways(&io, accepted.socket, upstream).await;
    }
}

/// Sends its bytes, finishes, and reads, at moods of the seed.
struct Client {
    peer: Peer,
    to_send: usize,
    sent: usize,
    received: Vec<u8>,
}

impl Client {
    /// True when nothing more can happen.
    fn step(&mut self, network: &Network) -> bool {
        if self.sent < self.to_send && network.random(3) > 0 {
            let most = (self.to_send - self.sent).min(1 + network.random(BYTES_MAX / 2));
            let bytes: Vec<u8> = (self.sent..self.sent + most).map(pattern).collect();
            self.sent += self.peer.write(&bytes);
        }
        if self.sent == self.to_send {
            self.peer.shutdown_write();
        }
        if network.random(4) > 0 {
            self.peer.read(&mut self.received);
        }
        self.peer.at_end()
    }
}

/// Sends back what it gets.
struct Echo {
    peer: Peer,
    pending: Vec<u8>,
}

impl Echo {
    /// False when the connection is over.
    fn step(&mut self, network: &Network) -> bool {
        if network.random(4) > 0 {
            self.peer.read(&mut self.pending);
        }
        let written = self.peer.write(&self.pending);
        self.pending.drain(..written);
        if self.peer.at_end() && self.pending.is_empty() {
            self.peer.shutdown_write();
            return false;
        }
        !self.peer.is_reset()
    }
}

fn pattern(index: usize) -> u8 {
    (index ^ (index >> 7)) as u8
}

fn listener() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 9092))
}

fn upstream() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 2], 9092))
}

/// Most bytes of a client: several times the window and the ring.
const BYTES_MAX: usize = 24_000;

/// Half a message of the tests of a short ring: too large to be copied out of the ring at once.
const HALF_BYTES: usize = 3_000;

/// Seeds of one test: a second or two.
const SEEDS: u64 = 1_000;
