//! What a connection is waited for, and until when.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Limits;

/// A client that sends a body more slowly counts as silent for the difference. Bytes per second.
const BODY_RATE: u64 = 4096;

/// A client that was answered before counts as silent for this part of the time that it is: a pause
/// between two requests is usual, a new connection that says nothing is not.
const ANSWERED_BEFORE: u32 = 16;

/// The state of one connection, shared by its socket (which sees bytes), its service (which sees
/// requests) and its task (which closes it when [`Phase::deadline`] has passed).
pub(super) struct Phase {
    state: Mutex<State>,
    limits: Arc<Limits>,
}

struct State {
    step: Step,
    answered: bool,
}

#[derive(Clone, Copy)]
enum Step {
    /// The head of a request is coming in since then.
    Head(Instant),
    /// The body of a request is waited for. The time to which the client kept up with
    /// [`BODY_RATE`].
    Body(Instant),
    /// A request is being answered; its own deadlines hold.
    Answering,
    /// Between two requests, or sending an answer that the client does not read, since then.
    Idle(Instant),
}

impl Phase {
    /// The state of a connection just accepted: its first request is due.
    pub(super) fn new(limits: Arc<Limits>) -> Self {
        Self {
            state: Mutex::new(State { step: Step::Head(Instant::now()), answered: false }),
            limits,
        }
    }

    pub(super) fn bytes_came(&self, count: usize) {
        let mut state = self.lock();
        match state.step {
            Step::Idle(_) => state.step = Step::Head(Instant::now()),
            Step::Body(kept_up) => {
                let earned = Duration::from_micros(count as u64 * 1_000_000 / BODY_RATE);
                state.step = Step::Body(Instant::now().min(kept_up + earned));
            }
            Step::Head(_) | Step::Answering => {}
        }
    }

    pub(super) fn request_began(&self) {
        self.lock().step = Step::Answering;
    }

    /// The request cannot be answered before more of its body is here.
    pub(super) fn body_awaited(&self) {
        self.lock().step = Step::Body(Instant::now());
    }

    /// The body is complete, or nobody wants the rest of it.
    pub(super) fn body_ended(&self) {
        let mut state = self.lock();
        if let Step::Body(_) = state.step {
            state.step = Step::Answering;
        }
    }

    pub(super) fn request_ended(&self) {
        *self.lock() = State { step: Step::Idle(Instant::now()), answered: true };
    }

    /// When to give the connection up.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.lock().step {
            Step::Head(since) => Some(since + self.limits.header_timeout),
            Step::Body(_) | Step::Answering => None,
            Step::Idle(since) => Some(since + self.limits.idle_timeout),
        }
    }

    /// For how long the client counts as silent; `None` while its request is being answered.
    pub(super) fn silence(&self, now: Instant) -> Option<Duration> {
        let State { step, answered } = *self.lock();
        let (Step::Head(since) | Step::Body(since) | Step::Idle(since)) = step else { return None };
        let silence = now.saturating_duration_since(since);
        Some(if answered { silence / ANSWERED_BEFORE } else { silence })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn phase() -> Phase {
        Phase::new(Arc::new(Limits::default()))
    }

    fn silence(phase: &Phase) -> Option<Duration> {
        phase.silence(Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_drips_is_silent_all_the_same() {
        let phase = phase();
        for _ in 0..5 {
            advance(SECOND).await;
            phase.bytes_came(1);
        }
        assert_eq!(silence(&phase), Some(5 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_being_answered_never_gives_way() {
        let phase = phase();
        phase.request_began();
        advance(SECOND).await;
        assert_eq!(silence(&phase), None);
        phase.body_awaited();
        advance(SECOND).await;
        assert_eq!(silence(&phase), Some(SECOND));
        phase.body_ended();
        assert_eq!(silence(&phase), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_must_keep_its_pace_and_saves_nothing_for_later() {
        let phase = phase();
        phase.request_began();
        phase.body_awaited();
        phase.bytes_came(8 << 20);
        advance(SECOND).await;
        assert_eq!(silence(&phase), Some(SECOND), "what came at once pays for no silence");
        phase.bytes_came(1024);
        assert_eq!(silence(&phase), Some(SECOND * 3 / 4));
        phase.bytes_came(4096);
        assert_eq!(silence(&phase), Some(Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_answered_before_may_be_silent_for_longer() {
        let phase = phase();
        phase.request_began();
        phase.request_ended();
        advance(16 * SECOND).await;
        assert_eq!(silence(&phase), Some(SECOND));
        phase.bytes_came(1);
        assert_eq!(silence(&phase), Some(Duration::ZERO));
    }
}
