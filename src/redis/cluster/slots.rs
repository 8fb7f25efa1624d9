//! Which node owns which slot, as CLUSTER SLOTS tells. Pure.

use redis::Value;

use crate::config::Node;
use crate::redis::SLOTS;

const NOBODY: u16 = u16::MAX;

/// Owners of all slots.
#[derive(Debug, Clone)]
pub(super) struct SlotMap {
    /// Grows with every change.
    pub(super) version: u64,
    /// Nodes that own slots, or did.
    pub(super) nodes: Vec<Node>,
    /// Of each slot: its owner among `nodes`, or [`NOBODY`].
    owners: Box<[u16]>,
    /// Nodes that own none, and may know more.
    pub(super) replicas: Vec<Node>,
}

impl Default for SlotMap {
    fn default() -> Self {
        Self { version: 0, nodes: Vec::new(), owners: vec![NOBODY; SLOTS].into(), replicas: Vec::new() }
    }
}

impl SlotMap {
    /// Reads a reply to CLUSTER SLOTS; `asked` is the node that gave it, which stands in where it does not name itself.
    pub(super) fn read(reply: &Value, asked: &Node, place: impl Fn(Node) -> Node) -> Option<Self> {
        let mut map = Self::default();
        let Value::Array(ranges) = reply else { return None };
        for range in ranges {
            let Value::Array(range) = range else { return None };
            let [Value::Int(first), Value::Int(last), owner, replicas @ ..] = &range[..] else { return None };
            let (first, last) = (usize::try_from(*first).ok()?, usize::try_from(*last).ok()?);
            let owner = map.index(place(node(owner, asked)?));
            map.owners.get_mut(first..=last)?.fill(owner);
            map.replicas.extend(replicas.iter().filter_map(|replica| node(replica, asked)).map(&place));
        }
        (!map.nodes.is_empty()).then_some(map)
    }

    pub(super) fn newer_than(self, old: &Self) -> Self {
        Self { version: old.version + 1, ..self }
    }

    pub(super) fn owner(&self, slot: u16) -> Option<&Node> {
        self.nodes.get(usize::from(*self.owners.get(usize::from(slot))?))
    }

    /// Nodes that own any of `slots`.
    pub(super) fn owners(&self, slots: std::ops::Range<usize>) -> Vec<&Node> {
        let mut owners = self.owners[slots].to_vec();
        owners.sort_unstable();
        owners.dedup();
        owners.into_iter().filter_map(|owner| self.nodes.get(usize::from(owner))).collect()
    }

    /// A node that owned slots in `old` and owns none now: a replica took its place, or all its slots were moved away.
    pub(super) fn replaced<'a>(&self, old: &'a Self) -> Option<&'a Node> {
        let owners = self.owners(0..SLOTS);
        old.owners(0..SLOTS).into_iter().find(|owner| !owners.contains(owner))
    }

    /// Slots that nobody owns.
    pub(super) fn uncovered(&self) -> usize {
        self.owners.iter().filter(|&&owner| owner == NOBODY).count()
    }

    /// How many slots each node owns.
    pub(super) fn shares(&self) -> Vec<(&Node, usize)> {
        let count = |index: usize| self.owners.iter().filter(|&&owner| usize::from(owner) == index).count();
        self.nodes.iter().enumerate().map(|(index, node)| (node, count(index))).collect()
    }

    /// The same, but for one slot.
    pub(super) fn with(&self, slot: u16, owner: Node) -> Self {
        let mut map = Self { version: self.version + 1, ..self.clone() };
        let owner = map.index(owner);
        if let Some(slot) = map.owners.get_mut(usize::from(slot)) {
            *slot = owner;
        }
        map
    }

    fn index(&mut self, node: Node) -> u16 {
        let known = self.nodes.iter().position(|known| *known == node).unwrap_or_else(|| {
            self.nodes.push(node);
            self.nodes.len() - 1
        });
        u16::try_from(known).expect("fewer nodes than slots")
    }
}

/// `[host or nil, port, ..]`.
fn node(value: &Value, asked: &Node) -> Option<Node> {
    let Value::Array(parts) = value else { return None };
    let [host, Value::Int(port), ..] = &parts[..] else { return None };
    let host = match host {
        Value::BulkString(host) => str::from_utf8(host).ok()?,
        Value::SimpleString(host) => host,
        Value::Nil => "",
        _ => return None,
    };
    // An empty host: the one that was asked. "?": a node that does not know its own.
    let host = if host.is_empty() || host == "?" { asked.host.clone() } else { host.to_owned() };
    Some(Node { host, port: u16::try_from(*port).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> Node {
        Node { host: host.into(), port }
    }

    fn entry(host: Option<&str>, port: i64) -> Value {
        let host = host.map_or(Value::Nil, |host| Value::BulkString(host.into()));
        Value::Array(vec![host, Value::Int(port), Value::BulkString(b"id".into())])
    }

    fn range(first: i64, last: i64, nodes: &[Value]) -> Value {
        Value::Array([Value::Int(first), Value::Int(last)].into_iter().chain(nodes.iter().cloned()).collect())
    }

    fn read(ranges: Vec<Value>) -> Option<SlotMap> {
        SlotMap::read(&Value::Array(ranges), &at("asked", 1), |node| node)
    }

    #[test]
    fn owners_and_replicas() {
        let map =
            read(vec![range(0, 99, &[entry(Some("a"), 1), entry(Some("c"), 3)]), range(100, 16_383, &[entry(Some("b"), 2)])]);
        let map = map.unwrap();
        assert_eq!((map.owner(99), map.owner(100)), (Some(&at("a", 1)), Some(&at("b", 2))));
        assert_eq!((map.replicas.clone(), map.uncovered()), (vec![at("c", 3)], 0));
        assert_eq!(map.owners(50..150), [&at("a", 1), &at("b", 2)]);
        assert_eq!(map.shares(), [(&at("a", 1), 100), (&at("b", 2), 16_284)]);
    }

    #[test]
    fn a_node_without_a_name_is_the_one_that_was_asked() {
        for host in [None, Some(""), Some("?")] {
            let map = read(vec![range(0, 16_383, &[entry(host, 7)])]).unwrap();
            assert_eq!(map.owner(5), Some(&at("asked", 7)));
        }
    }

    #[test]
    fn a_moved_slot_has_a_new_owner() {
        let map = read(vec![range(0, 9, &[entry(Some("a"), 1)])]).unwrap();
        assert_eq!(map.uncovered(), SLOTS - 10);
        let moved = map.with(5, at("z", 9)).with(12, at("a", 1));
        assert_eq!((moved.owner(5), moved.owner(4), moved.owner(12)), (Some(&at("z", 9)), Some(&at("a", 1)), Some(&at("a", 1))));
        assert_eq!((moved.version, moved.nodes.len()), (2, 2));
    }

    #[test]
    fn a_node_is_replaced_when_it_owns_nothing_any_more() {
        let map =
            |middle: &str| read(vec![range(0, 9, &[entry(Some("a"), 1)]), range(10, 19, &[entry(Some(middle), 2)])]).unwrap();
        let (old, failed_over) = (map("b"), map("c"));
        assert_eq!(failed_over.replaced(&old), Some(&at("b", 2)));
        assert_eq!(old.with(10, at("a", 1)).with(11, at("new", 3)).replaced(&old), None, "slots were moved");
        assert_eq!(old.replaced(&SlotMap::default()), None);
    }

    #[test]
    fn what_is_no_map_is_none() {
        assert!(read(vec![]).is_none());
        assert!(read(vec![Value::Int(1)]).is_none());
        assert!(read(vec![range(0, 20_000, &[entry(Some("a"), 1)])]).is_none());
        assert!(read(vec![range(0, 1, &[Value::Nil])]).is_none());
    }
}
