//! `cargo xtask`: everything that is done with this repository besides using the gateway.
//!
//! One file per subcommand. `cargo xtask demo` shows the product; `cargo xtask test` is the whole of CI.

mod bench;
mod build_ebpf;
mod command;
mod demo;
mod fuzz;
mod kafka;
mod setup;
mod test;
mod tidy;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Demo, checks and builds of this repository")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the gateway and show it at work between a telemetry producer and a broker.
    Demo(demo::Demo),
    /// Run every check of CI, in CI's order.
    Test(test::Test),
    /// Check the rules of the house that a command can check.
    Tidy,
    /// Measure the gateway's CPU time per payload byte, that of its engine, or the memory of idle connections.
    Bench(bench::Bench),
    /// Run every fuzz target for a few seconds, from the committed corpus.
    Fuzz,
    /// Start and stop a real Apache Kafka, or capture the frames of real clients.
    Kafka(kafka::Kafka),
    /// Build the kernel program that steers connections, or check the committed one.
    BuildEbpf(build_ebpf::BuildEbpf),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Demo(demo) => demo.run(),
        Task::Test(test) => test.run(),
        Task::Tidy => tidy::run(),
        Task::Bench(bench) => bench.run(),
        Task::Fuzz => fuzz::smoke(),
        Task::Kafka(kafka) => kafka.run(),
        Task::BuildEbpf(build) => build.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
