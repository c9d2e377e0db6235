//! The `bench-harness` command: the demo, and the benchmarks of the whole gateway.

mod bench;
mod demo;
mod idle;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "bench-harness", about = "Demo and benchmark of the gateway; started by `cargo xtask`")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Show the gateway at work between a telemetry producer and a broker.
    Demo(demo::Demo),
    /// Measure the gateway's CPU time per payload byte beside a plain relay.
    Bench(bench::Bench),
    /// Measure the memory of idle connections while others work.
    Idle(idle::Idle),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Demo(demo) => demo.run(),
        Task::Bench(bench) => bench.run(),
        Task::Idle(idle) => idle.run(),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench-harness: {error:#}");
            ExitCode::FAILURE
        }
    }
}
