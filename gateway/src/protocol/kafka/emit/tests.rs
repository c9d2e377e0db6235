use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::records::RecordBatchDecoder;
use proptest::prelude::*;

use super::super::compression::Decompressor;
use super::super::record_batch::verify;
use super::super::testing::{BatchSpec, RecordSpec, batch, text};
use super::*;
use crate::payload::Part;

const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// A batch that was read: its head, text and records.
struct Read {
    bytes: Vec<u8>,
    head: BatchHead,
    text: Vec<u8>,
    records: Records,
}

fn read(bytes: Vec<u8>) -> Read {
    let (head, codec) = verify(Some(&bytes), 9).expect("a good batch");
    let mut decompressor = Decompressor::default();
    let text = decompressor.decompress(codec, blob(&bytes)).expect("a good blob").to_vec();
    let mut records = Records::default();
    records.walk(&head, &text).expect("good records");
    Read { bytes, head, text, records }
}

impl Read {
    fn emit(&self, changes: Changes<'_>) -> (Read, Emitted) {
        let mut out = b"before".to_vec();
        let emitted = Emitter::default()
            .emit(&self.bytes, &self.head, &self.text, &self.records, changes, &mut out)
            .expect("any text compresses");
        assert_eq!(&out[..6], b"before");
        (read(out.split_off(6)), emitted)
    }

    fn specs(&self) -> Vec<RecordSpec> {
        let bytes = |span: Span| span.of(&self.text).to_vec();
        let header = |header: &Header| (bytes(header.key), header.value.map(bytes));
        let spec = |record: &Record| RecordSpec {
            key: record.key.map(bytes),
            value: record.value.map(bytes),
            headers: self.records.headers_of(record).iter().map(header).collect(),
        };
        self.records.records.iter().map(spec).collect()
    }
}

fn unchanged<'a>(patches: &'a Patches, edits: &'a RecordEdits) -> Changes<'a> {
    Changes { patches, edits, strip: &[], batch_bytes_max: BATCH_BYTES_MAX }
}

fn spec(codec: Codec) -> BatchSpec {
    BatchSpec {
        codec,
        producer_id: 4711,
        producer_epoch: 3,
        base_sequence: 17,
        transactional: true,
        ..BatchSpec::default()
    }
}

#[test]
fn text_is_byte_identical_when_nothing_changes() {
    for codec in CODECS {
        let before = read(batch(&spec(codec)));
        let (after, emitted) = before.emit(unchanged(&Patches::default(), &RecordEdits::default()));

        assert_eq!(after.text, before.text, "{codec:?}");
        assert_eq!(emitted, Emitted::default());
        if codec == Codec::None {
            assert_eq!(after.bytes, before.bytes);
        }
    }
}

#[test]
fn labels_stubs_strips_and_patches_change_only_what_they_name() {
    for codec in CODECS {
        let mut made = spec(codec);
        made.records[1].headers.insert(0, (b"classification".to_vec(), Some(b"public".to_vec())));
        made.records[2].value = None;
        let before = read(batch(&made));
        let value =
            before.records.fields.iter().position(|field| field.part == Part::Value).expect("a value");
        let start = before.records.fields[value].start;
        let mut patches = Patches::default();
        patches.push(value as u32, start + 1, start + 2, |out| out.extend_from_slice(&[b'*'; 200]));
        let mut edits = RecordEdits::default();
        edits.label(0, b"classification", |out| out.extend_from_slice(b"regulated"));
        edits.label(0, b"classification-rules", |out| out.extend_from_slice(b"cards"));
        edits.stub(2, |out| out.extend_from_slice(b"blocked"));
        let strip: &[&[u8]] = &[b"classification"];
        let changes = Changes { strip, ..unchanged(&patches, &edits) };

        let (after, emitted) = before.emit(changes);

        let mut expected = made.records.clone();
        expected[0].value = Some([&b"f"[..], &[b'*'; 200], b"rst"].concat());
        expected[0].headers.push((b"classification".to_vec(), Some(b"regulated".to_vec())));
        expected[0].headers.push((b"classification-rules".to_vec(), Some(b"cards".to_vec())));
        expected[1].headers.remove(0);
        expected[2].value = Some(b"blocked".to_vec());
        assert_eq!(after.specs(), expected, "{codec:?}");
        assert_eq!(emitted, Emitted { headers_stripped: 1, labels_skipped: 0 });
        let (crc, batch_length) = (after.head.crc, after.head.batch_length);
        assert_eq!(after.head, BatchHead { crc, batch_length, ..before.head }, "{codec:?}");
    }
}

#[test]
fn lengths_widen_and_narrow_at_varint_edges() {
    for (from, to) in [(1, 63), (1, 64), (64, 1), (8191, 8192), (100, 9000), (9000, 0)] {
        let record = RecordSpec { key: None, value: Some(vec![b'v'; from]), headers: vec![] };
        let made = BatchSpec { records: vec![record; 2], ..BatchSpec::default() };
        let before = read(batch(&made));
        let field = before.records.fields[0];
        let mut patches = Patches::default();
        patches.push(0, field.start, field.end, |out| out.resize(out.len() + to, b'w'));

        let (after, _) = before.emit(unchanged(&patches, &RecordEdits::default()));

        assert_eq!(after.specs()[0].value, Some(vec![b'w'; to]), "{from} to {to}");
        assert_eq!(after.specs()[1].value, Some(vec![b'v'; from]), "{from} to {to}");
    }
}

#[test]
fn labels_that_do_not_fit_the_broker_are_skipped() {
    for codec in CODECS {
        let before = read(batch(&spec(codec)));
        let mut edits = RecordEdits::default();
        for record in 0..3 {
            edits.label(record, b"classification", |out| out.extend_from_slice(b"regulated"));
        }
        let patches = Patches::default();
        let changes = Changes { batch_bytes_max: before.bytes.len(), ..unchanged(&patches, &edits) };

        let (after, emitted) = before.emit(changes);

        assert_eq!(emitted.labels_skipped, 3, "{codec:?}");
        assert_eq!(after.text, before.text, "{codec:?}");
    }
}

#[test]
fn one_label_fits_where_two_do_not() {
    let before = read(batch(&spec(Codec::None)));
    let mut edits = RecordEdits::default();
    for record in 0..2 {
        edits.label(record, b"classification", |out| out.extend_from_slice(b"regulated"));
    }
    let patches = Patches::default();
    let room = before.bytes.len() + 2 * WIDENED_BYTES_MAX + 40;
    let changes = Changes { batch_bytes_max: room, ..unchanged(&patches, &edits) };

    let (after, emitted) = before.emit(changes);

    assert_eq!(emitted.labels_skipped, 1);
    assert_eq!(after.specs()[0].headers.len(), 2);
    assert!(after.bytes.len() <= room);
}

#[test]
fn snappy_keeps_its_framing() {
    for framing_of in [vec![], b"\x82SNAPPY\0".to_vec()] {
        let before = read(batch(&BatchSpec { framing_of: framing_of.clone(), ..spec(Codec::Snappy) }));
        let (after, _) = before.emit(unchanged(&Patches::default(), &RecordEdits::default()));
        assert_eq!(blob(&after.bytes).starts_with(b"\x82SNAPPY\0"), !framing_of.is_empty());
    }
}

/// Decodes an uncompressed batch with the `kafka-protocol` crate.
fn decoded(bytes: &[u8]) -> Vec<kafka_protocol::records::Record> {
    let mut buffer = Bytes::copy_from_slice(bytes);
    RecordBatchDecoder::decode(&mut buffer).expect("the crate decodes it").records
}

fn any_bytes(bytes_max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..40),
        1 => prop::collection::vec(any::<u8>(), 60..70),
        1 => prop::collection::vec(any::<u8>(), 0..bytes_max),
    ]
}

fn any_record() -> impl Strategy<Value = RecordSpec> {
    let headers = prop::collection::btree_map("[a-z]{1,8}", prop::option::of(any_bytes(100)), 0..4);
    (prop::option::of(any_bytes(100)), prop::option::of(any_bytes(9000)), headers).prop_map(
        |(key, value, headers)| RecordSpec {
            key,
            value,
            headers: headers.into_iter().map(|(name, value)| (name.into_bytes(), value)).collect(),
        },
    )
}

fn any_batch() -> impl Strategy<Value = BatchSpec> {
    let codec = prop::sample::select(CODECS.to_vec());
    (codec, prop::collection::vec(any_record(), 1..8), any::<i64>(), any::<bool>()).prop_map(
        |(codec, records, base_timestamp, transactional)| BatchSpec {
            codec,
            records,
            base_timestamp: base_timestamp >> 4,
            transactional,
            producer_id: 9,
            producer_epoch: 1,
            base_sequence: 2,
            ..BatchSpec::default()
        },
    )
}

proptest! {
    #[test]
    fn parse_and_emit_is_the_identity(made in any_batch()) {
        let before = read(batch(&made));
        prop_assert_eq!(&before.text, &text(&made));
        let (after, _) = before.emit(unchanged(&Patches::default(), &RecordEdits::default()));
        prop_assert_eq!(&after.text, &before.text);
        prop_assert_eq!(after.specs(), made.records);
    }

    #[test]
    fn masked_batches_decode_and_keep_what_must_not_change(
        made in any_batch(),
        width in 0usize..300,
        every in 1u32..4,
    ) {
        let made = BatchSpec { codec: Codec::None, ..made };
        let before = read(batch(&made));
        let mut patches = Patches::default();
        for (index, field) in before.records.fields.iter().enumerate() {
            if field.record.is_multiple_of(every) {
                patches.push(index as u32, field.start, field.end, |out| out.resize(out.len() + width, b'*'));
            }
        }
        let (after, _) = before.emit(unchanged(&patches, &RecordEdits::default()));

        let (original, masked) = (decoded(&before.bytes), decoded(&after.bytes));
        prop_assert_eq!(original.len(), masked.len());
        for (index, (original, masked)) in original.iter().zip(&masked).enumerate() {
            let changed = (index as u32).is_multiple_of(every);
            let expected = |value: &Option<Bytes>| value.clone().map(|bytes| {
                if changed && !bytes.is_empty() { Bytes::from(vec![b'*'; width]) } else { bytes }
            });
            prop_assert_eq!(&masked.key, &expected(&original.key));
            prop_assert_eq!(&masked.value, &expected(&original.value));
            let headers: BTreeMap<_, _> =
                original.headers.iter().map(|(name, value)| (name.to_string(), expected(value))).collect();
            let found: BTreeMap<_, _> =
                masked.headers.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
            prop_assert_eq!(found, headers);
            prop_assert_eq!(masked.offset, original.offset);
            prop_assert_eq!(masked.timestamp, original.timestamp);
            prop_assert_eq!(masked.producer_id, original.producer_id);
            prop_assert_eq!(masked.producer_epoch, original.producer_epoch);
            prop_assert_eq!(masked.sequence, original.sequence);
            prop_assert_eq!(masked.transactional, original.transactional);
        }
    }
}

/// Level 1, which the gateway uses, makes about a tenth more of it than the levels that clients use.
#[test]
fn a_zstd_batch_that_the_broker_takes_stays_one_that_it_takes() {
    // A generator of words (Knuth, The Art of Computer Programming 3.3.4): text of a small vocabulary in any order.
    let mut state = 1_u64;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:x} ", (state >> 33) % 3_000 * 7_919)
    };
    let value: String = (0..100_000).map(|_| word()).collect();
    let record = RecordSpec { key: None, value: Some(value.into_bytes()), headers: vec![] };
    let records = vec![record];
    let spec = BatchSpec { codec: Codec::Zstd, effort: Effort::Small, records, ..BatchSpec::default() };
    let before = read(batch(&spec));
    let mut patches = Patches::default();
    let value = before.records.fields.iter().find(|field| field.part == Part::Value).expect("a value");
    patches.push(value.record, value.start, value.start + 1, |out| out.push(b'*'));
    let edits = RecordEdits::default();
    let size = |batch_bytes_max| {
        let changes = Changes { batch_bytes_max, ..unchanged(&patches, &edits) };
        before.emit(changes).0.bytes.len()
    };

    let fast = size(BATCH_BYTES_MAX);
    assert_eq!(size(fast), fast);
    let came = before.bytes.len();
    assert!(came + 100 < fast, "of {came} bytes level 1 makes {fast}: the test needs another text");
    assert!(size(came + 100) <= came + 100);
}
