//! A shard, for `mode = "sharded"`.

use std::fmt;

use super::node::Node;

/// One of several independent servers. Keys are placed by its text, `host:port/database`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    pub node: Node,
    pub database: u32,
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.node, self.database)
    }
}
