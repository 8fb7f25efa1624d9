//! Lanes against a simulated Redis that fails in every way, in paused time: order, one write in flight, one outcome each.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fastrand::Rng;
use tokio_util::sync::CancellationToken;
use traitsink::config::DeadLetter;
use traitsink::dead_letter::DeadLetters;
use traitsink::event::{Limits, Origin, Rules};
use traitsink::logging::UserIds;
use traitsink::metrics::Metrics;
use traitsink::pipeline::{
    Ack, Budget, Busy, DeadReason, Health, Intake, Lane, LaneLimits, Message, Outcome, Receipts, Refusal, Source, Suspects,
};
use traitsink::readiness::Readiness;
use traitsink::redis::{Allowed, Apply, Class, Placement, Suspicion, Trouble, Verdict, Writes};

const USERS: u64 = 12;
const EVENTS: u64 = 400;
const LANES: usize = 3;

/// Redis as the lanes see it: for each key the numbers that its HSETs wrote, in the order in which they were applied.
#[derive(Default)]
struct Server {
    applied: BTreeMap<String, Vec<u64>>,
    /// What its source no longer owned, by key.
    revoked: BTreeMap<String, Vec<u64>>,
    /// A key whose last number was written once more, or an older one after a newer, or one that was revoked.
    faults: Vec<String>,
    /// HSETs that were applied.
    taken: u64,
    /// Some keys are refused with a text that speaks of the server.
    sick: bool,
}

/// Redis takes every HSET but those with such an event, and does not say why in words that are known.
fn is_poison(key: &str, number: u64) -> bool {
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
        Some(Verdict::Suspect(Suspicion { text, server: 1, taken: self.taken }))
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
        if let Some(number) = self.revoked.get(key).and_then(|revoked| revoked.iter().find(|number| numbers.contains(number))) {
            self.faults.push(format!("{key}: {number} was sent after it was revoked"));
        }
    }
}

/// The connection of one lane; fails at random until `faulty` is cleared.
struct Simulated {
    server: Arc<Mutex<Server>>,
    faulty: Arc<AtomicBool>,
    busy: Arc<AtomicBool>,
    rng: Rng,
}

impl Simulated {
    async fn pass_time(&mut self) {
        tokio::time::sleep(Duration::from_micros(self.rng.u64(1..3000))).await;
    }

    fn fails(&mut self, share: f64) -> bool {
        self.faulty.load(Ordering::Relaxed) && self.rng.f64() < share
    }
}

fn trouble(class: Class) -> Trouble {
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
        let numbers = command[2..].chunks(2).filter(|pair| pair[0] == "n").map(|pair| pair[1].parse().unwrap());
        found.push((command[1].to_owned(), numbers.collect()));
    }
    found
}

impl Apply for Simulated {
    async fn reach(&mut self) -> Result<(), Trouble> {
        self.pass_time().await;
        if self.fails(0.3) { Err(trouble(Class::Reconnect)) } else { Ok(()) }
    }

    async fn apply(&mut self, writes: &Writes, allowed: Allowed<'_>, verdicts: &mut Vec<Verdict>) -> Option<Trouble> {
        let commands = decode(writes);
        assert_eq!(commands.len(), writes.len());
        let mut keys: Vec<&String> = commands.iter().map(|(key, _)| key).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), commands.len(), "a key occurs at most once in a batch");
        assert!(!self.busy.swap(true, Ordering::AcqRel), "one write in flight");
        self.pass_time().await;
        if !allowed() {
            self.busy.store(false, Ordering::Release);
            verdicts.resize(commands.len(), Verdict::Retry(Class::Retry));
            return None;
        }
        let mut found = None;
        // How many commands Redis reads before the connection breaks, if it does, and how many replies come back.
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
        self.pass_time().await;
        self.busy.store(false, Ordering::Release);
        if broken { Some(trouble(Class::Reconnect)) } else { found }
    }
}

/// What the source learned of each event.
#[derive(Default)]
struct Told {
    outcomes: Mutex<BTreeMap<u64, Outcome>>,
    cancelled: AtomicBool,
    revoked: AtomicBool,
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

struct Sent {
    key: String,
    number: u64,
    told: Arc<Told>,
}

fn rules() -> Rules {
    let limits = Limits { max_event: 4096, max_depth: 10, max_fields: 100, max_key: 100, max_field_name: 100, max_update: 4096 };
    Rules { limits, destination: "Redis".into() }
}

/// Plays one seed: sends, sometimes gives up, sometimes crashes; returns the log of events and the server.
async fn play(seed: u64) -> (Vec<Sent>, Arc<Mutex<Server>>, bool) {
    let mut rng = Rng::with_seed(seed);
    let crash = rng.bool();
    let metrics = Arc::new(Metrics::new());
    let budget = Budget::new(64 << 10, metrics.in_flight_bytes.clone());
    let intake = Arc::new(Intake::new(rules(), Arc::clone(&budget), Placement::by_slot(LANES)));
    let server = Arc::new(Mutex::new(Server::default()));
    let faulty = Arc::new(AtomicBool::new(true));
    let hard = CancellationToken::new();
    let health = Health::new(LANES, Arc::new(Readiness::new([])));
    let letters = DeadLetters::open(&DeadLetter::Discard, UserIds::new(false)).unwrap();
    let suspects = Suspects::new(5, Duration::from_millis(50));
    let lanes: Vec<_> = intake
        .queues()
        .iter()
        .enumerate()
        .map(|(number, queue)| {
            let lane = Lane {
                queue: Arc::clone(queue),
                store: Simulated {
                    server: Arc::clone(&server),
                    faulty: Arc::clone(&faulty),
                    busy: Arc::default(),
                    rng: Rng::with_seed(seed ^ number as u64 ^ 0xABCD),
                },
                letters: letters.clone(),
                limits: LaneLimits {
                    max_batch: rng.usize(1..20),
                    max_batch_bytes: rng.usize(100..4096),
                    retry_count: 5,
                    retry_min: Duration::from_millis(1),
                    retry_max: Duration::from_millis(50),
                },
                metrics: Arc::clone(&metrics),
                health: health.lane(number),
                suspects: Arc::clone(&suspects),
                hard: hard.clone(),
            };
            tokio::spawn(lane.run())
        })
        .collect();

    let mut sent: Vec<Sent> = Vec::new();
    let mut numbers = [0; USERS as usize];
    let crash_at = rng.u64(0..EVENTS);
    // More of one user, who proves the others' poison, until nothing waits for it.
    for event in 0..EVENTS + 100_000 {
        if event >= EVENTS {
            faulty.store(false, Ordering::Relaxed);
            server.lock().unwrap().sick = false;
            tokio::time::sleep(Duration::from_millis(5)).await;
            if crash || sent.iter().all(|sent| !sent.told.outcomes.lock().unwrap().is_empty()) {
                break;
            }
        } else if rng.f64() < 0.05 {
            let mut server = server.lock().unwrap();
            server.sick = !server.sick;
        }
        let user = if event < EVENTS { rng.u64(0..USERS) } else { 2 };
        numbers[user as usize] += 1;
        let number = numbers[user as usize];
        let text = format!(r#"{{"type":"identify","userId":"u-{user}","traits":{{"n":{number},"f{}":1}}}}"#, number % 3);
        let told = Arc::new(Told::default());
        let ack = Ack::new(Source::Http, Arc::clone(&told) as _, event, Arc::clone(&metrics), Instant::now());
        let held = budget.try_reserve(text.len());
        if let Some(held) = held {
            let message = Message::new(Bytes::from(text), held);
            match intake.accept(&message, 0..message.bytes().len(), Origin::default(), ack) {
                Ok(()) | Err(Refusal::Busy(..)) => {}
                Err(Refusal::Rejected(reason, _)) => panic!("{reason:?}"),
            }
        }
        sent.push(Sent { key: format!("user:u-{user}"), number, told });
        if event < EVENTS && rng.f64() < 0.2 {
            let given_up = &sent[rng.usize(0..sent.len())];
            given_up.told.cancelled.store(true, Ordering::Release);
        }
        // As when a partition is taken away: all that was sent so far, and the queues are told.
        if event < EVENTS && rng.f64() < 0.01 {
            for lost in &sent {
                lost.told.revoked.store(true, Ordering::Release);
                server.lock().unwrap().revoked.entry(lost.key.clone()).or_default().push(lost.number);
            }
            intake.drop_cancelled();
        }
        if rng.f64() < 0.3 {
            tokio::time::sleep(Duration::from_micros(rng.u64(1..20_000))).await;
        }
        if crash && event == crash_at {
            hard.cancel();
        }
    }
    intake.close();
    for lane in lanes {
        lane.await.expect("a lane does not panic");
    }
    let source = metrics.source(Source::Http);
    assert_eq!(source.in_flight.get(), 0, "nothing is in flight at the end");
    assert_eq!(metrics.events_set_aside.get(), 0, "nothing is set aside at the end");
    assert_eq!(metrics.in_flight_bytes.get(), 0, "all room is given back");
    (sent, server, crash)
}

#[tokio::test(start_paused = true)]
async fn order_and_outcomes_survive_every_fault() {
    let seeds = std::env::var("PROPTEST_CASES").map_or(300, |cases| cases.parse::<u64>().expect("a number") / 10);
    let (mut crashes, mut written, mut failed, mut poisoned) = (0, 0, 0, 0);
    // In 882 poison stands behind events of one command that may have been applied.
    for seed in (0..seeds).chain([882]) {
        let (sent, server, crash) = play(seed).await;
        let server = server.lock().unwrap();
        assert!(server.faults.is_empty(), "seed {seed}: {:?}", server.faults);
        for Sent { key, number, told } in &sent {
            let outcomes = told.outcomes.lock().unwrap();
            let outcome = outcomes.values().next().unwrap_or_else(|| panic!("seed {seed}: {key} {number} has no outcome"));
            let applied = server.applied.get(key).is_some_and(|numbers| numbers.contains(number));
            match outcome {
                Outcome::Written => assert!(applied, "seed {seed}: {key} {number} is written but not in Redis"),
                Outcome::DeadLettered(reason) => {
                    let wrong_type = key.ends_with("-0") && *reason == DeadReason::WrongType;
                    let refused = is_poison(key, *number) && *reason == DeadReason::Refused;
                    assert!((wrong_type || refused) && !applied, "seed {seed}: {key} {number} is {reason:?}");
                    poisoned += u64::from(refused);
                }
                Outcome::Failed => {}
                other => panic!("seed {seed}: {other:?}"),
            }
            written += u64::from(*outcome == Outcome::Written);
            failed += u64::from(*outcome == Outcome::Failed);
        }
        crashes += u64::from(crash);
    }
    let counts = format!("{crashes} crashes, {written} written, {failed} failed, {poisoned} poisoned");
    assert!(crashes > 0 && written > 1000 && failed > 100 && poisoned > 100, "{counts}: too tame");
}

/// A server that is away; counts how often it is tried.
struct Away(Arc<AtomicU32>);

impl Apply for Away {
    async fn reach(&mut self) -> Result<(), Trouble> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(trouble(Class::Reconnect))
    }

    async fn apply(&mut self, _: &Writes, _: Allowed<'_>, _: &mut Vec<Verdict>) -> Option<Trouble> {
        unreachable!("nothing is written")
    }
}

#[tokio::test(start_paused = true)]
async fn a_lane_is_down_after_the_configured_failures_in_a_row() {
    for retry_count in [1, 5, 100] {
        let metrics = Arc::new(Metrics::new());
        let intake = Intake::new(rules(), Budget::new(1 << 20, metrics.in_flight_bytes.clone()), Placement::by_slot(1));
        let (tried, hard) = (Arc::new(AtomicU32::new(0)), CancellationToken::new());
        let limits = LaneLimits {
            max_batch: 1,
            max_batch_bytes: 4096,
            retry_count,
            retry_min: Duration::from_millis(1),
            retry_max: Duration::from_millis(50),
        };
        let lane = Lane {
            queue: Arc::clone(&intake.queues()[0]),
            store: Away(Arc::clone(&tried)),
            letters: DeadLetters::open(&DeadLetter::Discard, UserIds::new(false)).unwrap(),
            limits,
            metrics,
            health: Health::new(1, Arc::new(Readiness::new([]))).lane(0),
            suspects: Suspects::new(5, Duration::from_millis(50)),
            hard: hard.clone(),
        };
        let lane = tokio::spawn(lane.run());
        while intake.queues()[0].refuses().is_none() {
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
        assert_eq!((intake.queues()[0].refuses(), tried.load(Ordering::Relaxed)), (Some(Busy::Down), retry_count));
        hard.cancel();
        lane.await.expect("a lane does not panic");
    }
}
