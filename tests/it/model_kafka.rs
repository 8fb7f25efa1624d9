//! The watermark with real lanes and a simulated Redis, killed at a thousand points, in paused
//! time. All records below the watermark are written, and a second run that starts there writes the
//! rest.

use std::collections::BTreeMap;
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
    Ack, Budget, Health, Intake, Lane, LaneLimits, Message, Outcome, PoisonDetector, Receipts,
    Source,
};
use traitsink::readiness::Readiness;
use traitsink::redis::{Allowed, Apply, Class, Placement, Trouble, Verdict, Writes};
use traitsink::source::log::Offsets;

use crate::model::decode;

const KILLS: u64 = 1000;
const RECORDS: usize = 60;
const LANES: usize = 4;

/// One record: its offset, and the user and number of each of its events.
struct Record {
    offset: i64,
    events: Vec<(u64, u64)>,
}

/// Random records: offsets have gaps, and a record holds up to three events.
fn records(rng: &mut Rng) -> Vec<Record> {
    let mut numbers = [0; 8];
    let mut offset = 0;
    let record = |_| {
        offset += rng.i64(1..4);
        let events = (0..rng.usize(0..4)).map(|_| {
            let user = rng.u64(0..8);
            numbers[user as usize] += 1;
            (user, numbers[user as usize])
        });
        Record { offset, events: events.collect() }
    };
    (0..RECORDS).map(record).collect()
}

type StoredNumbers = Arc<Mutex<BTreeMap<String, u64>>>;

/// A connection of random speed; a faulty one answers some writes with an error, or not at all.
struct SlowConnection {
    redis: StoredNumbers,
    faulty: bool,
    rng: Rng,
}

impl Apply for SlowConnection {
    async fn reach(&mut self) -> Result<(), Trouble> {
        Ok(())
    }

    async fn apply(
        &mut self,
        writes: &Writes,
        allowed: Allowed<'_>,
        verdicts: &mut Vec<Verdict>,
    ) -> Option<Trouble> {
        tokio::time::sleep(Duration::from_micros(self.rng.u64(1..5000))).await;
        assert!(allowed(), "nothing is revoked here");
        let mut trouble = None;
        for (key, numbers) in decode(writes) {
            let fate = if self.faulty { self.rng.u8(0..10) } else { 9 };
            verdicts.push(match fate {
                0 => Verdict::Retry(Class::Retry),
                1 => Verdict::Unknown,
                _ => Verdict::Written,
            });
            // A write whose reply is lost may have been applied or not.
            if fate > 1 || (fate == 1 && self.rng.bool()) {
                self.redis.lock().unwrap().insert(key, *numbers.last().expect("a number"));
            }
            if fate < 2 {
                trouble = Some(Trouble {
                    class: Class::Retry,
                    code: "NONE".into(),
                    message: "simulated".into(),
                });
            }
        }
        tokio::time::sleep(Duration::from_micros(self.rng.u64(1..3000))).await;
        trouble
    }
}

/// The offsets of a partition, as the source keeps them.
#[derive(Default)]
struct Partition(Mutex<Offsets>);

impl Receipts for Partition {
    fn settle(&self, position: u64, outcome: Outcome) {
        if outcome != Outcome::Failed {
            self.0.lock().unwrap().settle(position);
        }
    }
}

/// Runs a worker that takes `records` and is killed before the event `kill`, if it gets there;
/// returns its watermark.
async fn live(
    records: &[Record],
    redis: &StoredNumbers,
    seed: u64,
    kill: Option<usize>,
) -> Option<i64> {
    let mut rng = Rng::with_seed(seed);
    let metrics = Arc::new(Metrics::new());
    let budget = Budget::new(1 << 20, metrics.in_flight_bytes.clone());
    let limits = Limits {
        max_event: 4096,
        max_depth: 10,
        max_fields: 100,
        max_key: 100,
        max_field_name: 100,
        max_update: 4096,
    };
    let rules = Rules::new(limits, "Redis");
    let intake = Intake::new(rules, Arc::clone(&budget), Placement::by_slot(LANES));
    let health = Health::new(LANES, Arc::new(Readiness::new([])));
    let letters = DeadLetters::open(&DeadLetter::Discard, UserIds::Hashed).unwrap();
    let hard = CancellationToken::new();
    let lane = |(number, queue): (usize, &Arc<_>)| Lane {
        queue: Arc::clone(queue),
        store: SlowConnection {
            redis: Arc::clone(redis),
            faulty: kill.is_some(),
            rng: Rng::with_seed(seed ^ number as u64),
        },
        letters: letters.clone(),
        limits: LaneLimits {
            max_batch: 5,
            max_batch_bytes: 4096,
            retry_count: 5,
            retry_min: Duration::from_millis(1),
            retry_max: Duration::from_millis(20),
        },
        metrics: Arc::clone(&metrics),
        health: health.lane(number),
        poison: PoisonDetector::new(5, Duration::from_millis(50)),
        hard: hard.clone(),
    };
    let lanes: Vec<_> =
        intake.queues().iter().enumerate().map(|queue| tokio::spawn(lane(queue).run())).collect();
    let partition = Arc::new(Partition::default());
    let mut taken = 0;
    'records: for record in records {
        let position =
            partition.0.lock().unwrap().deliver(record.offset, record.events.len() as u32);
        for (user, number) in &record.events {
            if kill == Some(taken) {
                hard.cancel();
                break 'records;
            }
            taken += 1;
            let text =
                format!(r#"{{"type":"identify","userId":"u-{user}","traits":{{"n":{number}}}}}"#);
            let message = Message::new(Bytes::from(text), budget.try_reserve(64).expect("room"));
            let ack = Ack::new(
                Source::Kafka,
                Arc::clone(&partition) as _,
                position,
                Arc::clone(&metrics),
                Instant::now(),
            );
            let accepted =
                intake.accept(&message, 0..message.bytes().len(), Origin::default(), ack);
            assert!(accepted.is_ok() || kill.is_some(), "there is room for all events");
        }
        if rng.u8(0..4) == 0 {
            tokio::time::sleep(Duration::from_micros(rng.u64(1..8000))).await;
        }
    }
    intake.close();
    for lane in lanes {
        lane.await.expect("a lane does not panic");
    }
    partition.0.lock().unwrap().watermark()
}

#[tokio::test(start_paused = true)]
async fn killed_at_a_thousand_points() {
    let (mut moved, mut cut) = (0, 0);
    for seed in 0..KILLS {
        let mut rng = Rng::with_seed(seed);
        let records = records(&mut rng);
        let events: usize = records.iter().map(|record| record.events.len()).sum();
        let redis = StoredNumbers::default();
        let watermark = live(&records, &redis, seed, Some(rng.usize(0..=events))).await;
        let below = |record: &&Record| watermark.is_some_and(|watermark| record.offset < watermark);
        for (user, number) in records.iter().filter(below).flat_map(|record| &record.events) {
            let stored = redis.lock().unwrap().get(&format!("user:u-{user}")).copied();
            assert!(
                stored >= Some(*number),
                "seed {seed}: u-{user} {number} is below {watermark:?}, Redis holds {stored:?}"
            );
        }
        let rest = records.iter().position(|record| !below(&record)).unwrap_or(records.len());
        (moved, cut) =
            (moved + usize::from(watermark.is_some()), cut + usize::from(rest < records.len()));

        let second = live(&records[rest..], &redis, seed + 1, None).await;
        assert_eq!(
            second.or(watermark),
            records.last().map(|record| record.offset + 1),
            "seed {seed}"
        );
        let fold: BTreeMap<String, u64> = records
            .iter()
            .flat_map(|record| &record.events)
            .map(|(user, number)| (format!("user:u-{user}"), *number))
            .collect();
        assert_eq!(*redis.lock().unwrap(), fold, "seed {seed}");
    }
    assert!(
        moved > 800 && cut > 800,
        "{moved} lives moved the watermark, {cut} were cut short: too few faults"
    );
}
