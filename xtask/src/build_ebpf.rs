//! `cargo xtask build-ebpf`: builds the kernel program, and shows that the committed object came from its sources.
//!
//! Building takes Debian's Rust with its library sources, because rustup has none for the bpf target, and
//! bpf-linker on the same LLVM. Nobody else needs them: the object is committed, and beside it the SHA-256 of
//! everything it is made of and of itself, in the format of sha256sum(1).

use crate::command::{cargo, command, root, run};
use crate::setup::{self, Need, Probe};
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Options of `cargo xtask build-ebpf`.
#[derive(clap::Args)]
pub(crate) struct BuildEbpf {
    /// Build and compare with the committed object, byte by byte; change nothing.
    #[arg(long)]
    check: bool,
}

impl BuildEbpf {
    /// Builds the object; commits it to the tree, or compares it with what is there.
    pub(crate) fn run(self) -> Result<()> {
        if self.check { check() } else { build_and_record() }
    }
}

/// Checks that the committed object was built from the sources as they are now.
///
/// # Errors
///
/// Which lines of the record are wrong.
pub(crate) fn verify() -> Result<()> {
    let recorded = std::fs::read_to_string(root().join(RECORD)).context(RECORD)?;
    let recorded: Vec<&str> = recorded.lines().filter(|line| !line.starts_with('#')).collect();
    let actual = hashes()?;
    let changed: Vec<&str> = actual.lines().filter(|line| !recorded.contains(line)).collect();
    let gone: Vec<&&str> = recorded.iter().filter(|line| !actual.lines().any(|now| now == **line)).collect();
    if changed.is_empty() && gone.is_empty() {
        return Ok(());
    }
    bail!("{RECORD} is out of date: run `cargo xtask build-ebpf`\nis {changed:#?}\nwas {gone:#?}")
}

/// Builds the object with the toolchain of CI and compares it with the committed one.
///
/// # Errors
///
/// The object differs, or could not be built.
pub(crate) fn check() -> Result<()> {
    verify()?;
    let built = read(&build()?)?;
    let committed = read(&root().join(OBJECT))?;
    let built_with = toolchain()?;
    let recorded = std::fs::read_to_string(root().join(RECORD)).context(RECORD)?;
    let record = recorded.lines().next().unwrap_or_default();
    ensure!(
        built == committed,
        "{OBJECT} is not what its sources give: run `cargo xtask build-ebpf`\nbuilt here: {built_with}\n{record}"
    );
    Ok(())
}

/// True when this host has, or its package manager offers, the toolchain that builds the object.
pub(crate) fn is_buildable() -> bool {
    let offers = || Command::new("apt-cache").args(["show", "rust-web-src", "llvm-22-dev"]).output();
    Path::new(LIBRARY_SOURCES).exists() || offers().is_ok_and(|answer| answer.status.success())
}

fn build_and_record() -> Result<()> {
    let built = build()?;
    let object = root().join(OBJECT);
    std::fs::copy(&built, &object).with_context(|| format!("cannot write {OBJECT}"))?;
    let record = format!("# Built by `cargo xtask build-ebpf` with {}.\n{}", toolchain()?, hashes()?);
    std::fs::write(root().join(RECORD), record).with_context(|| format!("cannot write {RECORD}"))
}

/// Builds the program and returns the path of the object.
fn build() -> Result<PathBuf> {
    setup::packages(&[&setup::C_COMPILER, &BPF_RUST, &BPF_LLVM])?;
    let linker = bpf_linker()?;
    let mut build = Command::new("/usr/bin/cargo");
    build.args(["build", "--quiet", "--release", "--locked", "--target-dir", "target"]);
    build.current_dir(root().join(PROGRAM));
    // `build-std` is unstable; Debian's compiler is a stable one, so it has to be told.
    build
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("PATH", path_with(&linker.join("bin"))?);
    for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "CARGO_BUILD_TARGET"] {
        build.env_remove(variable);
    }
    run(&mut build)?;
    Ok(root().join(PROGRAM).join("target/bpfel-unknown-none/release/steer"))
}

/// Installs bpf-linker once, outside the repository, and returns its installation root.
fn bpf_linker() -> Result<PathBuf> {
    let home = cache_root()?.join(format!("bpf-linker-{LINKER_VERSION}"));
    if home.join("bin/bpf-linker").exists() {
        return Ok(home);
    }
    eprintln!("set-up: installing bpf-linker {LINKER_VERSION}: links the kernel program (two minutes)");
    let mut install = cargo(&["install", "--quiet", "bpf-linker", "--version", LINKER_VERSION, "--locked"]);
    install.args(["--no-default-features", "--features", "llvm-22", "--root"]).arg(&home);
    install.env("LLVM_PREFIX", LLVM).env("PATH", path_with(&Path::new(LLVM).join("bin"))?);
    run(install.env_remove("CARGO_TARGET_DIR"))?;
    Ok(home)
}

/// `$XDG_CACHE_HOME/gateway-build`, or the same under `~/.cache`.
fn cache_root() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    Ok(base.join("gateway-build"))
}

/// The `PATH` with `first` in front.
fn path_with(first: &Path) -> Result<std::ffi::OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let entries = std::iter::once(first.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(entries).context("PATH")
}

/// What builds the object, for the record and for whoever has to explain a difference.
fn toolchain() -> Result<String> {
    let rustc = output(Command::new("/usr/bin/rustc").arg("--version"))?;
    let llvm = output(Command::new(format!("{LLVM}/bin/llvm-config")).arg("--version"))?;
    Ok(format!("{}, LLVM {}, bpf-linker {LINKER_VERSION}", rustc.trim(), llvm.trim()))
}

/// SHA-256 of everything that the object is made of, and of the object itself, one line each, by path.
fn hashes() -> Result<String> {
    let mut files: Vec<PathBuf> = FILES.iter().map(PathBuf::from).collect();
    for directory in SOURCES {
        collect(Path::new(directory), &mut files)?;
    }
    files.sort();
    output(command("sha256sum", &["--"]).args(files))
}

/// Adds the files below `directory`, relative to the root.
fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(root().join(directory)).with_context(|| directory.display().to_string())? {
        let entry = entry?;
        let path = directory.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => collect(&path, files)?,
            false => files.push(path),
        }
    }
    Ok(())
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {:?}", command.get_program()))?;
    ensure!(output.status.success(), "{:?}: {}", command, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).context("output is not text")
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| path.display().to_string())
}

/// The program's package, outside the workspace.
const PROGRAM: &str = "gateway-ebpf";

/// The committed object, embedded into the gateway.
const OBJECT: &str = "gateway-ebpf/object/steer.o";

/// What the object was built from.
const RECORD: &str = "gateway-ebpf/object/steer.sha256";

/// Single files that the object depends on, and the object.
const FILES: &[&str] = &[
    "gateway-ebpf/.cargo/config.toml",
    "gateway-ebpf/Cargo.lock",
    "gateway-ebpf/Cargo.toml",
    "gateway-ebpf/common/Cargo.toml",
    OBJECT,
];

/// Directories whose every file the object depends on.
const SOURCES: &[&str] = &["gateway-ebpf/common/src", "gateway-ebpf/src"];

/// Version of bpf-linker; it must speak the LLVM of the compiler.
const LINKER_VERSION: &str = "0.13.0";

/// Where Debian puts the LLVM that bpf-linker is built on.
const LLVM: &str = "/usr/lib/llvm-22";

/// Rust's library sources, for a target that no toolchain ships a library for.
const LIBRARY_SOURCES: &str = "/usr/lib/rustlib/src/rust/library/core";

const BPF_RUST: Need = Need {
    probe: Probe::Package("rust-web-src"),
    packages: &["rustc-web", "rust-web-src", "cargo-web"],
    why: "compiles the kernel program, with the library sources that its target needs",
};

const BPF_LLVM: Need = Need {
    probe: Probe::Package("llvm-22-dev"),
    packages: &["llvm-22-dev", "libpolly-22-dev"],
    why: "builds bpf-linker, on the same LLVM as that compiler",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_object_belongs_to_these_sources() {
        verify().expect("the record beside the object matches");
    }
}
