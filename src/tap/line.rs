//! A decision as a line of JSON. Pure.

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use crate::config::{TapMode, UserIds};
use crate::event::{Decision, Explanation};
use crate::outcome::Source;

/// Bytes of names and values in one line, at most.
const MAX_FIELDS: usize = 16 << 10;

/// `{"at":..,"source":..,"user":..,..}` and the line of `explain`. `user` is the hash of the Redis
/// key, as in the log; only an update has one.
#[derive(Serialize)]
struct TapLine<'a> {
    /// RFC 3339.
    at: Timestamp,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(flatten)]
    explanation: Explanation<'a>,
}

/// The line for one decision, with its line end.
pub(super) fn line(
    at: Timestamp,
    source: Source,
    explanation: Explanation<'_>,
    mode: TapMode,
) -> Bytes {
    let explanation = explanation.at_most(MAX_FIELDS);
    let explanation =
        if mode == TapMode::Full { explanation } else { Explanation::redacted(explanation) };
    let user = match explanation.decision() {
        Decision::Update(update) => Some(UserIds::Hashed.show(update.key()).to_string()),
        Decision::Skipped(_) | Decision::Rejected(_) => None,
    };
    let line = TapLine { at, source: source.as_str(), user, explanation };
    let mut text = serde_json::to_vec(&line).expect("texts and numbers are valid JSON");
    text.push(b'\n');
    text.into()
}

/// The line that tells how many decisions were not shown.
pub(super) fn dropped_line(count: u64) -> Bytes {
    format!("{{\"dropped\":{count}}}\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{RejectReason, Update};

    #[test]
    fn only_a_full_tap_shows_keys_and_values() {
        let at = "2026-11-28T10:00:00Z".parse().unwrap();
        let shown = |decision: &Decision, mode| {
            let explanation = Explanation::new(decision);
            let line = line(at, Source::Http, explanation, mode);
            String::from_utf8(line.to_vec()).unwrap()
        };
        let field: (&[u8], &[u8]) = (b"plan", b"free");
        let (fields, removed) = (std::iter::once(field), std::iter::empty());
        let update = Decision::Update(Update::pack(b"user:u1", fields, removed, None));
        // printf user:u1 | sha256sum
        let begin = r#"{"at":"2026-11-28T10:00:00Z","source":"http","user":"6daf61bb15aa1c6e","#;
        assert_eq!(
            shown(&update, TapMode::Redacted),
            format!("{begin}\"key\":\"***\",\"fields\":{{\"plan\":\"***\"}}}}\n")
        );
        assert_eq!(
            shown(&update, TapMode::Full),
            format!("{begin}\"key\":\"user:u1\",\"fields\":{{\"plan\":\"free\"}}}}\n")
        );
        assert_eq!(
            shown(&Decision::Rejected(RejectReason::TooDeep), TapMode::Full),
            "{\"at\":\"2026-11-28T10:00:00Z\",\"source\":\"http\",\"rejected\":\"too_deep\"}\n"
        );
    }
}
