//! The part of a batch that goes to one node.

use crate::config::Node;
use crate::redis::command::{Expected, PackedCommands, PackedWrites, Writes};
use crate::redis::link::{ASKING, Link, NodeReply};
use crate::redis::{Allowed, Trouble};

/// Writes of one batch that go to one node.
pub(super) struct NodeBatch {
    pub(super) node: Node,
    /// Positions of the writes in the whole batch.
    pub(super) writes: Vec<usize>,
    packed: Vec<u8>,
    follow_ups: PackedCommands,
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
                    follow_ups: PackedCommands::default(),
                    expected: Vec::new(),
                    replies: Vec::new(),
                    ask,
                });
                batches.len() - 1
            });
        let batch = &mut batches[at];
        batch.writes.push(write);
        batch.expected.push(writes.expected(write));
        for command in writes.commands(write) {
            if ask {
                batch.packed.extend_from_slice(ASKING);
            }
            batch.packed.extend_from_slice(command);
        }
        for command in writes.follow_ups(write) {
            batch.follow_ups.push(command);
            batch.follow_ups.end();
        }
    }

    pub(super) async fn send(&mut self, link: &mut Link, allowed: Allowed<'_>) -> Option<Trouble> {
        let Self { packed, follow_ups, expected, ask, replies, .. } = self;
        let writes = PackedWrites { commands: packed, follow_ups, expected };
        link.write(writes, *ask, allowed, replies).await
    }
}
