//! Brokers: how to reach them, as whom, and what to make of their errors. The source and the dead letters use it; this room
//! neither consumes nor produces.

mod client;
mod events;
mod hint;
mod repeats;
mod token;

pub use client::{ClientError, client_config, creation_error};
pub use events::{ClientEvents, PlainContext};
pub use hint::{describe, explain};
pub use token::TokenSource;
