//! The one test binary. Where a new test goes:

/// `/live`, `/ready`, `/metrics`.
mod admin;
/// Clients that mean ill: what they send, and what honest ones notice of it.
mod attacks;
/// Recordings of the official SDKs, sent again.
mod captures;
/// `check --connect`: a write that would be refused now, and what a server says of itself.
mod check_connect;
/// The command line, by running the real binary: help, exit codes, what is printed and what never
/// is.
mod cli;
/// A real Redis Cluster: slots that move, masters that die.
mod cluster;
/// What layers of files, variables and flags come to.
mod config;
/// The exact errors of the configuration, and what never shows in them.
mod config_errors;
/// `[kafka]`: what is valid, and its errors.
#[cfg(feature = "kafka")]
mod config_kafka;
/// What a configuration warns of, and that nothing that may be a secret is ever shown.
#[cfg(feature = "kafka")]
mod config_secrets;
/// Connecting to real servers: credentials, sockets, timeouts, fencing, the probe.
mod connection;
/// Dashboards name only metrics that the program exports.
mod dashboards;
/// The dead-letter file is moved, emptied, removed, locked, half written.
mod dead_letters;
/// Several processes on one dead-letter file, and writes that fail.
mod dead_letters_shared;
/// What a new user meets first.
mod demo;
/// The store in the process, asked by `redis-cli`.
mod embedded;
/// Something breaks under load; what was acknowledged must be in Redis.
mod faults;
/// The network between the worker and Redis breaks under load.
mod faults_network;
/// Passwords and certificates change under load.
mod faults_rotation;
/// A server that answers and takes no writes: full, a replica, busy, loading, closed to this user;
/// then cured.
mod faults_states;
/// Late bytes of a lost connection.
mod fence;
/// Files that are written from the program itself: references and the default configuration.
mod generated;
/// What one event becomes, row by row: new behaviour of the transform goes into `tests/golden`.
mod golden;
/// What tests stand on; no tests.
mod harness;
/// What a client meets when Redis, memory or the client itself is slow.
mod http;
/// Good and bad requests, as data.
mod http_corpus;
/// Clients that stay silent, send too much, or come from elsewhere.
mod http_crowd;
/// Other systems' files, and what `config import` makes of them: a new case goes into
/// `tests/import`.
mod import;
/// Real brokers: what the harness promises, every way to log in and to be refused, the probe.
#[cfg(feature = "kafka")]
mod kafka_client;
/// Redis loses what it confirmed; the worker reads it again.
#[cfg(feature = "kafka")]
mod kafka_failover;
/// Workers, brokers and Redis break under load from Kafka; what is committed must be in Redis.
#[cfg(feature = "kafka")]
mod kafka_faults;
/// Topics into Redis: shapes, offsets, bad records, dead letters.
#[cfg(feature = "kafka")]
mod kafka_source;
/// Topics that are not plain logs: compacted, transactional, cut off.
#[cfg(feature = "kafka")]
mod kafka_topics;
/// Topics whose events lie in lists and wrappers, or have no type.
#[cfg(feature = "kafka")]
mod kafka_wrappers;
/// Which room may use which, file sizes, what the binary needs.
mod layout;
/// A server that is started, and ends, with the worker.
mod local;
/// Standard error that nobody reads.
mod logging;
/// Lanes and retries against a simulated Redis.
mod model;
/// Kafka's watermark over lanes that are killed at any point.
#[cfg(feature = "kafka")]
mod model_kafka;
/// Proxies and managed services that know few commands.
mod proxies;
/// The transform written once more, slowly; no tests.
mod reference;
/// Events that a server refuses in words of its own, beside others that it takes.
mod refused;
/// Files through `replay` into Redis, every golden row among them.
mod replay;
/// A primary that is written to, and its replicas.
mod replicas;
/// RESP3, chosen with `redis.protocol`.
mod resp3;
/// RudderStack's destination settings as the `[redis]` section.
mod rudderstack;
/// The master that sentinels name: masters that die, freeze, are replaced; sentinels that are dead
/// or wrong.
mod sentinel;
/// The serving loop's deadlines, cap and stops, with services of our own.
mod server;
/// Redis and Valkey of other versions.
mod servers;
/// Independent servers, each with its part of the keys.
mod sharded;
/// SIGHUP ends no verb.
mod signals;
/// Every way in which TLS goes wrong, and what we say about it.
mod tls;
/// The transform against the reference, on generated events.
mod transform_property;
/// A client that sends exactly the bytes it is given; no tests.
mod wire;
/// The worker as a whole: what stays in a hash, full servers, full files, and what is never said.
mod worker;
/// The worker against protected servers: TLS, client certificates, ACLs, sockets.
mod worker_tls;
