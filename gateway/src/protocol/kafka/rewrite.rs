//! Responses that name brokers: every address becomes one of the gateway's.

use super::api::AddressResponse;
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
    let _ = (kind, api_version, response, directory, out);
    todo!()
}
