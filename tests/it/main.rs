//! Integration tests, one binary. Where a new test goes:

/// Connecting to real servers: credentials, sockets, timeouts, fencing, the probe.
mod connection;
/// The store in the process, asked by `redis-cli`.
mod embedded;
/// Every way in which TLS goes wrong, and what we say about it.
mod tls;

/// Servers, certificates and helpers; no tests.
mod harness;
