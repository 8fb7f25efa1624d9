//! Intake -> lanes -> batches -> verdicts -> receipts.

mod ack;
mod budget;
mod intake;
mod outcome;

pub use ack::{Ack, Receipts};
pub use budget::{Budget, Reservation};
pub use intake::{Busy, Intake, Job, Message, Origin, Refusal};
pub use outcome::{DeadReason, Outcome, Source};
