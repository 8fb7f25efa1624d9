//! Whether an event is poison or the server is sick: judges refusals that no row of the error table
//! explains by what else the server takes meanwhile. Pure but for the lock.
//!
//! An event is *poison* when the server refused its write at least `retry_count` times in a row
//! with one text, took other keys' writes in between, and met no other key with the same text at
//! the same time, in any lane. When several keys meet one text at once, it may as well be one dead
//! server behind a proxy: then none of them is poison, and the count of each begins again once it
//! is alone. A text that speaks of the server makes no poison at all.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::lock::lock;
use crate::redis::UnexplainedRefusal;

/// Writes that the server must have taken since the first refusal. A proxy in front of three
/// servers, one of them dead, takes ten in a row less than once in fifty times.
const PROOF: u64 = 10;
/// How long a key is remembered after its last refusal: its event may be given up by its source,
/// and come again.
const REMEMBERED: Duration = Duration::from_secs(60);
/// How often keys are forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// The most keys that are remembered; any more are retried for ever.
const MOST: usize = 10_000;

/// The refused keys of all lanes.
pub struct PoisonDetector {
    refused: Mutex<RefusedKeys>,
    /// How many keys are remembered, read without the lock.
    keys: AtomicUsize,
    hasher: RandomState,
}

impl PoisonDetector {
    /// An event is poison after `retry_count` refusals at least; a key is remembered for longer
    /// than `retry_max`.
    pub fn new(retry_count: u32, retry_max: Duration) -> Arc<Self> {
        let remembered = REMEMBERED.max(retry_max * 4);
        let refused = RefusedKeys {
            retry_count: retry_count.max(1),
            remembered,
            keys: HashMap::new(),
            swept: None,
            with_text: HashMap::new(),
        };
        Arc::new(Self {
            refused: Mutex::new(refused),
            keys: AtomicUsize::new(0),
            hasher: RandomState::new(),
        })
    }

    /// The write of one event, or of several (`merged`), to `key` was refused. True: the event is
    /// poison.
    pub fn refused(
        &self,
        key: &[u8],
        refusal: UnexplainedRefusal,
        merged: bool,
        now: Instant,
    ) -> bool {
        let mut refused = self.lock();
        let poison = refused.judge(self.hasher.hash_one(key), refusal, merged, now);
        self.keys.store(refused.keys.len(), Relaxed);
        poison
    }

    /// The key was written, or its event is in the dead letters.
    pub fn settled(&self, key: &[u8]) {
        if !self.is_empty() {
            let mut refused = self.lock();
            refused.forget(self.hasher.hash_one(key));
            self.keys.store(refused.keys.len(), Relaxed);
        }
    }

    /// Whether no key is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.load(Relaxed) == 0
    }

    fn lock(&self) -> MutexGuard<'_, RefusedKeys> {
        lock(&self.refused)
    }
}

/// Notes about refused keys, by the hash of each.
struct RefusedKeys {
    retry_count: u32,
    remembered: Duration,
    keys: HashMap<u64, RefusedKey>,
    swept: Option<Instant>,
    /// How many keys are refused with each text.
    with_text: HashMap<u64, usize>,
}

/// The refusals of one key.
struct RefusedKey {
    text: u64,
    server: u64,
    /// Refusals in a row that say something about this key.
    tries: u32,
    /// [`UnexplainedRefusal::taken`] at the first of them.
    taken: u64,
    last: Instant,
}

impl RefusedKeys {
    fn judge(&mut self, key: u64, refusal: UnexplainedRefusal, merged: bool, now: Instant) -> bool {
        let UnexplainedRefusal { text: Some(text), server, taken } = refusal else {
            self.forget(key);
            return false;
        };
        self.sweep(now);
        let known = self
            .keys
            .get(&key)
            .filter(|known| known.text == text && known.server == server && known.taken <= taken);
        let (tries, since) = known.map_or((0, taken), |known| (known.tries, known.taken));
        self.forget(key);
        if self.keys.len() >= MOST {
            return false;
        }
        let others = self.with_text.get(&text).copied().unwrap_or(0);
        // A refusal of several keys or events at once says nothing about one event.
        let (tries, since) = match (others > 0 || merged, tries) {
            (true, _) => (0, taken),
            (false, 0) => (1, taken),
            (false, tries) => (tries + 1, since),
        };
        self.keys.insert(key, RefusedKey { text, server, tries, taken: since, last: now });
        *self.with_text.entry(text).or_default() += 1;
        tries >= self.retry_count && tries > 1 && taken - since >= PROOF
    }

    /// Forgets keys that were not refused for long. Looks at every key, so not each time.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now - swept < SWEEP_EVERY) {
            return;
        }
        self.swept = Some(now);
        let old: Vec<u64> = self
            .keys
            .iter()
            .filter(|(_, refused)| now - refused.last > self.remembered)
            .map(|(&key, _)| key)
            .collect();
        old.into_iter().for_each(|key| self.forget(key));
    }

    fn forget(&mut self, key: u64) {
        let Some(refused) = self.keys.remove(&key) else { return };
        if let Some(count) = self.with_text.get_mut(&refused.text) {
            *count -= 1;
            if *count == 0 {
                self.with_text.remove(&refused.text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RETRIES: u32 = 5;

    /// One step of the world: a key is refused, or written, or the server takes other writes.
    #[derive(Debug, Clone)]
    enum Step {
        Refused { key: u8, text: u64, merged: bool },
        Settled(u8),
        Taken(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => (0..3u8, 0..2u64, prop::bool::weighted(0.1))
                .prop_map(|(key, text, merged)| Step::Refused { key, text, merged }),
            1 => (0..3u8).prop_map(Step::Settled),
            3 => (1..8u64).prop_map(Step::Taken),
        ];
        prop::collection::vec(step, 1..200)
    }

    proptest! {
        /// Looks back over the whole history at each judgement, which the detector does not keep.
        #[test]
        fn poison_is_refused_often_alone_and_beside_others_that_are_taken(steps in steps()) {
            let detector = PoisonDetector::new(RETRIES, Duration::from_secs(1));
            let now = Instant::now();
            let mut taken = 0;
            let mut history: Vec<(u8, u64, bool, u64, bool)> = Vec::new();
            let mut standing: HashMap<u8, u64> = HashMap::new();
            for step in steps {
                match step {
                    Step::Taken(more) => taken += more,
                    Step::Settled(key) => {
                        detector.settled(&[key]);
                        standing.remove(&key);
                        history.retain(|refusal| refusal.0 != key);
                    }
                    Step::Refused { key, text, merged } => {
                        standing.insert(key, text);
                        let shared = standing.values().filter(|&&other| other == text).count() > 1;
                        let refusal = UnexplainedRefusal { text: Some(text), server: 1, taken };
                        let poison = detector.refused(&[key], refusal, merged, now);
                        history.push((key, text, merged, taken, shared));
                        let alone: Vec<u64> = history
                            .iter()
                            .rev()
                            .filter(|refusal| refusal.0 == key)
                            .take_while(|refusal| refusal.1 == text && !refusal.2 && !refusal.4)
                            .map(|refusal| refusal.3)
                            .collect();
                        let often = alone.len() >= RETRIES as usize;
                        let proven = alone.last().is_some_and(|first| taken - first >= PROOF);
                        prop_assert_eq!(poison, often && proven, "{:?}", history);
                    }
                }
            }
        }
    }

    fn refused(detector: &PoisonDetector, key: &str, taken: u64) -> bool {
        detector.refused(
            key.as_bytes(),
            UnexplainedRefusal { text: Some(7), server: 1, taken },
            false,
            Instant::now(),
        )
    }

    #[test]
    fn without_another_write_it_is_never_poison() {
        let detector = PoisonDetector::new(RETRIES, Duration::from_secs(1));
        assert!((0..1000).all(|_| !refused(&detector, "a", 5)));
        assert!(refused(&detector, "a", 5 + PROOF));
    }

    #[test]
    fn what_speaks_of_the_server_is_never_poison() {
        let detector = PoisonDetector::new(1, Duration::from_secs(1));
        let refusal = |taken| UnexplainedRefusal { text: None, server: 1, taken };
        assert!((0..1000).all(|round| !detector.refused(
            b"a",
            refusal(round * 100),
            false,
            Instant::now()
        )));
    }

    #[test]
    fn the_count_begins_again_for_a_key_that_is_alone_again() {
        let detector = PoisonDetector::new(RETRIES, Duration::from_secs(1));
        assert!(
            (0..100).all(|round| !refused(&detector, "a", round * 100)
                | !refused(&detector, "b", round * 100))
        );
        detector.settled(b"b");
        let mut later = (100..).map(|round| refused(&detector, "a", round * 100));
        assert_eq!(
            later.by_ref().take(RETRIES as usize).collect::<Vec<_>>(),
            [false, false, false, false, true]
        );
    }

    #[test]
    fn another_server_proves_nothing() {
        let detector = PoisonDetector::new(1, Duration::from_secs(1));
        let ask = |server, taken| {
            detector.refused(
                b"a",
                UnexplainedRefusal { text: Some(7), server, taken },
                false,
                Instant::now(),
            )
        };
        assert_eq!(
            [ask(1, 0), ask(2, 1000), ask(1, 2000), ask(1, 2000 + PROOF)],
            [false, false, false, true]
        );
    }

    #[test]
    fn a_key_that_was_given_up_is_remembered_for_a_while() {
        let detector = PoisonDetector::new(1, Duration::from_secs(1));
        let start = Instant::now();
        let ask = |key: &[u8], taken, after| {
            detector.refused(
                key,
                UnexplainedRefusal { text: Some(7), server: 1, taken },
                false,
                start + Duration::from_secs(after),
            )
        };
        assert!(!ask(b"a", 0, 0) && !ask(b"b", 0, 1));
        assert!(!ask(b"b", 50, 50), "the other one was refused a minute ago");
        assert!(!ask(b"b", 100, 70) && ask(b"b", 150, 71));
    }
}
