//! One partition's batch: verified, read, scanned, decided, masked.

use super::decided::{Decided, Outcome};
use super::output::Output;
use super::refusal::Refusal;
use super::scopes::Entry;
use super::{Frames, Scopes, Sender, report};
use crate::audit::AuditBatch;
use crate::payload::Part;
use crate::policy::{Labelling, Labels, OnBlock, Policy, Scratch, Verdict};
use crate::protocol::kafka::compression::{Decompressor, text_bytes_max};
use crate::protocol::kafka::edits::RecordEdits;
use crate::protocol::kafka::emit::{Changes, Emitter};
use crate::protocol::kafka::error_code::ErrorCode;
use crate::protocol::kafka::frame::FRAME_BYTES_MAX;
use crate::protocol::kafka::produce::{Partition, ProduceRequest, TopicRef, topic_name};
use crate::protocol::kafka::produce_response::{PartitionError, refusal_code};
use crate::protocol::kafka::record_batch::{self, BatchError, BatchHead, Codec, HEAD_BYTES, blob};
use crate::protocol::kafka::records::Records;
use crate::telemetry::{Reason, WorkerCounters};

/// How a batch goes on.
enum Way {
    /// As it lies in the frame, edited in place where need be.
    InFrame,
    /// Written anew.
    Anew(BatchHead),
}

/// What the inspection of a batch that goes on comes to.
struct Passed {
    way: Way,
    /// Nobody has looked into it, for this reason.
    unseen: Option<Reason>,
}

impl Passed {
    fn seen(way: Way) -> Self {
        Self { way, unseen: None }
    }
}

/// What the inspection of one request works with.
pub(super) struct Job<'a> {
    pub(super) sender: &'a Sender<'a>,
    pub(super) audit: &'a mut AuditBatch,
    pub(super) counters: &'a WorkerCounters,
    pub(super) policy: &'a Policy,
    pub(super) scratch: &'a mut Scratch,
    pub(super) allowance: &'a mut Allowance,
}

/// What one request may still take, however many partitions it has.
pub(super) struct Allowance {
    /// Bytes before other connections get their turn.
    turn_bytes: usize,
    /// Text of compressed batches, bytes.
    text_bytes: usize,
    /// Records that are named in the answer.
    record_errors: usize,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { turn_bytes: TURN_BYTES, text_bytes: REQUEST_TEXT_BYTES_MAX, record_errors: RECORD_ERRORS_MAX }
    }
}

impl Allowance {
    pub(super) fn begin_turn(&mut self) {
        self.turn_bytes = TURN_BYTES;
    }

    pub(super) fn is_turn_over(&self) -> bool {
        self.turn_bytes == 0
    }

    /// Takes what a batch costs: its bytes, and again those of the text that is made of them.
    fn spend_turn(&mut self, bytes: usize) {
        self.turn_bytes = self.turn_bytes.saturating_sub(bytes);
    }
}

/// Reads and edits batches; keeps its memory from batch to batch.
#[derive(Default)]
pub(super) struct BatchInspector {
    decompressor: Decompressor,
    records: Records,
    edits: RecordEdits,
    emitter: Emitter,
}

impl BatchInspector {
    /// Inspects the partition at `position` and lets it go on, in `frame` or in `out`.
    pub(super) fn pass<B: Frames>(
        &mut self,
        frame: &mut B::Frame,
        request: &ProduceRequest,
        position: usize,
        out: &mut Output<'_, B>,
        scopes: &mut Scopes,
        job: &mut Job<'_>,
    ) -> Result<(), Refusal> {
        let Passed { way, unseen } = self.inspect(frame, request, position, scopes, job)?;
        let written = match way {
            Way::InFrame => {
                out.keep(frame.as_ref(), request);
                Ok(())
            }
            Way::Anew(head) => self.emit(frame.as_ref(), request, position, &head, out, job),
        };
        match (written, unseen) {
            (Ok(()), Some(reason)) => job.report_unseen(reason, frame.as_ref(), request, position, scopes),
            (Err(refusal), None) => {
                report::stop(job.audit, refusal.verdict());
                Err(refusal)
            }
            (written, _) => written,
        }
    }

    fn inspect(
        &mut self,
        frame: &mut (impl AsRef<[u8]> + AsMut<[u8]>),
        request: &ProduceRequest,
        position: usize,
        scopes: &mut Scopes,
        job: &mut Job<'_>,
    ) -> Result<Passed, Refusal> {
        let (partition, api_version) = (&request.partitions[position], request.api_version);
        let topic = topic_of(frame.as_ref(), request, partition, job.sender)?;
        let entry = scopes.entry(job.policy, job.sender, topic);
        let batch = partition.records.map(|span| span.of(frame.as_ref()));
        let head = match self.read(batch, api_version, job.allowance) {
            Ok(head) => head,
            Err(error) => {
                let reason = job.forwards_unseen(Refusal::undecodable(&error, api_version), entry)?;
                return Ok(Passed { way: Way::InFrame, unseen: Some(reason) });
            }
        };
        let text = self.text(batch.unwrap_or_default(), &head);
        if let Err(error) = job.policy.inspect(job.scratch, &entry.rules, text, &self.records.fields) {
            let reason = job.forwards_unseen(Refusal::unclassified(&error, api_version), entry)?;
            // What a client says of records that nobody has classified would pass for what we say.
            let is_labelled = self.strips(job.policy.labels(), text);
            self.edits.clear();
            let way = if is_labelled { Way::Anew(head) } else { Way::InFrame };
            return Ok(Passed { way, unseen: Some(reason) });
        }
        let decided = Decided::new(job.policy, job.scratch, &entry.rules, &head, job.sender);
        let passed = self.pass_records(&decided, api_version, job.allowance);
        let stopped = passed.as_ref().err().map(Refusal::verdict);
        report::partition(job.audit, &decided, entry, partition, &self.records, job.sender, stopped);
        passed?;
        let text = self.text(batch.unwrap_or_default(), &head);
        let patches = decided.scratch.patches();
        if !self.edits.is_empty() || self.strips(decided.policy.labels(), text) || self.has_extras(&head) {
            return Ok(Passed::seen(Way::Anew(head)));
        }
        if patches.is_empty() {
            return Ok(Passed::seen(Way::InFrame));
        }
        if head.codec() != Some(Codec::None) || !patches.keeps_lengths() {
            return Ok(Passed::seen(Way::Anew(head)));
        }
        let batch = &mut frame.as_mut()[partition.records.unwrap_or_default().range()];
        patches.apply_in_place(&mut batch[HEAD_BYTES..]);
        record_batch::seal_in_place(batch);
        Ok(Passed::seen(Way::InFrame))
    }

    /// Verifies, decompresses and walks a batch.
    fn read(
        &mut self,
        batch: Option<&[u8]>,
        api_version: i16,
        allowance: &mut Allowance,
    ) -> Result<BatchHead, BatchError> {
        allowance.spend_turn(batch.map_or(0, <[u8]>::len));
        let (head, codec) = record_batch::verify(batch, api_version)?;
        let body = batch.map(blob).unwrap_or_default();
        let text = match codec {
            Codec::None => body,
            _ => decompress(&mut self.decompressor, codec, body, allowance)?,
        };
        self.records.walk(&head, text)?;
        Ok(head)
    }

    /// The records of the batch that was read last, uncompressed.
    fn text<'a>(&'a self, batch: &'a [u8], head: &BatchHead) -> &'a [u8] {
        match head.codec() {
            Some(Codec::None) => blob(batch),
            _ => self.decompressor.text(),
        }
    }

    /// True when the client has set labels, which only the gateway may.
    fn strips(&self, labels: &Labels, text: &[u8]) -> bool {
        labels.labelling != Labelling::Off && self.records.count_headers(text, &label_names(labels)) > 0
    }

    /// True when the blob holds bytes that nobody has looked at: the batch goes on, but without them.
    fn has_extras(&self, head: &BatchHead) -> bool {
        head.codec() != Some(Codec::None) && self.decompressor.has_extras()
    }

    /// Collects what is added to the records, unless one of them stops the partition.
    fn pass_records(
        &mut self,
        decided: &Decided<'_>,
        api_version: i16,
        allowance: &mut Allowance,
    ) -> Result<(), Refusal> {
        self.reject(decided, api_version, allowance)?;
        decided.collect_edits(&mut self.edits);
        if self.edits.is_full() { Err(Refusal::too_many_edits(api_version)) } else { Ok(()) }
    }

    /// Refuses the partition when a record of it is to be rejected.
    fn reject(
        &self,
        decided: &Decided<'_>,
        api_version: i16,
        allowance: &mut Allowance,
    ) -> Result<(), Refusal> {
        if !decided.may_block() {
            return Ok(());
        }
        let (mut reason, mut first, mut unnamed) = (Reason::Hold, None, 0);
        let mut record_errors = Vec::new();
        for outcome in decided.outcomes().filter(|outcome| self.is_rejected(outcome, decided)) {
            if outcome.decision.verdict == Verdict::Block {
                reason = Reason::Policy;
            }
            first.get_or_insert(outcome.rules);
            if allowance.record_errors == 0 {
                unnamed += 1;
                continue;
            }
            allowance.record_errors -= 1;
            let index = i32::try_from(outcome.record).unwrap_or(i32::MAX);
            record_errors.push((index, Some(decided.blocked_message(outcome.rules))));
        }
        let Some(rules) = first else { return Ok(()) };
        let mut message = decided.blocked_message(rules);
        if unnamed > 0 {
            message += &format!("; {unnamed} more records are blocked than are named");
        }
        let error_code = refusal_code(api_version);
        Err(Refusal { reason, error: PartitionError { error_code, record_errors, message: Some(message) } })
    }

    fn is_rejected(&self, outcome: &Outcome<'_>, decided: &Decided<'_>) -> bool {
        match decided.blocking(&outcome.decision) {
            None => false,
            Some(OnBlock::Reject) => true,
            Some(OnBlock::Stub) => self.shows_through_stub(outcome.record, decided.scratch),
        }
    }

    /// True when a stub, which replaces the value, would leave a finding in the key or a header as it is.
    fn shows_through_stub(&self, record: u32, scratch: &Scratch) -> bool {
        let field_of = |field: u32| self.records.fields.get(field as usize);
        let record_of = |field: u32| field_of(field).map_or(u32::MAX, |field| field.record);
        let found = scratch.found();
        let first = found.partition_point(|found| record_of(found.finding.field) < record);
        let of_record = found[first..].iter().take_while(|found| record_of(found.finding.field) == record);
        of_record
            .filter(|found| !found.is_masked)
            .any(|found| field_of(found.finding.field).is_some_and(|field| field.part != Part::Value))
    }

    /// Writes the changed batch that was inspected last to its place in `out`.
    fn emit<B: Frames>(
        &mut self,
        frame: &[u8],
        request: &ProduceRequest,
        position: usize,
        head: &BatchHead,
        out: &mut Output<'_, B>,
        job: &Job<'_>,
    ) -> Result<(), Refusal> {
        let records = request.partitions[position].records;
        let batch = records.map(|span| span.of(frame)).unwrap_or_default();
        let names = label_names(job.policy.labels());
        let changes = Changes {
            patches: job.scratch.patches(),
            edits: &self.edits,
            strip: if job.policy.labels().labelling == Labelling::Off { &[] } else { &names },
            batch_bytes_max: job.sender.message_bytes_max,
        };
        let text = match head.codec() {
            Some(Codec::None) => blob(batch),
            _ => self.decompressor.text(),
        };
        let emitted = out
            .replace(frame, request, position, |vec| {
                self.emitter.emit(batch, head, text, &self.records, changes, vec)
            })
            .map_err(|error| Refusal::not_emitted(&error))?;
        job.counters.refuse_many(Reason::ForgedLabel, emitted.headers_stripped as u64);
        job.counters.refuse_many(Reason::LabelSize, emitted.labels_skipped as u64);
        Ok(())
    }
}

impl Job<'_> {
    /// What cannot be inspected is refused, or goes on where the listener says so. A wrong checksum never does: the
    /// bytes are not what the producer sent. Nor does what is blocked whatever it holds.
    fn forwards_unseen(&self, refusal: Refusal, entry: &Entry) -> Result<Reason, Refusal> {
        let is_blocked = entry.rules.base().verdict != Verdict::Forward;
        if !self.sender.forward_on_error || is_blocked || refusal.reason == Reason::CorruptBatch {
            return Err(refusal);
        }
        Ok(refusal.reason)
    }

    /// Once it is written: what cannot be has not passed.
    fn report_unseen(
        &mut self,
        reason: Reason,
        frame: &[u8],
        request: &ProduceRequest,
        position: usize,
        scopes: &mut Scopes,
    ) -> Result<(), Refusal> {
        let partition = &request.partitions[position];
        let entry = scopes.entry(self.policy, self.sender, topic_of(frame, request, partition, self.sender)?);
        self.counters.refuse(Reason::ForwardedUninspected);
        report::unseen(self.audit, self.policy.generation(), entry, partition, frame, self.sender, reason);
        Ok(())
    }
}

/// Decompresses at the expense of the request's allowance. A blob that cannot be decompressed counts as what it might
/// have cost.
fn decompress<'a>(
    decompressor: &'a mut Decompressor,
    codec: Codec,
    blob: &[u8],
    allowance: &mut Allowance,
) -> Result<&'a [u8], BatchError> {
    if allowance.text_bytes == 0 {
        return Err(BatchError::RequestText { text_bytes_max: REQUEST_TEXT_BYTES_MAX });
    }
    let text = decompressor.decompress(codec, blob);
    let spent = text.map_or(text_bytes_max(blob.len()), <[u8]>::len);
    allowance.text_bytes = allowance.text_bytes.saturating_sub(spent);
    allowance.spend_turn(spent);
    Ok(text?)
}

/// The topic's name; a request that names it by id needs a metadata response that has passed by.
pub(super) fn topic_of<'a>(
    frame: &'a [u8],
    request: &ProduceRequest,
    partition: &Partition,
    sender: &Sender<'a>,
) -> Result<&'a str, Refusal> {
    match request.topic_of(partition).map(|topic| topic.topic) {
        Some(TopicRef::Name(name)) => {
            topic_name(name.of(frame)).map_err(|code| Refusal::new(Reason::Malformed, code))
        }
        Some(TopicRef::Id(id)) => {
            let name = sender.topology.topics.get(&id);
            name.map(|name| &**name)
                .ok_or_else(|| Refusal::new(Reason::UnknownTopicId, ErrorCode::UNKNOWN_TOPIC_ID))
        }
        None => Err(Refusal::new(Reason::Malformed, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)),
    }
}

/// The header names that clients must not set.
fn label_names(labels: &Labels) -> [&[u8]; 2] {
    [labels.header.as_bytes(), labels.rules_header.as_bytes()]
}

/// Bytes that one request may have inspected before other connections get their turn: about a millisecond. Requests of
/// clients with default settings (1 MiB) never wait.
const TURN_BYTES: usize = 2 << 20;

/// Text of all compressed batches of one request, bytes: as much as the largest uncompressed request has by default.
/// Without it, 300 small blobs would be ten seconds of work.
const REQUEST_TEXT_BYTES_MAX: usize = FRAME_BYTES_MAX;

/// Records that one answer names: enough to see what is wrong, and a bound on what a million blocked records cost.
const RECORD_ERRORS_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::kafka::testing::{BatchSpec, batch};

    #[test]
    fn the_text_of_a_request_is_bounded_over_all_its_batches() {
        let compressed = batch(&BatchSpec { codec: Codec::Gzip, ..BatchSpec::default() });
        let plain = batch(&BatchSpec::default());
        let mut inspector = BatchInspector::default();
        let mut allowance = Allowance { text_bytes: 10, ..Allowance::default() };
        let mut read = |batch: &[u8]| inspector.read(Some(batch), 9, &mut allowance).map(|_| ());

        assert_eq!(read(&compressed), Ok(()), "the batch with which it is used up");
        let text_bytes_max = REQUEST_TEXT_BYTES_MAX;
        assert_eq!(read(&compressed), Err(BatchError::RequestText { text_bytes_max }));
        assert_eq!(read(&plain), Ok(()), "what is not compressed is bounded by the frame");
    }

    #[test]
    fn a_blob_that_cannot_be_decompressed_is_paid_for() {
        let mut broken = batch(&BatchSpec { codec: Codec::Zstd, ..BatchSpec::default() });
        broken[HEAD_BYTES + 4..].fill(0xff);
        record_batch::seal_in_place(&mut broken);
        let mut inspector = BatchInspector::default();
        let mut allowance = Allowance::default();
        let tries = (0..).take_while(|_| {
            let read = inspector.read(Some(&broken), 9, &mut allowance);
            matches!(read, Err(BatchError::Compression(_)))
        });
        assert_eq!(tries.count(), REQUEST_TEXT_BYTES_MAX.div_ceil(text_bytes_max(1)));
    }
}
