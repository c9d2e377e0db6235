//! Whole Produce requests through a worker as the gateway runs it: received, inspected, masked, sent on, answered.

use std::io::{BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bench_harness::client::PRODUCE_VERSION;
use bench_harness::codec::Codec;
use bench_harness::load::{Producer, Requests, Workload};
use bytes::{BufMut, BytesMut};
use gateway::config::IoKind;
use gateway::mailbox::{ToControl, ToWorker};
use gateway::policy::{Keys, PRINCIPAL_ANONYMOUS, Policy, Scope};
use gateway::tcp;
use gateway::topology::{Bootstrap, CurrentTopology, Topology};
use gateway::worker::{self, ListenerSettings, ListeningPort, WorkerSetup, WorkerThread};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceResponse, ResponseHeader};
use kafka_protocol::protocol::Encodable;
use tokio::sync::Notify;

use super::counting;

/// The shipped policy, in one of these forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Labelled,
    Unlabelled,
    /// Unlabelled; findings become tokens.
    Tokens,
}

/// What a batch is like, and the policy.
const WORKLOADS: &[(&str, Codec, f64, Form)] = &[
    ("clean", Codec::None, 0.0, Form::Labelled),
    ("masked in place", Codec::None, 0.1, Form::Unlabelled),
    ("tokens in place", Codec::None, 0.1, Form::Tokens),
    ("masked, labelled, emitted anew", Codec::None, 0.1, Form::Labelled),
    ("clean lz4", Codec::Lz4, 0.0, Form::Labelled),
    ("masked lz4", Codec::Lz4, 0.1, Form::Labelled),
    ("clean zstd", Codec::Zstd, 0.0, Form::Labelled),
    ("masked zstd", Codec::Zstd, 0.1, Form::Labelled),
    ("clean snappy", Codec::Snappy, 0.0, Form::Labelled),
    ("masked snappy", Codec::Snappy, 0.1, Form::Labelled),
    ("clean gzip", Codec::Gzip, 0.0, Form::Labelled),
    ("masked gzip", Codec::Gzip, 0.1, Form::Labelled),
];

/// Every connection has a set of rules per topic, so it must not grow with the detectors, of which there are hundreds.
#[test]
fn the_rules_of_a_topic_take_few_allocations() {
    let _alone = counting::alone();
    let policy = policy(Form::Labelled);
    let scope = Scope { listener: "l", topic: "orders", principal: PRINCIPAL_ANONYMOUS };
    let mut rules = None;
    let allocations = counting::allocations_of(|| rules = Some(policy.rules_for(&scope)));
    assert!(rules.is_some_and(|rules| !rules.is_blind()));
    assert!(allocations <= 4, "{allocations}");
}

#[test]
fn io_uring_inspects_without_allocating() {
    inspect_requests(IoKind::IoUring);
}

#[test]
fn epoll_inspects_without_allocating() {
    inspect_requests(IoKind::Epoll);
}

fn inspect_requests(io: IoKind) {
    let _alone = counting::alone();
    let upstream = broker();
    for &(name, codec, hit_rate, form) in WORKLOADS {
        eprintln!("{name}");
        let mut gateway = Gateway::start(io, upstream, form);
        let workload = Workload { codec, hit_rate, record_bytes: 400, batch_bytes: 4 << 10 };
        let mut requests = Requests::prepare("telemetry", &workload).unwrap();
        let mut producer = Producer::connect(gateway.address).unwrap();
        counting::rounds_allocate_nothing(|| {
            for _ in 0..RUNS_PER_ROUND {
                let ran = producer.run(&mut requests, 4, |sent, _| sent < REQUESTS_PER_RUN).unwrap();
                assert_eq!(ran.requests, REQUESTS_PER_RUN);
                gateway.take_messages();
            }
        });
        assert_eq!(gateway.findings > 0, hit_rate > 0.0, "what is planted is found, and nothing else");
        drop(producer);
        gateway.stop();
    }
}

/// One worker, and this thread in the place of its control thread.
struct Gateway {
    worker: WorkerThread,
    notify: Arc<Notify>,
    address: SocketAddr,
    /// In all audit batches.
    findings: usize,
}

impl Gateway {
    fn start(io: IoKind, upstream: SocketAddr, form: Form) -> Self {
        let socket = tcp::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = socket.local_addr().unwrap();
        let bootstrap = Bootstrap { host: "localhost".into(), address: upstream };
        let topology = Topology { bootstrap: [bootstrap].into(), ..Topology::default() };
        let topology = Arc::new(CurrentTopology::from_pointee(topology));
        let setup = WorkerSetup {
            index: 0,
            core: None,
            listeners: vec![(Arc::new(settings()), topology)],
            ports: vec![ListeningPort { listener: 0, node_id: None, socket }],
            policy: Arc::new(policy(form)),
            load: None,
        };
        let notify = Arc::new(Notify::new());
        let worker = worker::spawn(setup, io, Arc::default(), notify.clone()).unwrap();
        Self { worker, notify, address, findings: 0 }
    }

    /// Gives audit batches back, as the control thread does.
    fn take_messages(&mut self) {
        while let Some(message) = self.worker.mailbox.receive() {
            if let ToControl::AuditBatch(mut batch) = message {
                self.findings += batch.findings.len();
                batch.clear();
                self.worker.mailbox.give_back(ToWorker::AuditBatch(batch));
            }
        }
    }

    fn stop(mut self) {
        self.worker.mailbox.send(ToWorker::Drain { deadline: Instant::now() + Duration::from_secs(10) });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            while self.worker.is_running() {
                self.notify.notified().await;
                self.worker.take_result().into_iter().for_each(|result| result.unwrap());
            }
        });
    }
}

fn settings() -> ListenerSettings {
    ListenerSettings {
        index: 0,
        name: "test".into(),
        advertised_host: "localhost".to_owned(),
        inspected: true,
        forward_on_error: false,
        stub_on_block: false,
        frame_bytes_max: 1 << 20,
        message_bytes_max: 1 << 20,
        principal_claim: "sub".to_owned(),
        tls: None,
        upstream_tls: None,
    }
}

/// The shipped policy in another form.
fn policy(form: Form) -> Policy {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../policies/default.toml"));
    let mut source = std::fs::read_to_string(path).unwrap();
    let mut change = |from, to| {
        let changed = source.replace(from, to);
        assert_ne!(std::mem::replace(&mut source, changed.clone()), changed, "the shipped policy has {from}");
    };
    if form != Form::Labelled {
        change("label = \"sensitive\"", "label = \"off\"");
    }
    if form == Form::Tokens {
        change("{ operator = \"redact\" }", "{ operator = \"token\", key = \"gateway\" }");
        change("{ operator = \"keep\", first = 6, last = 4 }", "{ operator = \"token\", key = \"gateway\" }");
    }
    Policy::compile(path, &source, &Keys::StandIn, 1).unwrap()
}

/// A broker that acknowledges whatever comes.
fn broker() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        counting::exempt_this_thread();
        for stream in listener.incoming() {
            thread::spawn(move || {
                counting::exempt_this_thread();
                acknowledge(stream.unwrap());
            });
        }
    });
    address
}

/// Answers each request until the stream ends.
fn acknowledge(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let mut read = BufReader::new(stream.try_clone().unwrap());
    let mut prefix = [0; 4];
    while read.read_exact(&mut prefix).is_ok() {
        let mut frame = vec![0; u32::from_be_bytes(prefix) as usize];
        read.read_exact(&mut frame).unwrap();
        let correlation_id = i32::from_be_bytes(frame[4..8].try_into().unwrap());
        stream.write_all(&acknowledgement(correlation_id)).unwrap();
    }
}

fn acknowledgement(correlation_id: i32) -> BytesMut {
    let partition = PartitionProduceResponse::default().with_error_message(None);
    let topic = TopicProduceResponse::default().with_partition_responses(vec![partition]);
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    ResponseHeader::default().with_correlation_id(correlation_id).encode(&mut frame, 1).unwrap();
    ProduceResponse::default().with_responses(vec![topic]).encode(&mut frame, PRODUCE_VERSION).unwrap();
    let size = (frame.len() - 4) as u32;
    frame[..4].copy_from_slice(&size.to_be_bytes());
    frame
}

/// More than the distinct requests of a workload.
const RUNS_PER_ROUND: usize = 10;
/// Fewer than the messages that a mailbox holds.
const REQUESTS_PER_RUN: u64 = 16;
