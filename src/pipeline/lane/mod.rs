//! One lane: serial, one write in flight, retries in place; what Redis refuses for an unknown
//! reason is set aside.
//!
//! `worker` is the loop: take jobs, write them as one batch, settle each, wait after trouble.
//! `settle` gives each job its outcome; `unexplained` judges refusals that no row of the error
//! table explains.

mod parts;
mod settle;
mod unexplained;
mod worker;

pub use parts::{Lane, LaneLimits};
