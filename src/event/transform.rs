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
    Action, Decision, Origin, RejectReason, Rules, SkipReason, Update, document, flatten,
    integrations, json, literal, trim_js,
};
use crate::profile::{KeyPlaces, Prefix};

/// Bytes that the buffers keep between two events.
const KEEP: usize = 64 << 10;

/// Transforms events one after the other, reusing its buffers.
#[derive(Default)]
pub struct Transformer {
    fields: FieldMap,
    path: Vec<u8>,
    key: Vec<u8>,
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
    /// field is skipped; a key beyond its limit is rejected.
    /// An event in a wrapper, where [`Origin::wrapped`] allows one, is treated as if it came alone.
    pub fn transform(&mut self, rules: &Rules, origin: Origin<'_>, text: &[u8]) -> Decision {
        let decision = self.decide(rules, origin, text);
        // Frees buffers that an unusual event made large.
        self.path.shrink_to(KEEP);
        self.key.shrink_to(KEEP);
        match decision {
            Ok(update) => Decision::Update(update),
            Err(NoUpdate::Skip(reason)) => Decision::Skipped(reason),
            Err(NoUpdate::Reject(reason)) => Decision::Rejected(reason),
        }
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
        let (max_event, bare) = (rules.limits.max_event, Origin { wrapped: false, ..origin });
        let utf8 = std::str::from_utf8(json::without_bom(text));
        if text.len() > max_event {
            // The limit is for the event, not for its wrapper.
            let inner =
                utf8.ok().filter(|_| origin.wrapped).and_then(|text| unwrapped(text, max_event));
            return inner.map_or(Err(RejectReason::TooLarge.into()), |inner| {
                self.decide(rules, bare, &inner)
            });
        }
        let text = utf8.map_err(|_| RejectReason::InvalidUtf8)?;
        let envelope = Envelope::read(text)?;
        if origin.wrapped
            && (envelope.kind.is_none() || envelope.is_cloud_event)
            && let Some(inner) = unwrapped(text, max_event)
        {
            return self.decide(rules, bare, &inner);
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

    /// Decides on the event in `text`, whose parts are in `envelope`; without a `prefix` it says one
    /// that is no text.
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
                (envelope.context_traits, envelope.sources) = (None, None);
                places = places.of_group();
            }
            EventKind::Deletion => return self.deletion(rules, places, event_time(&envelope)),
        }
        if let Some(update) = document::update(rules, &envelope, &mut self.key)? {
            // The key of an entity has other places.
            return Ok(if update.entity().is_some() { update } else { update.placed(places) });
        }
        self.flatten(&envelope, rules)?;
        if self.fields.live() == 0 {
            return Err(SkipReason::NoTraits.into());
        }
        self.check_key(rules)?;
        let removed = std::iter::empty();
        let update = Update::pack(&self.key, self.fields.iter(), removed, event_time(&envelope));
        Ok(update.placed(places))
    }

    /// The deletion of the user whose id is `id` as it stands.
    fn tombstone(
        &mut self,
        rules: &Rules,
        origin: Origin<'_>,
        id: &[u8],
    ) -> Result<Update, NoUpdate> {
        let id = std::str::from_utf8(id).map_err(|_| RejectReason::InvalidUtf8)?;
        self.key.clear();
        let prefix = origin.prefix.default_text();
        let places = rules.keys.user.push_with(&mut self.key, prefix, |key| {
            key.extend_from_slice(id.as_bytes());
            !trim_js(id).is_empty()
        });
        self.deletion(rules, places.ok_or(SkipReason::BlankUserId)?, None)
    }

    /// The deletion of the user of the current key.
    fn deletion(
        &self,
        rules: &Rules,
        places: KeyPlaces,
        event_time: Option<i64>,
    ) -> Result<Update, NoUpdate> {
        self.check_key(rules)?;
        let update = Update::pack(&self.key, std::iter::empty(), std::iter::empty(), event_time);
        Ok(update.doing(Action::Delete).placed(places))
    }

    fn check_key(&self, rules: &Rules) -> Result<(), RejectReason> {
        if self.key.len() > rules.limits.max_key { Err(RejectReason::KeyTooLong) } else { Ok(()) }
    }

    fn flatten(&mut self, envelope: &Envelope<'_>, rules: &Rules) -> Result<(), RejectReason> {
        self.fields.clear();
        if !self.literal && self.flatten_usual(envelope, rules).is_ok() {
            return Ok(());
        }
        self.fields.clear();
        literal::flatten(envelope, &rules.limits, &mut self.fields)
    }

    fn flatten_usual(&mut self, envelope: &Envelope<'_>, rules: &Rules) -> serde_json::Result<()> {
        for (source, raw) in [envelope.context_traits, envelope.traits].into_iter().enumerate() {
            if let Some(raw) = raw.filter(|raw| json::first(raw) == b'{') {
                flatten::flatten(raw, source, &rules.limits, &mut self.path, &mut self.fields)?;
            }
        }
        Ok(())
    }
}
