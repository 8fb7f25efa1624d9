//! Redis Sentinel: which server is the master now.
//!
//! All lanes share what is known of the master ([`Sentinel`], whose state is the pure machine in
//! `state.rs`); each lane has its own connections ([`SentinelWriter`]). The sentinels are asked
//! every second and whenever a connection fails; the notices that they publish (`watch.rs`) make it
//! sooner.
//!
//! `notice` and `reply` read what sentinels say, `candidates` orders the nodes that they name,
//! `state` decides, `discovery` asks, `watch` listens, `writer` writes.

mod candidates;
mod connection;
mod discovery;
mod notice;
mod reply;
mod state;
mod watch;
mod writer;

pub(super) use self::discovery::Sentinel;
pub(super) use self::writer::SentinelWriter;
