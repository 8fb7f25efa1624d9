//! Putting rejected events into the dead letters, many at once.

use std::ops::Range;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::dead_letter::{DeadLetters, Letter};
use crate::event::RejectReason;
use crate::pipeline::{Ack, DeadReason, Message, Outcome, Source};

use super::guard::Guard;

/// Letters written, and flushed to disk, together.
const MOST: usize = 256;

/// An event that can never be written.
pub(super) struct Dead {
    pub(super) reason: RejectReason,
    pub(super) ack: Ack,
    pub(super) message: Arc<Message>,
    pub(super) text: Range<usize>,
}

/// Ends when all senders are gone. Once `guard` has tripped nothing more is buried: dropped acks
/// fail.
pub(super) async fn bury(
    mut dead: UnboundedReceiver<Dead>,
    letters: DeadLetters,
    guard: Arc<Guard>,
) {
    let mut some = Vec::with_capacity(MOST);
    while dead.recv_many(&mut some, MOST).await > 0 {
        if guard.tripped() {
            some.clear();
            continue;
        }
        let letter = |Dead { reason, message, text, .. }: &Dead| {
            Letter::new(
                reason.as_str(),
                Source::Kafka.as_str(),
                None,
                &message.bytes()[text.clone()],
                message.record(),
            )
        };
        let kept = letters.write(some.iter().map(letter).collect()).await;
        for Dead { reason, ack, .. } in some.drain(..) {
            match kept {
                Ok(()) => ack.settle(Outcome::DeadLettered(DeadReason::Rejected(reason))),
                Err(_) => ack.settle(Outcome::Failed),
            }
        }
    }
}
