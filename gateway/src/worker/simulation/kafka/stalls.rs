//! Peers that stop reading: what waits for them in the gateway must not stop the others.

use super::super::for_every_seed;
use super::client::{Client, Ended};
use super::world::{Weather, World};

#[test]
fn consumers_that_do_not_read_stop_nobody() {
    for_every_seed(SEEDS, |seed| {
        let mut world = World::informed(seed, Weather::ROUGH);
        let mut deaf: Vec<Client> = STALLED.map(|id| world.consumer(id, HEALTHY_NODE)).collect();
        deaf.iter_mut().for_each(|client| client.deaf = true);
        let mut ended = vec![run_beside(&mut world, &mut deaf)];

        deaf.iter_mut().for_each(|client| client.deaf = false);
        ended.extend(world.run(deaf));
        world.check(&ended);
    });
}

#[test]
fn a_broker_that_does_not_read_stops_the_producers_of_no_other() {
    for_every_seed(SEEDS, |seed| {
        let mut world = World::informed(seed, Weather::ROUGH);
        world.brokers.frozen = Some(FROZEN_NODE);
        let mut stalled: Vec<Client> = STALLED.filter_map(|id| world.client(id, Some(FROZEN_NODE))).collect();
        let mut ended = vec![run_beside(&mut world, &mut stalled)];

        world.brokers.frozen = None;
        ended.extend(world.run(stalled));
        world.check(&ended);
    });
}

/// Runs a healthy client to its end, once the others have piled up what they can.
fn run_beside(world: &mut World, stalled: &mut [Client]) -> Ended {
    let start = world.turns;
    let mut healthy = world.client(1, Some(HEALTHY_NODE)).expect("the gateway listens");
    world.until("a healthy client", |world| {
        for client in &mut *stalled {
            let ended = client.step(&world.network, &world.brokers, world.turns);
            assert!(ended.is_none(), "a stalled client cannot finish");
        }
        let piled_up = world.turns - start > PILING_TURNS;
        piled_up.then(|| healthy.step(&world.network, &world.brokers, world.turns)).flatten()
    })
}

/// Client ids of the stalled: many more than the ring has blocks.
const STALLED: std::ops::Range<i32> = 10..22;
const HEALTHY_NODE: i32 = 1;
const FROZEN_NODE: i32 = 2;
/// Turns after which nothing more can be piled up.
const PILING_TURNS: usize = 200;
/// Seeds of one test: a few seconds.
const SEEDS: u64 = 5;
