//! Where events enter: decide, then push onto the lane of the key.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

pub use crate::event::Origin;

use super::ack::Ack;
use super::budget::Reservation;

/// A message's bytes, and the room they take, for as long as any of its events is in flight.
pub struct Message {
    bytes: Bytes,
    _held: Reservation,
}

impl Message {
    /// `held` covers at least `bytes.len()`.
    pub fn new(bytes: Bytes, held: Reservation) -> Arc<Self> {
        Arc::new(Self { bytes, _held: held })
    }

    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// Why an update was not taken; the source decides what to do. It may offer the same update again with [`Intake::offer`].
pub struct Refusal {
    pub reason: Busy,
    pub job: Job,
}

/// An update on its way, or refused.
pub struct Job {
    pub ack: Ack,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    /// The bytes in flight have reached their limit.
    Full,
    /// Redis is known to be unusable.
    Down,
    /// The process is stopping.
    Stopping,
    /// The update alone is larger than everything that may be in flight.
    TooLarge,
}

/// The door to the lanes, shared by all sources.
pub struct Intake {}

impl Intake {
    /// Transforms one event of `message` and pushes its update, or settles `ack` at once (skipped, rejected). Never waits.
    pub fn accept(&self, _message: &Arc<Message>, _text: Range<usize>, _origin: Origin<'_>, _ack: Ack) -> Result<(), Refusal> {
        Ok(())
    }

    /// Offers a refused update again.
    pub fn offer(&self, _job: Job) -> Result<(), Refusal> {
        Ok(())
    }
}
