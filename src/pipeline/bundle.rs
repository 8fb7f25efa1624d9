//! Bundles: the small records that one burst brought for each lane.
//!
//! The kept records of a lane are copied into one text, which is one [`Message`]: no event needs an
//! allocation for its record, nor room of its own. Room is reserved ahead of the copy, and given
//! back when the last event of the text is settled. Bundles are of one lane each, and small: what a
//! lane that stands still pins is little more than its own events.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::event::{Action, Origin, Update};
use crate::profile::Prefix;

use super::ack::Ack;
use super::budget::Reservation;
use super::intake::Intake;
use super::job::{Busy, Job};
use super::message::{BundledRecords, Message};

/// Bytes of a bundle's text.
const TEXT: usize = 16 << 10;
/// Bytes of the value and the key of a small record, and of an update that is bundled.
const SMALL: usize = 8 << 10;
/// Bytes that a record takes besides its own and its job's: its place in the bundle and among the
/// offsets.
const OVERHEAD: usize = 128;
/// Bytes of room that are taken ahead; less where there is little in all.
const AHEAD: usize = 64 << 10;

/// Lanes whose bundles keep their memory from burst to burst.
const FEW_LANES: usize = 64;

/// A record with one event that becomes an update.
pub struct SmallRecord<'a> {
    /// The topic.
    pub topic: &'a Arc<str>,
    /// The number of the partition.
    pub partition: i32,
    /// The offset in the partition.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// The value.
    pub value: &'a [u8],
    /// The key.
    pub key: Option<&'a [u8]>,
    /// Where in the value the event stands.
    pub event: Range<usize>,
}

impl SmallRecord<'_> {
    fn bytes(&self) -> usize {
        self.value.len() + self.key.map_or(0, <[u8]>::len)
    }

    /// Bytes of room that the record and its `update` take.
    pub fn cost(&self, update: &Update) -> usize {
        // A text that is not full may be in a piece of memory that is a third larger.
        self.bytes() * 4 / 3 + OVERHEAD + Job::cost_of(update)
    }
}

/// The bundles of all lanes, while a burst is taken.
pub struct Bundles {
    intake: Arc<Intake>,
    /// The prefix of Redis keys.
    prefix: Prefix,
    lanes: Vec<LaneBundle>,
    room: AheadRoom,
}

/// Room that is taken ahead.
#[derive(Default)]
struct AheadRoom {
    held: Option<Reservation>,
    /// The part of it that events in open bundles need.
    needed: usize,
}

/// What is on its way to one lane.
#[derive(Default)]
struct LaneBundle {
    text: Vec<u8>,
    records: BundledRecords,
    /// The event of each record.
    events: Vec<BundledEvent>,
    /// Room that the records and their jobs take.
    cost: usize,
    /// Jobs of bundles that are full.
    jobs: Vec<Job>,
}

struct BundledEvent {
    update: Update,
    ack: Ack,
    /// Where the event stands in the bundle's text.
    text: Range<usize>,
}

impl Bundles {
    /// Bundles without records. `prefix` is that of the Redis keys.
    pub fn new(intake: Arc<Intake>, prefix: Prefix) -> Self {
        let lanes = intake.queues().iter().map(|_| LaneBundle::default()).collect();
        Self { intake, prefix, lanes, room: AheadRoom::default() }
    }

    /// Whether the record and its `update` are small enough to be bundled. A deletion is not: it
    /// may have further keys.
    pub fn takes(&self, record: &SmallRecord<'_>, update: &Update) -> bool {
        update.action() != Action::Delete
            && record.bytes() <= SMALL
            && update.cost() <= SMALL
            && record.cost(update) <= self.intake.budget().limit() / 8
    }

    /// Whether there is room for `cost` more bytes. Never waits.
    pub fn has_room(&mut self, cost: usize) -> bool {
        let budget = self.intake.budget();
        let held =
            self.room.held.get_or_insert_with(|| budget.try_reserve(0).expect("nothing fits"));
        let free = held.bytes() - self.room.needed;
        let ahead = AHEAD.min(budget.limit() / 64);
        free >= cost || held.try_grow(cost.max(ahead)) || held.try_grow(cost - free)
    }

    /// Adds a record to the bundle of its event's lane. There is room for its
    /// [`SmallRecord::cost`], and it is one that the bundles take.
    pub fn add(&mut self, record: &SmallRecord<'_>, update: Update, ack: Ack) {
        let bundle = &mut self.lanes[self.intake.lane_of(update.key())];
        if bundle.text.len() + record.bytes() > TEXT {
            bundle.seal(&mut self.room, &self.prefix);
        }
        let cost = record.cost(&update);
        self.room.needed += cost;
        bundle.cost += cost;
        bundle.add(record, update, ack);
    }

    /// Pushes everything onto the lanes, and gives back room that was not needed. Jobs that find no
    /// place come back, with the reason: those of one lane in their order.
    pub fn push(&mut self) -> Vec<(Busy, Box<Job>)> {
        let mut refused = Vec::new();
        for (bundle, queue) in self.lanes.iter_mut().zip(self.intake.queues()) {
            bundle.seal(&mut self.room, &self.prefix);
            let mut jobs = bundle.jobs.drain(..);
            let Some((busy, job)) = jobs.find_map(|job| queue.push(job).err()) else { continue };
            // A smaller job might find a place, and overtake one of its key.
            refused.push((busy, job));
            refused.extend(jobs.map(|job| (busy, Box::new(job))));
        }
        self.room.held = None;
        if self.lanes.len() > FEW_LANES {
            // What each of them would keep is too much in all.
            self.lanes.iter_mut().for_each(|bundle| *bundle = LaneBundle::default());
        }
        refused
    }
}

impl AheadRoom {
    fn split(&mut self, bytes: usize) -> Reservation {
        self.needed -= bytes;
        let held = self.held.as_mut().expect("room was reserved for every record");
        held.split(bytes)
    }
}

impl LaneBundle {
    fn add(&mut self, record: &SmallRecord<'_>, update: Update, ack: Ack) {
        if self.text.capacity() == 0 {
            self.text.reserve_exact(TEXT);
        }
        let start = self.text.len();
        self.text.extend_from_slice(record.value);
        let key = record.key.map(|key| {
            let at = self.text.len();
            self.text.extend_from_slice(key);
            at as u32..self.text.len() as u32
        });
        let (partition, Range { start: from, end }) = (record.partition, record.event.clone());
        self.records.push((record.topic, partition), record.offset, record.timestamp, key);
        self.events.push(BundledEvent { update, ack, text: start + from..start + end });
    }

    /// Makes jobs of the records, if there are any.
    fn seal(&mut self, room: &mut AheadRoom, prefix: &Prefix) {
        if self.events.is_empty() {
            return;
        }
        let bytes = if self.text.len() < TEXT * 3 / 4 {
            let exact = Bytes::copy_from_slice(&self.text);
            self.text.clear();
            exact
        } else {
            Bytes::from(std::mem::take(&mut self.text))
        };
        let held = room.split(std::mem::take(&mut self.cost));
        let message = Message::bundled(bytes, std::mem::take(&mut self.records), held);
        let origin = Origin { prefix, ..Origin::default() };
        self.jobs.extend((0..).zip(self.events.drain(..)).map(|(position, event)| {
            let BundledEvent { update, ack, text } = event;
            Job::new(update, ack, &message, text, origin).of_record(position)
        }));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Instant;

    use super::*;
    use crate::event::{Decision, Limits, Rules};
    use crate::metrics::Metrics;
    use crate::outcome::{Outcome, Source};
    use crate::pipeline::ack::Receipts;
    use crate::pipeline::budget::Budget;
    use crate::redis::Placement;

    #[derive(Default)]
    struct Positions(Mutex<Vec<(u64, Outcome)>>);

    impl Receipts for Positions {
        fn settle(&self, position: u64, outcome: Outcome) {
            self.0.lock().unwrap().push((position, outcome));
        }
    }

    struct Fixture {
        intake: Arc<Intake>,
        bundles: Bundles,
        positions: Arc<Positions>,
    }

    impl Fixture {
        fn new(limit: usize, lanes: usize) -> Self {
            let limits = Limits {
                max_event: 10_000,
                max_depth: 9,
                max_fields: 9,
                max_key: 100,
                max_field_name: 100,
                max_update: 10_000,
            };
            let budget = Budget::new(limit, Metrics::new().in_flight_bytes.clone());
            let rules = Rules::new(limits, "Redis");
            let intake = Arc::new(Intake::new(rules, budget, Placement::by_slot(lanes)));
            let bundles = Bundles::new(Arc::clone(&intake), Prefix::NONE);
            Self { intake, bundles, positions: Arc::default() }
        }

        /// Adds the record at `offset` of a partition, whose event is of `user`; false when there
        /// is no room.
        fn add(&mut self, topic: &Arc<str>, offset: i64, user: &str, size: usize) -> bool {
            let event = format!(
                r#"{{"type":"identify","userId":"{user}","traits":{{"a":"{}"}}}}"#,
                "x".repeat(size)
            );
            let value = format!(" {event} ").into_bytes();
            let event = 1..value.len() - 1;
            let decided = self.intake.decide(&value[event.clone()], Origin::default(), None);
            let Decision::Update(update) = decided else { panic!("{decided:?}") };
            let (value, key) = (value.as_slice(), Some(user.as_bytes()));
            let (partition, timestamp) = (offset as i32 % 3, Some(7));
            let record = SmallRecord { topic, partition, offset, timestamp, value, key, event };
            assert!(self.bundles.takes(&record, &update));
            if !self.bundles.has_room(record.cost(&update)) {
                return false;
            }
            let receipts = Arc::clone(&self.positions) as _;
            let ack = Ack::of_counted(Source::Kafka, receipts, offset as u64, Instant::now());
            self.bundles.add(&record, update, ack);
            true
        }

        /// The jobs that are in the queue of a lane.
        fn queued(&self, lane: usize) -> Vec<Job> {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let queue = &self.intake.queues()[lane];
            if queue.held().0 == 0 {
                return Vec::new();
            }
            runtime.block_on(queue.take(usize::MAX, usize::MAX)).unwrap()
        }
    }

    #[test]
    fn records_of_a_lane_share_messages_and_keep_what_they_were() {
        let (mut fixture, topics) = (Fixture::new(1 << 20, 2), ["a", "b"].map(Arc::<str>::from));
        for n in 0..90 {
            let (topic, user) = (&topics[n % 2], format!("user{}", n % 7));
            assert!(fixture.add(topic, n as i64, &user, 500 + n));
        }
        assert!(fixture.bundles.push().is_empty());
        let (mut offsets, mut all_messages) = (Vec::new(), 0);
        for lane in 0..2 {
            let jobs = fixture.queued(lane);
            assert!(jobs.iter().all(|job| fixture.intake.lane(job) == lane));
            assert!(jobs.is_sorted_by_key(|job| job.record().unwrap().offset));
            let mut messages: Vec<_> = jobs.iter().map(|job| Arc::as_ptr(job.message())).collect();
            messages.dedup();
            assert!(jobs.len() > 8 * messages.len(), "{}", messages.len());
            all_messages += messages.len();
            for job in &jobs {
                let record = job.record().unwrap().into_owned();
                let n = record.offset as usize;
                let user = format!("user{}", n % 7);
                assert_eq!((&*record.topic, record.partition), (&*topics[n % 2], n as i32 % 3));
                assert_eq!(
                    (record.key.as_deref(), record.timestamp),
                    (Some(user.as_bytes()), Some(7))
                );
                let text = std::str::from_utf8(job.text()).unwrap();
                assert!(text.starts_with('{') && text.ends_with('}') && text.contains(&user));
                assert_eq!(job.update.key(), format!("user:{user}").as_bytes());
                offsets.push(record.offset);
            }
        }
        offsets.sort_unstable();
        assert_eq!(offsets, (0..90).collect::<Vec<i64>>());
        assert!(all_messages > 3, "a text is not larger than it may be");
        assert_eq!(fixture.intake.budget().held(), 0, "all of it was given back with the jobs");
    }

    #[test]
    fn what_is_held_is_reserved_before_and_given_back_as_a_whole() {
        let (mut fixture, topic) = (Fixture::new(100_000, 1), Arc::from("t"));
        let taken = (0..).take_while(|&n| fixture.add(&topic, n, "u", 1000)).count();
        let budget = Arc::clone(fixture.intake.budget());
        assert!((20..70).contains(&taken), "{taken}");
        assert!(fixture.bundles.push().is_empty());
        assert!(budget.held() <= budget.limit());
        let mut jobs = fixture.queued(0);
        let all = budget.held();
        let last = jobs.pop().unwrap();
        drop(jobs);
        assert!(budget.held() < all * 3 / 4 && budget.held() >= last.message().bytes().len());
        drop(last);
        assert_eq!(budget.held(), 0);
        let failed = fixture.positions.0.lock().unwrap();
        assert_eq!(failed.len(), taken, "unsettled is failed");
    }

    #[test]
    fn a_lane_that_is_down_gives_all_back_in_order() {
        let (mut fixture, topic) = (Fixture::new(1 << 20, 1), Arc::from("t"));
        fixture.intake.queues()[0].set_down(true);
        (0..9).for_each(|n| assert!(fixture.add(&topic, n, "u", 10)));
        let refused = fixture.bundles.push();
        let held = fixture.intake.budget().held();
        assert!(refused.iter().all(|(busy, _)| *busy == Busy::Down));
        let jobs: Vec<Box<Job>> = refused.into_iter().map(|(_, job)| job).collect();
        let offsets: Vec<i64> = jobs.iter().map(|job| job.record().unwrap().offset).collect();
        assert_eq!(offsets, (0..9).collect::<Vec<i64>>());
        fixture.intake.queues()[0].set_down(false);
        jobs.into_iter().for_each(|job| assert!(fixture.intake.offer(*job).is_ok()));
        assert_eq!(fixture.intake.budget().held(), held, "their room is that of their message");
        assert_eq!(fixture.queued(0).len(), 9);
    }
}
