//! The write forms: how one is packed, and what its replies mean. Pure.

mod verdict;
mod writes;

pub use verdict::{Suspicion, Verdict};
pub use writes::Writes;
