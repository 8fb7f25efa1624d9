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
    /// Whether a path that is null is kept in mind, as one to remove.
    keeps_nulls: bool,
    entries: Vec<Entry>,
    names: Vec<u8>,
    values: Vec<u8>,
    /// Positions in `entries` by name. The hasher has a random seed, because names come from users.
    index: HashTable<usize>,
    hasher: DefaultHashBuilder,
    live: usize,
    nulls: usize,
}

struct Entry {
    hash: u64,
    name: Range<usize>,
    value: FieldValue,
    /// The last traits object in which the path was met.
    source: usize,
}

/// What stands at a path.
enum FieldValue {
    /// Nothing that is a field.
    Absent,
    /// A null that is kept in mind.
    Null,
    /// The place of the value.
    Set(Range<usize>),
}

impl FieldMap {
    /// Forgets all paths. From now on nulls are kept in mind, or they are not.
    pub(super) fn clear(&mut self, keeps_nulls: bool) {
        if self.names.capacity().max(self.values.capacity()).max(self.entries.capacity())
            > KEPT_CAPACITY
        {
            *self = Self { hasher: self.hasher.clone(), ..Self::default() };
        }
        self.keeps_nulls = keeps_nulls;
        self.entries.clear();
        self.names.clear();
        self.values.clear();
        self.index.clear();
        (self.live, self.nulls) = (0, 0);
    }

    /// Whether a path that is null is kept in mind.
    pub(super) fn keeps_nulls(&self) -> bool {
        self.keeps_nulls
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

    /// Number of nulls that are kept in mind.
    pub(super) fn nulls(&self) -> usize {
        self.nulls
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
                entries.push(Entry {
                    hash,
                    name: start..names.len(),
                    value: FieldValue::Absent,
                    source,
                });
                at
            }
        }
    }

    /// Sets the value at a position to what `write` appends; returns what `write` returns.
    pub(super) fn set<T>(&mut self, at: usize, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let start = self.values.len();
        let written = write(&mut self.values);
        self.put(at, FieldValue::Set(start..self.values.len()));
        written
    }

    /// Removes the value at a position.
    pub(super) fn unset(&mut self, at: usize) {
        self.put(at, FieldValue::Absent);
    }

    /// Removes the value at a position, because it is null.
    pub(super) fn set_null(&mut self, at: usize) {
        self.put(at, if self.keeps_nulls { FieldValue::Null } else { FieldValue::Absent });
    }

    fn put(&mut self, at: usize, value: FieldValue) {
        let is_live = |value: &FieldValue| usize::from(matches!(value, FieldValue::Set(_)));
        let is_null = |value: &FieldValue| usize::from(matches!(value, FieldValue::Null));
        (self.live, self.nulls) = (self.live + is_live(&value), self.nulls + is_null(&value));
        let before = std::mem::replace(&mut self.entries[at].value, value);
        (self.live, self.nulls) = (self.live - is_live(&before), self.nulls - is_null(&before));
    }

    /// The position of `path`; `None` when it was not met.
    pub(super) fn find(&self, path: &[u8]) -> Option<usize> {
        let hash = self.hasher.hash_one(path);
        self.index.find(hash, |&at| self.names[self.entries[at].name.clone()] == *path).copied()
    }

    /// Names and values of the paths that have a value.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.entries.iter().filter_map(|entry| match &entry.value {
            FieldValue::Set(value) => {
                Some((&self.names[entry.name.clone()], &self.values[value.clone()]))
            }
            FieldValue::Absent | FieldValue::Null => None,
        })
    }

    /// Names of the nulls that are kept in mind.
    pub(super) fn null_names(&self) -> impl Iterator<Item = &[u8]> + Clone {
        // Mostly there are none: then no entry is looked at.
        let entries = if self.nulls == 0 { &[] } else { self.entries.as_slice() };
        let nulls = entries.iter().filter(|entry| matches!(entry.value, FieldValue::Null));
        nulls.map(|entry| &self.names[entry.name.clone()])
    }

    /// The same paths under other names; of paths that get the same name the last one counts.
    pub(super) fn renamed(&self, rename: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        let mut renamed = Self { keeps_nulls: self.keeps_nulls, ..Self::default() };
        for entry in &self.entries {
            let name = || rename(&self.names[entry.name.clone()]);
            match &entry.value {
                FieldValue::Absent => {}
                FieldValue::Null => {
                    let at = renamed.enter(&name(), 0);
                    renamed.set_null(at);
                }
                FieldValue::Set(value) => {
                    let at = renamed.enter(&name(), 0);
                    renamed.set(at, |out| out.extend_from_slice(&self.values[value.clone()]));
                }
            }
        }
        renamed
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
    fn nulls_are_kept_in_mind_on_demand() {
        let mut fields = FieldMap::default();
        for keeps_nulls in [false, true, false] {
            fields.clear(keeps_nulls);
            for path in ["a", "b", "c"] {
                put(&mut fields, path, "1", 0);
            }
            [0, 0, 2].into_iter().for_each(|at| fields.set_null(at));
            put(&mut fields, "c", "2", 1);
            fields.set_null(1);
            fields.unset(1);
            let names: Vec<_> = fields.null_names().collect();
            let expected: &[&[u8]] = if keeps_nulls { &[b"a"] } else { &[] };
            assert_eq!((names.as_slice(), fields.nulls()), (expected, expected.len()));
            assert_eq!(fields.iter().collect::<Vec<_>>(), [(b"c".as_slice(), b"2".as_slice())]);
            let renamed = fields.renamed(|name| [name, b"!"].concat());
            assert_eq!((renamed.live(), renamed.nulls()), (1, expected.len()));
            let one = fields.renamed(|_| b"x".to_vec());
            assert_eq!((one.live(), one.nulls()), (1, 0));
        }
    }

    #[test]
    fn large_buffers_are_given_back() {
        let mut fields = FieldMap::default();
        for n in 0..KEPT_CAPACITY {
            put(&mut fields, &n.to_string(), "", 0);
        }
        assert_eq!(fields.find(b"77"), Some(77));
        fields.clear(false);
        assert_eq!(
            (fields.len(), fields.live(), fields.find(b"77"), fields.names.capacity()),
            (0, 0, None, 0)
        );
    }
}
