//! Whom a connection with a large frame makes wait, and for how long.

use std::slice::from_ref;
use std::time::Duration;

use super::super::super::driver::faulty::Peer;
use super::memory::{LIMITS, large_request, send};
use super::stage::{SETTLING_TURNS, Stage};
use crate::telemetry::{Direction, Reason};

/// A worker with room for one large frame.
fn crowded() -> Stage {
    let stage = Stage::new();
    stage.worker.executor.io().state().limits = LIMITS;
    stage
}

#[test]
fn who_only_announces_a_large_frame_makes_nobody_wait() {
    let mut stage = crowded();
    let frame = large_request(300_000);
    let silent: Vec<Peer> = (0..20).map(|_| stage.client()).collect();
    silent.iter().for_each(|client| assert_eq!(client.write(&frame[..4096]), 4096));
    stage.turns(SETTLING_TURNS);

    let (client, mut sent) = (stage.client(), [0]);
    send(&mut stage, from_ref(&client), &mut sent, &frame);
    assert_eq!(sent, [frame.len()]);
}

#[test]
fn who_stops_in_a_large_frame_makes_others_wait_for_seconds() {
    let mut stage = crowded();
    let clients = [stage.client(), stage.client()];
    let frame = large_request(300_000);
    let mut sent = [0; 2];
    send(&mut stage, &clients[..1], &mut sent[..1], &frame[..280_000]);
    send(&mut stage, &clients[1..], &mut sent[1..], &frame);
    assert!(sent[1] < 290_000, "the first has the room: {sent:?}");
    assert_eq!(stage.worker.shared.counters.large_frames_waiting(Direction::Downstream), 1);

    stage.after(AWAITED_LOOK);
    assert!(clients[0].at_end());
    assert_eq!(stage.refused(Reason::StalledFrame), 1);
    // At once, though the first does not close its end.
    send(&mut stage, &clients[1..], &mut sent[1..], &frame);
    assert_eq!(sent[1], frame.len());
}

#[test]
fn a_broker_that_stops_taking_a_large_frame_makes_others_wait_for_seconds() {
    let mut stage = crowded();
    let clients = [stage.client(), stage.client()];
    let frame = large_request(300_000);
    let mut sent = [0; 2];
    send(&mut stage, &clients[..1], &mut sent[..1], &frame);
    send(&mut stage, &clients[1..], &mut sent[1..], &frame);
    assert!(sent[0] == frame.len() && sent[1] < 290_000, "the first has the room: {sent:?}");

    (0..2).for_each(|_| stage.after(AWAITED_LOOK));
    assert_eq!(stage.refused(Reason::StalledFrame), 1);
    assert!(clients[0].is_reset(), "to be tried again: nothing was answered");
    send(&mut stage, &clients[1..], &mut sent[1..], &frame);
    assert_eq!(sent[1], frame.len());
}

#[test]
fn who_stops_in_a_large_frame_for_which_nobody_waits_has_a_minute() {
    let mut stage = crowded();
    let client = stage.client();
    client.write(&stage.fetches(0, 1));
    send(&mut stage, from_ref(&client), &mut [0], &large_request(300_000)[..280_000]);
    (0..11).for_each(|_| stage.after(AWAITED_LOOK));
    assert!(!client.at_end());
}

#[test]
fn who_keeps_pace_keeps_the_room_whoever_waits() {
    let mut stage = crowded();
    let clients = [stage.client(), stage.client()];
    clients.iter().for_each(|client| assert!(client.write(&stage.fetches(0, 1)) > 0));
    let frame = large_request(900_000);
    let mut sent = [0; 2];
    for share in 4..=9 {
        send(&mut stage, &clients[..1], &mut sent[..1], &frame[..share * 100_000]);
        send(&mut stage, &clients[1..], &mut sent[1..], &frame);
        stage.after(AWAITED_LOOK);
        assert_eq!(stage.refused(Reason::StalledFrame), 0, "{sent:?}");
        assert!(sent[1] < 290_000, "{sent:?}");
    }
    assert_eq!(sent[0], frame.len());
}

/// How often who has room is looked at while others wait.
const AWAITED_LOOK: Duration = Duration::from_secs(5);
