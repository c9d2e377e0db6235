//! What peers can make the gateway hold.

use std::time::Duration;

use super::super::super::driver::faulty::Peer;
use super::super::super::sockets::{Bounds, Limits};
use super::stage::{SETTLING_TURNS, Stage};
use crate::telemetry::Reason;

/// A client with a large answer that it does not read: as much of it as the gateway takes was sent.
struct Unread {
    stage: Stage,
    client: Peer,
    upstream: Peer,
    answer: Vec<u8>,
    sent: usize,
}

impl Unread {
    fn new() -> Self {
        let mut stage = Stage::new();
        stage.worker.executor.io().state().limits = LIMITS;
        let client = stage.client();
        let request = stage.fetches(0, 1);
        client.write(&request);
        stage.turns(SETTLING_TURNS);
        let upstream = stage.upstream();
        let mut answer = vec![0; ANSWER_BYTES];
        answer[..4].copy_from_slice(&(ANSWER_BYTES as u32 - 4).to_be_bytes());
        answer[4..8].copy_from_slice(&request[8..12]);
        let mut sent = 0;
        for _ in 0..2 * ANSWER_BYTES / 4096 {
            sent += upstream.write(&answer[sent..]);
            stage.turns(1);
        }
        Self { stage, client, upstream, answer, sent }
    }
}

#[test]
fn answers_that_nobody_reads_are_not_received() {
    let Unread { mut stage, client, upstream, answer, mut sent } = Unread::new();
    let queued = stage.worker.executor.io().queued_bytes();
    assert!(queued < ANSWER_BYTES / 8, "{queued} bytes wait for the client");

    let mut received = Vec::new();
    for _ in 0..2 * ANSWER_BYTES / 64 {
        sent += upstream.write(&answer[sent..]);
        client.read(&mut received);
        stage.turns(1);
    }
    assert!(received == answer, "{} of {ANSWER_BYTES} bytes", received.len());
}

#[test]
fn a_client_that_does_not_read_its_answer_is_closed_as_an_idle_one() {
    let Unread { mut stage, client: _client, .. } = Unread::new();
    (0..10).for_each(|_| stage.after(Duration::from_secs(60)));
    assert_eq!(stage.refused(Reason::Idle), 0);

    (0..3).for_each(|_| stage.after(Duration::from_secs(60)));
    assert_eq!(stage.refused(Reason::Idle), 1);
}

#[test]
fn a_client_that_reads_slowly_is_not_idle() {
    let mut stage = Stage::new();
    let client = stage.client();
    let request = stage.fetches(0, 1);
    client.write(&request);
    stage.turns(SETTLING_TURNS);
    let (upstream, mut written) = (stage.upstream(), 0);
    let mut answer = stage.answers(&request);
    answer.resize(ANSWER_BYTES, 0);
    answer[..4].copy_from_slice(&(ANSWER_BYTES as u32 - 4).to_be_bytes());
    while written < answer.len() {
        written += upstream.write(&answer[written..]);
        stage.turns(1);
    }

    // The gateway has it all, and the client takes 8 KiB a minute.
    let mut received = Vec::new();
    while received.len() < answer.len() {
        client.read(&mut received);
        stage.after(Duration::from_secs(60));
        assert_eq!(stage.refused(Reason::Idle), 0, "{} bytes have arrived", received.len());
    }
}

#[test]
fn answers_of_its_own_do_not_keep_the_gateway_from_the_upstream() {
    let mut stage = Stage::new();
    stage.worker.executor.io().state().limits = Limits { relaxed: LIMITS.pressed, ..LIMITS };
    let client = stage.client();
    let requests = stage.fetches(0, 2);
    client.write(&requests);
    // Each is answered by the gateway: ApiVersions of a version that does not exist.
    for _ in 0..100 {
        client.write(&[0, 0, 0, 10, 0, 18, 0, 99, 0, 0, 0, 7, 0xff, 0xff]);
    }
    (0..100).for_each(|_| stage.turns(SETTLING_TURNS));
    let upstream = stage.upstream();

    let answers = stage.answers(&requests);
    let (first, second) = answers.split_at(answers.len() / 2);
    let mut received = Vec::new();
    for answer in [first, second] {
        upstream.write(answer);
        stage.turns(SETTLING_TURNS);
        client.read(&mut received);
    }
    assert!(received.starts_with(&answers), "{received:?}");
}

#[test]
fn large_frames_wait_for_room_one_after_the_other() {
    let mut stage = Stage::new();
    stage.worker.executor.io().state().limits = LIMITS;
    let clients = [stage.client(), stage.client()];
    let frame = large_request(300_000);
    let mut sent = [0; 2];
    send(&mut stage, &clients, &mut sent, &frame[..frame.len() - 100]);
    // The gateway takes all of the one, and of the other no more than the beginning.
    assert_eq!(sent.iter().max(), Some(&(frame.len() - 100)));
    assert!(*sent.iter().min().unwrap() < 290_000, "{sent:?}");

    send(&mut stage, &clients, &mut sent, &frame);
    assert_eq!(sent.iter().max(), Some(&frame.len()));
    assert!(*sent.iter().min().unwrap() < 290_000, "whole, it still has its room: {sent:?}");
    for _ in &clients {
        let upstream = stage.upstream();
        let mut forwarded = Vec::new();
        for _ in 0..2 * frame.len() / 4096 {
            upstream.read(&mut forwarded);
            stage.turns(1);
        }
        assert!(forwarded == frame, "{} of {} bytes", forwarded.len(), frame.len());
        send(&mut stage, &clients, &mut sent, &frame);
    }
    assert_eq!(sent, [frame.len(); 2]);
}

#[test]
fn a_larger_frame_has_its_turn_before_others_that_came_later() {
    let mut stage = Stage::new();
    stage.worker.executor.io().state().limits = Limits { frames: [4 << 20; 2], ..LIMITS };
    let clients = [stage.client(), stage.client(), stage.client()];
    let (large, larger) = (large_request(300_000), large_request(2_000_000));
    let mut sent = [0; 3];
    // Whole, and its broker does not read.
    send(&mut stage, &clients[..1], &mut sent[..1], &large);
    // This one would take the rest of the room and more; behind it there would be room for the third.
    send(&mut stage, &clients[1..2], &mut sent[1..2], &larger);
    send(&mut stage, &clients[2..], &mut sent[2..], &large);
    assert_eq!(sent[0], large.len());
    assert!(sent[1] < 290_000 && sent[2] < 290_000, "{sent:?}");

    let upstream = stage.upstream();
    (0..100).for_each(|_| {
        upstream.read(&mut Vec::new());
        stage.turns(1);
    });
    send(&mut stage, &clients[1..2], &mut sent[1..2], &larger);
    assert_eq!(sent[1], larger.len());
}

#[test]
fn a_large_answer_does_not_wait_for_the_large_request_behind_it() {
    let mut stage = Stage::new();
    stage.worker.executor.io().state().limits = LIMITS;
    let client = stage.client();
    let metadata = stage.metadata();
    let requests = [&metadata[..], &large_request(300_000)].concat();
    let mut sent = [0];
    send(&mut stage, std::slice::from_ref(&client), &mut sent, &requests);
    assert_eq!(sent, [requests.len()]);

    // As brokers do: the request behind is not read before the answer has left.
    let upstream = stage.upstream();
    let answer = stage.large_metadata_answer(&metadata);
    let (mut answered, mut received) = (0, Vec::new());
    for _ in 0..4 * answer.len() / 1024 {
        answered += upstream.write(&answer[answered..]);
        stage.turns(1);
        client.read(&mut received);
    }
    assert_eq!(answered, answer.len());
    assert!(received.len() > 300_000, "{} of {} bytes", received.len(), answer.len());
}

#[test]
fn a_large_frame_that_stops_in_the_middle_ends_its_connection() {
    let mut stage = Stage::new();
    let client = stage.client();
    client.write(&stage.fetches(0, 1));
    let frame = large_request(300_000);
    send(&mut stage, std::slice::from_ref(&client), &mut [0], &frame[..frame.len() - 1]);
    stage.after(Duration::from_secs(31));
    stage.after(Duration::from_secs(59));
    assert!(!client.at_end());

    (0..2).for_each(|_| stage.after(Duration::from_secs(60)));
    assert!(client.at_end());
    assert_eq!(stage.refused(Reason::StalledFrame), 1);
}

#[test]
fn a_large_frame_that_comes_too_slowly_ends_its_connection() {
    let mut stage = Stage::new();
    let client = stage.client();
    client.write(&stage.fetches(0, 1));
    let frame = large_request(300_000);
    let mut sent = [0];
    send(&mut stage, std::slice::from_ref(&client), &mut sent, &frame[..280_000]);
    stage.after(Duration::from_secs(31));
    for _ in 0..4 {
        sent[0] += client.write(&frame[sent[0]..][..1]);
        stage.after(Duration::from_secs(30));
    }
    assert!(client.at_end());
    assert_eq!(stage.refused(Reason::StalledFrame), 1);
}

#[test]
fn a_large_request_that_stops_ends_its_connection_whatever_comes_from_the_broker() {
    let mut stage = Stage::new();
    let client = stage.client();
    let fetch = stage.fetches(0, 1);
    client.write(&fetch);
    let frame = large_request(300_000);
    send(&mut stage, std::slice::from_ref(&client), &mut [0], &frame[..280_000]);
    stage.after(Duration::from_secs(31));

    let upstream = stage.upstream();
    let mut answer = stage.answers(&fetch);
    answer[..4].copy_from_slice(&i32::MAX.to_be_bytes());
    upstream.write(&answer);
    for _ in 0..4 {
        for _ in 0..100 {
            upstream.write(&[0; 4096]);
            stage.turns(1);
            client.read(&mut Vec::new());
        }
        stage.after(Duration::from_secs(30));
    }
    assert_eq!(stage.refused(Reason::StalledFrame), 1);
}

#[test]
fn a_large_request_whose_broker_takes_it_slowly_is_not_stalled() {
    let mut stage = Stage::new();
    stage.worker.executor.io().state().limits = LIMITS;
    let client = stage.client();
    let frame = large_request(300_000);
    stage.turns(SETTLING_TURNS);
    stage.after(Duration::from_secs(29));
    send(&mut stage, std::slice::from_ref(&client), &mut [0], &frame);
    let (upstream, mut forwarded) = (stage.upstream(), Vec::new());
    // 16 KiB at a time, some 120 KiB from look to look: a tenth of it is 30 KB.
    while forwarded.len() < frame.len() {
        for _ in 0..2 {
            upstream.read(&mut forwarded);
            stage.turns(SETTLING_TURNS);
        }
        stage.after(Duration::from_secs(8));
        assert_eq!(stage.refused(Reason::StalledFrame), 0, "{} bytes have left", forwarded.len());
    }
}

#[test]
fn a_large_request_that_its_broker_does_not_take_ends_its_connection() {
    let mut stage = Stage::new();
    stage.worker.executor.io().state().limits = LIMITS;
    let client = stage.client();
    send(&mut stage, std::slice::from_ref(&client), &mut [0], &large_request(300_000));
    stage.after(Duration::from_secs(31));
    stage.after(Duration::from_secs(60));
    assert_eq!(stage.refused(Reason::StalledFrame), 0, "it has come meanwhile");

    stage.after(Duration::from_secs(60));
    assert_eq!(stage.refused(Reason::StalledFrame), 1);
}

#[test]
fn a_large_frame_that_has_just_begun_is_not_slow() {
    let mut stage = Stage::new();
    let client = stage.client();
    client.write(&stage.fetches(0, 1));
    stage.after(Duration::from_secs(31));
    stage.after(Duration::from_secs(58));
    let mut sent = [0];
    send(&mut stage, std::slice::from_ref(&client), &mut sent, &large_request(300_000)[..270_000]);
    stage.after(Duration::from_secs(2));
    assert_eq!(sent, [270_000]);
    assert!(!client.at_end(), "the connection has been looked at meanwhile");
}

#[test]
fn a_large_request_that_has_left_makes_way_whatever_waits_for_its_answer() {
    let mut stage = Stage::new();
    stage.worker.executor.io().state().limits = LIMITS;
    let clients = [stage.client(), stage.client()];
    let frame = large_request(300_000);
    // As many requests without an answer as a connection may have: after them it is not read any more.
    let mut requests = stage.fetches(0, 511);
    requests.extend_from_slice(&frame);
    let (mut sent, mut forwarded) = (clients[0].write(&requests), Vec::new());
    stage.turns(SETTLING_TURNS);
    let upstream = stage.upstream();
    for _ in 0..requests.len() / 1024 {
        sent += clients[0].write(&requests[sent..]);
        stage.turns(1);
        upstream.read(&mut forwarded);
    }
    assert_eq!(forwarded.len(), requests.len());

    let mut sent = [0];
    send(&mut stage, &clients[1..], &mut sent, &frame);
    assert_eq!(sent, [frame.len()]);
}

#[test]
fn no_room_is_held_for_a_client_that_does_not_read() {
    // Of some of these lengths the first answer ends, and a large one begins, in the last piece that is received.
    for first in (8_000..24_000).step_by(500) {
        let mut stage = Stage::new();
        stage.worker.executor.io().state().limits = LIMITS;
        let (deaf, other) = (stage.client(), stage.client());
        let metadata = stage.metadata();
        let fetch = stage.fetches(0, 1);
        deaf.write(&[&fetch[..], &metadata].concat());
        stage.turns(SETTLING_TURNS);
        let large = stage.large_metadata_answer(&metadata);
        let mut answer = stage.answers(&fetch);
        answer.resize(first, 0);
        answer[..4].copy_from_slice(&(first as u32 - 4).to_be_bytes());
        answer.extend_from_slice(&large);
        let (upstream, mut written) = (stage.upstream(), 0);
        (0..100).for_each(|_| {
            written += upstream.write(&answer[written..]);
            stage.turns(1);
        });

        other.write(&metadata);
        stage.turns(SETTLING_TURNS);
        let (upstream, mut written) = (stage.upstream(), 0);
        for _ in 0..2 * large.len() / 1024 {
            written += upstream.write(&large[written..]);
            stage.turns(1);
            other.read(&mut Vec::new());
        }
        assert_eq!(written, large.len(), "behind an answer of {first} bytes");
    }
}

/// Has each client send as much of the rest of `bytes` as the gateway takes.
pub(super) fn send(stage: &mut Stage, clients: &[Peer], sent: &mut [usize], bytes: &[u8]) {
    for _ in 0..4 * bytes.len() / 1024 {
        for (client, sent) in clients.iter().zip(&mut *sent) {
            *sent += client.write(&bytes[*sent..]);
        }
        stage.turns(1);
    }
}

/// A request that is relayed unread (ListOffsets v1, without a client id). Of 300,000 bytes it takes a block of 1 MiB.
pub(super) fn large_request(bytes: usize) -> Vec<u8> {
    let mut frame = vec![0; bytes];
    frame[..4].copy_from_slice(&(bytes as u32 - 4).to_be_bytes());
    frame[4..14].copy_from_slice(&[0, 2, 0, 1, 0, 0, 0, 9, 0xff, 0xff]);
    frame
}

/// Room for one large frame of each side, and little else.
pub(super) const LIMITS: Limits = Limits {
    queued: 4096,
    frames: [1 << 20; 2],
    relaxed: Bounds { inbound: 4096, outbound: 1 << 14 },
    pressed: Bounds { inbound: 256, outbound: 256 },
};

/// Bytes of an answer that would pile up.
const ANSWER_BYTES: usize = 400_000;
