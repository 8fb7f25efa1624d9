//! What is known of each node of Redis: for the status page, which shows it together.

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::Timestamp;
use prometheus::core::Collector;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use crate::lock::lock;

use super::labels::label;
use super::register::Register;

/// An error of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeError {
    /// When it was counted.
    pub at: Timestamp,
    /// The class of `traitsink_redis_errors_total`.
    pub class: &'static str,
    /// Redis's own first word, or `NONE`.
    pub code: String,
    /// What happened, in plain words, without secrets or personal data.
    pub message: String,
}

/// One node that is known now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisNode {
    /// `host:port`, or the path of a socket.
    pub node: String,
    /// `primary` or `sentinel`.
    pub role: String,
    /// Whether it answers.
    pub up: bool,
    /// Connections made again after one was lost.
    pub reconnects: u64,
    /// The last error.
    pub last_error: Option<NodeError>,
}

/// The series of nodes, and the last error of each.
pub(super) struct RedisNodes {
    up: IntGaugeVec,
    reconnects: IntCounterVec,
    errors: Mutex<BTreeMap<String, NodeError>>,
}

impl RedisNodes {
    pub(super) fn new(register: &Register) -> Self {
        Self {
            up: register.gauges(
                "traitsink_redis_up",
                "1 while this node answers.",
                &["node", "role"],
            ),
            reconnects: register.counters(
                "traitsink_redis_reconnects_total",
                "Connections made again after one was lost.",
                &["node"],
            ),
            errors: Mutex::default(),
        }
    }

    pub(super) fn up(&self, node: &str, role: &str) -> IntGauge {
        self.up.with_label_values(&[node, role])
    }

    pub(super) fn reconnects(&self, node: &str) -> IntCounter {
        self.reconnects.with_label_values(&[node])
    }

    pub(super) fn note(&self, node: &str, error: NodeError) {
        let mut errors = lock(&self.errors);
        match errors.get_mut(node) {
            Some(last) => *last = error,
            None => drop(errors.insert(node.to_owned(), error)),
        }
    }

    pub(super) fn forget(&self, node: &str, role: &str) {
        let _was_forgotten_before = self.up.remove_label_values(&[node, role]);
        lock(&self.errors).remove(node);
    }

    /// The nodes, by role and name. Makes no series.
    pub(super) fn all(&self) -> Vec<RedisNode> {
        let reconnects = self.reconnects.collect();
        let reconnects: BTreeMap<&str, u64> = reconnects
            .iter()
            .flat_map(|family| family.get_metric())
            .map(|series| (label(series, "node"), series.get_counter().get_value() as u64))
            .collect();
        let mut nodes: Vec<RedisNode> = Vec::new();
        for series in self.up.collect().iter().flat_map(|family| family.get_metric()) {
            let node = label(series, "node").to_owned();
            nodes.push(RedisNode {
                role: label(series, "role").to_owned(),
                up: series.get_gauge().get_value() == 1.0,
                reconnects: reconnects.get(node.as_str()).copied().unwrap_or_default(),
                last_error: lock(&self.errors).get(&node).cloned(),
                node,
            });
        }
        nodes.sort_by(|a, b| (&a.role, &a.node).cmp(&(&b.role, &b.node)));
        nodes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str) -> NodeError {
        NodeError {
            at: Timestamp::UNIX_EPOCH,
            class: "retry",
            code: code.to_owned(),
            message: String::new(),
        }
    }

    #[test]
    fn a_node_has_its_role_its_state_and_its_last_error_until_it_is_forgotten() {
        let nodes = RedisNodes::new(&Register::default());
        nodes.up("b:1", "sentinel").set(0);
        nodes.up("b:1", "primary").set(1);
        nodes.up("a:1", "primary").set(0);
        nodes.reconnects("a:1").inc();
        nodes.note("a:1", error("OOM"));
        nodes.note("a:1", error("BUSY"));
        let node = |node: &str, role: &str, up, reconnects, last_error| RedisNode {
            node: node.to_owned(),
            role: role.to_owned(),
            up,
            reconnects,
            last_error,
        };
        let others =
            [node("b:1", "primary", true, 0, None), node("b:1", "sentinel", false, 0, None)];
        let known = nodes.all();
        assert_eq!(known[0], node("a:1", "primary", false, 1, Some(error("BUSY"))));
        assert_eq!(known[1..], others);
        let series = nodes.reconnects.collect()[0].get_metric().len();
        assert_eq!(series, 1, "looking makes no series");
        nodes.forget("a:1", "primary");
        assert_eq!(nodes.all(), others);
        nodes.up("a:1", "primary").set(1);
        assert_eq!(nodes.all()[0].last_error, None);
    }
}
