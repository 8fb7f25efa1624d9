//! The activity of a connection: what the server expects of the client, and its deadline.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::ListenerLimits;
use super::MinRate;

use crate::lock::lock;

/// The silence of a client that was answered before is divided by this: a pause between two
/// requests is usual, silence on a new connection is not.
const ANSWERED_BEFORE: u32 = 16;

/// The activity of one connection. Its socket reports bytes, its service reports requests, and its
/// task closes the connection when [`Activity::deadline`] has passed.
pub(super) struct Activity {
    current: Mutex<Current>,
    limits: Arc<ListenerLimits>,
}

struct Current {
    phase: Phase,
    /// The client was answered before.
    answered: bool,
}

/// What is to be done at a deadline.
pub(super) enum Due {
    /// The connection is to be closed.
    Close,
    /// The request that is being answered is to be looked at.
    Answer,
}

/// The phase of a connection, with the time since when it lasts.
#[derive(Clone, Copy)]
enum Phase {
    /// The head of a request is expected or incomplete.
    Head(Instant),
    /// More of a request's body is needed.
    Body(MinRate),
    /// A request is being answered; its own deadlines hold, of which this is one.
    Answering(Option<Instant>),
    /// The next request is expected, or a response is being sent: time counts from its last part.
    Idle(Instant),
}

impl Activity {
    /// The activity of a connection just accepted, whose first request is expected.
    pub(super) fn new(limits: Arc<ListenerLimits>) -> Self {
        let phase = Phase::Head(Instant::now());
        Self { current: Mutex::new(Current { phase, answered: false }), limits }
    }

    pub(super) fn bytes_received(&self, count: usize) {
        let mut current = self.lock();
        match &mut current.phase {
            Phase::Idle(_) => current.phase = Phase::Head(Instant::now()),
            Phase::Body(rate) => rate.received(count),
            Phase::Head(_) | Phase::Answering(_) => {}
        }
    }

    pub(super) fn request_began(&self) {
        self.lock().phase = Phase::Answering(None);
    }

    /// The request cannot be answered before more of its body is here.
    pub(super) fn body_awaited(&self) {
        self.lock().phase = Phase::Body(MinRate::start(Instant::now()));
    }

    /// The body is complete, or nobody wants the rest of it.
    pub(super) fn body_ended(&self) {
        let mut current = self.lock();
        if let Phase::Body(_) = current.phase {
            current.phase = Phase::Answering(None);
        }
    }

    pub(super) fn request_ended(&self) {
        *self.lock() = Current { phase: Phase::Idle(Instant::now()), answered: true };
    }

    /// The client took so much of a response that its next part was asked for.
    pub(super) fn response_continues(&self) {
        let mut current = self.lock();
        if let Phase::Idle(since) = &mut current.phase {
            *since = Instant::now();
        }
    }

    /// The answer has a deadline of its own.
    pub(super) fn answer_by(&self, deadline: Instant) {
        if let Phase::Answering(by) = &mut self.lock().phase {
            *by = Some(deadline);
        }
    }

    /// The next deadline, and what it is for; `None`: there is none as long as this phase lasts.
    pub(super) fn deadline(&self) -> Option<(Instant, Due)> {
        match self.lock().phase {
            Phase::Head(since) => Some((since + self.limits.header_timeout, Due::Close)),
            Phase::Body(_) => None,
            Phase::Answering(by) => by.map(|by| (by, Due::Answer)),
            Phase::Idle(since) => Some((since + self.limits.idle_timeout, Due::Close)),
        }
    }

    /// How long the client counts as silent; `None` while its request is being answered.
    pub(super) fn silence(&self, now: Instant) -> Option<Duration> {
        let Current { phase, answered } = *self.lock();
        let silence = match phase {
            Phase::Head(since) | Phase::Idle(since) => now.saturating_duration_since(since),
            Phase::Body(rate) => rate.silence(now),
            Phase::Answering(_) => return None,
        };
        Some(if answered { silence / ANSWERED_BEFORE } else { silence })
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        lock(&self.current)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn activity() -> Activity {
        Activity::new(Arc::new(ListenerLimits::default()))
    }

    fn silence(activity: &Activity) -> Option<Duration> {
        activity.silence(Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_drips_is_silent_all_the_same() {
        let activity = activity();
        for _ in 0..5 {
            advance(SECOND).await;
            activity.bytes_received(1);
        }
        assert_eq!(silence(&activity), Some(5 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_being_answered_never_gives_way() {
        let activity = activity();
        activity.request_began();
        advance(SECOND).await;
        assert_eq!(silence(&activity), None);
        activity.body_awaited();
        advance(SECOND).await;
        assert_eq!(silence(&activity), Some(SECOND));
        activity.body_ended();
        assert_eq!(silence(&activity), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_must_keep_its_pace_and_saves_nothing_for_later() {
        let activity = activity();
        activity.request_began();
        activity.body_awaited();
        activity.bytes_received(8 << 20);
        advance(SECOND).await;
        assert_eq!(silence(&activity), Some(SECOND), "what came at once pays for no silence");
        activity.bytes_received(1024);
        assert_eq!(silence(&activity), Some(SECOND * 3 / 4));
        activity.bytes_received(4096);
        assert_eq!(silence(&activity), Some(Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_answered_before_may_be_silent_for_longer() {
        let activity = activity();
        activity.request_began();
        activity.request_ended();
        advance(16 * SECOND).await;
        assert_eq!(silence(&activity), Some(SECOND));
        activity.bytes_received(1);
        assert_eq!(silence(&activity), Some(Duration::ZERO));
    }
}
