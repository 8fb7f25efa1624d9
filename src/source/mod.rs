//! Where messages come from. A source asks the pipeline to take events and keeps them until it says
//! how each ended.

pub mod file;
pub mod http;
#[cfg(feature = "kafka")]
pub mod kafka;
