//! What scanning and masking cost, and what naive scanners and a plain copy cost with the same records, one core:
//! `cargo xtask bench --classify`.
//!
//! Arms and cases take turns, forwards and backwards, so that whatever else the machine does strikes all alike; what
//! counts is the CPU time of this thread. Before the clock starts, what the engine finds and masks is compared
//! with what was planted and with its slow twin ([`gateway::classify::explain`]), and the naive arms with each other.

mod arms;
#[path = "../../src/classify/hyperscan.rs"]
#[expect(dead_code, unsafe_code, reason = "the engine's binding of a C library, of which this needs less")]
mod hyperscan;
mod proof;
mod texts;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use arms::{Arm, Arms};
use bench_harness::host;
use bench_harness::record::{self, median};
use clap::Parser;
use gateway::policy::{Keys, Policy};
use texts::{Case, Goal};

/// Options of the benchmark.
#[derive(Parser)]
#[command(name = "classify")]
struct Options {
    /// Turns of each arm on each case.
    #[arg(long, default_value_t = 11)]
    rounds: usize,
    /// Milliseconds of a turn.
    #[arg(long, default_value_t = 20)]
    milliseconds: u64,
    /// Only cases whose name contains this, beside the first.
    #[arg(long, value_name = "PART", default_value = "")]
    case: String,
    /// Only the engine.
    #[arg(long)]
    engine: bool,
    /// Write the result, with all samples, into this folder.
    #[arg(long, value_name = "FOLDER")]
    record: Option<PathBuf>,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

/// One arm on one case.
struct Line<'c> {
    case: &'c Case,
    arm: Arm,
    /// Times that a turn goes over the case.
    passes: u32,
    /// CPU nanoseconds per byte, turn by turn.
    costs: Vec<f64>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    // Cargo starts benchmarks in the directory of their package.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the package has no parent")?;
    std::env::set_current_dir(root)?;
    let machine = host::describe();
    host::pin(host::cores()?.last().map_or(&[], std::slice::from_ref))?;

    let source = std::fs::read_to_string("policies/default.toml")?;
    let (policy, larger) = (compile(&source)?, compile(&with_literals(&source))?);
    let mut arms = [Arms::new(&policy)?, Arms::new(&larger)?];
    let mut cases = texts::cases();
    let mut position = 0..;
    cases.retain(|case| position.next() == Some(0) || case.name.contains(&options.case));
    let mut lines = Vec::new();
    for case in &cases {
        let arms = &mut arms[usize::from(case.has_literals)];
        proof::prove(arms, if case.has_literals { &larger } else { &policy }, case)
            .with_context(|| format!("case `{}`", case.name))?;
        let wanted = Arm::ALL.into_iter().filter(|arm| *arm == Arm::Engine || !options.engine);
        for arm in wanted {
            lines.push(Line::new(arms, arm, case, Duration::from_millis(options.milliseconds))?);
        }
    }
    let mut order: Vec<usize> = (0..lines.len()).collect();
    for _ in 0..options.rounds {
        for index in &order {
            let line = &mut lines[*index];
            line.turn(&mut arms[usize::from(line.case.has_literals)])?;
        }
        order.reverse();
    }

    let report = format!(
        "{machine}\ndetectors {}, {} turns of {} ms\n\n{}",
        policy.detectors().count(),
        options.rounds,
        options.milliseconds,
        table(&cases, &lines)?
    );
    println!("{report}");
    options
        .record
        .as_deref()
        .map_or(Ok(()), |folder| record::keep(folder, "classify", &with_samples(report, &lines)))
}

fn compile(source: &str) -> Result<Policy> {
    let mistakes = |mistakes: Vec<_>| anyhow!("policies/default.toml: {mistakes:?}");
    Policy::compile(Path::new("policies/default.toml"), source, &Keys::StandIn, 0).map_err(mistakes)
}

/// The policy with 500 detectors more: half of them a word of its own, half a prefix before six digits.
fn with_literals(source: &str) -> String {
    let mut random = bench_harness::telemetry::Random::new(5);
    let mut more = source.to_owned();
    for index in 0..500 {
        let word = random.text("bcdfghjklmnpqrstvwxz", 6);
        let pattern =
            if index % 2 == 0 { format!("prj-{word}") } else { format!("{}-\\d{{6}}", word.to_uppercase()) };
        more.push_str(&format!("\n[[detector]]\nid = \"own_{index}\"\npattern = '{pattern}'\n"));
    }
    more + "\n[[rule]]\nid = \"own\"\ndetectors = [\"custom/*\"]\nlevel = \"internal\"\nmask = { operator = \"redact\" }\n"
}

impl<'c> Line<'c> {
    /// Goes over the case once, to warm up and to see how often that fits into a turn.
    fn new(arms: &mut Arms<'_>, arm: Arm, case: &'c Case, turn: Duration) -> Result<Self> {
        let mut line = Self { case, arm, passes: 1, costs: Vec::new() };
        line.turn(arms)?;
        let pass = line.costs.drain(..).sum::<f64>() * case.bytes() as f64;
        line.passes = (turn.as_nanos() as f64 / pass).ceil() as u32;
        Ok(line)
    }

    fn turn(&mut self, arms: &mut Arms<'_>) -> Result<()> {
        let before = host::own_cpu_time();
        for _ in 0..self.passes {
            self.case.batches.iter().try_for_each(|batch| arms.run(self.arm, batch))?;
        }
        let spent = host::own_cpu_time() - before;
        self.costs.push(spent.as_nanos() as f64 / (self.case.bytes() as f64 * f64::from(self.passes)));
        Ok(())
    }

    fn is(&self, case: &Case, arm: Arm) -> bool {
        std::ptr::eq(self.case, case) && self.arm == arm
    }
}

/// The median of how many times `dear` costs what `cheap` costs, both in the same round.
fn times(dear: &Line<'_>, cheap: &Line<'_>) -> f64 {
    median(dear.costs.iter().zip(&cheap.costs).map(|(dear, cheap)| dear / cheap))
}

/// CPU nanoseconds per byte of every arm, case by case, and what the engine is held against.
fn table(cases: &[Case], lines: &[Line<'_>]) -> Result<String> {
    let line = |case: &Case, arm| lines.iter().find(|line| line.is(case, arm));
    let first = line(&cases[0], Arm::Engine).context("no engine")?;
    let mut table = format!("{:<28}", "CPU ns/B");
    Arm::ALL.iter().try_for_each(|arm| write!(table, "{:>11}", format!("{arm:?}")))?;
    writeln!(table, "{:>12}{:>9}  goal", "x Hyperscan", "x first")?;
    for case in cases {
        let engine = line(case, Arm::Engine).context("no engine")?;
        write!(table, "{:<28}", case.name)?;
        for arm in Arm::ALL {
            let cost = line(case, arm).map(|line| median(line.costs.iter().copied()));
            write!(table, "{:>11}", cost.map_or("-".to_owned(), |cost| format!("{cost:.3}")))?;
        }
        let faster = line(case, Arm::Hyperscan).map_or(f64::NAN, |naive| times(naive, engine));
        let slower = times(engine, first);
        let goal = match case.goal {
            Goal::TimesHyperscan(least) => format!(">= {least} x Hyperscan{}", met(faster >= least)),
            Goal::TimesFirst(most) => format!("<= {most} x first{}", met(slower <= most)),
        };
        writeln!(table, "{faster:>12.2}{slower:>9.2}  {goal}")?;
    }
    Ok(table)
}

fn met(is_met: bool) -> &'static str {
    if is_met { "" } else { ": missed" }
}

fn with_samples(mut report: String, lines: &[Line<'_>]) -> String {
    report.push_str("\nCPU ns per byte, turn by turn:\n");
    for line in lines {
        let costs: Vec<String> = line.costs.iter().map(|cost| format!("{cost:.3}")).collect();
        report.push_str(&format!("{}, {:?}: {}\n", line.case.name, line.arm, costs.join(" ")));
    }
    report
}
