use bytes::Bytes;
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, NodeEndpoint, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{BrokerId, ProduceResponse, TopicName};
use kafka_protocol::protocol::StrBytes;

use super::super::testing::{
    RequestSpec, TestDirectory, gateway_address, produce_frame, real_address, response_frame, topic_id,
};
use super::*;

const VERSIONS: std::ops::RangeInclusive<i16> = 3..=13;

/// What a response says of one partition.
#[derive(Clone, Copy)]
enum Said {
    Offset(i64),
    Refused,
}

/// Topics, each with its partitions and what is said of them.
type Topics<'a> = [(&'a str, &'a [(i32, Said)])];

fn partition(version: i16, index: i32, said: Said) -> PartitionProduceResponse {
    let base = PartitionProduceResponse::default().with_index(index);
    let mut made = match said {
        Said::Offset(offset) => base.with_base_offset(offset).with_log_append_time_ms(offset + 1),
        Said::Refused => {
            base.with_error_code(refusal_code(version).0).with_base_offset(-1).with_log_append_time_ms(-1)
        }
    };
    if version >= 5 {
        made.log_start_offset = if matches!(said, Said::Offset(_)) { 5 } else { -1 };
    }
    if version >= 8 && matches!(said, Said::Refused) {
        let record = |index, message: Option<&str>| {
            BatchIndexAndErrorMessage::default()
                .with_batch_index(index)
                .with_batch_index_error_message(message.map(|text| StrBytes::from_string(text.into())))
        };
        made.record_errors = vec![record(1, Some("cards")), record(4, None)];
        made.error_message = Some(StrBytes::from_static_str("refused by policy"));
    }
    if version >= 9 && matches!(said, Said::Offset(_)) {
        made.unknown_tagged_fields.insert(50, Bytes::from_static(b"tag"));
    }
    made
}

fn response(version: i16, topics: &Topics<'_>, nodes: i32, address: fn(i32) -> (String, i32)) -> Vec<u8> {
    let topic = |&(name, partitions): &(&str, &[(i32, Said)])| {
        let mut topic = TopicProduceResponse::default();
        if version >= 13 {
            topic.topic_id = topic_id(name).to_vec().try_into().expect("16 bytes");
        } else {
            topic.name = TopicName(StrBytes::from_string(name.into()));
        }
        topic.partition_responses =
            partitions.iter().map(|&(index, said)| partition(version, index, said)).collect();
        topic
    };
    let mut response = ProduceResponse::default().with_responses(topics.iter().map(topic).collect());
    if version >= 10 {
        let endpoint = |id| {
            let (host, port) = address(id);
            NodeEndpoint::default()
                .with_node_id(BrokerId(id))
                .with_host(StrBytes::from_string(host))
                .with_port(port)
        };
        response.node_endpoints = (0..nodes).map(endpoint).collect();
    }
    if version >= 9 {
        response.unknown_tagged_fields.insert(70, Bytes::from_static(b"tag"));
    }
    response_frame(&response, version, version >= 9)
}

fn refused(version: i16) -> PartitionError {
    PartitionError {
        error_code: refusal_code(version),
        record_errors: vec![(4, None), (1, Some("cards".into()))],
        message: Some("refused by policy".into()),
    }
}

/// The answer to a request for `topics`, with those refused that are to be.
fn answer(version: i16, topics: &Topics<'_>) -> ProduceAnswer {
    let topics_of_request = topics
        .iter()
        .map(|&(name, partitions)| {
            (name, partitions.iter().map(|&(index, _)| (index, Some(vec![0; 3]))).collect())
        })
        .collect();
    let spec =
        RequestSpec { api_version: version, acks: -1, transactional_id: None, topics: topics_of_request };
    let frame = produce_frame(&spec);
    let mut request = ProduceRequest::default();
    request.parse(&frame).expect("a good frame");
    let mut answer = ProduceAnswer::new(&frame, &request);
    let said = topics.iter().flat_map(|(_, partitions)| partitions.iter());
    for (position, (_, said)) in said.enumerate() {
        if matches!(said, Said::Refused) {
            answer.refuse(position, refused(version));
        }
    }
    answer
}

#[test]
fn codes_are_known_to_the_clients_of_the_version() {
    assert_eq!(refusal_code(7), ErrorCode::POLICY_VIOLATION);
    assert_eq!(refusal_code(8), ErrorCode::INVALID_RECORD);
}

#[test]
fn node_endpoints_change_and_nothing_else() {
    let topics: &Topics<'_> =
        &[("a", &[(0, Said::Offset(7))]), ("b", &[(1, Said::Offset(8)), (2, Said::Refused)])];
    for version in VERSIONS {
        for nodes in [0, 1, 60] {
            let frame = response(version, topics, nodes, real_address);
            let mut out = b"before".to_vec();
            let mut directory = TestDirectory::default();

            assert_eq!(rewrite(version, &frame, &mut directory, &mut out), Ok(()));

            assert!(out[6..] == response(version, topics, nodes, gateway_address), "version {version}");
            let learnt = if version >= 10 { nodes as usize } else { 0 };
            assert_eq!(directory.nodes.len(), learnt, "version {version}");
        }
    }
}

#[test]
fn refused_partitions_stand_in_the_order_of_the_request() {
    let topics: &Topics<'_> = &[
        ("a", &[(3, Said::Refused), (0, Said::Offset(7)), (1, Said::Refused)]),
        ("b", &[(0, Said::Refused)]),
        ("c", &[(0, Said::Offset(9))]),
    ];
    let of_broker: &Topics<'_> = &[("c", &[(0, Said::Offset(9))]), ("a", &[(0, Said::Offset(7))])];
    for version in VERSIONS {
        let answer = answer(version, topics);
        assert!(answer.partitions.iter().any(|partition| partition.error.is_none()));
        let mut out = Vec::new();
        let frame = response(version, of_broker, 2, real_address);

        assert_eq!(answer.merge(&frame, &mut TestDirectory::default(), &mut out), Ok(()));

        assert!(out == response(version, topics, 2, gateway_address), "version {version}");
        for end in 0..frame.len() {
            let mut out = Vec::new();
            let merged = answer.merge(&frame[..end], &mut TestDirectory::default(), &mut out);
            assert!(merged.is_err() && out.is_empty(), "version {version} cut at {end}");
        }
    }
}

#[test]
fn many_partitions_are_found_in_whatever_order_the_broker_answers() {
    let said = |index| (index, if index == 17 { Said::Refused } else { Said::Offset(i64::from(index)) });
    let partitions: Vec<_> = (0..5_000).map(said).collect();
    let mut of_broker: Vec<_> = partitions.iter().rev().copied().filter(|(index, _)| *index != 17).collect();
    of_broker.rotate_left(1_234);
    for version in [7, 13] {
        let topics: &Topics<'_> = &[("b", &partitions[..2_500]), ("a", &partitions[2_500..])];
        let (of_a, of_b): (Vec<_>, Vec<_>) = of_broker.iter().partition(|(index, _)| *index >= 2_500);
        let frame = response(version, &[("a", &of_a), ("b", &of_b)], 0, real_address);
        let mut out = Vec::new();

        let merged = answer(version, topics).merge(&frame, &mut TestDirectory::default(), &mut out);

        assert_eq!(merged, Ok(()));
        assert!(out == response(version, topics, 0, gateway_address), "version {version}");
    }
}

#[test]
fn local_answer_decodes_and_has_no_offsets() {
    let topics: &Topics<'_> =
        &[("a", &[(3, Said::Refused), (1, Said::Refused)]), ("b", &[(0, Said::Refused)])];
    for version in VERSIONS {
        let answer = answer(version, topics);
        assert!(answer.partitions.iter().all(|partition| partition.error.is_some()));
        let mut out = Vec::new();
        answer.write_local(&mut out);

        let with_tag = response(version, topics, 0, real_address);
        let mut expected = with_tag.clone();
        if version >= 9 {
            expected.truncate(with_tag.len() - 6); // the unknown tag of the test's response
            expected.push(0);
            let size = (expected.len() - 4) as u32;
            expected[..4].copy_from_slice(&size.to_be_bytes());
        }
        assert_eq!(out, expected, "version {version}");
    }
}

#[test]
fn missing_partition_is_an_error() {
    let topics: &Topics<'_> = &[("a", &[(0, Said::Refused), (1, Said::Offset(1))])];
    let frame = response(9, &[("a", &[(2, Said::Offset(1))])], 0, real_address);
    let merged = answer(9, topics).merge(&frame, &mut TestDirectory::default(), &mut Vec::new());
    assert_eq!(merged, Err(RewriteError::MissingPartition { index: 1 }));
}
