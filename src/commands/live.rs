//! `check --live`: does a running worker make progress?

use std::process::ExitCode;

use crate::exit::Exit;
use crate::worker_client::WorkerClient;

use super::exit;

/// Reads no configuration: a broken one says nothing about a worker that runs.
pub(super) fn live(url: &str) -> ExitCode {
    let worker = match WorkerClient::at(url) {
        Ok(worker) => worker,
        Err(why) => {
            exit::complain(&format!("traitsink: --live: {why}"));
            return Exit::USAGE.into();
        }
    };
    exit::in_runtime(async {
        Ok(match worker.live().await {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                exit::complain(&format!("traitsink: the worker is not live: {why}"));
                Exit::UNAVAILABLE.into()
            }
        })
    })
}
