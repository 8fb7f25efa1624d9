//! Everything between the sources and Redis: dead letters, Redis, the intake and its lanes.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::signal::unix::Signal;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{self, Config, Mode, OwnServer};
use crate::dead_letter::DeadLetters;
use crate::exit::Exit;
use crate::lifecycle::{self, Lifecycle};
use crate::local_servers::{Embedded, Local};
use crate::metrics::Metrics;
use crate::pipeline::{Budget, Health, Intake, Lane, LaneLimits, PoisonDetector, Source};
use crate::profile::Tombstones;
use crate::readiness::Readiness;
use crate::redis::{Forms, Route};
use crate::tap::Tap;

use super::kept_deletions::KeptDeletions;
use super::start_error::StartError;
use super::user_keys::keys_of_user;

/// The running parts between the sources and Redis, and how they are ended.
pub struct Delivery {
    /// Where sources offer their events.
    pub intake: Arc<Intake>,
    /// Where events go that can never be written.
    pub letters: DeadLetters,
    /// The metrics of the whole process.
    pub metrics: Arc<Metrics>,
    /// The embedded store's address, when there is one.
    pub store: Option<SocketAddr>,
    /// Where operators watch what becomes of events.
    pub tap: Arc<Tap>,
    /// The state of the lanes.
    pub health: Arc<Health>,
    /// The servers, and which of them takes a key.
    pub route: Route,
    kept: Option<KeptDeletions>,
    lanes: TaskTracker,
    stores: TaskTracker,
    stop_store: CancellationToken,
}

impl Delivery {
    /// Opens the dead letters and starts the lanes. Redis need not be there yet. `is_worker`: not a
    /// replay, which may run beside a worker.
    ///
    /// # Errors
    /// A problem on this side: certificates, the dead-letter file, a port.
    pub async fn start(
        config: &Config,
        readiness: Arc<Readiness>,
        lifecycle: &Lifecycle,
        is_worker: bool,
    ) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::new());
        let letters = DeadLetters::open(&config.dead_letter, config.log.user_ids)
            .map_err(|message| StartError { message, code: Exit::IO })?;
        tokio::spawn(reopen_at_hangup(lifecycle::hangups()?, letters.clone()));
        let stores = TaskTracker::new();
        let stop_store = CancellationToken::new();
        let mut redis = config.redis.clone();
        let mut store_address = None;
        match config.redis.mode.own_server() {
            Some(OwnServer::Embedded(address)) => {
                let store = Embedded::bind(address)
                    .await
                    .map_err(|error| StartError::bind("redis.embedded.listen", address, &error))?;
                let address = store.local_addr();
                tracing::warn!(%address, "the embedded store keeps nothing: what it holds is gone \
                    when this process ends");
                lifecycle.spawn(&stores, "embedded store", store.serve(stop_store.clone()));
                redis.mode = Mode::Embedded(address);
                store_address = Some(address);
            }
            Some(OwnServer::Local(local)) => {
                let server =
                    Local::start(&redis, local, metrics.redis_local_restarts.clone()).await?;
                server.announce();
                redis = server.settings(&redis);
                lifecycle.spawn(&stores, "local Redis", server.serve(stop_store.clone()));
            }
            None => {}
        }
        let forms = forms(config);
        let route = Route::new(&redis, &forms).map_err(StartError::config)?;
        warn_unverified("redis", redis.tls.as_ref(), &metrics);
        warn_unverified(
            "kafka",
            config.kafka.as_ref().and_then(|kafka| kafka.client.tls.as_ref()),
            &metrics,
        );

        let delivery = &config.delivery;
        metrics.max_in_flight_bytes.set(delivery.max_in_flight.try_into().unwrap_or(i64::MAX));
        let budget = Budget::new(delivery.max_in_flight, metrics.in_flight_bytes.clone());
        let tap = Arc::new(Tap::new(config.admin.tap));
        let intake = Intake::new(config.rules.clone(), budget, route.placement(delivery.lanes));
        let mut intake = intake.with_tap(Arc::clone(&tap));
        let kept = match &config.deletion {
            Some(deletion) => Some(KeptDeletions::open(config, deletion, &route, is_worker)?),
            None => None,
        };
        if let Some(kept) = &kept {
            intake = intake.with_suppressed(kept.suppressed());
            kept.start_sync(&readiness, &lifecycle.hard);
        }
        if config.rules.tombstones_delete {
            let seen = kept.as_ref().map(|kept| Arc::clone(&kept.seen));
            intake = intake.with_keys_of_user(keys_of_user(config, seen));
        }
        let intake = Arc::new(intake);
        let health = Health::new(delivery.lanes, readiness);
        let limits = LaneLimits {
            max_batch: delivery.max_batch,
            max_batch_bytes: delivery.max_batch_bytes,
            retry_count: delivery.retry_count,
            retry_min: delivery.retry_min,
            retry_max: delivery.retry_max,
        };
        let poison = PoisonDetector::new(limits.retry_count, limits.retry_max);
        let lanes = TaskTracker::new();
        for (number, queue) in intake.queues().iter().enumerate() {
            let lane = Lane {
                queue: Arc::clone(queue),
                store: route.writer((number, delivery.lanes), Arc::clone(&metrics)),
                forms: Arc::clone(&forms),
                deletion: kept.as_ref().map(|kept| Arc::clone(&kept.lanes)),
                letters: letters.clone(),
                limits,
                metrics: Arc::clone(&metrics),
                health: health.lane(number),
                poison: Arc::clone(&poison),
                hard: lifecycle.hard.clone(),
            };
            lifecycle.spawn(&lanes, "lane", lane.run());
        }
        Ok(Self {
            intake,
            letters,
            metrics,
            store: store_address,
            tap,
            health,
            route,
            kept,
            lanes,
            stores,
            stop_store,
        })
    }

    /// What is kept of deletions; `None`: users are not deleted.
    pub(super) fn kept_deletions(&self) -> Option<&KeptDeletions> {
        self.kept.as_ref()
    }

    /// Takes no more events, delivers those that were taken (or drops them at the hard stop), and
    /// ends the lanes.
    pub async fn finish(&self) {
        self.intake.close();
        self.lanes.close();
        self.lanes.wait().await;
        self.stop_store.cancel();
        self.stores.close();
        self.stores.wait().await;
    }

    /// Events that were given back to their sources, without those that another worker has by now.
    pub fn failed(&self) -> u64 {
        let failed: u64 =
            Source::ALL.iter().map(|&source| self.metrics.source(source).failed.get()).sum();
        failed.saturating_sub(self.metrics.kafka.handed_over.get())
    }
}

/// What is written to Redis.
pub fn forms(config: &Config) -> Arc<Forms> {
    let forms = Forms::of(&config.profile);
    let tombstones =
        config.kafka.as_ref().is_some_and(|kafka| kafka.tombstones == Tombstones::Delete);
    Arc::new(match &config.deletion {
        Some(deletion) => forms.with_deletion(deletion.tombstone_ttl),
        None if tombstones => forms.with_deletion(config::Deletion::TOMBSTONE_TTL),
        None => forms,
    })
}

/// Closes the dead-letter file at each SIGHUP, so that the next letter opens the file that has its
/// path then.
async fn reopen_at_hangup(mut hangups: Signal, letters: DeadLetters) {
    while hangups.recv().await.is_some() {
        letters.reopen().await;
        tracing::info!(signal = "SIGHUP", "the next dead letter opens its file again");
    }
}

/// `client` is the word of the metric, and the section of the configuration.
fn warn_unverified(client: &str, tls: Option<&config::Tls>, metrics: &Metrics) {
    let unverified = tls.is_some_and(|tls| tls.skip_verify);
    metrics.tls_verify_disabled(client).set(i64::from(unverified));
    if unverified {
        tracing::warn!(
            "TLS CERTIFICATES OF {} ARE NOT VERIFIED ({client}.tls.skip_verify): anyone in between \
             can read and change every profile; set {client}.tls.ca_file instead",
            client.to_uppercase()
        );
    }
}
