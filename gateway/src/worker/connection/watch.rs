//! What a connection may take of time: three limits, the last two of which are looked at once a minute.

use std::cell::Cell;
use std::convert::Infallible;
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

/// A large frame, for whose room others may wait, moves at such a pace that so many intervals suffice.
const LOOKS_PER_FRAME: usize = 10;

/// Bytes that have moved since the last look, by side.
struct Moved {
    heard: [usize; 2],
    sent: [usize; 2],
}

impl<D: Driver> Connection<D> {
    /// Ends when the connection has broken one of its limits.
    pub(super) async fn watch(&self) -> Result<Infallible, Close> {
        self.first_request().await?;
        let (mut sent, mut silent) = ([0; 2], Duration::ZERO);
        loop {
            self.io.sleep_until(self.io.now() + LOOK_INTERVAL).await;
            let moved = self.moved(&mut sent);
            self.keeps_pace(&moved)?;
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

    /// `sent` has the totals of the last look. Counts instead of times: they cost the hot path an addition.
    fn moved(&self, sent: &mut [usize; 2]) -> Moved {
        let links = [Some(&self.client), self.upstream.get()];
        let now = links.map(|link| link.map_or(0, |link| self.io.sent_bytes(link.socket())));
        let before = std::mem::replace(sent, now);
        Moved {
            heard: self.heard.each_ref().map(Cell::take),
            sent: [0, 1].map(|side| now[side].saturating_sub(before[side])),
        }
    }

    /// A large request comes from its client and leaves for its broker; an answer gives its room back once it is whole.
    fn keeps_pace(&self, moved: &Moved) -> Result<(), Close> {
        let [of_client, of_upstream] = moved.heard;
        let request = of_client + moved.sent[Side::Upstream as usize];
        if self.is_slow(Side::Client, request) || self.is_slow(Side::Upstream, of_upstream) {
            return Err(Close::refused(Reason::StalledFrame, "others may wait for the room that it takes"));
        }
        Ok(())
    }

    /// True when a frame from `side` has had room since the last look, and has moved too little.
    fn is_slow(&self, side: Side, moved_bytes: usize) -> bool {
        let slow = |room: &FrameRoom<D>| {
            room.since() + LOOK_INTERVAL <= self.io.now() && moved_bytes < room.bytes() / LOOKS_PER_FRAME
        };
        self.rooms[side as usize].borrow().as_ref().is_some_and(slow)
    }

    /// True when nothing has moved, and not because the broker thinks: its answer may take long, but a client that does
    /// not read what it has holds memory.
    fn is_silent(&self, moved: &Moved) -> bool {
        if moved.heard != [0; 2] || moved.sent != [0; 2] {
            return false;
        }
        let mut session = self.session.borrow_mut();
        session.shrink();
        let awaits_client = self.io.outbound_bytes(self.client.socket()) > 0;
        awaits_client || session.exchanges.is_empty()
    }
}
