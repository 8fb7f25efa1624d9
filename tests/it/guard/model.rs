//! What the guard promises, written down field by field: the newest operation on each field, and a
//! time below which everything is dead. How Redis keeps it is of no concern here.

use std::collections::{BTreeMap, BTreeSet};

/// Milliseconds.
pub(super) type Time = i64;

/// Older than every event.
const NEVER: Time = -1;

/// Fields that an event sets and removes.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) time: Time,
    pub(super) set: Vec<(String, String)>,
    pub(super) removed: Vec<String>,
    pub(super) expiry: Option<Expiry>,
    /// Names among `set`, all with the same TTL.
    pub(super) expiring: BTreeSet<String>,
    pub(super) tombstone_ttl: Time,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Expiry {
    pub(super) ttl: Time,
    /// The time of expiry is sent, not the time until then.
    pub(super) is_moment: bool,
    pub(super) once: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Deletion {
    pub(super) time: Time,
    pub(super) everything: bool,
    pub(super) tombstone_ttl: Time,
}

/// The guard's modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Field,
    Profile { replace: bool },
}

/// What became of an operation, as the script replies it.
pub(super) const STALE: i64 = 0;
pub(super) const APPLIED: i64 = 1;
pub(super) const REMOVED: i64 = 2;

#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct ModelField {
    /// Of the newest operation on it.
    time: Time,
    /// `None`: it was removed.
    value: Option<String>,
    expires: bool,
}

/// One profile.
#[derive(Debug, Default, Clone)]
pub(super) struct Model {
    fields: BTreeMap<String, ModelField>,
    /// Whether any event or deletion was applied.
    is_guarded: bool,
    newest: Time,
    floor: Time,
    /// The last operation was applied under a rule for whole profiles.
    by_profile: bool,
    /// Nothing was left by the last removal or deletion, and nothing was set since.
    is_tombstone: bool,
    pub(super) ttl: Option<Time>,
}

impl Model {
    pub(super) fn exists(&self) -> bool {
        self.is_guarded || !self.visible().is_empty()
    }

    pub(super) fn visible(&self) -> BTreeMap<String, String> {
        let values = self.fields.iter();
        values.filter_map(|(name, field)| Some((name.clone(), field.value.clone()?))).collect()
    }

    /// The visible fields that have a TTL.
    pub(super) fn expiring(&self) -> BTreeSet<String> {
        let expiring = self.fields.iter().filter(|(_, field)| field.expires);
        expiring.map(|(name, _)| name.clone()).collect()
    }

    /// Whether another writer may set a field: where a removed field is concerned the guard may
    /// have forgotten that it was there.
    pub(super) fn may_set_unguarded(&self, name: &str) -> bool {
        self.fields.get(name).is_none_or(|field| field.value.is_some())
    }

    /// Another writer sets a field.
    pub(super) fn set_unguarded(&mut self, name: &str, value: &str) {
        let field = self.fields.entry(name.to_owned());
        let field = field.or_insert(ModelField { time: NEVER, value: None, expires: false });
        field.value = Some(value.to_owned());
        field.expires = false;
    }

    /// Another writer removes a field, or it expires.
    pub(super) fn remove_unguarded(&mut self, name: &str) {
        if let Some(field) = self.fields.get_mut(name) {
            field.value = None;
            field.expires = false;
            if field.time == NEVER {
                self.fields.remove(name);
            }
        }
        if !self.exists() {
            *self = Self::default();
        }
    }

    pub(super) fn apply(&mut self, rule: Rule, event: &Event) -> i64 {
        let is_late = self.is_guarded && event.time < self.newest;
        match rule {
            Rule::Field => self.adopt(),
            Rule::Profile { .. } if is_late => return STALE,
            Rule::Profile { .. } => {
                // The newest time of the profile is all that is known.
                self.fields.retain(|_, field| field.value.is_some());
                self.fields.values_mut().for_each(|field| field.time = NEVER);
                self.floor = NEVER;
                self.by_profile = true;
            }
        }
        let is_newest = |model: &Self, name: &str| {
            let time = model.fields.get(name).map_or(NEVER, |field| field.time);
            event.time >= time && (!model.is_guarded || event.time >= model.floor)
        };
        let set: Vec<_> = event.set.iter().filter(|(name, _)| is_newest(self, name)).collect();
        let removed: Vec<_> = event.removed.iter().filter(|name| is_newest(self, name)).collect();
        if set.is_empty() && removed.is_empty() {
            return STALE;
        }
        if rule == (Rule::Profile { replace: true }) {
            self.fields.clear();
        }
        let time = if rule == Rule::Field { event.time } else { NEVER };
        for (name, value) in &set {
            let expires = event.expiring.contains(name);
            let field = ModelField { time, value: Some(value.clone()), expires };
            self.fields.insert(name.clone(), field);
        }
        for name in removed {
            self.fields.insert(name.clone(), ModelField { time, value: None, expires: false });
        }
        self.set_ttl(event, is_late, !set.is_empty());
        self.newest = if self.is_guarded { self.newest.max(event.time) } else { event.time };
        self.is_guarded = true;
        APPLIED
    }

    fn set_ttl(&mut self, event: &Event, is_late: bool, sets: bool) {
        if self.is_tombstone && !sets {
            return;
        }
        let was_tombstone = std::mem::take(&mut self.is_tombstone);
        if was_tombstone {
            self.ttl = None;
        }
        if let Some(expiry) = event.expiry
            && (!is_late || was_tombstone)
        {
            self.ttl = self.ttl.filter(|_| expiry.once).or(Some(expiry.ttl));
        } else if !sets
            && self.ttl.is_none()
            && event.tombstone_ttl > 0
            && self.visible().is_empty()
        {
            self.is_tombstone = true;
            self.ttl = Some(event.tombstone_ttl);
        }
    }

    pub(super) fn delete(&mut self, rule: Rule, deletion: Deletion) -> i64 {
        let mut time = deletion.time;
        if self.is_guarded && deletion.everything {
            time = time.max(self.newest);
        }
        let is_repeated = self.is_guarded && self.is_tombstone && self.newest == time + 1;
        if rule == Rule::Field {
            self.adopt();
        } else if self.is_guarded && time < self.newest && !is_repeated {
            return STALE;
        }
        let is_older = self.is_guarded && self.floor > time + 1;
        let before = self.visible().len();
        self.fields.retain(|_, field| field.time > time);
        let left = self.visible().len();
        if !is_older {
            self.floor = time + 1;
        }
        self.newest = if self.is_guarded { self.newest.max(time + 1) } else { time + 1 };
        self.is_guarded = true;
        if left == 0 && (!is_older || before > 0) {
            self.is_tombstone = true;
            self.ttl = Some(deletion.tombstone_ttl).filter(|ttl| *ttl > 0);
        }
        if rule != Rule::Field {
            self.by_profile = true;
        }
        match (before > left, is_older) {
            (true, _) => REMOVED,
            (false, true) => STALE,
            (false, false) => APPLIED,
        }
    }

    /// The rule changed from profiles to fields: all fields count as written at the newest time,
    /// and nothing older is taken.
    fn adopt(&mut self) {
        if std::mem::take(&mut self.by_profile) {
            self.fields.values_mut().for_each(|field| field.time = self.newest);
            self.floor = self.newest;
        }
    }
}
