//! ApiVersions: what a client may use is what both the broker and the gateway know (KIP-35, KIP-511).

use super::wire::WireResult;

/// Appends the answer to an ApiVersions request above the newest version that the gateway knows: the layout
/// of version 0 with `UNSUPPORTED_VERSION` and the one range of ApiVersions itself (KIP-511).
pub fn unsupported_version(correlation_id: i32, out: &mut Vec<u8>) {
    let _ = (correlation_id, out);
    todo!()
}

/// Appends a broker's ApiVersions response, cut down to the keys and versions of the table.
///
/// `api_version` is the version of the request. A broker older than it answers `UNSUPPORTED_VERSION` in the
/// layout of version 0, which is recognised by that code.
///
/// # Errors
///
/// When `response`, a whole frame, is no ApiVersions response.
pub fn intersect(api_version: i16, response: &[u8], out: &mut Vec<u8>) -> WireResult<()> {
    let _ = (api_version, response, out);
    todo!()
}
