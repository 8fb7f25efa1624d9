//! `[redis.replicas]`: the keys for `mode = "primary_replicas"`, as typed and as valid.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::node::Node;
use super::nodes::RawNode;

/// One server that takes writes, and those that follow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrimaryReplicas {
    pub primary: Address,
    /// At least one.
    pub replicas: Vec<Node>,
}

/// With `mode = "primary_replicas"`: `redis.url`, or host and port, is the primary.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawReplicas {
    /// The replicas: `"host:port"`, or tables as in `redis.nodes`.
    #[schemars(example = ["redis-2:6379"])]
    pub(super) nodes: Option<Vec<RawNode>>,
}
