//! One or three real brokers (KRaft, plain jars) on 127.0.0.1, with faults on demand.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::lock::Lock;
use super::pem::Certificate;
use super::properties::{self, Node, SASL_USER};
use super::{Authority, Jars, cache, wait};
use crate::ports::free_ports;

/// What to start.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Names the folder of data and logs: one cluster at a time has it, on the whole machine.
    pub name: String,
    /// 1 or 3; node ids count from 1, node 1 is the controller.
    pub brokers: usize,
    /// First port; each broker takes [`PORTS_PER_BROKER`]. `None`: a free block.
    pub base_port: Option<u16>,
    /// The host that the upstream listeners advertise. A name that only the gateway can resolve shows every
    /// address that it forgot to rewrite.
    pub upstream_host: String,
}

impl Spec {
    /// One broker that advertises 127.0.0.1, on free ports.
    #[must_use]
    pub fn single(name: &str) -> Self {
        Self { name: name.to_owned(), brokers: 1, base_port: None, upstream_host: "127.0.0.1".to_owned() }
    }
}

/// The listeners of every broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// Plain, always advertised as 127.0.0.1: brokers among themselves, and judges that must not pass the gateway.
    Direct,
    /// Plain, for the gateway.
    Upstream,
    /// TLS, for the gateway.
    UpstreamTls,
    /// Plain with SASL (PLAIN, SCRAM-SHA-256), for the gateway.
    UpstreamSasl,
    /// TLS, for a gateway that shows a certificate of the cluster's authority.
    UpstreamMutualTls,
}

impl Listener {
    pub(super) const ALL: [Self; 5] =
        [Self::Direct, Self::Upstream, Self::UpstreamTls, Self::UpstreamSasl, Self::UpstreamMutualTls];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "DIRECT",
            Self::Upstream => "UPSTREAM",
            Self::UpstreamTls => "UPSTREAM_TLS",
            Self::UpstreamSasl => "UPSTREAM_SASL",
            Self::UpstreamMutualTls => "UPSTREAM_MUTUAL_TLS",
        }
    }

    pub(super) fn protocol(self) -> &'static str {
        match self {
            Self::Direct | Self::Upstream => "PLAINTEXT",
            Self::UpstreamTls | Self::UpstreamMutualTls => "SSL",
            Self::UpstreamSasl => "SASL_PLAINTEXT",
        }
    }
}

/// Common name of the certificate that the brokers ask of a gateway.
const GATEWAY: &str = "gateway";

/// Ports that one broker takes: its listeners, the controller, and room.
pub const PORTS_PER_BROKER: u16 = 8;

#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    base: u16,
}

impl Ports {
    pub(super) fn of(self, listener: Listener) -> u16 {
        self.base + listener as u16
    }

    fn controller(self) -> u16 {
        self.base + Listener::ALL.len() as u16
    }
}

/// Running brokers. Dropping it kills them and removes their data, unless [`Cluster::detach`] left them running.
/// They also end with the process that started them, however that ends.
#[derive(Debug)]
pub struct Cluster {
    spec: Spec,
    jars: Jars,
    folder: PathBuf,
    base_port: u16,
    running: Vec<Option<Running>>,
    /// Of the name: another test run would end these brokers before it starts its own.
    _name: Lock,
}

/// A broker's process, and one that kills it when its own standard input closes: when this process ends.
#[derive(Debug)]
struct Running {
    broker: Child,
    guard: Child,
}

impl Running {
    /// Takes the guard away; the broker goes on.
    fn unguarded(mut self) -> Result<Child> {
        self.guard.kill()?;
        self.guard.wait()?;
        Ok(self.broker)
    }
}

impl Cluster {
    /// Starts the brokers with empty data and waits until each serves. While another process has a cluster of this
    /// name, waits for its end and says so.
    ///
    /// # Errors
    /// Java or the jars are missing, a port is taken, or a broker does not come up.
    pub fn start(spec: Spec) -> Result<Self> {
        ensure!(matches!(spec.brokers, 1 | 3), "a cluster has 1 or 3 brokers, not {}", spec.brokers);
        let jars = Jars::install()?;
        let name = hold_name(&spec.name)?;
        // `kafka up` left them running, or a process that ended without a chance to end them.
        end_leftovers(&spec.name)?;
        let count = PORTS_PER_BROKER * spec.brokers as u16;
        let base_port = spec.base_port.map_or_else(|| free_ports(count), Ok)?;
        let folder = folder(&spec.name)?;
        fs::create_dir_all(&folder)?;
        let running = (0..spec.brokers).map(|_| None).collect();
        let mut cluster = Self { spec, jars, folder, base_port, running, _name: name };
        cluster.prepare()?;
        for id in cluster.ids() {
            cluster.spawn(id)?;
        }
        cluster.ids().try_for_each(|id| cluster.wait_until_serving(id))?;
        Ok(cluster)
    }

    /// Node ids of the cluster.
    pub fn ids(&self) -> impl Iterator<Item = i32> + use<> {
        1..=self.spec.brokers as i32
    }

    /// `host:port,...` of one listener of every broker.
    #[must_use]
    pub fn bootstrap(&self, listener: Listener) -> String {
        self.ids().map(|id| self.address(id, listener)).collect::<Vec<_>>().join(",")
    }

    /// `127.0.0.1:port` of one listener of one broker.
    #[must_use]
    pub fn address(&self, id: i32, listener: Listener) -> String {
        format!("127.0.0.1:{}", self.ports(id).of(listener))
    }

    /// The certificate of the authority that signed the TLS listeners, PEM.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// What a gateway shows to [`Listener::UpstreamMutualTls`]; the brokers know it as `User:CN=gateway`.
    #[must_use]
    pub fn gateway_certificate(&self) -> Certificate {
        Certificate::in_folder(&self.folder, GATEWAY)
    }

    /// The folder with the segments of broker `id`.
    #[must_use]
    pub fn data(&self, id: i32) -> PathBuf {
        self.node_folder(id).join("data")
    }

    /// The jars that the brokers run from.
    #[must_use]
    pub fn jars(&self) -> &Jars {
        &self.jars
    }

    /// User and password for [`Listener::UpstreamSasl`].
    #[must_use]
    pub fn sasl_user() -> (&'static str, &'static str) {
        SASL_USER
    }

    /// Ends a broker as a crash does (SIGKILL); its data stays.
    ///
    /// # Errors
    /// The broker does not run.
    pub fn kill(&mut self, id: i32) -> Result<()> {
        let mut child = self.take(id)?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Ends a broker in good order (SIGTERM) and waits for its end; its data stays.
    ///
    /// # Errors
    /// The broker does not run.
    pub fn shut_down(&mut self, id: i32) -> Result<()> {
        let mut child = self.take(id)?;
        signal(child.id(), Signal::TERM)?;
        child.wait()?;
        Ok(())
    }

    /// Freezes a broker for `duration` (SIGSTOP, SIGCONT): its sockets stay open and nothing answers.
    ///
    /// # Errors
    /// The broker does not run.
    pub fn freeze(&self, id: i32, duration: Duration) -> Result<()> {
        self.signal(id, Signal::STOP)?;
        std::thread::sleep(duration);
        self.signal(id, Signal::CONT)
    }

    /// Starts a broker again that was killed or shut down, with its data, and waits until it serves.
    ///
    /// # Errors
    /// The broker does not come up.
    pub fn restart(&mut self, id: i32) -> Result<()> {
        self.spawn(id)?;
        self.wait_until_serving(id)
    }

    /// Leaves the brokers running; [`stop`] ends them by their pid files.
    ///
    /// # Errors
    /// A broker does not run any more.
    pub fn detach(mut self) -> Result<()> {
        self.ids().try_for_each(|id| self.take(id).map(drop))
    }

    fn prepare(&self) -> Result<()> {
        let authority = Authority::create(&self.folder)?;
        let certificate = authority.issue("broker", &["127.0.0.1", "localhost", &self.spec.upstream_host])?;
        authority.issue(GATEWAY, &[])?;
        for id in self.ids() {
            let data = self.data(id);
            fs::create_dir_all(&data)?;
            for entry in fs::read_dir(formatted(&self.jars, id)?)? {
                let entry = entry?;
                fs::copy(entry.path(), data.join(entry.file_name()))?;
            }
            let node = Node {
                id,
                ports: self.ports(id),
                controller: self.ports(1).controller(),
                brokers: self.spec.brokers,
                upstream_host: &self.spec.upstream_host,
                data: &data,
                certificate: &certificate,
                ca: &authority.ca(),
            };
            fs::write(self.node_folder(id).join("server.properties"), properties::render(&node))?;
        }
        Ok(())
    }

    fn spawn(&mut self, id: i32) -> Result<()> {
        let folder = self.node_folder(id);
        let log = File::create(folder.join("broker.log"))?;
        let mut java = self.jars.java(None);
        java.args(["-Xmx512m", "-XX:+ExitOnOutOfMemoryError", &mark(&folder)]);
        java.arg("kafka.Kafka").arg(folder.join("server.properties"));
        java.env("LOG_LEVEL", "INFO").stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        std::os::unix::process::CommandExt::process_group(&mut java, 0);
        let broker = java.spawn().context("java: cannot be started; is it installed?")?;
        fs::write(folder.join("pid"), broker.id().to_string())?;
        let guard = guard(broker.id())?;
        *self.slot(id)? = Some(Running { broker, guard });
        Ok(())
    }

    /// "Kafka Server started" is logged once the listeners take requests.
    fn wait_until_serving(&mut self, id: i32) -> Result<()> {
        let log = self.node_folder(id).join("broker.log");
        let address = self.address(id, Listener::Direct);
        wait::until(&format!("broker {id} serves ({})", log.display()), START_TIMEOUT, || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            if let Some(status) =
                self.slot(id)?.as_mut().map_or(Ok(None), |running| running.broker.try_wait())?
            {
                bail!("broker {id} ended: {status}\n{}", tail(&text));
            }
            Ok(text.contains("Kafka Server started") && TcpStream::connect(&address).is_ok())
        })
    }

    fn slot(&mut self, id: i32) -> Result<&mut Option<Running>> {
        let index = usize::try_from(id - 1).ok();
        index.and_then(|index| self.running.get_mut(index)).with_context(|| format!("no broker {id}"))
    }

    fn take(&mut self, id: i32) -> Result<Child> {
        self.slot(id)?.take().with_context(|| format!("broker {id} does not run"))?.unguarded()
    }

    fn signal(&self, id: i32, with: Signal) -> Result<()> {
        let index = usize::try_from(id - 1).ok();
        let running = index.and_then(|index| self.running.get(index)).and_then(Option::as_ref);
        signal(running.with_context(|| format!("broker {id} does not run"))?.broker.id(), with)
    }

    fn ports(&self, id: i32) -> Ports {
        Ports { base: self.base_port + PORTS_PER_BROKER * (id as u16 - 1) }
    }

    fn node_folder(&self, id: i32) -> PathBuf {
        self.folder.join(id.to_string())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let running: Vec<Running> = self.running.iter_mut().filter_map(Option::take).collect();
        if running.is_empty() {
            return;
        }
        for running in running {
            // Ending what already ended is fine, and a test that failed has more to say than this.
            if let Ok(mut broker) = running.unguarded() {
                let _ = broker.kill();
                let _ = broker.wait();
            }
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Ends the brokers that [`Cluster::detach`] left running under `name`, and removes their data.
///
/// # Errors
/// A process cannot be ended.
pub fn stop(name: &str) -> Result<()> {
    let _name = hold_name(name)?;
    end_leftovers(name)
}

/// Each by the pid in its file, after checking that the process is still that broker.
fn end_leftovers(name: &str) -> Result<()> {
    let folder = folder(name)?;
    for id in 1..=3 {
        let node = folder.join(id.to_string());
        let Ok(text) = fs::read_to_string(node.join("pid")) else { continue };
        let pid: u32 = text.trim().parse().with_context(|| format!("pid file of broker {id}: {text:?}"))?;
        let is_ours = || {
            let command_line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            command_line.split(|&byte| byte == 0).any(|argument| argument == mark(&node).as_bytes())
        };
        if !is_ours() {
            continue;
        }
        signal(pid, Signal::KILL)?;
        wait::until(&format!("end of process {pid}"), START_TIMEOUT, || Ok(!is_ours()))?;
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    Ok(())
}

/// A data folder as `StorageTool format` leaves it, made once per node id: formatting starts a JVM.
fn formatted(jars: &Jars, id: i32) -> Result<PathBuf> {
    let pom = cache::sources().join("java/pom.xml");
    cache::install(&format!("kafka-formatted-{id}"), &[&pom], |partial| {
        let settings = partial.with_extension("properties");
        let role = if id == 1 { "broker,controller" } else { "broker" };
        let controller = if id == 1 { ",CONTROLLER://127.0.0.1:19094" } else { "" };
        let text = format!(
            "process.roles={role}\nnode.id={id}\nlog.dirs={}\ncontroller.listener.names=CONTROLLER\n\
             listeners=PLAINTEXT://127.0.0.1:19092{controller}\ncontroller.quorum.voters=1@127.0.0.1:19094\n",
            partial.display()
        );
        fs::write(&settings, text)?;
        let (user, password) = SASL_USER;
        let mut format = jars.java(None);
        format.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]).arg(&settings);
        format.arg("--add-scram").arg(format!("SCRAM-SHA-256=[name={user},password={password}]"));
        let formatted = cache::run(&mut format).map(drop);
        fs::remove_file(&settings)?;
        formatted
    })
}

fn folder(name: &str) -> Result<PathBuf> {
    Ok(cache::root()?.join("clusters").join(name))
}

fn hold_name(name: &str) -> Result<Lock> {
    let file = cache::root()?.join("clusters").join(format!("{name}.lock"));
    Lock::hold(&file, &format!("the Kafka cluster {name:?}"))
}

/// A process that kills the process `pid` when its own standard input closes. It is a group of its own: what
/// interrupts the tests at a terminal must not end it, too.
fn guard(pid: u32) -> Result<Child> {
    let mut guard = Command::new("sh");
    guard.args(["-c", r#"read -r _; kill -KILL "$0""#, &pid.to_string()]).stdin(Stdio::piped());
    std::os::unix::process::CommandExt::process_group(&mut guard, 0);
    guard.spawn().context("sh: cannot be started")
}

/// Argument that names a broker's command line as ours.
fn mark(node_folder: &Path) -> String {
    format!("-Dgateway.tests.broker={}", node_folder.display())
}

fn signal(pid: u32, with: Signal) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("pid out of range")?;
    kill_process(pid, with).with_context(|| format!("signal {pid:?}"))
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(30)..).unwrap_or_default().join("\n")
}

const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qg";
/// A broker needs 3 to 5 CPU seconds to start; tests share two cores with builds.
const START_TIMEOUT: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_comes_back_with_its_data_after_a_kill() {
        let mut cluster = Cluster::start(Spec::single("cluster-test")).unwrap();
        cluster.kill(1).unwrap();
        assert!(TcpStream::connect(cluster.address(1, Listener::Direct)).is_err());
        cluster.restart(1).unwrap();
        assert!(TcpStream::connect(cluster.address(1, Listener::UpstreamTls)).is_ok());
    }

    #[test]
    fn a_guard_kills_when_its_input_closes_and_is_a_group_of_its_own() {
        let mut broker = Command::new("sleep").arg("600").spawn().unwrap();
        let mut guard = guard(broker.id()).unwrap();
        let group = rustix::process::getpgid(Pid::from_child(&guard).into()).unwrap();
        assert_ne!(group, rustix::process::getpgrp());
        drop(guard.stdin.take());
        assert!(guard.wait().unwrap().success());
        assert!(!broker.wait().unwrap().success());
    }
}
