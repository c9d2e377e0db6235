//! `cargo xtask test`: every check of CI, in CI's order, each with its time.

use crate::command::{cargo, run};
use crate::{build_ebpf, demo, fuzz, setup, tidy};
use anyhow::{Context, Result};
use std::time::Instant;

/// Options of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Test {}

/// One check: what it is called, and what runs it.
type Step = (&'static str, fn() -> Result<()>);

/// The checks, cheap ones first.
const STEPS: &[Step] = &[
    ("set-up", set_up),
    ("format", || run(&mut cargo(&["fmt", "--check"]))),
    ("tidy", tidy::run),
    ("clippy", || run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))),
    ("tests", || run(&mut cargo(&["test", "--workspace"]))),
    ("kernel object", kernel_object),
    ("documentation", documentation),
    ("fuzz", fuzz::smoke),
    ("demo", demo::once),
];

impl Test {
    /// Runs all steps; the first that fails ends the run.
    pub(crate) fn run(self) -> Result<()> {
        let mut times = Vec::new();
        for (name, step) in STEPS {
            eprintln!("==> {name}");
            let started = Instant::now();
            step().with_context(|| format!("step `{name}` failed"))?;
            times.push((name, started.elapsed()));
        }
        for (name, time) in times {
            eprintln!("{:>8.1} s  {name}", time.as_secs_f64());
        }
        Ok(())
    }
}

/// Everything that the other steps call.
fn set_up() -> Result<()> {
    let needs = [
        &setup::KCAT,
        &setup::JAVA,
        &setup::MAVEN,
        &setup::GO,
        &setup::NODE,
        &setup::PYTHON,
        &setup::IPROUTE,
    ];
    setup::packages(&[setup::BUILD, &needs].concat())
}

/// The committed kernel object is what its sources give, where its toolchain can be had.
fn kernel_object() -> Result<()> {
    if build_ebpf::is_buildable() || std::env::var("CI").as_deref() == Ok("true") {
        return build_ebpf::check();
    }
    eprintln!("not rebuilt: this host has no rust-web-src and llvm-22-dev; its sources' hashes were checked");
    build_ebpf::verify()
}

/// The documentation builds without a broken link; private items are part of it, so links to them are fine.
fn documentation() -> Result<()> {
    let arguments = ["doc", "--workspace", "--no-deps", "--document-private-items"];
    run(cargo(&arguments).env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links"))
}
