//! `demo`: everything inside one process, with three example users.

use std::process::ExitCode;

use crate::cli::Options;
use crate::config::ConfigArgs;
use crate::logging;

use super::exit;

/// The demo's own defaults; files, variables and flags go over them.
const PRESET: &str = r#"
[http]
write_keys = ["demo"]
[[http.sources]]
name = "rudderstack"
write_key = "demo-rudderstack"
prefix = "rudderstack"
[redis]
mode = "embedded"
"#;

/// Stays up until ctrl-C, or exits after the examples with `once`.
pub(super) fn demo(options: &Options, _once: bool) -> ExitCode {
    let args = ConfigArgs { preset: Some(("demo", PRESET)), ..options.config_args() };
    let loaded = match exit::configured(&args) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    logging::init(&loaded.config.log);
    exit::complain("traitsink: demo is not available in this build yet");
    exit::UNAVAILABLE.into()
}
