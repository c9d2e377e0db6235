//! The request that goes upstream: the frame itself, or what is written in its place.

use super::Frames;
use crate::protocol::kafka::produce::ProduceRequest;
use crate::protocol::kafka::produce_writer::ProduceWriter;

/// The request written anew, from the first partition on that changes in length or goes.
pub(super) struct Output<'a, B: Frames> {
    frames: &'a B,
    writing: Option<(ProduceWriter, Vec<u8>)>,
}

/// What was written of a request.
pub(super) enum Written {
    /// Nothing: the frame itself is what is sent.
    Nothing,
    /// A whole frame.
    Frame(Vec<u8>),
    /// No partition is left; an empty vector.
    Empty(Vec<u8>),
}

impl<'a, B: Frames> Output<'a, B> {
    pub(super) fn new(frames: &'a B) -> Self {
        Self { frames, writing: None }
    }

    /// The next partition goes as it lies in `frame`.
    pub(super) fn keep(&mut self, frame: &[u8], request: &ProduceRequest) {
        if let Some((writer, out)) = &mut self.writing {
            writer.keep(frame, request, out);
        }
    }

    /// The partition at `position`, the next, goes with the records that `write` appends.
    pub(super) fn replace<T, E>(
        &mut self,
        frame: &[u8],
        request: &ProduceRequest,
        position: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<T, E>,
    ) -> Result<T, E> {
        let (writer, out) = self.begin(frame, request, position);
        writer.replace(frame, request, out, write)
    }

    /// The partition at `position`, the next, does not go.
    pub(super) fn remove(&mut self, frame: &[u8], request: &ProduceRequest, position: usize) {
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

    /// What is sent; every partition was kept, replaced or removed.
    pub(super) fn finish(self, frame: &[u8], request: &ProduceRequest) -> Written {
        let Some((writer, mut out)) = self.writing else { return Written::Nothing };
        if writer.finish(frame, request, &mut out) {
            return Written::Frame(out);
        }
        out.clear();
        Written::Empty(out)
    }
}
