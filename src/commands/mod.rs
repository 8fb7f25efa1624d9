//! The verbs of the command line, one file each.

mod explain;

pub use explain::explain;
