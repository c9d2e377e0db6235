//! Steering: the kernel program `steer` hands a new connection to the less loaded of two workers.
//!
//! ```text
//!                          ENDPOINTS: local address -> port index
//! SYN -> reuseport group -> steer -> LISTENERS[slot(port index, worker)] -> accept queue of that worker
//!                             ^ v
//!              LOADS: who is steered to, per worker { picked | open, settled }   <- LoadHandle of each worker
//! ```
//!
//! Every address is a reuseport group of its own, with one listener per worker. A connection counts as pending
//! on its worker from the moment its SYN is steered, so a burst spreads before anything is accepted.
//!
//! Steering balances; it is no security boundary. Without it the kernel spreads connections by a hash of their
//! addresses, and everything else works as before.

mod load;
#[expect(unsafe_code, reason = "workers read and write the load map through mmap(2)")]
mod mapping;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd as _};
use std::sync::Arc;

use aya::maps::{Map, MapData, MapError, ReusePortSockArray};
use aya::programs::{ProgramError, SkReuseport};
use aya::{Ebpf, EbpfError};
use gateway_ebpf_common::{
    ENDPOINTS_MAP, Endpoint, LISTENERS_MAP, LOADS_MAP, PORTS_MAX, STEER_PROGRAM, WORKERS_MAX, slot,
};
use rustix::io::Errno;
use thiserror::Error;

use load::Shared;
use mapping::Mapping;

pub use load::{Counters, LoadHandle, SETTLE_INTERVAL_SECONDS};

/// Why connections are not steered. None of these is fatal: the kernel's hash takes over.
#[derive(Debug, Error)]
pub enum SteeringError {
    /// The process may not load kernel programs.
    #[error("loading a kernel program needs CAP_BPF (and Linux 5.8): {0}")]
    NotPermitted(#[source] io::Error),
    /// The kernel or its configuration lacks something, or its verifier refuses the program.
    #[error("this kernel does not take the program (it needs Linux 6.1 with CONFIG_BPF_SYSCALL): {0}")]
    Unsupported(#[source] Box<EbpfError>),
    /// The embedded object lacks a map or program: it was not built from these sources.
    #[error("the embedded kernel object has no `{0}`")]
    Object(&'static str),
    /// More workers than the program can choose from.
    #[error("{workers} workers: the program steers to at most {WORKERS_MAX}")]
    TooManyWorkers {
        /// Workers asked for.
        workers: usize,
    },
    /// More addresses than the program has room for.
    #[error("{address} is one address too many: at most {PORTS_MAX} are steered")]
    TooManyPorts {
        /// The address that found no room.
        address: SocketAddr,
    },
    /// A listener was refused by the kernel: it does not listen, or lacks `SO_REUSEPORT`.
    #[error("listener not steered: {0}")]
    Listener(#[source] Box<EbpfError>),
    /// The listener's local address is unknown, or is no IP address.
    #[error("address of the listener: {0}")]
    Address(#[source] io::Error),
}

/// The loaded program and its maps.
///
/// Programs stay attached until the last listener of their address closes; dropping this value takes all workers
/// out of the choice, which leaves it to the kernel's hash.
pub struct Steering {
    program: Ebpf,
    shared: Arc<Shared>,
    endpoints: aya::maps::HashMap<MapData, Endpoint, u32>,
    listeners: ReusePortSockArray<MapData>,
    port_indexes: HashMap<Endpoint, u32>,
    workers: u32,
}

impl Steering {
    /// Loads the program for `workers` workers, and makes the load handle of each.
    ///
    /// A worker takes no connections before its first `draining(false)`.
    ///
    /// # Errors
    ///
    /// Why the kernel's hash has to do; to be said once in the log.
    pub fn load(workers: usize) -> Result<(Self, Vec<LoadHandle>), SteeringError> {
        let count = u32::try_from(workers).ok().filter(|count| *count <= WORKERS_MAX);
        let count = count.ok_or(SteeringError::TooManyWorkers { workers })?;
        let mut program = Ebpf::load(OBJECT).map_err(refused)?;
        steer(&mut program)?.load().map_err(|error| refused(error.into()))?;
        let Map::Array(loads) = take(&mut program, LOADS_MAP)? else {
            return Err(SteeringError::Object(LOADS_MAP));
        };
        let loads = Mapping::of(loads.fd().as_fd()).map_err(SteeringError::NotPermitted)?;
        let shared = Arc::new(Shared::new(loads));
        let handles = (0..count).map(|worker| LoadHandle::new(Arc::clone(&shared), worker)).collect();
        let endpoints = take(&mut program, ENDPOINTS_MAP)?.try_into();
        let listeners = take(&mut program, LISTENERS_MAP)?.try_into();
        let steering = Self {
            program,
            shared,
            endpoints: endpoints.map_err(|_| SteeringError::Object(ENDPOINTS_MAP))?,
            listeners: listeners.map_err(|_| SteeringError::Object(LISTENERS_MAP))?,
            port_indexes: HashMap::new(),
            workers: count,
        };
        Ok((steering, handles))
    }

    /// Makes `listener` the one that `worker` has for its local address. The first listener of an address
    /// attaches the program to the address's reuseport group.
    ///
    /// The listener must have `SO_REUSEPORT` and be listening. The kernel forgets it when it closes; a new one
    /// takes its place by another call.
    ///
    /// # Errors
    ///
    /// The listener cannot be steered: connections to its address go by the kernel's hash.
    ///
    /// # Panics
    ///
    /// When `worker` is not below the number of workers.
    pub fn insert(&mut self, worker: usize, listener: impl AsFd) -> Result<(), SteeringError> {
        let listener = listener.as_fd();
        let worker = u32::try_from(worker).ok().filter(|worker| *worker < self.workers);
        let worker = worker.expect("the caller started `workers` workers");
        let address = local_address(listener)?;
        let endpoint = endpoint(address);
        let known = self.port_indexes.get(&endpoint).copied();
        let index = match known {
            Some(index) => index,
            None => self.next_port_index(address)?,
        };
        self.listeners.set(slot(index, worker), &listener.as_raw_fd(), 0).map_err(not_steered)?;
        // A known address may have a new group: the old one ended with its last listener.
        self.endpoints.insert(endpoint, index, 0).map_err(not_steered)?;
        steer(&mut self.program)?.attach(listener).map_err(not_steered)?;
        self.port_indexes.insert(endpoint, index);
        Ok(())
    }

    /// The program's counters.
    pub fn counters(&self) -> Counters {
        Counters::new(Arc::clone(&self.shared), self.workers)
    }

    fn next_port_index(&self, address: SocketAddr) -> Result<u32, SteeringError> {
        let next = u32::try_from(self.port_indexes.len()).ok().filter(|next| *next < PORTS_MAX);
        next.ok_or(SteeringError::TooManyPorts { address })
    }
}

impl Drop for Steering {
    fn drop(&mut self) {
        // Attached programs outlive their descriptor, and detaching takes a socket of each group, which
        // belong to the workers.
        self.shared.stop();
    }
}

/// The kernel program, built by `cargo xtask build-ebpf`.
static OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("CARGO_MANIFEST_DIR"), "/../gateway-ebpf/object/steer.o"));

fn steer(program: &mut Ebpf) -> Result<&mut SkReuseport, SteeringError> {
    let found = program.program_mut(STEER_PROGRAM).and_then(|program| program.try_into().ok());
    found.ok_or(SteeringError::Object(STEER_PROGRAM))
}

fn take(program: &mut Ebpf, name: &'static str) -> Result<Map, SteeringError> {
    program.take_map(name).ok_or(SteeringError::Object(name))
}

/// Tells a missing capability (`EPERM`) from what the kernel cannot do; its verifier says `EACCES`.
fn refused(error: EbpfError) -> SteeringError {
    let cause = match &error {
        EbpfError::MapError(MapError::CreateError { io_error, .. }) => Some(io_error),
        EbpfError::ProgramError(ProgramError::LoadError { io_error, .. }) => Some(io_error),
        _ => None,
    };
    let code = cause.and_then(io::Error::raw_os_error);
    match code.filter(|code| *code == Errno::PERM.raw_os_error()) {
        Some(code) => SteeringError::NotPermitted(io::Error::from_raw_os_error(code)),
        None => SteeringError::Unsupported(Box::new(error)),
    }
}

fn not_steered(error: impl Into<EbpfError>) -> SteeringError {
    SteeringError::Listener(Box::new(error.into()))
}

fn local_address(listener: impl AsFd) -> Result<SocketAddr, SteeringError> {
    let address = rustix::net::getsockname(listener).map_err(|error| SteeringError::Address(error.into()))?;
    address.try_into().map_err(|error: Errno| SteeringError::Address(error.into()))
}

/// The address as the program reads it from the listener.
fn endpoint(address: SocketAddr) -> Endpoint {
    let (family, words) = match address {
        SocketAddr::V4(v4) => {
            (rustix::net::AddressFamily::INET, [u32::from_ne_bytes(v4.ip().octets()), 0, 0, 0])
        }
        SocketAddr::V6(v6) => (rustix::net::AddressFamily::INET6, words(v6.ip().octets())),
    };
    Endpoint { family: u32::from(family.as_raw()), port: u32::from(address.port()), address: words }
}

/// Sixteen bytes as four words in the order of memory, as the kernel's `s6_addr32`.
fn words(octets: [u8; 16]) -> [u32; 4] {
    let (words, _) = octets.as_chunks::<4>();
    std::array::from_fn(|word| u32::from_ne_bytes(words[word]))
}
