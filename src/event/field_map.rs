//! The fields of one update while it is built: an ordered map from path to value, in buffers that
//! are reused. Paths and values are already in the form in which Redis reads them.

use std::hash::BuildHasher;
use std::ops::Range;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::bulk::push_bulk_head;

/// Buffers that grew beyond this many bytes (or entries) are freed after the event.
const KEPT_CAPACITY: usize = 64 << 10;

/// So many paths are compared one by one; more get an index.
const FEW: usize = 16;

/// Paths in the order in which they were first met, each with its current value, if any.
#[derive(Default)]
pub(super) struct FieldMap {
    /// Whether a path that is null is kept in mind.
    keeps_nulls: bool,
    entries: Vec<Entry>,
    /// All paths and values as bulk strings, one behind the other, as they were met.
    packed: Vec<u8>,
    /// Bytes of all paths and values alone.
    size: usize,
    /// Positions in `entries` by path, when these are not few. The hasher has a random seed,
    /// because names come from users.
    index: HashTable<usize>,
    hasher: DefaultHashBuilder,
    live: usize,
    nulls: usize,
}

struct Entry {
    path: Bulk,
    /// Of two paths with different marks it is known that they are different.
    mark: u64,
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
    Set(Bulk),
}

/// The place of a bulk string.
struct Bulk {
    /// The place of its `$`.
    start: usize,
    /// The place of its bytes.
    bytes: Range<usize>,
}

impl Bulk {
    /// The whole of it.
    fn place(&self) -> Range<usize> {
        self.start..self.bytes.end + 2
    }
}

impl FieldMap {
    /// Forgets all paths. From now on nulls are kept in mind, or they are not.
    pub(super) fn clear(&mut self, keeps_nulls: bool) {
        if self.packed.capacity().max(self.entries.capacity()) > KEPT_CAPACITY {
            *self = Self { hasher: self.hasher.clone(), ..Self::default() };
        }
        self.keeps_nulls = keeps_nulls;
        self.entries.clear();
        self.packed.clear();
        self.index.clear();
        (self.size, self.live, self.nulls) = (0, 0, 0);
    }

    /// Whether a path that is null is kept in mind.
    pub(super) fn keeps_nulls(&self) -> bool {
        self.keeps_nulls
    }

    /// Number of paths met so far.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of all names and values, including values that were overwritten.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Number of paths that have a value.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// Number of nulls that are kept in mind.
    pub(super) fn nulls(&self) -> usize {
        self.nulls
    }

    /// The path at a position.
    pub(super) fn path(&self, at: usize) -> &[u8] {
        &self.packed[self.entries[at].path.bytes.clone()]
    }

    /// The position of the path of `name` below the path at the position `parent`, which is added
    /// when it is new; `None` when the path was met before in the same `source`. As in the
    /// original, no dot follows an empty path.
    pub(super) fn enter_once(
        &mut self,
        parent: Option<usize>,
        name: &[u8],
        source: usize,
    ) -> Option<usize> {
        let known = self.entries.len();
        let at = self.enter_below(parent, name, source);
        let entry = &mut self.entries[at];
        (at == known || std::mem::replace(&mut entry.source, source) != source).then_some(at)
    }

    /// The position of `path`, which is added when it is new.
    pub(super) fn enter(&mut self, path: &[u8], source: usize) -> usize {
        self.enter_below(None, path, source)
    }

    fn enter_below(&mut self, parent: Option<usize>, name: &[u8], source: usize) -> usize {
        let path = self.push_path(parent, name);
        let text = &self.packed[path.bytes.clone()];
        if let Some(known) = self.find(text) {
            self.packed.truncate(path.start);
            return known;
        }
        self.size += text.len();
        let mark = mark(text);
        self.entries.push(Entry { path, mark, value: FieldValue::Absent, source });
        self.index_last();
        self.entries.len() - 1
    }

    fn push_path(&mut self, parent: Option<usize>, name: &[u8]) -> Bulk {
        let above = parent.map(|at| self.entries[at].path.bytes.clone());
        let above = above.filter(|path| !path.is_empty());
        let len = above.as_ref().map_or(0, |path| path.len() + 1) + name.len();
        let start = self.packed.len();
        push_bulk_head(&mut self.packed, len);
        let at = self.packed.len();
        if let Some(path) = above {
            self.packed.extend_from_within(path);
            self.packed.push(b'.');
        }
        self.packed.extend_from_slice(name);
        self.packed.extend_from_slice(b"\r\n");
        Bulk { start, bytes: at..at + len }
    }

    /// Adds the last entry to the index, when there is one.
    fn index_last(&mut self) {
        let known = self.entries.len();
        if known <= FEW {
            return;
        }
        let Self { entries, packed, index, hasher, .. } = self;
        let hash = |&at: &usize| hasher.hash_one(&packed[entries[at].path.bytes.clone()]);
        let first = if index.is_empty() { 0 } else { known - 1 };
        for at in first..known {
            index.insert_unique(hash(&at), at, hash);
        }
    }

    /// The position of `path`; `None` when it was not met.
    pub(super) fn find(&self, path: &[u8]) -> Option<usize> {
        let is_same = |entry: &Entry| self.packed[entry.path.bytes.clone()] == *path;
        if self.entries.len() <= FEW {
            let mark = mark(path);
            self.entries.iter().position(|entry| entry.mark == mark && is_same(entry))
        } else {
            let hash = self.hasher.hash_one(path);
            self.index.find(hash, |&at| is_same(&self.entries[at])).copied()
        }
    }

    /// Sets the value at a position.
    pub(super) fn set(&mut self, at: usize, value: &[u8]) {
        let start = self.packed.len();
        push_bulk_head(&mut self.packed, value.len());
        let first = self.packed.len();
        self.packed.extend_from_slice(value);
        self.packed.extend_from_slice(b"\r\n");
        self.size += value.len();
        self.put(at, FieldValue::Set(Bulk { start, bytes: first..first + value.len() }));
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

    /// Names and values of the paths that have a value.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.entries.iter().filter_map(|entry| match &entry.value {
            FieldValue::Set(value) => {
                Some((&self.packed[entry.path.bytes.clone()], &self.packed[value.bytes.clone()]))
            }
            FieldValue::Absent | FieldValue::Null => None,
        })
    }

    /// Names of the nulls that are kept in mind.
    pub(super) fn null_names(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.null_entries().map(|entry| &self.packed[entry.path.bytes.clone()])
    }

    fn null_entries(&self) -> impl Iterator<Item = &Entry> + Clone {
        // Mostly there are none: then no entry is looked at.
        let entries = if self.nulls == 0 { &[] } else { self.entries.as_slice() };
        entries.iter().filter(|entry| matches!(entry.value, FieldValue::Null))
    }

    /// Calls `take` with names and values as bulk strings, and then with the names of nulls that
    /// are kept in mind; with as few pieces as it can.
    pub(super) fn for_each_packed(&self, mut take: impl FnMut(&[u8])) {
        let mut piece = 0..0;
        let mut add = |place: Range<usize>| {
            if place.start == piece.end {
                piece.end = place.end;
            } else {
                take(&self.packed[std::mem::replace(&mut piece, place)]);
            }
        };
        for entry in &self.entries {
            if let FieldValue::Set(value) = &entry.value {
                add(entry.path.place());
                add(value.place());
            }
        }
        self.null_entries().for_each(|entry| add(entry.path.place()));
        take(&self.packed[piece]);
    }

    /// The same paths under other names; of paths that get the same name the last one counts.
    pub(super) fn renamed(&self, rename: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        let mut renamed = Self { keeps_nulls: self.keeps_nulls, ..Self::default() };
        for (at, entry) in self.entries.iter().enumerate() {
            let mut enter = || renamed.enter(&rename(self.path(at)), 0);
            match &entry.value {
                FieldValue::Absent => {}
                FieldValue::Null => {
                    let at = enter();
                    renamed.set_null(at);
                }
                FieldValue::Set(value) => {
                    let at = enter();
                    renamed.set(at, &self.packed[value.bytes.clone()]);
                }
            }
        }
        renamed
    }
}
/// The length of a path, and its first and last byte.
fn mark(path: &[u8]) -> u64 {
    match path {
        [first, .., last] => (path.len() as u64) << 16 | u64::from(*first) << 8 | u64::from(*last),
        _ => path.first().map_or(0, |byte| 1 << 16 | u64::from(*byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(fields: &mut FieldMap, path: &str, value: &str, source: usize) -> bool {
        let Some(at) = fields.enter_once(None, path.as_bytes(), source) else { return false };
        fields.set(at, value.as_bytes());
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
            (fields.len(), fields.live(), fields.find(b"77"), fields.packed.capacity()),
            (0, 0, None, 0)
        );
    }
}
