//! The parts that the process still waits for before it can do its work.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::watch;

use crate::lock::lock;

/// The parts that are not usable now, each with the reason in plain words. Parts report themselves;
/// `/ready` reads.
pub struct Readiness {
    waiting: Mutex<BTreeMap<&'static str, String>>,
    changed: watch::Sender<()>,
}

impl Readiness {
    /// Each of `parts` counts as starting until it reports.
    pub fn new(parts: impl IntoIterator<Item = &'static str>) -> Self {
        let waiting = parts.into_iter().map(|part| (part, "starting".to_owned())).collect();
        Self { waiting: Mutex::new(waiting), changed: watch::Sender::default() }
    }

    /// `part` is usable.
    pub fn ready(&self, part: &'static str) {
        if self.lock().remove(part).is_some() {
            self.changed.send_replace(());
        }
    }

    /// `part` is not usable; `reason` is shown to operators, so it holds neither secrets nor
    /// personal data.
    pub fn waiting(&self, part: &'static str, reason: impl Into<String>) {
        let reason = reason.into();
        let before = self.lock().insert(part, reason.clone());
        if before.is_none_or(|before| before != reason) {
            self.changed.send_replace(());
        }
    }

    /// Notices that what is waited for changed.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Parts and reasons, by name; empty when everything is usable.
    pub fn waiting_for(&self) -> Vec<(&'static str, String)> {
        self.lock().iter().map(|(&part, reason)| (part, reason.clone())).collect()
    }

    /// Whether everything is usable.
    pub fn is_ready(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        lock(&self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_ready_once_every_part_has_reported() {
        let readiness = Readiness::new(["redis", "http"]);
        readiness.ready("http");
        assert_eq!(readiness.waiting_for(), [("redis", "starting".to_owned())]);
        readiness.waiting("redis", "connection refused");
        assert_eq!(readiness.waiting_for(), [("redis", "connection refused".to_owned())]);
        readiness.ready("redis");
        assert!(readiness.is_ready());
    }

    #[test]
    fn only_changes_are_noticed() {
        let readiness = Readiness::new(["redis"]);
        let mut changes = readiness.changes();
        let mut changed = || {
            let changed = changes.has_changed().unwrap();
            changes.mark_unchanged();
            changed
        };
        readiness.waiting("redis", "starting");
        readiness.ready("http");
        assert!(!changed());
        readiness.waiting("redis", "connection refused");
        assert!(changed());
        readiness.ready("redis");
        assert!(changed());
    }

    #[test]
    fn a_part_that_breaks_later_is_waited_for_again() {
        let readiness = Readiness::new([]);
        assert!(readiness.is_ready());
        readiness.waiting("process", "stopping");
        assert_eq!(readiness.waiting_for(), [("process", "stopping".to_owned())]);
    }
}
