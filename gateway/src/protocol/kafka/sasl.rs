//! SASL passing through: who logs in, and whether the broker accepted it.
//!
//! The gateway reads the name and leaves the check to the broker. After a SaslHandshake of version 1 messages
//! are SaslAuthenticate requests; after version 0 they are raw tokens, each an `i32` length and bytes.

use super::api::{self, ApiKey};
use super::error_code::ErrorCode;
use super::frame::PREFIX_BYTES;
use super::header::RequestHeader;
use super::wire::{Reader, WireError, WireErrorKind, WireResult};

/// A SASL mechanism, as far as the gateway reads its client messages.
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

impl Mechanism {
    fn of(name: &[u8]) -> Self {
        match name {
            b"PLAIN" => Self::Plain,
            b"SCRAM-SHA-256" | b"SCRAM-SHA-512" => Self::Scram,
            b"OAUTHBEARER" => Self::OauthBearer,
            _ => Self::Unreadable,
        }
    }
}

/// A SaslHandshake request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// How the client's messages will be framed.
    pub framing: Framing,
    /// The mechanism that the client asks for.
    pub mechanism: Mechanism,
}

/// How the client's messages of a login are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// As tokens without a header: after a handshake of version 0.
    RawTokens,
    /// As SaslAuthenticate requests: after a handshake of version 1.
    Requests,
}

/// Reads a SaslHandshake request, a whole frame.
///
/// # Errors
///
/// When it is not one.
pub fn parse_handshake(frame: &[u8]) -> WireResult<Handshake> {
    let (header, mut reader) = request(frame, ApiKey::SASL_HANDSHAKE)?;
    let mechanism = Mechanism::of(reader.string(false)?.of(frame));
    reader.finish()?;
    let framing = if header.prefix.api_version == 0 { Framing::RawTokens } else { Framing::Requests };
    Ok(Handshake { framing, mechanism })
}

/// The auth bytes of a SaslAuthenticate request 0 to 2, a whole frame.
///
/// # Errors
///
/// When it is not one.
pub fn parse_authenticate(frame: &[u8]) -> WireResult<&[u8]> {
    let (header, mut reader) = request(frame, ApiKey::SASL_AUTHENTICATE)?;
    let flexible = api::is_flexible(ApiKey::SASL_AUTHENTICATE, header.prefix.api_version);
    let auth_bytes = reader.bytes(flexible)?;
    reader.skip_tagged_fields(flexible)?;
    reader.finish()?;
    Ok(auth_bytes.of(frame))
}

fn request(frame: &[u8], api_key: ApiKey) -> WireResult<(RequestHeader, Reader<'_>)> {
    let header = RequestHeader::parse(frame)?;
    if header.prefix.api_key != api_key {
        return Err(WireError { kind: WireErrorKind::Value, at: PREFIX_BYTES as u32 });
    }
    Ok((header, Reader::starting_at(frame, header.body_start as usize)))
}

/// Error code of a SaslHandshake response, a whole frame.
///
/// # Errors
///
/// When it is too short.
pub fn handshake_error_code(response: &[u8]) -> WireResult<ErrorCode> {
    let mut reader = Reader::starting_at(response, PREFIX_BYTES);
    let _correlation_id = reader.i32()?;
    reader.i16().map(ErrorCode)
}

/// A SaslAuthenticate response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round<'a> {
    /// `NONE` when the broker accepted the round.
    pub error_code: ErrorCode,
    /// What the broker's mechanism says.
    pub auth_bytes: &'a [u8],
}

/// Reads a SaslAuthenticate response 0 to 2, a whole frame.
///
/// # Errors
///
/// When it is not one.
pub fn parse_authenticate_response(api_version: i16, response: &[u8]) -> WireResult<Round<'_>> {
    let flexible = api::is_flexible(ApiKey::SASL_AUTHENTICATE, api_version);
    let mut reader = Reader::starting_at(response, PREFIX_BYTES);
    let _correlation_id = reader.i32()?;
    reader.skip_tagged_fields(flexible)?;
    let error_code = ErrorCode(reader.i16()?);
    let _error_message = reader.nullable_string(flexible)?;
    let auth_bytes = reader.bytes(flexible)?.of(response);
    if api_version >= 1 {
        let _session_lifetime_ms = reader.i64()?;
    }
    reader.skip_tagged_fields(flexible)?;
    reader.finish()?;
    Ok(Round { error_code, auth_bytes })
}

/// How far a login is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Another round follows.
    Continue,
    /// The broker accepted the last round. `None`: the name could not be read, the principal is unknown.
    Accepted(Option<String>),
    /// The broker refused.
    Refused,
}

/// One login: the client's messages and the broker's answers go past it, in turn.
///
/// ```text
/// PLAIN        message -> ok                          accepted
/// SCRAM        client-first -> server-first, client-final -> server-final    accepted
/// OAUTHBEARER  token -> empty                         accepted
///              token -> {"status":..}, ^A -> error    refused
/// ```
#[derive(Clone, Debug)]
pub struct Login {
    handshake: Handshake,
    name: Option<String>,
    messages: u32,
}

impl Login {
    /// A login whose handshake the broker has accepted.
    pub fn new(handshake: Handshake) -> Self {
        Self { handshake, name: None, messages: 0 }
    }

    /// Whether the client's next frame is a token without a header.
    pub fn takes_raw_tokens(&self) -> bool {
        self.handshake.framing == Framing::RawTokens
    }

    /// Whether the broker takes `token` as the next message of this login. Whatever follows the last one it reads as
    /// a request.
    pub fn takes(&self, token: &[u8]) -> bool {
        match self.handshake.mechanism {
            Mechanism::Plain => self.messages == 0,
            Mechanism::Scram => self.messages < SCRAM_MESSAGES,
            // The answer to a refusal (RFC 7628 section 3.2.3).
            Mechanism::OauthBearer => self.messages == 0 || self.messages == 1 && token == b"\x01",
            Mechanism::Unreadable => false,
        }
    }

    /// The client's next message. `claim` names the claim of a JWT that holds the name.
    pub fn client_message(&mut self, auth_bytes: &[u8], claim: &str) {
        if self.messages == 0 {
            self.name = claimed_name(self.handshake.mechanism, auth_bytes, claim);
        }
        self.messages = self.messages.saturating_add(1);
    }

    /// The broker's answer to the client's last message.
    pub fn broker_answer(&mut self, round: Round<'_>) -> Progress {
        if round.error_code != ErrorCode::NONE {
            return Progress::Refused;
        }
        let last = match self.handshake.mechanism {
            Mechanism::Plain => true,
            Mechanism::Scram => self.messages >= SCRAM_MESSAGES,
            Mechanism::OauthBearer => round.auth_bytes.is_empty(),
            Mechanism::Unreadable => false,
        };
        if last { Progress::Accepted(self.name.take()) } else { Progress::Continue }
    }
}

/// The name that a client's first message claims; `None` when it cannot be read.
fn claimed_name(mechanism: Mechanism, auth_bytes: &[u8], claim: &str) -> Option<String> {
    let message = std::str::from_utf8(auth_bytes).ok()?;
    let name = match mechanism {
        Mechanism::Plain => message.split('\0').nth(1)?.to_owned(),
        Mechanism::Scram => scram_name(message)?,
        Mechanism::OauthBearer => bearer_name(message, claim)?,
        Mechanism::Unreadable => return None,
    };
    Some(name).filter(|name| !name.is_empty())
}

/// The name of a SCRAM client-first message: `n,[a=authzid],n=name,r=nonce[,extensions]`. With the extension
/// `tokenauth=true` it is the id of a delegation token, whose owner only the broker knows.
fn scram_name(message: &str) -> Option<String> {
    let mut attributes = message.split(',').skip(2);
    let name = attributes.next()?.strip_prefix("n=")?;
    if attributes.any(|attribute| attribute == "tokenauth=true") {
        return None;
    }
    Some(name.replace("=2C", ",").replace("=3D", "="))
}

/// The name of an OAUTHBEARER message: `n,[a=authzid],^Aauth=Bearer token^A..^A^A`. The signature of the
/// token is the broker's to check.
fn bearer_name(message: &str, claim: &str) -> Option<String> {
    let authorization = message.split('\u{1}').find_map(|pair| pair.strip_prefix("auth="))?;
    let (scheme, token) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return None;
    }
    let payload = base64url(token.trim().split('.').nth(1)?)?;
    let claims: serde_json::Value = serde_json::from_slice(&payload).ok()?;
    claims.get(claim)?.as_str().map(str::to_owned)
}

/// Decodes base64url without padding (RFC 4648 section 5, as RFC 7515 uses it).
fn base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0);
    for digit in text.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    Some(bytes)
}

/// Messages of a SCRAM client: client-first and client-final.
const SCRAM_MESSAGES: u32 = 2;

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{
        RequestHeader as Header, ResponseHeader, SaslAuthenticateRequest, SaslAuthenticateResponse,
    };
    use kafka_protocol::protocol::Encodable;

    use super::*;

    const ACCEPTED: Round<'static> = Round { error_code: ErrorCode::NONE, auth_bytes: &[] };

    #[test]
    fn names_are_read_from_first_messages() {
        let token = "x.eyJzdWIiOiJhbGljZSIsImNpZCI6ImFwcCJ9.y";
        let bearer = format!("n,a=alice,\u{1}auth=bearer {token}\u{1}ext=1\u{1}\u{1}");
        let table: [(&str, Mechanism, &[u8], Option<&str>); 11] = [
            ("plain", Mechanism::Plain, b"\0alice\0secret", Some("alice")),
            ("plain with authzid", Mechanism::Plain, b"alice\0alice\0secret", Some("alice")),
            ("plain without name", Mechanism::Plain, b"\0\0secret", None),
            ("plain without separators", Mechanism::Plain, b"alice", None),
            ("not UTF-8", Mechanism::Plain, b"\0\xff\0secret", None),
            ("scram", Mechanism::Scram, b"n,,n=alice,r=nonce", Some("alice")),
            ("scram, escapes", Mechanism::Scram, b"n,a=x,n=a=2Cb=3Dc,r=nonce", Some("a,b=c")),
            ("delegation token", Mechanism::Scram, b"n,,n=id,r=nonce,tokenauth=true", None),
            ("bearer", Mechanism::OauthBearer, bearer.as_bytes(), Some("alice")),
            ("opaque token", Mechanism::OauthBearer, b"n,,\x01auth=Bearer opaque\x01\x01", None),
            ("kerberos", Mechanism::Unreadable, b"\0alice\0secret", None),
        ];
        for (name, mechanism, message, expected) in table {
            assert_eq!(claimed_name(mechanism, message, "sub").as_deref(), expected, "{name}");
        }
        let other = claimed_name(Mechanism::OauthBearer, bearer.as_bytes(), "cid");
        assert_eq!(other.as_deref(), Some("app"));
    }

    fn login(mechanism: Mechanism) -> Login {
        Login::new(Handshake { framing: Framing::RawTokens, mechanism })
    }

    #[test]
    fn a_login_takes_as_many_tokens_as_its_mechanism_has_messages() {
        let cases: [(Mechanism, &[&[u8]], bool); 9] = [
            (Mechanism::Plain, &[b"\0alice\0secret"], true),
            (Mechanism::Plain, &[b"\0alice\0secret", b"more"], false),
            (Mechanism::Scram, &[b"n,,n=alice,r=n", b"c=biws,r=n,p=p"], true),
            (Mechanism::Scram, &[b"n,,n=alice,r=n", b"c=biws,r=n,p=p", b"more"], false),
            (Mechanism::OauthBearer, &[b"n,,\x01auth=Bearer x\x01\x01"], true),
            (Mechanism::OauthBearer, &[b"n,,\x01auth=Bearer x\x01\x01", b"\x01"], true),
            (Mechanism::OauthBearer, &[b"n,,\x01auth=Bearer x\x01\x01", b"\x01\x01"], false),
            (Mechanism::OauthBearer, &[b"n,,\x01auth=Bearer x\x01\x01", b"\x01", b"\x01"], false),
            (Mechanism::Unreadable, &[b"ticket"], false),
        ];
        for (mechanism, tokens, expected) in cases {
            let mut login = login(mechanism);
            let taken = tokens.iter().all(|token| {
                let takes = login.takes(token);
                login.client_message(token, "sub");
                takes
            });
            assert_eq!(taken, expected, "{mechanism:?} {tokens:?}");
        }
    }

    #[test]
    fn name_counts_once_the_last_round_is_accepted() {
        let mut scram = login(Mechanism::Scram);
        scram.client_message(b"n,,n=alice,r=nonce", "sub");
        assert_eq!(scram.broker_answer(ACCEPTED), Progress::Continue);
        scram.client_message(b"c=biws,r=nonce,p=proof", "sub");
        assert_eq!(scram.broker_answer(ACCEPTED), Progress::Accepted(Some("alice".into())));

        let mut plain = login(Mechanism::Plain);
        plain.client_message(b"\0alice\0wrong", "sub");
        assert_eq!(plain.broker_answer(Round { error_code: ErrorCode(58), ..ACCEPTED }), Progress::Refused);

        let mut bearer = login(Mechanism::OauthBearer);
        bearer.client_message(b"n,,\x01auth=Bearer opaque\x01\x01", "sub");
        let status = Round { auth_bytes: b"{\"status\":\"invalid_token\"}", ..ACCEPTED };
        assert_eq!(bearer.broker_answer(status), Progress::Continue);
        bearer.client_message(b"\x01", "sub");
        assert_eq!(bearer.broker_answer(Round { error_code: ErrorCode(58), ..ACCEPTED }), Progress::Refused);
    }

    fn framed(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut frame = vec![0; 4];
        write(&mut frame);
        frame
    }

    #[test]
    fn authenticate_is_read_in_every_version() {
        for version in 0..=2i16 {
            let header = Header::default().with_request_api_key(36).with_request_api_version(version);
            let request =
                SaslAuthenticateRequest::default().with_auth_bytes(bytes::Bytes::from_static(b"token"));
            let frame = framed(|frame| {
                header.encode(frame, if version == 2 { 2 } else { 1 }).expect("encodes");
                request.encode(frame, version).expect("encodes");
            });
            assert_eq!(parse_authenticate(&frame), Ok(&b"token"[..]));

            let answer = SaslAuthenticateResponse::default()
                .with_error_code(58)
                .with_auth_bytes(bytes::Bytes::from_static(b"said"));
            let response = framed(|frame| {
                ResponseHeader::default().encode(frame, i16::from(version == 2)).expect("encodes");
                answer.encode(frame, version).expect("encodes");
            });
            let round = Round { error_code: ErrorCode(58), auth_bytes: b"said" };
            assert_eq!(parse_authenticate_response(version, &response), Ok(round));
            for end in 0..frame.len() {
                assert!(parse_authenticate(&frame[..end]).is_err());
            }
            for end in 0..response.len() {
                assert!(parse_authenticate_response(version, &response[..end]).is_err());
            }
        }
    }

    #[test]
    fn handshake_names_the_mechanism() {
        let frame = [&[0, 0, 0, 0, 0, 17, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0, 5][..], b"PLAIN"].concat();
        let handshake = Handshake { framing: Framing::Requests, mechanism: Mechanism::Plain };
        assert_eq!(parse_handshake(&frame), Ok(handshake));
        assert_eq!(handshake_error_code(&[0, 0, 0, 6, 0, 0, 0, 1, 0, 33]), Ok(ErrorCode(33)));
        assert!(parse_handshake(&frame[..20]).is_err());
    }
}
