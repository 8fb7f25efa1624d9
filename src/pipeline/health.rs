//! Whether the lanes can write: for readiness, and for one log line at each change.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::lock::lock;
use crate::readiness::Readiness;
use crate::redis::{Class, Trouble};

/// The name of Redis in `/ready`.
const PART: &str = "redis";

/// The state of all lanes.
pub struct Health {
    lanes: Mutex<Vec<LaneState>>,
    readiness: Arc<Readiness>,
}

#[derive(Clone, PartialEq, Eq)]
enum LaneState {
    Starting,
    Up,
    Trouble(Trouble),
}

impl Health {
    /// Reports into `readiness`, as the part `redis`.
    pub fn new(lanes: usize, readiness: Arc<Readiness>) -> Arc<Self> {
        readiness.waiting(PART, "connecting");
        Arc::new(Self { lanes: Mutex::new(vec![LaneState::Starting; lanes]), readiness })
    }

    /// Whether every lane's last attempt succeeded.
    pub fn is_up(&self) -> bool {
        self.lock().iter().all(|state| *state == LaneState::Up)
    }

    /// The state of each lane as a word (`starting`, `up` or `trouble`), and its trouble in plain
    /// words.
    pub fn lanes(&self) -> Vec<(&'static str, Option<String>)> {
        let shown = |state: &LaneState| match state {
            LaneState::Starting => ("starting", None),
            LaneState::Up => ("up", None),
            LaneState::Trouble(trouble) => ("trouble", Some(trouble.message.clone())),
        };
        self.lock().iter().map(shown).collect()
    }

    /// The handle of one lane.
    pub fn lane(self: &Arc<Self>, lane: usize) -> LaneHealth {
        LaneHealth { health: Arc::clone(self), lane }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<LaneState>> {
        lock(&self.lanes)
    }
}

/// One lane's side of [`Health`].
pub struct LaneHealth {
    health: Arc<Health>,
    lane: usize,
}

impl LaneHealth {
    /// Whether the last attempt of this lane succeeded.
    pub fn is_up(&self) -> bool {
        self.health.lock()[self.lane] == LaneState::Up
    }

    /// Logs the recovery when this is the last lane to recover.
    pub fn up(&self) {
        let mut lanes = self.health.lock();
        let recovered = std::mem::replace(&mut lanes[self.lane], LaneState::Up) != LaneState::Up;
        if recovered && lanes.iter().all(|state| *state == LaneState::Up) {
            self.health.readiness.ready(PART);
            tracing::info!("Redis is ready");
        }
    }

    /// Logs the trouble unless some lane has already reported the same.
    pub fn trouble(&self, trouble: &Trouble) {
        let mut lanes = self.health.lock();
        let known = lanes
            .iter()
            .any(|state| matches!(state, LaneState::Trouble(known) if known == trouble));
        lanes[self.lane] = LaneState::Trouble(trouble.clone());
        let others = lanes.iter().filter_map(|state| match state {
            LaneState::Trouble(trouble) => Some(trouble),
            LaneState::Starting | LaneState::Up => None,
        });
        let reason = std::iter::once(trouble)
            .chain(others)
            .find(|trouble| is_specific(trouble))
            .unwrap_or(trouble);
        self.health.readiness.waiting(PART, reason.message.clone());
        drop(lanes);
        if !known {
            tracing::warn!(
                class = trouble.class.as_str(),
                code = trouble.code,
                "Redis: {}; retrying",
                trouble.message
            );
        }
    }
}

/// Whether the trouble says more than that a connection was lost, which follows from much else.
fn is_specific(trouble: &Trouble) -> bool {
    trouble.class != Class::Reconnect || trouble.code != "NONE"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(class: Class, code: &str) -> Trouble {
        Trouble { class, code: code.into(), message: format!("{code}.") }
    }

    #[test]
    fn what_redis_said_is_shown_before_a_lost_connection() {
        let readiness = Arc::new(Readiness::new([]));
        let health = Health::new(2, Arc::clone(&readiness));
        let reason = || readiness.waiting_for().pop().map(|(_, reason)| reason);
        let (a, b) = (health.lane(0), health.lane(1));
        let (lost, replica, full) = (
            trouble(Class::Reconnect, "NONE"),
            trouble(Class::Rediscover, "READONLY"),
            trouble(Class::Retry, "OOM"),
        );
        for (lane, trouble, shown) in [
            (&a, &lost, "NONE."),
            (&a, &replica, "READONLY."),
            (&b, &lost, "READONLY."),
            (&b, &full, "OOM."),
        ] {
            lane.trouble(trouble);
            assert_eq!(reason().as_deref(), Some(shown));
        }
        let states = [("trouble", Some("READONLY.".to_owned())), ("trouble", Some("OOM.".into()))];
        assert_eq!(health.lanes(), states);
        a.up();
        assert_eq!(health.lanes()[0], ("up", None));
        b.trouble(&lost);
        assert_eq!(reason().as_deref(), Some("NONE."));
        b.up();
        assert_eq!(reason(), None);
    }
}
