//! `check --live`: does a running worker make progress?

use std::process::ExitCode;

use crate::exit::Exit;
use crate::live::AdminUrl;

use super::exit;

/// Reads no configuration: a broken one says nothing about a worker that runs.
pub(super) fn live(url: &str) -> ExitCode {
    let admin = match AdminUrl::parse(url) {
        Ok(admin) => admin,
        Err(why) => {
            exit::complain(&format!("traitsink: --live: the URL {why}"));
            return Exit::USAGE.into();
        }
    };
    exit::in_runtime(async {
        Ok(match admin.live().await {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                exit::complain(&format!("traitsink: the worker is not live: {why}"));
                Exit::UNAVAILABLE.into()
            }
        })
    })
}
