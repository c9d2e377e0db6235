//! What the wire code of the Produce path costs, one core: `cargo bench -p gateway --bench kafka_path`.
//!
//! Batches of 64 KiB of JSON records; the best of several rounds, so that neighbours on the machine count
//! least. ns per byte are of the uncompressed text.

use std::hint::black_box;
use std::time::Instant;

use gateway::payload::Patches;
use gateway::protocol::kafka::compression::{Compressor, Decompressor, Effort};
use gateway::protocol::kafka::edits::RecordEdits;
use gateway::protocol::kafka::emit::{BATCH_BYTES_MAX, Changes, Emitter};
use gateway::protocol::kafka::record_batch::{Codec, HEAD_BYTES, blob, seal_in_place, verify};
use gateway::protocol::kafka::records::Records;
use gateway::protocol::kafka::wire::put_varint;

const TEXT_BYTES: usize = 64 << 10;
const ROUNDS: usize = 30;
const REPEATS: usize = 200;

fn main() {
    walk();
    codecs();
}

/// Checksum and walk of an uncompressed batch.
fn walk() {
    for (headers, value_bytes) in [(0, 150), (3, 150), (0, 1024), (3, 1024)] {
        let batch = batch(Codec::None, &text(headers, value_bytes));
        let mut records = Records::default();
        let (head, _) = verify(Some(&batch), 9).expect("a good batch");
        let crc_ns = best(|| verify(Some(black_box(&batch)), 9).map(|_| ()).expect("a good batch"));
        let walk_ns = best(|| records.walk(&head, black_box(blob(&batch))).expect("good records"));
        println!(
            "{headers} headers, {value_bytes} B values: check {:.3} ns/B, walk {:.1} ns/record ({:.3} ns/B)",
            crc_ns / batch.len() as f64,
            walk_ns / f64::from(head.record_count),
            walk_ns / batch.len() as f64,
        );
    }
}

/// Decompression, and re-emission with one label, in each codec.
fn codecs() {
    let text = text(0, 1024);
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let batch = batch(codec, &text);
        let (head, _) = verify(Some(&batch), 9).expect("a good batch");
        let mut decompressor = Decompressor::default();
        let decompress_ns = best(|| {
            decompressor.decompress(codec, black_box(blob(&batch))).map(|_| ()).expect("a good blob");
        });
        let mut records = Records::default();
        records.walk(&head, &text).expect("good records");
        let patches = Patches::default();
        let mut edits = RecordEdits::default();
        edits.label(0, b"classification", |out| out.extend_from_slice(b"regulated"));
        let changes =
            Changes { patches: &patches, edits: &edits, strip: &[], batch_bytes_max: BATCH_BYTES_MAX };
        let (mut emitter, mut out) = (Emitter::default(), Vec::new());
        let emit_ns = best(|| {
            out.clear();
            emitter.emit(&batch, &head, &text, &records, changes, &mut out).expect("any text compresses");
        });
        println!(
            "{codec:?}: ratio {:.2}, decompress {:.3} ns/B, emit {:.3} ns/B",
            text.len() as f64 / blob(&batch).len() as f64,
            decompress_ns / text.len() as f64,
            emit_ns / text.len() as f64,
        );
    }
}

/// Nanoseconds of one call, in the best round.
fn best(mut call: impl FnMut()) -> f64 {
    let round = |call: &mut dyn FnMut()| {
        let start = Instant::now();
        for _ in 0..REPEATS {
            call();
        }
        start.elapsed().as_nanos() as f64 / REPEATS as f64
    };
    (0..ROUNDS).map(|_| round(&mut call)).fold(f64::INFINITY, f64::min)
}

/// Records with JSON values.
fn text(headers: i32, value_bytes: usize) -> Vec<u8> {
    let mut state = 7u64;
    let mut number = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut text = Vec::new();
    let mut index = 0;
    while text.len() < TEXT_BYTES {
        let mut value = String::from("{");
        while value.len() < value_bytes {
            value.push_str(&format!(
                "\"field_{}\":{},\"status\":\"active\",",
                number() % 20,
                number() % 100_000
            ));
        }
        value.truncate(value_bytes);
        let mut body = vec![0];
        put_varint(&mut body, index);
        put_varint(&mut body, index);
        put_bytes(&mut body, format!("key-{}", number() % 1000).as_bytes());
        put_bytes(&mut body, value.as_bytes());
        put_varint(&mut body, headers);
        for header in 0..headers {
            put_bytes(&mut body, format!("header-{header}").as_bytes());
            put_bytes(&mut body, b"header value");
        }
        put_bytes(&mut text, &body);
        index += 1;
    }
    text
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as i32);
    out.extend_from_slice(bytes);
}

/// A sealed batch around `text`, whose records are counted by walking their lengths.
fn batch(codec: Codec, text: &[u8]) -> Vec<u8> {
    let count = count(text);
    let mut batch = vec![0; HEAD_BYTES];
    batch[16] = 2;
    batch[22] = codec as u8;
    batch[23..27].copy_from_slice(&(count - 1).to_be_bytes());
    batch[43..57].fill(0xff);
    batch[57..61].copy_from_slice(&count.to_be_bytes());
    Compressor::default().compress(codec, &[], text, Effort::Fast, &mut batch).expect("any text compresses");
    let length = (batch.len() - 12) as u32;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    seal_in_place(&mut batch);
    batch
}

fn count(text: &[u8]) -> u32 {
    let mut reader = gateway::protocol::kafka::wire::Reader::new(text);
    let mut count = 0;
    while reader.left() > 0 {
        let length = reader.varint().expect("a length") as usize;
        reader.take(length).expect("a record");
        count += 1;
    }
    count
}
