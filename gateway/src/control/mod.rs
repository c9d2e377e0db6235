//! The control thread: starts the workers, then compiles policies, learns brokers, takes audit batches, serves the
//! admin endpoint and ends the process in order. It never touches a record.

mod canaries;
mod cluster;
mod lists;
mod reload;
mod start;

use std::collections::BTreeSet;
use std::io;
use std::net::TcpListener;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use crate::admin::{self, Readiness};
use crate::audit::CountingSink;
use crate::config::Config;
use crate::mailbox::{ToControl, ToWorker};
use crate::policy::Policy;
use crate::steering::Steering;
use crate::telemetry::{Exposition, PolicyState};
use crate::topology::{CurrentTopology, Learned};
use canaries::Canaries;
use cluster::{Cluster, Published};
use reload::{Asked, Reloader, Trigger};
use start::{Started, Worker};

pub use reload::compile;
pub use start::StartError;

/// Time that connections have to finish what is under way after SIGTERM: below the unit's `TimeoutStopSec` of 60 s.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// Idle workers take a turn this often.
const KICK_INTERVAL: Duration = Duration::from_secs(10);

/// Runs the gateway until it is told to stop.
///
/// # Errors
///
/// What keeps it from starting, or a worker that failed.
pub fn run(config: Config) -> Result<(), StartError> {
    let started = start::start(config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { Control::new(started)?.serve().await })
}

struct Control {
    workers: Vec<Worker>,
    /// One per listener: what its workers learned.
    learned: Vec<mpsc::UnboundedSender<Learned>>,
    /// One per listener: the snapshot in force.
    topologies: Vec<Arc<CurrentTopology>>,
    published: mpsc::UnboundedReceiver<Published>,
    policies: mpsc::UnboundedReceiver<Arc<Policy>>,
    /// The policy in force and, until every worker has retired it, the ones before.
    in_use: Vec<Arc<Policy>>,
    /// For the metrics: a generation is in force when no worker uses an older one.
    policy_state: Arc<PolicyState>,
    reload: Arc<Asked>,
    steering: Option<Steering>,
    notify: Arc<tokio::sync::Notify>,
    sink: Arc<Mutex<CountingSink>>,
    canaries: Canaries,
    readiness: Arc<Readiness>,
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
    /// Listeners whose first snapshot is not published yet.
    unresolved: BTreeSet<u16>,
    draining: bool,
    /// Ends with the control thread.
    _watcher: Option<notify::RecommendedWatcher>,
}

impl Control {
    fn new(started: Started) -> io::Result<Self> {
        let Started {
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
        } = started;
        let policy_state = Arc::new(PolicyState::default());
        policy_state.generation.store(policy.generation(), Relaxed);
        let sink: Arc<Mutex<CountingSink>> = Arc::default();
        let readiness = Arc::new(Readiness::new(config.state_dir.clone()));
        let exposition = exposition(&workers, sink.clone(), policy_state.clone(), steering.as_ref());
        tokio::spawn(serve_admin(admin, exposition, readiness.clone()));
        let unresolved = clusters.iter().map(|cluster| cluster.listener).collect();
        let (learned, published) = spawn_clusters(clusters);
        let listeners = config.listeners.into_iter().map(|listener| listener.name).collect();
        let path = config.policy;
        let (state, generation) = (policy_state.clone(), policy.generation());
        let reloader = Reloader::new(path.clone(), keys, state, generation, policy_source, policy_lists);
        let (reload, policies) = spawn_reloader(reloader);
        let watcher = reload::watch(&path, reload.clone())
            .inspect_err(|error| warn!(%error, "the policy file is not watched; SIGHUP reloads it"))
            .ok();
        readiness.engine.store(true, Relaxed);
        readiness.policy.store(true, Relaxed);
        Ok(Self {
            workers,
            learned,
            topologies,
            published,
            policies,
            in_use: vec![policy],
            policy_state,
            reload,
            steering,
            notify,
            sink,
            canaries: Canaries::new(listeners),
            readiness,
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            unresolved,
            draining: false,
            _watcher: watcher,
        })
    }

    async fn serve(mut self) -> Result<(), StartError> {
        let mut kick = tokio::time::interval(KICK_INTERVAL);
        while self.workers.iter().any(|worker| worker.thread.is_running()) {
            tokio::select! {
                () = self.notify.notified() => self.receive(),
                Some(published) = self.published.recv() => self.publish(published),
                Some(policy) = self.policies.recv() => self.distribute(&policy),
                _ = kick.tick() => self.kick(),
                _ = self.hangup.recv() => {
                    info!("SIGHUP: reloading the policy");
                    self.reload.ask(Trigger::Signal);
                }
                _ = self.terminate.recv() => self.drain("SIGTERM"),
                _ = self.interrupt.recv() => self.drain("SIGINT"),
            }
            self.reap()?;
        }
        info!("stopped");
        Ok(())
    }

    /// Takes every message that workers have sent.
    fn receive(&mut self) {
        for worker in &mut self.workers {
            while let Some(message) = worker.thread.mailbox.receive() {
                match message {
                    ToControl::AuditBatch(mut batch) => {
                        self.canaries.tell(&batch, &self.in_use, Instant::now());
                        self.sink.lock().unwrap_or_else(PoisonError::into_inner).take(&batch, &self.in_use);
                        batch.clear();
                        worker.thread.mailbox.give_back(ToWorker::AuditBatch(batch));
                    }
                    ToControl::Learned { listener, learned } => {
                        if let Some(cluster) = self.learned.get(usize::from(listener)) {
                            // The task of a cluster ends only with this thread.
                            let _ = cluster.send(learned);
                        }
                    }
                    ToControl::Retired(policy, scratch) => drop((policy, scratch)),
                }
            }
        }
        // One reference is this list's own; the newest stays in force.
        let newest = self.in_use.len().saturating_sub(1);
        let mut index = 0;
        self.in_use.retain(|policy| {
            index += 1;
            index > newest || Arc::strong_count(policy) > 1
        });
        if let Some(oldest) = self.in_use.first() {
            self.policy_state.generation.store(oldest.generation(), Relaxed);
        }
    }

    /// Hands a snapshot, and the ports that came with it, to every worker.
    fn publish(&mut self, published: Published) {
        let Published { listener, topology, bound } = published;
        for (node_id, port, group) in bound {
            for (index, (worker, socket)) in self.workers.iter_mut().zip(group).enumerate() {
                let steered = self.steering.as_mut().map(|steering| steering.insert(index, &socket));
                if let Some(Err(error)) = steered {
                    warn!(port, %error, "connections to this port are spread by the kernel's hash");
                }
                worker.thread.mailbox.send(ToWorker::Listen { listener, node_id, socket });
            }
        }
        if let Some(current) = self.topologies.get(usize::from(listener)) {
            current.store(topology);
        }
        for worker in &mut self.workers {
            worker.thread.mailbox.send(ToWorker::TopologyChanged);
        }
        self.unresolved.remove(&listener);
        if self.unresolved.is_empty() && !self.draining {
            self.readiness.listeners.store(true, Relaxed);
        }
    }

    /// Hands a new policy to every worker, each with a scratch of its own.
    fn distribute(&mut self, policy: &Arc<Policy>) {
        self.in_use.push(policy.clone());
        for worker in &mut self.workers {
            worker.thread.mailbox.send(ToWorker::Policy(policy.clone(), Box::new(policy.scratch())));
        }
    }

    fn kick(&mut self) {
        for worker in &mut self.workers {
            worker.thread.mailbox.send(ToWorker::Kick);
        }
    }

    fn drain(&mut self, signal: &str) {
        if self.draining {
            return;
        }
        self.draining = true;
        info!(signal, seconds = DRAIN_TIMEOUT.as_secs(), "draining: finishing what is under way");
        self.readiness.listeners.store(false, Relaxed);
        let deadline = Instant::now() + DRAIN_TIMEOUT;
        for worker in &mut self.workers {
            worker.thread.mailbox.send(ToWorker::Drain { deadline });
        }
    }

    /// Joins workers that have ended. One that fails ends the process: its connections are gone, and the service
    /// manager starts a whole gateway again.
    fn reap(&mut self) -> io::Result<()> {
        for (index, worker) in self.workers.iter_mut().enumerate() {
            if let Some(Err(error)) = worker.thread.take_result() {
                error!(worker = index, %error, "worker failed");
                return Err(error);
            }
        }
        Ok(())
    }
}

fn exposition(
    workers: &[Worker],
    sink: Arc<Mutex<CountingSink>>,
    policy: Arc<PolicyState>,
    steering: Option<&Steering>,
) -> Arc<Exposition> {
    let counters = steering.map(Steering::counters);
    Arc::new(Exposition {
        workers: workers.iter().map(|worker| worker.counters.clone()).collect(),
        sink,
        policy,
        steer_picks: Box::new(move || counters.as_ref().map(|counters| counters.picks().collect())),
    })
}

/// Starts a task for each cluster: the way to tell it what workers learned, and what all of them publish.
fn spawn_clusters(
    clusters: Vec<Cluster>,
) -> (Vec<mpsc::UnboundedSender<Learned>>, mpsc::UnboundedReceiver<Published>) {
    let (published_to, published) = mpsc::unbounded_channel();
    let spawn = |cluster: Cluster| {
        let (learned_to, learned) = mpsc::unbounded_channel();
        tokio::spawn(cluster.run(learned, published_to.clone()));
        learned_to
    };
    (clusters.into_iter().map(spawn).collect(), published)
}

/// Starts the task that compiles policies: the way to ask it, and what it has compiled.
fn spawn_reloader(reloader: Reloader) -> (Arc<Asked>, mpsc::UnboundedReceiver<Arc<Policy>>) {
    let asked = Arc::<Asked>::default();
    let (policies_to, policies) = mpsc::unbounded_channel();
    tokio::spawn(reloader.run(asked.clone(), policies_to));
    (asked, policies)
}

async fn serve_admin(listener: TcpListener, exposition: Arc<Exposition>, readiness: Arc<Readiness>) {
    let served = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => admin::serve(listener, exposition, readiness).await,
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        error!(%error, "the admin endpoint has ended");
    }
}
