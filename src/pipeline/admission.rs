//! The one place where a source waits: for room for a message, and for a lane that takes an event.
//! Each source says how long it waits; what it does with an event that was not accepted is its own.

use super::budget::Reservation;
use super::intake::{Intake, NotAccepted};
use super::job::Busy;

/// Room for a message of `bytes`. While there is none, asks `wait` whether to go on waiting; `None`
/// once it says no.
pub async fn reserve(
    intake: &Intake,
    bytes: usize,
    mut wait: impl FnMut() -> bool,
) -> Option<Reservation> {
    loop {
        let held = intake.budget().try_reserve(bytes);
        if held.is_some() || !wait() {
            return held;
        }
        intake.room().await;
    }
}

/// Offers an event until its lane takes it. `offered` is how the first offer, by
/// [`Intake::accept`] or [`Intake::offer`], ended; each time that the lane is busy, asks `wait`
/// whether to go on waiting. Every event of a source is offered before the next one: none may
/// overtake another of the same key.
///
/// # Errors
/// The event can never be written, or the lane was busy and `wait` said no.
pub async fn admit(
    intake: &Intake,
    mut offered: Result<(), NotAccepted>,
    mut wait: impl FnMut(Busy) -> bool,
) -> Result<(), NotAccepted> {
    loop {
        match offered {
            Err(NotAccepted::Busy(busy, job)) if wait(busy) => {
                intake.room().await;
                offered = intake.offer(*job);
            }
            ended => return ended,
        }
    }
}
