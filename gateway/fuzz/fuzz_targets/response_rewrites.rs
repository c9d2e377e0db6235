//! Any bytes as a broker's response, of the kind and version that the first two bytes name: what is rewritten
//! holds no address but the gateway's.
#![no_main]

use gateway::protocol::kafka::api::AddressResponse;
use gateway::protocol::kafka::rewrite::{Directory, RewriteError, rewrite};
use gateway::protocol::kafka::{api_versions, produce_response, sasl};
use libfuzzer_sys::fuzz_target;

/// Knows every node but those with odd ids; a node that it gave an address comes back under that address.
#[derive(Default)]
struct Nodes {
    hosts: Vec<String>,
}

impl Directory for Nodes {
    fn learn_node(&mut self, _node_id: i32, host: &str, _port: u16) {
        self.hosts.push(host.to_owned());
    }

    fn learn_topic(&mut self, _topic_id: [u8; 16], _name: &str) {}

    fn address(&self, node_id: i32) -> Option<(&str, u16)> {
        (node_id % 2 == 0).then_some(("gateway", 9100))
    }
}

fuzz_target!(|data: &[u8]| {
    let [kind, version, response @ ..] = data else { return };
    let version = i16::from(version % 14);
    let kind = match kind % 9 {
        0 => AddressResponse::Metadata,
        1 => AddressResponse::FindCoordinator,
        2 => AddressResponse::DescribeCluster,
        3 => AddressResponse::ShareFetch,
        4 => AddressResponse::ShareAcknowledge,
        5 => AddressResponse::DescribeConfigs,
        6 => {
            let _ = api_versions::intersect(version % 5, response, &mut Vec::new());
            return;
        }
        7 => {
            let _ = sasl::parse_authenticate_response(version % 3, response);
            return;
        }
        _ => {
            return again(response, |bytes, nodes, out| {
                produce_response::rewrite(version, bytes, nodes, out)
            });
        }
    };
    again(response, |bytes, nodes, out| rewrite(kind, version, bytes, nodes, out));
});

/// Rewrites `response`, then its result: the second time only the gateway's address is there to be learnt, and
/// nothing changes.
fn again(response: &[u8], rewrite: impl Fn(&[u8], &mut Nodes, &mut Vec<u8>) -> Result<(), RewriteError>) {
    let mut once = Vec::new();
    if rewrite(response, &mut Nodes::default(), &mut once).is_err() {
        assert!(once.is_empty(), "a failure writes nothing");
        return;
    }
    let (mut nodes, mut twice) = (Nodes::default(), Vec::new());
    rewrite(&once, &mut nodes, &mut twice).expect("what we write can be read");
    assert!(nodes.hosts.iter().all(|host| host == "gateway"));
    assert_eq!(once, twice);
}
