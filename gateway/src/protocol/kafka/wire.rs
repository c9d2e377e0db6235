//! Primitive types of the Kafka protocol: a checked reader and the matching writers.
//!
//! Source: "Protocol Primitive Types" of the Kafka protocol guide, KIP-482 for the compact forms and tagged
//! fields. *Classic* forms carry `i16` and `i32` lengths, *compact* ones an unsigned varint of length + 1.

use std::ops::Range;

/// Half-open byte range of a frame, a batch or a text; which one is said where it is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The span as a range of indices.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Length in bytes.
    pub fn bytes(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }

    /// The bytes of the span; empty when `bytes` is not what the span was made from.
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.range()).unwrap_or_default()
    }
}

/// The peer's bytes do not have the structure that they claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {at}")]
pub struct WireError {
    /// What is wrong.
    pub kind: WireErrorKind,
    /// Offset of the field, bytes.
    pub at: u32,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireErrorKind {
    /// The field ends after the bytes do.
    #[error("field is cut off")]
    Truncated,
    /// A length is negative where it must not be, or larger than the rest.
    #[error("length does not fit the rest")]
    Length,
    /// A count is negative, or more elements than the rest can hold.
    #[error("count does not fit the rest")]
    Count,
    /// More elements than any client sends.
    #[error("more than {count_max} elements")]
    CountLimit {
        /// The limit.
        count_max: usize,
    },
    /// A varint is longer than its type.
    #[error("varint overflows")]
    VarintOverflow,
    /// Null where the schema has none.
    #[error("null is not allowed")]
    Null,
    /// Bytes follow the last field.
    #[error("bytes follow the last field")]
    Trailing,
    /// A value is outside of what the field may hold.
    #[error("value is not allowed")]
    Value,
}

/// Result of reading a field.
pub type WireResult<T> = Result<T, WireError>;

/// A cursor over bytes from the network: `at <= bytes.len()`.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the first byte. `bytes` is a frame or a text, so at most 4 GiB.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// A reader of `bytes` that starts at offset `at` (or at the end, if that lies before `at`).
    pub fn starting_at(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at: at.min(bytes.len()) }
    }

    /// Offset of the next byte.
    pub fn at(&self) -> u32 {
        offset(self.at)
    }

    /// Number of bytes left.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Asserts that every byte was read.
    pub fn finish(&self) -> WireResult<()> {
        if self.left() == 0 { Ok(()) } else { Err(error(WireErrorKind::Trailing, self.at())) }
    }

    /// The next `count` bytes as a span.
    #[inline]
    pub fn take(&mut self, count: usize) -> WireResult<Span> {
        if count > self.left() {
            return Err(error(WireErrorKind::Truncated, self.at()));
        }
        let start = self.at();
        self.at += count;
        Ok(Span { start, end: self.at() })
    }

    /// `INT8` or `BOOLEAN`.
    #[inline]
    pub fn i8(&mut self) -> WireResult<i8> {
        self.array().map(i8::from_be_bytes)
    }

    /// `INT16`.
    #[inline]
    pub fn i16(&mut self) -> WireResult<i16> {
        self.array().map(i16::from_be_bytes)
    }

    /// `INT32`.
    #[inline]
    pub fn i32(&mut self) -> WireResult<i32> {
        self.array().map(i32::from_be_bytes)
    }

    /// `INT64`.
    #[inline]
    pub fn i64(&mut self) -> WireResult<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// `UUID`.
    pub fn uuid(&mut self) -> WireResult<[u8; 16]> {
        self.array()
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> WireResult<[u8; N]> {
        match self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
            Some(chunk) => {
                self.at += N;
                Ok(*chunk)
            }
            None => Err(error(WireErrorKind::Truncated, self.at())),
        }
    }

    /// `UNSIGNED_VARINT`: at most five bytes, at most 32 bits.
    #[inline]
    pub fn unsigned_varint(&mut self) -> WireResult<u32> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u32::from(byte))
            }
            _ => self.long_varint(5).and_then(|(value, at)| {
                u32::try_from(value).map_err(|_| error(WireErrorKind::VarintOverflow, at))
            }),
        }
    }

    /// `VARINT`: zigzag, at most 32 bits.
    #[inline]
    pub fn varint(&mut self) -> WireResult<i32> {
        self.unsigned_varint().map(|raw| (raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    /// `VARLONG`: zigzag, at most ten bytes, at most 64 bits.
    #[inline]
    pub fn varlong(&mut self) -> WireResult<i64> {
        let raw = match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                u64::from(byte)
            }
            _ => self.long_varint(10)?.0,
        };
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    /// The value of a varint of at most `bytes_max` bytes, and where it starts.
    fn long_varint(&mut self, bytes_max: usize) -> WireResult<(u64, u32)> {
        let at = self.at();
        let mut value = 0u64;
        for index in 0..bytes_max {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            let shifted = bits << (7 * index);
            if shifted >> (7 * index) != bits {
                return Err(error(WireErrorKind::VarintOverflow, at));
            }
            value |= shifted;
            if byte < 0x80 {
                return Ok((value, at));
            }
        }
        Err(error(WireErrorKind::VarintOverflow, at))
    }

    /// `STRING` or `COMPACT_STRING`.
    pub fn string(&mut self, compact: bool) -> WireResult<Span> {
        let at = self.at();
        self.nullable_string(compact)?.ok_or(error(WireErrorKind::Null, at))
    }

    /// `NULLABLE_STRING` or `COMPACT_NULLABLE_STRING`.
    pub fn nullable_string(&mut self, compact: bool) -> WireResult<Option<Span>> {
        let at = self.at();
        let length = if compact { self.compact_length()? } else { i64::from(self.i16()?) };
        self.nullable(length, at)
    }

    /// `BYTES` or `COMPACT_BYTES`.
    pub fn bytes(&mut self, compact: bool) -> WireResult<Span> {
        let at = self.at();
        self.nullable_bytes(compact)?.ok_or(error(WireErrorKind::Null, at))
    }

    /// `NULLABLE_BYTES`, `RECORDS` or their compact forms.
    pub fn nullable_bytes(&mut self, compact: bool) -> WireResult<Option<Span>> {
        let at = self.at();
        let length = if compact { self.compact_length()? } else { i64::from(self.i32()?) };
        self.nullable(length, at)
    }

    /// Number of elements of an `ARRAY` or `COMPACT_ARRAY`; each has at least `element_bytes_min` bytes, so a
    /// count that the rest cannot hold is refused before anyone reserves room for it.
    pub fn array_count(&mut self, compact: bool, element_bytes_min: usize) -> WireResult<usize> {
        let at = self.at();
        self.nullable_array_count(compact, element_bytes_min)?.ok_or(error(WireErrorKind::Null, at))
    }

    /// As [`Reader::array_count`], with `None` for a null array.
    pub fn nullable_array_count(
        &mut self,
        compact: bool,
        element_bytes_min: usize,
    ) -> WireResult<Option<usize>> {
        let at = self.at();
        let count = if compact { self.compact_length()? } else { i64::from(self.i32()?) };
        if count == -1 {
            return Ok(None);
        }
        let count = usize::try_from(count).map_err(|_| error(WireErrorKind::Count, at))?;
        if count > self.left() / element_bytes_min.max(1) {
            return Err(error(WireErrorKind::Count, at));
        }
        Ok(Some(count))
    }

    /// Skips tagged fields (KIP-482); there are none when the version is not flexible.
    pub fn skip_tagged_fields(&mut self, flexible: bool) -> WireResult<()> {
        let count = if flexible { self.tag_count()? } else { 0 };
        for _ in 0..count {
            let _tag = self.unsigned_varint()?;
            let bytes = self.unsigned_varint()? as usize;
            self.take(bytes)?;
        }
        Ok(())
    }

    /// Number of tagged fields.
    pub fn tag_count(&mut self) -> WireResult<usize> {
        let at = self.at();
        let count = self.unsigned_varint()? as usize;
        if count > self.left() / 2 {
            return Err(error(WireErrorKind::Count, at));
        }
        Ok(count)
    }

    /// Length of a compact value, -1 for null.
    fn compact_length(&mut self) -> WireResult<i64> {
        self.unsigned_varint().map(|raw| i64::from(raw) - 1)
    }

    fn nullable(&mut self, length: i64, at: u32) -> WireResult<Option<Span>> {
        if length == -1 {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| error(WireErrorKind::Length, at))?;
        if length > self.left() {
            return Err(error(WireErrorKind::Length, at));
        }
        self.take(length).map(Some)
    }
}

/// An error about the field at `at`.
fn error(kind: WireErrorKind, at: u32) -> WireError {
    WireError { kind, at }
}

/// Appends an `UNSIGNED_VARINT`.
pub fn put_unsigned_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a `VARINT` (zigzag).
pub fn put_varint(out: &mut Vec<u8>, value: i32) {
    put_unsigned_varint(out, zigzag(value));
}

/// Number of bytes of `value` as a `VARINT`.
pub fn varint_bytes(value: i32) -> usize {
    let significant_bits = 32 - (zigzag(value) | 1).leading_zeros();
    significant_bits.div_ceil(7) as usize
}

fn zigzag(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)).cast_unsigned()
}

/// Appends a `STRING` or `COMPACT_STRING` of at most `i16::MAX` bytes; a longer one is cut there.
pub fn put_string(out: &mut Vec<u8>, compact: bool, text: &[u8]) {
    let text = text.get(..STRING_BYTES_MAX).unwrap_or(text);
    let length = text.len() as u16;
    if compact {
        put_unsigned_varint(out, u32::from(length) + 1);
    } else {
        out.extend_from_slice(&length.to_be_bytes());
    }
    out.extend_from_slice(text);
}

/// Appends a `NULLABLE_STRING` or its compact form.
pub fn put_nullable_string(out: &mut Vec<u8>, compact: bool, text: Option<&[u8]>) {
    match text {
        Some(text) => put_string(out, compact, text),
        None if compact => out.push(0),
        None => out.extend_from_slice(&(-1i16).to_be_bytes()),
    }
}

/// Appends the count of an `ARRAY` or `COMPACT_ARRAY`.
pub fn put_array_count(out: &mut Vec<u8>, compact: bool, count: usize) {
    if compact {
        put_unsigned_varint(out, offset(count).saturating_add(1));
    } else {
        out.extend_from_slice(&offset(count).to_be_bytes());
    }
}

/// Overwrites the four bytes at `at` with `value`; the caller wrote them before.
pub fn patch_i32(out: &mut [u8], at: usize, value: u32) {
    if let Some(field) = out.get_mut(at..at + 4) {
        field.copy_from_slice(&value.to_be_bytes());
    }
}

/// Puts the field that `write` appends in the place of the bytes at `place`; what follows moves when the width
/// changes.
///
/// # Panics
///
/// When `place` is not within `out`.
pub fn replace_field(out: &mut Vec<u8>, place: Range<usize>, write: impl FnOnce(&mut Vec<u8>)) {
    let end = out.len();
    write(out);
    let width = (out.len() - end).min(COUNT_BYTES_MAX);
    let mut field = [0; COUNT_BYTES_MAX];
    field[..width].copy_from_slice(&out[end..end + width]);
    out.truncate(end);
    out.splice(place, field.into_iter().take(width));
}

/// Writes the size prefix of the frame that starts at `frame_start` of `out` and ends with it.
pub fn patch_frame_size(out: &mut [u8], frame_start: usize) {
    let size = out.len().saturating_sub(frame_start + 4);
    patch_i32(out, frame_start, offset(size));
}

/// An offset into a frame or text. Both are at most 4 GiB by construction (the frame limit is an `i32`).
fn offset(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Longest count or length, bytes: a varint of 32 bits.
const COUNT_BYTES_MAX: usize = 5;

/// Longest classic string, bytes: its length is an `i16`.
const STRING_BYTES_MAX: usize = i16::MAX as usize;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip_at_every_width() {
        for value in [0, -1, 63, 64, -64, -65, 8191, 8192, 1_048_575, 1_048_576, i32::MAX, i32::MIN] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            let mut reader = Reader::new(&bytes);

            assert_eq!(reader.varint(), Ok(value));
            assert_eq!(reader.left(), 0);
            assert_eq!(varint_bytes(value), bytes.len(), "{value}");
        }
    }

    #[test]
    fn malformed_fields_are_refused() {
        use WireErrorKind::{Count, Length, Null, Trailing, Truncated, VarintOverflow};
        type Read = fn(&mut Reader<'_>) -> WireResult<()>;
        let table: [(&str, &[u8], Read, WireErrorKind); 12] = [
            ("cut i32", &[0, 0, 1], |r| r.i32().map(drop), Truncated),
            ("varint of six bytes", &[0x80; 6], |r| r.varint().map(drop), VarintOverflow),
            ("33-bit varint", &[0xff, 0xff, 0xff, 0xff, 0x1f], |r| r.varint().map(drop), VarintOverflow),
            ("65-bit varlong", &[0xff; 10], |r| r.varlong().map(drop), VarintOverflow),
            ("cut varint", &[0x80], |r| r.varint().map(drop), Truncated),
            ("negative length", &[0xff, 0xfe], |r| r.nullable_string(false).map(drop), Length),
            ("length past the end", &[0, 9, 1], |r| r.string(false).map(drop), Length),
            ("null string", &[0], |r| r.string(true).map(drop), Null),
            ("count past the end", &[0x7f, 0xff, 0xff, 0xff], |r| r.array_count(false, 1).map(drop), Count),
            ("negative count", &[0xff, 0xff, 0xff, 0xfe], |r| r.array_count(false, 1).map(drop), Count),
            ("tag count past the end", &[5, 0, 0], |r| r.skip_tagged_fields(true), Count),
            ("trailing byte", &[0, 0], |r| r.i8().and_then(|_| r.finish()), Trailing),
        ];
        for (name, bytes, read, kind) in table {
            let error = read(&mut Reader::new(bytes)).expect_err(name);
            assert_eq!(error.kind, kind, "{name}");
        }
    }

    #[test]
    fn strings_and_counts_round_trip_in_both_forms() {
        for compact in [false, true] {
            let mut bytes = Vec::new();
            put_nullable_string(&mut bytes, compact, None);
            put_string(&mut bytes, compact, b"topic");
            put_array_count(&mut bytes, compact, 2);
            bytes.extend_from_slice(&[7, 7]);
            let mut reader = Reader::new(&bytes);

            assert_eq!(reader.nullable_string(compact), Ok(None));
            assert_eq!(reader.string(compact).map(|span| span.of(&bytes)), Ok(&b"topic"[..]));
            assert_eq!(reader.array_count(compact, 1), Ok(2));
        }
    }
}
