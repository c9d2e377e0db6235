//! Installs what the host lacks: Debian packages, each with the reason it is wanted.
//!
//! Nothing is printed or touched when everything is there.

use crate::command::{command, run};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::{Command, Stdio};

/// Something that must be on the host.
pub(crate) struct Need {
    /// How to tell that it is there.
    pub(crate) probe: Probe,
    /// Debian packages that bring it.
    pub(crate) packages: &'static [&'static str],
    /// What it is for, as the user reads it.
    pub(crate) why: &'static str,
}

/// How to tell that a need is met.
pub(crate) enum Probe {
    /// A command on the `PATH`.
    Command(&'static str),
    /// A Debian package, where another one could pretend to be it.
    Package(&'static str),
    /// A module of Python's, which Debian ships apart from the interpreter.
    PythonModule(&'static str),
}

/// A C compiler: Hyperscan's C++ runtime, zstd and aws-lc are linked into the gateway.
pub(crate) const C_COMPILER: Need = Need {
    probe: Probe::Command("c++"),
    packages: &["build-essential"],
    why: "compiles the C parts (zstd, TLS) and links the gateway",
};

/// The multi-pattern engine.
pub(crate) const HYPERSCAN: Need = Need {
    probe: Probe::Package("libhyperscan-dev"),
    packages: &["libhyperscan-dev"],
    why: "the pattern engine that scans every record",
};

/// A librdkafka client for the command line.
pub(crate) const KCAT: Need = Need {
    probe: Probe::Command("kcat"),
    packages: &["kcat"],
    why: "a stock Kafka client that the tests produce and consume with",
};

/// Java, for the real broker and the Java clients of the tests.
pub(crate) const JAVA: Need = Need {
    probe: Probe::Command("javac"),
    packages: &["default-jdk-headless"],
    why: "runs Apache Kafka and its Java clients in the tests",
};

/// Maven, which fetches Kafka's jars.
pub(crate) const MAVEN: Need = Need {
    probe: Probe::Command("mvn"),
    packages: &["maven"],
    why: "fetches Apache Kafka's jars for the tests",
};

/// Go, for two client families.
pub(crate) const GO: Need = Need {
    probe: Probe::Command("go"),
    packages: &["golang"],
    why: "builds the franz-go and sarama clients",
};

/// Node.js, for one client family.
pub(crate) const NODE: Need =
    Need { probe: Probe::Command("npm"), packages: &["nodejs", "npm"], why: "runs the kafkajs client" };

/// Python, for two client families.
pub(crate) const PYTHON: Need = Need {
    probe: Probe::PythonModule("ensurepip"),
    packages: &["python3", "python3-venv"],
    why: "runs the confluent-kafka and aiokafka clients",
};

/// Network namespaces for the tests of steering.
pub(crate) const IPROUTE: Need = Need {
    probe: Probe::Package("iproute2"),
    packages: &["iproute2"],
    why: "makes the network namespaces that the steering tests run in",
};

/// What the gateway itself is built with.
pub(crate) const BUILD: &[&Need] = &[&C_COMPILER, &HYPERSCAN];

/// Installs the Debian packages of the needs that are not met, as root or through sudo.
///
/// # Errors
///
/// When something is missing and cannot be installed.
pub(crate) fn packages(needs: &[&Need]) -> Result<()> {
    let missing: Vec<&Need> = needs.iter().copied().filter(|need| !need.is_met()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for need in &missing {
        eprintln!("set-up: installing {}: {}", need.packages.join(" "), need.why);
    }
    if !on_path("apt-get") {
        bail!("this host has no apt-get: install the packages above (named as in Debian) by hand");
    }
    let names: Vec<&str> = missing.iter().flat_map(|need| need.packages).copied().collect();
    install(&names)?;
    if missing.iter().any(|need| std::ptr::eq(*need, &HYPERSCAN)) {
        hold_hyperscan()?;
    }
    Ok(())
}

impl Need {
    fn is_met(&self) -> bool {
        match self.probe {
            Probe::Command(name) => on_path(name),
            Probe::Package(name) => installed(name),
            Probe::PythonModule(name) => has_python_module(name),
        }
    }
}

/// Installs `names`, refreshing the package lists first: a bare machine has none.
fn install(names: &[&str]) -> Result<()> {
    // The trailing minus keeps apt from choosing Vectorscan, which claims to be Hyperscan and misses matches.
    let unwanted: &[&str] = if names.contains(&"libhyperscan-dev") { &["libvectorscan-dev-"] } else { &[] };
    let options = ["install", "--yes", "--no-install-recommends", "-qq"];
    as_root("apt-get", &["update", "-qq"]).context("cannot refresh the package lists")?;
    as_root("apt-get", &[&options, names, unwanted].concat()).context("cannot install the packages")
}

/// Keeps a later installation from replacing Hyperscan by Vectorscan, whose packages have the same soname.
fn hold_hyperscan() -> Result<()> {
    as_root("apt-mark", &["hold", "libhyperscan-dev", "libhyperscan5"])
}

/// Runs `program` as root: directly, or through sudo.
pub(crate) fn as_root(program: &str, arguments: &[&str]) -> Result<()> {
    let mut elevated = if is_root() {
        command(program, arguments)
    } else if on_path("sudo") {
        command("sudo", &[&["--", "env", "DEBIAN_FRONTEND=noninteractive", program], arguments].concat())
    } else {
        bail!("`{program} {}` needs root, and there is no sudo", arguments.join(" "));
    };
    run(elevated.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null()))
}

/// True when this process runs as root.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// True when `name` is an executable on the `PATH`.
pub(crate) fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| is_executable(&directory.join(name)))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// True when dpkg knows the package as installed.
fn installed(package: &str) -> bool {
    let query = Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status}", package]).output();
    query.is_ok_and(|answer| answer.stdout == b"installed")
}

/// True when `python3` is there and can import the module.
fn has_python_module(name: &str) -> bool {
    let import =
        Command::new("python3").args(["-c", &format!("import {name}")]).stderr(Stdio::null()).status();
    import.is_ok_and(|status| status.success())
}
