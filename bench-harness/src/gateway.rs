//! A gateway process between a client and an upstream: configuration, start, readiness, CPU time, end.

use crate::host;
use crate::ports::free_ports;
use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What a gateway is started with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The `gateway` program.
    pub program: PathBuf,
    /// The policy file.
    pub policy: PathBuf,
    /// Bootstrap address of the upstream, `host:port`.
    pub upstream: String,
    /// False relays records without a look at them.
    pub inspection: bool,
    /// Driver of the workers, `io_uring` or `epoll`.
    pub io: &'static str,
    /// Number of workers; `None` leaves it to the gateway.
    pub workers: Option<usize>,
}

/// A running gateway; dropping it kills it.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    bootstrap: SocketAddr,
    admin: SocketAddr,
    directory: PathBuf,
}

/// Node ids that get a port: those of any small cluster.
const NODE_IDS: u16 = 32;

/// Time a gateway may take until it is ready, and to drain.
const PATIENCE: Duration = Duration::from_secs(30);

impl Gateway {
    /// Writes a configuration into a directory of its own, starts the gateway and waits until it is ready.
    ///
    /// # Errors
    ///
    /// When it does not become ready; the message ends with the last lines of its log.
    pub fn start(setup: &Setup) -> Result<Self> {
        let ports = free_ports(NODE_IDS + 2)?;
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (bootstrap, admin) = (local(ports), local(ports + 1));
        let directory = std::env::temp_dir().join(format!("gateway-{}-{ports}", std::process::id()));
        fs::create_dir_all(directory.join("state"))?;
        let config = directory.join("gateway.toml");
        fs::write(&config, configuration(setup, &directory, bootstrap, admin, ports + 2)?)?;
        let log = fs::File::create(directory.join("log"))?;
        let child = Command::new(&setup.program)
            .arg("run")
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // A Ctrl-C at the terminal is for this program, which then ends the gateway in good order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", setup.program.display()))?;
        let mut gateway = Self { child, bootstrap, admin, directory };
        gateway.wait_until_ready()?;
        Ok(gateway)
    }

    /// Where clients connect.
    pub fn bootstrap(&self) -> SocketAddr {
        self.bootstrap
    }

    /// Body of a page of the administrative endpoint, `/metrics` for example.
    ///
    /// # Errors
    ///
    /// When the page cannot be had.
    pub fn page(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.admin)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
        let status = head.lines().next().unwrap_or_default();
        ensure!(status.contains(" 200 "), "{path}: {status}: {body}");
        Ok(body.to_owned())
    }

    /// CPU time of all threads since their start, from the scheduler's own counters.
    ///
    /// # Errors
    ///
    /// When the process has ended.
    pub fn cpu_time(&self) -> Result<Duration> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id()))?;
        tasks.map(|task| host::cpu_time(&task?.path())).sum::<Result<Duration>>()
    }

    /// Resident memory in KiB.
    ///
    /// # Errors
    ///
    /// When the process has ended.
    pub fn resident_kib(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// Sends it a signal.
    ///
    /// # Errors
    ///
    /// When the process has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(self.pid()?, signal)?)
    }

    /// Tells it to drain and waits for its end.
    ///
    /// # Errors
    ///
    /// When it does not end in time.
    pub fn stop(mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(POLL);
        }
        bail!("the gateway has not drained after {PATIENCE:?}\n{}", self.log_tail())
    }

    /// Everything that it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    fn pid(&self) -> Result<Pid> {
        Pid::from_raw(i32::try_from(self.child.id())?).context("pid 0")
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the gateway has ended: {status}\n{}", self.log_tail());
            }
            match self.page("/readyz") {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline => {
                    bail!("the gateway is not ready after {PATIENCE:?}: {error:#}\n{}", self.log_tail())
                }
                Err(_) => std::thread::sleep(POLL),
            }
        }
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

/// Time between two looks at a process.
const POLL: Duration = Duration::from_millis(20);

impl Drop for Gateway {
    fn drop(&mut self) {
        // Errors mean that it has ended or that its directory is gone: what was wanted.
        self.child.kill().ok();
        self.child.wait().ok();
        fs::remove_dir_all(&self.directory).ok();
    }
}

/// The configuration file.
fn configuration(
    setup: &Setup,
    directory: &Path,
    bootstrap: SocketAddr,
    admin: SocketAddr,
    broker_port_base: u16,
) -> Result<String> {
    let mut file = String::new();
    writeln!(file, "state_dir = {:?}", directory.join("state"))?;
    // Relative paths in the file would start at its own directory.
    writeln!(file, "policy = {:?}", fs::canonicalize(&setup.policy).context("the policy file")?)?;
    writeln!(file, "\n[workers]\nio = {:?}", setup.io)?;
    if let Some(workers) = setup.workers {
        writeln!(file, "count = {workers}")?;
    }
    writeln!(file, "\n[admin]\nbind = \"{admin}\"")?;
    writeln!(file, "\n[[listener]]\nname = \"telemetry\"\nprotocol = \"kafka\"\nbind = \"{bootstrap}\"")?;
    writeln!(file, "advertised_host = \"{}\"\nbroker_port_base = {broker_port_base}", bootstrap.ip())?;
    writeln!(file, "brokers = \"0..{}\"\nupstream = [{:?}]", NODE_IDS - 1, setup.upstream)?;
    writeln!(file, "inspection = \"{}\"", if setup.inspection { "on" } else { "off" })?;
    Ok(file)
}
