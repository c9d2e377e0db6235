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
mod rules;
mod texts;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use arms::{Arm, Arms};
use bench_harness::host;
use bench_harness::record::{self, median};
use clap::Parser;
use rules::Rules;
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
    /// The `payload` of each of these JSON lines in place of all cases; prints arm, rules and CPU ns per byte.
    #[arg(long, value_name = "FILE")]
    records: Option<PathBuf>,
    /// Write part of the first case's records to a file, as `--records` reads them, and measure nothing.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
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
    if let Some(file) = &options.write {
        return Ok(std::fs::write(file, texts::as_lines(&texts::cases()[0]))?);
    }
    let machine = host::describe();
    host::pin(host::cores()?.last().map_or(&[], std::slice::from_ref))?;
    let policies = Rules::EACH.into_iter().map(Rules::policy).collect::<Result<Vec<_>>>()?;
    let arms_of = |(rules, policy): (Rules, _)| Arms::new(policy, &rules.expressions());
    let mut arms = Rules::EACH.into_iter().zip(&policies).map(arms_of).collect::<Result<Vec<_>>>()?;
    let cases = options.cases()?;
    let lines = options.measure(&cases, &mut arms)?;
    if options.records.is_some() {
        print!("{}", tab_separated(&lines));
        return Ok(());
    }
    let detectors = policies[Rules::All as usize].detectors().count();
    options.report(&format!("{machine}\ndetectors {detectors}"), &cases, &lines)
}

impl Options {
    fn cases(&self) -> Result<Vec<Case>> {
        if let Some(file) = &self.records {
            return texts::of_file(file);
        }
        let mut cases = texts::cases();
        let first = cases.remove(0);
        cases.retain(|case| case.name.contains(&self.case));
        cases.insert(0, first);
        Ok(cases)
    }

    /// Checks every case and lets the arms take turns; `arms` are those of each of the [`Rules`].
    fn measure<'c>(&self, cases: &'c [Case], arms: &mut [Arms<'_>]) -> Result<Vec<Line<'c>>> {
        let mut lines = Vec::new();
        for case in cases {
            let arms = &mut arms[case.rules as usize];
            proof::prove(arms, case).with_context(|| format!("case `{}`", case.name))?;
            for arm in Arm::ALL.into_iter().filter(|arm| *arm == Arm::Engine || !self.engine) {
                lines.push(Line::new(arms, arm, case, Duration::from_millis(self.milliseconds))?);
            }
        }
        let mut order: Vec<usize> = (0..lines.len()).collect();
        for _ in 0..self.rounds {
            for index in &order {
                let line = &mut lines[*index];
                line.turn(&mut arms[line.case.rules as usize])?;
            }
            order.reverse();
        }
        Ok(lines)
    }

    /// Prints the table and, where asked, keeps it with all samples.
    fn report(&self, head: &str, cases: &[Case], lines: &[Line<'_>]) -> Result<()> {
        let Self { rounds, milliseconds, .. } = self;
        let table = table(cases, lines)?;
        let report = format!("{head}, {rounds} turns of {milliseconds} ms\n\n{table}");
        println!("{report}");
        let keep = |folder: &PathBuf| record::keep(folder, "classify", &with_samples(&report, lines));
        self.record.as_ref().map_or(Ok(()), keep)
    }
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
        let faster = line(case, Arm::Hyperscan).map(|naive| times(naive, engine));
        let slower = times(engine, first);
        let goal = match (case.goal, faster) {
            (Goal::TimesHyperscan(least), Some(faster)) => {
                format!(">= {least} x Hyperscan{}", met(faster >= least))
            }
            (Goal::TimesFirst(most), _) => format!("<= {most} x first{}", met(slower <= most)),
            _ => String::new(),
        };
        let faster = faster.map_or("-".to_owned(), |faster| format!("{faster:.2}"));
        writeln!(table, "{faster:>12}{slower:>9.2}  {goal}")?;
    }
    Ok(table)
}

fn met(is_met: bool) -> &'static str {
    if is_met { "" } else { ": missed" }
}

/// Arm, rules and CPU nanoseconds per byte.
fn tab_separated(lines: &[Line<'_>]) -> String {
    let line = |line: &Line<'_>| {
        format!("{:?}\t{}\t{:.3}\n", line.arm, line.case.name, median(line.costs.iter().copied()))
    };
    lines.iter().map(line).collect()
}

fn with_samples(report: &str, lines: &[Line<'_>]) -> String {
    let mut report = format!("{report}\nCPU ns per byte, turn by turn:\n");
    for line in lines {
        let costs: Vec<String> = line.costs.iter().map(|cost| format!("{cost:.3}")).collect();
        report.push_str(&format!("{}, {:?}: {}\n", line.case.name, line.arm, costs.join(" ")));
    }
    report
}
