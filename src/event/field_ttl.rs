//! When fields end: by patterns of their names. Pure.

/// The fields that match a pattern end some time after each of their writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldTtl {
    /// Matches a whole flattened path; each `*` stands for any number of any characters, dots too.
    pub pattern: String,
    /// Milliseconds from a write of the field on.
    pub ttl: u64,
}

impl FieldTtl {
    /// Whether this rule is for the field of this name.
    pub fn matches(&self, name: &[u8]) -> bool {
        matches(self.pattern.as_bytes(), name)
    }

    /// Milliseconds until the field of this `name` ends, by the first of `rules` that matches;
    /// `None`: it has no end of its own.
    pub fn of_field(rules: &[Self], name: &[u8]) -> Option<u64> {
        rules.iter().find(|rule| rule.matches(name)).map(|rule| rule.ttl)
    }
}

/// Takes time in proportion to the product of both lengths, at most.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    // Behind the last `*`, and how much of the name that `*` stands for so far.
    let mut star = None;
    while read < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                star = Some((at, read));
            }
            Some(byte) if *byte == name[read] => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((behind, taken)) = star else { return false };
                (at, read) = (behind, taken + 1);
                star = Some((behind, read));
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_characters_and_the_whole_name_must_match() {
        for (pattern, matching, other) in [
            ("a", vec!["a"], vec!["", "aa", "a.b", "A"]),
            (
                "session.*",
                vec!["session.", "session.a", "session.a.b"],
                vec!["session", "xsession.a"],
            ),
            ("*", vec!["", "a", "a.b", "*"], vec![]),
            ("", vec![""], vec!["a"]),
            ("*.at", vec![".at", "a.at", "a.b.at", "x.at.at"], vec!["at", "a.at.b", "a.ats"]),
            ("a*b*c", vec!["abc", "a.b.c", "abbcbc", "aXbYbZc"], vec!["ab", "acb", "abcd"]),
            ("**a**", vec!["a", "bab"], vec!["", "b"]),
            ("é*", vec!["é", "éa"], vec!["e"]),
            ("a*a", vec!["aa", "aXa"], vec!["a"]),
        ] {
            let rule = FieldTtl { pattern: pattern.into(), ttl: 1 };
            for name in matching {
                assert!(rule.matches(name.as_bytes()), "{pattern} {name}");
            }
            for name in other {
                assert!(!rule.matches(name.as_bytes()), "{pattern} {name}");
            }
        }
        let slow = FieldTtl { pattern: "*a".repeat(400) + "b", ttl: 1 };
        assert!(!slow.matches("a".repeat(1000).as_bytes()));
    }

    #[test]
    fn the_first_rule_that_matches_counts() {
        let rule = |pattern: &str, ttl| FieldTtl { pattern: pattern.into(), ttl };
        let rules = [rule("s.keep", 9), rule("s.*", 5), rule("*", 1)];
        for (name, ttl) in [("s.keep", 9), ("s.other", 5), ("x", 1)] {
            assert_eq!(FieldTtl::of_field(&rules, name.as_bytes()), Some(ttl), "{name}");
        }
        assert_eq!(FieldTtl::of_field(&rules[..2], b"x"), None);
    }
}
