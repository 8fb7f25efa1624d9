//! Where messages come from. A source offers events to the pipeline and keeps them until the
//! pipeline says how each ended.

pub mod file;
pub mod http;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "kafka")]
pub mod letter_topic;
pub mod log;
