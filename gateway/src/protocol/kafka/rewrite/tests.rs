use bytes::Bytes;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    BrokerId, DescribeClusterResponse, DescribeConfigsResponse, FindCoordinatorResponse, MetadataResponse,
    ShareAcknowledgeResponse, ShareFetchResponse, TopicName, share_acknowledge_response,
    share_fetch_response,
};
use kafka_protocol::protocol::StrBytes;

use super::super::testing::{TestDirectory, gateway_address, real_address, response_frame, topic_id};
use super::*;

/// Host and port of a node.
type Address = fn(i32) -> (String, i32);

/// Makes a response of a version with the addresses of so many nodes.
type Build = fn(i16, i32, Address) -> Vec<u8>;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn metadata(version: i16, nodes: i32, address: Address) -> Vec<u8> {
    let flexible = version >= 9;
    let broker = |id| {
        let (host, port) = address(id);
        let mut broker = MetadataResponseBroker::default()
            .with_node_id(BrokerId(id))
            .with_host(text(&host))
            .with_port(port);
        if version >= 1 {
            broker.rack = Some(text("rack"));
        }
        if flexible {
            broker.unknown_tagged_fields.insert(9, Bytes::from_static(b"tag"));
        }
        broker
    };
    let mut partition = MetadataResponsePartition::default()
        .with_leader_id(BrokerId(1))
        .with_replica_nodes(vec![BrokerId(1), BrokerId(2)])
        .with_isr_nodes(vec![BrokerId(1)]);
    if version >= 7 {
        partition.leader_epoch = 4;
    }
    let mut topic = MetadataResponseTopic::default()
        .with_name(Some(TopicName(text("orders"))))
        .with_partitions(vec![partition; 2]);
    if version >= 10 {
        topic.topic_id = topic_id("orders").to_vec().try_into().expect("16 bytes");
    }
    let mut response = MetadataResponse::default()
        .with_brokers((0..nodes).map(broker).collect())
        .with_topics(vec![topic, MetadataResponseTopic::default().with_error_code(3)]);
    response.topics[1].name = Some(TopicName(text("missing")));
    if version >= 2 {
        response.cluster_id = Some(text("cluster"));
    }
    response_frame(&response, version, flexible)
}

fn find_coordinator(version: i16, nodes: i32, address: Address) -> Vec<u8> {
    let mut response = FindCoordinatorResponse::default();
    if version >= 4 {
        let coordinator = |id| {
            let (host, port) = address(id);
            Coordinator::default()
                .with_key(text("group"))
                .with_node_id(BrokerId(id))
                .with_host(text(&host))
                .with_port(port)
        };
        response.coordinators = (0..nodes).map(coordinator).collect();
        let none = Coordinator::default().with_node_id(BrokerId(-1)).with_port(-1).with_error_code(15);
        response.coordinators.push(none);
    } else {
        let (host, port) = address(nodes - 1);
        response = response.with_node_id(BrokerId(nodes - 1)).with_host(text(&host)).with_port(port);
    }
    response_frame(&response, version, version >= 3)
}

fn describe_cluster(version: i16, nodes: i32, address: Address) -> Vec<u8> {
    let broker = |id| {
        let (host, port) = address(id);
        DescribeClusterBroker::default().with_broker_id(BrokerId(id)).with_host(text(&host)).with_port(port)
    };
    let response = DescribeClusterResponse::default()
        .with_cluster_id(text("cluster"))
        .with_brokers((0..nodes).map(broker).collect());
    response_frame(&response, version, true)
}

fn share_fetch(version: i16, nodes: i32, address: Address) -> Vec<u8> {
    use share_fetch_response::{AcquiredRecords, NodeEndpoint, PartitionData, ShareFetchableTopicResponse};
    let partition = PartitionData::default()
        .with_records(Some(Bytes::from_static(b"records")))
        .with_acquired_records(vec![AcquiredRecords::default(); 2]);
    let endpoint = |id| {
        let (host, port) = address(id);
        NodeEndpoint::default().with_node_id(BrokerId(id)).with_host(text(&host)).with_port(port)
    };
    let response = ShareFetchResponse::default()
        .with_responses(vec![ShareFetchableTopicResponse::default().with_partitions(vec![partition; 2])])
        .with_node_endpoints((0..nodes).map(endpoint).collect());
    let _ = version; // 2 has the layout of 1
    response_frame(&response, 1, true)
}

fn share_acknowledge(version: i16, nodes: i32, address: Address) -> Vec<u8> {
    use share_acknowledge_response::{NodeEndpoint, PartitionData, ShareAcknowledgeTopicResponse};
    let endpoint = |id| {
        let (host, port) = address(id);
        NodeEndpoint::default().with_node_id(BrokerId(id)).with_host(text(&host)).with_port(port)
    };
    let topic = ShareAcknowledgeTopicResponse::default().with_partitions(vec![PartitionData::default(); 2]);
    let response = ShareAcknowledgeResponse::default()
        .with_responses(vec![topic])
        .with_node_endpoints((0..nodes).map(endpoint).collect());
    let mut frame = response_frame(&response, 1, true);
    if version >= 2 {
        let after_message = 4 + 4 + 1 + 4 + 2 + 1;
        frame.splice(after_message..after_message, [0, 0, 1, 0]);
        let size = (frame.len() - 4) as u32;
        frame[..4].copy_from_slice(&size.to_be_bytes());
    }
    frame
}

const TABLE: [(AddressResponse, std::ops::RangeInclusive<i16>, Build); 5] = [
    (AddressResponse::Metadata, 0..=13, metadata),
    (AddressResponse::FindCoordinator, 0..=6, find_coordinator),
    (AddressResponse::DescribeCluster, 0..=2, describe_cluster),
    (AddressResponse::ShareFetch, 1..=2, share_fetch),
    (AddressResponse::ShareAcknowledge, 1..=2, share_acknowledge),
];

#[test]
fn only_addresses_change_in_every_version() {
    for (kind, versions, build) in TABLE {
        for version in versions {
            for nodes in [1, 3, 140] {
                let mut directory = TestDirectory::default();
                let mut out = b"before".to_vec();
                let done =
                    rewrite(kind, version, &build(version, nodes, real_address), &mut directory, &mut out);

                assert_eq!(done, Ok(()), "{kind:?} {version}");
                assert!(
                    out[6..] == build(version, nodes, gateway_address),
                    "{kind:?} {version} {nodes} nodes"
                );
                let (host, port) = real_address(nodes - 1);
                let last = (nodes - 1, host, port as u16);
                assert_eq!(directory.nodes.last(), Some(&last), "{kind:?} {version}");
            }
        }
    }
}

#[test]
fn nodes_without_address_are_reported_and_all_are_learnt() {
    for (kind, versions, build) in TABLE {
        for version in versions {
            let mut directory = TestDirectory { unknown_from: 1, ..TestDirectory::default() };
            let mut out = b"before".to_vec();
            let response = build(version, 3, real_address);
            let done = rewrite(kind, version, &response, &mut directory, &mut out);

            assert!(matches!(done, Err(RewriteError::UnknownNode { node_id: 1..=2 })), "{kind:?} {version}");
            assert_eq!(out, b"before");
            assert_eq!(directory.nodes.last().map(|(node_id, ..)| *node_id), Some(2), "{kind:?} {version}");
        }
    }
}

#[test]
fn every_strict_prefix_and_every_extra_byte_is_an_error() {
    for (kind, versions, build) in TABLE {
        for version in versions {
            let mut frame = build(version, 3, real_address);
            let mut directory = TestDirectory::default();
            let mut out = Vec::new();
            for end in 0..frame.len() {
                let done = rewrite(kind, version, &frame[..end], &mut directory, &mut out);
                assert!(done.is_err() && out.is_empty(), "{kind:?} {version} cut at {end}");
            }
            frame.push(0);
            assert!(rewrite(kind, version, &frame, &mut directory, &mut out).is_err(), "{kind:?} {version}");
        }
    }
}

#[test]
fn topic_ids_are_learnt_from_metadata() {
    for version in 0..=13 {
        let mut directory = TestDirectory::default();
        let response = metadata(version, 1, real_address);
        rewrite(AddressResponse::Metadata, version, &response, &mut directory, &mut Vec::new())
            .expect("good");

        let expected = if version >= 10 { vec![(topic_id("orders"), "orders".to_owned())] } else { vec![] };
        assert_eq!(directory.topics, expected, "version {version}");
    }
}

#[test]
fn controllers_are_left_out_of_describe_cluster() {
    for version in 1..=2 {
        let mut response = DescribeClusterResponse::default().with_endpoint_type(2);
        let controller = DescribeClusterBroker::default().with_host(text("controller")).with_port(9093);
        response.brokers = vec![controller];
        let mut out = Vec::new();
        let mut directory = TestDirectory::default();
        let frame = response_frame(&response, version, true);
        rewrite(AddressResponse::DescribeCluster, version, &frame, &mut directory, &mut out).expect("good");

        response.brokers.clear();
        assert_eq!(out, response_frame(&response, version, true));
        assert_eq!(directory.nodes, []);
    }
}

fn configs(version: i16, resource_type: i8, listeners: Option<&str>) -> Vec<u8> {
    let config = |name: &str, value: Option<&str>| {
        let synonym = DescribeConfigsSynonym::default().with_name(text(name)).with_value(value.map(text));
        let mut config = DescribeConfigsResourceResult::default()
            .with_name(text(name))
            .with_value(value.map(text))
            .with_synonyms(vec![synonym]);
        if version >= 3 {
            config.documentation = Some(text("what it is"));
        }
        config
    };
    let result = DescribeConfigsResult::default()
        .with_resource_type(resource_type)
        .with_resource_name(text("1"))
        .with_configs(vec![
            config("advertised.listeners", listeners),
            config("controller.quorum.voters", listeners),
            config("log.retention.ms", Some("7")),
        ]);
    response_frame(&DescribeConfigsResponse::default().with_results(vec![result]), version, version >= 4)
}

#[test]
fn addresses_in_broker_configurations_become_null() {
    let real = Some("PLAINTEXT://real:9092");
    for version in 1..=4 {
        for (resource_type, expected) in [(4, None), (2, real)] {
            let frame = configs(version, resource_type, real);
            let mut out = Vec::new();
            let mut directory = TestDirectory::default();
            let kind = AddressResponse::DescribeConfigs;
            rewrite(kind, version, &frame, &mut directory, &mut out).expect("a good response");

            assert_eq!(out, configs(version, resource_type, expected), "version {version}");
            for end in 0..frame.len() {
                assert!(rewrite(kind, version, &frame[..end], &mut directory, &mut Vec::new()).is_err());
            }
        }
    }
}
