//! How connections end, and what must not be lost by it.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use super::super::super::driver::Completion;
use super::super::super::sockets::{Bounds, Limits};
use super::control;
use super::stage::{SETTLING_TURNS, Stage};
use crate::mailbox::ToWorker;
use crate::telemetry::Reason;
use crate::topology::Topology;

#[test]
fn what_was_received_before_a_drain_is_forwarded() {
    let mut stage = Stage::new();
    let client = stage.client();
    let requests = stage.fetches(0, 8);
    stage.turns(SETTLING_TURNS);
    assert_eq!(client.write(&requests), requests.len());

    // The worker receives the requests and the news of the drain in one turn.
    stage.drain(Duration::from_secs(60));
    stage.turns(SETTLING_TURNS);

    let mut forwarded = Vec::new();
    stage.upstream().read(&mut forwarded);
    assert!(forwarded == requests, "{} of {} bytes", forwarded.len(), requests.len());
}

#[test]
fn a_port_that_comes_with_the_drain_is_not_opened() {
    let mut stage = Stage::new();
    stage.drain(Duration::from_secs(60));
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    stage.mailbox.send(ToWorker::Listen { listener: 0, node_id: 9, socket });

    stage.turns(SETTLING_TURNS);
    assert!(stage.worker.executor.is_drained());
}

#[test]
fn connections_that_are_cut_off_by_the_drain_are_counted() {
    let mut stage = Stage::new();
    let client = stage.client();
    let request = stage.fetches(0, 1);
    client.write(&request);
    stage.turns(SETTLING_TURNS);

    // Nobody answers the request.
    stage.drain(Duration::from_secs(1));
    stage.network.advance(Duration::from_secs(2));
    stage.turns(SETTLING_TURNS);

    assert_eq!(stage.refused(Reason::DrainDeadline), 1);
    assert!(client.at_end() && stage.worker.executor.is_drained());
}

#[test]
fn connections_that_the_kernel_cannot_hand_out_are_counted() {
    let mut stage = Stage::new();
    let io = stage.worker.executor.io().clone();
    let listener = io.listeners()[0];
    let error = std::io::Error::from_raw_os_error(24);
    io.state().complete(Completion::AcceptFailed { listener, error });
    stage.turns(1);
    assert_eq!(stage.refused(Reason::Accept), 1);
}

#[test]
fn answers_that_came_before_the_upstream_failed_arrive() {
    let mut stage = Stage::new();
    let tight = Bounds { inbound: 4096, outbound: 256 };
    stage.worker.executor.io().state().limits =
        Limits { queued: 1 << 20, frames: [1 << 20; 2], relaxed: tight, pressed: tight };
    let client = stage.client();
    let answered = stage.fetches(0, 3);
    client.write(&answered);
    stage.turns(SETTLING_TURNS);
    let upstream = stage.upstream();
    let mut forwarded = Vec::new();
    upstream.read(&mut forwarded);

    // More requests than the upstream takes: the gateway waits for it, and sees the reset by a send that fails.
    let more = stage.fetches(3, 900);
    let mut sent = 0;
    for _ in 0..20 {
        sent += client.write(&more[sent..]);
        stage.turns(SETTLING_TURNS);
    }
    assert!(sent < more.len(), "the upstream is full");
    let answers = stage.answers(&forwarded);
    assert_eq!(upstream.write(&answers), answers.len());
    upstream.reset();

    let mut received = Vec::new();
    stage.until_end(&client, &mut received);
    assert!(received == answers, "{} of {} bytes", received.len(), answers.len());
}

#[test]
fn a_client_that_asks_nothing_is_closed() {
    let mut stage = Stage::new();
    let client = stage.client();
    client.write(&[0, 0, 0]);
    stage.turns(SETTLING_TURNS);
    stage.after(Duration::from_secs(29));
    assert!(!client.at_end());

    stage.after(Duration::from_secs(2));
    assert!(client.at_end());
    assert_eq!(stage.refused(Reason::FirstRequest), 1);
}

#[test]
fn an_idle_client_is_closed_when_brokers_would_have_done_it() {
    let mut stage = Stage::new();
    let client = stage.client();
    let request = stage.fetches(0, 1);
    client.write(&request);
    stage.turns(SETTLING_TURNS);
    // An answer is owed: this is not idle, however long it takes.
    (0..60).for_each(|_| stage.after(Duration::from_secs(60)));
    let upstream = stage.upstream();
    let answer = stage.answers(&request);
    assert_eq!(upstream.write(&answer), answer.len());
    stage.turns(SETTLING_TURNS);
    client.read(&mut Vec::new());
    (0..10).for_each(|_| stage.after(Duration::from_secs(60)));
    assert!(!client.at_end());

    (0..2).for_each(|_| stage.after(Duration::from_secs(60)));
    assert!(client.at_end());
    assert_eq!(stage.refused(Reason::Idle), 1);
}

#[test]
fn a_broker_that_is_not_learned_in_time_ends_the_connection_under_its_name() {
    let mut stage =
        Stage::knowing(|brokers| Topology { ports: Arc::default(), ..control::complete(brokers) });
    let client = stage.client();
    let request = stage.metadata();
    client.write(&request);
    stage.turns(SETTLING_TURNS);
    let upstream = stage.upstream();
    let answer = stage.metadata_answer(&request);
    assert_eq!(upstream.write(&answer), answer.len());
    stage.turns(SETTLING_TURNS);
    stage.after(Duration::from_secs(4));
    assert!(!client.at_end());

    stage.after(Duration::from_secs(2));
    assert!(client.at_end());
    assert_eq!((stage.refused(Reason::LearnTimeout), stage.refused(Reason::Malformed)), (1, 0));
}
