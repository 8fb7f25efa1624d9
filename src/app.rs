//! Wiring in reading order: configuration -> Redis, lanes, sources, admin; and the same backwards
//! when stopping.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::Signal;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::Admin;
use crate::config::{self, Config, Mode};
use crate::dead_letter::DeadLetters;
use crate::exit::Exit;
use crate::lifecycle::{self, Lifecycle};
use crate::metrics::Metrics;
use crate::pipeline::{Budget, Health, Intake, Lane, LaneLimits, Source, Suspects};
use crate::readiness::Readiness;
use crate::redis::{Embedded, Local, LocalError, Store, Topology};
use crate::server::{self, descriptors};
use crate::source::http::HttpSource;
#[cfg(feature = "kafka")]
use crate::source::kafka::{self, KafkaSource};

/// Descriptors for files, pipes, Kafka's client and the clients of the embedded store.
const OTHER_DESCRIPTORS: usize = 128;
/// Descriptors for the connections of a lane: to a server, to a new one, to those that know which.
const DESCRIPTORS_OF_LANE: usize = 4;

/// Why the program could not start, and its exit code.
#[derive(Debug)]
pub struct StartError {
    pub message: String,
    pub code: Exit,
}

impl From<io::Error> for StartError {
    /// Of the operating system: signals, threads.
    fn from(error: io::Error) -> Self {
        Self { message: error.to_string(), code: Exit::INTERNAL }
    }
}

impl From<LocalError> for StartError {
    fn from(error: LocalError) -> Self {
        let code = match error {
            LocalError::Missing(_) | LocalError::Unusable(..) | LocalError::TooLong(_) => {
                Exit::CONFIG
            }
            LocalError::Directory(..) => Exit::IO,
            LocalError::Taken(_) | LocalError::Failed(_) => Exit::UNAVAILABLE,
        };
        Self { message: error.to_string(), code }
    }
}

impl StartError {
    fn config(message: impl ToString) -> Self {
        Self { message: message.to_string(), code: Exit::CONFIG }
    }

    /// `key` is the option that names the address.
    fn bind(key: &str, address: SocketAddr, error: &io::Error) -> Self {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("the port is in use; choose another with -s {key}={}:PORT", address.ip())
            }
            io::ErrorKind::AddrNotAvailable => {
                format!("this machine has no such address; set {key}")
            }
            io::ErrorKind::PermissionDenied => {
                format!("not permitted; choose a port above 1023 with {key}")
            }
            _ => format!("{error}; set {key}"),
        };
        Self {
            message: format!("cannot listen on {address} ({key}): {hint}"),
            code: Exit::UNAVAILABLE,
        }
    }
}

/// Binds a listener.
///
/// # Errors
/// The address is not to be had; the message names the option `key`.
pub async fn bind(key: &str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|error| StartError::bind(key, address, &error))
}

/// Everything between the sources and Redis.
pub struct Delivery {
    pub intake: Arc<Intake>,
    pub letters: DeadLetters,
    pub metrics: Arc<Metrics>,
    /// The embedded store's address, when there is one.
    pub store: Option<SocketAddr>,
    pub health: Arc<Health>,
    pub topology: Topology,
    lanes: TaskTracker,
    stores: TaskTracker,
    stop_store: CancellationToken,
}

impl Delivery {
    /// Opens the dead letters and starts the lanes. Redis need not be there yet.
    ///
    /// # Errors
    /// What is wrong on this side: certificates, the dead-letter file, a port.
    pub async fn start(
        config: &Config,
        readiness: Arc<Readiness>,
        lifecycle: &Lifecycle,
    ) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::new());
        let letters = DeadLetters::open(&config.dead_letter, config.log.user_ids)
            .map_err(|message| StartError { message, code: Exit::IO })?;
        tokio::spawn(reopen_at_hangup(lifecycle::hangups()?, letters.clone()));
        let stores = TaskTracker::new();
        let stop_store = CancellationToken::new();
        let mut redis = config.redis.clone();
        let mut store_address = None;
        match &config.redis.mode {
            &Mode::Embedded(address) => {
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
            Mode::Local(local) => {
                let server =
                    Local::start(&redis, local, metrics.redis_local_restarts.clone()).await?;
                server.announce();
                redis = server.settings(&redis);
                lifecycle.spawn(&stores, "local Redis", server.serve(stop_store.clone()));
            }
            _ => {}
        }
        let topology = Topology::new(&redis).map_err(StartError::config)?;
        warn_unverified("redis", redis.tls.as_ref(), &metrics);
        warn_unverified(
            "kafka",
            config.kafka.as_ref().and_then(|kafka| kafka.client.tls.as_ref()),
            &metrics,
        );

        let delivery = &config.delivery;
        let budget = Budget::new(delivery.max_in_flight, metrics.in_flight_bytes.clone());
        let intake =
            Arc::new(Intake::new(config.rules.clone(), budget, topology.placement(delivery.lanes)));
        let health = Health::new(delivery.lanes, readiness);
        let limits = LaneLimits {
            max_batch: delivery.max_batch,
            max_batch_bytes: delivery.max_batch_bytes,
            retry_count: delivery.retry_count,
            retry_min: delivery.retry_min,
            retry_max: delivery.retry_max,
        };
        let suspects = Suspects::new(limits.retry_count, limits.retry_max);
        let lanes = TaskTracker::new();
        for (number, queue) in intake.queues().iter().enumerate() {
            let lane = Lane {
                queue: Arc::clone(queue),
                store: Store::new(&topology, (number, delivery.lanes), Arc::clone(&metrics)),
                letters: letters.clone(),
                limits,
                metrics: Arc::clone(&metrics),
                health: health.lane(number),
                suspects: Arc::clone(&suspects),
                hard: lifecycle.hard.clone(),
            };
            lifecycle.spawn(&lanes, "lane", lane.run());
        }
        Ok(Self {
            intake,
            letters,
            metrics,
            store: store_address,
            health,
            topology,
            lanes,
            stores,
            stop_store,
        })
    }

    /// Takes nothing more, delivers what was taken (or drops it at the hard stop), and ends the
    /// lanes.
    pub async fn finish(&self) {
        self.intake.close();
        self.lanes.close();
        self.lanes.wait().await;
        self.stop_store.cancel();
        self.stores.close();
        self.stores.wait().await;
    }

    /// Events that were given back to their sources, by all sources, but for those that another
    /// worker has by now.
    pub fn failed(&self) -> u64 {
        let failed: u64 =
            Source::ALL.iter().map(|&source| self.metrics.source(source).failed.get()).sum();
        failed.saturating_sub(self.metrics.kafka.handed_over.get())
    }
}

/// At each SIGHUP the dead-letter file is closed, so that the next letter opens what has its path
/// then.
async fn reopen_at_hangup(mut hangups: Signal, letters: DeadLetters) {
    while hangups.recv().await.is_some() {
        letters.reopen().await;
        tracing::info!(signal = "SIGHUP", "the next dead letter opens its file anew");
    }
}

/// `client` is the word of the metric, and the section of the configuration.
fn warn_unverified(client: &str, tls: Option<&config::Tls>, metrics: &Metrics) {
    let unverified = tls.is_some_and(|tls| tls.skip_verify);
    metrics.tls_verify_disabled(client).set(i64::from(unverified));
    if unverified {
        tracing::warn!(
            "TLS CERTIFICATES OF {} ARE NOT VERIFIED ({client}.tls.skip_verify): anyone in between \
             can read and change every \
             profile; set {client}.tls.ca_file instead",
            client.to_uppercase()
        );
    }
}

/// The worker: delivery, its sources and the admin listener.
pub struct App {
    delivery: Delivery,
    lifecycle: Lifecycle,
    readiness: Arc<Readiness>,
    sources: TaskTracker,
    stop_sources: CancellationToken,
    admin: TaskTracker,
    stop_admin: CancellationToken,
    stop_delay: Duration,
    /// Where the HTTP source listens.
    pub http: Option<SocketAddr>,
    /// Where the embedded store listens.
    pub store: Option<SocketAddr>,
    /// Where the admin listener listens.
    pub admin_address: SocketAddr,
}

impl App {
    /// Starts everything that `config` names.
    ///
    /// # Errors
    /// As [`Delivery::start`], and ports that are not to be had.
    pub async fn start(config: &Config, lifecycle: Lifecycle) -> Result<Self, StartError> {
        let readiness = Arc::new(Readiness::new([]));
        let descriptors = descriptors::raise();
        // Ports first: who starts the program twice should learn that before anything else happens.
        let http_listener = match &config.http {
            Some(http) => Some((http, bind("http.listen", http.listen).await?)),
            None => None,
        };
        let admin_listener = bind("admin.listen", config.admin.listen).await?;
        let delivery = Delivery::start(config, Arc::clone(&readiness), &lifecycle).await?;

        let (sources, stop_sources) = (TaskTracker::new(), CancellationToken::new());
        let mut http_address = None;
        if let Some((http, listener)) = http_listener {
            let intake = Arc::clone(&delivery.intake);
            let metrics = Arc::clone(&delivery.metrics);
            let source = HttpSource::new(http, &config.redis.prefix, intake, metrics);
            let limits = server::Limits {
                max_connections: http_connections(http, config.delivery.lanes, descriptors),
                header_timeout: http.header_timeout,
                idle_timeout: http.idle_timeout,
            };
            http_address = Some(listening("http", &listener));
            let serving = server::serve(
                listener,
                source.into_router(),
                limits,
                stop_sources.clone(),
                lifecycle.hard.clone(),
            );
            lifecycle.spawn(&sources, "http source", serving);
        }

        #[cfg(feature = "kafka")]
        if let Some(kafka) = &config.kafka {
            let parts = kafka::Parts {
                intake: Arc::clone(&delivery.intake),
                letters: delivery.letters.clone(),
                metrics: Arc::clone(&delivery.metrics),
                readiness: Arc::clone(&readiness),
                health: Arc::clone(&delivery.health),
                switches: delivery.topology.switches(),
            };
            let source = match KafkaSource::new(kafka, &config.breaker, &config.redis.prefix, parts)
            {
                Ok(source) => source,
                Err(error) => {
                    // What was started ends in order: a local Redis is a process of its own.
                    lifecycle.soft.cancel();
                    delivery.finish().await;
                    return Err(StartError::config(error));
                }
            };
            let consuming = consume(source, stop_sources.clone(), lifecycle.clone());
            lifecycle.spawn(&sources, "kafka source", consuming);
        }

        let (admin, stop_admin) = (TaskTracker::new(), CancellationToken::new());
        let admin_address = listening("admin", &admin_listener);
        let routes =
            Admin::new(Arc::clone(&delivery.metrics), Arc::clone(&readiness)).into_router();
        let serving = server::serve(
            admin_listener,
            routes,
            server::Limits::default(),
            stop_admin.clone(),
            stop_admin.clone(),
        );
        lifecycle.spawn(&admin, "admin listener", serving);

        let stop_delay = config.delivery.stop_delay;
        let (http, store) = (http_address, delivery.store);
        Ok(Self {
            delivery,
            lifecycle,
            readiness,
            sources,
            stop_sources,
            admin,
            stop_admin,
            stop_delay,
            http,
            store,
            admin_address,
        })
    }

    /// Waits for the stop, then stops in order: not ready, sources, lanes, admin. Returns the exit
    /// code.
    pub async fn run_until_stopped(self) -> ExitCode {
        self.lifecycle.soft.cancelled().await;
        self.readiness.waiting("process", "stopping");
        self.lifecycle.hard.run_until_cancelled(tokio::time::sleep(self.stop_delay)).await;
        let failed_before = self.delivery.failed();
        self.stop_sources.cancel();
        self.sources.close();
        self.sources.wait().await;
        self.delivery.finish().await;
        self.stop_admin.cancel();
        self.admin.close();
        self.admin.wait().await;
        self.lifecycle.exit_code(self.delivery.failed().saturating_sub(failed_before))
    }
}

/// Runs the Kafka source; when it ends by itself, says why, and the process stops.
#[cfg(feature = "kafka")]
async fn consume(source: KafkaSource, stop: CancellationToken, lifecycle: Lifecycle) {
    match source.run(stop, lifecycle.hard.clone()).await {
        kafka::Ended::Stopped => {}
        kafka::Ended::Breaker => {
            lifecycle.stop_with(Exit::DATA);
            tracing::error!(
                "too many events went into the dead letters (dead_letter.breaker); stopping before \
                 more of the topic does: look \
                 at their reasons, then start again, or raise the limits"
            );
        }
        kafka::Ended::Failed(reason) => tracing::error!("Kafka: {reason}"),
    }
}

/// As many connections as are wanted, or as there are descriptors for.
fn http_connections(http: &config::Http, lanes: usize, descriptors: u64) -> usize {
    let others =
        OTHER_DESCRIPTORS + server::Limits::default().max_connections + DESCRIPTORS_OF_LANE * lanes;
    let fit = descriptors::fit(http.max_connections, descriptors, others);
    if fit < http.max_connections {
        tracing::warn!(
            "the system grants {descriptors} descriptors, of which {others} are needed elsewhere: \
             only {fit} HTTP connections are \
             served at once, not {} (http.max_connections); raise the limit (ulimit -Hn, \
             LimitNOFILE=)",
            http.max_connections
        );
    }
    fit
}

/// Says where a listener listens: the port may have been chosen by the system.
fn listening(part: &'static str, listener: &TcpListener) -> SocketAddr {
    let address = listener.local_addr().expect("a bound listener has an address");
    tracing::info!(part, %address, "listening");
    address
}
