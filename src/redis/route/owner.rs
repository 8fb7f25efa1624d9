//! The server that takes the writes of one key, for questions outside the lanes.

use crate::config::Node;
use crate::redis::Connector;

/// The server that takes the writes of one key.
#[derive(Clone)]
pub(in crate::redis) struct KeyOwner {
    pub(in crate::redis) connector: Connector,
    /// The node of a cluster.
    pub(super) node: Option<Node>,
    /// Each command needs an ASKING before it: the key is on its way to this node.
    pub(in crate::redis) asking: bool,
}

impl KeyOwner {
    /// An owner outside of clusters.
    pub(super) fn server(connector: Connector) -> Self {
        Self { connector, node: None, asking: false }
    }

    /// True for the same server, asked in the same way.
    pub(in crate::redis) fn is_same(&self, other: &Self) -> bool {
        self.connector.node() == other.connector.node() && self.asking == other.asking
    }
}
