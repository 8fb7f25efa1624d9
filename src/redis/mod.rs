//! Connections to Redis, writing, and what its errors mean.

mod class;

pub use class::Class;
