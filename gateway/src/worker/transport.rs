//! Between the socket and the frames: plain, or TLS by rustls. TLS costs a copy each way; plain costs nothing.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::pki_types::ServerName;

use super::buffers::{Pool, Slice};
use super::driver::{Driver, SocketId};
use super::io::Io;
use crate::identity;

/// Plaintext is handed on in pieces of this size: what one pass of the record layer yields at most.
const PLAINTEXT_BYTES: usize = 64 * 1024;

/// How one side of a connection carries bytes.
#[derive(Debug)]
pub(super) enum Transport {
    /// Bytes as they are.
    Plain,
    /// TLS 1.2 or 1.3.
    Tls(Box<rustls::Connection>),
}

impl Transport {
    /// The gateway as TLS server, towards a client.
    pub(super) fn accept(config: &Arc<rustls::ServerConfig>) -> Result<Self, rustls::Error> {
        let mut connection = rustls::ServerConnection::new(config.clone())?;
        connection.set_buffer_limit(None);
        Ok(Self::Tls(Box::new(connection.into())))
    }

    /// The gateway as TLS client, towards an upstream whose certificate must name `host`.
    pub(super) fn connect(config: &Arc<rustls::ClientConfig>, host: &str) -> Result<Self, rustls::Error> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| rustls::Error::General(format!("{host} is no server name: {error}")))?;
        let mut connection = rustls::ClientConnection::new(config.clone(), name)?;
        connection.set_buffer_limit(None);
        Ok(Self::Tls(Box::new(connection.into())))
    }
}

/// One socket with its transport.
#[derive(Debug)]
pub(super) struct Link {
    socket: SocketId,
    transport: RefCell<Transport>,
    /// Decrypted, not yet taken.
    plaintext: RefCell<VecDeque<Slice>>,
}

impl Link {
    /// A link over an open socket. A TLS client speaks first, so its hello is queued at once.
    pub(super) fn open<D: Driver>(
        io: &Io<D>,
        pool: &Pool,
        socket: SocketId,
        transport: Transport,
    ) -> io::Result<Self> {
        let link = Self { socket, transport: RefCell::new(transport), plaintext: RefCell::default() };
        link.flush(io, pool)?;
        Ok(link)
    }

    /// The socket below.
    pub(super) fn socket(&self) -> SocketId {
        self.socket
    }

    /// Who the peer is by its certificate; `None` without one.
    pub(super) fn peer_principal(&self) -> Option<Arc<str>> {
        let transport = self.transport.borrow();
        let Transport::Tls(connection) = &*transport else { return None };
        let leaf = connection.peer_certificates()?.first()?;
        Some(identity::certificate_principal(leaf).into())
    }

    /// The next received bytes; `None` at the end of the stream.
    ///
    /// # Errors
    ///
    /// As the socket, and [`io::ErrorKind::InvalidData`] when TLS fails.
    pub(super) async fn recv<D: Driver>(&self, io: &Io<D>, pool: &Pool) -> io::Result<Option<Slice>> {
        loop {
            let piece = self.plaintext.borrow_mut().pop_front();
            if piece.is_some() {
                return Ok(piece);
            }
            let received = io.recv(self.socket).await?;
            if matches!(*self.transport.borrow(), Transport::Plain) {
                return Ok(received);
            }
            let Some(ciphertext) = received else { return Ok(None) };
            if self.decrypt(io, pool, &ciphertext)? == TlsStream::Closed {
                return Ok(self.plaintext.borrow_mut().pop_front());
            }
        }
    }

    /// Queues bytes for the peer.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidData`] when TLS fails.
    pub(super) fn send<D: Driver>(&self, io: &Io<D>, pool: &Pool, bytes: Slice) -> io::Result<()> {
        {
            let mut transport = self.transport.borrow_mut();
            match &mut *transport {
                Transport::Plain => {
                    io.send(self.socket, bytes);
                    return Ok(());
                }
                Transport::Tls(connection) => connection.writer().write_all(&bytes)?,
            }
        }
        self.flush(io, pool)
    }

    /// Says that nothing more comes, once everything queued has left.
    pub(super) fn finish<D: Driver>(&self, io: &Io<D>, pool: &Pool) -> io::Result<()> {
        if let Transport::Tls(connection) = &mut *self.transport.borrow_mut() {
            connection.send_close_notify();
        }
        self.flush(io, pool)?;
        io.shutdown_write(self.socket);
        Ok(())
    }

    fn decrypt<D: Driver>(&self, io: &Io<D>, pool: &Pool, mut ciphertext: &[u8]) -> io::Result<TlsStream> {
        let mut stream = TlsStream::Open;
        while !ciphertext.is_empty() {
            let Transport::Tls(connection) = &mut *self.transport.borrow_mut() else { break };
            if connection.read_tls(&mut ciphertext)? == 0 {
                break;
            }
            let processed = connection.process_new_packets().map_err(io::Error::other);
            if processed.is_ok() {
                stream = drain(connection, pool, &mut self.plaintext.borrow_mut())?;
            }
            // An alert that explains the failure leaves before the connection ends.
            send_ciphertext(connection, io, pool, self.socket)?;
            processed?;
        }
        Ok(stream)
    }

    fn flush<D: Driver>(&self, io: &Io<D>, pool: &Pool) -> io::Result<()> {
        match &mut *self.transport.borrow_mut() {
            Transport::Plain => Ok(()),
            Transport::Tls(connection) => send_ciphertext(connection, io, pool, self.socket),
        }
    }
}

/// Whether the peer has said that nothing more comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TlsStream {
    Open,
    Closed,
}

/// Moves decrypted bytes into pooled buffers.
fn drain(
    connection: &mut rustls::Connection,
    pool: &Pool,
    plaintext: &mut VecDeque<Slice>,
) -> io::Result<TlsStream> {
    loop {
        let mut piece = pool.vec(PLAINTEXT_BYTES);
        let read = (&mut connection.reader()).take(PLAINTEXT_BYTES as u64).read_to_end(&mut piece);
        let ended = match read {
            Ok(0) => Some(TlsStream::Closed),
            Ok(_) => None,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(TlsStream::Open),
            Err(error) => return Err(error),
        };
        if piece.is_empty() {
            pool.recycle(piece);
        } else {
            plaintext.push_back(pool.fitted(piece));
        }
        if let Some(stream) = ended {
            return Ok(stream);
        }
    }
}

fn send_ciphertext<D: Driver>(
    connection: &mut rustls::Connection,
    io: &Io<D>,
    pool: &Pool,
    socket: SocketId,
) -> io::Result<()> {
    if !connection.wants_write() {
        return Ok(());
    }
    let mut ciphertext = pool.vec(PLAINTEXT_BYTES);
    while connection.wants_write() {
        connection.write_tls(&mut ciphertext)?;
    }
    io.send(socket, pool.fitted(ciphertext));
    Ok(())
}
