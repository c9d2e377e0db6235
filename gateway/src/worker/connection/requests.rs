//! From the client to the upstream: frame, allow, inspect, seal, forward.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::time::Duration;

use tracing::warn;

use super::super::buffers::Slice;
use super::super::driver::Driver;
use super::super::frames::FrameReader;
use super::super::session::{Exchange, ReplyState, Response};
use super::super::transport::Link;
use super::{Close, Connection, Side, lost_or_tls};
use crate::audit::AuditBatch;
use crate::inspect::{Inspected, Inspector, RefusedPartitions, Scopes, Sealed, Sender};
use crate::protocol::kafka::allow::{self, Action, Relayed};
use crate::protocol::kafka::api::{self, ApiKey, Handling};
use crate::protocol::kafka::header::RequestPrefix;
use crate::protocol::kafka::{api_versions, frame, sasl};
use crate::telemetry::{Direction, Reason};

/// Bytes of requests that one connection handles before the others get their turn: one pass of the buffer ring
/// must not become one connection's.
const TURN_BYTES: usize = 256 * 1024;
/// Requests without an answer, per connection, before it is not read any more. Above the in-flight limit of every
/// client but librdkafka's, whose default is no limit.
const REPLIES_MAX: usize = 512;
/// Longest wait for a TCP connection to the upstream: the Java client's own `socket.connection.setup.timeout.ms`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes that may be written upstream: inspected and sealed, or relayed by the allow table. Nothing else is.
enum Outbound {
    Sealed(Sealed<Slice>),
    Relayed(Relayed<Slice>),
}

impl<D: Driver> Connection<D> {
    /// Reads requests until the client finishes, one is refused or the gateway drains; those before are answered.
    pub(super) async fn requests(&self) -> Result<(), Close> {
        let read = self.read_requests().await;
        self.leave_room(Side::Client);
        match read {
            // A broker handles one request after the other: what came before the refused one has its answer.
            Err(refused @ Close::Refused(..)) if !refused.is_upstreams() => self.report(&refused),
            // Nothing can be written any more, but what the upstream answered before has yet to be read:
            // `responses` finds the end, and with it ends the connection.
            Err(Close::Lost(Side::Upstream, _)) => return std::future::pending().await,
            read => read?,
        }
        self.update(|session| session.requests_done = true);
        let Some(upstream) = self.upstream.get() else { return Ok(()) };
        // Not everything between here and the broker leaves a connection open that is half closed.
        self.until(|session| session.exchanges.is_empty()).await;
        upstream.finish(&self.io, &self.pool).map_err(|error| Close::Lost(Side::Upstream, error))
    }

    async fn read_requests(&self) -> Result<(), Close> {
        let mut reader = FrameReader::default();
        let mut turn_bytes = 0;
        while let Some(slice) = self.beside(&mut reader, pin!(self.request_bytes())).await? {
            self.hear(Side::Client, slice.len());
            self.shared.counters.received(Direction::Downstream, slice.len());
            reader.push(slice);
            loop {
                self.take_requests(&mut reader, &mut turn_bytes).await?;
                if !self.make_room(Side::Client, &mut reader).await {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Takes every request that is whole; of those in one turn there are `turn_bytes` so far.
    async fn take_requests(&self, reader: &mut FrameReader, turn_bytes: &mut usize) -> Result<(), Close> {
        while let Some(mut frame) = self.next_request(reader)? {
            if !self.asked.replace(true) {
                self.identify_by_certificate();
            }
            *turn_bytes += frame.len();
            if self.upstream.get().is_none() {
                // It waits for a connect, maybe for long.
                frame.detach();
            }
            self.beside(reader, pin!(self.request(frame))).await?;
            self.beside(reader, pin!(self.upstream_writable())).await?;
            // Only now most of a large frame has left this process.
            self.leave_room(Side::Client);
            self.beside(reader, pin!(self.room_for_a_request())).await;
            if *turn_bytes >= TURN_BYTES {
                *turn_bytes = 0;
                self.io.yield_now().await;
            }
        }
        Ok(())
    }

    /// With the first request the TLS handshake is over, and a client certificate is verified. SASL wins over it.
    fn identify_by_certificate(&self) {
        if let Some(principal) = self.client.peer_principal() {
            self.update(|session| session.principal = principal);
        }
    }

    /// The next received bytes; `None` when the client has finished or, while the gateway drains, when everything that
    /// had been received was taken.
    async fn request_bytes(&self) -> Result<Option<Slice>, Close> {
        let mut receive = pin!(self.client.recv(&self.io, &self.pool));
        poll_fn(|context| {
            if self.io.draining() {
                self.io.stop_receiving(self.client.socket());
            }
            receive.as_mut().poll(context)
        })
        .await
        .map_err(|error| lost_or_tls(Side::Client, error))
    }

    fn next_request(&self, reader: &mut FrameReader) -> Result<Option<Slice>, Close> {
        let frame_bytes_min =
            if self.session.borrow().takes_raw_tokens() { 0 } else { frame::REQUEST_BYTES_MIN };
        let mut frame_bytes_max = self.shared.settings(self.endpoint).frame_bytes_max;
        if self.session.borrow().login.is_some() {
            frame_bytes_max = frame_bytes_max.min(frame::LOGIN_FRAME_BYTES_MAX);
        }
        reader
            .next(&self.pool, frame_bytes_min, frame_bytes_max)
            .map_err(|error| Close::refused(Reason::FrameSize, error))
    }

    async fn request(&self, frame: Slice) -> Result<(), Close> {
        if self.session.borrow().takes_raw_tokens() {
            return self.sasl_token(frame).await;
        }
        let cut_off = || Close::refused(Reason::Malformed, "the frame is shorter than a request header");
        let prefix = RequestPrefix::read(&frame).ok_or_else(cut_off)?;
        self.shared.counters.request(prefix.api_key.0);
        let inspected = self.shared.settings(self.endpoint).inspected;
        match allow::action(&prefix) {
            Action::Refuse(refusal) => Err(refusal.into()),
            Action::AnswerApiVersions => {
                let mut answer = self.pool.vec(ANSWER_BYTES);
                api_versions::unsupported_version(prefix.correlation_id, &mut answer);
                self.update(|session| session.replies.push_ready(self.pool.slice_from(answer)));
                Ok(())
            }
            Action::Handle(Handling::Inspect) if inspected => self.produce(frame, &prefix).await,
            Action::Handle(Handling::Inspect) => self.produce_unseen(frame, &prefix).await,
            Action::Handle(handling) => {
                let response = self.response_to(handling, &frame)?;
                let relayed = allow::relay(frame)?;
                self.forward(&prefix, Outbound::Relayed(relayed), Some(response)).await?;
                if matches!(handling, Handling::SaslHandshake | Handling::SaslAuthenticate) {
                    self.login_answered().await;
                }
                Ok(())
            }
        }
    }

    /// What a frame after a message of a login is, and whose it is, only the broker's answer tells: until then no
    /// further one is looked at.
    async fn login_answered(&self) {
        self.until(|session| session.exchanges.is_empty()).await;
    }

    /// What is to be done with the response to a relayed request; notes a login on its way.
    fn response_to(&self, handling: Handling, frame: &Slice) -> Result<Response, Close> {
        let malformed = |error| Close::refused(Reason::Malformed, error);
        Ok(match handling {
            Handling::Inspect => Response::Produce(None),
            Handling::ApiVersions => Response::ApiVersions,
            Handling::Relay(api::Response::Opaque) => Response::Opaque,
            Handling::Relay(api::Response::Rewrite(kind)) => Response::Rewrite(kind),
            Handling::SaslHandshake => {
                let handshake = sasl::parse_handshake(frame).map_err(malformed)?;
                if handshake.framing == sasl::Framing::RawTokens
                    && handshake.mechanism == sasl::Mechanism::Unreadable
                {
                    let detail = "a handshake of version 0 with a mechanism whose rounds are not known";
                    return Err(Close::refused(Reason::Sasl, detail));
                }
                Response::SaslHandshake(handshake)
            }
            Handling::SaslAuthenticate => {
                let message = sasl::parse_authenticate(frame).map_err(malformed)?;
                self.note_login_message(message);
                Response::SaslAuthenticate
            }
        })
    }

    fn note_login_message(&self, message: &[u8]) {
        let claim = &self.shared.settings(self.endpoint).principal_claim;
        self.update(|session| {
            if let Some(login) = &mut session.login {
                login.client_message(message, claim);
            }
        });
    }

    /// A token without header, after a handshake of version 0.
    async fn sasl_token(&self, token: Slice) -> Result<(), Close> {
        let message = token.get(frame::PREFIX_BYTES..).unwrap_or_default().to_vec();
        let relayed = match &self.session.borrow().login {
            Some(login) => allow::relay_sasl_token(token, login)?,
            None => return Err(Close::refused(Reason::Sasl, "a token without a login")),
        };
        self.note_login_message(&message);
        let prefix = RequestPrefix { api_key: ApiKey::SASL_AUTHENTICATE, api_version: 0, correlation_id: 0 };
        self.forward(&prefix, Outbound::Relayed(relayed), Some(Response::SaslToken)).await?;
        self.login_answered().await;
        Ok(())
    }

    async fn produce(&self, frame: Slice, prefix: &RequestPrefix) -> Result<(), Close> {
        self.upstream(prefix.api_key).await?;
        let begun = self.shared.inspector().begin(frame, &self.pool);
        let mut inspection = begun.map_err(|(reason, detail)| Close::Refused(reason, detail))?;
        while !self.inspect(|inspector, sender, scopes, audit| {
            inspector.step(&mut inspection, sender, scopes, audit, &self.shared.counters)
        }) {
            self.io.yield_now().await;
        }
        if let Some(refused) = inspection.refused() {
            self.report_refused(prefix, refused);
        }
        let inspected = self.shared.inspector().finish(inspection);
        match inspected {
            Inspected::Forward { request, answer, acks, close } => {
                let response = (acks != 0).then_some(Response::Produce(answer));
                self.forward(prefix, Outbound::Sealed(request), response).await?;
                close.map_or(Ok(()), |(reason, detail)| Err(Close::Refused(reason, detail)))
            }
            Inspected::Answer(answer) => {
                self.update(|session| session.replies.push_ready(answer));
                Ok(())
            }
            Inspected::Close(reason, detail) => Err(Close::Refused(reason, detail)),
        }
    }

    fn report_refused(&self, prefix: &RequestPrefix, refused: &RefusedPartitions) {
        let RefusedPartitions { reason, topic, partition, detail, partitions } = refused;
        warn!(
            listener = &*self.shared.settings(self.endpoint).name,
            api = prefix.api_key.name(),
            correlation_id = prefix.correlation_id,
            principal = &*self.session.borrow().principal,
            topic,
            partition,
            %reason,
            detail,
            partitions,
            "partitions refused"
        );
    }

    /// A Produce of a listener with `inspection = "off"`.
    async fn produce_unseen(&self, frame: Slice, prefix: &RequestPrefix) -> Result<(), Close> {
        let acks = self
            .inspect(|inspector, sender, scopes, audit| {
                inspector.pass_unseen(&frame, sender, scopes, audit, &self.shared.counters)
            })
            .map_err(|(reason, detail)| Close::Refused(reason, detail))?;
        let relayed = allow::relay_uninspected(frame)?;
        let response = (acks != 0).then_some(Response::Produce(None));
        self.forward(prefix, Outbound::Relayed(relayed), response).await
    }

    /// Lends the worker's inspector what it needs of this connection.
    fn inspect<T>(
        &self,
        inspect: impl FnOnce(&mut Inspector, &Sender<'_>, &mut Scopes, &mut AuditBatch) -> T,
    ) -> T {
        let session = &mut *self.session.borrow_mut();
        let topology = self.shared.topology(self.endpoint.listener);
        let sender = self.shared.sender(self.endpoint, &session.principal, &topology);
        inspect(&mut self.shared.inspector(), &sender, &mut session.scopes, &mut self.shared.audit())
    }

    /// Writes a request upstream; `response` says what becomes of its answer, `None` that there is none.
    async fn forward(
        &self,
        prefix: &RequestPrefix,
        request: Outbound,
        response: Option<Response>,
    ) -> Result<(), Close> {
        let upstream = self.upstream(prefix.api_key).await?;
        if let Some(response) = response {
            let started = self.io.now();
            self.update(|session| {
                let reply = session.replies.push(ReplyState::AwaitUpstream);
                session.exchanges.push_back(Exchange {
                    reply,
                    api_version: prefix.api_version,
                    correlation_id: prefix.correlation_id,
                    response,
                    started,
                });
            });
        }
        let bytes = match request {
            Outbound::Sealed(sealed) => sealed.into_frame(),
            Outbound::Relayed(relayed) => relayed.into_frame(),
        };
        upstream.send(&self.io, &self.pool, bytes).map_err(|error| lost_or_tls(Side::Upstream, error))
    }

    /// The upstream, connected at the first request that needs it.
    async fn upstream(&self, api_key: ApiKey) -> Result<&Link, Close> {
        if self.stand_in.get() && !may_go_to_a_stand_in(api_key) {
            let detail = "the broker behind this port is known by now; the client reconnects to it";
            return Err(Close::refused(Reason::UnknownBroker, detail));
        }
        if let Some(upstream) = self.upstream.get() {
            return Ok(upstream);
        }
        let mut route = self.shared.route(self.endpoint);
        if route.targets.is_empty() {
            // Just started, or the name does not resolve for now: the control thread publishes what it finds.
            let known = self.shared.topology(self.endpoint.listener);
            self.topology_changes(&known, self.io.now() + CONNECT_TIMEOUT).await;
            route = self.shared.route(self.endpoint);
        }
        if route.stand_in && !may_go_to_a_stand_in(api_key) {
            return Err(Close::refused(
                Reason::UnknownBroker,
                "the broker behind this port is not known yet",
            ));
        }
        let mut failure =
            io::Error::new(io::ErrorKind::AddrNotAvailable, "no address of the upstream resolves");
        for (host, address) in route.targets {
            match self.io.connect(address, self.io.now() + CONNECT_TIMEOUT).await {
                Ok(socket) => {
                    let link = self
                        .shared
                        .upstream_transport(self.endpoint, &host)
                        .map_err(io::Error::other)
                        .and_then(|transport| Link::open(&self.io, &self.pool, socket, transport))
                        .map_err(|error| Close::refused(Reason::Tls, error))?;
                    self.stand_in.set(route.stand_in);
                    self.changed.set(true);
                    return Ok(self.upstream.get_or_init(|| link));
                }
                Err(error) => failure = io::Error::new(error.kind(), format!("{address}: {error}")),
            }
        }
        Err(Close::refused(Reason::UpstreamUnreachable, failure))
    }

    /// Waits until another request may be read: bounds what one connection can pile up.
    async fn room_for_a_request(&self) {
        self.until(|session| session.replies.len() < REPLIES_MAX && !self.shared.is_congested()).await;
    }

    /// Waits until the upstream has taken what was written, but for what may be queued.
    async fn upstream_writable(&self) -> Result<(), Close> {
        let Some(upstream) = self.upstream.get() else { return Ok(()) };
        self.io.writable(upstream.socket()).await.map_err(|error| Close::Lost(Side::Upstream, error))
    }
}

impl From<allow::Refusal> for Close {
    fn from(refusal: allow::Refusal) -> Self {
        let reason = match refusal {
            allow::Refusal::UnknownKey { .. } | allow::Refusal::InterBroker { .. } => Reason::ApiKey,
            allow::Refusal::UnsupportedVersion { .. } => Reason::ApiVersion,
            allow::Refusal::NotInspected { .. } | allow::Refusal::CutOff => Reason::Malformed,
            allow::Refusal::NoToken => Reason::Sasl,
        };
        Self::refused(reason, refusal)
    }
}

/// Requests that any broker can answer, and that teach the gateway where the right one is.
fn may_go_to_a_stand_in(api_key: ApiKey) -> bool {
    matches!(
        api_key,
        ApiKey::API_VERSIONS | ApiKey::SASL_HANDSHAKE | ApiKey::SASL_AUTHENTICATE | ApiKey::METADATA
    )
}

/// Room for a locally made ApiVersions answer.
const ANSWER_BYTES: usize = 64;
