//! The one binary of integration tests. The list says where a new test goes.

/// `/live`, `/ready`, `/metrics`.
mod admin;
/// `/api/` of an admin listener on this machine is closed to websites.
mod admin_origin;
/// Recording rules and alerts, with a real Prometheus.
mod alerts;
/// Attacks: the bytes that attackers send, and their effect on honest clients.
mod attacks;
/// Recordings of the official SDKs, sent again.
mod captures;
/// The metric of when certificates end.
mod certificates;
/// The Helm chart and the plain manifests: valid, safe, and accepted by the program.
mod chart;
/// `check --connect`: writes that would be refused now, and the server's own data in the report.
mod check_connect;
/// The command line, with the real binary: help, exit codes, output, and secrets that are never
/// printed.
mod cli;
/// A real Redis Cluster: slots that move, masters that die.
mod cluster;
/// The effective configuration of files, variables and flags.
mod config;
/// What `[deletion]` comes to, and its exact errors.
mod config_deletion;
/// The exact errors of the configuration, and secrets that they never show.
mod config_errors;
/// `[kafka]`: valid settings, and the exact errors.
#[cfg(feature = "kafka")]
mod config_kafka;
/// Templates of keys and prefixes that events choose, and their exact errors.
mod config_keys;
/// What `[profile]` comes to, which of its keys go together, and its exact errors.
mod config_profile;
/// The effective settings of `[redis]` and its tables.
mod config_redis;
/// Warnings of the configuration, and secrets that no output shows.
#[cfg(feature = "kafka")]
mod config_secrets;
/// Values of the wrong type, many errors at once, and secrets that errors never show.
mod config_values;
/// Connecting to real servers: credentials, sockets, timeouts, fencing, the probe.
mod connection;
/// Connections that break, stall or receive too many replies, and the fence.
mod connection_lost;
/// The dashboards: metrics that exist, panels that explain themselves, Grafana's schema.
mod dashboards;
/// The dead-letter file is moved, emptied, removed, locked or half written.
mod dead_letters;
/// Several processes on one dead-letter file, and writes that fail.
mod dead_letters_shared;
/// Users are deleted by a real worker, with exactly the permissions that it asks for.
mod deleted_users;
/// The deletion API, its store and its runner, in this process.
mod deletion;
/// `traitsink demo`, the first command of a new user.
mod demo;
/// The documents lead to files and tests that exist.
mod documents;
/// The embedded store, used with `redis-cli`.
mod embedded;
/// The examples in `deploy/`: each one is accepted, and all that they name exists.
#[cfg(feature = "kafka")]
mod examples;
/// Faults under load; acknowledged events must be in Redis.
mod faults;
/// This machine's clock jumps, and its processor has little time for the worker.
mod faults_machine;
/// Faults of the network between the worker and Redis, under load.
mod faults_network;
/// Under load, a primary becomes a replica, and replicas lose their primary.
mod faults_roles;
/// Passwords and certificates change under load.
mod faults_rotation;
/// States in which a server answers and takes no writes (full, a replica, busy, loading, closed to
/// this user), and their end.
mod faults_states;
/// Late bytes of a lost connection.
mod fence;
/// Files that are written from the program itself: references and the default configuration.
mod generated;
/// The effect of one event, row by row. New behaviour of the transform gets rows in `tests/golden`.
mod golden;
/// Under which key an event is written, and whom it deletes, row by row.
mod golden_keys;
/// Newest wins on real servers, against a model of it.
mod guard;
/// The test harness; no tests.
mod harness;
/// The HTTP source while Redis, memory or the client itself is slow.
mod http;
/// Good and bad requests, as data.
mod http_corpus;
/// Limits on HTTP clients that stay silent, send too much, or come from other sites.
mod http_limits;
/// The image of `deploy/Dockerfile`, put together by hand and started.
mod image;
/// `config import` with other systems' files. A new case goes into `tests/import`.
mod import;
/// `config import` prints one line for each option of another system's file.
mod import_options;
/// JSON documents in real servers with RedisJSON: what series of events make of them.
mod json_documents;
/// What one event becomes where profiles are JSON documents, and events of profile entities.
mod json_golden;
/// A second, simple version of what an event does to a document; no tests.
mod json_reference;
/// The worker with JSON documents: what users see of it.
mod json_worker;
/// Real brokers: the promises of the harness, every way to log in and to be refused, the probe.
#[cfg(feature = "kafka")]
mod kafka_client;
/// A deleted user stays deleted through a replay of the whole topic.
#[cfg(feature = "kafka")]
mod kafka_deletion;
/// Redis loses confirmed writes; the worker reads their records again.
#[cfg(feature = "kafka")]
mod kafka_failover;
/// Faults of workers, brokers and Redis under load from Kafka; committed events must be in Redis.
#[cfg(feature = "kafka")]
mod kafka_faults;
/// The topics and offsets that a group reads, and the report of `check` about its brokers.
#[cfg(feature = "kafka")]
mod kafka_groups;
/// `replay --dead-letter-topic`.
#[cfg(feature = "kafka")]
mod kafka_letters;
/// Topics into Redis: shapes, offsets, bad records, dead letters.
#[cfg(feature = "kafka")]
mod kafka_source;
/// `/api/status` with a Kafka source.
#[cfg(feature = "kafka")]
mod kafka_status;
/// Kafka records without a value.
#[cfg(feature = "kafka")]
mod kafka_tombstones;
/// Topics that are no plain logs: compacted, transactional, truncated.
#[cfg(feature = "kafka")]
mod kafka_topics;
/// Topics whose events are in lists and wrappers, or have no type.
#[cfg(feature = "kafka")]
mod kafka_wrappers;
/// Templates of keys, groups, prefixes that events choose, events that delete.
mod keys;
/// The rules of the layout: who may use whom, file sizes, the libraries of the binary.
mod layout;
/// `check --live` against listeners that are well, silent, wrong or gone.
mod live;
/// `redis.mode = local`: a server that starts and ends with the worker.
mod local;
/// A standard error that nobody reads.
mod logging;
/// `traitsink man`: the manual page.
mod man;
/// Lanes and retries with a simulated Redis.
mod model;
/// Kafka's watermark over lanes that are killed at any point.
#[cfg(feature = "kafka")]
mod model_kafka;
/// Spans for OpenTelemetry, as a collector receives them.
#[cfg(feature = "otlp")]
mod otlp;
/// The status page, in a real browser.
mod page;
/// What events say about their time, nulls and ends, row by row, under the rules of `[profile]`.
mod profile_events;
/// `/api/profile` in each mode of Redis, and every answer that is not 200.
mod profile_lookup;
/// The time of an event on its way to dead letters, through replays, and in the tap.
mod profile_times;
/// What a profile becomes: expiry, removed fields, replaced and newest profiles, on many servers.
mod profiles;
/// Proxies and managed services that support few commands.
mod proxies;
/// An HTTP client that sends exactly the given bytes; no tests.
mod raw_http;
/// A second, simple version of the transform; no tests.
mod reference;
/// Servers that refuse some keys with unknown texts, and take the others.
mod refused;
/// The configuration is read again while the worker runs: all of it is taken over, or nothing.
mod reload;
/// Files through `replay` into Redis, all golden rows included.
mod replay;
/// What `replay` reads: formats, compressed and damaged files, directories, dry runs.
mod replay_files;
/// How `replay` is ended and goes on: kills, `--resume`, its rate and progress.
mod replay_resume;
/// A primary that takes the writes, and its replicas.
mod replicas;
/// RESP3, chosen with `redis.protocol`.
mod resp3;
/// RudderStack's destination settings as the `[redis]` section.
mod rudderstack;
/// Real sentinels: masters that die, freeze or are replaced; sentinels that are dead or wrong.
mod sentinel;
/// The serving loop's deadlines, connection limit and stops, with the tests' own services.
mod server;
/// Redis and Valkey of other versions.
mod servers;
/// Independent servers, each with a part of the keys.
mod sharded;
/// SIGHUP ends no command of the program.
mod signals;
/// The long run: load and a fault a minute, while memory and descriptors stay where they are.
#[cfg(feature = "kafka")]
mod soak;
/// `/api/status` under load and in trouble, and secrets that it never shows.
mod status;
/// What the manager of the service is told: sd_notify(3), with real sockets.
mod systemd;
/// The unit for systemd: valid, hardened, and its commands run by hand.
mod systemd_unit;
/// `tap` and `/api/tap`: what is shown, and that the worker never waits; `top` without a terminal.
mod tap;
/// Every way in which TLS fails, and the error messages.
mod tls;
/// Client certificates, as real servers demand them.
mod tls_client;
/// Redis behind stunnel.
mod tls_stunnel;
/// `top` in a terminal.
mod top;
/// The transform against the reference, on generated events.
mod transform_property;
/// Events and lists as generated text; no tests.
mod transform_values;
/// The whole worker: fields that stay in a hash, full servers, full files, and secrets that it
/// never shows.
mod worker;
/// The worker with protected servers: TLS, client certificates, ACLs, sockets.
mod worker_tls;
