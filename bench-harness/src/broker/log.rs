//! Topics, their partitions, and what was appended to them.

use super::Keep;
use super::batch::Checked;
use crate::codec::Codec;
use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use std::collections::{BTreeMap, HashMap, VecDeque};
use uuid::Uuid;

/// One record as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Partition it lies in.
    pub partition: i32,
    /// Offset within the partition.
    pub offset: i64,
    /// Milliseconds since 1970, as the producer set it.
    pub timestamp: i64,
    /// Key; `None` is null.
    pub key: Option<Bytes>,
    /// Value; `None` is null, a tombstone on a compacted topic.
    pub value: Option<Bytes>,
    /// Headers in order; keys may repeat and need not be UTF-8.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
}

impl StoredRecord {
    /// Value of the last header of this name, as a consumer reads it.
    pub fn header(&self, name: &str) -> Option<&Bytes> {
        let named = self.headers.iter().rev().find(|(key, _)| key == name.as_bytes());
        named.and_then(|(_, value)| value.as_ref())
    }
}

/// One batch as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBatch {
    /// Partition it lies in.
    pub partition: i32,
    /// Offset of its first record.
    pub base_offset: i64,
    /// Its codec.
    pub codec: Codec,
    /// Producer id, -1 when not idempotent.
    pub producer_id: i64,
    /// Producer epoch, -1 when not idempotent.
    pub producer_epoch: i16,
    /// Sequence of the first record, -1 when not idempotent.
    pub base_sequence: i32,
    /// Number of records.
    pub record_count: i32,
    /// The whole batch, with the base offset that the broker gave it.
    pub bytes: Bytes,
    /// Newest timestamp in the batch.
    pub(super) max_timestamp: i64,
}

impl StoredBatch {
    /// Offset after its last record.
    pub(super) fn end_offset(&self) -> i64 {
        self.base_offset + i64::from(self.record_count)
    }
}

/// All topics.
#[derive(Debug)]
pub(super) struct Logs {
    nodes: i32,
    topics: BTreeMap<String, Topic>,
    ids_given: u64,
}

/// One topic.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) id: Uuid,
    pub(super) partitions: Vec<Partition>,
}

/// One partition.
#[derive(Debug)]
pub(super) struct Partition {
    /// Node id of its leader.
    pub(super) leader: i32,
    /// Rises with each change of the leader.
    pub(super) leader_epoch: i32,
    pub(super) batches: Vec<StoredBatch>,
    records: Vec<StoredRecord>,
    /// Offset of the next record.
    pub(super) end_offset: i64,
    producers: HashMap<i64, Producer>,
}

/// What a partition remembers of an idempotent producer.
#[derive(Debug)]
struct Producer {
    epoch: i16,
    /// First sequence, last sequence and base offset of its newest batches.
    recent: VecDeque<(i32, i32, i64)>,
}

/// Batches remembered for each producer, as in Kafka.
const RECENT_BATCHES: usize = 5;

/// How an append ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Appended {
    /// Stored at this base offset.
    New(i64),
    /// Already there, at this base offset.
    Duplicate(i64),
}

impl Logs {
    pub(super) fn new(nodes: i32) -> Self {
        Self { nodes, topics: BTreeMap::new(), ids_given: 0 }
    }

    /// Creates a topic, or makes it anew.
    pub(super) fn create(&mut self, name: &str, partitions: i32) {
        self.ids_given += 1;
        // The form of a version 4 UUID: clients treat the nil id as "none".
        let id = Uuid::from_u64_pair(0x6d65_6d6f_7279_4000, 0x8000_0000_0000_0000 | self.ids_given);
        let partitions = (0..partitions).map(|index| Partition::new(index % self.nodes + 1)).collect();
        self.topics.insert(name.to_owned(), Topic { id, partitions });
    }

    pub(super) fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name)
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.topics.keys().cloned().collect()
    }

    /// Name of the topic with this id.
    pub(super) fn name_of(&self, id: Uuid) -> Option<String> {
        self.topics.iter().find(|(_, topic)| topic.id == id).map(|(name, _)| name.clone())
    }

    pub(super) fn partition(&self, topic: &str, index: i32) -> Option<&Partition> {
        self.topics.get(topic)?.partitions.get(usize::try_from(index).ok()?)
    }

    pub(super) fn partition_mut(&mut self, topic: &str, index: i32) -> Option<&mut Partition> {
        self.topics.get_mut(topic)?.partitions.get_mut(usize::try_from(index).ok()?)
    }

    pub(super) fn move_leader(&mut self, topic: &str, index: i32, node_id: i32) {
        if let Some(partition) = self.partition_mut(topic, index) {
            partition.leader = node_id;
            partition.leader_epoch += 1;
        }
    }

    pub(super) fn records(&self, topic: &str) -> Vec<StoredRecord> {
        let partitions = self.topics.get(topic).map_or(&[][..], |topic| &topic.partitions);
        partitions.iter().flat_map(|partition| &partition.records).cloned().collect()
    }

    pub(super) fn record_count(&self, topic: &str) -> usize {
        let partitions = self.topics.get(topic).map_or(&[][..], |topic| &topic.partitions);
        partitions.iter().map(|partition| partition.records.len()).sum()
    }

    pub(super) fn batches(&self, topic: &str) -> Vec<StoredBatch> {
        let partitions = self.topics.get(topic).map_or(&[][..], |topic| &topic.partitions);
        partitions.iter().flat_map(|partition| &partition.batches).cloned().collect()
    }
}

impl Partition {
    fn new(leader: i32) -> Self {
        Self {
            leader,
            leader_epoch: 0,
            batches: Vec::new(),
            records: Vec::new(),
            end_offset: 0,
            producers: HashMap::new(),
        }
    }

    /// Appends a checked batch.
    ///
    /// # Errors
    ///
    /// The error of the idempotent sequence check.
    pub(super) fn append(
        &mut self,
        index: i32,
        batch: Checked,
        keep: Keep,
    ) -> Result<Appended, ResponseError> {
        if let Some(base_offset) = self.check_sequence(&batch)? {
            return Ok(Appended::Duplicate(base_offset));
        }
        let base_offset = self.end_offset;
        self.end_offset += i64::from(batch.record_count);
        if batch.producer_id >= 0 {
            self.remember(&batch, base_offset);
        }
        if keep == Keep::Records {
            let records = batch.records.iter().enumerate();
            self.records.extend(records.map(|(delta, record)| StoredRecord {
                partition: index,
                offset: base_offset + delta as i64,
                ..record.clone()
            }));
            self.batches.push(batch.stored(index, base_offset, self.leader_epoch));
        }
        Ok(Appended::New(base_offset))
    }

    /// The base offset of a batch that is already there, or the error of a wrong sequence.
    fn check_sequence(&self, batch: &Checked) -> Result<Option<i64>, ResponseError> {
        let Some(known) = self.producers.get(&batch.producer_id) else {
            return Ok(None);
        };
        if batch.producer_epoch < known.epoch {
            return Err(ResponseError::InvalidProducerEpoch);
        }
        if batch.producer_epoch > known.epoch {
            let starts_anew = batch.base_sequence == 0;
            return if starts_anew { Ok(None) } else { Err(ResponseError::OutOfOrderSequenceNumber) };
        }
        let (first, last) = (batch.base_sequence, batch.last_sequence());
        let same = known.recent.iter().find(|recent| (recent.0, recent.1) == (first, last));
        if let Some(&(_, _, base_offset)) = same {
            return Ok(Some(base_offset));
        }
        let expected = known.recent.back().map_or(0, |&(_, last, _)| next_sequence(last));
        if first == expected { Ok(None) } else { Err(ResponseError::OutOfOrderSequenceNumber) }
    }

    fn remember(&mut self, batch: &Checked, base_offset: i64) {
        let fresh = || Producer { epoch: batch.producer_epoch, recent: VecDeque::new() };
        let producer = self.producers.entry(batch.producer_id).or_insert_with(fresh);
        if producer.epoch != batch.producer_epoch {
            *producer = fresh();
        }
        if producer.recent.len() == RECENT_BATCHES {
            producer.recent.pop_front();
        }
        producer.recent.push_back((batch.base_sequence, batch.last_sequence(), base_offset));
    }
}

/// Sequences wrap to 0 after the largest i32.
fn next_sequence(last: i32) -> i32 {
    last.checked_add(1).unwrap_or(0)
}
