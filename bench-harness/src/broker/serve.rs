//! Sockets: the nodes, their connections, frames in and frames out.

use super::{Order, Shared, answer};
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{JoinHandle, JoinSet};

/// Largest request, bytes: the default of `socket.request.max.bytes`.
const FRAME_BYTES_MAX: usize = 104_857_600;

/// Binds one port for each node.
pub(super) fn bind(nodes: i32) -> io::Result<Vec<std::net::TcpListener>> {
    (0..nodes).map(|_| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect()
}

/// Runs all nodes until the handle says to quit.
pub(super) async fn nodes(
    shared: Arc<Shared>,
    listeners: Vec<std::net::TcpListener>,
    mut inbox: UnboundedReceiver<Order>,
) {
    let mut running = HashMap::new();
    for (node_id, listener) in (1..).zip(listeners) {
        running.insert(node_id, start(Arc::clone(&shared), node_id, listener));
    }
    while let Some(order) = inbox.recv().await {
        match order {
            Order::Stop { node_id, done } => {
                if let Some(node) = running.remove(&node_id) {
                    node.abort();
                    // Its sockets are closed when the task is gone.
                    node.await.ok();
                }
                done.send(()).ok();
            }
            Order::Start { node_id, done } => {
                if let Ok(listener) = rebind(&shared, node_id) {
                    running.insert(node_id, start(Arc::clone(&shared), node_id, listener));
                }
                done.send(()).ok();
            }
            Order::Quit => break,
        }
    }
}

fn rebind(shared: &Shared, node_id: i32) -> Result<std::net::TcpListener> {
    let index = usize::try_from(node_id - 1)?;
    let address = shared.addresses.get(index).context("no such node")?;
    Ok(std::net::TcpListener::bind(address)?)
}

fn start(shared: Arc<Shared>, node_id: i32, listener: std::net::TcpListener) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(error) = node(Arc::clone(&shared), node_id, listener).await {
            shared.state().complain(format!("node {node_id} ended: {error}"));
        }
    })
}

/// Accepts connections; ending this task ends them all.
async fn node(shared: Arc<Shared>, node_id: i32, listener: std::net::TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                stream.set_nodelay(true)?;
                shared.state().totals.connections += 1;
                connections.spawn(connection(Arc::clone(&shared), node_id, stream));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(shared: Arc<Shared>, node_id: i32, mut stream: TcpStream) {
    if let Err(error) = exchanges(&shared, node_id, &mut stream).await {
        shared.state().complain(format!("connection closed: {error:#}"));
    }
}

/// Answers one request after the other, in order, as a broker does.
async fn exchanges(shared: &Shared, node_id: i32, stream: &mut TcpStream) -> Result<()> {
    let (read, mut write) = stream.split();
    let mut read = BufReader::with_capacity(READ_BYTES, read);
    while let Some(frame) = read_frame(&mut read).await? {
        match answer::answer(shared, node_id, frame).await? {
            answer::Outcome::Answer(bytes) => write.write_all(&bytes).await?,
            answer::Outcome::Nothing => {}
            answer::Outcome::Close => break,
        }
    }
    Ok(())
}

/// Bytes asked of the socket at once.
const READ_BYTES: usize = 256 << 10;

/// The next request without its length prefix; `None` at the end of the stream.
async fn read_frame(from: &mut (impl AsyncRead + Unpin)) -> Result<Option<Bytes>> {
    let mut prefix = [0; 4];
    match from.read_exact(&mut prefix).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    };
    let claimed = i32::from_be_bytes(prefix);
    let size = usize::try_from(claimed).ok().filter(|size| *size <= FRAME_BYTES_MAX);
    let size = size.with_context(|| format!("a frame of {claimed} bytes"))?;
    // Grows as bytes come, so that a claim alone allocates nothing.
    let mut frame = Vec::with_capacity(size.min(READ_BYTES));
    from.take(size as u64).read_to_end(&mut frame).await?;
    ensure!(frame.len() == size, "the stream ends within a frame");
    Ok(Some(frame.into()))
}
