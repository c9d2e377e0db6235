//! One Produce request through parse, scan, decide, mask and seal. Pure: bytes in, bytes and answers out.
//!
//! ```text
//! frame ─ parse ─▶ partitions ─ verify, decompress, walk ─▶ text, fields ─ inspect ─▶ decisions, patches
//!                                                                              │
//!              keep as it is ◀── clean ────────────────────────────────────────┤
//!              edit in place ◀── same lengths, not compressed, no label ───────┤
//!              emit anew     ◀── anything else that changes ───────────────────┤
//!              remove        ◀── blocked, or cannot be inspected ──────────────┘
//! ```

mod batch;
mod report;
mod scopes;

use std::sync::Arc;

use crate::audit::AuditBatch;
use crate::policy::{Policy, Scratch};
use crate::protocol::kafka::compression::CompressionError;
use crate::protocol::kafka::error_code::ErrorCode;
use crate::protocol::kafka::produce::ProduceRequest;
use crate::protocol::kafka::produce_response::{PartitionError, ProduceAnswer};
use crate::protocol::kafka::produce_writer::ProduceWriter;
use crate::protocol::kafka::wire::{WireError, WireErrorKind};
use crate::telemetry::{Reason, WorkerCounters};
use crate::topology::Topology;
use batch::{BatchInspector, Fate, Job};

pub use scopes::Scopes;

/// Where frames come from and go to: the worker's pool.
pub trait Frames {
    /// A contiguous frame that may be edited in place.
    type Frame: AsRef<[u8]> + AsMut<[u8]>;

    /// An empty vector to write about `bytes` bytes to.
    fn vec(&self, bytes: usize) -> Vec<u8>;

    /// The written frame.
    fn frame(&self, vec: Vec<u8>) -> Self::Frame;
}

/// A Produce request whose every batch was inspected, masked and sealed. Only this module makes one, and the
/// upstream writer takes nothing else beside relayed requests.
#[derive(Debug)]
pub struct Sealed<F>(F);

impl<F> Sealed<F> {
    /// The frame, to be written as it is.
    pub fn into_frame(self) -> F {
        self.0
    }
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// Listener index in the configuration.
    pub listener: u16,
    /// The listener's name, as policies know it.
    pub listener_name: &'a str,
    /// Who sends it, `User:name`.
    pub principal: &'a Arc<str>,
    /// Batches that cannot be inspected are forwarded, not refused.
    pub forward_on_error: bool,
    /// Blocked records become stubs unless a rule says otherwise.
    pub stub_on_block: bool,
    /// Topic names by id.
    pub topology: &'a Topology,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Inspected<F> {
    /// It goes upstream.
    Forward {
        /// The frame.
        request: Sealed<F>,
        /// The refused partitions, to be merged into the upstream's answer.
        answer: Option<Box<ProduceAnswer>>,
        /// 0: there will be no answer.
        acks: i16,
    },
    /// Nothing of it goes upstream; this is the answer.
    Answer(F),
    /// The connection is closed, as a broker does: the request is malformed, or refused with acks=0.
    Close(Reason, String),
}

/// Inspects the requests of one worker. Keeps its memory from request to request.
pub struct Inspector {
    policy: Arc<Policy>,
    scratch: Box<Scratch>,
    request: ProduceRequest,
    batches: BatchInspector,
}

impl Inspector {
    /// An inspector with the policy in force.
    pub fn new(policy: Arc<Policy>, scratch: Box<Scratch>) -> Self {
        Self { policy, scratch, request: ProduceRequest::default(), batches: BatchInspector::default() }
    }

    /// Changes the policy between requests and gives the old one back.
    pub fn replace_policy(
        &mut self,
        policy: Arc<Policy>,
        scratch: Box<Scratch>,
    ) -> (Arc<Policy>, Box<Scratch>) {
        (std::mem::replace(&mut self.policy, policy), std::mem::replace(&mut self.scratch, scratch))
    }

    /// Inspects one whole frame.
    pub fn produce<B: Frames>(
        &mut self,
        mut frame: B::Frame,
        frames: &B,
        sender: &Sender<'_>,
        scopes: &mut Scopes,
        audit: &mut AuditBatch,
        counters: &WorkerCounters,
    ) -> Inspected<B::Frame> {
        if let Err(error) = self.request.parse(frame.as_ref()) {
            return Inspected::Close(malformed(&error), error.to_string());
        }
        let acks = self.request.acks;
        let mut out = Output::new(frames);
        let mut answer: Option<Box<ProduceAnswer>> = None;
        for position in 0..self.request.partitions.len() {
            let job = Job { sender, audit, counters, policy: &self.policy, scratch: &mut self.scratch };
            let mut fate = self.batches.inspect(&mut frame, &self.request, position, scopes, job);
            if let Fate::Emit(head) = fate {
                let emitted = out.replace(frame.as_ref(), &self.request, position, |vec| {
                    let records = self.request.partitions[position].records;
                    let batch = records.map(|span| span.of(frame.as_ref())).unwrap_or_default();
                    self.batches.emit(batch, &head, &self.policy, &self.scratch, vec)
                });
                fate = match emitted {
                    Ok(emitted) => {
                        counters.refuse_many(Reason::ForgedLabel, emitted.headers_stripped as u64);
                        counters.refuse_many(Reason::LabelSize, emitted.labels_skipped as u64);
                        continue;
                    }
                    Err(error) => not_emitted(&error),
                };
            }
            if let Fate::Refuse(reason, error) = fate {
                if acks == 0 {
                    let detail = "refused, and with acks=0 there is no other answer".to_owned();
                    return Inspected::Close(reason, detail);
                }
                counters.refuse(reason);
                out.remove(frame.as_ref(), &self.request, position);
                let answer =
                    answer.get_or_insert_with(|| Box::new(ProduceAnswer::new(frame.as_ref(), &self.request)));
                answer.refuse(position, error);
            } else {
                out.keep(frame.as_ref(), &self.request);
            }
        }
        match out.finish(frame.as_ref(), &self.request) {
            Written::Nothing => Inspected::Forward { request: Sealed(frame), answer: None, acks },
            Written::Frame(vec) => Inspected::Forward { request: Sealed(frames.frame(vec)), answer, acks },
            Written::Empty(mut vec) => {
                if let Some(answer) = answer {
                    answer.write_local(&mut vec);
                }
                Inspected::Answer(frames.frame(vec))
            }
        }
    }
}

fn malformed(error: &WireError) -> Reason {
    match error.kind {
        WireErrorKind::CountLimit { .. } => Reason::CountLimit,
        _ => Reason::Malformed,
    }
}

/// The codec's engine refused to compress: nothing of the batch can go.
fn not_emitted(error: &CompressionError) -> Fate {
    let refusal = PartitionError {
        error_code: ErrorCode::UNKNOWN_SERVER_ERROR,
        record_errors: Vec::new(),
        message: Some(format!("cannot compress the masked records: {error}")),
    };
    Fate::Refuse(Reason::Compression, refusal)
}

/// The request written anew, from the first partition on that changes in length or goes.
struct Output<'a, B: Frames> {
    frames: &'a B,
    writing: Option<(ProduceWriter, Vec<u8>)>,
}

/// What was written of a request.
enum Written {
    /// Nothing: the frame itself is what is sent.
    Nothing,
    /// A whole frame.
    Frame(Vec<u8>),
    /// No partition is left; an empty vector.
    Empty(Vec<u8>),
}

impl<'a, B: Frames> Output<'a, B> {
    fn new(frames: &'a B) -> Self {
        Self { frames, writing: None }
    }

    fn keep(&mut self, frame: &[u8], request: &ProduceRequest) {
        if let Some((writer, out)) = &mut self.writing {
            writer.keep(frame, request, out);
        }
    }

    fn replace<T, E>(
        &mut self,
        frame: &[u8],
        request: &ProduceRequest,
        position: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<T, E>,
    ) -> Result<T, E> {
        let (writer, out) = self.begin(frame, request, position);
        writer.replace(frame, request, out, write)
    }

    fn remove(&mut self, frame: &[u8], request: &ProduceRequest, position: usize) {
        let (writer, out) = self.begin(frame, request, position);
        writer.remove(frame, request, out);
    }

    fn begin(
        &mut self,
        frame: &[u8],
        request: &ProduceRequest,
        position: usize,
    ) -> &mut (ProduceWriter, Vec<u8>) {
        let frames = self.frames;
        self.writing.get_or_insert_with(|| {
            // Labels and masks make a frame longer by a little; growing once would copy it.
            let mut out = frames.vec(frame.len() + frame.len() / 8);
            (ProduceWriter::begin(frame, request, position, &mut out), out)
        })
    }

    fn finish(self, frame: &[u8], request: &ProduceRequest) -> Written {
        let Some((writer, mut out)) = self.writing else { return Written::Nothing };
        if writer.finish(frame, request, &mut out) {
            return Written::Frame(out);
        }
        out.clear();
        Written::Empty(out)
    }
}

#[cfg(test)]
mod tests;
