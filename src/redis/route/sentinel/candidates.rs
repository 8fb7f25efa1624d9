//! Which nodes the sentinels name as the master, the most credible first. Pure.

use super::reply::SentinelReply;
use crate::config::Node;

/// Nodes that sentinels name in one epoch.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Candidates {
    pub(super) epoch: u64,
    /// At least one; nodes that more sentinels name come first.
    pub(super) nodes: Vec<Node>,
}

/// The nodes to try, the newest epoch first.
pub(super) fn candidates(replies: Vec<SentinelReply>) -> Vec<Candidates> {
    let mut counted: Vec<(u64, usize, Node)> = Vec::new();
    for SentinelReply { node, epoch } in replies {
        match counted.iter_mut().find(|(of, _, known)| *of == epoch && *known == node) {
            Some((_, votes, _)) => *votes += 1,
            None => counted.push((epoch, 1, node)),
        }
    }
    // The sort is stable: among equals, the first in the list of sentinels comes first.
    counted.sort_by_key(|(epoch, votes, _)| std::cmp::Reverse((*epoch, *votes)));
    let of_one_epoch = counted.chunk_by(|a, b| a.0 == b.0);
    of_one_epoch
        .map(|group| Candidates {
            epoch: group[0].0,
            nodes: group.iter().map(|(_, _, node)| node.clone()).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(port: u16) -> Node {
        Node { host: "h".into(), port }
    }

    #[test]
    fn the_newest_epoch_comes_first_then_the_majority() {
        let replies = [(1, 4), (2, 5), (3, 5), (3, 5), (9, 0)]
            .map(|(port, epoch)| SentinelReply { node: on(port), epoch });
        let groups = [(5, vec![on(3), on(2)]), (4, vec![on(1)]), (0, vec![on(9)])];
        assert_eq!(
            candidates(replies.into()),
            groups.map(|(epoch, nodes)| Candidates { epoch, nodes })
        );
        assert!(candidates(Vec::new()).is_empty());
    }
}
