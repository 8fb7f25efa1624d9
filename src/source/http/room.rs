//! Memory for one body while it is read, paid from a share of the budget.

use std::sync::{Arc, Mutex};

use crate::lock::lock;
use crate::pipeline::{Budget, Busy, Reservation};

use super::problem::Problem;

/// A body that came at once and holds no more than this does not count towards the share.
const SMALL: usize = 128 * 1024;
/// A body that holds more must leave a quarter of the share to others.
const LARGE: usize = 1024 * 1024;

/// The share of the budget for bodies that are being read.
pub(super) struct BodyShare {
    pub(super) budget: Arc<Budget>,
    /// Bytes of one body, at most.
    pub(super) limit: usize,
    /// Bytes of all bodies, at most.
    share: usize,
    /// Bytes of all bodies, at most, when a large body takes more.
    share_of_large: usize,
    /// Held while a large body is joined: only one is in memory twice at a time.
    joining: Mutex<()>,
}

impl BodyShare {
    /// Half of `budget`, or `largest` if that is more: what a body of `limit` bytes holds while it
    /// is read.
    pub(super) fn new(budget: &Arc<Budget>, limit: usize, largest: usize) -> Self {
        let share = (budget.limit() / 2).max(largest).min(budget.limit());
        let share_of_large = (share - share / 4).max(largest).min(share);
        Self { budget: Arc::clone(budget), limit, share, share_of_large, joining: Mutex::default() }
    }

    /// Holds `bytes` for a whole body that came at once and does not count towards the share;
    /// `None`: it does, or there is too little memory.
    pub(super) fn hold_at_once(&self, bytes: usize) -> Option<Reservation> {
        if bytes > SMALL.min(self.limit) {
            return None;
        }
        self.budget.try_reserve(bytes)
    }
}

/// Frees memory of the share when there is too little.
pub(super) trait Evict: Send + Sync {
    /// Frees the memory of one body; false when no body may be given up.
    fn evict(&self) -> bool;
}

/// The memory of one body.
pub(super) struct BodyRoom {
    share: Arc<BodyShare>,
    others: Arc<dyn Evict>,
    held: Reservation,
    /// No byte of the body was waited for so far.
    at_once: bool,
}

impl BodyRoom {
    /// No memory yet; `others` makes room when it grows.
    pub(super) fn new(share: Arc<BodyShare>, others: Arc<dyn Evict>) -> Result<Self, Problem> {
        let held = share.budget.try_reserve(0).ok_or(Problem::Busy(Busy::Full))?;
        Ok(Self { share, others, held, at_once: true })
    }

    pub(super) fn held(&self) -> usize {
        self.held.bytes()
    }

    pub(super) fn limit(&self) -> usize {
        self.share.limit
    }

    /// Holds `need` bytes in all, or `wish` if nobody has to give up any for that; returns how many
    /// are held.
    pub(super) fn hold(&mut self, need: usize, wish: usize) -> Result<usize, Problem> {
        let held = self.held.bytes();
        if need <= held || (wish > need && self.try_grow(wish - held)) {
            return Ok(self.held.bytes());
        }
        self.grow(need - held)?;
        Ok(need)
    }

    /// The rest of the body is waited for: from now on what is held counts towards the share.
    pub(super) fn wait(&mut self) -> Result<(), Problem> {
        self.at_once = false;
        self.grow(0)
    }

    fn grow(&mut self, more: usize) -> Result<(), Problem> {
        while !self.try_grow(more) {
            if !self.others.evict() {
                return Err(Problem::Busy(Busy::Full));
            }
        }
        Ok(())
    }

    fn try_grow(&mut self, more: usize) -> bool {
        let BodyShare { share, share_of_large, .. } = *self.share;
        match self.held.bytes() + more {
            sum if sum <= SMALL && self.at_once => self.held.try_grow(more),
            sum if sum > LARGE => self.held.try_grow_reading(more, share_of_large),
            _ => self.held.try_grow_reading(more, share),
        }
    }

    /// Runs `join`, which may need the memory of a body twice. `large` bodies are joined one at a
    /// time.
    pub(super) fn join_alone_if<T>(&self, large: bool, join: impl FnOnce() -> T) -> T {
        let _one = large.then(|| lock(&self.share.joining));
        join()
    }

    /// The body is complete, and needs `less` bytes less.
    pub(super) fn complete(mut self, less: usize) -> Reservation {
        self.held.shrink(less);
        self.held.read();
        self.held
    }
}
