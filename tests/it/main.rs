//! The one test binary. Where a new test goes:
//!
//! - `admin`: `/live`, `/ready`, `/metrics`.
//! - `captures`: recordings of the official SDKs, sent again.
//! - `faults`: something breaks under load; what was acknowledged must be in Redis.
//! - `http`: what a client meets when Redis, memory or the client itself is slow.
//! - `http_corpus`: good and bad requests, as data.
//! - `layout`: which room may use which, file sizes, what the binary needs.
//! - `model`: lanes and retries against a simulated Redis.
//! - `server`: the serving loop's deadlines, cap and stops, with services of our own.
//! - `wire`: a client that sends exactly the bytes it is given; no tests.

mod admin;
mod captures;
mod faults;
mod harness;
mod http;
mod http_corpus;
mod layout;
mod model;
mod server;
mod wire;
