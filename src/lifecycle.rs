//! Stopping: soft (finish what was taken), hard (drop it), and tasks that end too early.

use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::exit::Exit;
use crate::lock::lock;

/// The two stops, and which task ended too early.
#[derive(Clone, Default)]
pub struct Lifecycle {
    /// The soft stop: take no more, finish what was taken.
    pub soft: CancellationToken,
    /// The hard stop: drop everything.
    pub hard: CancellationToken,
    crashed: Arc<Mutex<Option<&'static str>>>,
    asked: Arc<Mutex<Option<Exit>>>,
}

impl Lifecycle {
    /// Runs `task` on `tracker`; when it ends before the soft stop, the process stops and exits
    /// non-zero with its name.
    pub fn spawn(
        &self,
        tracker: &TaskTracker,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let this = self.clone();
        tracker.spawn(async move {
            /// Dropped when the task ends, also by a panic.
            struct EndGuard(Lifecycle, &'static str);
            impl Drop for EndGuard {
                fn drop(&mut self) {
                    if !self.0.soft.is_cancelled() {
                        lock(&self.0.crashed).get_or_insert(self.1);
                        self.0.soft.cancel();
                        tracing::error!(task = self.1, "a task ended early; stopping");
                    }
                }
            }
            let _ended = EndGuard(this, name);
            task.await;
        });
    }

    /// Soft stop with an exit code of its own; the first one counts.
    pub fn stop_with(&self, exit: Exit) {
        lock(&self.asked).get_or_insert(exit);
        self.soft.cancel();
    }

    /// The exit code of the process once it has stopped with `unsettled` events.
    pub fn exit_code(&self, unsettled: u64) -> ExitCode {
        let asked = *lock(&self.asked);
        match (self.crashed(), asked, unsettled) {
            (Some(task), ..) => {
                tracing::error!(task, unsettled, "stopped because a task ended early");
                Exit::INTERNAL.into()
            }
            (None, Some(exit), _) => exit.into(),
            (None, None, 0) => ExitCode::SUCCESS,
            (None, None, _) => {
                tracing::error!(
                    unsettled,
                    "stopped with unsettled events; their senders know of that and still own them"
                );
                Exit::UNSETTLED.into()
            }
        }
    }

    /// The first task that ended early.
    pub fn crashed(&self) -> Option<&'static str> {
        *lock(&self.crashed)
    }

    /// Begins to listen for signals. SIGTERM or SIGINT: soft stop; a second one, or `grace` after
    /// the first stop however it came: hard stop. From now on SIGHUP and SIGXFSZ do not end the
    /// process; [`hangups`] yields the former.
    ///
    /// # Errors
    /// The signals cannot be listened to.
    pub fn listen(&self, grace: Duration) -> std::io::Result<()> {
        let mut signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let _from_now_on = hangups()?;
        // A limit on file sizes (`ulimit -f`) is then an error of the write that exceeds it.
        let _from_now_on = signal(SignalKind::from_raw(libc::SIGXFSZ))?;
        let this = self.clone();
        tokio::spawn(async move {
            let first = this.soft.run_until_cancelled(next(&mut signals)).await;
            this.soft.cancel();
            if let Some(name) = first {
                tracing::info!(
                    signal = name,
                    "stopping: finishing what was taken; a second signal stops at once"
                );
            }
            let second = tokio::time::timeout(grace, next(&mut signals)).await;
            this.hard.cancel();
            match second {
                Ok(name) => tracing::warn!(signal = name, "stopping at once"),
                Err(_) => {
                    tracing::warn!(?grace, "delivery.stop_grace has passed; stopping at once")
                }
            }
        });
        Ok(())
    }
}

/// Each SIGHUP from now on. The process survives them, also when this is dropped.
///
/// # Errors
/// The signal cannot be listened to.
pub fn hangups() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}

async fn next((terminate, interrupt): &mut (Signal, Signal)) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
