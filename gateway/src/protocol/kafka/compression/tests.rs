use std::io::{Read, Write};

use super::super::record_batch::Codec;
use super::*;

const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// Text of `bytes` bytes that compresses a little.
fn sample(bytes: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..bytes).map(|index| if index % 3 == 0 { next() } else { b'a' + (index % 7) as u8 }).collect()
}

fn compressed(codec: Codec, framing: &[u8], text: &[u8]) -> Vec<u8> {
    let mut blob = Vec::new();
    Compressor::default()
        .compress(codec, framing, text, Effort::Fast, &mut blob)
        .expect("any text compresses");
    blob
}

fn xerial(text: &[u8]) -> Vec<u8> {
    compressed(Codec::Snappy, b"\x82SNAPPY\0", text)
}

#[test]
fn texts_round_trip_in_every_codec_at_block_edges() {
    let mut decompressor = Decompressor::default();
    for bytes in [1, 100, 32_767, 32_768, 65_535, 65_536, 65_537, 300_000] {
        let text = sample(bytes);
        for codec in CODECS {
            let blob = compressed(codec, &[], &text);
            assert_eq!(decompressor.decompress(codec, &blob), Ok(&text[..]), "{codec:?} {bytes}");
        }
        let framed = xerial(&text);
        assert_eq!(SnappyFraming::of(&framed), SnappyFraming::Xerial);
        assert_eq!(decompressor.decompress(Codec::Snappy, &framed), Ok(&text[..]), "xerial {bytes}");
    }
}

#[test]
fn other_decoders_read_what_is_written() {
    let text = sample(200_000);
    let mut read = Vec::new();
    flate2::read::GzDecoder::new(&compressed(Codec::Gzip, &[], &text)[..])
        .read_to_end(&mut read)
        .expect("gzip");
    assert_eq!(read, text);

    read.clear();
    lz4_flex::frame::FrameDecoder::new(&compressed(Codec::Lz4, &[], &text)[..])
        .read_to_end(&mut read)
        .expect("lz4");
    assert_eq!(read, text);

    assert_eq!(::zstd::decode_all(&compressed(Codec::Zstd, &[], &text)[..]).expect("zstd"), text);
    let raw = compressed(Codec::Snappy, &[], &text);
    assert_eq!(snap::raw::Decoder::new().decompress_vec(&raw).expect("snappy"), text);
}

#[test]
fn what_other_encoders_write_is_read() {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    let text = sample(200_000);
    let mut decompressor = Decompressor::default();

    let member = |text: &[u8]| {
        let mut encoder = flate2::GzBuilder::new()
            .filename("name")
            .comment("comment")
            .extra("extra")
            .write(Vec::new(), flate2::Compression::best());
        encoder.write_all(text).expect("in memory");
        encoder.finish().expect("in memory")
    };
    let members = [member(&text[..70_000]), member(&[]), member(&text[70_000..])].concat();
    assert_eq!(decompressor.decompress(Codec::Gzip, &members), Ok(&text[..]));

    for size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max1MB, BlockSize::Max4MB] {
        let info = FrameInfo::new()
            .block_mode(BlockMode::Independent)
            .block_size(size)
            .block_checksums(true)
            .content_checksum(true)
            .content_size(Some(text.len() as u64));
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(&text).expect("in memory");
        let frame = encoder.finish().expect("in memory");
        assert_eq!(decompressor.decompress(Codec::Lz4, &frame), Ok(&text[..]));
    }

    for level in [-5, 1, 3, 19] {
        let frame = ::zstd::encode_all(&text[..], level).expect("in memory");
        assert_eq!(decompressor.decompress(Codec::Zstd, &frame), Ok(&text[..]));
    }
}

#[test]
fn blobs_that_a_broker_refuses_are_invalid() {
    use lz4_flex::frame::{BlockMode, FrameEncoder, FrameInfo};
    let text = sample(200_000);
    let linked = {
        let info = FrameInfo::new().block_mode(BlockMode::Linked);
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(&text).expect("in memory");
        encoder.finish().expect("in memory")
    };
    let with = |codec, at: usize| {
        let mut blob = compressed(codec, &[], &text);
        blob[at] ^= 0x10;
        blob
    };
    let lying_about_its_size = {
        let mut blob = compressed(Codec::Lz4, &[], &text);
        blob[4] |= 0x08;
        blob.splice(6..6, *b"39-5972-");
        let checksum = (twox_hash::XxHash32::oneshot(0, &blob[4..14]) >> 8) as u8;
        blob.tap(|blob| blob[14] = checksum)
    };
    let skippable = [&0x184d_2a50_u32.to_le_bytes()[..], &4u32.to_le_bytes(), b"5972"].concat();
    let trailing = |codec| [compressed(codec, &[], &text), vec![0]].concat();
    let table = [
        ("lz4, linked blocks", Codec::Lz4, linked),
        ("lz4, reserved bit", Codec::Lz4, with(Codec::Lz4, 5)),
        ("lz4, header checksum", Codec::Lz4, with(Codec::Lz4, 6)),
        ("lz4, content size", Codec::Lz4, lying_about_its_size),
        ("lz4, skippable first", Codec::Lz4, [&skippable[..], &with(Codec::Lz4, 0)].concat()),
        ("lz4, skippable last", Codec::Lz4, [compressed(Codec::Lz4, &[], &text), skippable].concat()),
        ("lz4, trailing", Codec::Lz4, trailing(Codec::Lz4)),
        ("gzip, trailing", Codec::Gzip, trailing(Codec::Gzip)),
        ("gzip, reserved flag", Codec::Gzip, with(Codec::Gzip, 3).tap(|blob| blob[3] = 0x80)),
        ("zstd, trailing", Codec::Zstd, trailing(Codec::Zstd)),
        ("xerial, trailing", Codec::Snappy, [xerial(&text), vec![0]].concat()),
        ("xerial, half a header", Codec::Snappy, b"\x82SNAPPY\0\0\0".to_vec()),
        ("snappy, 4 GiB claimed", Codec::Snappy, vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0]),
        ("empty gzip", Codec::Gzip, vec![]),
        ("empty lz4", Codec::Lz4, vec![]),
        ("empty snappy", Codec::Snappy, vec![]),
    ];
    let mut decompressor = Decompressor::default();
    for (name, codec, blob) in table {
        let refused = decompressor.decompress(codec, &blob);
        assert_eq!(refused, Err(CompressionError::Invalid { codec }), "{name}");
    }
}

/// Changes a value in place within an expression.
trait Tap: Sized {
    fn tap(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Tap for Vec<u8> {}

#[test]
fn bombs_are_refused_at_the_ratio_and_at_the_cap() {
    let mut decompressor = Decompressor::default();
    let bomb = vec![0; 8 << 20];
    let huge = sample(TEXT_BYTES_MAX + 1);
    for codec in [Codec::Gzip, Codec::Lz4, Codec::Zstd] {
        let blob = compressed(codec, &[], &bomb);
        let text_bytes_max = text_bytes_max(blob.len());
        let refused = decompressor.decompress(codec, &blob);
        assert_eq!(refused, Err(CompressionError::TooLarge { text_bytes_max }), "{codec:?}");
    }
    for codec in CODECS {
        let blob = compressed(codec, &[], &huge);
        let refused = decompressor.decompress(codec, &blob);
        let text_bytes_max = TEXT_BYTES_MAX;
        assert_eq!(refused, Err(CompressionError::TooLarge { text_bytes_max }), "{codec:?}");
    }
    let fits = vec![0; 1 << 20];
    for codec in CODECS {
        let blob = compressed(codec, &[], &fits);
        let text = decompressor.decompress(codec, &blob);
        assert_eq!(text.map(<[u8]>::len), Ok(fits.len()), "{codec:?}");
    }
}

#[test]
fn every_strict_prefix_of_a_blob_is_an_error() {
    let text = sample(500);
    let mut decompressor = Decompressor::default();
    let table = [
        (Codec::Gzip, compressed(Codec::Gzip, &[], &text)),
        (Codec::Snappy, compressed(Codec::Snappy, &[], &text)),
        (Codec::Lz4, compressed(Codec::Lz4, &[], &text)),
        (Codec::Zstd, compressed(Codec::Zstd, &[], &text)),
    ];
    for (codec, blob) in table {
        for end in 1..blob.len() {
            assert!(decompressor.decompress(codec, &blob[..end]).is_err(), "{codec:?} cut at {end}");
        }
    }
}

/// A batch that nobody has seen whole must not go on as it came.
#[test]
fn what_a_blob_holds_beside_its_text_is_told() {
    let text = sample(5_000);
    let plain = |codec| compressed(codec, &[], &text);
    let gzip = |builder: flate2::GzBuilder| {
        let mut encoder = builder.write(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&text).expect("in memory");
        encoder.finish().expect("in memory")
    };
    let new = flate2::GzBuilder::new;
    let hidden = b"ssn 553-39-5972";
    let skippable = [&0x184d_2a50_u32.to_le_bytes()[..], &15u32.to_le_bytes(), hidden].concat();
    let empty_member = compressed(Codec::Gzip, &[], &[]);
    let table = [
        ("gzip", Codec::Gzip, plain(Codec::Gzip), false),
        ("gzip, time", Codec::Gzip, gzip(new().mtime(7)), false),
        ("gzip, name", Codec::Gzip, gzip(new().filename(&hidden[..])), true),
        ("gzip, comment", Codec::Gzip, gzip(new().comment(&hidden[..])), true),
        ("gzip, extra", Codec::Gzip, gzip(new().extra(&hidden[..])), true),
        ("gzip, two members", Codec::Gzip, [plain(Codec::Gzip), empty_member].concat(), true),
        ("zstd", Codec::Zstd, plain(Codec::Zstd), false),
        ("zstd, skippable first", Codec::Zstd, [skippable.clone(), plain(Codec::Zstd)].concat(), true),
        ("zstd, skippable last", Codec::Zstd, [plain(Codec::Zstd), skippable].concat(), true),
        ("snappy", Codec::Snappy, plain(Codec::Snappy), false),
        ("xerial", Codec::Snappy, xerial(&text), false),
        ("xerial, versions", Codec::Snappy, xerial(&text).tap(|blob| blob[8..16].fill(b'5')), true),
        ("lz4", Codec::Lz4, plain(Codec::Lz4), false),
    ];
    let mut decompressor = Decompressor::default();
    for (name, codec, blob, has_extras) in table {
        assert_eq!(decompressor.decompress(codec, &blob), Ok(&text[..]), "{name}");
        assert_eq!(decompressor.has_extras(), has_extras, "{name}");
    }
}
