//! Who is suppressed, in memory: asked for every event.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};

use tokio::sync::watch;

use super::mark::{UserDigest, digest_of};
use crate::lock;

/// The users whose events are skipped. Takes about 40 bytes for each of them.
pub struct Suppressions {
    /// How many there are: while it is 0, no hash of an id is needed.
    count: AtomicUsize,
    /// The first halves of the digests: two users with the same half are not to be expected.
    users: RwLock<HashSet<u128>>,
    loaded: watch::Sender<bool>,
}

impl Suppressions {
    /// Nobody is suppressed, and nothing is waited for: deletion is off.
    pub fn none() -> Arc<Self> {
        Arc::new(Self::new(HashSet::new(), true))
    }

    /// Those that are known from the disk: what other workers know is waited for.
    pub(super) fn from_disk(digests: impl Iterator<Item = UserDigest>) -> Self {
        Self::new(digests.map(|digest| half(&digest)).collect(), false)
    }

    fn new(users: HashSet<u128>, loaded: bool) -> Self {
        let count = AtomicUsize::new(users.len());
        Self { count, users: RwLock::new(users), loaded: watch::Sender::new(loaded) }
    }

    /// Whether the events of `user`, the text of a user id, are to be skipped now.
    pub fn holds(&self, user: &[u8]) -> bool {
        if self.count.load(Ordering::Relaxed) == 0 {
            return false;
        }
        lock::read(&self.users).contains(&half(&digest_of(user)))
    }

    /// Returns once it is known what other workers know: nothing may be written before.
    pub async fn loaded(&self) {
        let mut loaded = self.loaded.subscribe();
        // The sender lives as long as `self`.
        let _ = loaded.wait_for(|loaded| *loaded).await;
    }

    pub(super) fn set_loaded(&self) {
        self.loaded.send_if_modified(|loaded| !std::mem::replace(loaded, true));
    }

    /// Takes over whether the users of these digests are suppressed.
    pub(super) fn apply(&self, changes: impl IntoIterator<Item = (UserDigest, bool)>) {
        let mut users = lock::write(&self.users);
        for (digest, suppressed) in changes {
            if suppressed {
                users.insert(half(&digest));
            } else {
                users.remove(&half(&digest));
            }
        }
        self.count.store(users.len(), Ordering::Relaxed);
    }
}

fn half(digest: &UserDigest) -> u128 {
    let (half, _) = digest.split_at(16);
    u128::from_be_bytes(half.try_into().expect("a digest has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_user_is_held_from_a_change_to_the_next() {
        let none = Suppressions::none();
        none.loaded().await;
        assert!(!none.holds(b"a"));
        let known = Suppressions::from_disk([digest_of(b"a")].into_iter());
        assert!(known.holds(b"a") && !known.holds(b"b"));
        known.apply([(digest_of(b"b"), true), (digest_of(b"a"), false)]);
        assert!(known.holds(b"b") && !known.holds(b"a"));
        known.apply([(digest_of(b"b"), false)]);
        assert!(!known.holds(b"b"));

        let loading = known.loaded();
        tokio::pin!(loading);
        assert!(futures_util::poll!(&mut loading).is_pending());
        known.set_loaded();
        loading.await;
    }
}
