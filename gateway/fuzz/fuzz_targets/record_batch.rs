//! Any bytes as the blob of one batch, in the codec that the first byte names: checks, decompression, the walk,
//! re-emission with and without changes.
#![no_main]

use gateway::payload::Patches;
use gateway::protocol::kafka::compression::Decompressor;
use gateway::protocol::kafka::edits::RecordEdits;
use gateway::protocol::kafka::emit::{BATCH_BYTES_MAX, Changes, Emitter};
use gateway::protocol::kafka::record_batch::{BatchHead, HEAD_BYTES, blob, seal_in_place, verify};
use gateway::protocol::kafka::records::Records;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [codec, count, bytes @ ..] = data else { return };
    let batch = batch_of(codec % 8, u32::from(*count), bytes);
    let Ok((head, codec)) = verify(Some(&batch), 9) else { return };
    let mut decompressor = Decompressor::default();
    let Ok(text) = decompressor.decompress(codec, blob(&batch)) else { return };
    let mut records = Records::default();
    // Larger texts may compress so well that their ratio is refused the second time.
    if text.len() > 64 << 10 || records.walk(&head, text).is_err() {
        return;
    }

    let same = emit(&batch, &head, text, &records, &Patches::default(), &RecordEdits::default());
    let (_, codec) = verify(Some(&same), 9).expect("what we emit is a good batch");
    let mut again = Decompressor::default();
    assert_eq!(again.decompress(codec, blob(&same)).expect("and a good blob"), text);

    let (mut patches, mut edits) = (Patches::default(), RecordEdits::default());
    for (index, field) in records.fields.iter().enumerate() {
        patches.push(index as u32, field.start, field.end, |out| out.extend_from_slice(b"masked"));
    }
    edits.label(0, b"classification", |out| out.extend_from_slice(b"regulated"));
    let masked = emit(&batch, &head, text, &records, &patches, &edits);
    let (head, codec) = verify(Some(&masked), 9).expect("what we emit is a good batch");
    let text = again.decompress(codec, blob(&masked)).expect("and a good blob");
    let mut found = Records::default();
    found.walk(&head, text).expect("and has good records");
    assert_eq!(found.records.len(), records.records.len());
    assert_eq!(found.headers.len(), records.headers.len() + 1);
    let masked = found.fields.iter().filter(|field| &text[field.range()] == b"masked").count();
    assert_eq!(masked, records.fields.len());
});

fn emit(
    batch: &[u8],
    head: &BatchHead,
    text: &[u8],
    records: &Records,
    patches: &Patches,
    edits: &RecordEdits,
) -> Vec<u8> {
    let changes = Changes { patches, edits, strip: &[], batch_bytes_max: 8 * BATCH_BYTES_MAX };
    let mut out = Vec::new();
    Emitter::default().emit(batch, head, text, records, changes, &mut out).expect("any text compresses");
    out
}

/// A sealed batch of `count` records around `bytes`.
fn batch_of(codec: u8, count: u32, bytes: &[u8]) -> Vec<u8> {
    let mut batch = vec![0; HEAD_BYTES];
    batch[16] = 2;
    batch[22] = codec;
    batch[23..27].copy_from_slice(&count.wrapping_sub(1).to_be_bytes());
    batch[43..57].fill(0xff);
    batch[57..61].copy_from_slice(&count.to_be_bytes());
    batch.extend_from_slice(bytes);
    let length = (batch.len() - 12) as u32;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    seal_in_place(&mut batch);
    batch
}
