//! What a connection may take of time.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::super::driver::Driver;
use super::super::io::FrameRoom;
use super::super::rooms::Side;
use super::{Close, Connection};
use crate::telemetry::Reason;

/// Longest wait for the first whole request, the TLS handshake included: whoever connects has something to ask.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection on which nothing has moved for so long ends. Above the broker's default `connections.max.idle.ms`, so
/// that where brokers end idle connections they do it first.
const IDLE_TIMEOUT: Duration = Duration::from_secs(660);

/// How often a connection is looked at: the grain of `IDLE_TIMEOUT`.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// How often one that has room for a large frame is looked at while others wait for room: with who has stopped they wait
/// twice as long at most.
const AWAITED_LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// A large frame moves at such a pace that so many looks see it whole.
const LOOKS_PER_FRAME: u64 = 10;

/// Bytes that have moved, by side.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Moved {
    heard: [u64; 2],
    /// What has arrived at the peers' hosts: what has only been sent may lie in the kernel for long.
    arrived: [u64; 2],
}

impl Moved {
    const NOTHING: Self = Self { heard: [0; 2], arrived: [0; 2] };

    /// Of a socket that is closed by now, nothing.
    fn since(&self, before: &Self) -> Self {
        let difference =
            |now: [u64; 2], before: [u64; 2]| [0, 1].map(|side| now[side].saturating_sub(before[side]));
        Self {
            heard: difference(self.heard, before.heard),
            arrived: difference(self.arrived, before.arrived),
        }
    }
}

impl<D: Driver> Connection<D> {
    /// Ends when the connection has broken one of its limits.
    pub(super) async fn watch(&self) -> Result<Infallible, Close> {
        let (mut whole, mut rooms) = (pin!(self.watch_whole()), pin!(self.watch_rooms()));
        poll_fn(|context| match whole.as_mut().poll(context) {
            Poll::Pending => rooms.as_mut().poll(context),
            ended => ended,
        })
        .await
    }

    async fn watch_whole(&self) -> Result<Infallible, Close> {
        self.first_request().await?;
        let (mut before, mut silent) = (Moved::NOTHING, Duration::ZERO);
        loop {
            self.io.sleep_until(self.io.now() + LOOK_INTERVAL).await;
            let now = self.moved();
            let moved = now.since(&std::mem::replace(&mut before, now));
            self.keeps_pace(&moved, LOOK_INTERVAL, |_| true)?;
            silent = if self.is_silent(&moved) { silent + LOOK_INTERVAL } else { Duration::ZERO };
            if silent >= IDLE_TIMEOUT {
                return Err(Close::refused(Reason::Idle, "nothing has moved for long"));
            }
        }
    }

    async fn first_request(&self) -> Result<(), Close> {
        self.io.sleep_until(self.io.now() + FIRST_REQUEST_TIMEOUT).await;
        if self.asked.get() {
            return Ok(());
        }
        Err(Close::refused(Reason::FirstRequest, "no whole request has come"))
    }

    /// From the first byte on: a frame may need room before there is a whole request.
    async fn watch_rooms(&self) -> Result<Infallible, Close> {
        loop {
            poll_fn(|_| if self.has_room() { Poll::Ready(()) } else { Poll::Pending }).await;
            let before = self.moved();
            self.io.sleep_until(self.io.now() + AWAITED_LOOK_INTERVAL).await;
            let moved = self.moved().since(&before);
            self.keeps_pace(&moved, AWAITED_LOOK_INTERVAL, |side| self.io.frames_waiting(side) > 0)?;
        }
    }

    fn has_room(&self) -> bool {
        self.rooms.iter().any(|room| room.borrow().is_some())
    }

    /// Counts instead of times: they cost the hot path an addition.
    fn moved(&self) -> Moved {
        let links = [Some(&self.client), self.upstream.get()];
        Moved {
            heard: self.heard.each_ref().map(Cell::get),
            arrived: links.map(|link| link.map_or(0, |link| self.io.arrived_bytes(link.socket()))),
        }
    }

    /// A large request comes from its client and leaves for its broker; an answer gives its room back once it is whole.
    fn keeps_pace(
        &self,
        moved: &Moved,
        interval: Duration,
        matters: impl Fn(Side) -> bool,
    ) -> Result<(), Close> {
        let [of_client, of_upstream] = moved.heard;
        let request = of_client + moved.arrived[Side::Upstream as usize];
        let slow = |(side, bytes)| matters(side) && self.is_slow(side, bytes, interval);
        if [(Side::Client, request), (Side::Upstream, of_upstream)].into_iter().any(slow) {
            return Err(Close::refused(Reason::StalledFrame, "others may wait for the room that it takes"));
        }
        Ok(())
    }

    /// True when a frame from `side` has had room for all of `interval`, and has moved too little in it.
    fn is_slow(&self, side: Side, moved_bytes: u64, interval: Duration) -> bool {
        let slow = |room: &FrameRoom<D>| {
            room.since() + interval <= self.io.now()
                && moved_bytes < room.frame_bytes() as u64 / LOOKS_PER_FRAME
        };
        self.rooms[side as usize].borrow().as_ref().is_some_and(slow)
    }

    /// True when nothing has moved, and not because the broker thinks: its answer may take long, but a client that does
    /// not read what it has holds memory.
    fn is_silent(&self, moved: &Moved) -> bool {
        if *moved != Moved::NOTHING {
            return false;
        }
        let mut session = self.session.borrow_mut();
        session.shrink();
        let awaits_client = self.io.outbound_bytes(self.client.socket()) > 0;
        awaits_client || session.exchanges.is_empty()
    }
}
