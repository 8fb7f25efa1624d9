//! `[redis.cluster]`: the keys for `mode = "cluster"`, as typed and as valid.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::node::{NatMap, Node, NodeText};
use crate::config::engine::report::ConfigReport;
use crate::config::engine::units::Span;

/// A Redis Cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// At least one; the others are found through it.
    pub seeds: Vec<Node>,
    /// Times that a write is sent on before it is retried with a new map.
    pub max_redirections: u32,
    /// How often the map is asked for although nothing is wrong.
    pub refresh: Duration,
    /// Addresses that nodes announce, and where they are reached from here.
    pub nat_map: NatMap,
}

/// With `mode = "cluster"`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawCluster {
    /// Times that a write is sent on (MOVED, ASK) before it is retried with a new map of the slots.
    #[schemars(range(min = 1, max = 100))]
    max_redirections: u32,
    /// How often the nodes are asked which of them owns which slot although nothing is wrong.
    refresh: Span,
    /// Addresses that nodes announce, and where they are reached from here: `"10.0.0.1:6379" =
    /// "redis-1.example:6379"`.
    nat_map: BTreeMap<String, NodeText>,
}

impl Default for RawCluster {
    fn default() -> Self {
        Self { max_redirections: 16, refresh: Span::secs(60), nat_map: BTreeMap::new() }
    }
}

impl RawCluster {
    pub(super) fn resolve(&self, seeds: Vec<Node>, report: &mut ConfigReport) -> Cluster {
        report.not_zero("redis.cluster.refresh", self.refresh);
        Cluster {
            seeds,
            max_redirections: self.max_redirections,
            refresh: self.refresh.0,
            nat_map: NatMap::resolve("redis.cluster.nat_map", &self.nat_map, report),
        }
    }
}
