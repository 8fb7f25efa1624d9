//! `run`: the worker.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::Options;
use crate::config::ConfigArgs;
use crate::logging;

use super::exit;

/// Runs until a signal asks it to stop.
pub(super) fn run(options: &Options, rudderstack: Option<PathBuf>) -> ExitCode {
    let args = ConfigArgs { rudderstack, ..options.config_args() };
    let loaded = match exit::configured(&args) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    if loaded.config.http.is_none() {
        exit::complain("traitsink: there is no source: add [http] to the configuration");
        return exit::CONFIG.into();
    }
    logging::init(&loaded.config.log);
    loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    exit::complain("traitsink: run is not available in this build yet");
    exit::UNAVAILABLE.into()
}
