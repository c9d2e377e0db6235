//! This machine: its cores, the CPU time of its threads, and how busy it is.

use anyhow::{Context, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// CPU time of the thread with this directory in `/proc`, from the scheduler's own counters.
///
/// # Errors
///
/// When the thread has ended.
pub fn cpu_time(task: &Path) -> Result<Duration> {
    let counters = fs::read_to_string(task.join("schedstat"))?;
    let first = counters.split(' ').next().context("empty schedstat")?;
    Ok(Duration::from_nanos(first.parse()?))
}

/// CPU time of this thread, to the nanosecond.
pub fn own_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("the CPU time of a thread is never negative")
}

/// The cores that this thread may run on.
///
/// # Errors
///
/// When the kernel does not say.
pub fn cores() -> Result<Vec<usize>> {
    let allowed = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect())
}

/// Keeps this thread, and what it starts from now on, to these cores.
///
/// # Errors
///
/// When none of them is there.
pub fn pin(cores: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    Ok(sched_setaffinity(None, &set)?)
}

/// What a measurement must be read with: date, commit, processor, kernel and how busy the machine is.
pub fn describe() -> String {
    let first_line = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        output.map_or_else(
            |_| "unknown".to_owned(),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
    };
    let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = file("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let pressure = file("/proc/pressure/cpu");
    [
        format!("date      {}", first_line("date", &["-u", "+%Y-%m-%d %H:%M:%S UTC"])),
        format!("commit    {}", first_line("git", &["describe", "--always", "--dirty"])),
        format!(
            "processor {}, {} cores",
            model.trim_start_matches([':', ' ', '\t']),
            cores().map_or(0, |all| all.len())
        ),
        format!("kernel    {}", file("/proc/sys/kernel/osrelease").trim()),
        format!("load      {}", file("/proc/loadavg").trim()),
        format!("pressure  {}", pressure.lines().next().unwrap_or("unknown")),
    ]
    .join("\n")
}
