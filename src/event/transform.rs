//! Decides on one event, given as text.

use super::envelope::Envelope;
use super::field_map::FieldMap;
use super::key::push_key_start;
use super::time::event_time;
use super::user_id::push_user_id;
use super::wrapper::unwrapped;
use super::{
    Decision, GuardTime, Origin, RejectReason, Rules, SkipReason, Update, flatten, integrations,
    json, literal, ttl,
};

/// Bytes that the buffers keep between two events.
const KEEP: usize = 64 << 10;

/// Transforms events one after the other, reusing its buffers.
#[derive(Default)]
pub struct Transformer {
    fields: FieldMap,
    path: Vec<u8>,
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
    /// rule that applies decides: unreadable text is rejected; an event with no type or another
    /// type, with the destination switched off or with a blank `userId` is skipped; traits beyond a
    /// limit are rejected; an event without a field is skipped; a reserved name of a field, a key
    /// beyond its limit and a bad time to live are rejected.
    /// An event in a wrapper, where [`Origin::wrapped`] allows one, is treated as if it came alone.
    pub fn transform(&mut self, rules: &Rules, origin: Origin<'_>, text: &[u8]) -> Decision {
        self.time = None;
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
        check_type(&envelope, origin)?;
        if !integrations::allow(envelope.integrations, &rules.destination) {
            return Err(SkipReason::IntegrationOff.into());
        }
        self.key.clear();
        push_key_start(&mut self.key, origin.prefix);
        if !envelope.user_id.is_some_and(|raw| push_user_id(&mut self.key, raw)) {
            return Err(SkipReason::BlankUserId.into());
        }
        self.flatten(&envelope, rules)?;
        if self.fields.live() + self.fields.nulls() == 0 {
            return Err(SkipReason::NoTraits.into());
        }
        rules.profile.check_names(&self.fields)?;
        if self.key.len() > rules.limits.max_key {
            return Err(RejectReason::KeyTooLong.into());
        }
        let expiry = ttl::expiry(&rules.profile, text, origin.now)?;
        let (fields, removed) = (self.fields.iter(), self.fields.null_names());
        let update = Update::pack(&self.key, fields, removed, event_time(&envelope))
            .doing(rules.profile.action())
            .expiring(expiry);
        let Some(guard) = &rules.profile.guard else { return Ok(update) };
        let time = GuardTime::of(guard, &envelope, &origin);
        self.time = Some(time);
        Ok(update.guarded(time.ms))
    }

    fn flatten(&mut self, envelope: &Envelope<'_>, rules: &Rules) -> Result<(), RejectReason> {
        self.fields.clear(rules.profile.keeps_nulls());
        if !self.literal && self.flatten_usual(envelope, rules).is_ok() {
            return Ok(());
        }
        self.fields.clear(rules.profile.keeps_nulls());
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

/// Why there is no update.
enum NoUpdate {
    Skip(SkipReason),
    Reject(RejectReason),
}

impl From<SkipReason> for NoUpdate {
    fn from(reason: SkipReason) -> Self {
        Self::Skip(reason)
    }
}

impl From<RejectReason> for NoUpdate {
    fn from(reason: RejectReason) -> Self {
        Self::Reject(reason)
    }
}

/// Skips an event that is not an `identify`. Comparing ASCII letters is enough: no other character
/// has these letters as its lower case.
fn check_type(envelope: &Envelope<'_>, origin: Origin<'_>) -> Result<(), SkipReason> {
    let is_identify = match (origin.path_type, envelope.kind) {
        (Some(kind), _) => kind.eq_ignore_ascii_case("identify"),
        (None, None | Some("null" | "\"\"")) => return Err(SkipReason::NoType),
        (None, Some(raw)) => {
            raw.starts_with('"') && json::decoded(raw).eq_ignore_ascii_case(b"identify")
        }
    };
    if is_identify { Ok(()) } else { Err(SkipReason::NotIdentify) }
}
