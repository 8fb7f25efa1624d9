//! The fields of one update while it is built: an ordered map from path to value, in buffers that
//! are reused.

use std::hash::BuildHasher;
use std::ops::Range;

use hashbrown::hash_table::Entry as Slot;
use hashbrown::{DefaultHashBuilder, HashTable};

/// Buffers that grew beyond this many bytes (or entries) are freed after the event.
const KEPT_CAPACITY: usize = 64 << 10;

/// Paths in the order in which they were first met, each with its current value, if any.
#[derive(Default)]
pub(super) struct FieldMap {
    entries: Vec<Entry>,
    names: Vec<u8>,
    values: Vec<u8>,
    /// Positions in `entries` by name. The hasher has a random seed, because names come from users.
    index: HashTable<usize>,
    hasher: DefaultHashBuilder,
    live: usize,
}

struct Entry {
    hash: u64,
    name: Range<usize>,
    value: Option<Range<usize>>,
    /// The last traits object in which the path was met.
    source: usize,
}

impl FieldMap {
    pub(super) fn clear(&mut self) {
        if self.names.capacity().max(self.values.capacity()).max(self.entries.capacity())
            > KEPT_CAPACITY
        {
            *self = Self { hasher: self.hasher.clone(), ..Self::default() };
            return;
        }
        self.entries.clear();
        self.names.clear();
        self.values.clear();
        self.index.clear();
        self.live = 0;
    }

    /// Number of paths met so far.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of all names and values in the buffers, including values that were overwritten.
    pub(super) fn size(&self) -> usize {
        self.names.len() + self.values.len()
    }

    /// Number of paths that have a value.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// The position of `path`, which is added when it is new; `None` when the path was met before
    /// in the same `source`.
    pub(super) fn enter_once(&mut self, path: &[u8], source: usize) -> Option<usize> {
        let known = self.entries.len();
        let at = self.enter(path, source);
        let entry = &mut self.entries[at];
        (at == known || std::mem::replace(&mut entry.source, source) != source).then_some(at)
    }

    /// The position of `path`, which is added when it is new.
    pub(super) fn enter(&mut self, path: &[u8], source: usize) -> usize {
        let Self { entries, names, index, hasher, .. } = self;
        let hash = hasher.hash_one(path);
        let same = |&at: &usize| names[entries[at].name.clone()] == *path;
        match index.entry(hash, same, |&at| entries[at].hash) {
            Slot::Occupied(slot) => *slot.get(),
            Slot::Vacant(slot) => {
                let at = entries.len();
                slot.insert(at);
                let start = names.len();
                names.extend_from_slice(path);
                entries.push(Entry { hash, name: start..names.len(), value: None, source });
                at
            }
        }
    }

    /// Sets the value at a position to what `write` appends; returns what `write` returns.
    pub(super) fn set<T>(&mut self, at: usize, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let start = self.values.len();
        let written = write(&mut self.values);
        let before = self.entries[at].value.replace(start..self.values.len());
        self.live += usize::from(before.is_none());
        written
    }

    /// Removes the value at a position.
    pub(super) fn unset(&mut self, at: usize) {
        let before = self.entries[at].value.take();
        self.live -= usize::from(before.is_some());
    }

    /// The position of `path`; `None` when it was not met.
    pub(super) fn find(&self, path: &[u8]) -> Option<usize> {
        let hash = self.hasher.hash_one(path);
        self.index.find(hash, |&at| self.names[self.entries[at].name.clone()] == *path).copied()
    }

    /// Names and values of the paths that have a value.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        let live = self
            .entries
            .iter()
            .filter_map(|entry| Some((entry.name.clone(), entry.value.clone()?)));
        live.map(|(name, value)| (&self.names[name], &self.values[value]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(fields: &mut FieldMap, path: &str, value: &str, source: usize) -> bool {
        let Some(at) = fields.enter_once(path.as_bytes(), source) else { return false };
        fields.set(at, |out| out.extend_from_slice(value.as_bytes()));
        true
    }

    #[test]
    fn a_path_is_met_once_per_source_and_keeps_its_place() {
        let mut fields = FieldMap::default();
        assert!(put(&mut fields, "a", "1", 0));
        assert!(put(&mut fields, "b", "2", 0));
        assert!(!put(&mut fields, "a", "3", 0));
        assert!(put(&mut fields, "a", "4", 1));
        assert!(!put(&mut fields, "a", "5", 1));
        assert_eq!(
            fields.iter().collect::<Vec<_>>(),
            [(b"a".as_slice(), b"4".as_slice()), (b"b", b"2")]
        );
        fields.unset(0);
        fields.unset(0);
        assert_eq!((fields.len(), fields.live()), (2, 1));
    }

    #[test]
    fn large_buffers_are_given_back() {
        let mut fields = FieldMap::default();
        for n in 0..KEPT_CAPACITY {
            put(&mut fields, &n.to_string(), "", 0);
        }
        assert_eq!(fields.find(b"77"), Some(77));
        fields.clear();
        assert_eq!(
            (fields.len(), fields.live(), fields.find(b"77"), fields.names.capacity()),
            (0, 0, None, 0)
        );
    }
}
