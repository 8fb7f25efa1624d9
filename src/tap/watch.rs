//! One watcher's side of the tap: the text that is sent to it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::line::dropped_line;
use super::watchers::{NotWatched, WatcherHandle, Watchers};

/// Time between two lines that tell how many decisions were not shown.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// Longest silence: a watcher knows by then that the tap is alive, and the tap that its watcher is.
const MAX_SILENCE: Duration = Duration::from_secs(10);

/// Yields lines of JSON, until the tap is closed.
pub struct Watch {
    watchers: Arc<Watchers>,
    handle: WatcherHandle,
    /// What was told of the two counts of decisions that were not shown.
    told: (u64, u64),
    ticks: Interval,
    last: Instant,
    ended: bool,
}

impl Watch {
    pub(super) fn new(watchers: &Arc<Watchers>) -> Result<Self, NotWatched> {
        let handle = watchers.add()?;
        let now = Instant::now();
        let mut ticks = interval_at(now + TELL_EVERY, TELL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let told = (watchers.left_out(), 0);
        Ok(Self { watchers: Arc::clone(watchers), handle, told, ticks, last: now, ended: false })
    }

    /// The next line: a decision, or `{"dropped":N}` with the number of decisions that were not
    /// shown since the line like it before. At least one line comes each ten seconds. `None`: the
    /// tap is closed.
    pub async fn next(&mut self) -> Option<Bytes> {
        while !self.ended {
            let line = tokio::select! {
                line = self.handle.lines.recv() => line,
                _ = self.ticks.tick() => match self.untold() {
                    0 if self.last.elapsed() < MAX_SILENCE => continue,
                    count => Some(dropped_line(count)),
                },
            };
            self.last = Instant::now();
            if line.is_some() {
                return line;
            }
            self.ended = true;
            let count = self.untold();
            if count > 0 {
                return Some(dropped_line(count));
            }
        }
        None
    }

    /// The decisions that were not shown and not told of; from now on they are.
    fn untold(&mut self) -> u64 {
        let now = (self.watchers.left_out(), self.handle.dropped.load(Relaxed));
        let before = std::mem::replace(&mut self.told, now);
        (now.0 - before.0) + (now.1 - before.1)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.watchers.remove(self.handle.id);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Tap;
    use super::super::watchers::{MAX_WATCHERS, WAITING_LINES};
    use super::*;
    use crate::config::TapMode;
    use crate::event::{Decision, Explanation, SkipReason};
    use crate::outcome::Source;

    fn show(tap: &Tap) {
        let decision = Decision::Skipped(SkipReason::NoType);
        tap.show(Source::Http, Explanation::new(&decision));
    }

    fn tap() -> Tap {
        Tap::new(TapMode::Redacted)
    }

    #[tokio::test]
    async fn a_few_watch_at_the_same_time_and_none_when_it_is_off() {
        let tap = tap();
        assert!(!tap.is_watched());
        let watches: Vec<_> = (0..MAX_WATCHERS).map(|_| tap.watch().unwrap()).collect();
        assert_eq!(tap.watch().err(), Some(NotWatched::TooMany));
        assert!(tap.is_watched());
        drop(watches);
        assert!(!tap.is_watched() && tap.watch().is_ok());
        tap.close();
        assert_eq!(tap.watch().err(), Some(NotWatched::Stopping));
        assert_eq!(Tap::new(TapMode::Off).watch().err(), Some(NotWatched::Off));
    }

    #[tokio::test(start_paused = true)]
    async fn a_watcher_that_does_not_read_loses_lines_and_is_told_how_many() {
        let tap = tap();
        let (mut slow, mut quick) = (tap.watch().unwrap(), tap.watch().unwrap());
        // The sampler goes by the real clock: more than it lets through at once.
        let mut shown = 0_usize;
        while shown < WAITING_LINES + 10 {
            show(&tap);
            while let Ok(line) = quick.handle.lines.try_recv() {
                assert!(line.ends_with(b"\"skipped\":\"no_type\"}\n"), "{line:?}");
                shown += 1;
            }
        }
        tap.close();
        let left_out = tap.watchers.left_out();
        let told = |line: Option<Bytes>| String::from_utf8(line.unwrap().to_vec()).unwrap();
        for _ in 0..WAITING_LINES {
            assert!(told(slow.next().await).contains("skipped"));
        }
        let lost = (shown - WAITING_LINES) as u64 + left_out;
        assert_eq!(told(slow.next().await), format!("{{\"dropped\":{lost}}}\n"));
        assert_eq!(slow.next().await, None);
        assert_eq!(told(quick.next().await), format!("{{\"dropped\":{left_out}}}\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_watcher_hears_something_each_ten_seconds() {
        let (tap, start) = (tap(), Instant::now());
        let mut watch = tap.watch().unwrap();
        for seconds in [10, 20] {
            assert_eq!(watch.next().await.unwrap(), "{\"dropped\":0}\n");
            assert_eq!(start.elapsed().as_secs(), seconds);
        }
    }
}
