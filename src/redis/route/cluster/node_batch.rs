//! The part of a batch that goes to one node.

use crate::config::Node;
use crate::redis::command::{Expected, Writes};
use crate::redis::link::{Link, NodeReply};
use crate::redis::{Allowed, Trouble};

const ASKING: &[u8] = b"*1\r\n$6\r\nASKING\r\n";

/// Writes of one batch that go to one node.
pub(super) struct NodeBatch {
    pub(super) node: Node,
    /// Positions of the writes in the whole batch.
    pub(super) writes: Vec<usize>,
    packed: Vec<u8>,
    expected: Vec<Expected>,
    pub(super) replies: Vec<NodeReply>,
    /// Each command is preceded by ASKING.
    pub(super) ask: bool,
}

impl NodeBatch {
    /// Puts `write` into the batch of `node`.
    pub(super) fn add(
        batches: &mut Vec<Self>,
        node: &Node,
        ask: bool,
        write: usize,
        writes: &Writes,
    ) {
        let at = batches
            .iter()
            .position(|batch| batch.ask == ask && batch.node == *node)
            .unwrap_or_else(|| {
                batches.push(Self {
                    node: node.clone(),
                    writes: Vec::new(),
                    packed: Vec::new(),
                    expected: Vec::new(),
                    replies: Vec::new(),
                    ask,
                });
                batches.len() - 1
            });
        let batch = &mut batches[at];
        batch.writes.push(write);
        batch.expected.push(writes.expected()[write]);
        for command in writes.commands(write) {
            if ask {
                batch.packed.extend_from_slice(ASKING);
            }
            batch.packed.extend_from_slice(command);
        }
    }

    pub(super) async fn send(&mut self, link: &mut Link, allowed: Allowed<'_>) -> Option<Trouble> {
        link.write(&self.packed, &self.expected, self.ask, allowed, &mut self.replies).await
    }
}
