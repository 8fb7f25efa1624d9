//! The report of the moment, gathered from where each part keeps its numbers.

use std::path::Path;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::history::{History, STEP, Sample};
use super::memory::resident_bytes;
use super::report::{
    ByReason, ByteUse, CertificateEnd, DeadLetterUse, KafkaReport, LaneReport, LastError,
    NodeReport, PartitionReport, RedisReport, RejectionReport, SourceReport, StatusReport,
    WaitingPart,
};
use crate::config::{Config, DeadLetter, Loaded};
use crate::event::{RejectReason, SkipReason};
use crate::lock::lock;
use crate::metrics::{Metrics, REVISION, RedisNode, Rejection};
use crate::outcome::{DeadReason, Source};
use crate::pipeline::{Health, Intake};
use crate::readiness::Readiness;

/// The parts that keep the numbers.
pub struct StatusParts {
    /// Counts of events, nodes, lags and rejections.
    pub metrics: Arc<Metrics>,
    /// What `/ready` waits for.
    pub readiness: Arc<Readiness>,
    /// The states of the lanes.
    pub health: Arc<Health>,
    /// The queues of the lanes.
    pub intake: Arc<Intake>,
}

/// What the worker tells about itself.
pub struct Status {
    parts: StatusParts,
    config: Config,
    /// The effective configuration as TOML, without secrets.
    shown: Mutex<String>,
    host: String,
    started: Timestamp,
    history: Mutex<History>,
}

impl Status {
    /// The status of a worker that was started as `loaded` says.
    pub fn new(loaded: &Loaded, parts: StatusParts) -> Self {
        Self {
            parts,
            config: loaded.config.clone(),
            shown: Mutex::new(loaded.to_toml()),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            started: Timestamp::now(),
            history: Mutex::default(),
        }
    }

    /// Shows `toml`, which holds no secrets, as the effective configuration from now on.
    pub fn show_config(&self, toml: String) {
        *lock(&self.shown) = toml;
    }

    /// Keeps the history; never ends.
    pub async fn keep_history(&self) {
        let (start, mut tick) = (Instant::now(), interval(STEP));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let sample = self.sample(start);
            lock(&self.history).add(sample);
        }
    }

    fn sample(&self, start: Instant) -> Sample {
        let mut sample =
            Sample { at: start.elapsed(), received: 0, written: 0, freshness: Vec::new() };
        for &source in Source::ALL {
            let counts = self.parts.metrics.source(source);
            sample.received += counts.received.get();
            sample.written += counts.written.get();
            let buckets = counts.freshness_buckets();
            if sample.freshness.is_empty() {
                sample.freshness = buckets;
            } else {
                let sums = sample.freshness.iter_mut().zip(buckets);
                sums.for_each(|((_, sum), (_, count))| *sum += count);
            }
        }
        sample
    }

    /// The report of this moment.
    pub async fn report(&self) -> StatusReport {
        let StatusParts { metrics, readiness, .. } = &self.parts;
        let waiting = readiness.waiting_for().into_iter();
        let waiting_for: Vec<WaitingPart> =
            waiting.map(|(part, reason)| WaitingPart { part: part.to_owned(), reason }).collect();
        let dead_letters = dead_letters(&self.config.dead_letter).await;
        StatusReport {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: REVISION.to_owned(),
            host: self.host.clone(),
            started: self.started,
            now: Timestamp::now(),
            ready: waiting_for.is_empty(),
            waiting_for,
            sources: self.sources(),
            history: lock(&self.history).report(),
            memory: ByteUse {
                in_flight_bytes: metrics.in_flight_bytes.get().try_into().unwrap_or(0),
                max_in_flight_bytes: self.config.delivery.max_in_flight as u64,
                resident_bytes: resident_bytes(),
            },
            lanes: self.lanes(),
            redis: RedisReport {
                mode: self.config.redis.mode.word().to_owned(),
                nodes: metrics.redis_nodes().into_iter().map(node).collect(),
            },
            kafka: self.config.kafka.as_ref().map(|_| kafka(metrics)),
            dead_letters,
            rejections: metrics.rejections.newest_first().into_iter().map(rejection).collect(),
            certificates: certificates(metrics),
            profile_lookup: self.config.admin.profile_lookup,
            config: lock(&self.shown).clone(),
        }
    }

    fn sources(&self) -> Vec<SourceReport> {
        let is_configured = |source: Source| match source {
            Source::Http => self.config.http.is_some(),
            Source::Kafka => self.config.kafka.is_some(),
            Source::File => false,
        };
        let reports = Source::ALL.iter().map(|&source| (source, self.source(source)));
        let shown =
            reports.filter(|(source, report)| is_configured(*source) || report.received > 0);
        shown.map(|(_, report)| report).collect()
    }

    fn source(&self, source: Source) -> SourceReport {
        let counts = self.parts.metrics.source(source);
        // What has ended is read first: it must not exceed what was received.
        let (written, stale) = (counts.written.get(), counts.stale.get());
        let failed = counts.failed.get();
        let skipped = SkipReason::ALL.iter().map(|&r| (r.as_str(), counts.skipped(r).get()));
        let rejected = RejectReason::ALL.iter().map(|&r| (r.as_str(), counts.rejected(r).get()));
        let dead = DeadReason::all().map(|r| (r.as_str(), counts.dead_lettered(r).get()));
        SourceReport {
            source: source.as_str().to_owned(),
            written,
            stale,
            skipped: by_reason(skipped),
            rejected: by_reason(rejected),
            dead_lettered: by_reason(dead),
            failed,
            in_flight: counts.in_flight(),
            received: counts.received.get(),
        }
    }

    fn lanes(&self) -> Vec<LaneReport> {
        let states = self.parts.health.lanes().into_iter();
        let lanes = states.zip(self.parts.intake.queues()).enumerate();
        lanes
            .map(|(lane, ((state, reason), queue))| {
                let (events, bytes) = queue.held();
                let (queued_events, queued_bytes) = (events as u64, bytes as u64);
                LaneReport { lane, state: state.to_owned(), reason, queued_events, queued_bytes }
            })
            .collect()
    }
}

fn by_reason(counts: impl Iterator<Item = (&'static str, u64)>) -> ByReason {
    let some = counts.filter(|(_, count)| *count > 0);
    some.map(|(reason, count)| (reason.to_owned(), count)).collect()
}

fn node(node: RedisNode) -> NodeReport {
    let RedisNode { node, role, up, reconnects, last_error } = node;
    let last_error = last_error.map(|error| LastError {
        at: error.at,
        class: error.class.to_owned(),
        code: error.code,
        message: error.message,
    });
    NodeReport { node, role, up, reconnects, last_error }
}

fn certificates(metrics: &Metrics) -> Vec<CertificateEnd> {
    let ends = metrics.certificate_ends().into_iter();
    ends.filter_map(|(client, seconds)| {
        Timestamp::from_second(seconds).ok().map(|at| CertificateEnd { client, at })
    })
    .collect()
}

fn kafka(metrics: &Metrics) -> KafkaReport {
    let partition = |(topic, partition, lag)| PartitionReport { topic, partition, lag };
    KafkaReport {
        assigned: metrics.kafka.partitions_assigned.get().try_into().unwrap_or(0),
        paused: metrics.kafka.partitions_paused.get().try_into().unwrap_or(0),
        partitions: metrics.kafka.lags().into_iter().map(partition).collect(),
    }
}

fn rejection(rejection: Rejection) -> RejectionReport {
    let outcome = if rejection.dead_lettered { "dead_lettered" } else { "rejected" };
    RejectionReport {
        at: rejection.at,
        source: rejection.source.as_str().to_owned(),
        outcome: outcome.to_owned(),
        reason: rejection.reason.as_str().to_owned(),
        user: rejection.user,
    }
}

async fn dead_letters(config: &DeadLetter) -> DeadLetterUse {
    let to = config.word().to_owned();
    match config {
        DeadLetter::File { path, max_size } => DeadLetterUse {
            to,
            place: Some(path.display().to_string()),
            bytes: Some(size(path).await),
            max_bytes: Some(*max_size),
        },
        DeadLetter::Kafka { topic, .. } => {
            DeadLetterUse { to, place: Some(topic.clone()), bytes: None, max_bytes: None }
        }
        DeadLetter::Log | DeadLetter::Discard => {
            DeadLetterUse { to, place: None, bytes: None, max_bytes: None }
        }
    }
}

/// Bytes in the file; 0: there is none now.
async fn size(path: &Path) -> u64 {
    tokio::fs::metadata(path).await.map_or(0, |metadata| metadata.len())
}
