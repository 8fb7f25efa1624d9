//! The configuration is read again while the worker runs: all of it is taken over, or nothing.

mod file_watch;
mod source;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::time::timeout;

use crate::config::{ChangedKey, EffectiveKeys, Loaded};
use crate::deletion::ApiToken;
use crate::logging;
use crate::metrics::Metrics;
use crate::redis::Route;
use crate::source::http::LiveKeys;
use crate::status::Status;

use super::faults::faults;
use super::service::Service;
use file_watch::FileWatch;
pub use source::ConfigSource;

/// How long reading the configuration may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Names of keys that one log line holds, at most.
const MOST_KEYS: usize = 10;

/// The parts of the worker that take over a new configuration.
pub(super) struct ReloadableParts {
    /// `None`: the HTTP source is off.
    pub(super) write_keys: Option<LiveKeys>,
    /// `None`: there is no API that deletes users.
    pub(super) deletion_token: Option<ApiToken>,
    /// `None`: Redis is a server of the worker's own, whose password nobody sets.
    pub(super) route: Option<Route>,
    /// Shows the configuration in use.
    pub(super) status: Arc<Status>,
}

impl ReloadableParts {
    /// Cannot fail: what could go wrong was tried before.
    async fn apply(&self, loaded: &Loaded) {
        let config = &loaded.config;
        if let (Some(keys), Some(http)) = (&self.write_keys, &config.http) {
            keys.replace(&http.write_keys, &config.redis.prefix_rule);
        }
        let api = config.deletion.as_ref().and_then(|deletion| deletion.api.as_ref());
        if let (Some(token), Some(api)) = (&self.deletion_token, api) {
            token.replace(&api.token);
        }
        if let Some(route) = self.route.clone() {
            let redis = config.redis.clone();
            tokio::task::spawn_blocking(move || route.reload(&redis))
                .await
                .expect("reading PEM does not panic");
        }
        logging::set_level(config.log.level);
        self.status.show_config(loaded.to_toml());
    }
}

/// Takes over new configurations.
pub(super) struct Reloading {
    source: Arc<ConfigSource>,
    parts: ReloadableParts,
    metrics: Arc<Metrics>,
    service: Service,
    /// The configuration in use.
    keys: EffectiveKeys,
    /// `None`: `reload.watch` is off.
    watch: Option<FileWatch>,
}

impl Reloading {
    /// `running` is the configuration in use.
    pub(super) fn new(
        running: &Loaded,
        source: ConfigSource,
        parts: ReloadableParts,
        metrics: Arc<Metrics>,
        service: Service,
    ) -> Self {
        let watch = running.config.reload.watch.then(|| FileWatch::new(files(&source, running)));
        let source = Arc::new(source);
        Self { source, parts, metrics, service, keys: running.keys(), watch }
    }

    /// Reads the configuration again at each of `hangups`, and when a watched file changed.
    pub(super) async fn run(mut self, mut hangups: Signal) {
        loop {
            tokio::select! {
                hangup = hangups.recv() => {
                    if hangup.is_none() {
                        return;
                    }
                }
                () = changed(&mut self.watch) => {}
            }
            self.service.reloading();
            // Before they are read: what changes meanwhile is noticed the next time.
            if let Some(watch) = &mut self.watch {
                watch.note().await;
            }
            match self.reload().await {
                Ok(changes) => {
                    let keys = named(&changes);
                    tracing::info!(keys, "the configuration was read again and is in use");
                    self.metrics.reload.applied();
                }
                Err(reasons) => {
                    let reasons = some_of(&reasons, "; ");
                    tracing::error!(
                        reasons,
                        "the configuration was read again and is refused; nothing changed, the \
                         former one stays in use"
                    );
                    self.metrics.reload.refused();
                }
            }
            self.service.reloaded();
        }
    }

    /// The keys that changed, or why nothing did, one line each.
    async fn reload(&mut self) -> Result<Vec<ChangedKey>, Vec<String>> {
        let source = Arc::clone(&self.source);
        let reading = tokio::task::spawn_blocking(move || {
            source.read().map(|loaded| (loaded.keys(), files(&source, &loaded), loaded))
        });
        // A thread that waits for the other end of a pipe is left behind.
        let read = timeout(PATIENCE, reading).await.map_err(|_| {
            vec![format!("reading took longer than {PATIENCE:?}: is one of the files a pipe?")]
        })?;
        let (keys, files, loaded) = read.expect("reading files does not panic")?;
        let changes = self.keys.changes(&keys);
        let fixed: Vec<String> = changes.iter().filter_map(fixed).collect();
        if !fixed.is_empty() {
            return Err(fixed);
        }
        let faults = faults(&loaded).await;
        if !faults.is_empty() {
            return Err(faults);
        }
        self.parts.apply(&loaded).await;
        loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        self.keys = keys;
        if let Some(watch) = &mut self.watch {
            watch.watch(files);
        }
        Ok(changes)
    }
}

/// Waits for a change of the watched files; for ever where none are watched.
async fn changed(watch: &mut Option<FileWatch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}

/// The files of the configuration, and those that its keys name.
fn files(source: &ConfigSource, loaded: &Loaded) -> Vec<PathBuf> {
    let named = loaded.files().into_iter().map(|(_, file)| file);
    source.files().iter().cloned().chain(named).collect()
}

/// Why `change` is refused, if so.
fn fixed(change: &ChangedKey) -> Option<String> {
    let ChangedKey { key, only_content } = change;
    let what = match only_content {
        true if key.ends_with("_file") => "the content of its file changed",
        _ => "changed",
    };
    (!change.is_reloadable())
        .then(|| format!("{key}: {what}, which needs a restart: restart the worker, or undo it"))
}

fn named(changes: &[ChangedKey]) -> String {
    if changes.is_empty() {
        return "none".to_owned();
    }
    let keys: Vec<String> = changes.iter().map(|change| change.key.clone()).collect();
    some_of(&keys, ", ")
}

fn some_of(texts: &[String], between: &str) -> String {
    let more = texts.len().saturating_sub(MOST_KEYS);
    let shown = texts[..texts.len() - more].join(between);
    if more == 0 { shown } else { format!("{shown}{between}and {more} more") }
}
