//! Producers that keep sending while something happens to the brokers, and what arrived of it.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use bench_harness::kafka::clients::Answer;
use bench_harness::kafka::{Clients, Library, wait};

use super::gateway::Gateway;
use super::judge::Run;
use super::policy::Rules;
use super::records::{Planted, generate};
use super::world::{self, World};

/// What is sent: by every one of [`LIBRARIES`] through every gateway to a topic of its own, idempotent and with
/// acks=all.
pub(super) struct Load<'a> {
    /// Prefix of the topics.
    pub(super) name: &'a str,
    /// How long records keep coming.
    pub(super) seconds: usize,
    /// Partitions of each topic.
    pub(super) partitions: u32,
}

/// One producer.
struct Producer {
    library: Library,
    bootstrap: String,
    topic: String,
    /// Java cases of one set of programs run one after the other, so each has its own.
    clients: Clients,
}

impl Load<'_> {
    /// Lets `event` happen while every producer sends: none goes on from its first record before all have come that
    /// far, however long the slowest takes to start. Returns what is wrong when all have come to their end: a producer
    /// that failed, and all that the judge finds.
    ///
    /// Every broker has a batch of every producer in every partition when it happens. One that has none takes any
    /// sequence number for a producer's first (KIP-360): when leadership moves, it may so refuse the first batch and
    /// store the next one in flight. librdkafka 2.16 then takes the answer to that for both (`IMPLICITACK` in its log)
    /// and the first one is lost, without a gateway, too; the Java client sends it in vain until its time is over.
    pub(super) fn during(
        &self,
        world: &mut World,
        gateways: &[Gateway],
        event: impl FnOnce(&mut World),
    ) -> Vec<String> {
        let producers = self.producers(gateways);
        let topics: Vec<&str> = producers.iter().map(|producer| producer.topic.as_str()).collect();
        world.create_topics(&topics.join(","), self.partitions, &[]);
        let sent = small_records(self.seconds * RATE);
        let file = world.file(self.name, sent.iter().map(|planted| &planted.sent));
        let gate = &world.path(&format!("{}.gate", self.name));
        let ends = thread::scope(|scope| {
            let running: Vec<_> =
                producers.iter().map(|producer| scope.spawn(|| producer.produce(&file, gate))).collect();
            wait_for("a record of every producer", || {
                topics.iter().all(|topic| world.stored_bytes(topic) > 0)
            });
            fs::write(gate, "").unwrap();
            wait_for("a batch of every producer in every partition, on every broker", || {
                topics.iter().all(|topic| world.holds_every_partition(topic, self.partitions))
            });
            event(world);
            running.into_iter().map(|producer| producer.join().unwrap()).collect::<Vec<_>>()
        });
        let judged = producers.iter().zip(ends).flat_map(|(producer, end)| producer.judge(world, &sent, end));
        judged.chain(gateways.iter().flat_map(unexpected_refusals)).collect()
    }

    /// The topic of one producer.
    pub(super) fn topic(&self, io: &str, library: Library) -> String {
        format!("{}-{io}-{library:?}", self.name).to_lowercase()
    }

    fn producers(&self, gateways: &[Gateway]) -> Vec<Producer> {
        let of_gateway = |gateway: &Gateway| {
            LIBRARIES.map(|library| Producer {
                library,
                bootstrap: gateway.plain(),
                topic: self.topic(gateway.io(), library),
                clients: Clients::install().unwrap(),
            })
        };
        gateways.iter().flat_map(of_gateway).collect()
    }
}

impl Producer {
    fn produce(&self, file: &Path, gate: &Path) -> anyhow::Result<Vec<Answer>> {
        let options = ["--idempotent", "--rate", &RATE.to_string(), "--gate", &gate.display().to_string()];
        world::produce(&self.clients, self.library, &self.bootstrap, &self.topic, file, &options)
    }

    /// What is wrong with its end, or with what the brokers hold of it.
    fn judge(&self, world: &World, sent: &[Planted], end: anyhow::Result<Vec<Answer>>) -> Vec<String> {
        let faults = match end {
            Err(error) => vec![format!("{error:#}")],
            Ok(answers) => {
                let stored = world.stored(&self.topic);
                let rules = Rules::shipped();
                Run { sent, answers: &answers, stored: &stored, duplicates: false, rules: &rules }.faults()
            }
        };
        faults.into_iter().map(|fault| format!("{}: {fault}", self.topic)).collect()
    }
}

/// Records so small that even what piles up while a broker is away, all of it in one partition, has room for its labels
/// in one batch of 1 MiB: 36 seconds of some 220 bytes each, labels included, make 800 KB.
fn small_records(count: usize) -> Vec<Planted> {
    let is_small = |planted: &Planted| planted.sent.value.as_ref().is_none_or(|value| value.len() < 1000);
    generate(SEED, count).into_iter().filter(is_small).collect()
}

fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    wait::until(what, STARTING_TIME_MAX, || Ok(is_there())).unwrap();
}

/// Refusals that no event at a broker explains.
fn unexpected_refusals(gateway: &Gateway) -> Vec<String> {
    let expected = |line: &String| EXPECTED_REFUSALS.iter().any(|reason| line.contains(reason));
    let refused = gateway.refusals().into_iter().filter(|line| !expected(line));
    refused.map(|line| format!("{}: {line}", gateway.io())).collect()
}

/// Libraries that say at which offset each record was acknowledged, and whose idempotent producers survive faults.
const LIBRARIES: [Library; 3] = [Library::Java, Library::Librdkafka, Library::FranzGo];
/// Far above what the programs of all producers need to start on a busy machine.
const STARTING_TIME_MAX: Duration = Duration::from_secs(90);
/// Records per second of one producer.
const RATE: usize = 100;
const SEED: u64 = 67;
const EXPECTED_REFUSALS: [&str; 2] = ["\"upstream_unreachable\"", "\"unknown_broker\""];
