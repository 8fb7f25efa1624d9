//! The store that a lane writes to.

use super::command::{Verdict, Writes};
use super::errors::Trouble;
use super::wire::Allowed;

/// A store that takes writes. One implementation is Redis; tests have simulated ones.
pub trait Apply: Send {
    /// Reaches the store without writing: connects when needed, or asks whether it still answers.
    fn reach(&mut self) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Writes all, in order, and pushes one verdict for each write onto `verdicts`. Sends nothing
    /// more once `allowed` is false, which is asked right before bytes are sent. The trouble says
    /// why some writes must be tried again, for logs and readiness.
    fn apply(
        &mut self,
        writes: &Writes,
        allowed: Allowed<'_>,
        verdicts: &mut Vec<Verdict>,
    ) -> impl Future<Output = Option<Trouble>> + Send;
}
