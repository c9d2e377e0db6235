//! What was not parsed is not passed: the decision on a request, and the proof that it was made.

use super::api::{self, ApiKey, Handling};
use super::frame::PREFIX_BYTES;
use super::header::RequestPrefix;
use super::sasl::Login;

/// Why a request is refused. The connection is closed without an answer, as a broker does for a key or a
/// version that it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The table has no such key.
    #[error("API key {api_key} is not known")]
    UnknownKey {
        /// The key.
        api_key: i16,
    },
    /// Only brokers and controllers send this request.
    #[error("API key {api_key} is for brokers only")]
    InterBroker {
        /// The key.
        api_key: i16,
    },
    /// The table has the key in other versions.
    #[error("version {api_version} of API key {api_key} is not supported")]
    UnsupportedVersion {
        /// The key.
        api_key: i16,
        /// The version.
        api_version: i16,
    },
    /// Records pass only after inspection.
    #[error("API key {api_key} carries records and is inspected, not relayed")]
    NotInspected {
        /// The key.
        api_key: i16,
    },
    /// The login under way takes no such token.
    #[error("the login takes no further token")]
    NoToken,
    /// The frame is shorter than its prefix.
    #[error("frame is shorter than a request header")]
    CutOff,
}

/// What to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Handle it as the table says.
    Handle(Handling),
    /// An ApiVersions request above the newest known version: answered by
    /// [`super::api_versions::unsupported_version`], never passed.
    AnswerApiVersions,
    /// Close the connection.
    Refuse(Refusal),
}

/// Looks the request up in the table.
pub fn action(prefix: &RequestPrefix) -> Action {
    let ApiKey(api_key) = prefix.api_key;
    let api_version = prefix.api_version;
    let Some(api) = api::find(prefix.api_key) else {
        let inter_broker = api::is_inter_broker(prefix.api_key);
        return Action::Refuse(if inter_broker {
            Refusal::InterBroker { api_key }
        } else {
            Refusal::UnknownKey { api_key }
        });
    };
    if api.versions.contains(&api_version) {
        Action::Handle(api.handling)
    } else if api.key == ApiKey::API_VERSIONS && api_version > *api.versions.end() {
        Action::AnswerApiVersions
    } else {
        Action::Refuse(Refusal::UnsupportedVersion { api_key, api_version })
    }
}

/// A frame whose first bytes can be read: contiguous, or a list of slices.
pub trait Frame {
    /// The request prefix; `None` when the frame has fewer than [`RequestPrefix::BYTES`] bytes.
    fn prefix(&self) -> Option<RequestPrefix>;
}

impl<B: AsRef<[u8]>> Frame for B {
    fn prefix(&self) -> Option<RequestPrefix> {
        RequestPrefix::read(self.as_ref())
    }
}

/// A whole frame that the table lets pass. Only this module makes one, and the upstream writer takes nothing
/// else beside sealed batches.
#[derive(Debug)]
pub struct Relayed<B>(B);

impl<B> Relayed<B> {
    /// The frame, to be written as it is.
    pub fn into_frame(self) -> B {
        self.0
    }
}

/// Lets a whole frame pass when the table says so and it carries no records.
///
/// # Errors
///
/// The reason why it may not pass.
pub fn relay<B: Frame>(frame: B) -> Result<Relayed<B>, Refusal> {
    let prefix = frame.prefix().ok_or(Refusal::CutOff)?;
    match action(&prefix) {
        Action::Handle(Handling::Inspect) => Err(Refusal::NotInspected { api_key: prefix.api_key.0 }),
        Action::Handle(_) => Ok(Relayed(frame)),
        Action::AnswerApiVersions => Err(unsupported(&prefix)),
        Action::Refuse(refusal) => Err(refusal),
    }
}

/// As [`relay`], and lets records pass, too: for listeners whose inspection is off, and for
/// `on_error = "forward"`. The caller makes it visible in audit and metrics.
///
/// # Errors
///
/// The reason why it may not pass.
pub fn relay_uninspected<B: Frame>(frame: B) -> Result<Relayed<B>, Refusal> {
    let prefix = frame.prefix().ok_or(Refusal::CutOff)?;
    match action(&prefix) {
        Action::Handle(_) => Ok(Relayed(frame)),
        Action::AnswerApiVersions => Err(unsupported(&prefix)),
        Action::Refuse(refusal) => Err(refusal),
    }
}

/// Lets a raw SASL token pass, a frame without a header: only as the next message of a login that the broker has
/// accepted the handshake of, so that a request cannot pass as a token.
///
/// # Errors
///
/// When the login takes no such token.
pub fn relay_sasl_token<B: AsRef<[u8]>>(token: B, login: &Login) -> Result<Relayed<B>, Refusal> {
    let message = token.as_ref().get(PREFIX_BYTES..).ok_or(Refusal::CutOff)?;
    if login.takes_raw_tokens() && login.takes(message) { Ok(Relayed(token)) } else { Err(Refusal::NoToken) }
}

fn unsupported(prefix: &RequestPrefix) -> Refusal {
    Refusal::UnsupportedVersion { api_key: prefix.api_key.0, api_version: prefix.api_version }
}

#[cfg(test)]
mod tests {
    use super::super::api::{AddressResponse, Response};
    use super::*;

    fn request(api_key: i16, api_version: i16) -> Vec<u8> {
        let mut frame = vec![0, 0, 0, 8];
        frame.extend_from_slice(&api_key.to_be_bytes());
        frame.extend_from_slice(&api_version.to_be_bytes());
        frame.extend_from_slice(&[0, 0, 0, 1]);
        frame
    }

    #[test]
    fn table_decides() {
        use Action::{AnswerApiVersions, Handle, Refuse};
        let metadata = Handle(Handling::Relay(Response::Rewrite(AddressResponse::Metadata)));
        let opaque = Handle(Handling::Relay(Response::Opaque));
        let unsupported = |api_key, api_version| Refuse(Refusal::UnsupportedVersion { api_key, api_version });
        let table = [
            ("Produce", 0, 3, Handle(Handling::Inspect)),
            ("Produce with message sets", 0, 2, unsupported(0, 2)),
            ("Produce of tomorrow", 0, 14, unsupported(0, 14)),
            ("Fetch", 1, 15, opaque),
            ("Fetch with endpoints", 1, 16, unsupported(1, 16)),
            ("Metadata", 3, 13, metadata),
            ("ApiVersions", 18, 4, Handle(Handling::ApiVersions)),
            ("ApiVersions of tomorrow", 18, 5, AnswerApiVersions),
            ("ApiVersions, negative", 18, -1, unsupported(18, -1)),
            ("DescribeQuorum with addresses", 55, 2, unsupported(55, 2)),
            ("delegation token", 38, 3, opaque),
            ("inter-broker", 27, 1, Refuse(Refusal::InterBroker { api_key: 27 })),
            ("controller", 52, 0, Refuse(Refusal::InterBroker { api_key: 52 })),
            ("vendor", 10_000, 0, Refuse(Refusal::UnknownKey { api_key: 10_000 })),
            ("negative", -1, 0, Refuse(Refusal::UnknownKey { api_key: -1 })),
        ];
        for (name, key, version, expected) in table {
            let prefix = RequestPrefix::read(&request(key, version)).expect(name);
            assert_eq!(action(&prefix), expected, "{name}");
        }
    }

    #[test]
    fn records_pass_only_where_inspection_is_off() {
        let produce = request(0, 9);

        assert_eq!(relay(&produce).map(drop), Err(Refusal::NotInspected { api_key: 0 }));
        assert!(relay_uninspected(&produce).is_ok());
        assert!(relay_uninspected(request(0, 2)).is_err());
        assert!(relay(request(18, 4)).is_ok());
        assert!(relay(request(18, 5)).is_err());
        assert!(relay(&[0u8; 11][..]).is_err());
    }
}
