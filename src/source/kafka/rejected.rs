//! Putting rejected events into the dead letters, many at once.

use std::ops::Range;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::dead_letter::{DeadLetters, Letter};
use crate::event::{Origin, RejectReason, prefix_of};
use crate::pipeline::{Ack, DeadReason, Message, Source};
use crate::profile::Prefix;

use super::shared_breaker::SharedBreaker;

/// Letters written, and flushed to disk, together.
const MOST: usize = 256;

/// An event that can never be written.
pub(super) struct RejectedEvent {
    pub(super) reason: RejectReason,
    pub(super) ack: Ack,
    pub(super) message: Arc<Message>,
    /// Where the event stands in the message.
    pub(super) text: Range<usize>,
}

impl RejectedEvent {
    fn letter(&self, prefix: &Prefix, max_event: usize) -> Letter {
        let event = &self.message.bytes()[self.text.clone()];
        let reason = DeadReason::Rejected(self.reason);
        let is_tombstone = self.message.is_tombstone();
        let origin = Origin { prefix, is_tombstone, ..Origin::default() };
        Letter::new(reason, Source::Kafka, None, event, self.message.record())
            .with_origin(&prefix_of(origin, event, max_event), None)
            .with_prefix_path(prefix.path())
            .of_tombstone(is_tombstone)
    }
}

/// Ends when all senders are gone. `prefix` is that of Redis keys, `max_event` the limit of
/// [`crate::event::Limits`]. Once `breaker` has tripped
/// nothing more becomes a dead letter: dropped acks fail.
pub(super) async fn dead_letter_rejected(
    mut rejected: UnboundedReceiver<RejectedEvent>,
    letters: DeadLetters,
    prefix: Prefix,
    max_event: usize,
    breaker: Arc<SharedBreaker>,
) {
    let mut some = Vec::with_capacity(MOST);
    while rejected.recv_many(&mut some, MOST).await > 0 {
        if breaker.tripped() {
            some.clear();
            continue;
        }
        let kept = some.iter().map(|event| event.letter(&prefix, max_event)).collect();
        let outcomes = letters.keep(kept).await;
        for (event, outcome) in some.drain(..).zip(outcomes) {
            event.ack.settle(outcome);
        }
    }
}
