//! `replay`: files of one event a line, through the real pipeline.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use crate::app::{Delivery, StartError};
use crate::cli::Options;
use crate::config::Config;
use crate::exit::Exit;
use crate::lifecycle::Lifecycle;
use crate::logging;
use crate::readiness::Readiness;
use crate::source::file::{self, Replay, ReplayCounts};

use super::exit;

/// How often the progress line is renewed on a terminal, and elsewhere.
const REDRAW: Duration = Duration::from_millis(100);
const REPORT: Duration = Duration::from_secs(10);

/// Sends `files` through to Redis, one after the other; `-` is standard input.
pub(super) fn replay(options: &Options, files: Vec<PathBuf>) -> ExitCode {
    let loaded = match exit::configured(&options.config_args()) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let _logging = logging::init(&loaded.config.log);
    exit::in_runtime(deliver(loaded.config, files, options.quiet()))
}

async fn deliver(config: Config, files: Vec<PathBuf>, quiet: bool) -> Result<ExitCode, StartError> {
    // Before anything is written: a typing error in the third name should not end half a replay.
    for path in &files {
        file::open(path).map_err(|error| StartError {
            message: format!("{}: {error}", path.display()),
            code: Exit::IO,
        })?;
    }
    let lifecycle = Lifecycle::default();
    lifecycle.listen(config.delivery.stop_grace)?;
    let readiness = Arc::new(Readiness::new([]));
    let delivery = Delivery::start(&config, Arc::clone(&readiness), &lifecycle).await?;
    let counts = Arc::new(ReplayCounts::default());
    let replay = Replay {
        intake: Arc::clone(&delivery.intake),
        letters: delivery.letters.clone(),
        metrics: Arc::clone(&delivery.metrics),
        prefix: config.redis.prefix.clone(),
        stop: lifecycle.soft.clone(),
        counts: Arc::clone(&counts),
    };
    let start = Instant::now();
    let progress = Progress {
        bar: progress_bar(&files, quiet),
        read: AtomicU64::new(0),
        counts: Arc::clone(&counts),
        readiness,
        start,
    };
    let progress = Arc::new(progress);
    let reporting = CancellationToken::new();
    let reported = tokio::spawn(report(Arc::clone(&progress), quiet, reporting.clone()));
    let reading = {
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || read(&replay, &files, &runtime, &progress.read))
    };
    // A blocked read of standard input must not hold up the hard stop.
    let read = lifecycle.hard.run_until_cancelled(reading).await;
    reporting.cancel();
    // A terminal that stands still keeps its bar.
    let _ = tokio::time::timeout(REDRAW * 2, reported).await;
    let stopped = lifecycle.soft.is_cancelled();
    lifecycle.soft.cancel();
    delivery.finish().await;

    if !quiet {
        exit::complain(&summary(&counts, start.elapsed()));
    }
    let failed = counts.failed.load(Relaxed);
    Ok(match read {
        Some(Ok(Err(message))) => return Err(StartError { message, code: Exit::IO }),
        Some(Err(panic)) => {
            return Err(StartError {
                message: format!("reading ended early: {panic}"),
                code: Exit::INTERNAL,
            });
        }
        // `None`: the hard stop came before the end of reading.
        read if read.is_none() || failed > 0 || stopped => {
            exit::complain(
                "traitsink: not all events were written: replay the files again, what was written \
                 may be written twice",
            );
            Exit::UNSETTLED.into()
        }
        _ if counts.dead_lettered.load(Relaxed) > 0 => Exit::DATA.into(),
        _ => ExitCode::SUCCESS,
    })
}

fn summary(counts: &ReplayCounts, elapsed: Duration) -> String {
    let count = |counter: &AtomicU64| counter.load(Relaxed);
    format!(
        "{} events in {:.1} s ({:.0}/s): {} written, {} skipped, {} dead-lettered, {} failed",
        counts.settled(),
        elapsed.as_secs_f64(),
        counts.settled() as f64 / elapsed.as_secs_f64(),
        count(&counts.written),
        count(&counts.skipped),
        count(&counts.dead_lettered),
        count(&counts.failed)
    )
}

fn read(
    replay: &Replay,
    files: &[PathBuf],
    runtime: &tokio::runtime::Handle,
    count: &AtomicU64,
) -> Result<(), String> {
    for path in files {
        let (input, _) =
            file::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        replay
            .run(input, runtime, |read| {
                let _ = count.fetch_add(read, Relaxed);
            })
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// Counts bytes; of unknown length when standard input is among the files.
fn progress_bar(files: &[PathBuf], quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let size = |path: &PathBuf| file::open(path).ok().and_then(|(_, size)| size);
    let total: Option<u64> = files.iter().map(size).sum();
    let (bar, template) = match total {
        Some(total) => {
            (ProgressBar::new(total), "{bar:30} {bytes}/{total_bytes} {eta} left  {msg}")
        }
        None => (ProgressBar::new_spinner(), "{spinner} {bytes}  {msg}"),
    };
    bar.with_style(ProgressStyle::with_template(template).expect("a valid template"))
}

/// The numbers in the progress line.
struct Progress {
    bar: ProgressBar,
    /// Bytes so far.
    read: AtomicU64,
    counts: Arc<ReplayCounts>,
    readiness: Arc<Readiness>,
    start: Instant,
}

impl Progress {
    fn line(&self) -> String {
        let rate = self.counts.settled() as f64 / self.start.elapsed().as_secs_f64();
        let waiting = self
            .readiness
            .waiting_for()
            .into_iter()
            .map(|(part, reason)| format!(", waiting for {part}: {reason}"));
        format!("{} events, {rate:.0}/s{}", self.counts.settled(), waiting.collect::<String>())
    }

    /// Waits for the terminal.
    fn draw(&self) {
        self.bar.set_position(self.read.load(Relaxed));
        self.bar.set_message(self.line());
    }
}

/// Keeps the progress line until `stop`: a bar on a terminal, else a line from time to time. Only
/// this task draws, on a thread for blocking work: a terminal that stands still holds up nothing
/// else.
async fn report(progress: Arc<Progress>, quiet: bool, stop: CancellationToken) {
    let hidden = progress.bar.is_hidden();
    let mut every = tokio::time::interval(if hidden { REPORT } else { REDRAW });
    every.tick().await;
    while stop.run_until_cancelled(every.tick()).await.is_some() {
        if !hidden {
            let progress = Arc::clone(&progress);
            let _ = tokio::task::spawn_blocking(move || progress.draw()).await;
        } else if !quiet {
            exit::complain(&progress.line());
        }
    }
    let _ = tokio::task::spawn_blocking(move || progress.bar.finish_and_clear()).await;
}
