//! A decision as JSON: the line that `explain` prints, and that a tap shows.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::document::ShownDocument;
use super::guard_time::GuardTime;
use super::profile_rules::ProfileRules;
use super::{Action, Decision, Update, explained_profile};

/// What stands in place of a key or value that is not shown.
const HIDDEN: &str = "***";

/// Serializes a decision as `{"key":..,"fields":{..}}` with fields in write order (or
/// `{"key":..,"document":{..}}` where profiles are JSON documents), `{"delete":[KEY]}`,
/// `{"skipped":REASON}` or `{"rejected":REASON}`. Bytes that are no UTF-8 become `U+FFFD`. Where
/// the rules of a profile say more than to set fields, an update has entries for that, too.
#[derive(Clone, Copy)]
pub struct Explanation<'a> {
    decision: &'a Decision,
    profile: Option<&'a ProfileRules>,
    time: Option<GuardTime>,
    redacted: bool,
    max_bytes: usize,
}

impl<'a> Explanation<'a> {
    /// Everything.
    pub fn new(decision: &'a Decision) -> Self {
        let (redacted, max_bytes) = (false, usize::MAX);
        Self { decision, profile: None, time: None, redacted, max_bytes }
    }

    /// With what the rules of `profile`, by which it was decided, say about the update; `time` is
    /// [`super::Transformer::time`].
    pub fn of_profile(self, profile: &'a ProfileRules, time: Option<GuardTime>) -> Self {
        Self { profile: Some(profile), time, ..self }
    }

    /// What is explained.
    pub fn decision(&self) -> &'a Decision {
        self.decision
    }

    /// With `***` for the key and every value.
    pub fn redacted(self) -> Self {
        Self { redacted: true, ..self }
    }

    /// With as many fields as have `max_bytes` of names and values together, and an entry
    /// `fields_left_out` with the number of the others. In place of a longer document there is an
    /// entry `document_left_out` with its bytes.
    pub fn at_most(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }

    /// What the rules of the profile say about `update`, of which `count` fields are shown; `room`:
    /// for names of removed fields.
    fn serialize_profile<M: SerializeMap>(
        &self,
        map: &mut M,
        update: &Update,
        count: usize,
        room: usize,
    ) -> Result<(), M::Error> {
        let Some(profile) = self.profile else { return Ok(()) };
        explained_profile::serialize(map, update, profile, self.time, count, room)
    }

    /// `text` if it is shown.
    fn visible<'b>(&self, text: &'b [u8]) -> &'b [u8] {
        if self.redacted { HIDDEN.as_bytes() } else { text }
    }
}

impl Serialize for Explanation<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.decision {
            Decision::Update(update) if update.action() == Action::Delete => {
                map.serialize_entry(
                    "delete",
                    &[String::from_utf8_lossy(self.visible(update.key()))],
                )?;
                self.serialize_profile(&mut map, update, 0, 0)?;
            }
            Decision::Update(update) => {
                map.serialize_entry("key", &String::from_utf8_lossy(self.visible(update.key())))?;
                if let Some(text) = update.document() {
                    if text.len() > self.max_bytes {
                        map.serialize_entry("document_left_out", &text.len())?;
                    } else {
                        let hidden = self.redacted.then_some(HIDDEN);
                        map.serialize_entry("document", &ShownDocument { text, hidden })?;
                    }
                    self.serialize_profile(&mut map, update, 0, 0)?;
                    return map.end();
                }
                let shown = ExplainedFields::of(self, update);
                map.serialize_entry("fields", &shown)?;
                let left_out = update.field_count() as usize - shown.count;
                if left_out > 0 {
                    map.serialize_entry("fields_left_out", &left_out)?;
                }
                self.serialize_profile(&mut map, update, shown.count, shown.room)?;
            }
            Decision::Skipped(reason) => map.serialize_entry("skipped", reason.as_str())?,
            Decision::Rejected(reason) => map.serialize_entry("rejected", reason.as_str())?,
        }
        map.end()
    }
}

/// The first `count` fields of an update.
struct ExplainedFields<'a> {
    explanation: &'a Explanation<'a>,
    update: &'a Update,
    count: usize,
    /// Bytes for names and values that are left.
    room: usize,
}

impl<'a> ExplainedFields<'a> {
    fn of(explanation: &'a Explanation<'a>, update: &'a Update) -> Self {
        let mut room = explanation.max_bytes;
        let fits = |(name, value): &(&[u8], &[u8])| {
            let left = room.checked_sub(name.len() + explanation.visible(value).len());
            room = left.unwrap_or(room);
            left.is_some()
        };
        let count = update.fields().take_while(fits).count();
        Self { explanation, update, count, room }
    }
}

impl Serialize for ExplainedFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = |(name, value)| {
            let value = self.explanation.visible(value);
            (String::from_utf8_lossy(name), String::from_utf8_lossy(value))
        };
        serializer.collect_map(self.update.fields().take(self.count).map(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Action, Expiry, SkipReason, TimeFrom};
    use crate::profile::FieldTtl;

    fn json(explanation: &Explanation<'_>) -> String {
        serde_json::to_string(explanation).unwrap()
    }

    #[test]
    fn keys_and_values_can_be_hidden_and_large_updates_cut() {
        let fields: [(&[u8], &[u8]); 2] = [(b"plan", b"free"), (b"long", &[b'x'; 1000])];
        let decision = Decision::Update(Update::pack(
            b"user:u1",
            fields.into_iter(),
            std::iter::empty(),
            None,
        ));
        let (no_fields, removed) = (std::iter::empty(), std::iter::empty());
        let deletion = Update::pack(b"user:u1", no_fields, removed, None).doing(Action::Delete);
        let deletion = Decision::Update(deletion);
        let all = json(&Explanation::new(&decision));
        assert!(all.starts_with(r#"{"key":"user:u1","fields":{"plan":"free","long":"xx"#), "{all}");
        for (explanation, line) in [
            (
                Explanation::new(&decision).redacted(),
                r#"{"key":"***","fields":{"plan":"***","long":"***"}}"#,
            ),
            (
                Explanation::new(&decision).at_most(1000),
                r#"{"key":"user:u1","fields":{"plan":"free"},"fields_left_out":1}"#,
            ),
            (
                Explanation::new(&decision).at_most(0).redacted(),
                r#"{"key":"***","fields":{},"fields_left_out":2}"#,
            ),
            (Explanation::new(&deletion), r#"{"delete":["user:u1"]}"#),
            (Explanation::new(&deletion).redacted(), r#"{"delete":["***"]}"#),
            (
                Explanation::new(&Decision::Skipped(SkipReason::NoType)).redacted(),
                r#"{"skipped":"no_type"}"#,
            ),
        ] {
            assert_eq!(json(&explanation), line);
        }
    }

    #[test]
    fn a_document_is_shown_as_it_is_with_its_values_hidden_or_not_at_all() {
        let text = r#"{"a":{"b":[1,{"c":2}],"é":null},"d":{}}"#;
        let update = Update::pack_document(b"user:u1", text.as_bytes(), std::iter::empty(), None)
            .doing(Action::ReplaceDocument);
        let decision = Decision::Update(update);
        let hidden = r#"{"key":"***","document":{"a":{"b":"***","é":"***"},"d":{}}}"#;
        for (explanation, line) in [
            (Explanation::new(&decision), format!(r#"{{"key":"user:u1","document":{text}}}"#)),
            (Explanation::new(&decision).redacted(), hidden.to_owned()),
            (
                Explanation::new(&decision).at_most(text.len() - 1),
                format!(r#"{{"key":"user:u1","document_left_out":{}}}"#, text.len()),
            ),
        ] {
            assert_eq!(json(&explanation), line);
        }
    }

    #[test]
    fn the_rules_of_a_profile_add_entries_to_documents_and_deletions() {
        let profile = ProfileRules::default();
        let explained = |update: Update, time| {
            let decision = Decision::Update(update);
            json(&Explanation::new(&decision).of_profile(&profile, time))
        };
        let document = Update::pack_document(b"k", b"{}", std::iter::empty(), None)
            .doing(Action::ReplaceDocument)
            .expiring(Some(Expiry::After(60_000)));
        let line = r#"{"key":"k","document":{},"replace":true,"ttl":60}"#;
        assert_eq!(explained(document, None), line);
        let time = Some(GuardTime { ms: 0, from: TimeFrom::Arrival, clamped: false });
        let deletion = Update::pack(b"k", std::iter::empty(), std::iter::empty(), None)
            .doing(Action::Delete)
            .guarded(0);
        let line = r#"{"delete":["k"],"time":"1970-01-01T00:00:00.000Z","time_from":"arrival"}"#;
        assert_eq!(explained(deletion, time), line);
    }

    #[test]
    fn the_rules_of_a_profile_add_entries() {
        let fields: [(&[u8], &[u8]); 2] = [(b"s.a", b"1"), (b"b", b"2")];
        let removed: [&[u8]; 2] = [b"go", b"away"];
        let update = Update::pack(b"k", fields.into_iter(), removed.into_iter(), None);
        let update = update.guarded(1_700_000_000_123).expiring(Some(Expiry::After(1500)));
        let decision = Decision::Update(update);
        let field_ttl =
            vec![FieldTtl { pattern: "s.*".into(), ttl: std::time::Duration::from_secs(60) }];
        let profile = ProfileRules { field_ttl, ..ProfileRules::default() };
        let (from, clamped) = (TimeFrom::Timestamp, true);
        let time = Some(GuardTime { ms: 1_700_000_000_123, from, clamped });
        let explanation = Explanation::new(&decision).of_profile(&profile, time);
        let end = concat!(
            r#""field_ttl":{"s.a":60},"time":"2023-11-14T22:13:20.123Z","#,
            r#""time_from":"timestamp","clamped":true}"#
        );
        let all = r#"{"key":"k","fields":{"s.a":"1","b":"2"},"deleted":["go","away"],"ttl":1.5,"#;
        assert_eq!(json(&explanation), format!("{all}{end}"));
        let cut = concat!(
            r#"{"key":"***","fields":{"s.a":"***"},"fields_left_out":1,"#,
            r#""deleted":["go"],"deleted_left_out":1,"ttl":1.5,"#
        );
        assert_eq!(json(&explanation.at_most(9).redacted()), format!("{cut}{end}"));
    }
}
