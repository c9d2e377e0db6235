//! What the policy's own detectors cost, each measured alone.

use std::path::Path;
use std::time::Duration;

use gateway::classify::explain::{Cost, Explainer};
use gateway::classify::{DetectorSpec, Engine, Validator, catalog};
use gateway::diagnostic::Diagnostic;
use gateway::payload::DetectorIndex;
use gateway::policy::Policy;
use rustix::time::{ClockId, clock_gettime};

use super::sample::Sample;

/// Above this, nanoseconds of one core per byte of traffic, a detector is told: all built-in ones together cost
/// less.
const NANOSECONDS_PER_BYTE_MAX: f64 = 1.0;

/// Differences below this share of a scan that finds nothing are noise.
const NOISE: f64 = 0.25;

/// Times that each detector is measured: the best counts, which noise can only make worse.
const ROUNDS: usize = 5;

/// CPU time that all measurements may take; what is left then is told as not measured.
const BUDGET: Duration = Duration::from_secs(3);

/// A word that the sample does not have.
const NEVER_FOUND: &str = "Xylophon-0-Quagga";

/// Measures each detector of the policy's own and says which are dear, with the form that is cheaper.
pub(super) fn note(file: &Path, source: &str, policy: &Policy) {
    let own: Vec<(DetectorIndex, &DetectorSpec)> =
        policy.detectors().filter(|(_, spec)| catalog::find(&spec.id).is_none()).collect();
    let started = thread_time();
    let sample = Sample::generate();
    let nothing = DetectorSpec::custom("nothing", NEVER_FOUND, Vec::new(), Validator::None);
    let base = measure(&nothing, &sample).map_or(0.0, |measured| measured.nanoseconds);
    for (position, (index, spec)) in own.iter().enumerate() {
        if thread_time() - started > BUDGET {
            eprintln!("note: {} more detectors were not measured", own.len() - position);
            break;
        }
        let Some(measured) = measure(spec, &sample) else { continue };
        let nanoseconds = measured.nanoseconds - base;
        if nanoseconds > NANOSECONDS_PER_BYTE_MAX.max(base * NOISE) {
            let message = warning(&spec.id, nanoseconds, &measured.costs, &policy.rules_looking_for(*index));
            eprintln!("{}", Diagnostic::at(file, source, policy.detector_at(*index), message));
        }
    }
}

fn warning(id: &str, nanoseconds: f64, costs: &[Cost], rules: &[&str]) -> String {
    let reasons: Vec<String> =
        costs.iter().map(|cost| format!("tried at {}: {}", cost.looked_for, cost.cheaper)).collect();
    let rules: Vec<String> = rules.iter().map(|rule| format!("`{rule}`")).collect();
    format!(
        "note: `{id}` (rule {}) costs {nanoseconds:.1} ns per byte, more than {NANOSECONDS_PER_BYTE_MAX}; it is {}",
        rules.join(", "),
        reasons.join("; ")
    )
}

/// What one detector costs alone.
struct Measured {
    /// Per byte.
    nanoseconds: f64,
    costs: Vec<Cost>,
}

/// `None` when the detector cannot be compiled alone, which was told before.
fn measure(spec: &DetectorSpec, sample: &Sample) -> Option<Measured> {
    let engine = Engine::compile(std::slice::from_ref(spec)).ok()?;
    let (mut scratch, mut findings) = (engine.scratch(), Vec::new());
    let mut round = || {
        let started = thread_time();
        // A scan that gives up has taken more than its share: the time until then is told.
        let _ = engine.scan(&mut scratch, &sample.text, &sample.fields, &mut findings);
        thread_time() - started
    };
    let best = (0..ROUNDS).map(|_| round()).min()?;
    let nanoseconds = best.as_nanos() as f64 / sample.text.len() as f64;
    Some(Measured { nanoseconds, costs: Explainer::new(&engine).costs(DetectorIndex(0)) })
}

/// CPU time of this thread.
fn thread_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}
