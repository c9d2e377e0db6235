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

/// A connection on which nothing has come for so long ends. Above the broker's default `connections.max.idle.ms`, so
/// that where brokers end idle connections they do it first.
const IDLE_TIMEOUT: Duration = Duration::from_secs(660);

/// How often a connection is looked at: the grain of `IDLE_TIMEOUT`.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// A large frame, for whose room others may wait, comes at such a pace that it is whole after so many intervals.
const LOOKS_PER_FRAME: usize = 10;

impl<D: Driver> Connection<D> {
    /// Ends when the connection has broken one of its limits.
    pub(super) async fn watch(&self) -> Result<Infallible, Close> {
        self.first_request().await?;
        let mut silent = Duration::ZERO;
        loop {
            self.io.sleep_until(self.io.now() + LOOK_INTERVAL).await;
            // A count instead of a time: it costs the hot path an addition.
            let heard = self.heard.each_ref().map(Cell::take);
            self.keeps_pace(heard)?;
            silent = if self.is_silent(heard) { silent + LOOK_INTERVAL } else { Duration::ZERO };
            if silent >= IDLE_TIMEOUT {
                return Err(Close::refused(Reason::Idle, "nothing has come for long"));
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

    fn keeps_pace(&self, heard: [usize; 2]) -> Result<(), Close> {
        if [Side::Client, Side::Upstream].into_iter().any(|side| self.is_slow(side, heard[side as usize])) {
            return Err(Close::refused(Reason::StalledFrame, "others may wait for the room that it takes"));
        }
        Ok(())
    }

    /// True when a frame from `side` has had room since the last look, and has moved too little.
    fn is_slow(&self, side: Side, heard: usize) -> bool {
        let slow = |room: &FrameRoom<D>| {
            room.since() + LOOK_INTERVAL <= self.io.now() && heard < room.bytes() / LOOKS_PER_FRAME
        };
        self.rooms[side as usize].borrow().as_ref().is_some_and(slow)
    }

    /// True when nothing has come, and not because the broker thinks: its answer may take long, but a client that does
    /// not read what it has holds memory.
    fn is_silent(&self, heard: [usize; 2]) -> bool {
        if heard != [0; 2] {
            return false;
        }
        let mut session = self.session.borrow_mut();
        session.shrink();
        let has_read = self.io.outbound_bytes(self.client.socket()) == 0;
        !(has_read && !session.exchanges.is_empty())
    }
}
