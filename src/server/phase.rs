//! What a connection is waited for, and until when.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use super::Limits;

/// The state of one connection, shared by its socket (which sees bytes), its service (which sees requests) and its task
/// (which closes it when [`Phase::deadline`] has passed).
pub(super) struct Phase {
    state: Mutex<State>,
    limits: Arc<Limits>,
}

#[derive(Clone, Copy)]
enum State {
    /// The head of a request is coming in.
    Head(Instant),
    /// A request is being answered; its own deadlines hold.
    Answering,
    /// Between two requests.
    Idle(Instant),
}

impl Phase {
    /// Of a connection just accepted: its first request is due.
    pub(super) fn new(limits: Arc<Limits>) -> Self {
        Self { state: Mutex::new(State::Head(Instant::now())), limits }
    }

    pub(super) fn bytes_came(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Idle(_) = *state {
            *state = State::Head(Instant::now());
        }
    }

    pub(super) fn request_began(&self) {
        self.set(State::Answering);
    }

    pub(super) fn request_ended(&self) {
        self.set(State::Idle(Instant::now()));
    }

    /// When to give the connection up.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match *self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Head(since) => Some(since + self.limits.header_timeout),
            State::Answering => None,
            State::Idle(since) => Some(since + self.limits.idle_timeout),
        }
    }

    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}
