//! The one test binary. Where a new test goes:
//!
//! - `faults`: something breaks under load; what was acknowledged must be in Redis.
//! - `layout`: which room may use which, file sizes, what the binary needs.
//! - `model`: lanes and retries against a simulated Redis.

mod faults;
mod harness;
mod layout;
mod model;
