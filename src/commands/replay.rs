//! `replay`: files through the pipeline.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::Options;
use crate::logging;

use super::exit;

/// Sends `files` through to Redis in their order.
pub(super) fn replay(options: &Options, _files: &[PathBuf]) -> ExitCode {
    let loaded = match exit::configured(&options.config_args()) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    logging::init(&loaded.config.log);
    exit::complain("traitsink: replay is not available in this build yet");
    exit::UNAVAILABLE.into()
}
