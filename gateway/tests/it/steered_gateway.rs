//! The gateway process spreads its connections: by its own metrics, on both drivers, with and without the program.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::CapabilitySet;

use crate::netns::{deny_to_children, in_namespace};
use crate::observe;

const TRIALS: usize = 20;
const CONNECTIONS: usize = 8;
const DRIVERS: [&str; 2] = ["io_uring", "epoll"];

#[test]
fn connections_one_by_one_are_shared_equally() {
    in_namespace("run-even", || {
        for io in DRIVERS {
            let gateway = Gateway::start("even", io);
            let trials: Vec<_> = (0..TRIALS).map(|_| gateway.one_by_one()).collect();
            assert!(trials.iter().all(|shares| is_equal(shares)), "{io}: {trials:?}");
            assert_eq!(gateway.metric("gateway_steer_active"), [1]);
        }
    });
}

#[test]
fn a_burst_is_shared_almost_equally() {
    in_namespace("run-burst", || {
        for io in DRIVERS {
            let gateway = Gateway::start("burst", io);
            let trials: Vec<_> = (0..TRIALS).map(|_| gateway.burst()).collect();
            assert!(trials.iter().all(|shares| is_almost_equal(shares)), "{io}: {trials:?}");
        }
    });
}

#[test]
fn each_worker_has_the_connections_that_the_program_picked_for_it() {
    in_namespace("run-picks", || {
        let gateway = Gateway::start("picks", DRIVERS[0]);
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            clients.push(gateway.connect());
            gateway.await_connections(clients.len());
            assert_eq!(gateway.metric("gateway_steer_picks_total"), gateway.metric("gateway_connections"));
        }
    });
}

#[test]
fn without_the_program_the_shares_differ_and_the_log_says_why_once() {
    in_namespace("run-hash", || {
        deny_to_children(CapabilitySet::BPF | CapabilitySet::SYS_ADMIN);
        let gateway = Gateway::start("hash", DRIVERS[0]);
        let equal = (0..TRIALS).filter(|_| is_equal(&gateway.one_by_one())).count();
        let almost_equal = (0..TRIALS).filter(|_| is_almost_equal(&gateway.burst())).count();
        assert!(equal < TRIALS && almost_equal + equal < 2 * TRIALS, "{equal} equal, {almost_equal} almost");
        assert_eq!(gateway.metric("gateway_steer_active"), [0]);
        assert_eq!(gateway.log().matches("CAP_BPF").count(), 1, "{}", gateway.log());
    });
}

fn is_equal(shares: &[usize]) -> bool {
    shares == [CONNECTIONS / 2; 2]
}

fn is_almost_equal(shares: &[usize]) -> bool {
    shares.iter().all(|share| *share <= 5)
}

/// A gateway process with two workers, in this thread's network namespace.
struct Gateway {
    process: Child,
    folder: PathBuf,
}

impl Gateway {
    /// Starts the process and waits until it is ready. Nobody is upstream: these connections send nothing.
    fn start(name: &str, io: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("gateway-steered-{name}-{io}-{}", std::process::id()));
        fs::create_dir_all(folder.join("state")).expect("a writable temporary directory");
        fs::write(folder.join("policy.toml"), "version = 1\n").expect("written");
        let config = format!(
            "state_dir = {:?}\npolicy = {:?}\n[workers]\ncount = 2\nio = {io:?}\n[admin]\nbind = \"{ADMIN}\"\n\
             [[listener]]\nname = \"steered\"\nprotocol = \"kafka\"\nbind = \"{BOOTSTRAP}\"\n\
             advertised_host = \"127.0.0.1\"\nbroker_port_base = 9100\nbrokers = \"0..1\"\n\
             upstream = [\"127.0.0.1:9\"]\n",
            folder.join("state"),
            folder.join("policy.toml"),
        );
        fs::write(folder.join("gateway.toml"), config).expect("written");
        let log = File::create(folder.join("gateway.log")).expect("created");
        let process = Command::new(env!("CARGO_BIN_EXE_gateway"))
            .args(["run", "--config"])
            .arg(folder.join("gateway.toml"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a descriptor"))
            .stderr(log)
            .spawn()
            .expect("the gateway is built");
        let gateway = Self { process, folder };
        gateway.until("ready", |_| {
            observe::page(ADMIN, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
        });
        gateway
    }

    /// Connects eight times, each when the one before is served, and disconnects; returns each worker's share.
    fn one_by_one(&self) -> Vec<usize> {
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            clients.push(self.connect());
            self.await_connections(clients.len());
        }
        self.shares_of(clients)
    }

    /// Connects eight times at once and disconnects; returns each worker's share.
    fn burst(&self) -> Vec<usize> {
        let start = Barrier::new(CONNECTIONS);
        let connect = || {
            start.wait();
            self.connect()
        };
        let clients = thread::scope(|scope| {
            let clients: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(connect)).collect();
            clients.into_iter().map(|client| client.join().expect("connected")).collect()
        });
        self.await_connections(CONNECTIONS);
        self.shares_of(clients)
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(BOOTSTRAP).expect("connected")
    }

    fn shares_of(&self, clients: Vec<TcpStream>) -> Vec<usize> {
        let shares = self.metric("gateway_connections");
        drop(clients);
        self.await_connections(0);
        shares
    }

    fn await_connections(&self, count: usize) {
        self.until("connections", |gateway| {
            gateway.metric("gateway_connections").iter().sum::<usize>() == count
        });
    }

    /// The values of one metric, by worker.
    fn metric(&self, name: &str) -> Vec<usize> {
        let text = observe::page(ADMIN, "/metrics").expect("the admin endpoint answers");
        let value = |line: &str| {
            let labels = line.strip_prefix(name)?;
            let value = labels
                .strip_prefix(' ')
                .or_else(|| labels.strip_prefix('{')?.split_once("} ").map(|(_, value)| value));
            value?.parse().ok()
        };
        text.lines().filter_map(value).collect()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_file()).expect("the log was created")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("gateway.log")
    }

    /// Asks again and again; each question is a round trip to the process, which gives it time.
    fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !holds(self) {
            assert!(Instant::now() < deadline, "not {what} in time");
            thread::yield_now();
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", observe::last_words(ADMIN, &self.log_file()));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

const BOOTSTRAP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9092);
const ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9644);
