//! Finds which file of a crate names what another file defines.
//!
//! An *arrow* leads from a file that has a path to the file that defines what the path names, also
//! through re-exports. `mod x;` and `pub use` alone are none; what is only built for tests is left
//! out.

mod cfg;
mod circles;
mod modules;
mod resolve;
mod tokens;
mod visit;

pub(crate) use circles::{Arrows, circles};
pub(crate) use modules::Crate;
pub(crate) use visit::arrows;
