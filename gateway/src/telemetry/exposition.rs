//! `/metrics`: the counters of all workers and the control thread in OpenMetrics text.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::counters::{API_KEYS, REQUEST_BUCKETS_US};
use super::{Reason, WorkerCounters};
use crate::audit::CountingSink;
use crate::protocol::kafka::api::ApiKey;

/// Which policy is in force and how reloads went.
#[derive(Debug, Default)]
pub struct PolicyState {
    /// Generation in force.
    pub generation: AtomicU64,
    /// Reloads that took effect.
    pub reloads_applied: AtomicU64,
    /// Reloads that left the old policy in force.
    pub reloads_rejected: AtomicU64,
}

/// Everything that `/metrics` reads.
pub struct Exposition {
    /// One per worker.
    pub workers: Vec<Arc<WorkerCounters>>,
    /// Counts of decided records.
    pub sink: Arc<Mutex<CountingSink>>,
    /// Policy generation and reloads.
    pub policy: Arc<PolicyState>,
    /// Connections that the kernel program gave to each worker; `None` without the program.
    pub steer_picks: Box<dyn Fn() -> Option<Vec<u64>> + Send + Sync>,
}

/// As [`Direction`](super::Direction) counts them.
const DIRECTIONS: [&str; 2] = ["downstream", "upstream"];

impl Exposition {
    /// The exposition in OpenMetrics text format 1.0.
    pub fn render(self: &Arc<Self>) -> String {
        let mut registry = Registry::with_prefix("gateway");
        registry.register_collector(Box::new(self.clone()));
        let mut text = String::new();
        // Writing to a `String` cannot fail; a collector error would only cut the text short.
        let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
        text
    }

    fn sum(&self, counter: impl Fn(&WorkerCounters) -> &AtomicU64) -> u64 {
        self.workers.iter().map(|worker| counter(worker).load(Relaxed)).sum()
    }

    fn traffic(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut family = Family::gauge(encoder, "connections", "Client connections open now")?;
        for (index, worker) in self.workers.iter().enumerate() {
            family.put(&[("worker", index.to_string())], worker.open_connections())?;
        }
        let mut family = Family::counter(encoder, "requests", "Request frames by API")?;
        for key in 0..API_KEYS {
            let total = self.sum(|worker| &worker.requests[key]);
            if total > 0 {
                let name = i16::try_from(key).map_or("unknown", |key| ApiKey(key).name());
                family.put(&[("api", name.to_owned())], total)?;
            }
        }
        let mut family = Family::counter(encoder, "bytes", "Bytes received by direction")?;
        for (index, direction) in DIRECTIONS.into_iter().enumerate() {
            family.put(&[("direction", direction.to_owned())], self.sum(|worker| &worker.bytes[index]))?;
        }
        let mut family = Family::counter(encoder, "refused", "Refusals by reason")?;
        for reason in Reason::ALL {
            family.put(
                &[("reason", reason.as_str().to_owned())],
                self.sum(|worker| &worker.refused[*reason as usize]),
            )?;
        }
        self.large_frames(encoder)?;
        let mut family = Family::gauge(encoder, "pool_bytes", "Buffer memory held by the workers, by class")?;
        family.put(&[("class", "ring".to_owned())], self.sum(|worker| &worker.pool_ring_bytes))?;
        family.put(&[("class", "heap".to_owned())], self.sum(|worker| &worker.pool_heap_bytes))
    }

    fn large_frames(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Frames above 256 KiB that wait for room, by direction";
        let mut family = Family::gauge(encoder, "large_frames_waiting", help)?;
        for (index, direction) in DIRECTIONS.into_iter().enumerate() {
            let waiting = self.sum(|worker| &worker.frames_waiting[index]);
            family.put(&[("direction", direction.to_owned())], waiting)?;
        }
        let help = "Room that frames above 256 KiB have, by direction";
        let mut family = Family::gauge(encoder, "large_frames_reserved_bytes", help)?;
        for (index, direction) in DIRECTIONS.into_iter().enumerate() {
            let reserved = self.sum(|worker| &worker.frames_reserved_bytes[index]);
            family.put(&[("direction", direction.to_owned())], reserved)?;
        }
        Ok(())
    }

    fn request_seconds(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let bounds = REQUEST_BUCKETS_US.iter().map(|micros| *micros as f64 / 1e6).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds
            .enumerate()
            .map(|(index, bound)| (bound, self.sum(|worker| &worker.request_buckets[index])))
            .collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = self.sum(|worker| &worker.request_micros) as f64 / 1e6;
        encoder
            .encode_descriptor(
                "request_seconds",
                "From the last byte of a request to its whole answer, ready to be written, in seconds",
                None,
                MetricType::Histogram,
            )?
            .encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn decisions(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let mut family = Family::counter(encoder, "records", "Records by level and verdict")?;
        for (level, verdict, count) in sink.records() {
            family.put(
                &[("level", level.as_str().to_owned()), ("verdict", verdict.as_str().to_owned())],
                count,
            )?;
        }
        let mut family = Family::counter(encoder, "findings", "Findings by detector")?;
        for (detector, count) in sink.findings() {
            family.put(&[("detector", detector.to_owned())], count)?;
        }
        Ok(())
    }

    fn control(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut family = Family::gauge(encoder, "policy_generation", "Generation of the policy in force")?;
        family.put_plain(self.policy.generation.load(Relaxed))?;
        let mut family = Family::counter(encoder, "policy_reloads", "Policy reloads by outcome")?;
        family.put(&[("outcome", "applied".to_owned())], self.policy.reloads_applied.load(Relaxed))?;
        family.put(&[("outcome", "rejected".to_owned())], self.policy.reloads_rejected.load(Relaxed))?;
        let picks = (self.steer_picks)();
        let mut family = Family::gauge(
            encoder,
            "steer_active",
            "1 when the kernel program steers, 0 on the kernel's hash",
        )?;
        family.put_plain(u64::from(picks.is_some()))?;
        let mut family = Family::counter(encoder, "steer_picks", "Connections steered to each worker")?;
        for (index, count) in picks.into_iter().flatten().enumerate() {
            family.put(&[("worker", index.to_string())], count)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Exposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exposition").field("workers", &self.workers.len()).finish_non_exhaustive()
    }
}

impl Collector for Exposition {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.traffic(&mut encoder)?;
        self.request_seconds(&mut encoder)?;
        self.decisions(&mut encoder)?;
        self.control(&mut encoder)
    }
}

/// One metric family while it is written.
struct Family<'a> {
    metric: prometheus_client::encoding::MetricEncoder<'a>,
    counter: bool,
}

impl<'a> Family<'a> {
    fn counter(
        encoder: &'a mut DescriptorEncoder<'_>,
        name: &'a str,
        help: &str,
    ) -> Result<Self, fmt::Error> {
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        Ok(Self { metric, counter: true })
    }

    fn gauge(encoder: &'a mut DescriptorEncoder<'_>, name: &'a str, help: &str) -> Result<Self, fmt::Error> {
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        Ok(Self { metric, counter: false })
    }

    /// The only member of a family without labels.
    fn put_plain(&mut self, value: u64) -> fmt::Result {
        self.metric.encode_gauge(&i64::try_from(value).unwrap_or(i64::MAX))
    }

    fn put<const N: usize>(&mut self, labels: &[(&str, String); N], value: u64) -> fmt::Result {
        let labels = labels.as_slice();
        let mut member = self.metric.encode_family(&labels)?;
        if self.counter {
            member.encode_counter::<NoLabelSet, _, u64>(&value, None)
        } else {
            member.encode_gauge(&i64::try_from(value).unwrap_or(i64::MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Direction;

    #[test]
    fn every_family_is_exposed_with_its_labels() {
        let workers = vec![Arc::new(WorkerCounters::default()), Arc::new(WorkerCounters::default())];
        workers[0].opened();
        workers[1].request(0);
        workers[1].refuse(Reason::FrameSize);
        workers[0].received(Direction::Downstream, 100);
        workers[1].received(Direction::Downstream, 11);
        workers[0].answered(std::time::Duration::from_micros(75));
        let exposition = Arc::new(Exposition {
            workers,
            sink: Arc::default(),
            policy: Arc::default(),
            steer_picks: Box::new(|| Some(vec![3, 4])),
        });

        let text = exposition.render();

        for line in [
            "gateway_connections{worker=\"0\"} 1",
            "gateway_requests_total{api=\"Produce\"} 1",
            "gateway_bytes_total{direction=\"downstream\"} 111",
            "gateway_refused_total{reason=\"frame_size\"} 1",
            "gateway_refused_total{reason=\"malformed\"} 0",
            "gateway_request_seconds_bucket{le=\"0.0001\"} 1",
            "gateway_request_seconds_bucket{le=\"+Inf\"} 1",
            "gateway_policy_generation 0",
            "gateway_policy_reloads_total{outcome=\"rejected\"} 0",
            "gateway_steer_picks_total{worker=\"1\"} 4",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "no line {line:?} in\n{text}");
        }
    }
}
