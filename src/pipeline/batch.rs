//! What a lane writes at once: each key at most once.

use hashbrown::DefaultHashBuilder;
use hashbrown::HashTable;
use std::hash::BuildHasher;

use super::job::Job;

/// Jobs grouped by key. A key occurs once: a retry of the first half of a batch could otherwise
/// overwrite the second.
pub struct Batch {
    jobs: Vec<Job>,
    writes: Vec<Write>,
    /// The next job of the same key, for each job.
    next: Vec<Option<u32>>,
}

/// One key of a batch: its jobs as a chain.
struct Write {
    first: u32,
    last: u32,
    fields: u32,
}

impl Batch {
    /// Groups `jobs`, which are in the order in which they were accepted.
    pub fn new(jobs: Vec<Job>) -> Self {
        let hasher = DefaultHashBuilder::default();
        let hash = |jobs: &[Job], at: u32| hasher.hash_one(jobs[at as usize].update.key());
        let mut writes: Vec<Write> = Vec::with_capacity(jobs.len());
        let mut next = vec![None; jobs.len()];
        let mut by_key: HashTable<u32> = HashTable::with_capacity(jobs.len());
        for at in 0..jobs.len() as u32 {
            let update = &jobs[at as usize].update;
            let same = |&write: &u32| {
                jobs[writes[write as usize].first as usize].update.key() == update.key()
            };
            match by_key.find(hash(&jobs, at), same) {
                Some(&write) => {
                    let write = &mut writes[write as usize];
                    next[write.last as usize] = Some(at);
                    write.last = at;
                    write.fields += update.field_count();
                }
                None => {
                    let rehash = |&write: &u32| hash(&jobs, writes[write as usize].first);
                    by_key.insert_unique(hash(&jobs, at), writes.len() as u32, rehash);
                    writes.push(Write { first: at, last: at, fields: update.field_count() });
                }
            }
        }
        Self { jobs, writes, next }
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
        self.writes.len()
    }

    /// Bytes of the updates.
    pub fn bytes(&self) -> usize {
        self.jobs.iter().map(|job| job.cost()).sum()
    }

    /// For each key, in the order of first appearance: the packed key, the number of fields, and
    /// the packed fields of each job.
    pub fn writes(&self) -> impl Iterator<Item = (&[u8], u32, impl Iterator<Item = &[u8]>)> {
        self.writes.iter().map(|write| {
            let parts = self.chain(write).map(|at| self.jobs[at].update.packed_fields());
            (self.jobs[write.first as usize].update.packed_key(), write.fields, parts)
        })
    }

    /// Takes the batch apart: each job with the position of its key in [`Batch::writes`], in the
    /// order in which they were accepted.
    pub fn into_jobs(self) -> Vec<(usize, Job)> {
        let mut write_of = vec![0; self.jobs.len()];
        for (position, write) in self.writes.iter().enumerate() {
            for at in self.chain(write) {
                write_of[at] = position;
            }
        }
        write_of.into_iter().zip(self.jobs).collect()
    }

    fn chain(&self, write: &Write) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(write.first), |&at| self.next[at as usize]).map(|at| at as usize)
    }
}
