//! The `--connect` part of `check`: reaching everything that the configuration will use.

use std::process::ExitCode;

use crate::cli::Options;
use crate::config::Config;

use super::exit;

/// Reaches Redis as `config` says.
pub(super) fn connect(_options: &Options, _config: &Config) -> ExitCode {
    exit::complain("traitsink: check --connect is not available in this build yet");
    exit::UNAVAILABLE.into()
}
