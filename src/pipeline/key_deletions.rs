//! Deletes keys by an operator's command, each through its lane: an event that was accepted before
//! the command is not written after it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::event::{Origin, Update};
use crate::lock::lock;
use crate::metrics::Metrics;
use crate::outcome::{DeadReason, Outcome};

use super::ack::{Ack, Receipts};
use super::intake::{Intake, NotAccepted};
use super::job::{Busy, Job};
use super::message::Message;

/// How the deletion of keys ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeletedKeys {
    /// Keys that were there, and are gone.
    pub deleted: u64,
    /// Keys that hold another type, and were left.
    pub wrong_type: u64,
    /// Keys whose deletion Redis refuses for good for another reason.
    pub refused: u64,
    /// Keys that were not deleted, because Redis is away or the process stops: to be tried again.
    pub failed: u64,
}

/// Deletes the keys of `updates`, which ask for that, and waits until each is settled.
pub async fn delete_keys(
    intake: &Intake,
    metrics: &Arc<Metrics>,
    updates: Vec<Update>,
) -> DeletedKeys {
    let receipts = Arc::new(DeletionReceipts::new(updates.len()));
    let message =
        Message::new(Bytes::new(), intake.budget().try_reserve(0).expect("nothing always fits"));
    for update in updates {
        let ack = Ack::of_command(Arc::clone(&receipts) as _, 0, Arc::clone(metrics));
        let mut job = Job::new(update, ack, &message, 0..0, Origin::default());
        // A job that is dropped is settled as failed.
        while let Err(NotAccepted::Busy(Busy::Full, refused)) = intake.offer(job) {
            job = *refused;
            intake.room().await;
        }
    }
    receipts.wait().await
}

/// Counts the outcomes.
struct DeletionReceipts {
    pending: AtomicUsize,
    keys: Mutex<DeletedKeys>,
    settled: Notify,
}

impl DeletionReceipts {
    fn new(keys: usize) -> Self {
        let settled = Notify::new();
        Self { pending: AtomicUsize::new(keys), keys: Mutex::default(), settled }
    }

    async fn wait(&self) -> DeletedKeys {
        while self.pending.load(Ordering::Acquire) > 0 {
            self.settled.notified().await;
        }
        *lock(&self.keys)
    }
}

impl Receipts for DeletionReceipts {
    fn settle(&self, _position: u64, outcome: Outcome) {
        let mut keys = lock(&self.keys);
        match outcome {
            Outcome::Written => keys.deleted += 1,
            Outcome::Stale | Outcome::Skipped(_) => {}
            Outcome::DeadLettered(DeadReason::WrongType) => keys.wrong_type += 1,
            Outcome::DeadLettered(_) | Outcome::Rejected(_) => keys.refused += 1,
            Outcome::Failed => keys.failed += 1,
        }
        drop(keys);
        if self.pending.fetch_sub(1, Ordering::Release) == 1 {
            self.settled.notify_one();
        }
    }
}
