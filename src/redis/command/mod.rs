//! The write forms: how one is packed, when two may be joined, what its replies mean, which ACL it
//! needs. Pure.

mod hash;
mod packed;
mod verdict;
mod write;
mod writes;

pub use hash::HashWrite;
pub(super) use verdict::Unconfirmed;
pub use verdict::{UnexplainedRefusal, Verdict};
pub use write::Write;
pub(super) use writes::Expected;
pub use writes::Writes;
