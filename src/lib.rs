//! `traitsink` reads analytics events, keeps `identify`, flattens the traits and writes them to
//! Redis hashes.
//!
//! # The way of one event
//! A *message* (an HTTP body, a Kafka record, a line of a file) is split into *events*
//! ([`event::split()`], [`event::events_of()`]); each event is transformed into an *update*
//! ([`event::Transformer`]: one Redis key and its packed fields) or skipped or rejected with a
//! counted reason. The [`pipeline::Intake`] pushes the update, with its *ack*, onto the *lane* of
//! its key. A lane takes what has gathered as one *batch*, writes it through [`redis::LaneWriter`],
//! and settles each ack with its *outcome*; an event that Redis refuses for unknown reasons is *set
//! aside* with its key, while the lane goes on with others; the source's *receipts* turn outcomes
//! into an answer (HTTP 200, a *watermark* that Kafka may commit, a line counted as done).
//!
//! # Five promises
//! 1. **Ack after write.** No HTTP 200 and no Kafka offset before Redis replied OK to that event's
//!    write, or the event is in the dead letters (fsync, or all replicas of a topic). Proven by
//!    `tests/it/{cluster,faults,faults_network,faults_states,kafka_failover,kafka_faults,model_kafka,sentinel,sharded}.rs`.
//! 2. **Order.** Events of one key are written in the order in which they were accepted, also
//!    across retries; a request that was given up, or a worker that lost its partitions, never
//!    overwrites what a later one wrote. Proven by `tests/it/{model,fence}.rs`, and the oracles in
//!    `tests/it/{faults,kafka_faults}.rs`.
//! 3. **Bounded.** Bytes in flight never exceed `delivery.max_in_flight`, and resident memory not
//!    that and 64 MiB; one stopped lane cannot eat the others' share, nor slow clients that of
//!    those who send. Proven by [`pipeline::Budget`]'s tests, `tests/it/worker.rs` and
//!    `tests/it/http_limits.rs`.
//! 4. **Unsettled is failed.** An ack dropped without an outcome counts as failed. Proven by
//!    [`pipeline::Ack`]'s tests.
//! 5. **The ledger closes.** received = written + skipped + rejected + dead-lettered + failed + in
//!    flight. Asserted at rest by the tests of faults (`App::assert_at_rest`).

pub mod admin;
pub mod app;
pub mod cli;
pub mod commands;
pub mod config;
pub mod dead_letter;
pub mod event;
pub mod exit;
pub mod import;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod lifecycle;
pub mod local_servers;
pub mod lock;
pub mod logging;
pub mod metrics;
pub mod outcome;
pub mod pipeline;
pub mod printable;
pub mod readiness;
pub mod redis;
pub mod server;
pub mod source;
pub mod tls;
