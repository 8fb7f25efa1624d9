//! `traitsink` reads analytics events, keeps `identify`, flattens the traits and writes them to
//! Redis hashes. This page is the map of its code.
//!
//! # The way of one event
//! A *message* (an HTTP body, a Kafka record, a line of a file) is split into *events*
//! ([`event::split()`], [`event::events_of()`]). Each event is transformed into an *update*
//! ([`event::Transformer`]: one Redis key and its packed fields), or skipped or rejected with a
//! counted reason. The [`pipeline::Intake`] pushes the update, with its *ack*, onto the *lane* of
//! its key. A lane takes what has gathered as one *batch*, writes it through its
//! [`redis::LaneWriter`], and settles each ack with its *outcome*. An event that Redis refuses for
//! an unknown reason is *set aside* with its key, while the lane goes on with others. The source's
//! *receipts* turn outcomes into an answer: HTTP 200, a *watermark* that Kafka may commit, a line
//! counted as done.
//!
//! # Five promises
//! 1. **Ack after write.** No HTTP 200 and no Kafka offset before Redis replied OK to that event's
//!    write, or the event is in the dead letters (fsync, or all in-sync replicas). Proven by
//!    `tests/it/{cluster,faults,faults_network,faults_states,faults_roles,kafka_failover}.rs` and
//!    `tests/it/{kafka_faults,model_kafka,sentinel,sharded}.rs`.
//! 2. **Order.** Events of one key are written in the order in which they were accepted, also
//!    across retries. A request that was given up, or a worker that lost its partitions, never
//!    overwrites what a later one wrote. Proven by `tests/it/model/` and `tests/it/fence.rs`, and
//!    the oracles in `tests/it/{faults,kafka_faults}.rs`.
//! 3. **Bounded.** Bytes in flight never exceed `delivery.max_in_flight`. Resident memory never
//!    exceeds that plus 64 MiB (and what the Kafka client fetches ahead). A lane that stands still
//!    cannot eat the others' share, nor slow clients the share of those who send. Proven by
//!    [`pipeline::Budget`]'s tests, `tests/it/worker.rs`, `tests/it/http_limits.rs` and
//!    `tests/it/attacks/`.
//! 4. **Unsettled is failed.** An ack dropped without an outcome counts as failed. Proven by
//!    [`pipeline::Ack`]'s tests.
//! 5. **The ledger closes.** received = written + stale + skipped + rejected + dead-lettered +
//!    failed + in flight. Asserted at rest by the tests of faults (`App::assert_at_rest`).
//!
//! # Rooms
//! Each room is a folder or a file of `src`, and begins with what it is for. The table in
//! `tests/it/layout/mod.rs` says which room may use which. Neither rooms nor files form a circle.
//!
//! * [`commands`], [`cli`], [`exit`]: One file for each verb; options; exit codes.
//! * [`app`], [`lifecycle`]: Wires everything, in reading order; signals and stopping.
//! * [`admin`], [`readiness`]: The listener for operators (a file for the routes of each purpose),
//!   and what `/ready` waits for.
//! * [`status`]: What the worker is doing now: the document of `/api/status`, and its history.
//! * [`worker_client`], [`systemd`]: Asks a running worker's admin listener; tells the manager of
//!   the service.
//! * [`tap`]: Shows operators a sample of what becomes of events.
//! * [`source`]: `http/`, `kafka/`, `file/`, `letter_topic`; `log/` is pure: offsets of any
//!   partitioned log.
//! * [`pipeline`]: From an event to its outcome: intake, lanes, batches, acks, memory.
//! * [`dead_letter`]: Keeps events that can never be written, and decides *dead-lettered* or
//!   *failed*.
//! * [`deletion`]: Deletes users: the API, its state on disk, and who is suppressed.
//! * [`redis`]: `command/` write forms, `route/` which server takes a key, `link/` and `wire/`
//!   connections, `errors/` what a reply means, `probe/` what `check --connect` asks.
//! * [`local_servers`]: Servers that this program starts: in this process, or as a child.
//! * [`event`]: Pure: bytes to a decision. Splitting, decoding, flattening, limits.
//! * [`outcome`]: How an event ended, and where it came from: the words that label metrics.
//! * [`metrics`], [`logging`]: What is counted; what is logged, and how often.
//! * [`profile`]: How a profile changes, and how keys are made: what the configuration says about
//!   it, for all who obey. Pure.
//! * [`config`]: `engine/` how keys are read, `sections/` one file or folder for each table.
//! * [`import`]: Other systems' files as our settings (`config import`, `--rudderstack`).
//! * `kafka`, [`tls`], [`server`]: Clients and the HTTP serving loop, without knowledge of events.
//! * [`trace`]: Spans of this work for OpenTelemetry; empty without the feature `otlp`.
//! * [`store`]: Tables in a file that one process uses at a time.
//! * [`lock`], [`printable`], [`private_file`], `words`: Small helpers: a lock after a panic, text
//!   that is safe to print, files of this user alone, enums whose values are words.
//!
//! # Where a change goes
//! * **A source**: a file or folder in `source/`, its section in `config/sections/`, its start in
//!   `app/`, its name in [`outcome::Source`]. `docs/sources.md` shows it step by step.
//! * **A write form** (expiry, deletion, JSON): a variant of [`redis::Write`] and a file beside
//!   `redis/command/hash.rs`. `CONTRIBUTING.md` lists the other places; the compiler names some.
//! * **What a failover of Sentinel means**: `redis/route/sentinel/state.rs`, a pure state machine
//!   with a table of tests; its notices are read in `notice.rs`, and tasks feed it in `watch.rs`.
//! * **An error of Redis**: one row in `redis/errors/table.rs`.
//! * **A key of the configuration**: a field of its section; its doc comment is its help.
//! * **What an event becomes**: `event/`, and rows in `tests/golden/`.
//! * **A fault**: a row in `tests/FAULTS.md`, and a test that plays it.
//!
//! # Words
//! *message* (raw, from a source), *event* (decoded), *update* (one key and what is written to it),
//! *job* (an update with its ack, in a lane), *lane* (an ordered part of the keys: one queue, one
//! task, one write in flight), *batch*, *ack*, *receipts*, *outcome* (written, stale, skipped,
//! rejected, dead-lettered, failed), *verdict* (Redis's answer to one write), *trouble* (why a
//! server takes no writes), *watermark* (all offsets below are settled), *dead letter*.

pub mod admin;
pub mod app;
pub mod cli;
pub mod commands;
pub mod config;
pub mod dead_letter;
pub mod deletion;
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
pub mod private_file;
pub mod profile;
pub mod readiness;
pub mod redis;
pub mod server;
pub mod source;
pub mod status;
pub mod store;
pub mod systemd;
pub mod tap;
pub mod tls;
pub mod trace;
mod words;
pub mod worker_client;
