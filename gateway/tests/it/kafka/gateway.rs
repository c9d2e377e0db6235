//! A gateway process in front of a cluster.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use bench_harness::kafka::tap::Tap;
use bench_harness::kafka::{Authority, Certificate, Cluster, Listener, wait};
use bench_harness::ports::free_ports;
use rustix::process::geteuid;

use crate::observe;

/// What differs between the gateways of the tests.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// Names the folder, with the driver.
    pub(super) name: &'static str,
    /// `io_uring` or `epoll`.
    pub(super) io: &'static str,
    /// The policy file.
    pub(super) policy: PathBuf,
    /// The cluster's listener that it uses.
    pub(super) upstream: Listener,
    /// `/etc/hosts` as the gateway alone sees it, where the upstream advertises a name that nobody else knows.
    pub(super) hosts: Option<String>,
    /// Where clients are told to find every broker; the gateway itself listens on 127.0.0.1.
    pub(super) advertised_host: &'static str,
    /// Whether clients of the TLS listener must show a certificate of the gateway's authority.
    pub(super) client_certificates: bool,
}

impl Settings {
    /// Settings that resolve names as everyone does.
    pub(super) fn new(name: &'static str, io: &'static str, policy: PathBuf, upstream: Listener) -> Self {
        let advertised_host = "127.0.0.1";
        Self { name, io, policy, upstream, hosts: None, advertised_host, client_certificates: false }
    }
}

/// A running gateway with a plain and a TLS listener; dropping it kills the process.
pub(super) struct Gateway {
    child: Child,
    folder: PathBuf,
    ports: u16,
    settings: Settings,
    authority: Authority,
}

impl Gateway {
    /// Starts the process and waits until it is ready.
    pub(super) fn start(settings: &Settings, cluster: &Cluster) -> Self {
        let name = format!("gateway-it-{}-{}-{}", settings.name, settings.io, std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("state")).unwrap();
        let ports = free_ports(PORTS).unwrap();
        let authority = Authority::create(&folder).unwrap();
        let text = configuration(settings, cluster, &authority, &folder, ports);
        fs::write(folder.join("gateway.toml"), text).unwrap();
        let log = File::create(folder.join("gateway.log")).unwrap();
        let mut command = program(&folder, settings.hosts.as_deref());
        command.args(["run", "--config"]).arg(folder.join("gateway.toml"));
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        let mut gateway = Self { child, folder, ports, settings: settings.clone(), authority };
        gateway.wait_until_ready();
        gateway
    }

    /// Bootstrap address of clients without TLS.
    pub(super) fn plain(&self) -> String {
        format!("{}:{}", self.settings.advertised_host, self.ports + PLAIN)
    }

    /// Bootstrap address of clients with TLS.
    pub(super) fn tls(&self) -> String {
        format!("127.0.0.1:{}", self.ports + TLS)
    }

    /// Its driver, `io_uring` or `epoll`.
    pub(super) fn io(&self) -> &'static str {
        self.settings.io
    }

    /// Taps on every port of the plain listener, where `advertised_host` is not where the gateway listens.
    pub(super) fn taps(&self) -> Vec<Tap> {
        let ports = [self.ports + PLAIN].into_iter().chain((1..=3).map(|id| self.broker_port(id)));
        let tap = |port| {
            Tap::start(&format!("{}:{port}", self.settings.advertised_host), &format!("127.0.0.1:{port}"))
        };
        ports.map(|port| tap(port).unwrap()).collect()
    }

    /// The reasons for which it has refused something, with how often.
    pub(super) fn refusals(&self) -> Vec<String> {
        observe::refusals(self.admin()).unwrap()
    }

    /// Port of the plain listener at which broker `id` is reached.
    pub(super) fn broker_port(&self, id: u16) -> u16 {
        self.ports + PLAIN_BROKERS + id
    }

    /// The authority of the TLS listener, PEM.
    pub(super) fn ca(&self) -> PathBuf {
        self.authority.ca()
    }

    /// A client's certificate and key, one PEM file, by the authority of the TLS listener.
    pub(super) fn client_certificate(&self, name: &str) -> PathBuf {
        self.authority.issue(name, &[]).unwrap().both
    }

    /// What it logged so far.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap()
    }

    /// Its metrics.
    pub(super) fn metrics(&self) -> String {
        observe::page(self.admin(), "/metrics").unwrap()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("gateway.log")
    }

    fn admin(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports + ADMIN).into()
    }

    fn wait_until_ready(&mut self) {
        let ready = wait::until("the gateway is ready", READY_TIMEOUT, || {
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("the gateway ended: {status}");
            }
            Ok(observe::page(self.admin(), "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")))
        });
        ready.unwrap();
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", observe::last_words(self.admin(), &self.log_file()));
            eprintln!("---- all of its log: {}", self.log_file().display());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// The configuration file, and the certificate that it names.
fn configuration(
    settings: &Settings,
    cluster: &Cluster,
    authority: &Authority,
    folder: &Path,
    ports: u16,
) -> String {
    let upstream: Vec<String> = cluster.bootstrap(settings.upstream).split(',').map(str::to_owned).collect();
    let mut text = format!(
        "state_dir = {:?}\npolicy = {:?}\n[workers]\ncount = 2\nio = {:?}\n[admin]\nbind = \"127.0.0.1:{}\"\n",
        folder.join("state"),
        settings.policy,
        settings.io,
        ports + ADMIN
    );
    for (name, bind, base) in [("plain", PLAIN, PLAIN_BROKERS), ("tls", TLS, TLS_BROKERS)] {
        let _ = write!(
            text,
            "[[listener]]\nname = {name:?}\nprotocol = \"kafka\"\nbind = \"127.0.0.1:{}\"\n\
             advertised_host = {:?}\nbroker_port_base = {}\nbrokers = \"1..3\"\nupstream = {upstream:?}\n",
            ports + bind,
            settings.advertised_host,
            ports + base
        );
        if name == "tls" {
            text += &downstream_tls(settings, authority);
        }
        text += &upstream_tls(settings.upstream, cluster);
    }
    text
}

fn downstream_tls(settings: &Settings, authority: &Authority) -> String {
    let Certificate { certificate, key, .. } = authority.issue("gateway", &["127.0.0.1"]).unwrap();
    let mut text = format!("[listener.tls]\ncertificate = {certificate:?}\nkey = {key:?}\n");
    if settings.client_certificates {
        let _ = writeln!(text, "client_ca = {:?}", authority.ca());
    }
    text
}

fn upstream_tls(upstream: Listener, cluster: &Cluster) -> String {
    let authority = format!("[listener.upstream_tls]\nca = {:?}\n", cluster.ca());
    let Certificate { certificate, key, .. } = cluster.gateway_certificate();
    match upstream {
        Listener::UpstreamTls => authority,
        Listener::UpstreamMutualTls => {
            format!("{authority}certificate = {certificate:?}\nkey = {key:?}\n")
        }
        Listener::Direct | Listener::Upstream | Listener::UpstreamSasl => String::new(),
    }
}

/// The gateway's command; with `hosts`, in a mount namespace of its own in which that is `/etc/hosts`.
fn program(folder: &Path, hosts: Option<&str>) -> Command {
    let gateway = env!("CARGO_BIN_EXE_gateway");
    let Some(hosts) = hosts else { return Command::new(gateway) };
    let file = folder.join("hosts");
    fs::write(&file, hosts).unwrap();
    let mut command = Command::new("unshare");
    if !geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--mount", "sh", "-c", r#"mount --bind "$0" /etc/hosts && exec "$@""#]);
    command.arg(file).arg(gateway);
    command
}

/// The drivers of the gateway's workers.
pub(super) const DRIVERS: [&str; 2] = ["io_uring", "epoll"];

/// The driver where a test runs on one of them: `GATEWAY_IO=epoll` repeats these tests on the other.
pub(super) fn driver() -> &'static str {
    match std::env::var("GATEWAY_IO").as_deref() {
        Ok("epoll") => "epoll",
        Ok(other) if other != "io_uring" => panic!("GATEWAY_IO is io_uring or epoll, not {other}"),
        _ => "io_uring",
    }
}

/// Ports of one gateway, from the first: two bootstrap ports, the admin endpoint, and for each listener the
/// ports of the brokers 1 to 3 (base + node id).
const PLAIN: u16 = 0;
const TLS: u16 = 1;
const ADMIN: u16 = 2;
const PLAIN_BROKERS: u16 = 3;
const TLS_BROKERS: u16 = 7;
const PORTS: u16 = 11;

const READY_TIMEOUT: Duration = Duration::from_secs(60);
