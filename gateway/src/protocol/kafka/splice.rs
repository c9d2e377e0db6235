//! Copies a response while some of its fields are replaced.

use super::frame::PREFIX_BYTES;
use super::rewrite::{Directory, RewriteError};
use super::wire::{
    Reader, Span, WireError, WireErrorKind, WireResult, patch_frame_size, put_string, put_unsigned_varint,
    replace_field,
};

/// A response that is being read and copied: what was read and not replaced is copied as it is.
///
/// `copied <= reader.at()`, both offsets of the frame.
pub(super) struct Splicer<'a, 'o> {
    frame: &'a [u8],
    pub(super) reader: Reader<'a>,
    copied: u32,
    out: &'o mut Vec<u8>,
    out_start: usize,
    unknown_node: Option<i32>,
}

impl<'a, 'o> Splicer<'a, 'o> {
    /// Begins at the body of a response: after the correlation id and, in flexible versions, tagged fields.
    pub(super) fn begin(frame: &'a [u8], flexible: bool, out: &'o mut Vec<u8>) -> WireResult<Self> {
        let mut reader = Reader::starting_at(frame, PREFIX_BYTES);
        let _correlation_id = reader.i32()?;
        reader.skip_tagged_fields(flexible)?;
        let out_start = out.len();
        Ok(Self { frame, reader, copied: 0, out, out_start, unknown_node: None })
    }

    /// Puts what `write` appends in the place of the bytes from `from` to the reader.
    pub(super) fn replace(&mut self, from: u32, write: impl FnOnce(&mut Vec<u8>)) {
        self.out.extend_from_slice(Span { start: self.copied, end: from }.of(self.frame));
        write(self.out);
        self.copied = self.reader.at();
    }

    /// The bytes of a span of the frame.
    pub(super) fn bytes(&self, span: Span) -> &'a [u8] {
        span.of(self.frame)
    }

    /// A span as text.
    pub(super) fn text(&self, span: Span) -> WireResult<&'a str> {
        let error = WireError { kind: WireErrorKind::Value, at: span.start };
        std::str::from_utf8(self.bytes(span)).map_err(|_| error)
    }

    /// Reads `host` and `port` of a node, learns them, and puts the gateway's in their place. A node without an
    /// address is remembered: [`Splicer::finish`] reports it.
    pub(super) fn address(
        &mut self,
        node_id: i32,
        compact: bool,
        directory: &mut impl Directory,
    ) -> WireResult<()> {
        let start = self.reader.at();
        let host = self.reader.string(compact)?;
        let port_at = self.reader.at();
        let port = self.reader.i32()?;
        if node_id < 0 {
            self.replace(start, |out| put_address(out, compact, "", NO_PORT));
            return Ok(());
        }
        let port = u16::try_from(port).map_err(|_| WireError { kind: WireErrorKind::Value, at: port_at })?;
        directory.learn_node(node_id, self.text(host)?, port);
        match directory.address(node_id) {
            Some((host, port)) => self.replace(start, |out| put_address(out, compact, host, i32::from(port))),
            None => {
                self.unknown_node.get_or_insert(node_id);
            }
        }
        Ok(())
    }

    /// Reads an array of `NodeEndpoint`: node id, host, port, rack (KIP-951).
    pub(super) fn node_endpoints(&mut self, directory: &mut impl Directory) -> WireResult<()> {
        for _ in 0..self.reader.array_count(true, NODE_BYTES_MIN)? {
            let node_id = self.reader.i32()?;
            self.address(node_id, true, directory)?;
            self.reader.nullable_string(true)?;
            self.reader.skip_tagged_fields(true)?;
        }
        Ok(())
    }

    /// Reads tagged fields of which `endpoints_tag` holds node endpoints.
    pub(super) fn tagged_node_endpoints(
        &mut self,
        endpoints_tag: u32,
        directory: &mut impl Directory,
    ) -> WireResult<()> {
        for _ in 0..self.reader.tag_count()? {
            let tag = self.reader.unsigned_varint()?;
            let size_at = self.reader.at();
            let field_bytes = self.reader.unsigned_varint()?;
            if tag != endpoints_tag {
                self.reader.take(field_bytes as usize)?;
                continue;
            }
            let field_start = self.reader.at();
            self.replace(size_at, |_| {});
            let out_at = self.out.len();
            self.node_endpoints(directory)?;
            if self.reader.at() - field_start != field_bytes {
                return Err(WireError { kind: WireErrorKind::Length, at: size_at });
            }
            self.replace(self.reader.at(), |_| {});
            let written = (self.out.len() - out_at) as u32;
            replace_field(self.out, out_at..out_at, |out| put_unsigned_varint(out, written));
        }
        Ok(())
    }

    /// Copies the rest, which must have been read, and sets the size of the frame.
    pub(super) fn finish(mut self) -> Result<(), RewriteError> {
        self.reader.finish()?;
        if let Some(node_id) = self.unknown_node {
            return Err(RewriteError::UnknownNode { node_id });
        }
        self.replace(self.reader.at(), |_| {});
        patch_frame_size(self.out, self.out_start);
        Ok(())
    }
}

fn put_address(out: &mut Vec<u8>, compact: bool, host: &str, port: i32) {
    put_string(out, compact, host.as_bytes());
    out.extend_from_slice(&port.to_be_bytes());
}

/// Port of "no node".
const NO_PORT: i32 = -1;

/// Fewest bytes of a node: id, host, port.
pub(super) const NODE_BYTES_MIN: usize = 9;
