//! A replay that runs: what it writes to, its counts, its progress, and how it ended.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::StartError;
use crate::cli::{ReplayArgs, ReplayFormat};
use crate::commands::exit;
use crate::config::Config;
use crate::exit::Exit;
use crate::lifecycle::Lifecycle;
use crate::readiness::Readiness;
use crate::source::file::{
    LineFormat, PositionCounts, Replay, ReplayCounts, ReplayParts, Watermark,
};

use super::progress::Progress;
use super::summary;
use super::target::ReplayTarget;

/// The parts of a replay that all inputs share.
pub(super) struct ReplaySession {
    pub(super) lifecycle: Lifecycle,
    readiness: Arc<Readiness>,
    target: ReplayTarget,
    counts: Arc<ReplayCounts>,
    quiet: bool,
    dry_run: bool,
    /// Cancelled when reading has ended.
    pub(super) running: CancellationToken,
}

/// How a replay ended.
pub(super) struct EndedReplay {
    read: Result<(), StartError>,
    unsettled: bool,
    dead_lettered: bool,
}

impl ReplaySession {
    /// Starts what the replay writes to; `before` are the events of an earlier replay.
    ///
    /// # Errors
    /// As [`crate::app::Delivery::start`].
    pub(super) async fn start(
        config: &Config,
        args: &ReplayArgs,
        quiet: bool,
        before: PositionCounts,
    ) -> Result<Self, StartError> {
        let lifecycle = Lifecycle::default();
        lifecycle.listen(config.delivery.stop_grace)?;
        let readiness = Arc::new(Readiness::new([]));
        let dry_run = args.dry_run;
        let target =
            ReplayTarget::start(dry_run, config, Arc::clone(&readiness), &lifecycle).await?;
        let counts = Arc::new(ReplayCounts::after(before));
        let running = CancellationToken::new();
        Ok(Self { lifecycle, readiness, target, counts, quiet, dry_run, running })
    }

    /// The reader of events.
    pub(super) fn replay(
        &self,
        config: &Config,
        args: &ReplayArgs,
        watermark: Arc<Watermark>,
    ) -> Replay {
        let (intake, letters, metrics) = self.target.parts();
        Replay::new(ReplayParts {
            intake,
            letters,
            metrics,
            prefix: config.redis.prefix_rule.clone(),
            format: line_format(args.format),
            rate: args.rate.filter(|_| !self.dry_run),
            stop: self.lifecycle.soft.clone(),
            counts: Arc::clone(&self.counts),
            watermark,
        })
    }

    /// The progress of reading `total` `unit`s, of which `read` are read.
    pub(super) fn progress(
        &self,
        args: &ReplayArgs,
        read: Arc<AtomicU64>,
        total: Option<u64>,
        unit: &'static str,
    ) -> Arc<Progress> {
        let (counts, readiness) = (Arc::clone(&self.counts), Arc::clone(&self.readiness));
        Progress::new(args.progress, self.quiet, (read, total, unit), counts, readiness)
    }

    /// Waits until `reading` has ended, or the hard stop, delivers what was taken, and says what
    /// became of it.
    pub(super) async fn run(
        &self,
        reading: JoinHandle<Result<(), String>>,
        progress: Arc<Progress>,
    ) -> EndedReplay {
        let shown = tokio::spawn(Arc::clone(&progress).show(self.running.clone()));
        // A blocked read of standard input must not hold up the hard stop.
        let read = self.lifecycle.hard.run_until_cancelled(reading).await;
        self.running.cancel();
        let _ = tokio::time::timeout(Progress::END, shown).await;
        let stopped = self.lifecycle.soft.is_cancelled();
        self.lifecycle.soft.cancel();
        self.target.finish().await;
        if !self.quiet {
            exit::complain(&summary::line(&self.counts, progress.elapsed(), self.dry_run));
        }
        if self.dry_run {
            exit::print(&summary::json(&self.counts));
        }
        let unsettled = read.is_none() || stopped || self.counts.failed.load(Relaxed) > 0;
        let read = match read {
            Some(Err(panic)) => Err(StartError {
                message: format!("reading ended early: {panic}"),
                code: Exit::INTERNAL,
            }),
            Some(Ok(Err(message))) => Err(StartError { message, code: Exit::IO }),
            Some(Ok(Ok(()))) | None => Ok(()),
        };
        let dead_lettered = self.counts.total().dead_lettered > 0;
        EndedReplay { read, unsettled, dead_lettered }
    }
}

impl EndedReplay {
    /// Everything was read and settled.
    pub(super) fn is_complete(&self) -> bool {
        self.read.is_ok() && !self.unsettled
    }

    /// The exit code.
    ///
    /// # Errors
    /// Reading failed.
    pub(super) fn exit_code(self) -> Result<ExitCode, StartError> {
        self.read?;
        if self.unsettled {
            exit::complain(
                "traitsink: not all events were written: replay the files again, what was written \
                 may be written twice; with --resume a replay of files goes on where it was ended",
            );
            return Ok(Exit::UNSETTLED.into());
        }
        Ok(if self.dead_lettered { Exit::DATA.into() } else { ExitCode::SUCCESS })
    }
}

fn line_format(typed: ReplayFormat) -> LineFormat {
    match typed {
        ReplayFormat::Auto => LineFormat::Auto,
        ReplayFormat::Events => LineFormat::Events,
        ReplayFormat::DeadLetters => LineFormat::DeadLetters,
        ReplayFormat::Archive => LineFormat::Archive,
    }
}
