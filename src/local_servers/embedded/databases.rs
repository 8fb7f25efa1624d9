//! The hashes in memory, by database and key. Pure.

use std::collections::{BTreeMap, HashMap};

/// Number of databases, as in Redis by default.
pub(super) const DATABASES: usize = 16;

/// All databases.
#[derive(Default)]
pub(super) struct Databases {
    databases: [Database; DATABASES],
}

impl Databases {
    /// `index` below [`DATABASES`].
    pub(super) fn database(&mut self, index: usize) -> &mut Database {
        &mut self.databases[index]
    }

    pub(super) fn sizes(&self) -> impl Iterator<Item = usize> {
        self.databases.iter().map(Database::len)
    }
}

/// The keys of one database, each with its hash.
#[derive(Default)]
pub(super) struct Database {
    keys: HashMap<Vec<u8>, (u64, Hash)>,
    /// Keys by the number under which they were created. A SCAN cursor is such a number, so SCAN
    /// returns each key that stays exactly once.
    order: BTreeMap<u64, Vec<u8>>,
    created: u64,
}

impl Database {
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Hash> {
        self.keys.get(key).map(|(_, hash)| hash)
    }

    /// Sets fields; returns how many of them are new.
    pub(super) fn set<'a>(
        &mut self,
        key: &[u8],
        fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) -> usize {
        if !self.keys.contains_key(key) {
            self.created += 1;
            self.order.insert(self.created, key.to_vec());
            self.keys.insert(key.to_vec(), (self.created, Hash::default()));
        }
        let hash = &mut self.keys.get_mut(key).expect("just inserted").1;
        fields.filter(|(name, value)| hash.set(name, value)).count()
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> bool {
        let removed = self.keys.remove(key);
        removed.is_some_and(|(created, _)| self.order.remove(&created).is_some())
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.order.values().map(Vec::as_slice)
    }

    /// The next `count` keys from `cursor` on, and the next cursor; 0 begins and ends a scan.
    pub(super) fn scan(&self, cursor: u64, count: usize) -> (u64, Vec<&[u8]>) {
        let mut rest = self.order.range(cursor..);
        let keys = rest.by_ref().take(count).map(|(_, key)| key.as_slice()).collect();
        (rest.next().map_or(0, |(&next, _)| next), keys)
    }
}

/// Fields in the order in which they were first set.
#[derive(Default)]
pub(super) struct Hash {
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    index: HashMap<Vec<u8>, usize>,
}

impl Hash {
    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.index.get(name).map(|&at| self.fields[at].1.as_slice())
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// True when the field is new.
    fn set(&mut self, name: &[u8], value: &[u8]) -> bool {
        if let Some(&at) = self.index.get(name) {
            self.fields[at].1 = value.to_vec();
            return false;
        }
        self.index.insert(name.to_vec(), self.fields.len());
        self.fields.push((name.to_vec(), value.to_vec()));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(database: &mut Database, keys: impl IntoIterator<Item = u8>) {
        for key in keys {
            database.set(&[key], [(&b"f"[..], &b"v"[..])].into_iter());
        }
    }

    #[test]
    fn fields_keep_their_first_place() {
        let mut database = Database::default();
        let set = |database: &mut Database, fields: &[(&'static str, &'static str)]| {
            database.set(b"k", fields.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())))
        };
        assert_eq!(set(&mut database, &[("b", "1"), ("a", "2"), ("b", "3")]), 2);
        assert_eq!(set(&mut database, &[("a", "4"), ("c", "5")]), 1);
        let fields: Vec<_> = database.get(b"k").unwrap().fields().collect();
        assert_eq!(fields, [(&b"b"[..], &b"3"[..]), (b"a", b"4"), (b"c", b"5")]);
    }

    #[test]
    fn scan_sees_what_stays_once_while_keys_come_and_go() {
        let mut database = Database::default();
        fill(&mut database, 0..10);
        let (cursor, first) = database.scan(0, 4);
        let mut seen: Vec<u8> = first.iter().map(|key| key[0]).collect();
        assert!(database.remove(&[1]) && database.remove(&[4]) && !database.remove(&[4]));
        fill(&mut database, 10..12);
        let (end, rest) = database.scan(cursor, 100);
        seen.extend(rest.iter().map(|key| key[0]));
        assert_eq!((end, seen), (0, vec![0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11]));
        assert_eq!(database.len(), 10);
    }
}
