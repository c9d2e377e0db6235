//! From a configuration to running workers. Whatever is wrong is said before the first client is accepted.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use tokio::sync::Notify;
use tracing::{info, warn};

use super::cluster::Cluster;
use super::lists::{self, Lists};
use crate::classify::{Engine, SelfTestError};
use crate::config::{self, Config, IoKind, Listener, OnError, OwnKeyError};
use crate::diagnostic::Diagnostic;
use crate::files;
use crate::policy::{Keys, OnBlock, Policy};
use crate::steering::{LoadHandle, Steering};
use crate::tcp;
use crate::telemetry::WorkerCounters;
use crate::tls::{self, TlsError};
use crate::topology::{CurrentTopology, Topology};
use crate::worker::{self, ListenerSettings, ListeningPort, WorkerSetup, WorkerThread};

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The policy or a key file has mistakes.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Mistakes(Vec<Diagnostic>),
    /// The linked pattern matcher is not the one that was tested.
    #[error("the classification engine failed its self-test, so nothing is served: {0}")]
    Engine(#[from] SelfTestError),
    /// The gateway's own key can neither be read nor made.
    #[error(transparent)]
    OwnKey(#[from] OwnKeyError),
    /// A certificate, key or authority file cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An address cannot be bound.
    #[error("listener {name}: cannot bind {address}: {error}")]
    Bind {
        /// The listener's name, or `admin`.
        name: String,
        /// The address.
        address: SocketAddr,
        /// What the kernel says.
        error: io::Error,
    },
    /// A worker did not start.
    #[error("worker {worker} with {io} does not start: {error}")]
    Worker {
        /// Its index.
        worker: usize,
        /// The configured driver.
        io: &'static str,
        /// What the kernel says.
        error: io::Error,
    },
    /// The control thread did not start.
    #[error("control thread: {0}")]
    Control(#[from] io::Error),
}

/// A running gateway, as the control thread takes it over.
pub(super) struct Started {
    pub(super) config: Config,
    pub(super) keys: Arc<Keys>,
    pub(super) policy: Arc<Policy>,
    pub(super) policy_source: String,
    pub(super) policy_lists: Lists,
    pub(super) clusters: Vec<Cluster>,
    pub(super) topologies: Vec<Arc<CurrentTopology>>,
    pub(super) steering: Option<Steering>,
    pub(super) notify: Arc<Notify>,
    pub(super) workers: Vec<Worker>,
    pub(super) admin: TcpListener,
}

/// One worker, seen from the control thread.
pub(super) struct Worker {
    pub(super) thread: WorkerThread,
    pub(super) counters: Arc<WorkerCounters>,
}

/// Generation of the policy at start.
const FIRST_GENERATION: u64 = 1;

/// Checks the engine, compiles the policy, binds every port and starts the workers.
///
/// # Errors
///
/// The first thing that keeps the gateway from serving as configured.
pub(super) fn start(config: Config) -> Result<Started, StartError> {
    Engine::self_test()?;
    let keys = Arc::new(config.keys.clone().or(config::own_key(&config.state_dir)?));
    let policy_source = files::read(&config.policy).map_err(StartError::Mistakes)?;
    let (policy, policy_lists) = lists::compile(&config.policy, &policy_source, &keys, FIRST_GENERATION);
    let policy = Arc::new(policy.map_err(StartError::Mistakes)?);
    raise_descriptor_limit();
    let cores = allowed_cores();
    let count = config.workers.count.resolve(cores.len());
    let settings = config.listeners.iter().enumerate().map(settings).collect::<Result<Vec<_>, _>>()?;
    let (ports, clusters) = bind_all(&config.listeners, count)?;
    let admin = bind_admin(config.admin.bind)?;
    let (steering, loads) = steer(count, &ports);
    let notify = Arc::new(Notify::new());
    let topologies: Vec<_> = clusters
        .iter()
        .map(|cluster| Arc::new(CurrentTopology::from_pointee(cluster.topology.clone())))
        .collect();
    let listeners: Vec<_> = settings.into_iter().zip(topologies.iter().cloned()).collect();
    let setup = |(index, (ports, load))| WorkerSetup {
        index,
        core: cores.get(index).copied(),
        listeners: listeners.clone(),
        ports,
        policy: policy.clone(),
        load,
    };
    let loads = loads.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
    let setups = divide(ports, count).into_iter().zip(loads).enumerate().map(setup);
    let workers: Vec<Worker> =
        setups.map(|setup| spawn(setup, config.workers.io, notify.clone())).collect::<Result<_, _>>()?;
    info!(workers = count, io = config.workers.io.as_str(), generation = FIRST_GENERATION, "serving");
    Ok(Started {
        config,
        keys,
        policy,
        policy_source,
        policy_lists,
        clusters,
        topologies,
        steering,
        notify,
        workers,
        admin,
    })
}

/// Binds the ports of every listener; what is behind them is one cluster each.
fn bind_all(listeners: &[Listener], workers: usize) -> Result<(Vec<Port>, Vec<Cluster>), StartError> {
    let (mut ports, mut clusters) = (Vec::new(), Vec::new());
    for (index, listener) in (0..).zip(listeners) {
        let bound = bind(index, listener, workers)?;
        clusters.push(cluster(index, listener, workers, &bound));
        ports.extend(bound);
    }
    Ok((ports, clusters))
}

fn bind_admin(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
        .map_err(|error| StartError::Bind { name: "admin".to_owned(), address, error })
}

/// One bound port: a reuseport group with a socket for each worker.
struct Port {
    listener: u16,
    node_id: Option<i32>,
    number: u16,
    group: Vec<TcpListener>,
}

/// Binds the bootstrap port and one port for each configured broker.
fn bind(index: u16, listener: &Listener, workers: usize) -> Result<Vec<Port>, StartError> {
    let ip = listener.bind.ip();
    let bootstrap = (None, listener.bind.port());
    let brokers = listener.brokers.iter().filter_map(|id| Some((Some(id), listener.broker_port(id)?)));
    std::iter::once(bootstrap)
        .chain(brokers)
        .map(|(node_id, number)| {
            let address = SocketAddr::new(ip, number);
            let group = tcp::bind_group(address, workers).map_err(|error| StartError::Bind {
                name: listener.name.clone(),
                address,
                error,
            })?;
            Ok(Port { listener: index, node_id, number, group })
        })
        .collect()
}

/// The cluster of one listener before anything is known of it but its bound ports.
fn cluster(index: u16, listener: &Listener, workers: usize, bound: &[Port]) -> Cluster {
    let ports: BTreeMap<i32, Option<u16>> =
        bound.iter().filter_map(|port| Some((port.node_id?, Some(port.number)))).collect();
    let topology = Topology { ports: Arc::new(ports), ..Topology::default() };
    let (bind, base) = (listener.bind.ip(), listener.broker_port_base);
    Cluster::new(index, listener.upstream.clone(), bind, base, workers, topology)
}

/// Gives each worker its socket of every port.
fn divide(ports: Vec<Port>, workers: usize) -> Vec<Vec<ListeningPort>> {
    let mut divided: Vec<Vec<ListeningPort>> = (0..workers).map(|_| Vec::new()).collect();
    for Port { listener, node_id, group, .. } in ports {
        for (sockets, socket) in divided.iter_mut().zip(group) {
            sockets.push(ListeningPort { listener, node_id, socket });
        }
    }
    divided
}

/// Loads the steering program. Without it the kernel's hash spreads connections, which is said once.
fn steer(workers: usize, ports: &[Port]) -> (Option<Steering>, VecDeque<LoadHandle>) {
    let loaded = Steering::load(workers).and_then(|(mut steering, loads)| {
        for port in ports {
            for (worker, socket) in port.group.iter().enumerate() {
                steering.insert(worker, socket)?;
            }
        }
        Ok((steering, loads))
    });
    match loaded {
        Ok((steering, loads)) => (Some(steering), loads.into()),
        Err(reason) => {
            warn!(%reason, "connections are spread by the kernel's hash, not steered by load");
            (None, VecDeque::new())
        }
    }
}

fn settings((index, listener): (usize, &Listener)) -> Result<Arc<ListenerSettings>, StartError> {
    Ok(Arc::new(ListenerSettings {
        index: index as u16,
        name: listener.name.as_str().into(),
        advertised_host: listener.advertised_host.clone(),
        inspected: listener.inspection,
        forward_on_error: listener.on_error == OnError::Forward,
        stub_on_block: listener.on_block == OnBlock::Stub,
        frame_bytes_max: listener.frame_bytes_max as usize,
        message_bytes_max: listener.message_bytes_max as usize,
        principal_claim: listener.principal_claim.clone(),
        tls: listener.tls.as_ref().map(tls::server).transpose()?,
        upstream_tls: listener.upstream_tls.as_ref().map(tls::client).transpose()?,
    }))
}

fn spawn(setup: WorkerSetup, io: IoKind, notify: Arc<Notify>) -> Result<Worker, StartError> {
    let index = setup.index;
    let counters = Arc::new(WorkerCounters::default());
    let started = worker::spawn(setup, io, counters.clone(), notify);
    let thread = started.map_err(|error| StartError::Worker { worker: index, io: io.as_str(), error })?;
    Ok(Worker { thread, counters })
}

/// Cores that this process may run on, in order.
fn allowed_cores() -> Vec<usize> {
    let allowed = rustix::thread::sched_getaffinity(None);
    let cores: Vec<usize> = allowed
        .map(|set| (0..rustix::thread::CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect())
        .unwrap_or_default();
    if cores.is_empty() { vec![0] } else { cores }
}

/// Two descriptors per client: the soft limit, often 1024, is raised to what the unit allows.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        warn!(%error, "cannot raise the limit on open files");
    }
}
