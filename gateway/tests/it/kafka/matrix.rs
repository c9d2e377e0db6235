//! Every client library with every codec, through the gateway and, as a check of the judge, directly.
//!
//! `KAFKA_MATRIX=full cargo test -p gateway --test it kafka::matrix` runs the full product of library, codec, TLS
//! and driver; without, TLS and driver take turns so that each pair of values meets at least once.

use std::path::Path;

use bench_harness::kafka::{Library, Listener};

use super::gateway::{DRIVERS, Gateway, Settings, driver};
use super::judge::{Run, canaries_in};
use super::policy::{Rules, shipped_policy};
use super::records::{Planted, generate};
use super::world::{self, World};

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

/// One producer's run.
#[derive(Debug, Clone)]
struct Case {
    library: Library,
    codec: &'static str,
    idempotent: bool,
    tls: bool,
    driver: &'static str,
}

impl Case {
    fn topic(&self) -> String {
        let Self { library, codec, tls, driver, .. } = self;
        format!("{library:?}-{codec}-{driver}-{}", if *tls { "tls" } else { "plain" }).to_lowercase()
    }

    fn options(&self) -> Vec<&'static str> {
        let acks = if self.idempotent { vec!["--idempotent"] } else { vec!["--acks", "1"] };
        [vec!["--codec", self.codec], acks].concat()
    }
}

/// Each library with each codec. Idempotence, TLS and driver take turns at different paces: over the five codecs
/// of a library and the six libraries of a codec every pair of values meets.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (row, library) in Library::ALL.into_iter().enumerate() {
        for (column, codec) in CODECS.into_iter().enumerate() {
            let idempotent = (row + column) % 2 == 0;
            let tls = (row + column / 2) % 2 == 0;
            let driver = DRIVERS[(row / 2 + column) % 2];
            cases.push(Case { library, codec, idempotent, tls, driver });
        }
    }
    if std::env::var("KAFKA_MATRIX").as_deref() != Ok("full") {
        return cases;
    }
    let all = cases.into_iter().flat_map(|case| {
        let choices = [false, true].into_iter().flat_map(|tls| DRIVERS.map(|driver| (tls, driver)));
        choices.map(move |(tls, driver)| Case { tls, driver, ..case.clone() }).collect::<Vec<_>>()
    });
    all.collect()
}

/// What every run of the matrix works with.
struct Matrix<'a> {
    world: &'a World,
    sent: &'a [Planted],
    file: &'a Path,
    rules: Rules,
}

impl Matrix<'_> {
    /// Produces and judges; the faults name the case.
    fn run(&self, case: &Case, bootstrap: &str, ca: Option<&Path>) -> Vec<String> {
        let mut options = case.options();
        let ca = ca.map(|path| path.display().to_string());
        if let Some(ca) = &ca {
            options.extend(["--tls-ca", ca]);
        }
        let faults = match self.world.produce(case.library, bootstrap, &case.topic(), self.file, &options) {
            Err(error) => vec![format!("{error:#}")],
            Ok(answers) => {
                let stored = self.world.stored(&case.topic());
                let run = Run {
                    sent: self.sent,
                    answers: &answers,
                    stored: &stored,
                    duplicates: false,
                    rules: &self.rules,
                };
                [run.faults(), self.world.segment_faults(&case.topic())].concat()
            }
        };
        faults.into_iter().map(|fault| format!("{case:?}: {fault}")).collect()
    }
}

/// The judge and the client programs themselves: without a gateway everything arrives unchanged.
#[test]
fn clients_and_judge_agree_without_a_gateway() {
    let world = world::shared();
    let sent = generate(7, 60);
    let file = world.file("direct", sent.iter().map(|planted| &planted.sent));
    let matrix = Matrix { world: &world, sent: &sent, file: &file, rules: Rules::none() };
    let direct = |library| Case { library, codec: "lz4", idempotent: true, tls: false, driver: "none" };
    let cases = Library::ALL.map(direct);
    world.create_topics(&cases.each_ref().map(Case::topic).join(","), 3, &[]);
    let faults: Vec<String> = cases.iter().flat_map(|case| matrix.run(case, &world.direct(), None)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_client_and_codec_arrives_masked_in_order_and_once() {
    let world = world::shared();
    let sent = generate(11, 120);
    let file = world.file("matrix", sent.iter().map(|planted| &planted.sent));
    let matrix = Matrix { world: &world, sent: &sent, file: &file, rules: Rules::shipped() };
    let gateways = DRIVERS.map(|driver| {
        let settings = Settings::new(driver, driver, shipped_policy(), Listener::Upstream);
        (driver, Gateway::start(&settings, &world.cluster))
    });
    let cases = cases();
    world.create_topics(&cases.iter().map(Case::topic).collect::<Vec<_>>().join(","), 3, &[]);
    let mut faults = Vec::new();
    for case in &cases {
        let (_, gateway) = gateways.iter().find(|(driver, _)| *driver == case.driver).unwrap();
        let (bootstrap, ca) =
            if case.tls { (gateway.tls(), Some(gateway.ca())) } else { (gateway.plain(), None) };
        faults.extend(matrix.run(case, &bootstrap, ca.as_deref()));
    }
    for (driver, gateway) in &gateways {
        let said = gateway.log() + &gateway.metrics();
        let leaked = canaries_in(&sent, &matrix.rules, [said.as_bytes()]);
        faults.extend(leaked.iter().map(|canary| format!("{driver}: {canary} is in the log or the metrics")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// With acks=0 there is no answer to wait for, and nothing is lost while everything is well.
#[test]
fn unacknowledged_records_arrive_masked() {
    let world = world::shared();
    let settings = Settings::new("acks0", driver(), shipped_policy(), Listener::Upstream);
    let gateway = Gateway::start(&settings, &world.cluster);
    let sent = generate(13, 60);
    let file = world.file("acks0", sent.iter().map(|planted| &planted.sent));
    let topic = |library: Library| format!("acks0-{library:?}").to_lowercase();
    world.create_topics(&Library::ALL.map(topic).join(","), 3, &[]);
    let rules = Rules::shipped();
    let mut faults = Vec::new();
    for library in Library::ALL {
        let topic = topic(library);
        let mut answers = world.produce(library, &gateway.plain(), &topic, &file, &["--acks", "0"]).unwrap();
        // Some libraries make an offset up.
        answers.iter_mut().for_each(|answer| answer.offset = Some(-1));
        let stored = world.stored_when(&topic, sent.len());
        let run = Run { sent: &sent, answers: &answers, stored: &stored, duplicates: false, rules: &rules };
        faults.extend(run.faults().iter().map(|fault| format!("{library:?}: {fault}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
