//! From the upstream to the reply queue: match, rewrite, complete.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::super::buffers::Slice;
use super::super::driver::Driver;
use super::super::frames::{FrameReader, RESPONSE_HEAD_BYTES};
use super::super::session::{Exchange, ReplyState, Response};
use super::super::shared::AddressBook;
use super::super::transport::Link;
use super::{Close, Connection, Side, lost_or_tls};
use crate::protocol::kafka::error_code::ErrorCode;
use crate::protocol::kafka::rewrite::RewriteError;
use crate::protocol::kafka::sasl::Round;
use crate::protocol::kafka::{api_versions, frame, produce_response, rewrite, sasl};
use crate::telemetry::{Direction, Reason};
use crate::topology::Topology;

/// Longest wait for the control thread to resolve and bind what a response named. Of a name that takes longer the
/// client gets the port all the same: it is asked again there until the broker is known.
const LEARN_TIMEOUT: Duration = Duration::from_secs(5);

impl<D: Driver> Connection<D> {
    pub(super) async fn responses(&self) -> Result<(), Close> {
        self.until(|session| self.upstream.get().is_some() || session.requests_done).await;
        let Some(upstream) = self.upstream.get() else { return Ok(()) };
        let mut reader = FrameReader::default();
        while let Some(slice) = self.beside(&mut reader, pin!(self.response_bytes(upstream))).await? {
            self.hear(Side::Upstream, slice.len());
            self.shared.counters.received(Direction::Upstream, slice.len());
            reader.push(slice);
            while self.response(&mut reader).await? {}
            self.client_keeps_up().await;
        }
        let session = self.session.borrow();
        if session.requests_done && session.exchanges.is_empty() {
            return Ok(());
        }
        Err(Close::Lost(Side::Upstream, io::ErrorKind::UnexpectedEof.into()))
    }

    /// Waits until the client has read so much that more may be received for it.
    async fn client_keeps_up(&self) {
        self.until(|session| {
            let replies = &session.replies;
            replies.waits_for_upstream() || replies.bytes() <= self.io.outbound_bytes_max()
        })
        .await;
    }

    async fn response_bytes(&self, upstream: &Link) -> Result<Option<Slice>, Close> {
        let received = upstream.recv(&self.io, &self.pool).await;
        received.map_err(|error| lost_or_tls(Side::Upstream, error))
    }

    /// Handles what is there of the oldest answer; false when more bytes are needed.
    async fn response(&self, reader: &mut FrameReader) -> Result<bool, Close> {
        if reader.is_streaming() {
            return Ok(self.stream(reader));
        }
        if reader.is_empty() {
            return Ok(false);
        }
        let (streamed, raw) = {
            let session = self.session.borrow();
            let unasked = || Close::refused(Reason::Correlation, "bytes without a request");
            let exchange = session.exchanges.front().ok_or_else(unasked)?;
            (exchange.is_streamed(), matches!(exchange.response, Response::SaslToken))
        };
        if streamed {
            let Some(head) = reader.head(&self.pool) else { return Ok(false) };
            let frame_bytes = self.check_head(&head)?;
            reader.stream(frame_bytes);
            return Ok(self.stream(reader));
        }
        let frame_bytes_min = if raw { 0 } else { frame::RESPONSE_BYTES_MIN };
        let frame = reader
            .next(&self.pool, frame_bytes_min, frame::FRAME_BYTES_MAX)
            .map_err(|error| Close::refused(Reason::FrameSize, error))?;
        let Some(frame) = frame else {
            if reader.wants_room().is_some() {
                // First, so that no room is held for a client that does not read.
                self.beside(reader, pin!(self.client_keeps_up())).await;
            }
            return Ok(self.make_room(Side::Upstream, reader).await);
        };
        self.leave_room(Side::Upstream);
        self.beside(reader, pin!(self.answer(frame))).await?;
        Ok(true)
    }

    /// Passes pieces of an opaque answer on; false when more bytes are needed.
    fn stream(&self, reader: &mut FrameReader) -> bool {
        let Some((piece, last)) = reader.piece(&self.pool) else { return false };
        let reply = self.session.borrow().exchanges.front().map(|exchange| exchange.reply);
        if let Some(reply) = reply {
            self.update(|session| session.replies.extend(reply, piece));
        }
        if last {
            self.finish_exchange();
        }
        true
    }

    /// Bytes of the streamed frame whose head this is.
    fn check_head(&self, head: &[u8; RESPONSE_HEAD_BYTES]) -> Result<usize, Close> {
        self.check_correlation(head)?;
        let size = frame::framed(head, frame::RESPONSE_BYTES_MIN, i32::MAX as usize);
        match size.map_err(|error| Close::refused(Reason::FrameSize, error))? {
            frame::Framed::Frame { bytes } | frame::Framed::NeedMore { frame_bytes: Some(bytes) } => {
                Ok(bytes)
            }
            frame::Framed::NeedMore { frame_bytes: None } => {
                Err(Close::refused(Reason::FrameSize, "no size"))
            }
        }
    }

    fn check_correlation(&self, response: &[u8]) -> Result<(), Close> {
        let expected = self.session.borrow().exchanges.front().map(|exchange| exchange.correlation_id);
        if frame::response_correlation_id(response) == expected {
            return Ok(());
        }
        Err(Close::refused(Reason::Correlation, "the upstream answered another request"))
    }

    /// Puts one whole answer, rewritten as its request demands, into its place.
    async fn answer(&self, mut frame: Slice) -> Result<(), Close> {
        frame.detach();
        let Some(exchange) = self.update(|session| session.exchanges.pop_front()) else { return Ok(()) };
        if !matches!(exchange.response, Response::SaslToken)
            && frame::response_correlation_id(&frame) != Some(exchange.correlation_id)
        {
            return Err(Close::refused(Reason::Correlation, "the upstream answered another request"));
        }
        let answer = self.rewrite(&exchange, frame).await?;
        self.update(|session| {
            session.replies.extend(exchange.reply, answer);
            session.replies.set(exchange.reply, ReplyState::Ready);
        });
        self.shared.counters.answered(self.io.now() - exchange.started);
        Ok(())
    }

    /// The answer as the client gets it; logins are followed on the way.
    async fn rewrite(&self, exchange: &Exchange, frame: Slice) -> Result<Slice, Close> {
        let version = exchange.api_version;
        let malformed = |error| Close::refused(Reason::Malformed, error);
        Ok(match &exchange.response {
            Response::Opaque => frame,
            Response::ApiVersions => {
                let mut out = self.pool.vec(frame.len());
                api_versions::intersect(version, &frame, &mut out).map_err(malformed)?;
                self.pool.slice_from(out)
            }
            Response::Rewrite(kind) => {
                self.with_addresses(&frame, |book, out| rewrite::rewrite(*kind, version, &frame, book, out))
                    .await?
            }
            Response::Produce(None) => {
                self.with_addresses(&frame, |book, out| produce_response::rewrite(version, &frame, book, out))
                    .await?
            }
            Response::Produce(Some(refused)) => {
                self.with_addresses(&frame, |book, out| refused.merge(&frame, book, out)).await?
            }
            Response::SaslHandshake(handshake) => {
                let accepted = sasl::handshake_error_code(&frame).map_err(malformed)? == ErrorCode::NONE;
                self.update(|session| session.handshake_answered(*handshake, accepted));
                frame
            }
            Response::SaslAuthenticate => {
                let round = sasl::parse_authenticate_response(version, &frame).map_err(malformed)?;
                self.update(|session| session.round_answered(round));
                frame
            }
            Response::SaslToken => {
                let auth_bytes = frame.get(frame::PREFIX_BYTES..).unwrap_or_default();
                self.update(|session| {
                    session.round_answered(Round { error_code: ErrorCode::NONE, auth_bytes })
                });
                frame
            }
        })
    }

    /// Rewrites an answer. What it names and the snapshot lacks goes to the control thread first, so that every
    /// address the client is told leads somewhere.
    async fn with_addresses(
        &self,
        frame: &Slice,
        write: impl Fn(&mut AddressBook<'_>, &mut Vec<u8>) -> Result<(), RewriteError>,
    ) -> Result<Slice, Close> {
        let settings = self.shared.settings(self.endpoint);
        let deadline = self.io.now() + LEARN_TIMEOUT;
        let mut told = false;
        loop {
            let topology = self.shared.topology(self.endpoint.listener);
            let mut book = AddressBook::new(settings, &topology);
            let mut out = self.pool.vec(frame.len());
            let result = write(&mut book, &mut out);
            let late = self.io.now() >= deadline;
            match result {
                Ok(()) if book.learned.is_empty() || late => return Ok(self.pool.slice_from(out)),
                Err(RewriteError::UnknownNode { .. }) if !late => {}
                Err(error @ RewriteError::UnknownNode { .. }) => {
                    return Err(Close::refused(Reason::LearnTimeout, error));
                }
                Err(error) => return Err(Close::refused(Reason::Malformed, error)),
                Ok(()) => {}
            }
            self.pool.recycle(out);
            if !told {
                told = true;
                self.shared.learned(self.endpoint.listener, book.learned);
            }
            self.topology_changes(&topology, deadline).await;
        }
    }

    /// Waits for a snapshot other than `known`, or for `deadline`.
    pub(super) async fn topology_changes(&self, known: &Arc<Topology>, deadline: Instant) {
        let _timer = self.io.sleep_until(deadline);
        poll_fn(|_| {
            let changed = !Arc::ptr_eq(&self.shared.topology(self.endpoint.listener), known);
            if changed || self.io.now() >= deadline { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn finish_exchange(&self) {
        let now = self.io.now();
        self.update(|session| {
            if let Some(exchange) = session.exchanges.pop_front() {
                session.replies.set(exchange.reply, ReplyState::Ready);
                self.shared.counters.answered(now - exchange.started);
            }
        });
    }
}
