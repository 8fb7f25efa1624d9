//! Attacks beside honest clients. Each attack is a row of the table of attacks, and all limits keep
//! their defaults. Memory stays within the limits, and honest requests and `/live` are answered.

/// Expensive bodies and heads.
mod bodies;
/// Connections that take the places of others.
mod connections;
/// The bytes of the attacks.
mod payload;
