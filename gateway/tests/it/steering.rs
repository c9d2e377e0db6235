//! The kernel program decides: shown by its counters, in a network namespace of each test's own.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;
use std::time::Duration;

use gateway::steering::{LoadHandle, Steering, SteeringError};
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, sockopt};
use rustix::thread::CapabilitySet;

use crate::netns::{in_namespace, ip, restrict_to, write_sysctl};

const TRIALS: usize = 20;
const CONNECTIONS: usize = 8;

/// A client's address that no answer reaches (RFC 5737).
const NOWHERE: [u8; 4] = [192, 0, 2, 1];

const LOOPBACKS: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

#[test]
fn connections_one_by_one_are_shared_equally() {
    in_namespace("even", || {
        for loopback in LOOPBACKS {
            for _ in 0..TRIALS {
                assert_eq!(Trial::steered(loopback).one_by_one(), [4, 4], "{loopback}");
            }
        }
    });
}

#[test]
fn a_burst_is_shared_almost_equally() {
    in_namespace("burst", || {
        for loopback in LOOPBACKS {
            for _ in 0..TRIALS {
                let accepted = Trial::steered(loopback).burst();
                assert!(accepted.iter().all(|count| *count <= 5), "{loopback}: {accepted:?}");
            }
        }
    });
}

#[test]
fn without_the_program_the_shares_differ() {
    in_namespace("hash", || {
        let one_by_one = (0..TRIALS).map(|_| Trial::hashed(LOOPBACKS[0]).one_by_one());
        let equal = one_by_one.filter(|accepted| *accepted == [4, 4]).count();
        let bursts = (0..TRIALS).map(|_| Trial::hashed(LOOPBACKS[0]).burst());
        let almost_equal = bursts.filter(|accepted| accepted.iter().all(|count| *count <= 5)).count();
        assert!(equal < TRIALS && almost_equal < 2 * TRIALS, "{equal} equal, {almost_equal} almost equal");
    });
}

#[test]
fn a_worker_accepts_exactly_what_the_program_picked_for_it() {
    in_namespace("picks", || {
        let trial = Trial::steered(LOOPBACKS[0]);
        let counters = trial.steering.as_ref().expect("steered").counters();
        let accepted = trial.one_by_one();
        let picks: Vec<u64> = counters.picks().collect();
        assert_eq!(picks, accepted.map(|count| count as u64));
        assert_eq!(counters.fallbacks(), 0);
    });
}

#[test]
fn a_draining_worker_gets_nothing_and_comes_back() {
    in_namespace("drain", || {
        let mut group = Group::steered(2, LOOPBACKS[0]);
        group.connect(4);
        group.handles[0].draining(true);
        group.connect(4);
        assert_eq!(group.picks(), [2, 6]);
        group.handles[0].draining(false);
        group.connect(4);
        assert_eq!(group.picks(), [6, 6]);
    });
}

#[test]
fn queued_connections_of_a_closing_listener_move_to_another_worker() {
    in_namespace("migrate", || {
        for loopback in LOOPBACKS {
            let mut group = Group::steered(2, loopback);
            group.connect(CONNECTIONS);
            group.handles[0].draining(true);
            drop(group.listeners.remove(0));
            for _ in 0..CONNECTIONS {
                group.accept_at(0, 1);
            }
            assert_eq!(
                group.loads(),
                [4, 8],
                "{loopback}: the dead worker keeps its picks, nobody reads them"
            );
        }
    });
}

#[test]
fn the_other_worker_of_the_pair_takes_over_when_a_listener_is_missing() {
    in_namespace("missing", || {
        let mut group = Group::steered(2, LOOPBACKS[0]);
        drop(group.listeners.remove(0));
        group.connect(4);
        assert_eq!((group.picks(), group.fallbacks()), (vec![0, 4], 0));
    });
}

#[test]
fn a_new_listener_takes_the_place_of_a_closed_one() {
    in_namespace("replace", || {
        let mut group = Group::steered(2, LOOPBACKS[0]);
        let address = group.address;
        group.listeners.clear();
        group.insert((0..2).map(|_| listener(address)).collect());
        group.connect(4);
        assert_eq!((group.picks(), group.fallbacks()), (vec![2, 2], 0));
    });
}

#[test]
fn nobody_to_steer_to_leaves_the_choice_to_the_kernel() {
    in_namespace("nobody", || {
        let mut group = Group::steered(2, LOOPBACKS[0]);
        group.handles.iter().for_each(|handle| handle.draining(true));
        group.connect(4);
        assert_eq!((group.picks(), group.fallbacks()), (vec![0, 0], 4));
    });
}

#[test]
fn dropping_the_loader_leaves_the_choice_to_the_kernel() {
    in_namespace("dropped", || {
        let mut group = Group::steered(2, LOOPBACKS[0]);
        let counters = group.steering.take().expect("steered").counters();
        group.connect(4);
        assert_eq!((counters.picks().sum::<u64>(), counters.fallbacks()), (0, 4));
    });
}

#[test]
fn the_same_port_on_two_addresses_is_two_groups() {
    in_namespace("ports", || {
        let mut group = Group::steered(2, LOOPBACKS[0]);
        let other = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), group.address.port());
        group.insert((0..2).map(|_| listener(other)).collect());
        group.address = other;
        group.connect(2);
        (0..2).for_each(|worker| group.accept_at(2 + worker, worker));
        assert_eq!((group.picks(), group.fallbacks()), (vec![1, 1], 0));
    });
}

#[test]
fn every_one_of_many_workers_is_chosen() {
    in_namespace("many", || {
        let mut group = Group::steered(64, LOOPBACKS[0]);
        group.connect(640);
        let picks: BTreeSet<u64> = group.picks().into_iter().collect();
        assert!(
            picks.first() >= Some(&5) && picks.last() <= Some(&15),
            "two choices keep 10 close: {picks:?}"
        );
    });
}

#[test]
fn a_syn_counts_at_once_and_is_given_up_when_nothing_follows() {
    in_namespace("syn", || {
        let mut group = Group::steered(2, LOOPBACKS[0]);
        make_nowhere();
        let _clients: Vec<_> = (0..4).map(|_| half_open(group.address)).collect();
        assert_eq!((group.picks(), group.loads()), (vec![2, 2], vec![2, 2]));
        group.handles[0].settle();
        assert_eq!(group.loads(), [2, 2], "they may still arrive");
        group.handles[0].settle();
        assert_eq!(group.loads(), [0, 2]);
    });
}

#[test]
fn a_connection_by_syn_cookie_is_picked_once() {
    in_namespace("cookie", || {
        // The SYN leaves no trace, so the program runs for the last ACK, too (ip-sysctl, tcp_syncookies).
        write_sysctl("net/ipv4/tcp_syncookies", "2");
        let mut group = Group::steered(1, LOOPBACKS[0]);
        group.connect(4);
        (0..4).for_each(|_| group.accept_at(0, 0));
        assert_eq!((group.picks(), group.loads(), group.fallbacks()), (vec![4], vec![4], 0));
    });
}

#[test]
fn only_a_syn_counts() {
    let (fin, syn, rst, ack) = (0x01, 0x02, 0x04, 0x10);
    in_namespace("stray", || {
        let group = Group::steered(2, LOOPBACKS[0]);
        for (name, flags, picks) in [
            ("an ACK after the close", ack, 0),
            ("a FIN after the close", fin | ack, 0),
            ("a reset", rst | ack, 0),
            ("a SYN that answers nothing", syn | ack, 0),
            ("a SYN", syn, 1),
        ] {
            send_segment(group.address, flags);
            assert_eq!(group.picks().iter().sum::<u64>(), picks, "{name}");
        }
    });
}

#[test]
fn more_workers_than_the_program_knows_are_refused() {
    let refused = Steering::load(65).err();
    assert!(matches!(refused, Some(SteeringError::TooManyWorkers { workers: 65 })), "{refused:?}");
}

#[test]
fn cap_bpf_is_all_it_takes() {
    in_namespace("bpf", || {
        restrict_to(CapabilitySet::BPF);
        assert_eq!(Trial::steered(LOOPBACKS[0]).one_by_one(), [4, 4]);
    });
}

#[test]
fn without_cap_bpf_the_reason_is_said() {
    in_namespace("nocap", || {
        restrict_to(CapabilitySet::empty());
        let refused = Steering::load(2).err().expect("no capability, no program");
        assert!(matches!(refused, SteeringError::NotPermitted(_)), "{refused}");
        assert!(refused.to_string().contains("CAP_BPF"), "{refused}");
    });
}

/// Listeners of one address, one per worker, and what steers them.
struct Group {
    address: SocketAddr,
    listeners: Vec<TcpListener>,
    handles: Vec<LoadHandle>,
    steering: Option<Steering>,
    clients: Vec<TcpStream>,
    accepted: Vec<TcpStream>,
}

impl Group {
    fn steered(workers: usize, loopback: IpAddr) -> Self {
        let (steering, handles) = Steering::load(workers).expect("root may load the program");
        handles.iter().for_each(|handle| handle.draining(false));
        let mut group = Self { steering: Some(steering), handles, ..Self::hashed(workers, loopback) };
        let listeners = std::mem::take(&mut group.listeners);
        group.insert(listeners);
        group
    }

    fn hashed(workers: usize, loopback: IpAddr) -> Self {
        let first = listener(SocketAddr::new(loopback, 0));
        let address = first.local_addr().expect("bound");
        let others = (1..workers).map(|_| listener(address));
        let listeners = std::iter::once(first).chain(others).collect();
        Self { address, listeners, handles: vec![], steering: None, clients: vec![], accepted: vec![] }
    }

    /// Hands `listeners`, one per worker, to the program.
    fn insert(&mut self, listeners: Vec<TcpListener>) {
        let steering = self.steering.as_mut().expect("steered");
        for (worker, listener) in listeners.iter().enumerate() {
            steering.insert(worker, listener).expect("a listening socket with SO_REUSEPORT");
        }
        self.listeners.extend(listeners);
    }

    fn connect(&mut self, count: usize) {
        let clients = (0..count).map(|_| TcpStream::connect(self.address).expect("connected"));
        self.clients.extend(clients);
    }

    fn accept_at(&mut self, listener: usize, worker: usize) {
        let (accepted, _) = self.listeners[listener].accept().expect("a queued connection");
        self.handles[worker].accepted();
        self.accepted.push(accepted);
    }

    fn picks(&self) -> Vec<u64> {
        self.steering.as_ref().expect("steered").counters().picks().collect()
    }

    fn loads(&self) -> Vec<u32> {
        self.steering.as_ref().expect("steered").counters().loads().collect()
    }

    fn fallbacks(&self) -> u64 {
        self.steering.as_ref().expect("steered").counters().fallbacks()
    }
}

/// Two workers that accept in threads of their own, and eight connections to them.
struct Trial {
    address: SocketAddr,
    listeners: Vec<Arc<TcpListener>>,
    workers: Vec<JoinHandle<()>>,
    accepted: Receiver<(usize, TcpStream)>,
    steering: Option<Steering>,
}

impl Trial {
    fn steered(loopback: IpAddr) -> Self {
        Self::start(Group::steered(2, loopback))
    }

    fn hashed(loopback: IpAddr) -> Self {
        Self::start(Group::hashed(2, loopback))
    }

    fn start(group: Group) -> Self {
        let (sender, accepted) = channel();
        let listeners: Vec<Arc<TcpListener>> = group.listeners.into_iter().map(Arc::new).collect();
        let mut handles = group.handles.into_iter();
        let workers = (listeners.iter().cloned().enumerate())
            .map(|(worker, listener)| {
                let (handle, sender) = (handles.next(), sender.clone());
                std::thread::spawn(move || accept_until_shutdown(worker, &listener, handle, &sender))
            })
            .collect();
        Self { address: group.address, listeners, workers, accepted, steering: group.steering }
    }

    /// Connects eight times, each after the one before was accepted; returns how many each worker accepted.
    fn one_by_one(self) -> [usize; 2] {
        let connections: Vec<_> = (0..CONNECTIONS)
            .map(|_| (TcpStream::connect(self.address).expect("connected"), self.next_accepted()))
            .collect();
        self.finish(connections.iter().map(|(_, accepted)| accepted))
    }

    /// Connects eight times at once; returns how many each worker accepted.
    fn burst(self) -> [usize; 2] {
        let (address, start) = (self.address, Arc::new(Barrier::new(CONNECTIONS)));
        let clients: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                let start = Arc::clone(&start);
                std::thread::spawn(move || {
                    start.wait();
                    TcpStream::connect(address).expect("connected")
                })
            })
            .collect();
        let accepted: Vec<_> = (0..CONNECTIONS).map(|_| self.next_accepted()).collect();
        let clients: Vec<_> = clients.into_iter().map(|client| client.join().expect("connected")).collect();
        let counts = self.finish(accepted.iter());
        drop(clients);
        counts
    }

    fn next_accepted(&self) -> (usize, TcpStream) {
        self.accepted.recv_timeout(Duration::from_secs(30)).expect("every connection is accepted")
    }

    fn finish<'a>(self, accepted: impl Iterator<Item = &'a (usize, TcpStream)>) -> [usize; 2] {
        for listener in &self.listeners {
            rustix::net::shutdown(listener, Shutdown::Read).expect("a shutdown ends the blocking accept");
        }
        self.workers.into_iter().for_each(|worker| worker.join().expect("workers do not panic"));
        let mut counts = [0; 2];
        accepted.for_each(|(worker, _)| counts[*worker] += 1);
        counts
    }
}

fn accept_until_shutdown(
    worker: usize,
    listener: &TcpListener,
    mut handle: Option<LoadHandle>,
    accepted: &Sender<(usize, TcpStream)>,
) {
    while let Ok((stream, _)) = listener.accept() {
        if let Some(handle) = &mut handle {
            handle.accepted();
        }
        if accepted.send((worker, stream)).is_err() {
            return;
        }
    }
}

/// A listener with `SO_REUSEPORT`, as each worker has one.
fn listener(address: SocketAddr) -> TcpListener {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = rustix::net::socket(family, SocketType::STREAM, None).expect("a socket");
    sockopt::set_socket_reuseport(&socket, true).expect("before bind");
    rustix::net::bind(&socket, &address).expect("a free port of an empty namespace");
    rustix::net::listen(&socket, 1024).expect("bound");
    socket.into()
}

/// Sends a SYN from [`NOWHERE`], and returns the client's socket.
fn half_open(address: SocketAddr) -> OwnedFd {
    let flags = SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None);
    let socket = socket.expect("a socket");
    rustix::net::bind(&socket, &SocketAddr::from((NOWHERE, 0))).expect("a non-local address may be bound");
    let sent = rustix::net::connect(&socket, &address);
    assert_eq!(sent, Err(rustix::io::Errno::INPROGRESS));
    socket
}

/// Sends one TCP segment of no connection to a loopback address, from port 1.
fn send_segment(to: SocketAddr, flags: u8) {
    const OFFSET_20_BYTES: u8 = 0x50;
    let (loopback, port) = ([127, 0, 0, 1], to.port().to_be_bytes());
    let mut segment =
        [0, 1, port[0], port[1], 0, 0, 0, 1, 0, 0, 0, 1, OFFSET_20_BYTES, flags, 0xff, 0xff, 0, 0, 0, 0];
    let pseudo_header = [loopback, loopback, [0, TCP, 0, segment.len() as u8]].concat();
    let checksum = internet_checksum(&[&pseudo_header[..], &segment[..]].concat());
    segment[16..18].copy_from_slice(&checksum.to_be_bytes());
    let protocol = Some(rustix::net::ipproto::TCP);
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::RAW, protocol).expect("root may");
    let to = SocketAddr::from((loopback, 0));
    rustix::net::sendto(&socket, &segment, rustix::net::SendFlags::empty(), &to).expect("loopback is up");
}

/// RFC 1071, for an even number of bytes.
fn internet_checksum(bytes: &[u8]) -> u16 {
    let (words, _) = bytes.as_chunks::<2>();
    let sum: u32 = words.iter().map(|word| u32::from(u16::from_be_bytes(*word))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

/// TCP's protocol number.
const TCP: u8 = 6;

/// Gives this thread's namespace the address [`NOWHERE`] and takes away the route to it.
fn make_nowhere() {
    let commands = [
        "address add 192.0.2.1 dev lo",
        "route del 192.0.2.1 table local",
        "route add blackhole 192.0.2.1 table local",
    ];
    for command in commands {
        ip(&command.split(' ').collect::<Vec<_>>()).expect("root may, in a namespace of its own");
    }
    write_sysctl("net/ipv4/ip_nonlocal_bind", "1");
}
