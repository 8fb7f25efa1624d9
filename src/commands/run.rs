//! `run`: the worker.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::app::{App, ConfigSource};
use crate::cli::Options;
use crate::config::ConfigArgs;
use crate::exit::Exit;
use crate::import::rudderstack_layer;
use crate::lifecycle::{self, Lifecycle};
use crate::logging;
use crate::systemd::ServiceManager;
use crate::trace;

#[cfg(feature = "mimalloc")]
use super::allocator;
use super::exit;

/// Runs until a signal asks it to stop.
pub(super) fn run(options: &Options, rudderstack: Option<PathBuf>) -> ExitCode {
    let files: Vec<PathBuf> =
        options.config_args().files.into_iter().chain(rudderstack.clone()).collect();
    let options = options.clone();
    let args = move || {
        let settings = rudderstack.as_deref().map(rudderstack_layer);
        ConfigArgs { settings, ..options.config_args() }
    };
    let loaded = match exit::configured(&args()) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    if loaded.config.http.is_none() && loaded.config.kafka.is_none() {
        exit::complain("traitsink: there is no source: add [http] or [kafka] to the configuration");
        return Exit::CONFIG.into();
    }
    #[cfg(feature = "mimalloc")]
    // A file that can be read only once, such as a pipe, would be empty after a second start.
    if loaded.config.http.is_some() && files.iter().all(|file| file.is_file()) {
        allocator::give_back_at_once();
    }
    let _logging = logging::init(&loaded.config.log);
    loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    exit::in_runtime(async {
        let lifecycle = Lifecycle::default();
        lifecycle.listen(loaded.config.delivery.stop_grace)?;
        let (spans, hard) = (trace::start(), lifecycle.hard.clone());
        // Also a signal that comes while the worker starts is not lost.
        let hangups = lifecycle::hangups()?;
        let app = App::start(&loaded, lifecycle).await?;
        let source = ConfigSource::new(files, args);
        let manager = ServiceManager::from_env();
        let code = app.serve(&loaded, source, hangups, manager).run_until_stopped().await;
        hard.run_until_cancelled(spans.finish()).await;
        Ok(code)
    })
}
