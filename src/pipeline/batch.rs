//! A batch: the jobs that a lane writes at once, each key at most once (with a guard: each time of
//! each key).

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::{BuildHasher, Hash};

use super::job::Job;
use crate::redis::{Forms, UpdatePart, Write};
use crate::trace::OriginSpan;

/// Jobs grouped by key. A key occurs once: a retry of the first half of a batch could otherwise
/// overwrite the second. The guard of newer fields takes care of that, so with it a key occurs once
/// for each time of its events, each with a verdict of its own.
///
/// Its memory is used again for the next batch.
#[derive(Default)]
pub struct Batch {
    jobs: Vec<Job>,
    groups: KeyGroups<Write>,
}

/// How many of `jobs`, all of one key, can be one write.
pub(super) fn joinable<'a>(forms: &Forms, mut jobs: impl Iterator<Item = &'a Job>) -> usize {
    let Some(first) = jobs.next() else { return 0 };
    let mut write = forms.write(&first.update);
    let joined = jobs.map_while(|job| {
        write = write.join(forms.write(&job.update))?;
        Some(())
    });
    1 + joined.count()
}

/// Items grouped by key, in the order of first appearance.
struct KeyGroups<W> {
    keys: Vec<KeyGroup<W>>,
    items: Vec<GroupedItem>,
    by_key: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

/// The items of one key, as a chain.
struct KeyGroup<W> {
    first: u32,
    last: u32,
    hash: u64,
    /// The write for all of them.
    write: W,
}

/// An item that is in a group.
struct GroupedItem {
    group: u32,
    /// The next item of the same key.
    next: Option<u32>,
}

impl<W> Default for KeyGroups<W> {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            items: Vec::new(),
            by_key: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }
}

impl<W: Copy> KeyGroups<W> {
    /// Groups `len` items up to the first whose write cannot `join` those before it to the same
    /// key; returns how many are in a group.
    fn group<K: Hash + Eq>(
        &mut self,
        len: usize,
        key: impl Fn(u32) -> K,
        write: impl Fn(u32) -> W,
        join: impl Fn(W, W) -> Option<W>,
    ) -> usize {
        self.clear();
        let Self { keys, items, by_key, hasher } = self;
        for at in 0..len as u32 {
            let own = key(at);
            let hash = hasher.hash_one(&own);
            let same = |&group: &u32| {
                let group = &keys[group as usize];
                group.hash == hash && key(group.first) == own
            };
            let rehash = |&group: &u32| keys[group as usize].hash;
            let group = match by_key.entry(hash, same, rehash) {
                Entry::Occupied(known) => {
                    let known = *known.get();
                    let group = &mut keys[known as usize];
                    let Some(joined) = join(group.write, write(at)) else { break };
                    items[group.last as usize].next = Some(at);
                    group.last = at;
                    group.write = joined;
                    known
                }
                Entry::Vacant(place) => {
                    let group = keys.len() as u32;
                    place.insert(group);
                    keys.push(KeyGroup { first: at, last: at, hash, write: write(at) });
                    group
                }
            };
            items.push(GroupedItem { group, next: None });
        }
        items.len()
    }

    fn clear(&mut self) {
        self.keys.clear();
        self.items.clear();
        self.by_key.clear();
    }

    /// The positions of the items of one group.
    fn chain(&self, group: &KeyGroup<W>) -> impl Iterator<Item = usize> {
        let next = |&at: &u32| self.items[at as usize].next;
        std::iter::successors(Some(group.first), next).map(|at| at as usize)
    }
}

impl Batch {
    /// Groups `jobs`, which are in the order in which they were accepted; the batch must be empty.
    /// The first job whose write cannot join those before it to the same key, and all jobs behind
    /// it, come back: they wait for the next batch.
    pub fn fill(&mut self, forms: &Forms, mut jobs: Vec<Job>) -> Vec<Job> {
        assert!(self.is_empty(), "no job of an earlier batch is forgotten");
        let end = self.groups.group(
            jobs.len(),
            |at| {
                let update = &jobs[at as usize].update;
                (update.key(), update.at())
            },
            |at| forms.write(&jobs[at as usize].update),
            Write::join,
        );
        let waiting = if end < jobs.len() { jobs.split_off(end) } else { Vec::new() };
        self.jobs = jobs;
        waiting
    }

    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Whether an event of it may no longer be written.
    pub fn revoked(&self) -> bool {
        Job::any_revoked(&self.jobs)
    }

    /// The spans of its messages, with repetitions.
    pub fn origins(&self) -> impl Iterator<Item = &OriginSpan> {
        self.jobs.iter().map(|job| job.message().origin())
    }

    /// Events in the batch.
    pub fn events(&self) -> usize {
        self.jobs.len()
    }

    /// Writes in the batch: keys, and with a guard times of keys.
    pub fn len(&self) -> usize {
        self.groups.keys.len()
    }

    /// Bytes of the updates.
    pub fn bytes(&self) -> usize {
        self.jobs.iter().map(Job::cost).sum()
    }

    /// In the order of first appearance: the write, the packed key, and the part of each job.
    pub fn writes(
        &self,
        forms: &Forms,
    ) -> impl Iterator<Item = (Write, &[u8], impl Iterator<Item = UpdatePart<'_>>)> {
        self.groups.keys.iter().map(move |group| {
            let part = move |at: usize| forms.part(&self.jobs[at].update);
            let key = self.jobs[group.first as usize].update.packed_key();
            (group.write, key, self.groups.chain(group).map(part))
        })
    }

    /// Each job with the position of its write in [`Batch::writes`], in the order in which they
    /// were accepted.
    pub(super) fn jobs(&mut self) -> impl Iterator<Item = (usize, &mut Job)> {
        let writes = self.groups.items.iter().map(|item| item.group as usize);
        writes.zip(&mut self.jobs)
    }

    /// Takes the jobs out, as [`Batch::jobs`] gives them.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (usize, Job)> {
        let writes = self.groups.items.iter().map(|item| item.group as usize);
        writes.zip(self.jobs.drain(..))
    }

    /// The place in memory of its jobs; those that are still in it are no longer in the batch.
    pub(super) fn take_place(&mut self) -> Vec<Job> {
        self.groups.clear();
        std::mem::take(&mut self.jobs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_cannot_join_waits_and_so_do_all_behind_it() {
        let items = [("a", 1), ("b", 1), ("a", 1), ("c", 2), ("a", 2), ("b", 1)];
        let key = |at: u32| items[at as usize].0.as_bytes();
        let write = |at: u32| items[at as usize].1;
        let alike = |first: i32, later| (first == later).then_some(first);
        let mut groups = KeyGroups::default();
        let end = groups.group(items.len(), key, write, alike);
        let chains: Vec<Vec<usize>> =
            groups.keys.iter().map(|group| groups.chain(group).collect()).collect();
        assert_eq!((chains, end), (vec![vec![0, 2], vec![1], vec![3]], 4));
        let end = groups.group(items.len(), key, write, |first, later| Some(first + later));
        let sums: Vec<i32> = groups.keys.iter().map(|group| group.write).collect();
        assert_eq!((sums, end), (vec![4, 2, 2], items.len()));
        let groups_of: Vec<u32> = groups.items.iter().map(|item| item.group).collect();
        assert_eq!(groups_of, [0, 1, 0, 2, 0, 1]);
    }
}
