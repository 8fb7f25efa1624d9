//! The Kafka source: a member of a consumer group that commits only offsets of settled records.
//!
//! The way of one record: the polling thread (`consumer`) polls a burst of them (`burst`).
//! Their events are decided on in place, by other threads if there are cores for them (`deciding`,
//! `ordered_threads`). A small record that is kept is copied into a bundle of its lane
//! ([`crate::pipeline::Bundles`]); any other record becomes a message of its own (`record`),
//! whose events are offered to their lanes one by one (`admission`). A rejected event becomes a
//! dead letter (`rejected`). When an event finds no room its partition is paused until there is
//! some (`flow`). The receipts of an event are its partition under one assignment epoch
//! (`assignment`), whose watermark ([`crate::source::log::Offsets`]) is stored with librdkafka,
//! which commits it; with `kafka.failover_replay` it is held back for a while, so that records
//! whose writes Redis loses in a failover can be read again (`partition`).
//!
//! `member` holds librdkafka's callbacks: at a revoke, events that are not sent are taken back and
//! those that are sent are awaited before the partition is given up. A process that stood still for
//! longer than its `lease` writes none of the events it held. A topic that was deleted and created
//! again is read from its beginning (`topic_ids`).

mod admission;
mod assignment;
mod burst;
mod burst_state;
mod consumer;
mod deciding;
mod flow;
mod idle_group;
mod lease;
mod member;
mod missing_types;
mod ordered_threads;
mod partition;
mod record;
mod rejected;
mod shared_breaker;
mod topic_ids;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::BaseConsumer;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::dead_letter::DeadLetters;
use crate::kafka::{ClientError, ClientEvents, client_config, creation_error};
use crate::logging::Throttle;
use crate::metrics::Metrics;
use crate::pipeline::{Health, Intake};
use crate::profile::{Prefix, Tombstones};
use crate::readiness::Readiness;
use crate::source::log::Breaker;

use self::admission::RecordAdmission;
use self::consumer::Consumer;
pub use self::consumer::Ended;
use self::lease::{Lease, heartbeat};
use self::member::{FAILED_COMMITS_EVERY, GroupMember, PART};
use self::partition::Partitions;
use self::rejected::{RejectedEvent, dead_letter_rejected};
use self::shared_breaker::SharedBreaker;
use self::topic_ids::CONTEXT;

/// librdkafka's default of `max.poll.interval.ms`.
const MAX_POLL_MS: u64 = 300_000;
/// librdkafka's own queue of fetched records: with `delivery.max_in_flight` all memory of the
/// source.
const FETCH_QUEUE_KIB: &str = "16384";
/// How long the consumer may take to leave the group after the hard stop.
const LEAVE: Duration = Duration::from_secs(2);

/// The parts of the program that the source uses.
pub struct KafkaSourceParts {
    /// Where events are offered.
    pub intake: Arc<Intake>,
    /// Where rejected events go.
    pub letters: DeadLetters,
    /// Where events, commits and partitions are counted.
    pub metrics: Arc<Metrics>,
    /// Where the source reports whether it can read.
    pub readiness: Arc<Readiness>,
    /// The state of the lanes.
    pub health: Arc<Health>,
    /// Counts the times that Redis may have lost confirmed writes.
    pub loss_epochs: watch::Receiver<u64>,
}

/// A consumer that has not subscribed yet.
pub struct KafkaSource {
    consumer: BaseConsumer<GroupMember>,
    topics: Vec<String>,
    group_id: String,
    max_poll_interval: Duration,
    prefix: Prefix,
    tombstones_delete: bool,
    rejected: (mpsc::UnboundedSender<RejectedEvent>, mpsc::UnboundedReceiver<RejectedEvent>),
    letters: DeadLetters,
    breaker: Arc<SharedBreaker>,
    intake: Arc<Intake>,
    health: Arc<Health>,
    loss_epochs: watch::Receiver<u64>,
}

impl KafkaSource {
    /// Checks the settings; connects in the background. `prefix` is that of the Redis keys.
    ///
    /// # Errors
    /// Settings that librdkafka refuses, files that cannot be used.
    pub fn new(
        kafka: &config::Kafka,
        breaker: &config::Breaker,
        prefix: &Prefix,
        parts: KafkaSourceParts,
    ) -> Result<Self, ClientError> {
        let KafkaSourceParts { intake, letters, metrics, readiness, health, loss_epochs } = parts;
        let breaker = Breaker::new(breaker.consecutive, breaker.ratio, breaker.window);
        let breaker = Arc::new(SharedBreaker::new(breaker));
        readiness.waiting(PART, "joining the group");
        let member = GroupMember {
            events: ClientEvents::new(PART, &kafka.client)?,
            partitions: Mutex::new(Partitions::default()),
            lease: Arc::new(Lease::new(kafka.session_timeout)),
            breaker: Arc::clone(&breaker),
            intake: Arc::clone(&intake),
            metrics,
            readiness,
            failover_replay: kafka.failover_replay,
            handover: kafka.session_timeout / 2,
            obstacle: Mutex::default(),
            topic_ids: Mutex::default(),
            failed_commits: Throttle::new(FAILED_COMMITS_EVERY),
            generation: AtomicU64::new(0),
            debug: kafka.client.librdkafka.contains_key("debug"),
        };
        let settings = settings(kafka)?;
        let max_poll_interval = settings
            .get("max.poll.interval.ms")
            .and_then(|typed| typed.parse().ok())
            .unwrap_or(MAX_POLL_MS);
        let consumer = settings.create_with_context(member).map_err(creation_error)?;
        let (topics, group_id, prefix) =
            (kafka.topics.clone(), kafka.group_id.clone(), prefix.clone());
        let max_poll_interval = Duration::from_millis(max_poll_interval);
        Ok(Self {
            consumer,
            topics,
            group_id,
            max_poll_interval,
            prefix,
            tombstones_delete: kafka.tombstones == Tombstones::Delete,
            rejected: mpsc::unbounded_channel(),
            letters,
            breaker,
            intake,
            health,
            loss_epochs,
        })
    }

    /// Consumes until `stop`, and then until what was taken is settled, or until `hard`.
    pub async fn run(self, stop: CancellationToken, hard: CancellationToken) -> Ended {
        let Self {
            consumer, topics, group_id, max_poll_interval, prefix, health, loss_epochs, ..
        } = self;
        let Self {
            rejected: (sender, rejected), letters, breaker, intake, tombstones_delete, ..
        } = self;
        let keep_headers = letters.keep_headers();
        let max_event = intake.rules().limits.max_event;
        let dead_lettering = tokio::spawn(hard.clone().run_until_cancelled_owned(
            dead_letter_rejected(rejected, letters, prefix.clone(), max_event, breaker),
        ));
        let runtime = Handle::current();
        let admission =
            RecordAdmission { intake, prefix, tombstones_delete, rejected: sender, runtime };
        let consumer = Consumer {
            consumer,
            topics,
            group_id,
            admission,
            health,
            loss_epochs,
            keep_headers,
            max_poll_interval,
            stop,
            hard: hard.clone(),
        };
        let (ending, mut ended) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("kafka".into())
            .spawn(move || ending.send(consumer.run()));
        if let Err(error) = thread {
            return Ended::Failed(format!("no thread for the consumer: {error}"));
        }
        let ended = tokio::select! {
            ended = &mut ended => ended,
            // Closing a consumer may take for ever when no broker answers.
            () = left_late(hard) => return Ended::Stopped,
        };
        dead_lettering.abort();
        ended.unwrap_or_else(|_| Ended::Failed("the consumer's thread panicked".into()))
    }
}

/// Resolves a while after the hard stop.
async fn left_late(hard: CancellationToken) {
    hard.cancelled().await;
    tokio::time::sleep(LEAVE).await;
}

fn settings(kafka: &config::Kafka) -> Result<ClientConfig, ClientError> {
    let mut settings = client_config(&kafka.client)?;
    let mut default = |name: &str, value: &str| {
        if !kafka.client.librdkafka.contains_key(name) {
            settings.set(name, value);
        }
    };
    default("queued.max.messages.kbytes", FETCH_QUEUE_KIB);
    // The default of a second would leave a small queue empty.
    default("fetch.queue.backoff.ms", "10");
    // How soon the client finds a topic that is new, or that its brokers did not know yet.
    default("topic.metadata.refresh.interval.ms", "10000");
    default("heartbeat.interval.ms", &heartbeat(kafka.session_timeout).as_millis().to_string());
    let reset = match kafka.auto_offset_reset {
        config::OffsetReset::Earliest => "earliest",
        config::OffsetReset::Latest => "latest",
        config::OffsetReset::Error => "error",
    };
    settings
        .set("group.id", &kafka.group_id)
        .set("auto.offset.reset", reset)
        .set("session.timeout.ms", kafka.session_timeout.as_millis().to_string())
        .set("auto.commit.interval.ms", kafka.commit_interval.as_millis().to_string())
        // The source stores offsets once their records are settled; librdkafka commits them.
        .set("enable.auto.commit", "true")
        .set("enable.auto.offset.store", "false")
        .set("group.protocol", "classic")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("isolation.level", "read_committed")
        .set("allow.auto.create.topics", "false")
        .set("statistics.interval.ms", "1000");
    let debug = settings.get("debug").map(|typed| format!("{typed},{CONTEXT}"));
    settings
        .set("debug", debug.as_deref().unwrap_or(CONTEXT))
        .set_log_level(RDKafkaLogLevel::Debug);
    if let Some(letters) = &kafka.dead_letters {
        // A pattern of topics may match the dead-letter topic: its events would come back for ever.
        let pattern = format!("^{}$", letters.replace('.', "\\."));
        let typed = settings.get("topic.blacklist").map(|typed| format!("{typed},{pattern}"));
        settings.set("topic.blacklist", typed.unwrap_or(pattern));
    }
    if let Some(id) = &kafka.group_instance_id {
        settings.set("group.instance.id", id);
    }
    Ok(settings)
}
