//! The deletion of users: the API, the work on what it accepts, and how keys are deleted.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{self, Config};
use crate::deletion::{
    ApiLimits, ApiToken, Deleted, DeletionTime, KeyDeleter, KeyScope, NotDeleted, RegulationApi,
    Runner, RunnerParts,
};
use crate::event::{Action, Update};
use crate::lifecycle::Lifecycle;
use crate::metrics::Metrics;
use crate::pipeline::{DeletedKeys, Intake, delete_keys};
use crate::server;

use super::delivery::Delivery;
use super::kept_deletions::{KeptDeletions, io};
use super::start_error::StartError;
use super::user_keys::{configured_keys, keys_in};

/// The limits of a body where there is no HTTP source: the defaults of `http.max_body` and
/// `http.body_timeout`.
const MAX_BODY: usize = 8 << 20;
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The API, and the work on what it accepts.
pub(super) struct UserDeletion {
    tasks: TaskTracker,
    stop: CancellationToken,
    token: Option<ApiToken>,
}

impl UserDeletion {
    /// Goes on with deletions that a former process left, and opens the API on `listener`.
    ///
    /// # Errors
    /// The state on disk cannot be read.
    pub(super) fn start(
        config: &Config,
        deletion: &config::Deletion,
        (listener, delivery, kept): (Option<TcpListener>, &Delivery, &KeptDeletions),
        lifecycle: &Lifecycle,
    ) -> Result<Self, StartError> {
        let parts = RunnerParts {
            store: kept.store.clone(),
            sync: Arc::clone(&kept.sync),
            seen: Arc::clone(&kept.seen),
            letters: delivery.letters.clone(),
            metrics: Arc::clone(&delivery.metrics),
            deleter: LaneDeleter {
                intake: Arc::clone(&delivery.intake),
                metrics: Arc::clone(&delivery.metrics),
                is_guarded: config.profile.is_guarded(),
            },
            keys: configured_keys(config),
        };
        let (runner, regulations) = Runner::new(parts).map_err(io)?;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let running = stop.clone();
        lifecycle.spawn(&tasks, "deletions", async move {
            running.run_until_cancelled_owned(runner.run()).await;
        });
        let mut token = None;
        if let (Some(api), Some(listener)) = (&deletion.api, listener) {
            let http = config.http.as_ref();
            let api_token = ApiToken::new(&api.token);
            let limits = ApiLimits {
                max_body: http.map_or(MAX_BODY, |http| http.max_body),
                body_timeout: http.map_or(BODY_TIMEOUT, |http| http.body_timeout),
                max_key: config.rules.limits.max_key,
            };
            let routes = RegulationApi::new(api_token.clone(), limits, regulations).into_router();
            let limits = server::ListenerLimits::default();
            let (soft, hard) = (stop.clone(), lifecycle.hard.clone());
            let serving = server::serve(listener, routes, limits, soft, hard);
            lifecycle.spawn(&tasks, "deletion API", serving);
            token = Some(api_token);
        }
        Ok(Self { tasks, stop, token })
    }

    /// What opens the API, which may be replaced.
    pub(super) fn token(&self) -> Option<ApiToken> {
        self.token.clone()
    }

    /// Takes no more requests; what is not done goes on in the next process.
    pub(super) async fn finish(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Deletes keys through their lanes.
struct LaneDeleter {
    intake: Arc<Intake>,
    metrics: Arc<Metrics>,
    is_guarded: bool,
}

impl KeyDeleter for LaneDeleter {
    fn keys_of(&self, user: &str, scope: &KeyScope) -> Vec<Vec<u8>> {
        keys_in(scope, self.intake.rules(), user)
    }

    async fn delete(&self, keys: Vec<Vec<u8>>, at: DeletionTime) -> Result<Deleted, NotDeleted> {
        let (action, time) = match at {
            DeletionTime::Everything { now } => (Action::Erase, now),
            DeletionTime::At(time) => (Action::Delete, time),
        };
        let update = |key: &Vec<u8>| {
            let (fields, removed) = (std::iter::empty(), std::iter::empty());
            let update = Update::pack(key, fields, removed, None).doing(action);
            if self.is_guarded { update.guarded(time) } else { update }
        };
        let updates = keys.iter().map(update).collect();
        match delete_keys(&self.intake, &self.metrics, updates).await {
            DeletedKeys { failed: 0, deleted, wrong_type, refused } => {
                Ok(Deleted { keys: deleted, wrong_type, refused })
            }
            _ => Err(NotDeleted { why: "Redis takes no deletions now (see /ready)".to_owned() }),
        }
    }
}
