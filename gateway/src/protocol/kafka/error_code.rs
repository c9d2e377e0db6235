//! Error codes of the protocol, by their official names.

/// An `error_code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub i16);

impl ErrorCode {
    /// The server met a condition that it did not expect.
    pub const UNKNOWN_SERVER_ERROR: Self = Self(-1);
    /// Success.
    pub const NONE: Self = Self(0);
    /// The batch fails its checksum. Clients retry.
    pub const CORRUPT_MESSAGE: Self = Self(2);
    /// No such topic or partition. Clients refresh their metadata and retry.
    pub const UNKNOWN_TOPIC_OR_PARTITION: Self = Self(3);
    /// The broker does not know the version.
    pub const UNSUPPORTED_VERSION: Self = Self(35);
    /// The request does not satisfy a policy.
    pub const POLICY_VIOLATION: Self = Self(44);
    /// The codec is not allowed in this version.
    pub const UNSUPPORTED_COMPRESSION_TYPE: Self = Self(76);
    /// A record failed the validation on the broker.
    pub const INVALID_RECORD: Self = Self(87);
    /// No topic has this id. Clients refresh their metadata and retry.
    pub const UNKNOWN_TOPIC_ID: Self = Self(100);
}
