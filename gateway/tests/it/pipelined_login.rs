//! What a client sends behind a message of its login, before the broker has answered that.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bench_harness::client::{frame, produce_request};
use bench_harness::codec::Codec;
use bench_harness::gateway::{Gateway, Setup};
use bench_harness::outgoing::{NOT_IDEMPOTENT, OutgoingRecord, batch};
use kafka_protocol::messages::{SaslAuthenticateRequest, SaslHandshakeRequest};
use kafka_protocol::protocol::StrBytes;

const DRIVERS: [&str; 2] = ["io_uring", "epoll"];
const CARD: &[u8] = b"4111 1111 1111 1111";
const MASKED: &[u8] = b"**** **** **** ****";
/// A broker's answer to a handshake on a connection without SASL, and while another login is under way.
const ILLEGAL_SASL_STATE: i16 = 34;

/// A broker without SASL refuses the handshake and goes on with requests: what follows is no token.
#[test]
fn a_request_behind_a_refused_handshake_is_inspected() {
    let sent = [handshake(0), produce()].concat();
    for io in DRIVERS {
        let received = exchange(
            io,
            "User:ANONYMOUS",
            &sent,
            vec![Answer::Handshake(ILLEGAL_SASL_STATE), Answer::Nothing],
        );
        assert_masked(io, &received[1]);
    }
}

/// The broker takes one token for PLAIN and reads what follows as a request.
#[test]
fn a_request_behind_the_last_token_is_inspected() {
    let sent = [handshake(0), token(b"\0bob\0good"), produce()].concat();
    for io in DRIVERS {
        let answers = vec![Answer::Handshake(0), Answer::Token, Answer::Nothing];
        assert_masked(io, &exchange(io, "User:bob", &sent, answers)[2]);
    }
}

/// The principal is the one of the login that the broker accepted, whatever else the client has asked for.
#[test]
fn a_request_behind_a_login_is_judged_by_its_principal() {
    let (bob, alice) = (authenticate(b"\0bob\0good"), authenticate(b"\0alice\0wrong"));
    let sent = [handshake(1), bob, handshake(1), alice, produce()].concat();
    for io in DRIVERS {
        let refused = [Answer::Handshake(ILLEGAL_SASL_STATE), Answer::Round(ILLEGAL_SASL_STATE)];
        let answers = [Answer::Handshake(0), Answer::Round(0)].into_iter().chain(refused);
        let answers = answers.chain([Answer::Nothing]).collect();
        assert_masked(io, &exchange(io, "User:bob", &sent, answers)[4]);
    }
}

#[track_caller]
fn assert_masked(io: &str, frame: &[u8]) {
    let contains = |text: &[u8]| frame.windows(text.len()).any(|window| window == text);
    assert!(contains(MASKED) && !contains(CARD), "{io}: {:?}", String::from_utf8_lossy(frame));
}

/// Sends everything at once through a gateway that masks for one principal; the frames that its upstream received.
fn exchange(io: &'static str, principal: &str, sent: &[u8], answers: Vec<Answer>) -> Vec<Vec<u8>> {
    let (address, upstream) = upstream(answers);
    let policy = PolicyFile::for_principal(principal, io);
    let gateway = Gateway::start(&Setup {
        program: env!("CARGO_BIN_EXE_gateway").into(),
        policy: policy.0.clone(),
        upstream: address.to_string(),
        inspection: true,
        io,
        workers: Some(1),
    })
    .unwrap();
    let mut client = TcpStream::connect(gateway.bootstrap()).unwrap();
    client.write_all(sent).unwrap();
    let received = upstream.join().unwrap();
    received.unwrap_or_else(|error| panic!("{io}: {error}\n{}", gateway.log()))
}

/// What the upstream says to one frame.
enum Answer {
    /// To a SaslHandshake: its error code.
    Handshake(i16),
    /// To a SaslAuthenticate: its error code.
    Round(i16),
    /// To a token without a header: an empty one.
    Token,
    Nothing,
}

/// An upstream for one connection, which says what it is told to.
fn upstream(answers: Vec<Answer>) -> (SocketAddr, JoinHandle<io::Result<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let serve = move || {
        let (mut stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let receive_and_answer = |answer: &Answer| {
            let received = receive(&mut stream)?;
            let correlation_id = received.get(8..12).unwrap_or_default();
            let body = match answer {
                Answer::Handshake(code) => [correlation_id, &code.to_be_bytes(), &[0; 4]].concat(),
                // The error's text is null, and nothing is said.
                Answer::Round(code) => [correlation_id, &code.to_be_bytes(), &[0xff; 2], &[0; 4]].concat(),
                Answer::Token => Vec::new(),
                Answer::Nothing => return Ok(received),
            };
            stream.write_all(&[&(body.len() as u32).to_be_bytes()[..], &body].concat())?;
            Ok(received)
        };
        answers.iter().map(receive_and_answer).collect()
    };
    (address, thread::spawn(serve))
}

fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    stream.read_exact(&mut frame)?;
    let size = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]) as usize;
    frame.resize(4 + size, 0);
    stream.read_exact(&mut frame[4..])?;
    Ok(frame)
}

fn handshake(version: i16) -> Vec<u8> {
    let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("PLAIN"));
    frame(version, 1, &request).unwrap().to_vec()
}

fn authenticate(message: &'static [u8]) -> Vec<u8> {
    let request = SaslAuthenticateRequest::default().with_auth_bytes(message.into());
    frame(0, 2, &request).unwrap().to_vec()
}

fn token(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u32).to_be_bytes()[..], message].concat()
}

fn produce() -> Vec<u8> {
    let record = OutgoingRecord { value: Some(CARD.into()), ..OutgoingRecord::default() };
    let batch = batch(&[record], Codec::None, NOT_IDEMPOTENT).unwrap();
    frame(9, 3, &produce_request("orders", 0, batch)).unwrap().to_vec()
}

/// A policy that masks cards for one principal only; removed at the end.
struct PolicyFile(PathBuf);

impl PolicyFile {
    fn for_principal(principal: &str, io: &str) -> Self {
        let name = format!("gateway-login-{io}-{:?}-{}.toml", thread::current().id(), std::process::id());
        let file = std::env::temp_dir().join(name);
        let rule = "id = \"cards\"\ndetectors = [\"credit_card\"]\nlevel = \"regulated\"\nmask = { operator = \"redact\" }";
        std::fs::write(&file, format!("version = 1\n[[rule]]\n{rule}\nprincipals = [{principal:?}]\n"))
            .unwrap();
        Self(file)
    }
}

impl Drop for PolicyFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A frame that never comes must not take the test with it.
const PATIENCE: Duration = Duration::from_secs(30);
