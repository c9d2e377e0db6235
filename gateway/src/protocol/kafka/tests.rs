//! Captured frames of real clients and a real broker, whole and broken.

use super::allow::{self, Action};
use super::api::{AddressResponse, ApiKey, Handling, Response};
use super::compression::{Compressor, Decompressor, Effort};
use super::edits::RecordEdits;
use super::emit::{BATCH_BYTES_MAX, Changes, Emitter};
use super::frame::{FRAME_BYTES_MAX, Framed, REQUEST_BYTES_MIN, framed};
use super::header::{RequestHeader, RequestPrefix};
use super::produce::ProduceRequest;
use super::produce_response::{self, PartitionError, ProduceAnswer};
use super::produce_writer::ProduceWriter;
use super::record_batch::{blob, seal_in_place, verify};
use super::records::Records;
use super::rewrite::rewrite;
use super::testing::TestDirectory;
use super::{api_versions, sasl};
use crate::payload::Patches;

/// A captured frame and what its file name says of it.
struct Capture {
    name: String,
    api: String,
    version: i16,
    is_request: bool,
    bytes: Vec<u8>,
}

fn captures() -> Vec<Capture> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/kafka");
    let mut captures = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the captures are in the repository") {
        let path = entry.expect("a readable folder").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("an ASCII name").to_owned();
        let is_request = name.ends_with(".request");
        if !is_request && !name.ends_with(".response") {
            continue;
        }
        let mut parts = name.split('-');
        let api = parts.next().expect("an API").to_owned();
        let version = parts.next().and_then(|part| part.strip_prefix('v')).expect("a version");
        let version = version.parse().expect("a version");
        captures.push(Capture {
            api,
            version,
            is_request,
            bytes: std::fs::read(&path).expect("readable"),
            name,
        });
    }
    captures.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(captures.len() > 50, "{} captures", captures.len());
    captures
}

/// Everything that is reused from request to request.
#[derive(Default)]
struct Path {
    request: ProduceRequest,
    decompressor: Decompressor,
    records: Records,
    emitter: Emitter,
}

impl Path {
    /// Reads a Produce frame and writes it again, with every batch that can be read re-emitted and every other
    /// refused. Returns the frame that would be sent and the number of records in it.
    fn through(&mut self, bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
        let Self { request, decompressor, records, emitter } = self;
        request.parse(bytes).ok()?;
        let mut answer = ProduceAnswer::new(bytes, request);
        let mut out = Vec::new();
        let mut writer = ProduceWriter::begin(bytes, request, 0, &mut out);
        let (mut count, mut refused) = (0, 0);
        for (position, partition) in request.partitions.iter().enumerate() {
            let batch = partition.records.map(|span| span.of(bytes));
            let read = verify(batch, request.api_version).and_then(|(head, codec)| {
                let batch = batch.unwrap_or_default();
                let text = decompressor.decompress(codec, blob(batch))?;
                records.walk(&head, text)?;
                Ok((head, text, batch))
            });
            match read {
                Ok((head, text, batch)) => {
                    count += records.records.len();
                    let (patches, edits) = (Patches::default(), RecordEdits::default());
                    let changes = Changes {
                        patches: &patches,
                        edits: &edits,
                        strip: &[],
                        batch_bytes_max: BATCH_BYTES_MAX,
                    };
                    let emitted = writer.replace(bytes, request, &mut out, |out| {
                        emitter.emit(batch, &head, text, records, changes, out)
                    });
                    emitted.expect("any text compresses");
                }
                Err(error) => {
                    refused += 1;
                    answer.refuse(position, PartitionError::new(error.error_code(request.api_version)));
                    writer.remove(bytes, request, &mut out);
                }
            }
        }
        let any = writer.finish(bytes, request, &mut out);
        let none_is_left = refused == request.partitions.len();
        assert_eq!(any, !none_is_left);
        if none_is_left {
            answer.write_local(&mut Vec::new());
        }
        Some((out, count))
    }

    /// The uncompressed records of each partition.
    fn texts(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let Self { request, decompressor, .. } = self;
        request.parse(bytes).expect("a good frame");
        let text = |records: Option<super::wire::Span>| {
            let batch = records.expect("records").of(bytes);
            let (_, codec) = verify(Some(batch), request.api_version).expect("a good batch");
            let text = decompressor.decompress(codec, blob(batch)).expect("a good blob").to_vec();
            assert!(!decompressor.has_extras(), "no client makes us re-emit what is clean");
            text
        };
        request.partitions.iter().map(|partition| partition.records).map(text).collect()
    }
}

/// Reads a response as the worker does.
fn read_response(api: &str, version: i16, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let mut directory = TestDirectory::default();
    let directory = &mut directory;
    match api {
        "api_versions" => api_versions::intersect(version, bytes, out).map_err(|error| error.to_string()),
        "produce" => {
            produce_response::rewrite(version, bytes, directory, out).map_err(|error| error.to_string())
        }
        "metadata" => rewrite(AddressResponse::Metadata, version, bytes, directory, out)
            .map_err(|error| error.to_string()),
        other => panic!("no reader for {other}"),
    }
}

#[test]
fn captured_produce_requests_pass_unchanged() {
    let mut path = Path::default();
    for capture in captures().iter().filter(|capture| capture.is_request && capture.api == "produce") {
        let name = &capture.name;
        let header = RequestHeader::parse(&capture.bytes).expect(name);
        assert_eq!(allow::action(&header.prefix), Action::Handle(Handling::Inspect), "{name}");
        assert_eq!(header.prefix.api_version, capture.version, "{name}");

        let (sent, count) = path.through(&capture.bytes).expect(name);

        assert!((9..=10).contains(&count), "{name}: {count} records");
        assert_eq!(path.texts(&sent), path.texts(&capture.bytes), "{name}");
        if name.contains("-none.") {
            assert!(sent == capture.bytes, "{name}");
        }
    }
}

#[test]
fn captured_responses_lose_the_address_of_the_broker() {
    let contains = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    for capture in captures().iter().filter(|capture| !capture.is_request) {
        let mut out = Vec::new();
        let read = read_response(&capture.api, capture.version, &capture.bytes, &mut out);
        assert_eq!(read, Ok(()), "{}", capture.name);
        if capture.api == "metadata" {
            assert!(contains(&out, b"gw.example.net"), "{}", capture.name);
            assert!(
                contains(&capture.bytes, b"127.0.0.2") && !contains(&out, b"127.0.0.2"),
                "{}",
                capture.name
            );
        }
    }
}

#[test]
fn every_strict_prefix_of_a_captured_request_waits() {
    for capture in captures().iter().filter(|capture| capture.is_request) {
        for end in 0..capture.bytes.len() {
            let found = framed(&capture.bytes[..end], REQUEST_BYTES_MIN, FRAME_BYTES_MAX);
            assert!(matches!(found, Ok(Framed::NeedMore { .. })), "{} cut at {end}", capture.name);
        }
        let bytes = capture.bytes.len();
        assert_eq!(
            framed(&capture.bytes, REQUEST_BYTES_MIN, FRAME_BYTES_MAX),
            Ok(Framed::Frame { bytes }),
            "{}",
            capture.name
        );
    }
}

#[test]
fn captured_requests_are_handled_by_the_table() {
    for capture in captures().iter().filter(|capture| capture.is_request) {
        let prefix = RequestPrefix::read(&capture.bytes).expect("a prefix");
        let expected = match capture.api.as_str() {
            "produce" => Handling::Inspect,
            "api_versions" => Handling::ApiVersions,
            "metadata" => Handling::Relay(Response::Rewrite(AddressResponse::Metadata)),
            other => panic!("no expectation for {other}"),
        };
        assert_eq!(allow::action(&prefix), Action::Handle(expected), "{}", capture.name);
        assert_eq!(
            allow::relay(&capture.bytes).is_ok(),
            prefix.api_key != ApiKey::PRODUCE,
            "{}",
            capture.name
        );
    }
}

/// Numbers that are the same in every run (xorshift64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }

    /// Changes, removes, doubles or inserts a few bytes.
    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(6) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
                2 => bytes.truncate(at.max(1)),
                3 => bytes.insert(at, self.below(256) as u8),
                4 => drop(bytes.remove(at)),
                _ => {
                    let end = bytes.len().min(at + 4);
                    bytes[at..end].fill([0, 0xff, 0x7f][self.below(3)]);
                }
            }
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
    }
}

#[test]
fn broken_frames_are_errors_and_never_panics() {
    let captures = captures();
    let mut numbers = Numbers(0x5eed_5eed_5eed_5eed);
    let mut path = Path::default();
    let (mut out, mut read) = (Vec::new(), 0);
    for _ in 0..10_000 {
        let capture = &captures[numbers.below(captures.len())];
        let mut bytes = capture.bytes.clone();
        numbers.mutate(&mut bytes);
        out.clear();
        let _ = framed(&bytes, REQUEST_BYTES_MIN, FRAME_BYTES_MAX);
        let _ = RequestHeader::parse(&bytes);
        let _ = sasl::parse_handshake(&bytes);
        let _ = sasl::parse_authenticate(&bytes);
        if !capture.is_request {
            let _ = read_response(&capture.api, capture.version, &bytes, &mut out);
        } else if path.through(&bytes).is_some() {
            read += 1;
        }
    }
    assert!(read > 1000, "only {read} mutants were still frames");
}

#[test]
fn broken_batches_are_errors_and_never_panics() {
    let captures = captures();
    let mut path = Path::default();
    let mut batches = Vec::new();
    for capture in captures.iter().filter(|capture| capture.is_request && capture.api == "produce") {
        path.request.parse(&capture.bytes).expect("a good frame");
        let records = path.request.partitions.iter().filter_map(|partition| partition.records);
        batches.extend(records.map(|span| span.of(&capture.bytes).to_vec()));
    }
    let mut numbers = Numbers(0xbad_bad_bad);
    let (mut records, mut decoded) = (Records::default(), 0);
    for _ in 0..10_000 {
        let mut batch = batches[numbers.below(batches.len())].clone();
        let mut tail = batch.split_off(21);
        numbers.mutate(&mut tail);
        batch.extend_from_slice(&tail);
        let batch_length = (batch.len() as u32).saturating_sub(12);
        batch[8..12].copy_from_slice(&batch_length.to_be_bytes());
        seal_in_place(&mut batch);
        let Ok((head, codec)) = verify(Some(&batch), 9) else { continue };
        let Ok(text) = path.decompressor.decompress(codec, blob(&batch)) else { continue };
        decoded += 1;
        if records.walk(&head, text).is_ok() {
            Compressor::default()
                .compress(codec, blob(&batch), text, Effort::Fast, &mut Vec::new())
                .expect("any text");
        }
    }
    assert!(decoded > 1000, "only {decoded} mutants were still decodable");
}
