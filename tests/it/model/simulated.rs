//! Redis as a lane sees it: fails in every way, in simulated time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use traitsink::pipeline::{Outcome, Receipts};
use traitsink::redis::{Allowed, Apply, Class, Trouble, UnexplainedRefusal, Verdict, Writes};

/// Redis as the lanes see it: for each key the numbers that its HSETs wrote, in the order in which
/// they were applied.
#[derive(Default)]
pub(super) struct Server {
    pub(super) applied: BTreeMap<String, Vec<u64>>,
    /// What its source no longer owned, by key.
    pub(super) revoked: BTreeMap<String, Vec<u64>>,
    /// A key whose last number was written once more, or an older one after a newer, or one that
    /// was revoked.
    pub(super) faults: Vec<String>,
    /// HSETs that were applied.
    taken: u64,
    /// Some keys are refused with a text that speaks of the server.
    pub(super) sick: bool,
    /// All that was sent, by key and number.
    pub(super) told: BTreeMap<(String, u64), Arc<Told>>,
}

/// Redis takes every HSET but those with such an event, and does not say why in words that are
/// known.
pub(super) fn is_poison(key: &str, number: u64) -> bool {
    key.ends_with("u-1") && number.is_multiple_of(7)
}

impl Server {
    /// Why an HSET is refused, if it is.
    fn refuses(&self, key: &str, numbers: &[u64]) -> Option<Verdict> {
        let text = if numbers.iter().any(|&number| is_poison(key, number)) {
            Some(1)
        } else if self.sick && key.ends_with(['3', '6', '9']) {
            None
        } else {
            return None;
        };
        Some(Verdict::Unexplained(UnexplainedRefusal { text, server: 1, taken: self.taken }))
    }

    /// Applies bytes that were still on their way when their connection broke. Whoever was told the
    /// outcome of one of these events meanwhile may have written a newer one elsewhere.
    fn apply_late(&mut self, key: &str, numbers: &[u64]) {
        if key.ends_with("-0") || self.refuses(key, numbers).is_some() {
            return;
        }
        let settled = |number: &&u64| {
            !self.told[&(key.to_owned(), **number)].outcomes.lock().unwrap().is_empty()
        };
        if let Some(number) = numbers.iter().find(settled) {
            self.faults.push(format!("{key}: {number} arrived after it was settled"));
        }
        self.applied.entry(key.into()).or_default().extend(numbers);
    }

    /// Applies one HSET; `numbers` are all the numbers in it, in order.
    fn apply(&mut self, key: &str, numbers: &[u64]) {
        let known = self.applied.entry(key.into()).or_default();
        let last = *numbers.last().expect("never an empty HSET");
        if !numbers.is_sorted() {
            self.faults.push(format!("{key}: one HSET wrote {numbers:?}"));
        }
        if known.last().is_some_and(|&newest| newest > last) {
            self.faults.push(format!("{key}: {last} was written after {known:?}"));
        }
        known.extend(numbers);
        self.taken += 1;
        if let Some(number) = self
            .revoked
            .get(key)
            .and_then(|revoked| revoked.iter().find(|number| numbers.contains(number)))
        {
            self.faults.push(format!("{key}: {number} was sent after it was revoked"));
        }
    }
}

/// The connection of one lane; fails at random until `faulty` is cleared.
pub(super) struct Simulated {
    pub(super) server: Arc<Mutex<Server>>,
    pub(super) faulty: Arc<AtomicBool>,
    pub(super) busy: Arc<AtomicBool>,
    pub(super) rng: Rng,
    /// Bytes may arrive after their connection broke, until the next one is fenced.
    pub(super) late: Option<Rng>,
    pub(super) on_the_way: Vec<(String, Vec<u64>)>,
}

impl Simulated {
    /// Connects and fences, if the last connection broke with something on its way; false where
    /// that fails.
    fn open(&mut self) -> bool {
        let Some(rng) = self.late.as_mut().filter(|_| !self.on_the_way.is_empty()) else {
            return true;
        };
        if self.faulty.load(Ordering::Relaxed) && rng.f64() < 0.5 {
            return false;
        }
        let arrived = if rng.bool() { rng.usize(0..=self.on_the_way.len()) } else { 0 };
        let mut server = self.server.lock().unwrap();
        self.on_the_way
            .drain(..)
            .take(arrived)
            .for_each(|(key, numbers)| server.apply_late(&key, &numbers));
        true
    }

    async fn pass_time(&mut self) {
        tokio::time::sleep(Duration::from_micros(self.rng.u64(1..3000))).await;
    }

    fn fails(&mut self, share: f64) -> bool {
        self.faulty.load(Ordering::Relaxed) && self.rng.f64() < share
    }
}

pub(super) fn trouble(class: Class) -> Trouble {
    Trouble { class, code: "NONE".into(), message: "simulated".into() }
}

/// Keys and numbers of the packed HSETs; test keys and values hold no line ends.
pub(crate) fn decode(writes: &Writes) -> Vec<(String, Vec<u64>)> {
    let text = str::from_utf8(writes.packed()).unwrap();
    let mut words = text.split_terminator("\r\n");
    let mut found = Vec::new();
    while let Some(count) = words.next() {
        let count: usize = count.strip_prefix('*').unwrap().parse().unwrap();
        let command: Vec<&str> = (0..count).map(|_| words.nth(1).unwrap()).collect();
        assert_eq!(command[0], "HSET");
        let numbers = command[2..]
            .chunks(2)
            .filter(|pair| pair[0] == "n")
            .map(|pair| pair[1].parse().unwrap());
        found.push((command[1].to_owned(), numbers.collect()));
    }
    found
}

impl Apply for Simulated {
    async fn reach(&mut self) -> Result<(), Trouble> {
        self.pass_time().await;
        if self.fails(0.3) || !self.open() { Err(trouble(Class::Reconnect)) } else { Ok(()) }
    }

    async fn apply(
        &mut self,
        writes: &Writes,
        allowed: Allowed<'_>,
        verdicts: &mut Vec<Verdict>,
    ) -> Option<Trouble> {
        let mut commands = decode(writes);
        assert_eq!(commands.len(), writes.len());
        let mut keys: Vec<&String> = commands.iter().map(|(key, _)| key).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), commands.len(), "a key occurs at most once in a batch");
        assert!(!self.busy.swap(true, Ordering::AcqRel), "one write in flight");
        self.pass_time().await;
        if !self.open() {
            self.busy.store(false, Ordering::Release);
            verdicts.resize(commands.len(), Verdict::Retry(Class::Reconnect));
            return Some(trouble(Class::Reconnect));
        }
        if !allowed() {
            self.busy.store(false, Ordering::Release);
            verdicts.resize(commands.len(), Verdict::Retry(Class::Retry));
            return None;
        }
        let mut found = None;
        // How many commands Redis reads before the connection breaks, if it does, and how many
        // replies come back.
        let broken = self.fails(0.3);
        let read = if broken { self.rng.usize(0..=commands.len()) } else { commands.len() };
        let replied = if broken { self.rng.usize(0..=read) } else { read };
        for (number, (key, numbers)) in commands.iter().enumerate() {
            let verdict = if number >= read {
                Verdict::Unknown
            } else if key.ends_with("-0") {
                Verdict::WrongType
            } else if self.fails(0.1) {
                found = Some(trouble(Class::Retry));
                Verdict::Retry(Class::Retry)
            } else {
                let mut server = self.server.lock().unwrap();
                let refused = server.refuses(key, numbers);
                match refused {
                    Some(_) => found = found.or_else(|| Some(trouble(Class::Retry))),
                    None => server.apply(key, numbers),
                }
                refused.unwrap_or(Verdict::Written)
            };
            verdicts.push(if number < replied { verdict } else { Verdict::Unknown });
        }
        if self.late.is_some() && broken {
            self.on_the_way = commands.split_off(read);
        }
        self.pass_time().await;
        self.busy.store(false, Ordering::Release);
        if broken { Some(trouble(Class::Reconnect)) } else { found }
    }
}

/// What the source learned of each event.
#[derive(Default)]
pub(super) struct Told {
    pub(super) outcomes: Mutex<BTreeMap<u64, Outcome>>,
    pub(super) cancelled: AtomicBool,
    pub(super) revoked: AtomicBool,
}

impl Receipts for Told {
    fn settle(&self, position: u64, outcome: Outcome) {
        let before = self.outcomes.lock().unwrap().insert(position, outcome);
        assert!(before.is_none(), "event {position} has two outcomes: {before:?} and {outcome:?}");
    }

    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    fn revoked(&self) -> bool {
        self.revoked.load(Ordering::Acquire)
    }
}
