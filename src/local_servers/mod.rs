//! Redis servers that this program brings along: a small one inside this process, and a
//! `redis-server` as its child.

mod embedded;
mod local;

pub use embedded::Embedded;
pub use local::{Local, LocalError};
