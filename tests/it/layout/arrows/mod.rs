//! Finds the arrows of a crate. An *arrow* leads from a file with a path to the file that defines
//! the name at the end of the path, through re-exports, too. `mod x;` and `pub use` alone are no
//! arrows; test code is left out.

mod cfg;
mod circles;
mod modules;
mod resolve;
mod tokens;
mod visit;

pub(crate) use circles::{Arrows, circles};
pub(crate) use modules::Crate;
pub(crate) use visit::arrows;
