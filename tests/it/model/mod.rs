//! Lanes with a simulated Redis that fails in every way, in paused time. Checks the order, one
//! write in flight, and one outcome for each event.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fastrand::Rng;
use tokio_util::sync::CancellationToken;
use traitsink::config::{DeadLetter, UserIds};
use traitsink::dead_letter::DeadLetters;
use traitsink::event::{Limits, Origin, Rules};
use traitsink::metrics::Metrics;
use traitsink::pipeline::{
    Ack, Budget, Busy, DeadReason, Health, Intake, Lane, LaneLimits, Message, NotAccepted, Outcome,
    PoisonDetector, Source,
};
use traitsink::readiness::Readiness;
use traitsink::redis::{Allowed, Apply, Class, Placement, Trouble, Verdict, Writes};

mod simulated;

#[cfg(feature = "kafka")]
pub(crate) use simulated::decode;
use simulated::{RecordedReceipts, SimulatedConnection, SimulatedRedis, is_poison, trouble};

const USERS: u64 = 12;
const EVENTS: u64 = 400;
const LANES: usize = 3;

struct SentEvent {
    key: String,
    number: u64,
    receipts: Arc<RecordedReceipts>,
}

fn rules() -> Rules {
    let limits = Limits {
        max_event: 4096,
        max_depth: 10,
        max_fields: 100,
        max_key: 100,
        max_field_name: 100,
        max_update: 4096,
    };
    Rules::new(limits, "Redis")
}

/// Plays one seed: sends events, sometimes gives one up, sometimes crashes. With `late`, bytes
/// outlive their connection. Returns the sent events, the server, and whether it crashed.
async fn play(seed: u64, late: bool) -> (Vec<SentEvent>, Arc<Mutex<SimulatedRedis>>, bool) {
    let mut rng = Rng::with_seed(seed);
    let crash = rng.bool();
    let metrics = Arc::new(Metrics::new());
    let budget = Budget::new(64 << 10, metrics.in_flight_bytes.clone());
    let intake = Arc::new(Intake::new(rules(), Arc::clone(&budget), Placement::by_slot(LANES)));
    let server = Arc::new(Mutex::new(SimulatedRedis::default()));
    let faulty = Arc::new(AtomicBool::new(true));
    let hard = CancellationToken::new();
    let health = Health::new(LANES, Arc::new(Readiness::new([])));
    let letters = DeadLetters::open(&DeadLetter::Discard, UserIds::Hashed).unwrap();
    let poison = PoisonDetector::new(5, Duration::from_millis(50));
    let lanes: Vec<_> = intake
        .queues()
        .iter()
        .enumerate()
        .map(|(number, queue)| {
            let lane = Lane {
                queue: Arc::clone(queue),
                forms: Arc::default(),
                deletion: None,
                store: SimulatedConnection {
                    server: Arc::clone(&server),
                    faulty: Arc::clone(&faulty),
                    busy: Arc::default(),
                    rng: Rng::with_seed(seed ^ number as u64 ^ 0xABCD),
                    late: late.then(|| Rng::with_seed(seed ^ number as u64)),
                    on_the_way: Vec::new(),
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
                poison: Arc::clone(&poison),
                hard: hard.clone(),
            };
            tokio::spawn(lane.run())
        })
        .collect();

    let mut sent: Vec<SentEvent> = Vec::new();
    let mut numbers = [0; USERS as usize];
    let crash_at = rng.u64(0..EVENTS);
    // After EVENTS, one user's writes prove that the server works, until each event has its
    // outcome.
    for event in 0..EVENTS + 100_000 {
        if event >= EVENTS {
            faulty.store(false, Ordering::Relaxed);
            server.lock().unwrap().sick = false;
            tokio::time::sleep(Duration::from_millis(5)).await;
            if crash || sent.iter().all(|sent| !sent.receipts.outcomes.lock().unwrap().is_empty()) {
                break;
            }
        } else if rng.f64() < 0.05 {
            let mut server = server.lock().unwrap();
            server.sick = !server.sick;
        }
        let user = if event < EVENTS { rng.u64(0..USERS) } else { 2 };
        numbers[user as usize] += 1;
        let number = numbers[user as usize];
        let text = format!(
            r#"{{"type":"identify","userId":"u-{user}","traits":{{"n":{number},"f{}":1}}}}"#,
            number % 3
        );
        let receipts = Arc::new(RecordedReceipts::default());
        server
            .lock()
            .unwrap()
            .receipts
            .insert((format!("user:u-{user}"), number), Arc::clone(&receipts));
        let ack = Ack::new(
            Source::Http,
            Arc::clone(&receipts) as _,
            event,
            Arc::clone(&metrics),
            Instant::now(),
        );
        let held = budget.try_reserve(text.len());
        if let Some(held) = held {
            let message = Message::new(Bytes::from(text), held);
            match intake.accept(&message, 0..message.bytes().len(), Origin::default(), ack) {
                Ok(()) | Err(NotAccepted::Busy(..)) => {}
                Err(NotAccepted::Rejected(reason, _)) => panic!("{reason:?}"),
            }
        }
        sent.push(SentEvent { key: format!("user:u-{user}"), number, receipts });
        if event < EVENTS && rng.f64() < 0.2 {
            let given_up = &sent[rng.usize(0..sent.len())];
            given_up.receipts.cancelled.store(true, Ordering::Release);
        }
        // A partition is taken away: all events sent so far are revoked, and the queues are
        // notified.
        if event < EVENTS && rng.f64() < 0.01 {
            for lost in &sent {
                lost.receipts.revoked.store(true, Ordering::Release);
                server
                    .lock()
                    .unwrap()
                    .revoked
                    .entry(lost.key.clone())
                    .or_default()
                    .push(lost.number);
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
    assert_eq!(source.in_flight(), 0, "nothing is in flight at the end");
    assert_eq!(metrics.events_set_aside.get(), 0, "nothing is set aside at the end");
    assert_eq!(metrics.in_flight_bytes.get(), 0, "all memory is given back");
    (sent, server, crash)
}

#[tokio::test(start_paused = true)]
async fn order_and_outcomes_survive_every_fault() {
    let seeds = std::env::var("PROPTEST_CASES")
        .map_or(300, |cases| cases.parse::<u64>().expect("a number") / 10);
    let (mut crashes, mut written, mut failed, mut poisoned) = (0, 0, 0, 0);
    // In seed 882 a poison event follows events of the same command that may have been applied.
    for (seed, late) in
        (0..seeds).flat_map(|seed| [(seed, false), (seed, true)]).chain([(882, false)])
    {
        let (sent, server, crash) = play(seed, late).await;
        let server = server.lock().unwrap();
        assert!(server.faults.is_empty(), "seed {seed}, late: {late}: {:?}", server.faults);
        for SentEvent { key, number, receipts } in &sent {
            let outcomes = receipts.outcomes.lock().unwrap();
            let outcome = outcomes
                .values()
                .next()
                .unwrap_or_else(|| panic!("seed {seed}: {key} {number} has no outcome"));
            let applied = server.applied.get(key).is_some_and(|numbers| numbers.contains(number));
            match outcome {
                Outcome::Written => {
                    assert!(applied, "seed {seed}: {key} {number} is written but not in Redis")
                }
                Outcome::DeadLettered(reason) => {
                    let wrong_type = key.ends_with("-0") && *reason == DeadReason::WrongType;
                    let refused = is_poison(key, *number) && *reason == DeadReason::Refused;
                    assert!(
                        (wrong_type || refused) && !applied,
                        "seed {seed}: {key} {number} is {reason:?}"
                    );
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
    let counts =
        format!("{crashes} crashes, {written} written, {failed} failed, {poisoned} poisoned");
    assert!(
        crashes > 0 && written > 1000 && failed > 100 && poisoned > 100,
        "{counts}: too few faults"
    );
}

/// A server that refuses every connection and counts the attempts.
struct UnreachableServer(Arc<AtomicU32>);

impl Apply for UnreachableServer {
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
        let intake = Intake::new(
            rules(),
            Budget::new(1 << 20, metrics.in_flight_bytes.clone()),
            Placement::by_slot(1),
        );
        let (tried, hard) = (Arc::new(AtomicU32::new(0)), CancellationToken::new());
        let limits = LaneLimits {
            max_batch: 1,
            max_batch_bytes: 4096,
            retry_count,
            retry_min: Duration::from_millis(1),
            retry_max: Duration::from_millis(50),
        };
        let lane = Lane {
            forms: Arc::default(),
            deletion: None,
            queue: Arc::clone(&intake.queues()[0]),
            store: UnreachableServer(Arc::clone(&tried)),
            letters: DeadLetters::open(&DeadLetter::Discard, UserIds::Hashed).unwrap(),
            limits,
            metrics,
            health: Health::new(1, Arc::new(Readiness::new([]))).lane(0),
            poison: PoisonDetector::new(5, Duration::from_millis(50)),
            hard: hard.clone(),
        };
        let lane = tokio::spawn(lane.run());
        while intake.queues()[0].refuses().is_none() {
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
        assert_eq!(
            (intake.queues()[0].refuses(), tried.load(Ordering::Relaxed)),
            (Some(Busy::Down), retry_count)
        );
        hard.cancel();
        lane.await.expect("a lane does not panic");
    }
}
