//! Decides on one event, given as text.

use super::envelope::Envelope;
use super::event_kind::EventKind;
use super::field_map::FieldMap;
use super::no_update::NoUpdate;
use super::time::event_time;
use super::unprefixed::Unprefixed;
use super::user_id::push_user_id;
use super::wrapper::unwrapped;
use super::{
    Action, Decision, GuardTime, Origin, RejectReason, Rules, SkipReason, Update, document,
    flatten, integrations, json, literal, trim_js, ttl,
};
use crate::profile::{KeyPlaces, Prefix};

/// Bytes that the buffers keep between two events.
const KEEP: usize = 64 << 10;

/// Transforms events one after the other, reusing its buffers.
#[derive(Default)]
pub struct Transformer {
    fields: FieldMap,
    /// The value of a field that is being made.
    value: Vec<u8>,
    key: Vec<u8>,
    time: Option<GuardTime>,
    literal: bool,
}

impl Transformer {
    /// A transformer that always takes the literal path. Slow; tests compare the common path with
    /// it.
    pub fn literal() -> Self {
        Self { literal: true, ..Self::default() }
    }

    /// Decides on one event, given as JSON text (a leading byte order mark is dropped). The first
    /// rule that applies decides: unreadable text is rejected; an event with no type or a type that
    /// is not written, with the destination switched off or with a blank id is skipped; one that
    /// says a prefix that is no text, and traits beyond a limit, are rejected; an event without a
    /// field is skipped; a reserved name of a field, a key beyond its limit and a bad time to live
    /// are rejected.
    /// An event in a wrapper, where [`Origin::wrapped`] allows one, is treated as if it came alone.
    pub fn transform(&mut self, rules: &Rules, origin: Origin<'_>, text: &[u8]) -> Decision {
        self.time = None;
        let decision = self.decide(rules, origin, text);
        self.settle(decision)
    }

    /// Decides on a message that is not an HTTP body, when it is one bare event: the decision of
    /// [`Self::transform`] on the only event of [`super::events_of`], with one pass over the text
    /// for both. `None`: the message may hold other events, or it is unreadable or longer than one
    /// event may be; then its events are to be found first.
    pub fn transform_bare(
        &mut self,
        rules: &Rules,
        origin: Origin<'_>,
        message: &[u8],
    ) -> Option<Decision> {
        if origin.is_tombstone || message.len() > rules.limits.max_event {
            return None;
        }
        let text = std::str::from_utf8(json::without_bom(message)).ok()?;
        let envelope = Envelope::read_bare(text)?;
        self.time = None;
        let decision = self.decide_on_parts(rules, origin, text, envelope);
        Some(self.settle(decision))
    }

    fn settle(&mut self, decision: Result<Update, NoUpdate>) -> Decision {
        // Frees buffers that an unusual event made large.
        self.value.shrink_to(KEEP);
        self.key.shrink_to(KEEP);
        match decision {
            Ok(update) => Decision::Update(update),
            Err(NoUpdate::Skip(reason)) => Decision::Skipped(reason),
            Err(NoUpdate::Reject(reason)) => Decision::Rejected(reason),
        }
    }

    /// The time of the last event, if that became an update with a guard.
    pub fn time(&self) -> Option<GuardTime> {
        self.time
    }

    fn decide(
        &mut self,
        rules: &Rules,
        origin: Origin<'_>,
        text: &[u8],
    ) -> Result<Update, NoUpdate> {
        if origin.is_tombstone {
            return self.tombstone(rules, origin, text);
        }
        let max_event = rules.limits.max_event;
        let utf8 = std::str::from_utf8(json::without_bom(text));
        if text.len() > max_event {
            // The limit is for the event, not for its wrapper.
            let inner =
                utf8.ok().filter(|_| origin.wrapped).and_then(|text| unwrapped(text, max_event));
            return inner.map_or(Err(RejectReason::TooLarge.into()), |inner| {
                self.decide(rules, Origin { wrapped: false, ..origin }, &inner)
            });
        }
        let text = utf8.map_err(|_| RejectReason::InvalidUtf8)?;
        let envelope = Envelope::read(text)?;
        self.decide_on_parts(rules, origin, text, envelope)
    }

    /// Decides on the event in `text`, whose parts are in `envelope`; it may be in a wrapper.
    fn decide_on_parts(
        &mut self,
        rules: &Rules,
        origin: Origin<'_>,
        text: &str,
        envelope: Envelope<'_>,
    ) -> Result<Update, NoUpdate> {
        if origin.wrapped
            && (envelope.kind.is_none() || envelope.is_cloud_event)
            && let Some(inner) = unwrapped(text, rules.limits.max_event)
        {
            return self.decide(rules, Origin { wrapped: false, ..origin }, &inner);
        }
        match origin.prefix {
            Prefix::Fixed(prefix) => self.decide_on(rules, origin, text, envelope, Some(prefix)),
            Prefix::Dynamic { path, default } => {
                let Unprefixed { prefix, text } = Unprefixed::read(text, path, default);
                let envelope = Envelope::read(&text)?;
                self.decide_on(rules, origin, &text, envelope, prefix.as_deref())
            }
        }
    }

    /// Decides on the event in `text`, whose parts are in `envelope`; without a `prefix` it says
    /// one that is no text.
    fn decide_on(
        &mut self,
        rules: &Rules,
        origin: Origin<'_>,
        text: &str,
        mut envelope: Envelope<'_>,
        prefix: Option<&str>,
    ) -> Result<Update, NoUpdate> {
        let kind = EventKind::of(&envelope, origin, rules, text)?;
        if !integrations::allow(envelope.integrations, &rules.destination) {
            return Err(SkipReason::IntegrationOff.into());
        }
        let (template, id) = kind.key(rules, &envelope, text);
        self.key.clear();
        let places = template.push_with(&mut self.key, prefix.unwrap_or_default(), |key| {
            id.is_some_and(|raw| push_user_id(key, raw))
        });
        let mut places = places.ok_or(kind.blank())?;
        if prefix.is_none() {
            return Err(RejectReason::BadPrefix.into());
        }
        match kind {
            EventKind::Identify => {}
            EventKind::Group(_) => {
                // Neither traits of a user nor an entity.
                (envelope.context_traits, envelope.sources) = (None, None);
                places = places.of_group();
            }
            EventKind::Deletion => return self.deletion(rules, &origin, &envelope, places),
        }
        if let Some(update) = document::update(rules, &envelope, &mut self.key)? {
            rules.profile.check_names(update.fields().map(|(name, _)| name))?;
            // The key of an entity has other places.
            let update = if update.entity().is_some() { update } else { update.placed(places) };
            return self.finish(rules, &origin, &envelope, text, update);
        }
        self.flatten(&envelope, rules)?;
        if self.fields.live() + self.fields.nulls() == 0 {
            return Err(SkipReason::NoTraits.into());
        }
        let names = self.fields.iter().map(|(name, _)| name).chain(self.fields.null_names());
        rules.profile.check_names(names)?;
        self.check_key(rules)?;
        let update = Update::of_fields(&self.key, &self.fields, event_time(&envelope))
            .doing(rules.profile.action())
            .placed(places);
        self.finish(rules, &origin, &envelope, text, update)
    }

    /// Gives the update its end and its time.
    fn finish(
        &mut self,
        rules: &Rules,
        origin: &Origin<'_>,
        envelope: &Envelope<'_>,
        text: &str,
        update: Update,
    ) -> Result<Update, NoUpdate> {
        let expiry = ttl::expiry(&rules.profile, text, origin.now)?;
        Ok(self.guarded(rules, origin, envelope, update.expiring(expiry)))
    }

    /// Gives the update its time, where there is a guard.
    fn guarded(
        &mut self,
        rules: &Rules,
        origin: &Origin<'_>,
        envelope: &Envelope<'_>,
        update: Update,
    ) -> Update {
        let Some(guard) = &rules.profile.guard else { return update };
        let time = GuardTime::of(guard, envelope, origin);
        self.time = Some(time);
        update.guarded(time.ms)
    }

    /// The deletion of the user whose id is `id` as it stands.
    fn tombstone(
        &mut self,
        rules: &Rules,
        origin: Origin<'_>,
        id: &[u8],
    ) -> Result<Update, NoUpdate> {
        if !rules.tombstones_delete {
            return Err(SkipReason::Empty.into());
        }
        let id = std::str::from_utf8(id).map_err(|_| RejectReason::InvalidUtf8)?;
        self.key.clear();
        let prefix = origin.prefix.default_text();
        let places = rules.keys.user.push_with(&mut self.key, prefix, |key| {
            key.extend_from_slice(id.as_bytes());
            !trim_js(id).is_empty()
        });
        let places = places.ok_or(SkipReason::BlankUserId)?;
        self.deletion(rules, &origin, &Envelope::default(), places)
    }

    /// The deletion of the user of the current key.
    fn deletion(
        &mut self,
        rules: &Rules,
        origin: &Origin<'_>,
        envelope: &Envelope<'_>,
        places: KeyPlaces,
    ) -> Result<Update, NoUpdate> {
        self.check_key(rules)?;
        let (fields, removed) = (std::iter::empty(), std::iter::empty());
        let update = Update::pack(&self.key, fields, removed, event_time(envelope));
        let update = update.doing(Action::Delete).placed(places);
        Ok(self.guarded(rules, origin, envelope, update))
    }

    fn check_key(&self, rules: &Rules) -> Result<(), RejectReason> {
        if self.key.len() > rules.limits.max_key { Err(RejectReason::KeyTooLong) } else { Ok(()) }
    }

    fn flatten(&mut self, envelope: &Envelope<'_>, rules: &Rules) -> Result<(), RejectReason> {
        self.fields.clear(rules.profile.keeps_nulls());
        if !self.literal && self.flatten_usual(envelope, rules).is_some() {
            return Ok(());
        }
        self.fields.clear(rules.profile.keeps_nulls());
        literal::flatten(envelope, &rules.limits, &mut self.fields)
    }

    fn flatten_usual(&mut self, envelope: &Envelope<'_>, rules: &Rules) -> Option<()> {
        for (source, raw) in [envelope.context_traits, envelope.traits].into_iter().enumerate() {
            if let Some(raw) = raw.filter(|raw| json::first(raw) == b'{') {
                flatten::flatten(raw, source, &rules.limits, &mut self.value, &mut self.fields)?;
            }
        }
        Some(())
    }
}
