//! Brokers: how to reach them, as whom, and what to make of their errors. The source and the dead
//! letters use it; this room neither consumes nor produces, it only tries whether that would work.

mod client;
mod events;
mod hint;
mod probe;
mod repeats;
mod token;

pub use client::{ClientError, client_config, creation_error};
pub use events::{ClientEvents, PlainContext};
pub use hint::{describe, explain};
pub use probe::{ProbeError, Report, probe_consumer, probe_producer};
pub use token::TokenSource;
