//! Why something was refused: the `reason` label of `gateway_refused_total`, the log and the audit record.

use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// One named reason to refuse a connection, a request, a batch or a record.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Reason {
            $($(#[$doc])* $variant,)+
        }

        impl Reason {
            /// Every reason, in the order of its discriminant.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The label value, in snake case.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

reasons! {
    /// The size prefix of a frame is negative, too small for a header or above the limit.
    FrameSize = "frame_size",
    /// The bytes do not parse as what their header says.
    Malformed = "malformed",
    /// The API key is not in the allow table.
    ApiKey = "api_key",
    /// The version of this API is not in the allow table.
    ApiVersion = "api_version",
    /// A response did not match the oldest request that waits for one.
    Correlation = "correlation",
    /// A record batch that a broker would refuse: magic, counts, offsets, control bit.
    InvalidBatch = "invalid_batch",
    /// The checksum of a record batch is wrong.
    CorruptBatch = "corrupt_batch",
    /// Compressed records that cannot be decompressed, or an unknown codec.
    Compression = "compression",
    /// Compressed records that grow beyond the limits on size or ratio.
    DecompressionLimit = "decompression_limit",
    /// More topics, partitions, records or headers than any client sends, or more labels and stubs than fit in memory.
    CountLimit = "count_limit",
    /// A topic id that no metadata response has named yet.
    UnknownTopicId = "unknown_topic_id",
    /// The classification engine failed or its work limit was reached.
    Engine = "engine",
    /// Not refused: a batch that could not be inspected was forwarded, as the listener's `on_error` says.
    ForwardedUninspected = "forwarded_uninspected",
    /// Not refused: a batch was relayed unseen, as the listener's `inspection = "off"` says.
    InspectionOff = "inspection_off",
    /// A rule's verdict is block.
    Policy = "policy",
    /// A rule's verdict is hold and nobody can decide yet, so the message is blocked.
    Hold = "hold",
    /// SASL: a handshake version or a frame that cannot be inspected.
    Sasl = "sasl",
    /// The TLS handshake or a TLS record failed.
    Tls = "tls",
    /// No address of the upstream accepted a connection.
    UpstreamUnreachable = "upstream_unreachable",
    /// The broker behind this port is not known yet and the request needs it.
    UnknownBroker = "unknown_broker",
    /// A response named a broker for which the control thread had no port in time.
    LearnTimeout = "learn_timeout",
    /// The kernel could not hand out a connection: out of descriptors or memory.
    Accept = "accept",
    /// A fault of our own ended the connection.
    Panic = "panic",
    /// The client connected, and no whole request came in time.
    FirstRequest = "first_request",
    /// A frame above 256 KiB stopped in the middle for longer than others can wait for the room that it takes.
    StalledFrame = "stalled_frame",
    /// Nothing came on the connection for longer than brokers keep idle ones.
    Idle = "idle",
    /// The connection was still busy when the drain deadline passed.
    DrainDeadline = "drain_deadline",
    /// A classification header set by the client was removed.
    ForgedLabel = "forged_label",
    /// A label was left out because the batch would pass the broker's size limit.
    LabelSize = "label_size",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
