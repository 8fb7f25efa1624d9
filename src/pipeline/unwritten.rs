//! The end of a lane that writes nothing, for a dry run.

use crate::outcome::Outcome;

use super::queue::Queue;

/// Jobs that are settled together.
const MOST: usize = 512;

/// Settles every update of `queue` as written, without a write, until the queue is closed.
pub async fn settle_unwritten(queue: &Queue) {
    while let Some(jobs) = queue.take(MOST, usize::MAX).await {
        let bytes = jobs.iter().map(|job| job.cost()).sum();
        jobs.into_iter().for_each(|job| job.ack.settle(Outcome::Written));
        queue.release(bytes);
    }
}
