//! One lane: serial, one write in flight, retries in place; what Redis refuses for an unknown
//! reason is set aside.
//!
//! `worker` is the loop: take jobs, write them as one batch, settle each, wait after trouble.
//! `obey` skips suppressed users right before a write; `settle` gives each job its outcome;
//! `unexplained` judges refusals that no row of the error table explains.

mod deletion;
mod obey;
mod parts;
mod settle;
mod unexplained;
mod worker;

pub use deletion::LaneDeletion;
pub use parts::{Lane, LaneLimits};
