//! The reading side of the demo: what the broker has, fetched from it directly.

use super::board::Board;
use anyhow::{Context, Result};
use bench_harness::client::Connection;
use bench_harness::codec::Codec;
use bytes::Bytes;
use kafka_protocol::records::{Record, RecordBatchDecoder};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Starts the reader, after the topic is there.
pub(super) fn start(
    upstream: String,
    topic: String,
    board: Arc<Board>,
    stop: Arc<AtomicBool>,
) -> Result<JoinHandle<Result<()>>> {
    let partitions = Partitions::find(&upstream, &topic).context("cannot reach the broker")?;
    Ok(std::thread::spawn(move || read(partitions, &topic, &board, &stop)))
}

/// The next offset of each partition, with a connection to its leader.
struct Partitions(Vec<(i32, i64, Connection)>);

impl Partitions {
    fn find(upstream: &str, topic: &str) -> Result<Self> {
        let metadata = Connection::open(upstream)?.metadata(topic)?;
        let topic = metadata.topics.first().context("no topic in Metadata")?;
        let connect = |partition: &kafka_protocol::messages::metadata_response::MetadataResponsePartition| {
            let leader = metadata.brokers.iter().find(|node| node.node_id == partition.leader_id);
            let leader = leader.context("a leader without an address")?;
            let connection = Connection::open((leader.host.as_str(), u16::try_from(leader.port)?))?;
            Ok((partition.partition_index, 0, connection))
        };
        topic.partitions.iter().map(connect).collect::<Result<Vec<_>>>().map(Self)
    }
}

fn read(mut partitions: Partitions, topic: &str, board: &Board, stop: &AtomicBool) -> Result<()> {
    while !stop.load(Ordering::Relaxed) {
        let mut found = false;
        for (index, offset, connection) in &mut partitions.0 {
            let mut batches = connection.fetch(topic, *index, *offset, Duration::ZERO)?;
            while !batches.is_empty() {
                for record in decode(&mut batches)? {
                    // A fetch starts at the batch that holds the offset, which may begin before it.
                    if record.offset >= *offset {
                        board.arrived(&record);
                        *offset = record.offset + 1;
                        found = true;
                    }
                }
            }
        }
        if !found {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    Ok(())
}

/// The records of the first batch, which is taken off.
fn decode(batches: &mut Bytes) -> Result<Vec<Record>> {
    let decompress = |body: &mut Bytes, compression| {
        let codec = Codec::of_attributes(compression as i16).context("unknown codec")?;
        codec.decompress(body)
    };
    Ok(RecordBatchDecoder::decode_with_custom_compression(batches, Some(decompress))?.records)
}
