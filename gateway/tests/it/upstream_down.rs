//! What a client sees while its broker is away.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;

use bench_harness::gateway::{Gateway, Setup};

/// ApiVersions, version 0, correlation id 1, no client id.
const API_VERSIONS: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff];

/// An end of the stream as the first thing on a connection makes franz-go give its records up; a reset does not.
#[test]
fn a_connection_without_an_upstream_is_reset_not_ended() {
    // Bound and dropped: nobody listens there now.
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    for io in ["io_uring", "epoll"] {
        let setup = Setup {
            program: env!("CARGO_BIN_EXE_gateway").into(),
            policy: Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/default.toml"),
            upstream: nobody.to_string(),
            inspection: true,
            io,
            workers: Some(1),
        };
        let gateway = Gateway::start(&setup).unwrap();
        let mut client = TcpStream::connect(gateway.bootstrap()).unwrap();
        client.write_all(&API_VERSIONS).unwrap();
        let end = client.read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(end, Err(ErrorKind::ConnectionReset), "{io}");
    }
}
