//! `run`: the worker.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::app::App;
use crate::cli::Options;
use crate::config::ConfigArgs;
use crate::exit::Exit;
use crate::import::rudderstack_layer;
use crate::lifecycle::Lifecycle;
use crate::logging;

#[cfg(feature = "mimalloc")]
use super::allocator;
use super::exit;

/// Runs until a signal asks it to stop.
pub(super) fn run(options: &Options, rudderstack: Option<PathBuf>) -> ExitCode {
    let settings = rudderstack.as_deref().map(rudderstack_layer);
    let args = ConfigArgs { settings, ..options.config_args() };
    let loaded = match exit::configured(&args) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    if loaded.config.http.is_none() && loaded.config.kafka.is_none() {
        exit::complain("traitsink: there is no source: add [http] or [kafka] to the configuration");
        return Exit::CONFIG.into();
    }
    #[cfg(feature = "mimalloc")]
    // A file that can be read only once, such as a pipe, would be empty after a second start.
    if loaded.config.http.is_some()
        && args.files.iter().chain(&rudderstack).all(|file| file.is_file())
    {
        allocator::give_back_at_once();
    }
    let _logging = logging::init(&loaded.config.log);
    loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    exit::in_runtime(async {
        let lifecycle = Lifecycle::default();
        lifecycle.listen(loaded.config.delivery.stop_grace)?;
        Ok(App::start(&loaded, lifecycle).await?.run_until_stopped().await)
    })
}
