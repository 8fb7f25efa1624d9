//! A batch: the jobs that a lane writes at once, each key at most once (with a guard: each time of
//! each key).

use hashbrown::DefaultHashBuilder;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use super::job::Job;
use crate::redis::{Forms, UpdatePart, Write};
use crate::trace::OriginSpan;

/// Jobs grouped by key. A key occurs once: a retry of the first half of a batch could otherwise
/// overwrite the second. The guard of newer fields takes care of that, so with it a key occurs once
/// for each time of its events, each with a verdict of its own.
pub struct Batch {
    jobs: Vec<Job>,
    groups: KeyGroups<Write>,
    forms: Arc<Forms>,
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
    /// The next item of the same key, for each item.
    next: Vec<Option<u32>>,
    /// Items that are in a group; those behind them wait.
    end: usize,
}

/// The items of one key, as a chain.
struct KeyGroup<W> {
    first: u32,
    last: u32,
    /// The write for all of them.
    write: W,
}

impl<W: Copy> KeyGroups<W> {
    /// Groups `len` items up to the first whose write cannot `join` those before it to the same
    /// key.
    fn new<K: Hash + Eq>(
        len: usize,
        key: impl Fn(u32) -> K,
        write: impl Fn(u32) -> W,
        join: impl Fn(W, W) -> Option<W>,
    ) -> Self {
        let hasher = DefaultHashBuilder::default();
        let hash = |at: u32| hasher.hash_one(key(at));
        let mut keys: Vec<KeyGroup<W>> = Vec::with_capacity(len);
        let mut next = vec![None; len];
        let mut by_key: HashTable<u32> = HashTable::with_capacity(len);
        for at in 0..len as u32 {
            let same = |&group: &u32| key(keys[group as usize].first) == key(at);
            match by_key.find(hash(at), same) {
                Some(&group) => {
                    let group = &mut keys[group as usize];
                    let Some(joined) = join(group.write, write(at)) else {
                        return Self { keys, next, end: at as usize };
                    };
                    next[group.last as usize] = Some(at);
                    group.last = at;
                    group.write = joined;
                }
                None => {
                    let rehash = |&group: &u32| hash(keys[group as usize].first);
                    by_key.insert_unique(hash(at), keys.len() as u32, rehash);
                    keys.push(KeyGroup { first: at, last: at, write: write(at) });
                }
            }
        }
        Self { keys, next, end: len }
    }

    /// The positions of the items of one group.
    fn chain(&self, group: &KeyGroup<W>) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(group.first), |&at| self.next[at as usize]).map(|at| at as usize)
    }
}

impl Batch {
    /// Groups `jobs`, which are in the order in which they were accepted. The first job whose write
    /// cannot join those before it to the same key, and all jobs behind it, come back: they wait
    /// for the next batch.
    pub fn new(forms: &Arc<Forms>, mut jobs: Vec<Job>) -> (Self, Vec<Job>) {
        let groups = KeyGroups::new(
            jobs.len(),
            |at| {
                let update = &jobs[at as usize].update;
                (update.key(), update.at())
            },
            |at| forms.write(&jobs[at as usize].update),
            Write::join,
        );
        let waiting = jobs.split_off(groups.end);
        (Self { jobs, groups, forms: Arc::clone(forms) }, waiting)
    }

    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Whether an event of it may no longer be written.
    pub fn revoked(&self) -> bool {
        self.jobs.iter().any(Job::revoked)
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
        self.jobs.iter().map(|job| job.cost()).sum()
    }

    /// In the order of first appearance: the write, the packed key, and the part of each job.
    pub fn writes(
        &self,
    ) -> impl Iterator<Item = (Write, &[u8], impl Iterator<Item = UpdatePart<'_>>)> {
        self.groups.keys.iter().map(|group| {
            let part = |at: usize| self.forms.part(&self.jobs[at].update);
            let key = self.jobs[group.first as usize].update.packed_key();
            (group.write, key, self.groups.chain(group).map(part))
        })
    }

    /// Takes the batch apart: each job with the position of its write in [`Batch::writes`], in the
    /// order in which they were accepted.
    pub fn into_jobs(self) -> Vec<(usize, Job)> {
        let mut write_of = vec![0; self.jobs.len()];
        for (position, group) in self.groups.keys.iter().enumerate() {
            for at in self.groups.chain(group) {
                write_of[at] = position;
            }
        }
        write_of.into_iter().zip(self.jobs).collect()
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
        let groups = KeyGroups::new(items.len(), key, write, alike);
        let chains: Vec<Vec<usize>> =
            groups.keys.iter().map(|group| groups.chain(group).collect()).collect();
        assert_eq!((chains, groups.end), (vec![vec![0, 2], vec![1], vec![3]], 4));
        let all = KeyGroups::new(items.len(), key, write, |first, later| Some(first + later));
        let sums: Vec<i32> = all.keys.iter().map(|group| group.write).collect();
        assert_eq!((sums, all.end), (vec![4, 2, 2], items.len()));
    }
}
