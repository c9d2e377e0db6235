//! SASL passing through: who logs in, and whether the broker accepted it.

use super::wire::WireResult;

/// A SASL mechanism whose client messages the gateway reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// RFC 5802, any hash.
    Scram,
    /// RFC 7628.
    OauthBearer,
    /// Any other, such as GSSAPI.
    Unreadable,
}

/// A SaslHandshake request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// 0: raw tokens follow; 1: SaslAuthenticate follows.
    pub api_version: i16,
    /// The mechanism that the client asks for.
    pub mechanism: Mechanism,
}

/// Reads a SaslHandshake request, a whole frame.
///
/// # Errors
///
/// When it is not one.
pub fn parse_handshake(frame: &[u8]) -> WireResult<Handshake> {
    let _ = frame;
    todo!()
}

/// Error code of a SaslHandshake response, a whole frame; 0 is success.
///
/// # Errors
///
/// When it is too short.
pub fn handshake_error_code(response: &[u8]) -> WireResult<i16> {
    let _ = response;
    todo!()
}

/// The auth bytes of a SaslAuthenticate request 0 to 2, a whole frame.
///
/// # Errors
///
/// When it is not one.
pub fn parse_authenticate(frame: &[u8]) -> WireResult<&[u8]> {
    let _ = frame;
    todo!()
}

/// Error code of a SaslAuthenticate response 0 to 2, a whole frame; 0 is success of the round.
///
/// # Errors
///
/// When it is too short.
pub fn authenticate_error_code(api_version: i16, response: &[u8]) -> WireResult<i16> {
    let _ = (api_version, response);
    todo!()
}

/// The name that a client's first message claims; it counts only once the broker has accepted the last round.
/// `None` when it cannot be read: the principal is then `User:unknown`. `claim` names the claim of a JWT
/// (`sub`); its signature is the broker's to check.
pub fn claimed_name(mechanism: Mechanism, auth_bytes: &[u8], claim: &str) -> Option<String> {
    let _ = (mechanism, auth_bytes, claim);
    todo!()
}
