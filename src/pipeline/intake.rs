//! Where events enter: each is transformed, and its update pushed onto the lane of its key.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::event::{
    Action, Decision, Explanation, Origin, RejectReason, Rules, SkipReason, Transformer, Update,
};
use crate::outcome::{DeletedBy, Outcome, Source};
use crate::redis::Placement;
use crate::tap::Tap;

use super::ack::Ack;
use super::budget::Budget;
use super::further_keys::{FurtherKeys, KeysOfUser};
use super::job::{Busy, Job};
use super::message::Message;
use super::queue::Queue;

/// An event that was not accepted; its source decides what happens to it.
pub enum NotAccepted {
    /// There is no room now: the job may be offered again with [`Intake::offer`]. Dropping the job
    /// fails the event.
    Busy(Busy, Box<Job>),
    /// The event can never be written.
    Rejected(RejectReason, Ack),
}

const ROOM_RECHECK: Duration = Duration::from_millis(10);

thread_local! {
    static TRANSFORMER: RefCell<Transformer> = RefCell::default();
}

/// Says whether nothing of the user with this id is to be written.
pub type IsSuppressed = dyn Fn(&[u8]) -> bool + Send + Sync;

/// The entrance to the lanes, shared by all sources.
pub struct Intake {
    rules: Rules,
    budget: Arc<Budget>,
    lanes: Vec<Arc<Queue>>,
    placement: Placement,
    room: Arc<Notify>,
    tap: Option<Arc<Tap>>,
    suppressed: Option<Arc<IsSuppressed>>,
    keys_of_user: Option<Arc<KeysOfUser>>,
}

impl Intake {
    /// An intake with a queue for each lane of `placement`, each with its share of the budget.
    pub fn new(rules: Rules, budget: Arc<Budget>, placement: Placement) -> Self {
        let room = Arc::new(Notify::new());
        let share = budget.limit() / placement.lanes();
        let lanes = (0..placement.lanes())
            .map(|_| Arc::new(Queue::new(share, Arc::clone(&room))))
            .collect();
        let (tap, suppressed, keys_of_user) = (None, None, None);
        Self { rules, budget, lanes, placement, room, tap, suppressed, keys_of_user }
    }

    /// Skips the events of users who are `suppressed`. Deletions of such users are no different
    /// from others.
    pub fn with_suppressed(self, suppressed: Arc<IsSuppressed>) -> Self {
        Self { suppressed: Some(suppressed), ..self }
    }

    /// Lets events that delete a user delete all of the user's keys.
    pub fn with_keys_of_user(self, keys_of_user: Arc<KeysOfUser>) -> Self {
        Self { keys_of_user: Some(keys_of_user), ..self }
    }

    /// Shows every decision to whoever watches `tap`.
    pub fn with_tap(self, tap: Arc<Tap>) -> Self {
        Self { tap: Some(tap), ..self }
    }

    /// The queues, for the lanes that empty them.
    pub fn queues(&self) -> &[Arc<Queue>] {
        &self.lanes
    }

    /// The rules by which events are transformed.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The bound on bytes in flight.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Resolves when room may have been made, and from time to time besides: the caller tries
    /// again.
    pub async fn room(&self) {
        // Room that was made between the refusal and this call would be missed without the timeout.
        let _ = tokio::time::timeout(ROOM_RECHECK, self.room.notified()).await;
    }

    /// Takes no more updates; queued ones are still delivered. Those who watch the tap have seen
    /// everything.
    pub fn close(&self) {
        self.lanes.iter().for_each(|queue| queue.close());
        self.tap.iter().for_each(|tap| tap.close());
    }

    /// Fails the queued updates whose sources took them back, without waiting for their lanes.
    pub fn drop_cancelled(&self) {
        self.lanes.iter().for_each(|queue| queue.drop_cancelled());
    }

    /// The lane that `job` goes to.
    pub fn lane(&self, job: &Job) -> usize {
        self.lane_of(job.update.key())
    }

    /// The lane of a Redis key.
    pub(super) fn lane_of(&self, key: &[u8]) -> usize {
        self.placement.lane_of(key)
    }

    /// Whether half of all room, and of a lane's share when it is about one, is free: enough to go
    /// on after a pause, not to pause again at once. Bodies that are being read do not count, as
    /// long as a quarter is free besides them: slow clients must not keep other sources waiting.
    pub fn has_room(&self, lane: Option<usize>) -> bool {
        let (held, reading, limit) =
            (self.budget.held(), self.budget.reading(), self.budget.limit());
        held.saturating_sub(reading) <= limit / 2
            && held <= limit - limit / 4
            && lane.is_none_or(|lane| self.lanes[lane].has_room())
    }

    /// Transforms the event at `text` of `message` and pushes its update, or settles `ack` when it
    /// is skipped. Never waits.
    pub fn accept(
        &self,
        message: &Arc<Message>,
        text: Range<usize>,
        origin: Origin<'_>,
        ack: Ack,
    ) -> Result<(), NotAccepted> {
        let origin = Origin { is_tombstone: message.is_tombstone(), ..origin };
        match self.decide(&message.bytes()[text.clone()], origin, ack.source()) {
            Decision::Update(update) => self.offer(self.job(update, ack, message, text, origin)),
            Decision::Skipped(reason) => {
                ack.settle(Outcome::Skipped(reason));
                Ok(())
            }
            Decision::Rejected(reason) => Err(NotAccepted::Rejected(reason, ack)),
        }
    }

    /// The job of the `update` of an event; with the other keys of a user who is deleted.
    pub fn job(
        &self,
        update: Update,
        mut ack: Ack,
        message: &Arc<Message>,
        text: Range<usize>,
        origin: Origin<'_>,
    ) -> Job {
        ack.set_event_time(update.event_time());
        let mut others = None;
        if let (Action::Delete, Some(keys_of)) = (update.action(), &self.keys_of_user) {
            let by = match message.is_tombstone() {
                true => DeletedBy::Tombstone,
                false => DeletedBy::Event,
            };
            let (keys, own) = FurtherKeys::new(&update, ack, by, keys_of);
            (others, ack) = (Some(Box::new(keys)), own);
        }
        let mut job = Job::new(update, ack, message, text, origin);
        job.others = others;
        job
    }

    /// Decides what becomes of the event in `text`. `source` is where it came from; `None`: those
    /// who watch the tap do not see it.
    pub fn decide(&self, text: &[u8], origin: Origin<'_>, source: Option<Source>) -> Decision {
        let origin = self.at_this_time(origin);
        TRANSFORMER.with_borrow_mut(|transformer| {
            let decision = transformer.transform(&self.rules, origin, text);
            self.decided(decision, transformer, source)
        })
    }

    /// [`Intake::decide`] for a `message` that is one event; `None`: its events are to be found
    /// first ([`Transformer::transform_bare`]).
    pub fn decide_bare(
        &self,
        message: &[u8],
        origin: Origin<'_>,
        source: Option<Source>,
    ) -> Option<Decision> {
        let origin = self.at_this_time(origin);
        TRANSFORMER.with_borrow_mut(|transformer| {
            let decision = transformer.transform_bare(&self.rules, origin, message)?;
            Some(self.decided(decision, transformer, source))
        })
    }

    fn at_this_time<'a>(&self, origin: Origin<'a>) -> Origin<'a> {
        let needs_clock = self.rules.profile.needs_clock();
        Origin { now: if needs_clock { Timestamp::now().as_millisecond() } else { 0 }, ..origin }
    }

    /// The decision, once suppressed users are skipped; those who watch the tap see it.
    fn decided(
        &self,
        mut decision: Decision,
        transformer: &Transformer,
        source: Option<Source>,
    ) -> Decision {
        if let Some(suppressed) = &self.suppressed
            && let Decision::Update(update) = &decision
            && update.action() != Action::Delete
            && update.user_id().is_some_and(|user| suppressed(user))
        {
            decision = Decision::Skipped(SkipReason::Suppressed);
        }
        if let (Some(tap), Some(source)) = (&self.tap, source)
            && tap.is_watched()
        {
            let shown = Explanation::new(&decision);
            tap.show(source, shown.of_profile(&self.rules.profile, transformer.time()));
        }
        decision
    }

    /// Bytes that may be held once `job` has its room. A large message leaves an eighth to others,
    /// but for an event that could then never find room.
    fn limit(&self, job: &Job) -> usize {
        let limit = self.budget.limit();
        let left = limit / 8;
        let fits_alone = job.message().held() <= limit / 2 && job.cost() <= left;
        if job.leaves_room() && fits_alone { limit - left } else { limit }
    }

    /// Pushes an update, and before it those of other keys that are deleted with its own one. Never
    /// waits.
    pub fn offer(&self, mut job: Job) -> Result<(), NotAccepted> {
        while let Some((update, ack)) = job.others.as_mut().and_then(|others| others.take_next()) {
            let other = Job::of_part(update, ack, &job);
            if let Err(NotAccepted::Busy(busy, refused)) = self.push(other) {
                let Job { update, ack, .. } = *refused;
                if let Some(others) = &mut job.others {
                    others.take_back(update, ack);
                }
                return Err(NotAccepted::Busy(busy, Box::new(job)));
            }
        }
        job.others = None;
        self.push(job)
    }

    fn push(&self, mut job: Job) -> Result<(), NotAccepted> {
        let queue = &self.lanes[self.lane(&job)];
        if job.message().holds_jobs() {
            return queue.push(job).map_err(|(busy, job)| NotAccepted::Busy(busy, job));
        }
        let cost = job.cost();
        if cost > self.budget.limit() / 2 {
            return Err(NotAccepted::Rejected(RejectReason::TooLarge, job.ack));
        }
        let Some(held) = self.budget.try_reserve_below(cost, self.limit(&job)) else {
            return Err(NotAccepted::Busy(queue.refuses().unwrap_or(Busy::Full), Box::new(job)));
        };
        job.hold(Some(held));
        queue.push(job).map_err(|(busy, mut job)| {
            job.hold(None);
            NotAccepted::Busy(busy, job)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Instant;

    use bytes::Bytes;

    use super::*;
    use crate::event::Limits;
    use crate::metrics::Metrics;
    use crate::pipeline::ack::Receipts;
    use crate::profile::{KeyTemplate, KeyedBy};

    #[derive(Default)]
    struct Outcomes(Mutex<Vec<Outcome>>);

    impl Receipts for Outcomes {
        fn settle(&self, _position: u64, outcome: Outcome) {
            self.0.lock().unwrap().push(outcome);
        }
    }

    fn rules() -> Rules {
        let limits = Limits {
            max_event: 1000,
            max_depth: 9,
            max_fields: 9,
            max_key: 100,
            max_field_name: 100,
            max_update: 1000,
        };
        let mut rules = Rules::new(limits, "Redis");
        rules.keys.group = KeyTemplate::parse("group:{groupId}", KeyedBy::Group).ok();
        rules.deletion_event = Some("Gone".to_owned());
        rules.tombstones_delete = true;
        rules
    }

    /// What is offered of the user `u`, who is suppressed, and of others: the keys that reach the
    /// lane, and the outcomes of the rest.
    #[test]
    fn events_of_suppressed_users_are_skipped_and_deletions_are_not() {
        let metrics = Arc::new(Metrics::new());
        let budget = Budget::new(1 << 20, metrics.in_flight_bytes.clone());
        let intake = Intake::new(rules(), budget, Placement::by_slot(1))
            .with_suppressed(Arc::new(|user: &[u8]| user == b"u"));
        let outcomes = Arc::new(Outcomes::default());
        let offer = |message: Arc<Message>| {
            let receipts = Arc::clone(&outcomes) as _;
            let ack = Ack::new(Source::File, receipts, 0, Arc::clone(&metrics), Instant::now());
            let (all, may_delete) = (0..message.bytes().len(), true);
            let origin = Origin { may_delete, ..Origin::default() };
            assert!(intake.accept(&message, all, origin, ack).is_ok());
        };
        let held = || intake.budget().try_reserve(0).unwrap();
        for text in [
            r#"{"type":"identify","userId":"u","traits":{"a":1}}"#,
            r#"{"type":"identify","userId":["u"],"traits":{"a":1}}"#,
            r#"{"type":"identify","userId":" u","traits":{"a":1}}"#,
            r#"{"type":"group","userId":"u","groupId":"u","traits":{"a":1}}"#,
            r#"{"type":"track","userId":"u","event":"Gone"}"#,
        ] {
            offer(Message::new(Bytes::from(text), held()));
        }
        offer(Message::tombstone(Bytes::from("u"), None, held()));
        let suppressed = Outcome::Skipped(SkipReason::Suppressed);
        assert_eq!(*outcomes.0.lock().unwrap(), [suppressed; 2]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let jobs = runtime.block_on(intake.queues()[0].take(9, 1 << 20)).unwrap();
        let keys: Vec<&[u8]> = jobs.iter().map(|job| job.update.key()).collect();
        assert_eq!(keys, [b"user: u".as_slice(), b"group:u", b"user:u", b"user:u"]);
        let tombstones: Vec<bool> = jobs.iter().map(Job::is_tombstone).collect();
        assert_eq!(tombstones, [false, false, false, true]);
    }
}
