//! An event that deletes a user deletes all keys of the user, each through its lane. It is settled
//! when each of them is.

use std::sync::{Arc, Mutex};
use std::vec;

use crate::event::{Action, Update};
use crate::lock::lock;
use crate::logging::hashed;
use crate::metrics::Metrics;
use crate::outcome::{DeletedBy, Outcome};

use super::ack::{Ack, Receipts};

/// The keys that the user with this id may have, sorted, each once.
pub type KeysOfUser = dyn Fn(&[u8]) -> Vec<Vec<u8>> + Send + Sync;

/// Position of the event's own key; that of all others is 1.
const OWN: u64 = 0;

/// The keys of a user that an event deletes besides its own one, and that no lane has yet.
pub(super) struct FurtherKeys {
    event: Arc<DeletionEvent>,
    keys_of: Arc<KeysOfUser>,
    user: Vec<u8>,
    own: Vec<u8>,
    /// The guard's time of the event.
    time: Option<i64>,
    /// The last key that was given out; empty: none was.
    last: Vec<u8>,
    /// Those after `last`; `None`: not asked for, or forgotten to save memory.
    keys: Option<vec::IntoIter<Vec<u8>>>,
    refused: Option<(Update, Ack)>,
}

impl FurtherKeys {
    /// For an event that asks for `update` to delete a user. Returns the ack for this one key,
    /// which takes the place of `ack`.
    pub(super) fn new(
        update: &Update,
        ack: Ack,
        by: DeletedBy,
        keys_of: &Arc<KeysOfUser>,
    ) -> (Self, Ack) {
        let user = update.user_id().unwrap_or_default().to_vec();
        let event = Arc::new(DeletionEvent {
            by,
            user: hashed(&user).to_string(),
            key: update.key().to_vec(),
            metrics: ack.metrics().cloned(),
            receipts: Arc::clone(ack.receipts()),
            state: Mutex::default(),
        });
        let own = Ack::of_part(Arc::clone(&event) as _, OWN, ack.source());
        lock(&event.state).ack = Some(ack);
        let others = Self {
            event,
            keys_of: Arc::clone(keys_of),
            user,
            own: update.key().to_vec(),
            time: update.at(),
            last: Vec::new(),
            keys: None,
            refused: None,
        };
        (others, own)
    }

    /// The deletion of the next key, and its ack.
    pub(super) fn take_next(&mut self) -> Option<(Update, Ack)> {
        if let Some(refused) = self.refused.take() {
            return Some(refused);
        }
        let (keys_of, user, last, own) = (&self.keys_of, &self.user, &self.last, &self.own);
        let keys = self.keys.get_or_insert_with(|| {
            let mut keys = keys_of(user);
            keys.retain(|key| key > last && key != own);
            keys.into_iter()
        });
        let key = keys.next()?;
        let (fields, removed) = (std::iter::empty(), std::iter::empty());
        let update = Update::pack(&key, fields, removed, None).doing(Action::Delete);
        let update = match self.time {
            Some(time) => update.guarded(time),
            None => update,
        };
        self.last = key;
        lock(&self.event.state).open += 1;
        Some((update, Ack::of_part(Arc::clone(&self.event) as _, OWN + 1, None)))
    }

    /// Takes back what [`FurtherKeys::take_next`] gave out last: there is no room for it now.
    pub(super) fn take_back(&mut self, update: Update, ack: Ack) {
        self.keys = None;
        self.refused = Some((update, ack));
    }
}

/// One event that deletes a user: it ends when the deletion of each key has ended.
struct DeletionEvent {
    by: DeletedBy,
    /// The id as it is logged.
    user: String,
    key: Vec<u8>,
    /// `None`: the receipts know them.
    metrics: Option<Arc<Metrics>>,
    /// Those of the event's source.
    receipts: Arc<dyn Receipts>,
    state: Mutex<DeletionState>,
}

#[derive(Default)]
struct DeletionState {
    /// That of the event; `None`: it is settled.
    ack: Option<Ack>,
    own: Option<Outcome>,
    /// Other keys in the lanes.
    open: usize,
    /// What became of other keys.
    deleted: bool,
    left: u64,
    failed: bool,
}

impl DeletionState {
    /// The outcome of the event, once it is known.
    fn outcome(&self) -> Option<Outcome> {
        match self.own? {
            outcome @ (Outcome::Failed | Outcome::Rejected(_)) => Some(outcome),
            _ if self.open > 0 => None,
            _ if self.failed => Some(Outcome::Failed),
            Outcome::Stale if self.deleted => Some(Outcome::Written),
            outcome => Some(outcome),
        }
    }
}

impl Receipts for DeletionEvent {
    fn settle(&self, position: u64, outcome: Outcome) {
        let mut state = lock(&self.state);
        if position == OWN {
            state.own = Some(outcome);
        } else {
            state.open -= 1;
            match outcome {
                Outcome::Written => state.deleted = true,
                Outcome::DeadLettered(_) => state.left += 1,
                Outcome::Failed => state.failed = true,
                Outcome::Stale | Outcome::Skipped(_) | Outcome::Rejected(_) => {}
            }
        }
        let Some(outcome) = state.outcome() else { return };
        let (Some(ack), left) = (state.ack.take(), state.left) else { return };
        drop(state);
        let (by, user) = (self.by.as_str(), &self.user);
        if outcome == Outcome::Written {
            self.metrics().inspect(|metrics| metrics.profiles_deleted(self.by).inc());
            tracing::info!(by, user, "user deleted");
        }
        if left > 0 {
            tracing::warn!(by, user, left, "keys of a deleted user are no profiles, and were left");
        }
        ack.settle_with_key(outcome, &self.key);
    }

    fn metrics(&self) -> Option<&Metrics> {
        self.metrics.as_deref().or_else(|| self.receipts.metrics())
    }

    fn cancelled(&self) -> bool {
        self.receipts.cancelled()
    }

    fn revoked(&self) -> bool {
        self.receipts.revoked()
    }
}
