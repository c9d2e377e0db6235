//! Whole Kafka connections on the faulty network.

mod answers;
mod broker;
mod client;
mod control;
mod ends;
mod memory;
mod requests;
mod rooms;
mod splits;
mod stage;
mod stalls;
mod world;

use super::for_every_seed;
use world::{Weather, World};

#[test]
fn every_request_has_its_answer_whatever_the_network_does() {
    for_every_seed(SEEDS, |seed| run(seed, Weather::ROUGH));
}

#[test]
fn what_brokers_answered_before_they_fell_away_arrives() {
    for_every_seed(SEEDS, |seed| run(seed, Weather::FALLING_BROKERS));
}

#[test]
fn resets_and_quitting_clients_leave_nothing() {
    for_every_seed(SEEDS, |seed| run(seed, Weather::HOSTILE));
}

#[test]
fn a_draining_gateway_finishes_what_is_under_way() {
    for_every_seed(SEEDS, |seed| run(seed, Weather::DRAINING));
}

#[test]
fn a_seed_gives_the_same_course_of_events() {
    let course = |seed| {
        let mut world = World::new(seed, Weather::HOSTILE);
        let ended = world.run_clients();
        let clients: Vec<_> = ended.iter().map(|ended| (ended.id, ended.answered, ended.course)).collect();
        (world.turns, clients)
    };
    for_every_seed(20, |seed| assert_eq!(course(seed), course(seed)));
}

fn run(seed: u64, weather: Weather) {
    let mut world = World::new(seed, weather);
    let ended = world.run_clients();
    world.check(&ended);
}

/// Seeds of one test: a few seconds.
const SEEDS: u64 = 200;
