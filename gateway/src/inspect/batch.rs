//! One partition's batch: verified, read, scanned, decided, masked.

use super::{Scopes, Sender, report};
use crate::audit::AuditBatch;
use crate::classify::ScanError;
use crate::payload::{Level, Part};
use crate::policy::{Decision, Labelling, Labels, OnBlock, Policy, RuleIndex, RuleSet, Scratch, Verdict};
use crate::protocol::kafka::compression::{CompressionError, Decompressor};
use crate::protocol::kafka::edits::RecordEdits;
use crate::protocol::kafka::emit::{BATCH_BYTES_MAX, Changes, Emitted, Emitter};
use crate::protocol::kafka::error_code::ErrorCode;
use crate::protocol::kafka::produce::{Partition, ProduceRequest, TopicRef, topic_name};
use crate::protocol::kafka::produce_response::{PartitionError, refusal_code};
use crate::protocol::kafka::record_batch::{self, BatchError, BatchHead, Codec, HEAD_BYTES};
use crate::protocol::kafka::records::Records;
use crate::telemetry::{Reason, WorkerCounters};

/// What becomes of a partition.
pub(super) enum Fate {
    /// It goes as it lies in the frame, edited in place where need be.
    Keep,
    /// It is written anew by `BatchInspector::emit`.
    Emit(BatchHead),
    /// It does not go.
    Refuse(Reason, PartitionError),
}

/// What one inspection works with.
pub(super) struct Job<'a> {
    pub(super) sender: &'a Sender<'a>,
    pub(super) audit: &'a mut AuditBatch,
    pub(super) counters: &'a WorkerCounters,
    pub(super) policy: &'a Policy,
    pub(super) scratch: &'a mut Scratch,
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
    /// Inspects the partition at `position`; edits it in place where its length stays.
    pub(super) fn inspect(
        &mut self,
        frame: &mut (impl AsRef<[u8]> + AsMut<[u8]>),
        request: &ProduceRequest,
        position: usize,
        scopes: &mut Scopes,
        job: Job<'_>,
    ) -> Fate {
        let partition = &request.partitions[position];
        let topic = match topic_of(frame.as_ref(), request, partition, job.sender) {
            Ok(topic) => topic,
            Err(fate) => return fate,
        };
        let entry = scopes.entry(job.policy, job.sender, topic);
        let batch = partition.records.map(|span| span.of(frame.as_ref()));
        let head = match self.read(batch, request.api_version) {
            Ok(head) => head,
            Err(error) => return undecodable(&error, request.api_version, job.sender, job.counters),
        };
        let text = self.text(batch.unwrap_or_default(), &head);
        if let Err(error) = job.policy.inspect(job.scratch, &entry.rules, text, &self.records.fields) {
            return engine_failed(&error, request.api_version, job.sender, job.counters);
        }
        let (policy, scratch, sender) = (job.policy, &*job.scratch, job.sender);
        report::partition(job.audit, policy, scratch, entry, partition.index, &self.records, sender);
        if let Some(refusal) = self.rejection(&entry.rules, request.api_version, policy, scratch, sender) {
            return refusal;
        }
        let labels = policy.labels();
        let strips =
            labels.labelling != Labelling::Off && self.records.count_headers(text, &label_names(labels)) > 0;
        collect_edits(&mut self.edits, self.records.records.len(), &entry.rules, policy, scratch, sender);
        if self.edits.is_full() {
            return too_many_edits(request.api_version);
        }
        let patches = scratch.patches();
        if self.edits.is_empty() && !strips && !self.has_extras(&head) {
            if patches.is_empty() {
                return Fate::Keep;
            }
            if head.codec() == Some(Codec::None) && patches.keeps_lengths() {
                let batch = partition.records.map_or(0..0, |span| span.range());
                let batch = &mut frame.as_mut()[batch];
                patches.apply_in_place(&mut batch[HEAD_BYTES..]);
                record_batch::seal_in_place(batch);
                return Fate::Keep;
            }
        }
        Fate::Emit(head)
    }

    /// Verifies, decompresses and walks a batch.
    fn read(&mut self, batch: Option<&[u8]>, api_version: i16) -> Result<BatchHead, BatchError> {
        let (head, codec) = record_batch::verify(batch, api_version)?;
        let body = batch.and_then(|batch| batch.get(HEAD_BYTES..)).unwrap_or_default();
        let text = if codec == Codec::None { body } else { self.decompressor.decompress(codec, body)? };
        self.records.walk(&head, text)?;
        Ok(head)
    }

    /// The records of the batch that was read last, uncompressed.
    fn text<'a>(&'a self, batch: &'a [u8], head: &BatchHead) -> &'a [u8] {
        match head.codec() {
            Some(Codec::None) => batch.get(HEAD_BYTES..).unwrap_or_default(),
            _ => self.decompressor.text(),
        }
    }

    /// True when the blob holds bytes that nobody has looked at: the batch goes on, but without them.
    fn has_extras(&self, head: &BatchHead) -> bool {
        head.codec() != Some(Codec::None) && self.decompressor.has_extras()
    }

    /// Refuses the partition when a record of it is to be rejected.
    fn rejection(
        &self,
        rules: &RuleSet,
        api_version: i16,
        policy: &Policy,
        scratch: &Scratch,
        sender: &Sender<'_>,
    ) -> Option<Fate> {
        if !may_block(rules, scratch) {
            return None;
        }
        let mut error = PartitionError {
            error_code: refusal_code(api_version),
            record_errors: Vec::new(),
            message: None,
        };
        let mut reason = Reason::Hold;
        for outcome in outcomes(rules, scratch, self.records.records.len()) {
            let rejected = match blocking(&outcome.decision, sender) {
                None => false,
                Some(OnBlock::Reject) => true,
                Some(OnBlock::Stub) => self.shows_through_stub(outcome.record, scratch),
            };
            if rejected {
                if outcome.decision.verdict == Verdict::Block {
                    reason = Reason::Policy;
                }
                let message = blocked_message(policy, outcome.rules);
                error.message.get_or_insert_with(|| message.clone());
                error.record_errors.push((i32::try_from(outcome.record).unwrap_or(i32::MAX), Some(message)));
            }
        }
        error.message.is_some().then_some(Fate::Refuse(reason, error))
    }

    /// True when a stub, which replaces the value, would leave a finding in the key or a header as it is.
    fn shows_through_stub(&self, record: u32, scratch: &Scratch) -> bool {
        scratch.found().iter().filter(|found| !found.is_masked).any(|found| {
            let field = self.records.fields.get(found.finding.field as usize);
            field.is_some_and(|field| field.record == record && field.part != Part::Value)
        })
    }

    /// Appends the changed batch that was inspected last.
    pub(super) fn emit(
        &mut self,
        batch: &[u8],
        head: &BatchHead,
        policy: &Policy,
        scratch: &Scratch,
        out: &mut Vec<u8>,
    ) -> Result<Emitted, CompressionError> {
        let names = label_names(policy.labels());
        let changes = Changes {
            patches: scratch.patches(),
            edits: &self.edits,
            strip: if policy.labels().labelling == Labelling::Off { &[] } else { &names },
            batch_bytes_max: BATCH_BYTES_MAX,
        };
        let text = match head.codec() {
            Some(Codec::None) => batch.get(HEAD_BYTES..).unwrap_or_default(),
            _ => self.decompressor.text(),
        };
        self.emitter.emit(batch, head, text, &self.records, changes, out)
    }
}

/// The topic's name; a request that names it by id needs a metadata response that has passed by.
fn topic_of<'a>(
    frame: &'a [u8],
    request: &ProduceRequest,
    partition: &Partition,
    sender: &Sender<'a>,
) -> Result<&'a str, Fate> {
    let refuse = |reason, error_code| {
        Fate::Refuse(reason, PartitionError { error_code, record_errors: Vec::new(), message: None })
    };
    match request.topic_of(partition).map(|topic| topic.topic) {
        Some(TopicRef::Name(name)) => {
            topic_name(name.of(frame)).map_err(|code| refuse(Reason::Malformed, code))
        }
        Some(TopicRef::Id(id)) => {
            let name = sender.topology.topics.get(&id);
            name.map(|name| &**name)
                .ok_or_else(|| refuse(Reason::UnknownTopicId, ErrorCode::UNKNOWN_TOPIC_ID))
        }
        None => Err(refuse(Reason::Malformed, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)),
    }
}

/// A batch that cannot be read: refused with the broker's own code, or forwarded where the listener says so. A wrong
/// checksum is never forwarded: the bytes are not what the producer sent.
fn undecodable(error: &BatchError, api_version: i16, sender: &Sender<'_>, counters: &WorkerCounters) -> Fate {
    let reason = match error {
        BatchError::Crc { .. } => Reason::CorruptBatch,
        BatchError::Compression(CompressionError::TooLarge { .. }) => Reason::DecompressionLimit,
        BatchError::Compression(_) | BatchError::UnknownCodec { .. } | BatchError::ZstdTooOld => {
            Reason::Compression
        }
        BatchError::CountLimit { .. } => Reason::CountLimit,
        _ => Reason::InvalidBatch,
    };
    if sender.forward_on_error && reason != Reason::CorruptBatch {
        counters.refuse(Reason::ForwardedUninspected);
        return Fate::Keep;
    }
    let error_code = error.error_code(api_version);
    Fate::Refuse(
        reason,
        PartitionError { error_code, record_errors: Vec::new(), message: Some(error.to_string()) },
    )
}

/// The engine did not finish: nothing is known of the batch.
fn engine_failed(
    error: &ScanError,
    api_version: i16,
    sender: &Sender<'_>,
    counters: &WorkerCounters,
) -> Fate {
    if sender.forward_on_error {
        counters.refuse(Reason::ForwardedUninspected);
        return Fate::Keep;
    }
    let message = Some(format!("the batch cannot be classified: {error}"));
    let error_code = refusal_code(api_version);
    Fate::Refuse(Reason::Engine, PartitionError { error_code, record_errors: Vec::new(), message })
}

/// Labels or stubs that would take more memory than the largest text.
fn too_many_edits(api_version: i16) -> Fate {
    let message = Some("too many records with different labels, or blocked ones".to_owned());
    let error_code = refusal_code(api_version);
    Fate::Refuse(Reason::CountLimit, PartitionError { error_code, record_errors: Vec::new(), message })
}

/// What was decided about one record.
pub(super) struct Outcome<'a> {
    pub(super) record: u32,
    pub(super) decision: Decision,
    pub(super) rules: &'a [RuleIndex],
}

/// The outcome of every record, in order: those with findings have their own, the others the rule set's.
pub(super) fn outcomes<'a>(
    rules: &'a RuleSet,
    scratch: &'a Scratch,
    records: usize,
) -> impl Iterator<Item = Outcome<'a>> {
    let mut decisions = scratch.decisions().iter().peekable();
    let records = u32::try_from(records).unwrap_or(u32::MAX);
    (0..records).map(move |record| match decisions.next_if(|decision| decision.record == record) {
        Some(own) => Outcome { record, decision: own.decision, rules: scratch.rules(own) },
        None => Outcome { record, decision: rules.base(), rules: rules.base_rules() },
    })
}

/// True when some record of the batch does not simply go on.
fn may_block(rules: &RuleSet, scratch: &Scratch) -> bool {
    let stops = |decision: &Decision| decision.verdict != Verdict::Forward;
    stops(&rules.base()) || scratch.decisions().iter().any(|own| stops(&own.decision))
}

/// How a record is kept from the upstream; `None` when it goes on. A held record is blocked: nobody can release it
/// yet, and no decision in time means block.
fn blocking(decision: &Decision, sender: &Sender<'_>) -> Option<OnBlock> {
    let default = if sender.stub_on_block { OnBlock::Stub } else { OnBlock::Reject };
    match decision.verdict {
        Verdict::Forward => None,
        Verdict::Hold => Some(OnBlock::Reject),
        Verdict::Block => Some(decision.on_block.unwrap_or(default)),
    }
}

/// Stubs and labels, record by record.
fn collect_edits(
    edits: &mut RecordEdits,
    records: usize,
    rules: &RuleSet,
    policy: &Policy,
    scratch: &Scratch,
    sender: &Sender<'_>,
) {
    edits.clear();
    let base = rules.base();
    let touches_every_record = policy.label_due(base.level) || base.verdict != Verdict::Forward;
    if !touches_every_record && scratch.decisions().is_empty() {
        return;
    }
    let (mut stubbed, mut labelled) = (None, None);
    for Outcome { record, decision, rules } in outcomes(rules, scratch, records) {
        if blocking(&decision, sender).is_some() {
            match stubbed.replace(rules) {
                Some(last) if last == rules => edits.stub_again(record),
                _ => edits.stub(record, |out| write_stub(policy, rules, out)),
            }
        }
        if policy.label_due(decision.level) {
            let label = (decision.level, rules);
            match labelled.replace(label) {
                Some(last) if last == label => edits.label_again(record),
                _ => write_labels(edits, record, policy, decision.level, rules),
            }
        }
    }
}

fn write_labels(edits: &mut RecordEdits, record: u32, policy: &Policy, level: Level, rules: &[RuleIndex]) {
    let labels = policy.labels();
    edits.label(record, labels.header.as_bytes(), |out| out.extend_from_slice(level.as_str().as_bytes()));
    if !rules.is_empty() {
        edits.label(record, labels.rules_header.as_bytes(), |out| policy.write_label_rules(rules, out));
    }
}

/// `{"blocked":"cards"}`: what a consumer reads in the place of a blocked value.
fn write_stub(policy: &Policy, rules: &[RuleIndex], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"blocked\":\"");
    policy.write_label_rules(rules, out);
    out.extend_from_slice(b"\"}");
}

/// Names the rules, never the content.
fn blocked_message(policy: &Policy, rules: &[RuleIndex]) -> String {
    let mut ids = Vec::new();
    policy.write_label_rules(rules, &mut ids);
    format!("blocked by policy rule {}", String::from_utf8_lossy(&ids))
}

/// The header names that clients must not set.
fn label_names(labels: &Labels) -> [&[u8]; 2] {
    [labels.header.as_bytes(), labels.rules_header.as_bytes()]
}
