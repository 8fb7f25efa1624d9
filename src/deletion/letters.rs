//! Which dead letters are about deleted users. Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use serde_json::value::RawValue;

use crate::dead_letter::{LetterContent, LetterOwner};
use crate::event::{events_of, user_id_text};

/// Members in which events are wrapped.
const WRAPPERS: [&str; 5] = ["message", "payload", "data", "value", "after"];
/// How many wrappers are opened, one in the other.
const DEEPEST: usize = 3;

/// The users whose letters are removed.
pub(super) struct LetterSearch {
    /// The texts of their ids.
    pub(super) users: HashSet<String>,
    /// Their keys, for letters whose events say no user.
    pub(super) keys: HashSet<Vec<u8>>,
    /// Only letters with these prefixes; `None`: all.
    pub(super) prefixes: Option<Vec<String>>,
}

impl LetterSearch {
    /// Whose letter the text of a line is.
    pub(super) fn owner(&self, line: &[u8]) -> LetterOwner {
        let Some(letter) = LetterContent::of(line) else { return self.unreadable(line) };
        if let (Some(prefixes), Some(prefix)) = (&self.prefixes, letter.prefix.as_deref())
            && !prefixes.iter().any(|known| known == prefix)
        {
            return LetterOwner::Other;
        }
        if letter.key.as_ref().is_some_and(|key| self.keys.contains(key.as_bytes())) {
            return LetterOwner::Removed;
        }
        self.event(&letter.event())
    }

    /// Whose the events of a letter are. It goes only if none of them is about somebody else.
    fn event(&self, text: &[u8]) -> LetterOwner {
        let (mut removed, mut unclear, mut other) = (0, 0, 0);
        let mut events = events_of(text);
        while let Some(range) = events.next(text) {
            let event = &text[range];
            match std::str::from_utf8(event).ok().and_then(|event| user_of(event, DEEPEST)) {
                Some(user) if self.users.contains(&user) => removed += 1,
                Some(_) => other += 1,
                None if self.unreadable(event) == LetterOwner::Unclear => unclear += 1,
                None => other += 1,
            }
        }
        match (removed, unclear, other) {
            (0, 0, _) => LetterOwner::Other,
            (1.., 0, 0) => LetterOwner::Removed,
            _ => LetterOwner::Unclear,
        }
    }

    /// A text that cannot be read may be about a user whose id it quotes.
    fn unreadable(&self, text: &[u8]) -> LetterOwner {
        let quoted = text.split(|byte| *byte == b'"').filter_map(|part| {
            // In a letter that was cut off, the quotes of its event are escaped.
            std::str::from_utf8(part.strip_suffix(b"\\").unwrap_or(part)).ok()
        });
        if quoted.into_iter().any(|part| self.users.contains(part)) {
            LetterOwner::Unclear
        } else {
            LetterOwner::Other
        }
    }
}

/// The user of an event, also of one in a wrapper; `None`: it cannot be read, or names none.
fn user_of(event: &str, depth: usize) -> Option<String> {
    let event = event.strip_prefix('\u{feff}').unwrap_or(event);
    let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(event).ok()?;
    if let Some(user) = members.get("userId") {
        return user_id_text(user.get());
    }
    if depth == 0 || members.contains_key("type") && !members.contains_key("specversion") {
        return None;
    }
    WRAPPERS.iter().find_map(|name| {
        let inner = members.get(*name)?.get();
        if inner.starts_with('"') {
            user_of(&serde_json::from_str::<String>(inner).ok()?, depth - 1)
        } else {
            user_of(inner, depth - 1)
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn search() -> LetterSearch {
        LetterSearch {
            users: ["u1", "7", "a:b"].map(str::to_owned).into(),
            keys: HashSet::from([b"user:u1".to_vec()]),
            prefixes: None,
        }
    }

    fn line(key: Option<&str>, event: &str) -> Vec<u8> {
        let mut line = json!({"at": "2026-01-01T00:00:00Z", "reason": "refused", "event": event});
        if let Some(key) = key {
            line["key"] = key.into();
        }
        line.to_string().into_bytes()
    }

    #[test]
    fn whose_letter_it_is() {
        use LetterOwner::{Other, Removed, Unclear};
        for (event, owner) in [
            (r#"{"type":"identify","userId":"u1","traits":{"a":1}}"#, Removed),
            (r#"{"type":"identify","userId":7}"#, Removed),
            (r#"{"type":"identify","userId":"a:b"}"#, Removed),
            (r#"{"userId":"u2","userId":"u1"}"#, Removed),
            (r#"{"userId":"u2","traits":{"userId":"u1"}}"#, Other),
            (r#"{"type":"track","event":"u1","anonymousId":"u1"}"#, Unclear),
            (r#"{"userId":"u11"}"#, Other),
            (r#"{"userId":null}"#, Other),
            (r#"{"message":{"type":"identify","userId":"u1"}}"#, Removed),
            (r#"{"payload":"{\"userId\":\"u1\"}"}"#, Removed),
            (r#"{"specversion":"1.0","type":"x","data":{"userId":"u1"}}"#, Removed),
            (r#"[{"userId":"u1"},{"userId":7}]"#, Removed),
            (r#"[{"userId":"u1"},{"userId":"u2"}]"#, Unclear),
            (r#"{"userId":"u1","traits":{"a":NaN}}"#, Unclear),
            (r#"{"userId":"u2","traits":{"a":NaN}}"#, Other),
            ("u1", Unclear),
            ("", Other),
        ] {
            assert_eq!(search().owner(&line(None, event)), owner, "{event}");
        }
        assert_eq!(search().owner(&line(Some("user:u1"), "")), Removed);
        assert_eq!(search().owner(&line(Some("user:u2"), "")), Other);
        let whole = line(Some("user:u9"), r#"{"userId":"u1","traits":{}}"#);
        assert_eq!(search().owner(&whole[..whole.len() - 6]), Unclear, "a line that was cut off");
        assert_eq!(search().owner(b"\xff\"u1\"\xff"), Unclear);
    }

    #[test]
    fn letters_of_other_prefixes_stay() {
        let search = LetterSearch { prefixes: Some(vec!["team".into()]), ..search() };
        for (prefix, owner) in [
            (Some("team"), LetterOwner::Removed),
            (Some(""), LetterOwner::Other),
            (None, LetterOwner::Removed),
        ] {
            let line = json!({"prefix": prefix, "event": r#"{"userId":"u1"}"#}).to_string();
            assert_eq!(search.owner(line.as_bytes()), owner, "{prefix:?}");
        }
    }
}
