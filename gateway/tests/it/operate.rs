//! What an operator does to a running gateway: another policy, a broken one, the end.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bench_harness::broker::{Fault, MemoryBroker, Options};
use bench_harness::client::{Connection, PRODUCE_VERSION, produce_error, produce_request};
use bench_harness::codec::Codec;
use bench_harness::gateway::{Gateway, Setup};
use bench_harness::outgoing::{NOT_IDEMPOTENT, OutgoingRecord, batch};
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ProduceRequest;
use rustix::process::Signal;

const DRIVERS: [&str; 2] = ["io_uring", "epoll"];
const CARD: &str = "4111 1111 1111 1111";
const MASKED: &str = "**** **** **** ****";
const LOOKS: &str = "version = 1\n";
const MASKS: &str = "version = 1\n[[rule]]\nid = \"cards\"\ndetectors = [\"credit_card\"]\n\
    level = \"regulated\"\nmask = { operator = \"redact\" }\n";

#[test]
fn a_changed_policy_takes_effect_and_a_broken_one_changes_nothing() {
    for io in DRIVERS {
        let bench = Bench::start("reload", io, LOOKS);
        assert_eq!(bench.arrives(CARD), CARD, "{io}");

        bench.write_policy(MASKS);
        bench.await_metric("gateway_policy_generation 2");
        assert_eq!(bench.arrives(CARD), MASKED, "{io}");

        bench.write_policy("version = 1\nlevels = 3\n");
        bench.await_metric("gateway_policy_reloads_total{outcome=\"rejected\"} 1");
        assert_eq!(bench.arrives(CARD), MASKED, "{io}");
        let log = bench.gateway.log();
        assert!(log.contains("\"line\":2,\"column\":1") && log.contains("`levels`"), "{io}: {log}");

        bench.write_policy(MASKS);
        bench.gateway.signal(Signal::HUP).unwrap();
        bench.await_metric("gateway_policy_generation 3");
        assert_eq!(bench.arrives(CARD), MASKED, "{io}");
    }
}

#[test]
fn a_canary_is_counted_and_logged_without_its_value() {
    let policy = "version = 1\n[[detector]]\nid = \"planted\"\npattern = 'quagga-\\d{4}'\ncanary = true\n";
    let bench = Bench::start("canary", "epoll", policy);
    assert_eq!(bench.arrives("a quagga-7731 b"), "a quagga-7731 b", "no rule masks it");
    bench.await_metric("gateway_findings_total{detector=\"planted\"} 1");
    let log = bench.gateway.log();
    let line = log.lines().find(|line| line.contains("canary found")).expect("it is logged");
    let told = ["\"detector\":\"planted\"", "\"findings\":1", "\"principal\":\"User:ANONYMOUS\"", TOPIC];
    assert!(told.iter().all(|told| line.contains(told)), "{line}");
    assert!(!log.contains("7731"), "{log}");
}

#[test]
fn a_draining_gateway_waits_for_the_answer_under_way() {
    for io in DRIVERS {
        let bench = Bench::start("drain", io, MASKS);
        bench.broker.fault(Fault::Delay { count: 1, delay: Duration::from_secs(1) });
        let mut client = bench.connect();
        client.send(PRODUCE_VERSION, &request(CARD)).unwrap();
        // The broker has it and does not answer yet.
        assert_eq!(bench.broker.wait_for_records(TOPIC, 1, PATIENCE).len(), 1, "{io}");

        let address = bench.gateway.bootstrap();
        let status = std::thread::scope(|scope| {
            let answer = scope.spawn(move || client.receive::<ProduceRequest>(PRODUCE_VERSION));
            let status = bench.gateway.stop().unwrap();
            let answer = answer.join().unwrap().unwrap_or_else(|error| panic!("{io}: {error:#}"));
            assert_eq!(produce_error(&answer), None, "{io}");
            status
        });
        assert!(status.success(), "{io}: {status}");
        assert!(Connection::open(address).is_err(), "{io}: nobody listens any more");
    }
}

#[test]
fn the_log_says_which_partition_was_refused_and_by_which_rule() {
    let blocks = MASKS.replace("mask = { operator = \"redact\" }", "verdict = \"block\"");
    for io in DRIVERS {
        let bench = Bench::start("refused", io, &blocks);
        let answer = bench.connect().call(PRODUCE_VERSION, &request(CARD)).unwrap();
        assert_eq!(produce_error(&answer), Some(ResponseError::InvalidRecord), "{io}");
        let log = bench.gateway.log();
        let line = log.lines().find(|line| line.contains("partitions refused")).unwrap_or_default();
        let fields = ["\"listener\":\"telemetry\"", "\"api\":\"Produce\"", "\"correlation_id\":1"];
        let said = ["\"topic\":\"orders\"", "\"partition\":0", "\"reason\":\"policy\"", "cards"];
        for field in fields.iter().chain(&said) {
            assert!(line.contains(field), "{io}: no {field} in {line}\n{log}");
        }
        assert!(!log.contains(CARD), "{io}: {log}");
    }
}

const TOPIC: &str = "orders";

/// A gateway between a client and a broker in this process, with a policy file of its own.
struct Bench {
    gateway: Gateway,
    broker: MemoryBroker,
    policy: Folder,
}

impl Bench {
    fn start(test: &str, io: &'static str, policy: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("gateway-{test}-{io}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = Folder(folder);
        std::fs::write(file.policy(), policy).unwrap();
        let broker = MemoryBroker::start(Options::default()).unwrap();
        broker.create_topic(TOPIC, 1);
        let gateway = Gateway::start(&Setup {
            program: env!("CARGO_BIN_EXE_gateway").into(),
            policy: file.policy(),
            upstream: broker.address().to_string(),
            inspection: true,
            io,
            workers: Some(1),
        });
        Self { gateway: gateway.unwrap(), broker, policy: file }
    }

    fn connect(&self) -> Connection {
        Connection::open(self.gateway.bootstrap()).unwrap()
    }

    /// What the broker stores when a client produces `value` on a connection of its own.
    fn arrives(&self, value: &str) -> String {
        let before = self.broker.records(TOPIC).len();
        let answer = self.connect().call(PRODUCE_VERSION, &request(value)).unwrap();
        assert_eq!(produce_error(&answer), None);
        let records = self.broker.wait_for_records(TOPIC, before + 1, PATIENCE);
        let stored = records.last().and_then(|stored| stored.value.clone()).unwrap();
        String::from_utf8(stored.to_vec()).unwrap()
    }

    /// As configuration managers do it: the new file takes the old one's name.
    fn write_policy(&self, text: &str) {
        let file = self.policy.policy();
        let new = file.with_extension("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, file).unwrap();
    }

    fn await_metric(&self, line: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.gateway.page("/metrics").unwrap().lines().any(|found| found == line) {
            assert!(Instant::now() < deadline, "not `{line}` in time:\n{}", self.gateway.log());
            std::thread::yield_now();
        }
    }
}

fn request(value: &str) -> ProduceRequest {
    let record = OutgoingRecord { value: Some(value.to_owned().into()), ..OutgoingRecord::default() };
    produce_request(TOPIC, 0, batch(&[record], Codec::None, NOT_IDEMPOTENT).unwrap())
}

/// A folder with the policy file; removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn policy(&self) -> PathBuf {
        self.0.join("policy.toml")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
