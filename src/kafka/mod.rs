//! The Kafka client: how to connect to the brokers and with which identity, and what their errors
//! mean. The Kafka source and the dead letters use this room; it neither consumes nor produces
//! events itself, and only checks whether that would work.

mod client;
mod events;
mod hint;
mod probe;
mod repeats;
mod token;

pub use client::{ClientError, client_config, creation_error};
pub use events::{ClientEvents, PlainContext};
pub use hint::{describe, explain};
pub use probe::{BrokerReport, ProbeError, probe_consumer, probe_producer};
pub use token::TokenSource;
