//! Walks a request body by its shape before the `kafka-protocol` decoder sees it.
//!
//! The decoder allocates `with_capacity(count)` for a count from the wire; here every element must be
//! there. Shapes are those of the message files of Apache Kafka 4.1, for the requests that have arrays.

use anyhow::{Context, Result, bail, ensure};
use bytes::Buf;
use kafka_protocol::messages::ApiKey;
use std::ops::RangeInclusive;

/// A field of a message.
struct Slot {
    kind: Kind,
    versions: RangeInclusive<i16>,
}

enum Kind {
    /// So many bytes.
    Fixed(usize),
    /// A string or null.
    Text,
    /// Bytes or null.
    Blob,
    /// An array of structs, or null.
    List(&'static [Slot]),
    /// An array of integers of so many bytes.
    Numbers(usize),
    /// An array of strings.
    Texts,
}

/// A field of every version.
const fn always(kind: Kind) -> Slot {
    Slot { kind, versions: 0..=i16::MAX }
}

/// A field from a version on.
const fn since(version: i16, kind: Kind) -> Slot {
    Slot { kind, versions: version..=i16::MAX }
}

/// A field up to a version.
const fn until(version: i16, kind: Kind) -> Slot {
    Slot { kind, versions: 0..=version }
}

const fn between(first: i16, last: i16, kind: Kind) -> Slot {
    Slot { kind, versions: first..=last }
}

use Kind::{Blob, Fixed, List, Numbers, Text, Texts};

const UUID: Kind = Fixed(16);

const PRODUCE: &[Slot] = &[always(Text), always(Fixed(2 + 4)), always(List(PRODUCE_TOPIC))];
const PRODUCE_TOPIC: &[Slot] = &[until(12, Text), since(13, UUID), always(List(PRODUCE_PARTITION))];
const PRODUCE_PARTITION: &[Slot] = &[always(Fixed(4)), always(Blob)];

const FETCH: &[Slot] = &[
    until(14, Fixed(4)),
    always(Fixed(4 + 4 + 4 + 1)),
    since(7, Fixed(4 + 4)),
    always(List(FETCH_TOPIC)),
    since(7, List(FETCH_FORGOTTEN)),
    since(11, Text),
];
const FETCH_TOPIC: &[Slot] = &[until(12, Text), since(13, UUID), always(List(FETCH_PARTITION))];
const FETCH_PARTITION: &[Slot] = &[
    always(Fixed(4)),
    since(9, Fixed(4)),
    always(Fixed(8)),
    since(12, Fixed(4)),
    since(5, Fixed(8)),
    always(Fixed(4)),
];
const FETCH_FORGOTTEN: &[Slot] = &[until(12, Text), since(13, UUID), always(Numbers(4))];

const METADATA: &[Slot] =
    &[always(List(METADATA_TOPIC)), since(4, Fixed(1)), between(8, 10, Fixed(1)), since(8, Fixed(1))];
const METADATA_TOPIC: &[Slot] = &[since(10, UUID), always(Text)];

const LIST_OFFSETS: &[Slot] =
    &[always(Fixed(4)), since(2, Fixed(1)), always(List(LIST_OFFSETS_TOPIC)), since(10, Fixed(4))];
const LIST_OFFSETS_TOPIC: &[Slot] = &[always(Text), always(List(LIST_OFFSETS_PARTITION))];
const LIST_OFFSETS_PARTITION: &[Slot] = &[always(Fixed(4)), since(4, Fixed(4)), always(Fixed(8))];

const FIND_COORDINATOR: &[Slot] = &[until(3, Text), since(1, Fixed(1)), since(4, Texts)];

/// Checks that a request body contains every element that its counts claim.
///
/// # Errors
///
/// When it does not; what is behind the message is not looked at.
pub(super) fn check(api_key: ApiKey, version: i16, body: &[u8]) -> Result<()> {
    let (shape, flexible_since) = match api_key {
        ApiKey::Produce => (PRODUCE, 9),
        ApiKey::Fetch => (FETCH, 12),
        ApiKey::Metadata => (METADATA, 9),
        ApiKey::ListOffsets => (LIST_OFFSETS, 6),
        ApiKey::FindCoordinator => (FIND_COORDINATOR, 3),
        // These have no arrays.
        ApiKey::ApiVersions | ApiKey::InitProducerId => return Ok(()),
        other => bail!("no shape for {other:?}"),
    };
    Walk { rest: body, version, flexible: version >= flexible_since }.message(shape)
}

struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
    flexible: bool,
}

impl Walk<'_> {
    fn message(&mut self, slots: &[Slot]) -> Result<()> {
        let version = self.version;
        for slot in slots.iter().filter(|slot| slot.versions.contains(&version)) {
            self.slot(&slot.kind)?;
        }
        if self.flexible { self.tags() } else { Ok(()) }
    }

    fn slot(&mut self, kind: &Kind) -> Result<()> {
        match kind {
            Fixed(bytes) => self.skip(*bytes),
            Text => {
                let length = self.length(2)?;
                self.skip(length)
            }
            Blob => {
                let length = self.length(4)?;
                self.skip(length)
            }
            Numbers(bytes) => {
                let total = self.length(4)?.checked_mul(*bytes).context("count overflows")?;
                self.skip(total)
            }
            List(slots) => (0..self.length(4)?).try_for_each(|_| self.message(slots)),
            Texts => (0..self.length(4)?).try_for_each(|_| self.slot(&Text)),
        }
    }

    /// A length or count; null counts as 0. Classic ones have `width` bytes, compact ones are length + 1.
    fn length(&mut self, width: usize) -> Result<usize> {
        if self.flexible {
            return Ok(self.unsigned()?.saturating_sub(1));
        }
        ensure!(self.rest.len() >= width, "cut off within a length");
        let length = self.rest.get_int(width);
        ensure!(length >= -1, "length {length}");
        Ok(usize::try_from(length).unwrap_or(0))
    }

    fn tags(&mut self) -> Result<()> {
        for _ in 0..self.unsigned()? {
            self.unsigned()?;
            let size = self.unsigned()?;
            self.skip(size)?;
        }
        Ok(())
    }

    fn unsigned(&mut self) -> Result<usize> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            ensure!(!self.rest.is_empty(), "cut off within a varint");
            let byte = self.rest.get_u8();
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        bail!("a varint of more than five bytes")
    }

    fn skip(&mut self, bytes: usize) -> Result<()> {
        ensure!(self.rest.len() >= bytes, "{bytes} bytes claimed, {} left", self.rest.len());
        self.rest.advance(bytes);
        Ok(())
    }
}
