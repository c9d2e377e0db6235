//! Responses that name brokers: every address becomes one of the gateway's.
//!
//! A response is read to the last byte by its schema and copied but for the addresses, so an address that the
//! schema does not show cannot hide. Unknown tagged fields are kept (KIP-482).

mod cluster;
mod configs;
mod share;

use super::api::{self, AddressResponse, ApiKey};
use super::splice::Splicer;
use super::wire::WireError;

/// What is known about the cluster: it learns from responses and says under which address a node is reached
/// through the gateway.
pub trait Directory {
    /// A broker of the cluster and its real address.
    fn learn_node(&mut self, node_id: i32, host: &str, port: u16);

    /// A topic and its id (Metadata 10 and newer).
    fn learn_topic(&mut self, topic_id: [u8; 16], name: &str);

    /// Host and port for clients of the node; `None` when it has none yet.
    fn address(&self, node_id: i32) -> Option<(&str, u16)>;
}

/// Why a response cannot be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// The response is malformed.
    #[error("response: {0}")]
    Wire(#[from] WireError),
    /// At least this node has no address yet. All nodes of the response were learnt, so that the caller can
    /// give each an address and rewrite again.
    #[error("node {node_id} has no address")]
    UnknownNode {
        /// The first such node.
        node_id: i32,
    },
    /// The response lacks a partition that was asked for.
    #[error("response lacks partition {index}")]
    MissingPartition {
        /// The partition index.
        index: i32,
    },
}

/// Appends `response`, a whole frame, with the addresses that `directory` gives.
///
/// # Errors
///
/// When the response is malformed or names a node without an address; `out` is then as it was.
pub fn rewrite(
    kind: AddressResponse,
    api_version: i16,
    response: &[u8],
    directory: &mut impl Directory,
    out: &mut Vec<u8>,
) -> Result<(), RewriteError> {
    let start = out.len();
    splice(kind, api_version, response, directory, out).inspect_err(|_| out.truncate(start))
}

fn splice(
    kind: AddressResponse,
    version: i16,
    response: &[u8],
    directory: &mut impl Directory,
    out: &mut Vec<u8>,
) -> Result<(), RewriteError> {
    let flexible = api::is_flexible(api_key(kind), version);
    let mut splicer = Splicer::begin(response, flexible, out)?;
    match kind {
        AddressResponse::Metadata => cluster::metadata(&mut splicer, version, flexible, directory)?,
        AddressResponse::FindCoordinator => {
            cluster::find_coordinator(&mut splicer, version, flexible, directory)?;
        }
        AddressResponse::DescribeCluster => cluster::describe_cluster(&mut splicer, version, directory)?,
        AddressResponse::ShareFetch => share::share_fetch(&mut splicer, directory)?,
        AddressResponse::ShareAcknowledge => share::share_acknowledge(&mut splicer, version, directory)?,
        AddressResponse::DescribeConfigs => configs::describe_configs(&mut splicer, version, flexible)?,
    }
    splicer.finish()
}

fn api_key(kind: AddressResponse) -> ApiKey {
    match kind {
        AddressResponse::Metadata => ApiKey::METADATA,
        AddressResponse::FindCoordinator => ApiKey::FIND_COORDINATOR,
        AddressResponse::DescribeCluster => ApiKey::DESCRIBE_CLUSTER,
        AddressResponse::ShareFetch => ApiKey::SHARE_FETCH,
        AddressResponse::ShareAcknowledge => ApiKey::SHARE_ACKNOWLEDGE,
        AddressResponse::DescribeConfigs => ApiKey::DESCRIBE_CONFIGS,
    }
}

#[cfg(test)]
mod tests;
