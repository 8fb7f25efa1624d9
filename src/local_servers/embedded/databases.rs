//! The hashes in memory, by database and key. Pure.

use std::collections::BTreeSet;

use super::hash::{Hash, Millis};
use super::ordered::Ordered;

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

    /// Number of keys, and of those with an end.
    pub(super) fn sizes(&self) -> impl Iterator<Item = (usize, usize)> {
        self.databases.iter().map(|database| {
            let ending = database.keys.iter().filter(|(_, hash)| hash.end.is_some()).count();
            (database.len(), ending)
        })
    }

    /// Removes what ends until `now`. Cheap when nothing does: it is called before each command.
    pub(super) fn remove_ended(&mut self, now: Millis) {
        self.databases.iter_mut().for_each(|database| database.remove_ended(now));
    }
}

/// The keys of one database, each with its hash.
#[derive(Default)]
pub(super) struct Database {
    keys: Ordered<Hash>,
    /// When something of a key ends next.
    ends: BTreeSet<(Millis, Vec<u8>)>,
}

impl Database {
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Hash> {
        self.keys.get(key)
    }

    /// Changes the hash of a key, which begins without fields, and is removed when none is left.
    pub(super) fn change<T>(&mut self, key: &[u8], change: impl FnOnce(&mut Hash) -> T) -> T {
        let hash = self.keys.get_or_insert(key);
        let before = hash.next_end();
        let result = change(hash);
        let is_gone = hash.is_gone();
        let after = hash.next_end().filter(|_| !is_gone);
        if is_gone {
            self.keys.remove(key);
        }
        if before != after {
            before.into_iter().for_each(|end| _ = self.ends.remove(&(end, key.to_vec())));
            self.ends.extend(after.map(|end| (end, key.to_vec())));
        }
        result
    }

    /// Whether there was such a key.
    pub(super) fn remove(&mut self, key: &[u8]) -> bool {
        self.change(key, |hash| !std::mem::take(hash).is_gone())
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.keys.iter().map(|(key, _)| key)
    }

    /// As [`Ordered::scan`].
    pub(super) fn scan(&self, cursor: u64, count: usize) -> (u64, Vec<&[u8]>) {
        let (next, found) = self.keys.scan(cursor, count);
        (next, found.into_iter().map(|(key, _)| key).collect())
    }

    fn remove_ended(&mut self, now: Millis) {
        while let Some((end, key)) = self.ends.first() {
            if *end > now {
                return;
            }
            let key = key.clone();
            self.change(&key, |hash| hash.remove_ended(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_is_removed_and_nothing_is_left_of_it() {
        let mut databases = Databases::default();
        let database = databases.database(0);
        for key in [b"a", b"b", b"c"] {
            database.change(key, |hash| {
                hash.set(b"f", b"1");
                hash.end = Some(5);
            });
        }
        database.change(b"a", |hash| hash.end = None);
        database.change(b"a", |hash| hash.end_field(b"f", 7));
        database.change(b"b", |hash| hash.end = Some(9));
        databases.remove_ended(6);
        assert_eq!(databases.database(0).keys().collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(databases.sizes().next(), Some((2, 1)));
        databases.remove_ended(7);
        let database = databases.database(0);
        assert_eq!(database.keys().collect::<Vec<_>>(), [b"b"]);
        assert!(database.remove(b"b") && !database.remove(b"b") && !database.remove(b"x"));
        assert_eq!((database.len(), database.ends.len()), (0, 0));
    }
}
