//! A listener between a client and one broker that passes bytes on unchanged and keeps the frames it saw.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};

/// One request and its answer, each as on the wire with the four size bytes.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The request.
    pub request: Vec<u8>,
    /// The answer; none yet, or none ever with acks=0.
    pub response: Option<Vec<u8>>,
}

impl Exchange {
    /// `api_key` and `api_version` of the request.
    #[must_use]
    pub fn api(&self) -> (i16, i16) {
        let field = |at: usize| {
            self.request
                .get(at..at + 2)
                .and_then(|bytes| bytes.try_into().ok())
                .map_or(-1, i16::from_be_bytes)
        };
        (field(4), field(6))
    }
}

/// A running tap. Its threads end with the connections they serve and with the process.
#[derive(Debug)]
pub struct Tap {
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

impl Tap {
    /// Listens on `listen` and connects every client to `upstream`.
    ///
    /// # Errors
    /// `listen` cannot be bound.
    pub fn start(listen: &str, upstream: &str) -> Result<Self> {
        let listener = TcpListener::bind(listen).with_context(|| format!("bind {listen}"))?;
        let exchanges = Arc::new(Mutex::new(Vec::new()));
        let (upstream, kept) = (upstream.to_owned(), Arc::clone(&exchanges));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(broker) = TcpStream::connect(&upstream) else { continue };
                serve(&client, &broker, &kept);
            }
        });
        Ok(Self { exchanges })
    }

    /// The exchanges so far, in the order of their requests; the list starts anew.
    #[must_use]
    pub fn take(&self) -> Vec<Exchange> {
        std::mem::take(&mut self.exchanges.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Requests that wait for their answer: correlation id to index in the list of exchanges.
type Waiting = Arc<Mutex<HashMap<[u8; 4], usize>>>;

fn serve(client: &TcpStream, broker: &TcpStream, exchanges: &Arc<Mutex<Vec<Exchange>>>) {
    let waiting: Waiting = Arc::default();
    let request_seen = {
        let (exchanges, waiting) = (Arc::clone(exchanges), Arc::clone(&waiting));
        move |frame: Vec<u8>| {
            let mut exchanges = exchanges.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(correlation_id) = frame.get(8..12).and_then(|bytes| bytes.try_into().ok()) {
                waiting
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(correlation_id, exchanges.len());
            }
            exchanges.push(Exchange { request: frame, response: None });
        }
    };
    let exchanges = Arc::clone(exchanges);
    let response_seen = move |frame: Vec<u8>| {
        let correlation_id = frame.get(4..8).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
        let index =
            correlation_id.and_then(|id| waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id));
        let mut exchanges = exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(exchange) = index.and_then(|index| exchanges.get_mut(index)) {
            exchange.response = Some(frame);
        }
    };
    relay(client, broker, request_seen);
    relay(broker, client, response_seen);
}

/// Relays whole frames on a thread of its own until either side closes.
fn relay(from: &TcpStream, to: &TcpStream, mut seen: impl FnMut(Vec<u8>) + Send + 'static) {
    let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else { return };
    thread::spawn(move || {
        while let Ok(frame) = read_frame(&mut from) {
            // Kept before it is passed on: an answer must find its request.
            seen(frame.clone());
            if to.write_all(&frame).is_err() {
                break;
            }
        }
        // Closed already on one of the sides.
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}

fn read_frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let length = u32::from_be_bytes(size);
    let mut frame = size.to_vec();
    stream.take(u64::from(length)).read_to_end(&mut frame)?;
    if frame.len() < 4 + length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(frame)
}
