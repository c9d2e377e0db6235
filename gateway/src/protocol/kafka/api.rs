//! The table of requests that may pass, and what is done with each.
//!
//! It is the only place that knows API keys and versions: the allow decision, the advertised version ranges
//! and the header version all come from here. Source: the message schemas of Apache Kafka 4.3 (listener
//! `broker`), minimum versions by KIP-896. A key or version that is not in the table is refused.

use std::ops::RangeInclusive;

use Handling::{Inspect, Relay, SaslAuthenticate, SaslHandshake};
use Response::{Opaque, Rewrite};

/// Which request a frame carries: `api_key` of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApiKey(pub i16);

impl ApiKey {
    /// Produce.
    pub const PRODUCE: Self = Self(0);
    /// Metadata.
    pub const METADATA: Self = Self(3);
    /// FindCoordinator.
    pub const FIND_COORDINATOR: Self = Self(10);
    /// SaslHandshake.
    pub const SASL_HANDSHAKE: Self = Self(17);
    /// ApiVersions.
    pub const API_VERSIONS: Self = Self(18);
    /// DescribeConfigs.
    pub const DESCRIBE_CONFIGS: Self = Self(32);
    /// SaslAuthenticate.
    pub const SASL_AUTHENTICATE: Self = Self(36);
    /// DescribeCluster.
    pub const DESCRIBE_CLUSTER: Self = Self(60);
    /// ShareFetch.
    pub const SHARE_FETCH: Self = Self(78);
    /// ShareAcknowledge.
    pub const SHARE_ACKNOWLEDGE: Self = Self(79);

    /// The official name; `unknown` for a key that is not in the table.
    pub fn name(self) -> &'static str {
        find(self).map_or("unknown", |api| api.name)
    }
}

/// One row of the table.
#[derive(Debug)]
pub struct Api {
    /// The key.
    pub key: ApiKey,
    /// The official name.
    pub name: &'static str,
    /// Versions that the gateway reads or relays.
    pub versions: RangeInclusive<i16>,
    /// First flexible version (KIP-482): request header 2, response header 1.
    pub flexible_from: i16,
    /// What is done with the request and its response.
    pub handling: Handling,
}

/// What is done with a request of the table and with its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handling {
    /// It carries records: parsed to the last byte, inspected, sealed.
    Inspect,
    /// Passed; the response is cut down to what the gateway supports.
    ApiVersions,
    /// Passed; names the mechanism.
    SaslHandshake,
    /// Passed; carries the principal.
    SaslAuthenticate,
    /// Passed unread.
    Relay(Response),
}

/// What is done with the response to a relayed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// Passed unread.
    Opaque,
    /// It names brokers and goes through [`super::rewrite::rewrite`].
    Rewrite(AddressResponse),
}

/// Responses that reveal broker addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressResponse {
    /// Metadata 0 to 13: `brokers`.
    Metadata,
    /// FindCoordinator 0 to 6: one address, or `coordinators`.
    FindCoordinator,
    /// DescribeCluster 0 to 2: `brokers`.
    DescribeCluster,
    /// ShareFetch 1 to 2: `node_endpoints`.
    ShareFetch,
    /// ShareAcknowledge 1 to 2: `node_endpoints`.
    ShareAcknowledge,
    /// DescribeConfigs 1 to 4: configuration values of brokers that hold addresses.
    DescribeConfigs,
}

/// The row of `key`.
pub fn find(key: ApiKey) -> Option<&'static Api> {
    let row = APIS.binary_search_by_key(&key, |api| api.key).ok()?;
    APIS.get(row)
}

/// True when `version` of `key` uses compact forms and tagged fields. False for unknown keys.
pub fn is_flexible(key: ApiKey, version: i16) -> bool {
    find(key).is_some_and(|api| version >= api.flexible_from)
}

/// True for requests that only brokers and controllers send each other.
pub fn is_inter_broker(key: ApiKey) -> bool {
    matches!(key.0, 4..=7 | 27 | 52..=54 | 56 | 58 | 59 | 62 | 63 | 67 | 70 | 73 | 82..=87)
}

const fn api(
    key: i16,
    name: &'static str,
    versions: RangeInclusive<i16>,
    flexible_from: i16,
    handling: Handling,
) -> Api {
    Api { key: ApiKey(key), name, versions, flexible_from, handling }
}

/// `flexible_from` of the two requests that were never given a flexible version.
const NEVER: i16 = i16::MAX;

/// Ascending by key.
///
/// Fetch stops at 15 and DescribeQuorum at 1: later responses name broker addresses. AddPartitionsToTxn stops
/// at 3: later versions are for brokers (KIP-890).
#[rustfmt::skip]
static APIS: &[Api] = &[
    api(0, "Produce", 3..=13, 9, Inspect),
    api(1, "Fetch", 4..=15, 12, Relay(Opaque)),
    api(2, "ListOffsets", 1..=11, 6, Relay(Opaque)),
    api(3, "Metadata", 0..=13, 9, Relay(Rewrite(AddressResponse::Metadata))),
    api(8, "OffsetCommit", 2..=10, 8, Relay(Opaque)),
    api(9, "OffsetFetch", 1..=10, 6, Relay(Opaque)),
    api(10, "FindCoordinator", 0..=6, 3, Relay(Rewrite(AddressResponse::FindCoordinator))),
    api(11, "JoinGroup", 0..=9, 6, Relay(Opaque)),
    api(12, "Heartbeat", 0..=4, 4, Relay(Opaque)),
    api(13, "LeaveGroup", 0..=5, 4, Relay(Opaque)),
    api(14, "SyncGroup", 0..=5, 4, Relay(Opaque)),
    api(15, "DescribeGroups", 0..=6, 5, Relay(Opaque)),
    api(16, "ListGroups", 0..=5, 3, Relay(Opaque)),
    api(17, "SaslHandshake", 0..=1, NEVER, SaslHandshake),
    api(18, "ApiVersions", 0..=4, 3, Handling::ApiVersions),
    api(19, "CreateTopics", 2..=7, 5, Relay(Opaque)),
    api(20, "DeleteTopics", 1..=6, 4, Relay(Opaque)),
    api(21, "DeleteRecords", 0..=2, 2, Relay(Opaque)),
    api(22, "InitProducerId", 0..=6, 2, Relay(Opaque)),
    api(23, "OffsetForLeaderEpoch", 2..=4, 4, Relay(Opaque)),
    api(24, "AddPartitionsToTxn", 0..=3, 3, Relay(Opaque)),
    api(25, "AddOffsetsToTxn", 0..=4, 3, Relay(Opaque)),
    api(26, "EndTxn", 0..=5, 3, Relay(Opaque)),
    api(28, "TxnOffsetCommit", 0..=5, 3, Relay(Opaque)),
    api(29, "DescribeAcls", 1..=3, 2, Relay(Opaque)),
    api(30, "CreateAcls", 1..=3, 2, Relay(Opaque)),
    api(31, "DeleteAcls", 1..=3, 2, Relay(Opaque)),
    api(32, "DescribeConfigs", 1..=4, 4, Relay(Rewrite(AddressResponse::DescribeConfigs))),
    api(33, "AlterConfigs", 0..=2, 2, Relay(Opaque)),
    api(34, "AlterReplicaLogDirs", 1..=2, 2, Relay(Opaque)),
    api(35, "DescribeLogDirs", 1..=5, 2, Relay(Opaque)),
    api(36, "SaslAuthenticate", 0..=2, 2, SaslAuthenticate),
    api(37, "CreatePartitions", 0..=3, 2, Relay(Opaque)),
    api(38, "CreateDelegationToken", 1..=3, 2, Relay(Opaque)),
    api(39, "RenewDelegationToken", 1..=2, 2, Relay(Opaque)),
    api(40, "ExpireDelegationToken", 1..=2, 2, Relay(Opaque)),
    api(41, "DescribeDelegationToken", 1..=3, 2, Relay(Opaque)),
    api(42, "DeleteGroups", 0..=2, 2, Relay(Opaque)),
    api(43, "ElectLeaders", 0..=2, 2, Relay(Opaque)),
    api(44, "IncrementalAlterConfigs", 0..=1, 1, Relay(Opaque)),
    api(45, "AlterPartitionReassignments", 0..=1, 0, Relay(Opaque)),
    api(46, "ListPartitionReassignments", 0..=0, 0, Relay(Opaque)),
    api(47, "OffsetDelete", 0..=0, NEVER, Relay(Opaque)),
    api(48, "DescribeClientQuotas", 0..=1, 1, Relay(Opaque)),
    api(49, "AlterClientQuotas", 0..=1, 1, Relay(Opaque)),
    api(50, "DescribeUserScramCredentials", 0..=0, 0, Relay(Opaque)),
    api(51, "AlterUserScramCredentials", 0..=0, 0, Relay(Opaque)),
    api(55, "DescribeQuorum", 0..=1, 0, Relay(Opaque)),
    api(57, "UpdateFeatures", 0..=2, 0, Relay(Opaque)),
    api(60, "DescribeCluster", 0..=2, 0, Relay(Rewrite(AddressResponse::DescribeCluster))),
    api(61, "DescribeProducers", 0..=0, 0, Relay(Opaque)),
    api(64, "UnregisterBroker", 0..=0, 0, Relay(Opaque)),
    api(65, "DescribeTransactions", 0..=0, 0, Relay(Opaque)),
    api(66, "ListTransactions", 0..=2, 0, Relay(Opaque)),
    api(68, "ConsumerGroupHeartbeat", 0..=1, 0, Relay(Opaque)),
    api(69, "ConsumerGroupDescribe", 0..=1, 0, Relay(Opaque)),
    api(71, "GetTelemetrySubscriptions", 0..=0, 0, Relay(Opaque)),
    api(72, "PushTelemetry", 0..=0, 0, Relay(Opaque)),
    api(74, "ListConfigResources", 0..=1, 0, Relay(Opaque)),
    api(75, "DescribeTopicPartitions", 0..=0, 0, Relay(Opaque)),
    api(76, "ShareGroupHeartbeat", 1..=1, 0, Relay(Opaque)),
    api(77, "ShareGroupDescribe", 1..=1, 0, Relay(Opaque)),
    api(78, "ShareFetch", 1..=2, 0, Relay(Rewrite(AddressResponse::ShareFetch))),
    api(79, "ShareAcknowledge", 1..=2, 0, Relay(Rewrite(AddressResponse::ShareAcknowledge))),
    api(80, "AddRaftVoter", 0..=1, 0, Relay(Opaque)),
    api(81, "RemoveRaftVoter", 0..=0, 0, Relay(Opaque)),
    api(88, "StreamsGroupHeartbeat", 0..=0, 0, Relay(Opaque)),
    api(89, "StreamsGroupDescribe", 0..=0, 0, Relay(Opaque)),
    api(90, "DescribeShareGroupOffsets", 0..=1, 0, Relay(Opaque)),
    api(91, "AlterShareGroupOffsets", 0..=0, 0, Relay(Opaque)),
    api(92, "DeleteShareGroupOffsets", 0..=0, 0, Relay(Opaque)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_ascend_and_hold_no_inter_broker_request() {
        assert!(APIS.windows(2).all(|pair| pair[0].key < pair[1].key));
        assert!(APIS.iter().all(|api| !is_inter_broker(api.key)));
        assert!(APIS.iter().all(|api| api.versions.start() <= api.versions.end()));
    }

    #[test]
    fn flexible_versions_agree_with_the_kafka_protocol_crate() {
        for api in APIS {
            let Ok(key) = kafka_protocol::messages::ApiKey::try_from(api.key.0) else { continue };
            for version in api.versions.clone() {
                let flexible = key.request_header_version(version) == 2;
                assert_eq!(is_flexible(api.key, version), flexible, "{} v{version}", api.name);
            }
        }
    }
}
