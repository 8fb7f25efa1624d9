//! Shows operators what becomes of events, while they happen (`/api/tap`). Never delays a source:
//! events are sampled, and a line for which a watcher has no room is dropped and counted.

mod line;
mod rate;
mod watch;
mod watchers;

use std::sync::Arc;
use std::time::Instant;

use crate::config::TapMode;
use crate::event::Explanation;
use crate::outcome::Source;

use self::rate::Sampler;
pub use self::watch::Watch;
use self::watchers::Watchers;
pub use self::watchers::{MAX_WATCHERS, NotWatched};

/// Where decisions are shown to whoever watches.
pub struct Tap {
    mode: TapMode,
    sampler: Sampler,
    watchers: Arc<Watchers>,
}

impl Tap {
    /// A tap that nobody watches yet.
    pub fn new(mode: TapMode) -> Self {
        Self { mode, sampler: Sampler::new(), watchers: Arc::default() }
    }

    /// Whether somebody watches. Cheap enough to ask for each event.
    pub fn is_watched(&self) -> bool {
        self.watchers.count() > 0
    }

    /// Shows one decision to all watchers, or counts it as left out. Never waits for a watcher.
    pub fn show(&self, source: Source, explanation: Explanation<'_>) {
        if self.sampler.admit(Instant::now()) {
            let now = jiff::Timestamp::now();
            self.watchers.send(&line::line(now, source, explanation, self.mode));
        } else {
            self.watchers.leave_out();
        }
    }

    /// Begins to watch; ends when the returned value is dropped.
    ///
    /// # Errors
    /// The tap is off, too many watch it, or the process is stopping.
    pub fn watch(&self) -> Result<Watch, NotWatched> {
        if self.mode == TapMode::Off {
            return Err(NotWatched::Off);
        }
        Watch::new(&self.watchers)
    }

    /// Ends every watch once what was shown is read, and allows no new ones: no further events
    /// come.
    pub fn close(&self) {
        self.watchers.close();
    }
}
