//! Certificates of clients: they open the listener, and they name the principal that rules are for. The upstream leg
//! shows the gateway's own.

use std::path::Path;

use bench_harness::kafka::clients::{Answer, Header, Record};
use bench_harness::kafka::{Authority, Library, Listener};

use super::gateway::{DRIVERS, Gateway, Settings, driver};
use super::records::ID_HEADER;
use super::world::{self, World};

/// A client library, the common name of its certificate, and what arrives of [`SENT`].
const CASES: [(Library, &str, &str); 6] = [
    (Library::Java, "intake", MASKED),
    (Library::Librdkafka, "desk", SENT),
    (Library::FranzGo, "intake", MASKED),
    (Library::Sarama, "desk", SENT),
    (Library::KafkaJs, "intake", MASKED),
    (Library::AioKafka, "desk", SENT),
];

const SENT: &str = "from jane.doe@example.com";
const MASKED: &str = "from ****.***@*******.***";

#[test]
fn a_client_is_the_principal_that_its_certificate_names() {
    let world = world::shared();
    for driver in DRIVERS {
        let gateway = start(&world, driver);
        for (library, name, expected) in CASES {
            let topic = format!("certificates-{driver}-{library:?}");
            world.create_topics(&topic, 1, &[]);
            let certificate = gateway.client_certificate(name);
            let answers =
                produce(&world, &gateway, library, &topic, &["--tls-identity", &text(&certificate)]);
            assert_eq!(answers.unwrap()[0].error, None, "{topic}");
            let stored = world.stored(&topic);
            let values: Vec<&[u8]> =
                stored.iter().filter_map(|stored| stored.record.value.as_deref()).collect();
            assert_eq!(values, [expected.as_bytes()], "{topic}, User:CN={name}");
        }
    }
}

#[test]
fn a_client_without_a_certificate_of_the_authority_is_refused() {
    let world = world::shared();
    let gateway = start(&world, driver());
    let stranger = Authority::create(&world.text("stranger", "").with_extension("d")).unwrap();
    let stranger = text(&stranger.issue("intake", &[]).unwrap().both);
    for (topic, identity) in
        [("certificates-none", &[][..]), ("certificates-stranger", &["--tls-identity", &*stranger])]
    {
        world.create_topics(topic, 1, &[]);
        let refused = match produce(&world, &gateway, Library::Java, topic, identity) {
            Ok(answers) => answers.iter().all(|answer| answer.error.is_some()),
            Err(_) => true,
        };
        assert!(refused, "{topic}");
        assert_eq!(world.stored_bytes(topic), 0, "{topic}");
    }
}

fn start(world: &World, driver: &'static str) -> Gateway {
    let policy = world.text("certificates.toml", POLICY);
    let settings = Settings::new("certificates", driver, policy, Listener::UpstreamMutualTls);
    Gateway::start(&Settings { client_certificates: true, ..settings }, &world.cluster)
}

fn produce(
    world: &World,
    gateway: &Gateway,
    library: Library,
    topic: &str,
    identity: &[&str],
) -> anyhow::Result<Vec<Answer>> {
    let record = Record {
        id: "one".to_owned(),
        key: None,
        value: Some(SENT.into()),
        headers: vec![Header(ID_HEADER.to_owned(), Some("one".into()))],
    };
    let file = world.file(topic, [&record]);
    let ca = text(&gateway.ca());
    let options = [&["--tls-ca", &ca], identity].concat();
    world.produce(library, &gateway.tls(), topic, &file, &options)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

const POLICY: &str = r#"
version = 1
default_level = "public"

[[rule]]
id = "addresses-of-the-intake"
detectors = ["email"]
principals = ["User:CN=intake"]
level = "confidential"
mask = { operator = "redact" }
"#;
