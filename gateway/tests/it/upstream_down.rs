//! What a client sees while its broker is away.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use bench_harness::gateway::{Gateway, Setup};

/// ApiVersions, version 0, correlation id 1, no client id.
const API_VERSIONS: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff];

/// An end of the stream as the first thing on a connection makes franz-go give its records up; a reset does not.
#[test]
fn a_connection_without_an_upstream_is_reset_not_ended() {
    // Bound and dropped: nobody listens there now.
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    for io in ["io_uring", "epoll"] {
        let gateway = start(io, nobody);
        let mut client = TcpStream::connect(gateway.bootstrap()).unwrap();
        client.write_all(&API_VERSIONS).unwrap();
        let end = client.read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(end, Err(ErrorKind::ConnectionReset), "{io}");
    }
}

/// The answer to [`API_VERSIONS`]: no error, ApiVersions in the versions 0 to 3.
const ANSWER: [u8; 20] = [0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 18, 0, 0, 0, 3];

/// A Java client whose send fails never reads the answers that have arrived, and sends again what they acknowledge.
#[test]
fn what_is_sent_after_the_upstream_has_closed_is_not_answered_with_a_reset() {
    let upstream = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = upstream.local_addr().unwrap();
    for io in ["io_uring", "epoll"] {
        let gateway = start(io, address);
        let mut client = TcpStream::connect(gateway.bootstrap()).unwrap();
        client.write_all(&API_VERSIONS).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                let (mut broker, _) = upstream.accept().unwrap();
                broker.read_exact(&mut [0; API_VERSIONS.len()]).unwrap();
                broker.write_all(&ANSWER).unwrap();
            });
        });
        let mut answers = Vec::new();
        client.read_to_end(&mut answers).unwrap();
        assert_eq!(answers.get(4..8), Some(&[0, 0, 0, 1][..]), "{io}: {answers:?}");
        // A reset on loopback has arrived when the write returns, and fails the next one.
        for _ in 0..3 {
            client.write_all(&API_VERSIONS).unwrap();
        }
    }
}

fn start(io: &'static str, upstream: SocketAddr) -> Gateway {
    let setup = Setup {
        program: env!("CARGO_BIN_EXE_gateway").into(),
        policy: Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/default.toml"),
        upstream: upstream.to_string(),
        inspection: true,
        io,
        workers: Some(1),
    };
    Gateway::start(&setup).unwrap()
}
