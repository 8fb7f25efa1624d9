//! The parts of a source that reads a partitioned log, such as Kafka or Redis Streams, and commits
//! how far it has come. Pure: no I/O, no type of a client.

mod breaker;
mod held_offsets;
mod offsets;

pub use breaker::Breaker;
pub use held_offsets::HeldOffsets;
pub use offsets::Offsets;
