//! Templates of Redis keys: `{prefix}user:{userId}`.

use super::key_places::KeyPlaces;
use super::piece::{Piece, Pieces};

/// Whose keys a template makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyedBy {
    User,
    Group,
}

impl KeyedBy {
    /// `user` or `group`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
        }
    }

    /// The variable that stands for the id.
    pub const fn variable(self) -> &'static str {
        match self {
            Self::User => "{userId}",
            Self::Group => "{groupId}",
        }
    }
}

/// How keys are made: what stands before the id, and what behind it. Before it there is fixed text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTemplate {
    start: Vec<KeyPart>,
    end: Vec<KeyPart>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum KeyPart {
    /// Not empty.
    Text(String),
    /// The prefix and a colon, or nothing where the prefix is empty.
    Prefix,
}

impl Default for KeyTemplate {
    /// The keys of RudderStack.
    fn default() -> Self {
        Self { start: vec![KeyPart::Prefix, KeyPart::Text("user:".into())], end: Vec::new() }
    }
}

impl KeyTemplate {
    /// The template of RudderStack's keys.
    pub const DEFAULT: &str = "{prefix}user:{userId}";

    /// Reads text with `{prefix}` and, exactly once, the id of `by`. `{{` and `}}` are single
    /// braces of the key; within a variable the first `}` ends it.
    ///
    /// # Errors
    /// What is wrong and what to do about it.
    pub fn parse(text: &str, by: KeyedBy) -> Result<Self, String> {
        let id = by.variable();
        let mut ends = [Vec::new(), Vec::new()];
        let mut ids = 0;
        for piece in Pieces(text) {
            let parts = &mut ends[usize::from(ids > 0)];
            match piece? {
                Piece::Text(text) => match parts.last_mut() {
                    Some(KeyPart::Text(before)) => before.push_str(text),
                    _ => parts.push(KeyPart::Text(text.into())),
                },
                Piece::Variable("prefix") => parts.push(KeyPart::Prefix),
                Piece::Variable(name) if id[1..id.len() - 1] == *name => ids += 1,
                Piece::Variable(name) => {
                    return Err(format!(
                        "{{{name}}} is no variable here: known are {{prefix}} and {id}; for a \
                         brace in the key write {{{{ or }}}}"
                    ));
                }
            }
        }
        if ids != 1 {
            let found = if ids == 0 { "is missing" } else { "occurs several times" };
            return Err(format!("{id} {found}: it must be there exactly once"));
        }
        let [start, end] = ends;
        if !start.iter().any(|part| matches!(part, KeyPart::Text(_))) {
            return Err(format!(
                "needs fixed text before {id}, such as \"user:\": without it an id could name any \
                 key"
            ));
        }
        Ok(Self { start, end })
    }

    /// Appends the key of `id`; `prefix` is trimmed, empty: none.
    pub fn push(&self, key: &mut Vec<u8>, prefix: &str, id: &[u8]) {
        self.push_start(key, prefix);
        key.extend_from_slice(id);
        self.push_end(key, prefix);
    }

    /// Appends the key of the id that `push_id` appends. Returns where they stand in `key`, or
    /// `None` when `push_id` returns false.
    pub fn push_with(
        &self,
        key: &mut Vec<u8>,
        prefix: &str,
        push_id: impl FnOnce(&mut Vec<u8>) -> bool,
    ) -> Option<KeyPlaces> {
        let before = push(&self.start, key, prefix);
        let id = key.len();
        if !push_id(key) {
            return None;
        }
        let id_end = key.len();
        let prefix = before.or(push(&self.end, key, prefix)).map(|at| at..at + prefix.len());
        Some(KeyPlaces::new(prefix.unwrap_or_default(), id..id_end))
    }

    /// Appends what stands before the id.
    pub fn push_start(&self, key: &mut Vec<u8>, prefix: &str) {
        push(&self.start, key, prefix);
    }

    /// Appends what stands behind the id.
    pub fn push_end(&self, key: &mut Vec<u8>, prefix: &str) {
        push(&self.end, key, prefix);
    }

    /// What stands before the id, such as `team:user:`: all keys with this prefix begin with it.
    pub fn start(&self, prefix: &str) -> String {
        text(&self.start, prefix)
    }

    /// What stands behind the id.
    pub fn end(&self, prefix: &str) -> String {
        text(&self.end, prefix)
    }

    /// A pattern for the keys with this prefix; `None`: with any but the empty one. `*` stands for
    /// any text, and `literal` makes a pattern of text that stands for itself.
    pub fn pattern(&self, prefix: Option<&str>, literal: impl Fn(&str) -> String) -> String {
        let of = |part: &KeyPart| match (part, prefix) {
            (KeyPart::Text(text), _) => literal(text),
            (KeyPart::Prefix, None) => "*:".to_owned(),
            (KeyPart::Prefix, Some("")) => String::new(),
            (KeyPart::Prefix, Some(prefix)) => literal(prefix) + ":",
        };
        let side = |parts: &[KeyPart]| parts.iter().map(of).collect::<String>();
        format!("{}*{}", side(&self.start), side(&self.end))
    }

    /// Whether keys with different prefixes are different.
    pub fn has_prefix(&self) -> bool {
        self.start.iter().chain(&self.end).any(|part| *part == KeyPart::Prefix)
    }

    /// Whether `key` is the key of some id with this prefix.
    pub fn can_yield(&self, prefix: &str, key: &str) -> bool {
        let rest = key.strip_prefix(&self.start(prefix));
        rest.and_then(|rest| rest.strip_suffix(&self.end(prefix))).is_some_and(|id| !id.is_empty())
    }

    /// Whether `key` is the key of some id with any prefix.
    pub fn can_yield_with_any(&self, key: &str) -> bool {
        // A prefix of the key stands in it, with a colon behind.
        let colons = || key.match_indices(':').map(|(colon, _)| colon);
        let prefixes = colons().flat_map(|colon| {
            key.char_indices()
                .map(move |(at, _)| at)
                .take_while(move |at| *at < colon)
                .map(move |at| &key[at..colon])
        });
        std::iter::once("").chain(prefixes).any(|prefix| self.can_yield(prefix, key))
    }

    /// Whether a key of this template with `prefix` may be one of `other` with `others_prefix`:
    /// ids can be any text.
    pub fn can_meet(&self, prefix: &str, other: &Self, others_prefix: &str) -> bool {
        let (a, b) = (self.start(prefix), other.start(others_prefix));
        let (c, d) = (self.end(prefix), other.end(others_prefix));
        (a.starts_with(&b) || b.starts_with(&a)) && (c.ends_with(&d) || d.ends_with(&c))
    }

    /// The same for one prefix that is not known: true where some prefix could lead to it.
    pub fn can_meet_with_any(&self, other: &Self) -> bool {
        let (a, b) = (letters(&self.start), letters(&other.start));
        let (c, d) = (letters(&self.end), letters(&other.end));
        agree(a.iter().zip(&b)) && agree(c.iter().rev().zip(d.iter().rev()))
    }
}

/// Returns where in `key` the prefix stands first.
fn push(parts: &[KeyPart], key: &mut Vec<u8>, prefix: &str) -> Option<usize> {
    let mut prefix_at = None;
    for part in parts {
        match part {
            KeyPart::Text(text) => key.extend_from_slice(text.as_bytes()),
            KeyPart::Prefix if prefix.is_empty() => {}
            KeyPart::Prefix => {
                prefix_at = prefix_at.or(Some(key.len()));
                key.extend_from_slice(prefix.as_bytes());
                key.push(b':');
            }
        }
    }
    prefix_at
}

fn text(parts: &[KeyPart], prefix: &str) -> String {
    let mut bytes = Vec::new();
    push(parts, &mut bytes, prefix);
    String::from_utf8(bytes).expect("pieces of text")
}

/// The characters of `parts`; `None` stands for the prefix.
fn letters(parts: &[KeyPart]) -> Vec<Option<char>> {
    let of = |part: &KeyPart| match part {
        KeyPart::Text(text) => text.chars().map(Some).collect(),
        KeyPart::Prefix => vec![None],
    };
    parts.iter().flat_map(of).collect()
}

/// Whether some prefix makes the pairs equal, up to where the prefix stands in one of them alone.
fn agree<'a>(mut pairs: impl Iterator<Item = (&'a Option<char>, &'a Option<char>)>) -> bool {
    let different = pairs.find(|(a, b)| a != b);
    different.is_none_or(|(a, b)| a.is_none() || b.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> KeyTemplate {
        KeyTemplate::parse(text, KeyedBy::User).unwrap()
    }

    #[test]
    fn keys_are_made_of_text_prefix_and_id() {
        for (text, prefix, id, key) in [
            ("{prefix}user:{userId}", "", "u1", "user:u1"),
            ("{prefix}user:{userId}", "team a", "u1", "team a:user:u1"),
            ("{prefix}user:{userId}", "p:", "a:{b}", "p::user:a:{b}"),
            ("user:{userId}", "p", "u", "user:u"),
            ("user:{{{userId}}}", "", "u", "user:{u}"),
            ("{{user}}:{userId}:{prefix}v1", "p", "u", "{user}:u:p:v1"),
            ("x{userId}}}}}", "", "u", "xu}}"),
            ("é:{userId}", "", "\u{1f600}", "é:\u{1f600}"),
        ] {
            let mut made = Vec::new();
            template(text).push(&mut made, prefix, id.as_bytes());
            assert_eq!(String::from_utf8(made).unwrap(), key, "{text}");
        }
        assert_eq!(template(KeyTemplate::DEFAULT), KeyTemplate::default());
        assert_eq!(template("a{prefix}b{userId}c").start("p"), "ap:b");
        assert_eq!(template("a{prefix}b{userId}c").end("p"), "c");
        assert!(template("a{userId}{prefix}").has_prefix() && !template("a{userId}").has_prefix());
    }

    #[test]
    fn a_wrong_template_is_refused_with_what_to_do() {
        for (text, error) in [
            ("", "{userId} is missing: it must be there exactly once"),
            ("user:", "{userId} is missing: it must be there exactly once"),
            ("user:{{userId}}", "{userId} is missing: it must be there exactly once"),
            ("a{userId}{userId}", "{userId} occurs several times: it must be there exactly once"),
            (
                "{userId}",
                "needs fixed text before {userId}, such as \"user:\": without it an id could name \
                 any key",
            ),
            (
                "{prefix}{userId}:x",
                "needs fixed text before {userId}, such as \"user:\": without it an id could name \
                 any key",
            ),
            (
                "a{userid}",
                "{userid} is no variable here: known are {prefix} and {userId}; for a brace in the \
                 key write {{ or }}",
            ),
            (
                "a{groupId}",
                "{groupId} is no variable here: known are {prefix} and {userId}; for a brace in \
                 the key write {{ or }}",
            ),
            (
                "a{ userId }",
                "{ userId } is no variable here: known are {prefix} and {userId}; for a brace in \
                 the key write {{ or }}",
            ),
            ("a{userId", "has a single \"{\": for a brace in the key write {{"),
            ("a}{userId}", "has a single \"}\": for a brace in the key write }}"),
            ("a{userId}}", "has a single \"}\": for a brace in the key write }}"),
        ] {
            assert_eq!(KeyTemplate::parse(text, KeyedBy::User).unwrap_err(), error, "{text}");
        }
        assert!(KeyTemplate::parse("group:{groupId}", KeyedBy::Group).is_ok());
        assert!(KeyTemplate::parse("group:{userId}", KeyedBy::Group).is_err());
    }

    #[test]
    fn a_key_may_be_one_of_a_template() {
        for (text, prefix, key, fixed, any) in [
            ("{prefix}user:{userId}", "", "traitsink:suppressed", false, false),
            ("{prefix}user:{userId}", "", "user:suppressed", true, true),
            ("{prefix}user:{userId}", "p", "user:suppressed", false, true),
            ("{prefix}user:{userId}", "p", "p:user:x", true, true),
            ("{prefix}user:{userId}", "p", "q:r:user:x", false, true),
            ("{prefix}user:{userId}", "", "user:", false, false),
            ("t{userId}", "", "traitsink:suppressed", true, true),
            ("t{userId}x", "", "traitsink:suppressed", false, false),
            ("t{userId}:{prefix}x", "b", "ta:b:x", true, true),
            ("t{userId}:{prefix}x", "c", "ta:b:x", false, true),
        ] {
            assert_eq!(template(text).can_yield(prefix, key), fixed, "{text} {prefix} {key}");
            assert_eq!(template(text).can_yield_with_any(key), any, "{text} {key}");
        }
    }

    #[test]
    fn two_templates_may_meet() {
        for (user, prefix, group, others_prefix, fixed, any) in [
            ("{prefix}user:{userId}", "", "{prefix}group:{groupId}", "", false, false),
            ("{prefix}user:{userId}", "", "{prefix}group:{groupId}", "user", true, false),
            ("user:{userId}", "", "user:{groupId}", "", true, true),
            ("u{userId}", "", "us{groupId}", "", true, true),
            ("u{userId}:a", "", "u{groupId}:b", "", false, false),
            ("u{userId}:a", "", "u{groupId}", "", true, true),
            ("{prefix}u:{userId}", "p", "g:{prefix}u:{groupId}", "p", false, true),
            ("a{prefix}{userId}", "p", "b{prefix}{groupId}", "p", false, false),
        ] {
            let group = KeyTemplate::parse(group, KeyedBy::Group).unwrap();
            let user_template = template(user);
            let met = user_template.can_meet(prefix, &group, others_prefix);
            assert_eq!((met, user_template.can_meet_with_any(&group)), (fixed, any), "{user}");
            assert_eq!(group.can_meet(others_prefix, &user_template, prefix), met, "{user}");
        }
    }
}
