//! What a lane writes at once: each key at most once.

use hashbrown::DefaultHashBuilder;
use hashbrown::HashTable;
use std::hash::BuildHasher;

use super::intake::Job;
use crate::event::Update;
use crate::redis::{Hash, Write};

/// Jobs grouped by key. A key occurs once: a retry of the first half of a batch could otherwise
/// overwrite the second.
pub struct Batch {
    jobs: Vec<Job>,
    keys: Vec<KeyJobs>,
    /// The next job of the same key, for each job.
    next: Vec<Option<u32>>,
}

/// The jobs of one key of a batch, as a chain.
struct KeyJobs {
    first: u32,
    last: u32,
    /// What is written for all of them.
    write: Write,
}

/// What is written for one update.
fn write_for(update: &Update) -> Write {
    Write::Hash(Hash { fields: update.field_count() })
}

/// How many of `jobs`, all of one key, can be one write.
pub(super) fn joinable<'a>(mut jobs: impl Iterator<Item = &'a Job>) -> usize {
    let Some(first) = jobs.next() else { return 0 };
    let mut write = write_for(&first.update);
    let joined = jobs.map_while(|job| {
        write = write.join(write_for(&job.update))?;
        Some(())
    });
    1 + joined.count()
}

impl Batch {
    /// Groups `jobs`, which are in the order in which they were accepted. The first job whose write
    /// cannot join the one before it to the same key, and all jobs after it, come back: they wait
    /// for the next batch.
    pub fn new(mut jobs: Vec<Job>) -> (Self, Vec<Job>) {
        let hasher = DefaultHashBuilder::default();
        let hash = |jobs: &[Job], at: u32| hasher.hash_one(jobs[at as usize].update.key());
        let mut keys: Vec<KeyJobs> = Vec::with_capacity(jobs.len());
        let mut next = vec![None; jobs.len()];
        let mut by_key: HashTable<u32> = HashTable::with_capacity(jobs.len());
        let mut end = jobs.len();
        for at in 0..jobs.len() as u32 {
            let update = &jobs[at as usize].update;
            let write = write_for(update);
            let same =
                |&key: &u32| jobs[keys[key as usize].first as usize].update.key() == update.key();
            match by_key.find(hash(&jobs, at), same) {
                Some(&key) => {
                    let key = &mut keys[key as usize];
                    let Some(joined) = key.write.join(write) else {
                        end = at as usize;
                        break;
                    };
                    next[key.last as usize] = Some(at);
                    key.last = at;
                    key.write = joined;
                }
                None => {
                    let rehash = |&key: &u32| hash(&jobs, keys[key as usize].first);
                    by_key.insert_unique(hash(&jobs, at), keys.len() as u32, rehash);
                    keys.push(KeyJobs { first: at, last: at, write });
                }
            }
        }
        let waiting = jobs.split_off(end);
        (Self { jobs, keys, next }, waiting)
    }

    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Whether an event of it may no longer be written.
    pub fn revoked(&self) -> bool {
        self.jobs.iter().any(Job::revoked)
    }

    /// Events in the batch.
    pub fn events(&self) -> usize {
        self.jobs.len()
    }

    /// Keys in the batch.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Bytes of the updates.
    pub fn bytes(&self) -> usize {
        self.jobs.iter().map(|job| job.cost()).sum()
    }

    /// For each key, in the order of first appearance: the write, the packed key, and the packed
    /// fields of each job.
    pub fn writes(&self) -> impl Iterator<Item = (Write, &[u8], impl Iterator<Item = &[u8]>)> {
        self.keys.iter().map(|key| {
            let payload = self.chain(key).map(|at| self.jobs[at].update.packed_fields());
            (key.write, self.jobs[key.first as usize].update.packed_key(), payload)
        })
    }

    /// Takes the batch apart: each job with the position of its key in [`Batch::writes`], in the
    /// order in which they were accepted.
    pub fn into_jobs(self) -> Vec<(usize, Job)> {
        let mut write_of = vec![0; self.jobs.len()];
        for (position, key) in self.keys.iter().enumerate() {
            for at in self.chain(key) {
                write_of[at] = position;
            }
        }
        write_of.into_iter().zip(self.jobs).collect()
    }

    fn chain(&self, key: &KeyJobs) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(key.first), |&at| self.next[at as usize]).map(|at| at as usize)
    }
}
