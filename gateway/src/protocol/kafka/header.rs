//! Request headers. A relayed request is read only as far as its first eight bytes.

use super::api::{self, ApiKey};
use super::frame::PREFIX_BYTES;
use super::wire::{Reader, Span, WireResult};

/// The first fields of every request, whatever its key and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestPrefix {
    /// Which request.
    pub api_key: ApiKey,
    /// Version of the request and of its response.
    pub api_version: i16,
    /// Comes back in the response.
    pub correlation_id: i32,
}

impl RequestPrefix {
    /// Bytes of a frame that hold the prefix: size, key, version, correlation id.
    pub const BYTES: usize = 12;

    /// Reads the prefix from the first bytes of a frame; `None` when there are fewer than
    /// [`RequestPrefix::BYTES`].
    pub fn read(frame: &[u8]) -> Option<Self> {
        let mut reader = Reader::starting_at(frame, PREFIX_BYTES);
        Some(Self {
            api_key: ApiKey(reader.i16().ok()?),
            api_version: reader.i16().ok()?,
            correlation_id: reader.i32().ok()?,
        })
    }
}

/// A whole request header: version 1, or version 2 (with tagged fields) where the request is flexible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// Key, version and correlation id.
    pub prefix: RequestPrefix,
    /// Span of the client id in the frame; never compact, may be null.
    pub client_id: Option<Span>,
    /// Offset in the frame of the first byte of the body.
    pub body_start: u32,
}

impl RequestHeader {
    /// Reads the header of a whole frame.
    ///
    /// # Errors
    ///
    /// When the frame ends before its header does.
    pub fn parse(frame: &[u8]) -> WireResult<Self> {
        let mut reader = Reader::starting_at(frame, PREFIX_BYTES);
        let prefix = RequestPrefix {
            api_key: ApiKey(reader.i16()?),
            api_version: reader.i16()?,
            correlation_id: reader.i32()?,
        };
        let client_id = reader.nullable_string(false)?;
        reader.skip_tagged_fields(api::is_flexible(prefix.api_key, prefix.api_version))?;
        Ok(Self { prefix, client_id, body_start: reader.at() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_id_is_classic_even_in_flexible_versions() {
        type Row = (&'static str, &'static [u8], Option<&'static [u8]>, u32);
        let table: [Row; 4] = [
            ("v1", &[0, 0, 0, 12, 0, 0, 0, 8, 0, 0, 0, 7, 0, 2, b'i', b'd'], Some(b"id"), 16),
            ("v1, null", &[0, 0, 0, 10, 0, 0, 0, 8, 0, 0, 0, 7, 0xff, 0xff], None, 14),
            ("v2", &[0, 0, 0, 13, 0, 0, 0, 9, 0, 0, 0, 7, 0, 2, b'i', b'd', 0], Some(b"id"), 17),
            ("v2, a tag", &[0, 0, 0, 14, 0, 0, 0, 9, 0, 0, 0, 7, 0, 0, 1, 9, 1, 5], Some(b""), 18),
        ];
        for (name, frame, client_id, body_start) in table {
            let header = RequestHeader::parse(frame).expect(name);

            assert_eq!(header.client_id.map(|span| span.of(frame)), client_id, "{name}");
            assert_eq!(header.body_start, body_start, "{name}");
            assert_eq!(header.prefix.correlation_id, 7, "{name}");
            for end in 0..frame.len() {
                assert!(RequestHeader::parse(&frame[..end]).is_err(), "{name} cut at {end}");
            }
        }
    }

    #[test]
    fn prefix_needs_twelve_bytes() {
        let frame = [0, 0, 0, 8, 0, 18, 0, 4, 0, 0, 0, 9];
        assert_eq!(RequestPrefix::read(&frame[..11]), None);
        assert_eq!(
            RequestPrefix::read(&frame),
            Some(RequestPrefix { api_key: ApiKey::API_VERSIONS, api_version: 4, correlation_id: 9 })
        );
    }
}
