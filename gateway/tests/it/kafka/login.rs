//! SASL passes through to the broker, and the upstream leg may be TLS.

use bench_harness::kafka::{Cluster, Library, Listener};

use super::gateway::{DRIVERS, Gateway, Settings, driver};
use super::judge::Run;
use super::policy::{Rules, shipped_policy};
use super::records::generate;
use super::world;

#[test]
fn clients_log_in_at_the_broker_through_the_gateway() {
    let world = world::shared();
    let settings = Settings::new("login", driver(), shipped_policy(), Listener::UpstreamSasl);
    let gateway = Gateway::start(&settings, &world.cluster);
    let sent = generate(17, 36);
    let file = world.file("login", sent.iter().map(|planted| &planted.sent));
    let (user, password) = Cluster::sasl_user();
    let ca = gateway.ca().display().to_string();
    let cases: Vec<(Library, &str, bool)> = vec![
        (Library::Java, "PLAIN", true),
        (Library::Java, "SCRAM-SHA-256", false),
        (Library::Librdkafka, "PLAIN", false),
        (Library::Librdkafka, "SCRAM-SHA-256", true),
        (Library::FranzGo, "SCRAM-SHA-256", false),
        (Library::Sarama, "PLAIN", true),
        (Library::KafkaJs, "SCRAM-SHA-256", false),
        (Library::AioKafka, "PLAIN", true),
    ];
    let topic = |(library, mechanism, tls): &(Library, &str, bool)| format!("{library:?}-{mechanism}-{tls}");
    world.create_topics(&cases.iter().map(topic).collect::<Vec<_>>().join(","), 3, &[]);
    let rules = Rules::shipped();
    let mut faults = Vec::new();
    for case in &cases {
        let (library, mechanism, tls) = *case;
        let mut options =
            vec!["--sasl-user", user, "--sasl-password", password, "--sasl-mechanism", mechanism];
        let bootstrap = if tls {
            options.extend(["--tls-ca", &*ca]);
            gateway.tls()
        } else {
            gateway.plain()
        };
        match world.produce(library, &bootstrap, &topic(case), &file, &options) {
            Err(error) => faults.push(format!("{case:?}: {error:#}")),
            Ok(answers) => {
                let stored = world.stored(&topic(case));
                let run =
                    Run { sent: &sent, answers: &answers, stored: &stored, duplicates: false, rules: &rules };
                faults.extend(run.faults().iter().map(|fault| format!("{case:?}: {fault}")));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_upstream_leg_may_be_tls() {
    let world = world::shared();
    let sent = generate(19, 36);
    let file = world.file("upstream-tls", sent.iter().map(|planted| &planted.sent));
    let rules = Rules::shipped();
    for driver in DRIVERS {
        let settings = Settings::new("upstream-tls", driver, shipped_policy(), Listener::UpstreamTls);
        let gateway = Gateway::start(&settings, &world.cluster);
        let ca = gateway.ca().display().to_string();
        for (bootstrap, tls) in [(gateway.plain(), &[][..]), (gateway.tls(), &["--tls-ca", &*ca])] {
            let topic = format!("{driver}-{}", tls.len());
            world.create_topics(&topic, 3, &[]);
            let answers = world.produce(Library::Librdkafka, &bootstrap, &topic, &file, tls).unwrap();
            let stored = world.stored(&topic);
            let faults =
                Run { sent: &sent, answers: &answers, stored: &stored, duplicates: false, rules: &rules }
                    .faults();
            assert!(faults.is_empty(), "{topic}: {}", faults.join("\n"));
        }
    }
}
