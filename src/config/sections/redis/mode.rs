//! `redis.mode`: which kind of Redis, and which keys have an effect with it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::engine::report::ConfigReport;

/// Which kind of Redis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ModeName {
    /// One server.
    #[default]
    Standalone,
    /// A Redis Cluster.
    Cluster,
    /// The master that sentinels name.
    Sentinel,
    /// Independent servers, each with its part of the keys.
    Sharded,
    /// One server that takes writes, and replicas of it.
    PrimaryReplicas,
    /// A store inside this process that keeps nothing: for trying things.
    Embedded,
    /// A Redis server that is started, and ends, with this process.
    Local,
}

use ModeName::{Cluster, Embedded, Local, PrimaryReplicas, Sentinel, Sharded, Standalone};

/// Keys that have an effect in these modes only.
const KEYS: [(&[ModeName], &[&str]); 10] = [
    (&[Standalone, Cluster, PrimaryReplicas], &["url", "host", "port"]),
    (&[Cluster, Sharded], &["nodes"]),
    (
        &[Standalone, Cluster, Sentinel, Sharded, PrimaryReplicas],
        &["username", "password", "password_file", "password_command"],
    ),
    (&[Cluster], &["cluster.max_redirections", "cluster.refresh", "cluster.nat_map"]),
    (
        &[Sentinel],
        &[
            "sentinel.master",
            "sentinel.nodes",
            "sentinel.username",
            "sentinel.password",
            "sentinel.password_file",
            "sentinel.nat_map",
            "sentinel.tls.enabled",
            "sentinel.tls.ca_file",
            "sentinel.tls.ca_pem",
            "sentinel.tls.cert_file",
            "sentinel.tls.key_file",
            "sentinel.tls.server_name",
            "sentinel.tls.skip_verify",
        ],
    ),
    (
        &[Standalone, Cluster, Sentinel, Sharded, PrimaryReplicas],
        &["durability.wait_replicas", "durability.wait_timeout"],
    ),
    (&[Cluster, Sentinel], &["read_from_replicas"]),
    (&[PrimaryReplicas], &["replicas.nodes"]),
    (&[Embedded], &["embedded.listen"]),
    (&[Local], &["local.binary", "local.port", "local.data_dir"]),
];

impl ModeName {
    /// Completes "has no effect ...".
    pub(super) fn why(self) -> String {
        format!("with redis.mode = {}", serde_json::json!(self))
    }

    /// Errors for keys of other modes that were given.
    pub(super) fn others_have_no_effect(self, report: &mut ConfigReport) {
        for (_, keys) in KEYS.iter().filter(|(modes, _)| !modes.contains(&self)) {
            keys.iter().for_each(|key| report.no_effect(&format!("redis.{key}"), &self.why()));
        }
    }
}
