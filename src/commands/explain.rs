//! `explain`: what events would become.

use std::process::ExitCode;

use crate::cli::Options;
use crate::config::ConfigArgs;

use super::exit;

/// Explains the events on standard input, one line each.
pub(super) fn explain(options: &Options, prefix: Option<String>) -> ExitCode {
    let mut args: ConfigArgs = options.config_args();
    args.flags.extend(prefix.map(|prefix| ("--prefix", "redis.prefix", prefix)));
    match exit::configured(&args) {
        Ok(_loaded) => {
            exit::complain("traitsink: explain is not available in this build yet");
            exit::UNAVAILABLE.into()
        }
        Err(code) => code,
    }
}
