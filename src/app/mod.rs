//! Starts everything, in reading order: ports, dead letters, Redis, lanes, sources, admin. Stops in
//! this order: not ready, sources, lanes, admin.

mod certificates;
mod deletion;
mod delivery;
mod dry_run;
mod faults;
mod kept_deletions;
mod reload;
mod service;
mod start_error;
mod user_keys;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::Signal;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::{Admin, ProfileLookup};
use crate::config::{self, Loaded};
#[cfg(feature = "kafka")]
use crate::exit::Exit;
use crate::lifecycle::Lifecycle;
use crate::readiness::Readiness;
use crate::server::{self, descriptors};
use crate::source::http::{HttpSource, LiveKeys};
#[cfg(feature = "kafka")]
use crate::source::kafka::{self, KafkaSource};
use crate::status::{Status, StatusParts};
use crate::systemd::ServiceManager;

use deletion::UserDeletion;
pub use delivery::{Delivery, forms};
pub use dry_run::DryDelivery;
pub use faults::faults;
pub use reload::ConfigSource;
use reload::{ReloadableParts, Reloading};
use service::Service;
pub use start_error::{StartError, bind};

/// Descriptors for files, pipes, Kafka's client and the clients of the embedded store.
const OTHER_DESCRIPTORS: usize = 128;
/// Descriptors for the connections of a lane: to its server, to a new one, and to those that know
/// which server that is.
const DESCRIPTORS_OF_LANE: usize = 4;
/// How long the end of the process waits for clients of the admin listener that do not read.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// The worker: delivery, its sources and the admin listener.
pub struct App {
    delivery: Delivery,
    lifecycle: Lifecycle,
    readiness: Arc<Readiness>,
    sources: TaskTracker,
    stop_sources: CancellationToken,
    admin: TaskTracker,
    stop_admin: CancellationToken,
    drop_admin: CancellationToken,
    stop_delay: Duration,
    write_keys: Option<LiveKeys>,
    deletion: Option<UserDeletion>,
    status: Arc<Status>,
    service: Option<Service>,
    /// Where the HTTP source listens.
    pub http: Option<SocketAddr>,
    /// Where the embedded store listens.
    pub store: Option<SocketAddr>,
    /// Where the admin listener listens.
    pub admin_address: SocketAddr,
}

impl App {
    /// Starts everything that the configuration names.
    ///
    /// # Errors
    /// As [`Delivery::start`], and addresses that cannot be bound.
    pub async fn start(loaded: &Loaded, lifecycle: Lifecycle) -> Result<Self, StartError> {
        let config = &loaded.config;
        let readiness = Arc::new(Readiness::new([]));
        let descriptors = descriptors::raise();
        // Ports first: a second start of the program fails before anything else happens.
        let http_listener = match &config.http {
            Some(http) => Some((http, bind("http.listen", http.listen).await?)),
            None => None,
        };
        let admin_listener = bind("admin.listen", config.admin.listen).await?;
        let api = config.deletion.as_ref().and_then(|deletion| deletion.api.as_ref());
        let deletion_listener = match api {
            Some(api) => Some(bind("deletion.listen", api.listen).await?),
            None => None,
        };
        let delivery = Delivery::start(config, Arc::clone(&readiness), &lifecycle, true).await?;
        let deletion = match (&config.deletion, delivery.kept_deletions()) {
            (Some(settings), Some(kept)) => {
                let listener = deletion_listener;
                listener.iter().for_each(|listener| _ = listening("deletion", listener));
                let parts = (listener, &delivery, kept);
                Some(UserDeletion::start(config, settings, parts, &lifecycle)?)
            }
            _ => None,
        };

        let (sources, stop_sources) = (TaskTracker::new(), CancellationToken::new());
        certificates::watch(config, delivery.route.clone(), Arc::clone(&delivery.metrics));
        let (mut http_address, mut write_keys) = (None, None);
        if let Some((http, listener)) = http_listener {
            let intake = Arc::clone(&delivery.intake);
            let metrics = Arc::clone(&delivery.metrics);
            let source = HttpSource::new(http, &config.redis.prefix_rule, intake, metrics);
            let limits = server::ListenerLimits {
                max_connections: http_connections(http, config.delivery.lanes, descriptors),
                header_timeout: http.header_timeout,
                idle_timeout: http.idle_timeout,
            };
            http_address = Some(listening("http", &listener));
            write_keys = Some(source.keys());
            let serving = server::serve(
                listener,
                source.into_routes(),
                limits,
                stop_sources.clone(),
                lifecycle.hard.clone(),
            );
            lifecycle.spawn(&sources, "http source", serving);
        }

        #[cfg(feature = "kafka")]
        if let Some(kafka) = &config.kafka {
            let parts = kafka::KafkaSourceParts {
                intake: Arc::clone(&delivery.intake),
                letters: delivery.letters.clone(),
                metrics: Arc::clone(&delivery.metrics),
                readiness: Arc::clone(&readiness),
                health: Arc::clone(&delivery.health),
                loss_epochs: delivery.route.loss_epochs(),
            };
            let prefix = &config.redis.prefix_rule;
            let source = match KafkaSource::new(kafka, &config.breaker, prefix, parts) {
                Ok(source) => source,
                Err(error) => {
                    // The parts that were started end in order: a local Redis is a process of its
                    // own.
                    lifecycle.soft.cancel();
                    delivery.finish().await;
                    return Err(StartError::config(error));
                }
            };
            let consuming = consume(source, stop_sources.clone(), lifecycle.clone());
            lifecycle.spawn(&sources, "kafka source", consuming);
        }

        let (admin, stop_admin) = (TaskTracker::new(), CancellationToken::new());
        let drop_admin = CancellationToken::new();
        let admin_address = listening("admin", &admin_listener);
        let parts = StatusParts {
            metrics: Arc::clone(&delivery.metrics),
            readiness: Arc::clone(&readiness),
            health: Arc::clone(&delivery.health),
            intake: Arc::clone(&delivery.intake),
        };
        let status = Arc::new(Status::new(loaded, parts));
        let lookup = ProfileLookup::new(config, delivery.route.clone());
        let mut routes = Admin::new(Arc::clone(&delivery.metrics), Arc::clone(&readiness))
            .with_api(Arc::clone(&status), Arc::clone(&delivery.tap), lookup);
        if admin_address.ip().to_canonical().is_loopback() {
            routes = routes.for_this_machine();
        }
        let (stop, kept) = (stop_admin.clone(), Arc::clone(&status));
        lifecycle.spawn(&admin, "history of the status page", async move {
            stop.run_until_cancelled(kept.keep_history()).await;
        });
        let serving = server::serve(
            admin_listener,
            routes.into_router(),
            server::ListenerLimits::default(),
            stop_admin.clone(),
            drop_admin.clone(),
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
            drop_admin,
            stop_delay,
            write_keys,
            deletion,
            status,
            service: None,
            http,
            store,
            admin_address,
        })
    }

    /// The worker is a service from now on: its `manager` is told what it does, and at each of
    /// `hangups` the configuration is read again from `source`. `running` is what the worker was
    /// started with.
    pub fn serve(
        self,
        running: &Loaded,
        source: ConfigSource,
        hangups: Signal,
        manager: ServiceManager,
    ) -> Self {
        let own_server = running.config.redis.mode.own_server().is_some();
        let parts = ReloadableParts {
            write_keys: self.write_keys.clone(),
            deletion_token: self.deletion.as_ref().and_then(UserDeletion::token),
            route: (!own_server).then(|| self.delivery.route.clone()),
            status: Arc::clone(&self.status),
        };
        let service = Service::new(manager, Arc::clone(&self.readiness));
        let metrics = Arc::clone(&self.delivery.metrics);
        let reloading = Reloading::new(running, source, parts, metrics, service.clone());
        let reloading = reloading.run(hangups);
        let stop = self.lifecycle.soft.clone();
        tokio::spawn(async move { stop.run_until_cancelled(reloading).await });
        service.start(self.admin_address, &self.lifecycle.soft);
        Self { service: Some(service), ..self }
    }

    /// Waits for the stop, then stops in order: not ready, sources, lanes, admin. Returns the exit
    /// code.
    pub async fn run_until_stopped(self) -> ExitCode {
        self.lifecycle.soft.cancelled().await;
        self.service.iter().for_each(Service::stopping);
        self.readiness.waiting("process", "stopping");
        self.lifecycle.hard.run_until_cancelled(tokio::time::sleep(self.stop_delay)).await;
        let failed_before = self.delivery.failed();
        self.stop_sources.cancel();
        self.sources.close();
        self.sources.wait().await;
        if let Some(deletion) = &self.deletion {
            deletion.finish().await;
        }
        self.delivery.finish().await;
        self.stop_admin.cancel();
        self.admin.close();
        let answered = tokio::time::timeout(LAST_ANSWERS, self.admin.wait());
        if !matches!(self.lifecycle.hard.run_until_cancelled(answered).await, Some(Ok(()))) {
            self.drop_admin.cancel();
            self.admin.wait().await;
        }
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
                 more of the topic does: look at their reasons, then start again, or raise the \
                 limits"
            );
        }
        kafka::Ended::Failed(reason) => tracing::error!("Kafka: {reason}"),
    }
}

/// The number of HTTP connections served at once: as many as are wanted, or as there are
/// descriptors for.
fn http_connections(http: &config::Http, lanes: usize, descriptors: u64) -> usize {
    let others = OTHER_DESCRIPTORS
        + server::ListenerLimits::default().max_connections
        + DESCRIPTORS_OF_LANE * lanes;
    let fit = descriptors::fit(http.max_connections, descriptors, others);
    if fit < http.max_connections {
        tracing::warn!(
            "the system grants {descriptors} descriptors, of which {others} are needed elsewhere: \
             only {fit} HTTP connections are served at once, not {} (http.max_connections); raise \
             the limit (ulimit -Hn, LimitNOFILE=)",
            http.max_connections
        );
    }
    fit
}

/// Logs and returns where a listener listens: the system may have chosen the port.
fn listening(part: &'static str, listener: &TcpListener) -> SocketAddr {
    let address = listener.local_addr().expect("a bound listener has an address");
    tracing::info!(part, %address, "listening");
    address
}
