//! At most so many events a second.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How much of the time that events came late by is made up for.
const CATCH_UP: Duration = Duration::from_millis(100);

/// Lets events through at a steady rate; after a pause it does not let those of the pause through
/// at once.
#[derive(Debug)]
pub struct RateLimit {
    per_second: f64,
    /// When the first of the events below was let through.
    start: Instant,
    events: u64,
}

impl RateLimit {
    /// `per_second` is at least 1.
    pub fn new(per_second: u64) -> Self {
        Self { per_second: per_second as f64, start: Instant::now(), events: 0 }
    }

    /// Waits until the next event may go.
    pub async fn wait(&mut self) {
        let due = self.start + Duration::from_secs_f64(self.events as f64 / self.per_second);
        let late = Instant::now().saturating_duration_since(due);
        if late > CATCH_UP {
            (self.start, self.events) = (Instant::now() - CATCH_UP, 0);
        } else if late.is_zero() {
            sleep_until(due).await;
        }
        self.events += 1;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    /// Events that are let through in `seconds` of virtual time.
    async fn events_in(limit: &mut RateLimit, seconds: u64) -> u64 {
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut events = 0;
        while tokio::time::timeout_at(end, limit.wait()).await.is_ok() && Instant::now() < end {
            events += 1;
        }
        events
    }

    #[tokio::test(start_paused = true)]
    async fn events_go_at_the_rate() {
        for rate in [1, 3, 700, 12_345] {
            let mut limit = RateLimit::new(rate);
            let events = events_in(&mut limit, 10).await;
            assert!(events.abs_diff(rate * 10) <= rate / 100 + 1, "{events} at {rate}/s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_not_made_up_for() {
        let mut limit = RateLimit::new(100);
        events_in(&mut limit, 2).await;
        advance(Duration::from_secs(60)).await;
        let events = events_in(&mut limit, 2).await;
        assert!((200..=212).contains(&events), "{events}");
    }
}
