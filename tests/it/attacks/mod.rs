//! Clients that mean ill, and honest ones beside them. Each attack is a row of the table of
//! attacks, and leaves all limits at their defaults: memory stays within them, honest requests are
//! answered, and so is `/live`.

/// What bodies and heads cost.
mod bodies;
/// Connections that take the place of others.
mod connections;
/// The bytes that attackers send.
mod payload;
