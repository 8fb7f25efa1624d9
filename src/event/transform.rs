//! From an event's text to a decision.

use super::envelope::Envelope;
use super::fields::Fields;
use super::time::event_time;
use super::user_id::push_user_id;
use super::wrapper::unwrapped;
use super::{
    Decision, Origin, RejectReason, Rules, SkipReason, Update, flatten, integrations, json, literal,
};

/// Bytes that the buffers keep between two events.
const KEEP: usize = 64 << 10;

/// Transforms events one after the other, reusing its buffers.
#[derive(Default)]
pub struct Transformer {
    fields: Fields,
    path: Vec<u8>,
    key: Vec<u8>,
    literal: bool,
}

impl Transformer {
    /// One that always takes the path meant for odd events: slow, and what the common path is
    /// compared with.
    pub fn literal() -> Self {
        Self { literal: true, ..Self::default() }
    }

    /// Decides on one event, given as JSON text (a leading byte order mark is dropped). The first
    /// that applies: unreadable text is rejected; no or another type, a destination switched off, a
    /// blank `userId` is skipped; traits beyond a limit are rejected; an event without a field is
    /// skipped; a key beyond its limit is rejected. An event in a wrapper, where there may be one,
    /// is decided on as if it came alone.
    pub fn transform(&mut self, rules: &Rules, origin: Origin<'_>, text: &[u8]) -> Decision {
        let decision = self.decide(rules, origin, text);
        // Buffers that an odd event stretched are given back.
        self.path.shrink_to(KEEP);
        self.key.shrink_to(KEEP);
        match decision {
            Ok(update) => Decision::Update(update),
            Err(Verdict::Skip(reason)) => Decision::Skipped(reason),
            Err(Verdict::Reject(reason)) => Decision::Rejected(reason),
        }
    }

    fn decide(
        &mut self,
        rules: &Rules,
        origin: Origin<'_>,
        text: &[u8],
    ) -> Result<Update, Verdict> {
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
        if !origin.prefix.is_empty() {
            self.key.extend_from_slice(origin.prefix.as_bytes());
            self.key.push(b':');
        }
        self.key.extend_from_slice(b"user:");
        if !envelope.user_id.is_some_and(|raw| push_user_id(&mut self.key, raw)) {
            return Err(SkipReason::BlankUserId.into());
        }
        self.flatten(&envelope, rules)?;
        if self.fields.live() == 0 {
            return Err(SkipReason::NoTraits.into());
        }
        if self.key.len() > rules.limits.max_key {
            return Err(RejectReason::KeyTooLong.into());
        }
        Ok(Update::pack(&self.key, self.fields.iter(), event_time(&envelope)))
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

/// Why there is no update.
enum Verdict {
    Skip(SkipReason),
    Reject(RejectReason),
}

impl From<SkipReason> for Verdict {
    fn from(reason: SkipReason) -> Self {
        Self::Skip(reason)
    }
}

impl From<RejectReason> for Verdict {
    fn from(reason: RejectReason) -> Self {
        Self::Reject(reason)
    }
}

/// Folding ASCII is enough: no other character lower-cases into these letters.
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
