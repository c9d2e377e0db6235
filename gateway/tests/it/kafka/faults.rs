//! The only broker goes away and comes back while idempotent producers send: nothing that was acknowledged is lost,
//! nothing is there twice, no partition is out of order, and every producer comes to its end.

use std::time::Duration;

use bench_harness::kafka::{Listener, Spec};

use super::gateway::{DRIVERS, Gateway, Settings};
use super::load::Load;
use super::policy::shipped_policy;
use super::world::{self, World};

#[test]
fn a_killed_broker_comes_back() {
    survive("killed", 20, |world| {
        world.cluster.kill(1).unwrap();
        world.cluster.restart(1).unwrap();
    });
}

#[test]
fn a_broker_restarts_in_good_order() {
    survive("restarted", 20, |world| {
        world.cluster.shut_down(1).unwrap();
        world.cluster.restart(1).unwrap();
    });
}

/// Longer than clients wait for an answer: franz-go 20 s, the Java client 30 s. They try again while the broker,
/// whose sockets still take connections, answers nobody.
#[test]
fn a_frozen_broker_goes_on() {
    survive("frozen", 36, |world| world.cluster.freeze(1, Duration::from_secs(30)).unwrap());
}

fn survive(name: &'static str, seconds: usize, fault: impl FnOnce(&mut World)) {
    let mut world = world::lend(Spec::single("faults"));
    let gateways = DRIVERS.map(|io| {
        let settings = Settings::new(name, io, shipped_policy(), Listener::Upstream);
        Gateway::start(&settings, &world.cluster)
    });
    let load = Load { name, seconds, partitions: 3 };
    let faults = load.during(&mut world, &gateways, fault);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
