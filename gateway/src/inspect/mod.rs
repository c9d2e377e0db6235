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
mod decided;
mod output;
mod refusal;
mod report;
mod scopes;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::audit::AuditBatch;
use crate::policy::{Policy, Scratch};
use crate::protocol::kafka::produce::ProduceRequest;
use crate::protocol::kafka::produce_response::ProduceAnswer;
use crate::telemetry::{Reason, WorkerCounters};
use crate::topology::Topology;
use batch::{Allowance, BatchInspector, Job, topic_of};
use output::{Output, Written};
use refusal::{Refusals, unparsed};

pub use refusal::RefusedPartitions;
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
    /// Largest batch that the upstream takes, bytes: labels that would pass it are left out.
    pub message_bytes_max: usize,
    /// Topic names by id.
    pub topology: &'a Topology,
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Inspected<F> {
    /// It goes upstream, or what is left of it.
    Forward {
        /// The frame.
        request: Sealed<F>,
        /// The refused partitions, to be merged into the upstream's answer.
        answer: Option<Box<ProduceAnswer>>,
        /// 0: there will be no answer.
        acks: i16,
        /// The connection is closed once the frame is written, as a broker does that refuses part of a request with
        /// acks=0.
        close: Option<(Reason, String)>,
    },
    /// Nothing of it goes upstream; this is the answer.
    Answer(F),
    /// Nothing of it goes upstream, and the connection is closed: the request is malformed, or refused with acks=0.
    Close(Reason, String),
}

/// A request under inspection. Other connections may have their turn between two of its batches; all of them are judged
/// by the policy that was in force when it began.
pub struct Inspection<'a, B: Frames> {
    in_force: Rc<InForce>,
    frame: B::Frame,
    frames: &'a B,
    request: ProduceRequest,
    /// Position of the batch that comes next.
    next: usize,
    out: Output<'a, B>,
    refusals: Refusals,
    allowance: Allowance,
}

impl<B: Frames> Inspection<'_, B> {
    /// What has been refused so far.
    pub fn refused(&self) -> Option<&RefusedPartitions> {
        self.refusals.refused.as_ref()
    }
}

/// A policy with the memory to apply it.
struct InForce {
    policy: Arc<Policy>,
    scratch: RefCell<Box<Scratch>>,
}

/// Inspects the requests of one worker. Keeps its memory from request to request.
pub struct Inspector {
    in_force: Rc<InForce>,
    /// Replaced, oldest first; requests that began before may still need them.
    replaced: Vec<Rc<InForce>>,
    request: ProduceRequest,
    batches: BatchInspector,
}

impl Inspector {
    /// An inspector with the policy in force.
    pub fn new(policy: Arc<Policy>, scratch: Box<Scratch>) -> Self {
        let in_force = Rc::new(InForce { policy, scratch: RefCell::new(scratch) });
        let (request, batches) = (ProduceRequest::default(), BatchInspector::default());
        Self { in_force, replaced: Vec::new(), request, batches }
    }

    /// Changes the policy for the requests that begin from now on.
    pub fn replace_policy(&mut self, policy: Arc<Policy>, scratch: Box<Scratch>) {
        let next = Rc::new(InForce { policy, scratch: RefCell::new(scratch) });
        self.replaced.push(std::mem::replace(&mut self.in_force, next));
    }

    /// A replaced policy that no request needs any more.
    pub fn retired(&mut self) -> Option<(Arc<Policy>, Box<Scratch>)> {
        let position = self.replaced.iter().position(|replaced| Rc::strong_count(replaced) == 1)?;
        let InForce { policy, scratch } = Rc::into_inner(self.replaced.remove(position))?;
        Some((policy, scratch.into_inner()))
    }

    /// Begins with one whole frame.
    ///
    /// # Errors
    ///
    /// Why the connection is to be closed: the frame is malformed.
    pub fn begin<'a, B: Frames>(
        &mut self,
        frame: B::Frame,
        frames: &'a B,
    ) -> Result<Inspection<'a, B>, (Reason, String)> {
        let mut request = std::mem::take(&mut self.request);
        request.parse(frame.as_ref()).map_err(|error| unparsed(&error))?;
        let (out, refusals) = (Output::new(frames), Refusals::default());
        let (in_force, allowance) = (self.in_force.clone(), Allowance::default());
        Ok(Inspection { in_force, frame, frames, request, next: 0, out, refusals, allowance })
    }

    /// Inspects batches until all are done or a turn is over; true when all are.
    pub fn step<B: Frames>(
        &mut self,
        inspection: &mut Inspection<'_, B>,
        sender: &Sender<'_>,
        scopes: &mut Scopes,
        audit: &mut AuditBatch,
        counters: &WorkerCounters,
    ) -> bool {
        let Inspection { in_force, frame, request, next, out, refusals, allowance, .. } = inspection;
        let (policy, scratch) = (&*in_force.policy, &mut **in_force.scratch.borrow_mut());
        let mut job = Job { sender, audit, counters, policy, scratch, allowance };
        job.allowance.begin_turn();
        while *next < request.partitions.len() && !job.allowance.is_turn_over() {
            if let Err(refusal) = self.batches.pass(frame, request, *next, out, scopes, &mut job) {
                out.remove(frame.as_ref(), request, *next);
                refusals.add(frame.as_ref(), request, *next, refusal, &job);
            }
            *next += 1;
        }
        *next == request.partitions.len()
    }

    /// What becomes of a request all of whose batches are done.
    ///
    /// # Panics
    ///
    /// When one is not.
    pub fn finish<B: Frames>(&mut self, inspection: Inspection<'_, B>) -> Inspected<B::Frame> {
        let Inspection { frame, frames, request, out, refusals: Refusals { answer, close, .. }, .. } =
            inspection;
        let written = out.finish(frame.as_ref(), &request);
        let acks = request.acks;
        self.request = request;
        let (request, close) = match (written, close) {
            (Written::Empty(_), Some((reason, detail))) => return Inspected::Close(reason, detail),
            (Written::Empty(mut vec), None) => {
                if let Some(answer) = answer {
                    answer.write_local(&mut vec);
                }
                return Inspected::Answer(frames.frame(vec));
            }
            (Written::Nothing, close) => (frame, close),
            (Written::Frame(vec), close) => (frames.frame(vec), close),
        };
        Inspected::Forward { request: Sealed(request), answer, acks, close }
    }

    /// Notes a frame of a listener that does not inspect: who sends how much where, and that nobody has looked.
    /// Returns its `acks`: with 0 there will be no answer.
    ///
    /// # Errors
    ///
    /// Why the connection is to be closed: the frame is malformed.
    pub fn pass_unseen(
        &mut self,
        frame: &[u8],
        sender: &Sender<'_>,
        scopes: &mut Scopes,
        audit: &mut AuditBatch,
        counters: &WorkerCounters,
    ) -> Result<i16, (Reason, String)> {
        self.request.parse(frame).map_err(|error| unparsed(&error))?;
        for partition in &self.request.partitions {
            let topic = topic_of(frame, &self.request, partition, sender).unwrap_or(UNNAMED_TOPIC);
            let policy = &self.in_force.policy;
            let (generation, entry) = (policy.generation(), scopes.entry(policy, sender, topic));
            report::unseen(audit, generation, entry, partition, frame, sender, Reason::InspectionOff);
            counters.refuse(Reason::InspectionOff);
        }
        Ok(self.request.acks)
    }
}

/// Stands for a topic in the audit whose id no metadata response has named yet. No topic can have this name.
const UNNAMED_TOPIC: &str = "?";

#[cfg(test)]
mod tests;
