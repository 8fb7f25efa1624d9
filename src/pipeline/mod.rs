//! Intake -> lanes -> batches -> verdicts -> receipts.

mod ack;
mod admission;
mod batch;
mod budget;
mod health;
mod intake;
mod job;
mod lane;
mod poison;
mod queue;
mod set_aside;

pub use crate::event::Origin;
pub use crate::outcome::{DeadReason, Outcome, Source};
pub use ack::{Ack, Receipts};
pub use admission::{admit, reserve};
pub use batch::Batch;
pub use budget::{Budget, Reservation};
pub use health::{Health, LaneHealth};
pub use intake::{Intake, NotAccepted};
pub use job::{Busy, Job, Message};
pub use lane::{Lane, LaneLimits};
pub use poison::PoisonDetector;
pub use queue::Queue;
