//! Shows how far a replay has come: a bar on a terminal, else a line from time to time.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use crate::cli::ProgressKind;
use crate::commands::exit;
use crate::readiness::Readiness;
use crate::source::file::ReplayCounts;

/// How often the bar is drawn, and lines are written; the first line comes sooner.
const REDRAW: Duration = Duration::from_millis(100);
const REPORT: Duration = Duration::from_secs(10);
const FIRST_REPORT: Duration = Duration::from_secs(1);

/// The numbers that are shown.
pub(super) struct Progress {
    bar: ProgressBar,
    kind: ProgressKind,
    /// How much was read, and how much there is, in `unit`: bytes as they are stored, or letters.
    read: Arc<AtomicU64>,
    total: Option<u64>,
    unit: &'static str,
    /// What an earlier replay has read.
    before: u64,
    counts: Arc<ReplayCounts>,
    readiness: Arc<Readiness>,
    start: Instant,
}

impl Progress {
    /// `read` of `total` `unit`s are read; `total` may be unknown.
    pub(super) fn new(
        kind: Option<ProgressKind>,
        quiet: bool,
        (read, total, unit): (Arc<AtomicU64>, Option<u64>, &'static str),
        counts: Arc<ReplayCounts>,
        readiness: Arc<Readiness>,
    ) -> Arc<Self> {
        let kind = match kind {
            None if quiet => ProgressKind::None,
            // A bar needs a terminal.
            None | Some(ProgressKind::Bar) if std::io::stderr().is_terminal() => ProgressKind::Bar,
            None | Some(ProgressKind::Bar) => ProgressKind::Plain,
            Some(kind) => kind,
        };
        let bar = if kind == ProgressKind::Bar { bar(total, unit) } else { ProgressBar::hidden() };
        let (before, start) = (read.load(Relaxed), Instant::now());
        Arc::new(Self { bar, kind, read, total, unit, before, counts, readiness, start })
    }

    /// The time since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Shows it until `stop`. Only this task draws, on a thread for blocking work: a terminal that
    /// stands still holds up nothing else.
    pub(super) async fn show(self: Arc<Self>, stop: CancellationToken) {
        let (first, every) = match self.kind {
            ProgressKind::None => return,
            ProgressKind::Bar => (REDRAW, REDRAW),
            ProgressKind::Plain => (FIRST_REPORT, REPORT),
        };
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + first, every);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            if self.kind == ProgressKind::Bar {
                let this = Arc::clone(&self);
                let _ = tokio::task::spawn_blocking(move || this.draw()).await;
            } else {
                exit::complain(&self.line());
            }
        }
        let _ = tokio::task::spawn_blocking(move || self.bar.finish_and_clear()).await;
    }

    /// How long showing may go on after its stop: a terminal that stands still keeps its bar.
    pub(super) const END: Duration = Duration::from_millis(200);

    /// Waits for the terminal.
    fn draw(&self) {
        self.bar.set_position(self.read.load(Relaxed));
        self.bar.set_message(format!("{}{}", self.events(), self.waiting()));
    }

    fn line(&self) -> String {
        let (read, unit) = (self.read.load(Relaxed), self.unit);
        let size = match self.total {
            None => format!("{read} {unit}"),
            Some(total) => {
                let percent = (100 * u128::from(read)).checked_div(total.into()).unwrap_or(100);
                let elapsed = self.start.elapsed().as_secs_f64();
                match time_left(read - self.before, total.saturating_sub(read), elapsed) {
                    None => format!("{percent} % of {total} {unit}"),
                    Some(left) => format!("{percent} % of {total} {unit}, about {left} left"),
                }
            }
        };
        format!("{}, {size}{}", self.events(), self.waiting())
    }

    fn events(&self) -> String {
        let rate = self.counts.settled() as f64 / self.start.elapsed().as_secs_f64();
        format!("{} events, {rate:.0}/s", self.counts.total().events())
    }

    fn waiting(&self) -> String {
        let parts = self.readiness.waiting_for();
        parts.into_iter().map(|(part, reason)| format!(", waiting for {part}: {reason}")).collect()
    }
}

/// `total` is unknown when an input has no size, such as standard input.
fn bar(total: Option<u64>, unit: &str) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) if unit == "letters" => {
            (ProgressBar::new(total), "{bar:30} {pos}/{len} {eta} left  {msg}")
        }
        Some(total) => {
            (ProgressBar::new(total), "{bar:30} {bytes}/{total_bytes} {eta} left  {msg}")
        }
        None => (ProgressBar::new_spinner(), "{spinner} {bytes}  {msg}"),
    };
    bar.with_style(ProgressStyle::with_template(template).expect("a valid template"))
}

/// The time until `left` more bytes are read, when `read` took `seconds`.
fn time_left(read: u64, left: u64, seconds: f64) -> Option<String> {
    let left = left as f64 / read as f64 * seconds;
    // Without a byte it is infinite or no number; beyond a year nobody wants to know it.
    if !(0.0..3e7).contains(&left) {
        return None;
    }
    let seconds = left.ceil() as u64;
    Some(match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_is_left() {
        let left = |read, left, seconds| time_left(read, left, seconds).unwrap_or_default();
        assert_eq!(left(100, 100, 4.2), "5s");
        assert_eq!(left(100, 3000, 4.0), "2m 00s");
        assert_eq!(left(1, 3725, 1.0), "1h 02m");
        assert_eq!(left(1, 0, 1.0), "0s");
        for (read, rest) in [(0, 1), (0, 0), (1, u64::MAX)] {
            assert_eq!(time_left(read, rest, 1.0), None, "{read} {rest}");
        }
    }
}
