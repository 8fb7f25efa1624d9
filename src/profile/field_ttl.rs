//! Expiry of single fields.

use std::time::Duration;

/// A TTL for the fields whose names match a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldTtl {
    /// The whole name of a field; `*` stands for any characters, also for none and for dots. Not
    /// empty.
    pub pattern: String,
    /// At least a millisecond.
    pub ttl: Duration,
}

impl FieldTtl {
    /// The TTL of `field` in milliseconds, by the first of `rules` that matches; `None`: it has
    /// none.
    pub fn of_field(rules: &[Self], field: &[u8]) -> Option<u64> {
        let rule = rules.iter().find(|rule| rule.matches(field))?;
        Some(u64::try_from(rule.ttl.as_millis()).unwrap_or(u64::MAX))
    }

    /// Whether `field` has this TTL.
    pub fn matches(&self, field: &[u8]) -> bool {
        let mut texts = self.pattern.as_bytes().split(|byte| *byte == b'*');
        let first = texts.next().unwrap_or_default();
        let Some(last) = texts.next_back() else { return field == first };
        let Some(mut rest) = field.strip_prefix(first).and_then(|rest| rest.strip_suffix(last))
        else {
            return false;
        };
        // The earliest place for each text leaves the most for the next ones.
        texts.filter(|text| !text.is_empty()).all(|text| {
            let place = rest.windows(text.len()).position(|window| window == text);
            if let Some(place) = place {
                rest = &rest[place + text.len()..];
            }
            place.is_some()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_characters() {
        for (pattern, field, matches) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a", "", false),
            ("session.*", "session.a", true),
            ("session.*", "session.a.b", true),
            ("session.*", "session.", true),
            ("session.*", "session", false),
            ("*", "", true),
            ("*", "a.b", true),
            ("*.at", "a.b.at", true),
            ("*.at", "at", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a.b.b.c", true),
            ("a*b*c", "a.c.b", false),
            ("a**c", "abc", true),
            ("*ab*ab*", "abab", true),
            ("*ab*ab*", "aba", false),
            ("a.b", "aXb", false),
            ("é*", "é\u{1f600}", true),
        ] {
            let rule = FieldTtl { pattern: pattern.into(), ttl: Duration::from_secs(1) };
            assert_eq!(rule.matches(field.as_bytes()), matches, "{pattern} {field}");
        }
        let rule = FieldTtl { pattern: "a*".into(), ttl: Duration::from_secs(1) };
        assert!(rule.matches(b"a\xff\xfe"));
    }
}
