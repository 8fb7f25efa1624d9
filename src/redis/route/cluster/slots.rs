//! The map of slots to nodes, as read from CLUSTER SLOTS. Pure.

use redis::Value;

use crate::config::Node;
use crate::redis::SLOTS;

const NOBODY: u16 = u16::MAX;
/// The most replicas of all ranges together: far more than real clusters have. All of them are
/// asked when a new map is needed.
const MOST_REPLICAS: usize = 4 * SLOTS;

/// The owner of each slot.
#[derive(Debug, Clone)]
pub(super) struct SlotMap {
    /// Rises with every change.
    pub(super) version: u64,
    /// Nodes that own slots, or owned some before.
    pub(super) nodes: Vec<Node>,
    /// The owner of each slot: its position in `nodes`, or [`NOBODY`].
    owners: Box<[u16]>,
    /// Nodes that own no slot, and can be asked for the map.
    pub(super) replicas: Vec<Node>,
}

impl Default for SlotMap {
    fn default() -> Self {
        Self {
            version: 0,
            nodes: Vec::new(),
            owners: vec![NOBODY; SLOTS].into(),
            replicas: Vec::new(),
        }
    }
}

impl SlotMap {
    /// Reads a reply to CLUSTER SLOTS; `asked` is the node that gave it, which stands in where it
    /// does not name itself.
    pub(super) fn read(
        reply: &Value,
        asked: &Node,
        place: impl Fn(Node) -> Node,
    ) -> Result<Self, NoMap> {
        let mut map = Self::default();
        let Value::Array(ranges) = reply else { return Err(NoMap::Malformed) };
        if ranges.len() > SLOTS {
            return Err(NoMap::TooLarge);
        }
        for range in ranges {
            let Value::Array(range) = range else { return Err(NoMap::Malformed) };
            let [Value::Int(first), Value::Int(last), owner, replicas @ ..] = &range[..] else {
                return Err(NoMap::Malformed);
            };
            let slot = |number: i64| usize::try_from(number).map_err(|_| NoMap::Malformed);
            let (first, last) = (slot(*first)?, slot(*last)?);
            let owner = map.index(place(node(owner, asked)?)).ok_or(NoMap::TooLarge)?;
            map.owners.get_mut(first..=last).ok_or(NoMap::Malformed)?.fill(owner);
            map.replicas.extend(
                replicas.iter().filter_map(|replica| node(replica, asked).ok()).map(&place),
            );
            if map.replicas.len() > MOST_REPLICAS {
                return Err(NoMap::TooLarge);
            }
        }
        if map.nodes.is_empty() { Err(NoMap::Empty) } else { Ok(map) }
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

    /// A node that owned slots in `old` and owns none now: a replica took its place, or all its
    /// slots were moved away.
    pub(super) fn replaced<'a>(&self, old: &'a Self) -> Option<&'a Node> {
        let owners = self.owners(0..SLOTS);
        old.owners(0..SLOTS).into_iter().find(|owner| !owners.contains(owner))
    }

    /// Slots that nobody owns.
    pub(super) fn uncovered(&self) -> usize {
        self.owners.iter().filter(|&&owner| owner == NOBODY).count()
    }

    /// Each node, with the number of slots it owns.
    pub(super) fn shares(&self) -> Vec<(&Node, usize)> {
        let count =
            |index: usize| self.owners.iter().filter(|&&owner| usize::from(owner) == index).count();
        self.nodes.iter().enumerate().map(|(index, node)| (node, count(index))).collect()
    }

    /// The same map with another owner of one slot.
    pub(super) fn with(&self, slot: u16, owner: Node) -> Self {
        let mut map = Self { version: self.version + 1, ..self.clone() };
        // Nodes that own nothing any more may fill the list: then the whole map is asked for, as
        // for a slot without an owner.
        let owner = map.index(owner).unwrap_or(NOBODY);
        if let Some(slot) = map.owners.get_mut(usize::from(slot)) {
            *slot = owner;
        }
        map
    }

    /// The number of `node`, which may be new; `None`: there are more nodes than slots.
    fn index(&mut self, node: Node) -> Option<u16> {
        let known = self.nodes.iter().position(|known| *known == node);
        if known.is_none() && self.nodes.len() < SLOTS {
            self.nodes.push(node);
            return u16::try_from(self.nodes.len() - 1).ok();
        }
        u16::try_from(known?).ok()
    }
}

/// Why a reply to CLUSTER SLOTS is no map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoMap {
    /// Nobody owns a slot.
    Empty,
    /// An owner is announced as `?`, and nothing else says where it is.
    Nameless,
    /// More ranges, owners or replicas than a cluster can have.
    TooLarge,
    Malformed,
}

/// `[host or nil, port, id, metadata]`.
fn node(value: &Value, asked: &Node) -> Result<Node, NoMap> {
    let Value::Array(parts) = value else { return Err(NoMap::Malformed) };
    let [host, Value::Int(port), more @ ..] = &parts[..] else { return Err(NoMap::Malformed) };
    let host = match host {
        Value::Nil => "",
        host => words(host).ok_or(NoMap::Malformed)?,
    };
    let host = match host {
        // The node that was asked.
        "" => &asked.host,
        // The node is configured to announce a name, and has none.
        "?" => more.get(1).and_then(elsewhere_named).ok_or(NoMap::Nameless)?,
        host => host,
    };
    Node::announced(host, u16::try_from(*port).map_err(|_| NoMap::Malformed)?)
        .ok_or(NoMap::Malformed)
}

/// The `hostname` or else the `ip` in the metadata of a node: pairs in a list, or a map.
fn elsewhere_named(metadata: &Value) -> Option<&str> {
    let find = |wanted: &str| match metadata {
        Value::Array(items) => {
            let (pairs, _) = items.as_chunks();
            pairs
                .iter()
                .find_map(|[name, value]| (words(name) == Some(wanted)).then(|| words(value))?)
        }
        Value::Map(pairs) => pairs
            .iter()
            .find_map(|(name, value)| (words(name) == Some(wanted)).then(|| words(value))?),
        _ => None,
    };
    ["hostname", "ip"].into_iter().filter_map(find).find(|host| !host.is_empty() && *host != "?")
}

fn words(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::redis::arbitrary::any_value;

    fn at(host: &str, port: u16) -> Node {
        Node { host: host.into(), port }
    }

    fn entry(host: Option<&str>, port: i64) -> Value {
        let host = host.map_or(Value::Nil, |host| Value::BulkString(host.into()));
        Value::Array(vec![host, Value::Int(port), Value::BulkString(b"id".into())])
    }

    fn range(first: i64, last: i64, nodes: &[Value]) -> Value {
        Value::Array(
            [Value::Int(first), Value::Int(last)]
                .into_iter()
                .chain(nodes.iter().cloned())
                .collect(),
        )
    }

    fn read(ranges: Vec<Value>) -> Result<SlotMap, NoMap> {
        SlotMap::read(&Value::Array(ranges), &at("asked", 1), |node| node)
    }

    #[test]
    fn owners_and_replicas() {
        let map = read(vec![
            range(0, 99, &[entry(Some("a"), 1), entry(Some("c"), 3)]),
            range(100, 16_383, &[entry(Some("b"), 2)]),
        ]);
        let map = map.unwrap();
        assert_eq!((map.owner(99), map.owner(100)), (Some(&at("a", 1)), Some(&at("b", 2))));
        assert_eq!((map.replicas.clone(), map.uncovered()), (vec![at("c", 3)], 0));
        assert_eq!(map.owners(50..150), [&at("a", 1), &at("b", 2)]);
        assert_eq!(map.shares(), [(&at("a", 1), 100), (&at("b", 2), 16_284)]);
    }

    #[test]
    fn a_node_without_a_name_is_the_one_that_was_asked() {
        for host in [None, Some("")] {
            let map = read(vec![range(0, 16_383, &[entry(host, 7)])]).unwrap();
            assert_eq!(map.owner(5), Some(&at("asked", 7)));
        }
    }

    #[test]
    fn a_moved_slot_has_a_new_owner() {
        let map = read(vec![range(0, 9, &[entry(Some("a"), 1)])]).unwrap();
        assert_eq!(map.uncovered(), SLOTS - 10);
        let moved = map.with(5, at("z", 9)).with(12, at("a", 1));
        assert_eq!(
            (moved.owner(5), moved.owner(4), moved.owner(12)),
            (Some(&at("z", 9)), Some(&at("a", 1)), Some(&at("a", 1)))
        );
        assert_eq!((moved.version, moved.nodes.len()), (2, 2));
    }

    #[test]
    fn a_node_is_replaced_when_it_owns_nothing_any_more() {
        let map = |middle: &str| {
            read(vec![
                range(0, 9, &[entry(Some("a"), 1)]),
                range(10, 19, &[entry(Some(middle), 2)]),
            ])
            .unwrap()
        };
        let (old, failed_over) = (map("b"), map("c"));
        assert_eq!(failed_over.replaced(&old), Some(&at("b", 2)));
        assert_eq!(
            old.with(10, at("a", 1)).with(11, at("new", 3)).replaced(&old),
            None,
            "slots were moved"
        );
        assert_eq!(old.replaced(&SlotMap::default()), None);
    }

    #[test]
    fn a_node_that_announces_no_name_is_where_its_metadata_says() {
        let text = |text: &str| Value::BulkString(text.into());
        let with = |metadata: Value| {
            let owner = Value::Array(vec![text("?"), Value::Int(7), text("id"), metadata]);
            read(vec![range(0, 16_383, &[owner])]).map(|map| map.owner(5).cloned())
        };
        assert_eq!(
            with(Value::Array(["ip", "10.0.0.7"].map(text).into())),
            Ok(Some(at("10.0.0.7", 7)))
        );
        assert_eq!(
            with(Value::Map(vec![(text("ip"), text("10.0.0.7"))])),
            Ok(Some(at("10.0.0.7", 7)))
        );
        assert_eq!(
            with(Value::Array(["hostname", "", "ip", "10.0.0.7"].map(text).into())),
            Ok(Some(at("10.0.0.7", 7)))
        );
        assert_eq!(
            with(Value::Array(["hostname", "n7", "ip", "10.0.0.7"].map(text).into())),
            Ok(Some(at("n7", 7)))
        );
        for nothing in [Value::Nil, Value::Array(vec![]), Value::Array(["ip", ""].map(text).into())]
        {
            assert_eq!(with(nothing).unwrap_err(), NoMap::Nameless);
        }
        assert_eq!(read(vec![range(0, 1, &[entry(Some("?"), 7)])]).unwrap_err(), NoMap::Nameless);
    }

    #[test]
    fn what_is_no_map_is_refused() {
        assert_eq!(read(vec![]).unwrap_err(), NoMap::Empty);
        for malformed in [
            Value::Int(1),
            range(0, 20_000, &[entry(Some("a"), 1)]),
            range(0, 1, &[Value::Nil]),
            range(0, 1, &[entry(Some("\u{1b}[2J"), 1)]),
            range(0, 1, &[entry(Some("a"), 70_000)]),
        ] {
            assert_eq!(read(vec![malformed]).unwrap_err(), NoMap::Malformed);
        }
    }

    #[test]
    fn more_owners_than_slots_are_refused() {
        let crowd = |owners: usize| {
            (0..owners).map(|n| {
                range(n as i64 % 16_384, n as i64 % 16_384, &[entry(Some(&format!("h{n}")), 1)])
            })
        };
        assert_eq!(read(crowd(70_000).collect()).unwrap_err(), NoMap::TooLarge);
        assert_eq!(read(crowd(16_385).collect()).unwrap_err(), NoMap::TooLarge);
        let replicas: Vec<Value> = (0..70_000).map(|_| entry(Some("a"), 1)).collect();
        assert_eq!(read(vec![range(0, 1, &replicas)]).unwrap_err(), NoMap::TooLarge);
    }

    proptest! {
        #[test]
        fn whatever_a_node_answers_is_a_map_or_an_error(value in any_value()) {
            let _ = SlotMap::read(&value, &at("asked", 1), |node| node);
            let _ = read(vec![range(0, 1, std::slice::from_ref(&value)), value]);
        }
    }
}
