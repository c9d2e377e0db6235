//! Writes a ProduceRequest anew when the records of its partitions change in length.

use super::produce::{Partition, ProduceRequest, is_flexible};
use super::wire::{Span, patch_frame_size, put_array_count, replace_field};

/// Writes one request, partition by partition in their order; each is kept, replaced or removed.
///
/// Until the first partition that changes in length there is nothing to write: the frame itself, edited in
/// place, is what is sent. The frame may be edited in place between calls: a partition is copied by its call.
///
/// ```text
/// begin, (keep | replace | remove) for each partition, finish
/// ```
///
/// Records are written straight to their place. Their length and the counts are written with the width that
/// they had, and moved by a byte or two in the rare case that the width changes.
#[derive(Debug)]
pub struct ProduceWriter {
    /// Where the frame starts in the output.
    frame_start: usize,
    /// Where the number of topics stands in the output.
    topics_count_at: usize,
    topics_written: usize,
    next_partition: usize,
    topic: Option<OpenTopic>,
}

/// The topic whose partitions are being written.
#[derive(Debug)]
struct OpenTopic {
    /// Index in the request.
    index: u32,
    /// Where it starts in the output.
    start: usize,
    /// Where its number of partitions stands in the output.
    count_at: usize,
    partitions_written: usize,
}

impl ProduceWriter {
    /// Begins a frame at the end of `out`, with the first `kept` partitions as they are in `frame`.
    pub fn begin(frame: &[u8], request: &ProduceRequest, kept: usize, out: &mut Vec<u8>) -> Self {
        let frame_start = out.len();
        let head = Span { start: 0, end: request.topics_count.start };
        out.extend_from_slice(head.of(frame));
        let topics_count_at = out.len();
        out.extend_from_slice(request.topics_count.of(frame));
        let mut writer =
            Self { frame_start, topics_count_at, topics_written: 0, next_partition: 0, topic: None };
        for _ in 0..kept {
            writer.keep(frame, request, out);
        }
        writer
    }

    /// The next partition goes as it is in `frame`.
    pub fn keep(&mut self, frame: &[u8], request: &ProduceRequest, out: &mut Vec<u8>) {
        if let Some(partition) = self.open(frame, request, out) {
            out.extend_from_slice(partition.whole.of(frame));
            self.written();
        }
    }

    /// The next partition goes with the records that `write` appends. When it fails, nothing is written and the
    /// partition still is the next one.
    ///
    /// # Errors
    ///
    /// The error of `write`.
    pub fn replace<T, E>(
        &mut self,
        frame: &[u8],
        request: &ProduceRequest,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>) -> Result<T, E>,
    ) -> Result<T, E> {
        let Some(partition) = self.open(frame, request, out) else { return write(out) };
        let partition_start = out.len();
        let head = Span { start: partition.whole.start, end: partition.records_length.start };
        out.extend_from_slice(head.of(frame));
        let length_at = out.len();
        out.extend_from_slice(partition.records_length.of(frame));
        let records_start = out.len();
        match write(out) {
            Ok(written) => {
                let records_bytes = out.len() - records_start;
                let compact = is_flexible(request.api_version);
                set_count(out, length_at..records_start, compact, records_bytes);
                let records_end = partition.records.map_or(partition.records_length.end, |span| span.end);
                out.extend_from_slice(Span { start: records_end, end: partition.whole.end }.of(frame));
                self.written();
                Ok(written)
            }
            Err(error) => {
                out.truncate(partition_start);
                Err(error)
            }
        }
    }

    /// The next partition is left out, and its topic, too, when none of it is left.
    pub fn remove(&mut self, frame: &[u8], request: &ProduceRequest, out: &mut Vec<u8>) {
        self.open(frame, request, out);
        self.next_partition += 1;
    }

    /// Ends the frame. False when no partition is left: nothing is to be sent, `out` is as it was before.
    ///
    /// # Panics
    ///
    /// When a partition was not decided on.
    pub fn finish(mut self, frame: &[u8], request: &ProduceRequest, out: &mut Vec<u8>) -> bool {
        assert_eq!(self.next_partition, request.partitions.len(), "every partition is decided on");
        self.close(frame, request, out);
        if self.topics_written == 0 {
            out.truncate(self.frame_start);
            return false;
        }
        if self.topics_written != request.topics.len() {
            let count = self.topics_count_at..self.topics_count_at + request.topics_count.bytes();
            set_count(out, count, is_flexible(request.api_version), self.topics_written);
        }
        out.extend_from_slice(frame.get(request.topics_end as usize..).unwrap_or_default());
        patch_frame_size(out, self.frame_start);
        true
    }

    /// The next partition, with its topic open.
    fn open<'a>(
        &mut self,
        frame: &[u8],
        request: &'a ProduceRequest,
        out: &mut Vec<u8>,
    ) -> Option<&'a Partition> {
        let partition = request.partitions.get(self.next_partition)?;
        if self.topic.as_ref().is_none_or(|topic| topic.index != partition.topic) {
            self.close(frame, request, out);
            let topic = request.topic_of(partition)?;
            let start = out.len();
            out.extend_from_slice(topic.head.of(frame));
            let count_at = out.len();
            out.extend_from_slice(topic.partitions_count.of(frame));
            self.topic = Some(OpenTopic { index: partition.topic, start, count_at, partitions_written: 0 });
        }
        Some(partition)
    }

    fn written(&mut self) {
        self.next_partition += 1;
        if let Some(topic) = &mut self.topic {
            topic.partitions_written += 1;
        }
    }

    /// Ends the open topic; one without partitions is taken back.
    fn close(&mut self, frame: &[u8], request: &ProduceRequest, out: &mut Vec<u8>) {
        let Some(open) = self.topic.take() else { return };
        let Some(topic) = request.topics.get(open.index as usize) else { return };
        if open.partitions_written == 0 {
            out.truncate(open.start);
            return;
        }
        if open.partitions_written != (topic.partitions_end - topic.partitions_start) as usize {
            let count = open.count_at..open.count_at + topic.partitions_count.bytes();
            set_count(out, count, is_flexible(request.api_version), open.partitions_written);
        }
        out.extend_from_slice(topic.tail.of(frame));
        self.topics_written += 1;
    }
}

/// Writes a count or a length over the one at `place`.
fn set_count(out: &mut Vec<u8>, place: std::ops::Range<usize>, compact: bool, count: usize) {
    replace_field(out, place, |out| put_array_count(out, compact, count));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{RequestSpec, produce_frame};
    use super::*;

    /// What is done with one partition.
    #[derive(Clone, Debug)]
    enum Edit {
        Keep,
        Replace(Vec<u8>),
        Remove,
    }

    fn write(frame: &[u8], edits: &[Edit]) -> Option<Vec<u8>> {
        let mut request = ProduceRequest::default();
        request.parse(frame).expect("a good frame");
        let mut out = b"before".to_vec();
        let mut writer = ProduceWriter::begin(frame, &request, 0, &mut out);
        for edit in edits {
            match edit {
                Edit::Keep => writer.keep(frame, &request, &mut out),
                Edit::Remove => writer.remove(frame, &request, &mut out),
                Edit::Replace(records) => {
                    let failed = writer.replace(frame, &request, &mut out, |out| {
                        out.extend_from_slice(b"half");
                        Err::<(), ()>(())
                    });
                    assert_eq!(failed, Err(()));
                    let written = writer.replace(frame, &request, &mut out, |out| {
                        out.extend_from_slice(records);
                        Ok::<_, ()>(records.len())
                    });
                    assert_eq!(written, Ok(records.len()));
                }
            }
        }
        let any = writer.finish(frame, &request, &mut out);
        let written = out.split_off(6);
        assert_eq!(out, b"before");
        assert_eq!(any, !written.is_empty());
        any.then_some(written)
    }

    /// The request as the edits leave it.
    fn edited<'a>(spec: &RequestSpec<'a>, edits: &[Edit]) -> RequestSpec<'a> {
        let mut edits = edits.iter();
        let mut edited = spec.clone();
        for (_, partitions) in &mut edited.topics {
            partitions.retain_mut(|(_, records)| match edits.next().expect("one for each partition") {
                Edit::Keep => true,
                Edit::Remove => false,
                Edit::Replace(with) => {
                    *records = Some(with.clone());
                    true
                }
            });
        }
        edited.topics.retain(|(_, partitions)| !partitions.is_empty());
        edited
    }

    fn spec(api_version: i16, partitions: usize) -> RequestSpec<'static> {
        let partitions = (0..partitions as i32).map(|index| (index, Some(vec![b'r'; 100]))).collect();
        RequestSpec { api_version, acks: 1, transactional_id: None, topics: vec![("topic", partitions)] }
    }

    #[test]
    fn counts_and_lengths_change_their_width() {
        for api_version in [3, 8, 9, 12, 13] {
            let spec = spec(api_version, 130);
            let mut edits = vec![Edit::Remove; 10];
            edits.extend(std::iter::repeat_n(Edit::Keep, 60));
            edits.extend(std::iter::repeat_n(Edit::Replace(vec![b'n'; 128]), 60));

            assert_eq!(write(&produce_frame(&spec), &edits), Some(produce_frame(&edited(&spec, &edits))));
        }
    }

    #[test]
    fn nothing_is_written_when_every_partition_is_removed() {
        assert_eq!(write(&produce_frame(&spec(9, 2)), &[Edit::Remove, Edit::Remove]), None);
    }

    #[test]
    fn kept_partitions_are_copied_as_they_are() {
        let frame = produce_frame(&spec(9, 3));
        let mut request = ProduceRequest::default();
        request.parse(&frame).expect("a good frame");
        let mut out = Vec::new();
        let writer = ProduceWriter::begin(&frame, &request, 3, &mut out);

        assert!(writer.finish(&frame, &request, &mut out));
        assert_eq!(out, frame);
    }

    fn any_edit() -> impl Strategy<Value = Edit> {
        let records = prop_oneof![0usize..4, 120usize..135, 16_370usize..16_390];
        prop_oneof![
            Just(Edit::Keep),
            Just(Edit::Remove),
            records.prop_map(|bytes| Edit::Replace(vec![b'n'; bytes])),
        ]
    }

    proptest! {
        #[test]
        fn frame_is_that_of_the_edited_request(
            api_version in 3i16..=13,
            sizes in prop::collection::vec(prop::collection::vec(0usize..200, 0..4), 0..5),
            edits in prop::collection::vec(any_edit(), 20),
        ) {
            let topic = |sizes: &Vec<usize>| {
                let partitions = sizes.iter().enumerate().map(|(index, &bytes)| (index as i32, Some(vec![1; bytes])));
                ("topic", partitions.collect::<Vec<_>>())
            };
            let topics = sizes.iter().map(topic).collect();
            let spec = RequestSpec { api_version, acks: 1, transactional_id: Some("t"), topics };
            let edits = &edits[..sizes.concat().len()];
            let expected = edited(&spec, edits);

            let written = write(&produce_frame(&spec), edits);

            if expected.topics.is_empty() {
                prop_assert_eq!(written, None);
            } else if edits.iter().all(|edit| matches!(edit, Edit::Keep)) && sizes.iter().all(|size| !size.is_empty()) {
                prop_assert_eq!(written, Some(produce_frame(&spec)));
            } else {
                prop_assert_eq!(written, Some(produce_frame(&expected)));
            }
        }
    }
}
