//! Whether the lanes can write: for readiness and for one log line a change.

use std::sync::{Arc, Mutex};

use crate::readiness::Readiness;
use crate::redis::Trouble;

/// The name of this part in `/ready`.
const PART: &str = "redis";

/// The state of all lanes.
pub struct Health {
    lanes: Mutex<Vec<State>>,
    readiness: Arc<Readiness>,
}

#[derive(Clone, PartialEq, Eq)]
enum State {
    Starting,
    Up,
    Trouble(Trouble),
}

impl Health {
    /// Reports into `readiness`, as the part `redis`.
    pub fn new(lanes: usize, readiness: Arc<Readiness>) -> Arc<Self> {
        readiness.waiting(PART, "connecting");
        Arc::new(Self { lanes: Mutex::new(vec![State::Starting; lanes]), readiness })
    }

    /// The handle of one lane.
    pub fn lane(self: &Arc<Self>, lane: usize) -> LaneHealth {
        LaneHealth { health: Arc::clone(self), lane }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<State>> {
        self.lanes.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// One lane's side of [`Health`].
pub struct LaneHealth {
    health: Arc<Health>,
    lane: usize,
}

impl LaneHealth {
    pub fn is_up(&self) -> bool {
        self.health.lock()[self.lane] == State::Up
    }

    /// Logs the recovery when this is the last lane to recover.
    pub fn up(&self) {
        let mut lanes = self.health.lock();
        let recovered = std::mem::replace(&mut lanes[self.lane], State::Up) != State::Up;
        if recovered && lanes.iter().all(|state| *state == State::Up) {
            self.health.readiness.ready(PART);
            tracing::info!("Redis is ready");
        }
    }

    /// Logs the trouble unless some lane has already reported the same.
    pub fn trouble(&self, trouble: &Trouble) {
        let mut lanes = self.health.lock();
        let known = lanes.iter().any(|state| matches!(state, State::Trouble(known) if known == trouble));
        lanes[self.lane] = State::Trouble(trouble.clone());
        self.health.readiness.waiting(PART, trouble.message.clone());
        drop(lanes);
        if !known {
            tracing::warn!(class = trouble.class.as_str(), code = trouble.code, "Redis: {}; retrying", trouble.message);
        }
    }
}
