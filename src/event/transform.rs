//! From an event's text to a decision.

use super::envelope::Envelope;
use super::fields::Fields;
use super::time::event_time;
use super::user_id::push_user_id;
use super::{Decision, Origin, RejectReason, Rules, SkipReason, Update, flatten, integrations, json, literal};

/// Transforms events one after the other, reusing its buffers.
#[derive(Default)]
pub struct Transformer {
    fields: Fields,
    path: Vec<u8>,
    key: Vec<u8>,
    literal: bool,
}

impl Transformer {
    /// One that always takes the path meant for odd events: slow, and what the common path is compared with.
    pub fn literal() -> Self {
        Self { literal: true, ..Self::default() }
    }

    /// Decides on one event, given as JSON text (a leading byte order mark is dropped). The first that applies: unreadable
    /// text is rejected; another type, a destination switched off, a blank `userId` is skipped; traits beyond a limit are
    /// rejected; an event without a field is skipped; a key beyond its limit is rejected.
    pub fn transform(&mut self, rules: &Rules, origin: Origin<'_>, text: &[u8]) -> Decision {
        match self.decide(rules, origin, text) {
            Ok(update) => Decision::Update(update),
            Err(Verdict::Skip(reason)) => Decision::Skipped(reason),
            Err(Verdict::Reject(reason)) => Decision::Rejected(reason),
        }
    }

    fn decide(&mut self, rules: &Rules, origin: Origin<'_>, text: &[u8]) -> Result<Update, Verdict> {
        if text.len() > rules.limits.max_event {
            return Err(RejectReason::TooLarge.into());
        }
        let text = std::str::from_utf8(json::without_bom(text)).map_err(|_| RejectReason::InvalidUtf8)?;
        let envelope = Envelope::read(text)?;
        if !is_identify(&envelope, origin) {
            return Err(SkipReason::NotIdentify.into());
        }
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
fn is_identify(envelope: &Envelope<'_>, origin: Origin<'_>) -> bool {
    match (origin.path_type, envelope.kind) {
        (Some(kind), _) => kind.eq_ignore_ascii_case("identify"),
        (None, Some(raw)) => raw.starts_with('"') && json::decoded(raw).eq_ignore_ascii_case(b"identify"),
        (None, None) => false,
    }
}
