//! Three brokers behind one gateway: clients see no address but the gateway's, and follow the leaders through it.
//!
//! The brokers advertise a host name that only the gateway can resolve.

use std::collections::BTreeSet;
use std::time::Duration;

use bench_harness::kafka::tap::{Exchange, Tap};
use bench_harness::kafka::{Library, Listener, wait};

use super::endpoints;
use super::gateway::{DRIVERS, Gateway, Settings};
use super::judge::{Run, contains};
use super::load::Load;
use super::policy::{Rules, shipped_policy};
use super::records::generate;
use super::relay::groups_read_everything;
use super::world::{self, UPSTREAM_HOST, World};

/// Six partitions, so that each of the brokers leads two.
const PARTITIONS: u32 = 6;

#[test]
fn clients_see_no_address_but_the_gateways() {
    let world = world::three_brokers();
    for io in DRIVERS {
        let settings = Settings { advertised_host: TAPPED_HOST, ..settings("leak", io) };
        let gateway = Gateway::start(&settings, &world.cluster);
        let taps = gateway.taps();
        every_client_produces(&world, &gateway);
        let topic = topic(io, Library::FranzGo);
        groups_read_everything(&world, &gateway.plain(), &topic, RECORDS);
        tools_look_around(&world, &gateway);
        for endpoint in endpoints::all(&gateway.plain(), &topic) {
            let of_gateway = format!("{TAPPED_HOST}:{}", gateway.broker_port(endpoint.node_id as u16));
            assert_eq!(endpoint.address, of_gateway, "{}", endpoint.answer);
        }
        answers_hide_the_upstream(&gateway, &taps);
    }
}

fn every_client_produces(world: &World, gateway: &Gateway) {
    let sent = generate(61, RECORDS);
    let file = world.file("leak", sent.iter().map(|planted| &planted.sent));
    let rules = Rules::shipped();
    let topics = Library::ALL.map(|library| topic(gateway.io(), library));
    world.create_topics(&topics.join(","), PARTITIONS, &[]);
    for (library, topic) in Library::ALL.into_iter().zip(&topics) {
        assert_eq!(leaders(world, topic), BTreeSet::from([1, 2, 3]), "{topic}");
        let answers = world.produce(library, &gateway.plain(), topic, &file, &[]).unwrap();
        let stored = world.stored(topic);
        let run = Run { sent: &sent, answers: &answers, stored: &stored, duplicates: false, rules: &rules };
        assert_eq!(run.faults(), [""; 0], "{topic}");
    }
}

/// Tools whose answers hold addresses and settings of brokers.
fn tools_look_around(world: &World, gateway: &Gateway) {
    let bootstrap = gateway.plain();
    let broker = ["--bootstrap-server", &bootstrap, "--entity-type", "brokers", "--entity-name", "2"];
    let all = ["--describe", "--all"];
    let settings = world.tool("kafka.admin.ConfigCommand", &[&broker[..], &all].concat());
    assert!(settings.contains("advertised.listeners=null"), "{settings}");
    let nodes = world
        .tool("org.apache.kafka.tools.ClusterTool", &["list-endpoints", "--bootstrap-server", &bootstrap]);
    assert!(nodes.contains(TAPPED_HOST), "{nodes}");
    let quorum = ["--bootstrap-server", &bootstrap, "describe", "--status"];
    let quorum = world.tool("org.apache.kafka.tools.MetadataQuorumCommand", &quorum);
    assert!(quorum.contains("LeaderId:"), "{quorum}");
}

/// No byte towards a client names the upstream, although the upstream names it, in answers of every kind that can.
fn answers_hide_the_upstream(gateway: &Gateway, taps: &[Tap]) {
    assert!(gateway.log().contains(UPSTREAM_HOST), "the gateway has never heard of {UPSTREAM_HOST}");
    let exchanges: Vec<Exchange> = taps.iter().flat_map(Tap::take).collect();
    let answered = exchanges.iter().filter(|exchange| exchange.response.is_some());
    let seen: BTreeSet<i16> = answered.map(|exchange| exchange.api().0).collect();
    assert!(seen.is_superset(&BTreeSet::from(WITH_ADDRESSES)), "{seen:?}");
    let names_upstream = |exchange: &&Exchange| {
        contains(exchange.response.as_deref().unwrap_or_default(), UPSTREAM_HOST.as_bytes())
    };
    let leaks: BTreeSet<(i16, i16)> = exchanges.iter().filter(names_upstream).map(Exchange::api).collect();
    assert!(leaks.is_empty(), "API keys and versions: {leaks:?}");
}

#[test]
fn producers_follow_the_leaders() {
    let mut world = world::three_brokers();
    let gateways = DRIVERS.map(|io| Gateway::start(&settings("leaders", io), &world.cluster));
    let load = Load { name: "leaders", seconds: 20, partitions: PARTITIONS };
    let topic = load.topic(DRIVERS[0], Library::Java);
    let faults = load.during(&mut world, &gateways, |world| {
        world.cluster.shut_down(2).unwrap();
        assert_eq!(leaders(world, &topic), BTreeSet::from([1, 3]));
        world.cluster.restart(2).unwrap();
        wait::until("broker 2 leads again", Duration::from_secs(30), || {
            elect_preferred_leaders(world);
            Ok(leaders(world, &topic) == BTreeSet::from([1, 2, 3]))
        })
        .unwrap();
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Fails for partitions whose preferred leader has not caught up yet: whether it worked shows in the leaders.
fn elect_preferred_leaders(world: &World) {
    let bootstrap = world.cluster.address(1, Listener::Direct);
    let arguments =
        ["--bootstrap-server", &bootstrap, "--election-type", "preferred", "--all-topic-partitions"];
    world.clients.tool("org.apache.kafka.tools.LeaderElectionCommand", &arguments).unwrap();
}

fn leaders(world: &World, topic: &str) -> BTreeSet<i32> {
    endpoints::partition_leaders(&world.cluster.address(1, Listener::Direct), topic).into_iter().collect()
}

fn settings(name: &'static str, io: &'static str) -> Settings {
    let hosts = format!("127.0.0.1 localhost\n127.0.0.1 {UPSTREAM_HOST}\n");
    Settings { hosts: Some(hosts), ..Settings::new(name, io, shipped_policy(), Listener::Upstream) }
}

fn topic(io: &str, library: Library) -> String {
    format!("leak-{io}-{library:?}").to_lowercase()
}

const RECORDS: usize = 120;
/// Where the taps listen, and clients are told to find the brokers.
const TAPPED_HOST: &str = "127.0.0.2";
/// Produce, Metadata, FindCoordinator, DescribeConfigs, DescribeCluster, ShareFetch.
const WITH_ADDRESSES: [i16; 6] = [0, 3, 10, 32, 60, 78];
