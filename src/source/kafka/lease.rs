//! How long events taken from Kafka may be written: a process that was stopped for a while may have
//! lost its partitions without notice.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Share of the session timeout that a lease lasts: the rest covers the time since the last
/// heartbeat that the broker saw, which precedes the last poll by up to [`heartbeat`], and its way
/// there.
const SHARE: (u32, u32) = (2, 3);

/// The pace of heartbeats for a session timeout.
pub(super) fn heartbeat(session_timeout: Duration) -> Duration {
    (session_timeout / 10).clamp(Duration::from_millis(100), Duration::from_secs(3))
}

/// The right to write, renewed by every poll. Once it has run out, the membership must be confirmed
/// again. While the process runs, librdkafka itself gives up partitions when heartbeats stay
/// unanswered.
pub(super) struct Lease {
    length: Duration,
    /// When the lease runs out, on [`clock`].
    until: AtomicU64,
}

impl Lease {
    /// A lease that is not valid until [`Lease::begin`].
    pub(super) fn new(session_timeout: Duration) -> Self {
        Self { length: session_timeout * SHARE.0 / SHARE.1, until: AtomicU64::new(0) }
    }

    pub(super) fn is_valid(&self) -> bool {
        clock() < self.until.load(Ordering::Relaxed)
    }

    /// Begins the lease: the group has just confirmed the membership.
    pub(super) fn begin(&self) {
        self.until.store(clock() + self.length.as_millis() as u64, Ordering::Relaxed);
    }

    /// Time since the lease was last begun or renewed.
    pub(super) fn age(&self) -> Duration {
        (Duration::from_millis(clock()) + self.length)
            .saturating_sub(Duration::from_millis(self.until.load(Ordering::Relaxed)))
    }

    /// Prolongs a lease that is valid; false, and nothing changes, when it has run out.
    pub(super) fn renew(&self) -> bool {
        let valid = self.is_valid();
        if valid {
            self.begin();
        }
        valid
    }
}

/// Milliseconds on a clock that goes on while the machine sleeps.
fn clock() -> u64 {
    #[cfg(target_os = "linux")]
    let id = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let id = ClockId::Monotonic;
    let now = clock_gettime(id);
    now.tv_sec as u64 * 1000 + now.tv_nsec as u64 / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_has_run_out_is_not_renewed() {
        let lease = Lease::new(Duration::from_secs(6));
        assert!(!lease.is_valid() && !lease.renew());
        lease.begin();
        assert!(lease.is_valid() && lease.renew());
        lease.until.store(clock(), Ordering::Relaxed);
        assert!(!lease.is_valid() && !lease.renew());
    }
}
