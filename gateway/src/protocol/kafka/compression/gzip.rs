//! Gzip (RFC 1952): members one after the other, each with its header, checksum and size.

use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};

use super::text::Text;
use super::{Contents, Failure, append_with};

/// Raw inflate, made at the first use. Header and trailer are ours, so that the state can be reused.
#[derive(Default)]
pub(super) struct Inflater(Option<Decompress>);

impl Inflater {
    /// Inflates all members of `blob`. What one plain member holds beside its text is a time and two bytes; optional
    /// fields, and any number of members, hold what a client likes.
    pub(super) fn inflate(&mut self, mut blob: &[u8], text: &mut Text) -> Result<Contents, Failure> {
        let inflate = self.0.get_or_insert_with(|| Decompress::new(false));
        let mut text_only = blob.get(FLAGS_AT).is_some_and(|flags| flags & FLAGS_OPTIONAL == 0);
        loop {
            let body = skip_header(blob).ok_or(Failure::Invalid)?;
            let start = text.as_slice().len();
            let rest = inflate_member(inflate, body, text)?;
            let member = text.as_slice().get(start..).unwrap_or_default();
            blob = check_trailer(rest, member).ok_or(Failure::Invalid)?;
            if blob.is_empty() {
                return Ok(Contents::text_only(text_only));
            }
            text_only = false;
        }
    }
}

/// Inflates one member and returns what follows its last block.
fn inflate_member<'a>(
    inflate: &mut Decompress,
    body: &'a [u8],
    text: &mut Text,
) -> Result<&'a [u8], Failure> {
    inflate.reset(false);
    loop {
        let consumed = read_total(inflate.total_in());
        let input = body.get(consumed..).ok_or(Failure::Invalid)?;
        let produced = inflate.total_out();
        let room = text.room(text.as_slice().len().max(ROOM_BYTES_MIN))?;
        let status = inflate.decompress(input, room, FlushDecompress::None).map_err(|_| Failure::Invalid)?;
        let written = read_total(inflate.total_out() - produced);
        text.advance(written);
        let stuck = written == 0 && read_total(inflate.total_in()) == consumed;
        match status {
            Status::StreamEnd => {
                return body.get(read_total(inflate.total_in())..).ok_or(Failure::Invalid);
            }
            Status::Ok | Status::BufError if stuck => return Err(Failure::Invalid),
            Status::Ok | Status::BufError => {}
        }
    }
}

/// Skips the header of a member; `None` when it is not one.
fn skip_header(blob: &[u8]) -> Option<&[u8]> {
    let (fixed, mut rest) = blob.split_first_chunk::<10>()?;
    let [0x1f, 0x8b, DEFLATE, flags, ..] = *fixed else { return None };
    if flags & FLAGS_RESERVED != 0 {
        return None;
    }
    if flags & FLAG_EXTRA != 0 {
        let (length, after) = rest.split_first_chunk()?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for flag in [FLAG_NAME, FLAG_COMMENT] {
        if flags & flag != 0 {
            let end = rest.iter().position(|&byte| byte == 0)?;
            rest = rest.get(end + 1..)?;
        }
    }
    if flags & FLAG_HEADER_CRC != 0 {
        rest = rest.get(2..)?;
    }
    Some(rest)
}

/// Checks the CRC-32 and the size of a member; what follows is the next one.
fn check_trailer<'a>(rest: &'a [u8], member: &[u8]) -> Option<&'a [u8]> {
    let (crc, rest) = rest.split_first_chunk()?;
    let (size, rest) = rest.split_first_chunk()?;
    let matches =
        u32::from_le_bytes(*crc) == crc32(member) && u32::from_le_bytes(*size) == member.len() as u32; // modulo 2^32, RFC 1952 2.3.1
    matches.then_some(rest)
}

/// Raw deflate, made at the first use.
#[derive(Default)]
pub(super) struct Deflater(Option<Compress>);

impl Deflater {
    pub(super) fn deflate(&mut self, text: &[u8], room: &mut Text, out: &mut Vec<u8>) -> Result<(), Failure> {
        let deflate = self.0.get_or_insert_with(|| Compress::new(Compression::default(), false));
        deflate.reset();
        out.extend_from_slice(&HEADER);
        loop {
            let consumed = read_total(deflate.total_in());
            let produced = deflate.total_out();
            let rest = text.get(consumed..).ok_or(Failure::Invalid)?;
            let mut status = Status::BufError;
            append_with(room, out, rest.len() + ROOM_BYTES_MIN, |room| {
                status = deflate.compress(rest, room, FlushCompress::Finish).map_err(|_| Failure::Invalid)?;
                Ok(read_total(deflate.total_out() - produced))
            })?;
            if status == Status::StreamEnd {
                break;
            }
        }
        out.extend_from_slice(&crc32(text).to_le_bytes());
        out.extend_from_slice(&(text.len() as u32).to_le_bytes());
        Ok(())
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// A total of one member: bounded by the frame and text limits, far below `usize`.
fn read_total(total: u64) -> usize {
    usize::try_from(total).unwrap_or(usize::MAX)
}

/// Header of our members: no flags, no time, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, DEFLATE, 0, 0, 0, 0, 0, 0, 0xff];

/// The one compression method.
const DEFLATE: u8 = 8;

const FLAG_HEADER_CRC: u8 = 1 << 1;
const FLAG_EXTRA: u8 = 1 << 2;
const FLAG_NAME: u8 = 1 << 3;
const FLAG_COMMENT: u8 = 1 << 4;
const FLAGS_OPTIONAL: u8 = FLAG_HEADER_CRC | FLAG_EXTRA | FLAG_NAME | FLAG_COMMENT;
const FLAGS_RESERVED: u8 = 0xe0;

/// Where the flags stand in a member.
const FLAGS_AT: usize = 3;

/// Least room to inflate into, bytes; further room doubles the text.
const ROOM_BYTES_MIN: usize = 64 << 10;
