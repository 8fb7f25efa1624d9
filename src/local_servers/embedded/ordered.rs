//! A map that keeps the order in which its keys came. Pure.

use std::collections::{BTreeMap, HashMap};

/// Values by key. Each key has the number under which it came. The cursor of a scan is such a
/// number, so a scan returns each key that stays exactly once.
pub(super) struct Ordered<V> {
    numbers: HashMap<Vec<u8>, u64>,
    entries: BTreeMap<u64, (Vec<u8>, V)>,
    last: u64,
}

impl<V> Default for Ordered<V> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), entries: BTreeMap::new(), last: 0 }
    }
}

impl<V> Ordered<V> {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&V> {
        self.entries.get(self.numbers.get(key)?).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, key: &[u8]) -> Option<&mut V> {
        self.entries.get_mut(self.numbers.get(key)?).map(|(_, value)| value)
    }

    /// The value of a key, which comes last when it is new.
    pub(super) fn get_or_insert(&mut self, key: &[u8]) -> &mut V
    where
        V: Default,
    {
        let last = &mut self.last;
        let number = self.numbers.get(key).copied().unwrap_or_else(|| {
            *last += 1;
            *last
        });
        let (_, value) = self.entries.entry(number).or_insert_with(|| {
            self.numbers.insert(key.to_vec(), number);
            (key.to_vec(), V::default())
        });
        value
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> Option<V> {
        self.entries.remove(&self.numbers.remove(key)?).map(|(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &V)> {
        self.entries.values().map(|(key, value)| (key.as_slice(), value))
    }

    /// The next `count` entries from `cursor` on, and the next cursor; 0 begins and ends a scan.
    pub(super) fn scan(&self, cursor: u64, count: usize) -> (u64, Vec<(&[u8], &V)>) {
        let mut rest = self.entries.range(cursor..);
        let found = rest.by_ref().take(count);
        let found = found.map(|(_, (key, value))| (key.as_slice(), value)).collect();
        (rest.next().map_or(0, |(&next, _)| next), found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(map: &mut Ordered<u8>, keys: impl IntoIterator<Item = u8>) {
        keys.into_iter().for_each(|key| *map.get_or_insert(&[key]) = key);
    }

    #[test]
    fn keys_keep_their_first_place() {
        let mut map = Ordered::default();
        fill(&mut map, [2, 1, 3, 1]);
        assert_eq!(map.remove(&[1]), Some(1));
        assert_eq!(map.remove(&[1]), None);
        fill(&mut map, [3, 2, 1]);
        let found: Vec<u8> = map.iter().map(|(_, value)| *value).collect();
        assert_eq!((found, map.len()), (vec![2, 3, 1], 3));
    }

    #[test]
    fn a_scan_sees_what_stays_once_while_keys_come_and_go() {
        let mut map = Ordered::default();
        fill(&mut map, 0..10);
        let (cursor, first) = map.scan(0, 4);
        let mut seen: Vec<u8> = first.iter().map(|(key, _)| key[0]).collect();
        assert_eq!([map.remove(&[1]), map.remove(&[4])], [Some(1), Some(4)]);
        fill(&mut map, 10..12);
        let (end, rest) = map.scan(cursor, 100);
        seen.extend(rest.iter().map(|(key, _)| key[0]));
        assert_eq!((end, seen), (0, vec![0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11]));
        assert_eq!(map.len(), 10);
    }
}
