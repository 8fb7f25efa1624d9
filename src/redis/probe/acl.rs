//! The permissions that the worker needs on a server. Pure.

use crate::config::Durability;
use crate::profile::{Entities, KeyTemplate};
use crate::redis::command::Forms;

/// The commands for the hash that workers share.
pub(in crate::redis) const SHARED_HASH_COMMANDS: &[&str] =
    &["hget", "hlen", "hmget", "hscan", "hset"];

/// The pattern of the keys of `template` with this prefix; `""`: with none; `None`: with any.
pub fn key_pattern(template: &KeyTemplate, prefix: Option<&str>) -> String {
    template.pattern(prefix, literal)
}

/// The pattern of one key.
pub fn one_key(key: &str) -> String {
    literal(key)
}

/// The pattern of the keys of entities.
pub fn entity_pattern(entities: &Entities) -> String {
    format!("{}*", literal(&entities.key_start()))
}

/// The `ACL SETUSER` line with exactly what the worker needs to write as `username` to keys of
/// these patterns ([`key_pattern`]), and `commands` besides. To be typed at the prompt of
/// `redis-cli`, with PASSWORD replaced.
pub(in crate::redis) fn minimal_acl(
    username: &str,
    keys: &[String],
    forms: &Forms,
    commands: &[&str],
    durability: Option<Durability>,
) -> String {
    let mut line = format!("ACL SETUSER {username} reset on >PASSWORD");
    for pattern in keys {
        line.push(' ');
        line.push_str(&quoted(format!("~{pattern}")));
    }
    line.push(' ');
    line.push_str(&forms.acl());
    let known = line.clone();
    line.push_str(" +multi +discard +ping +select +info +client|setname +client|info +client|kill");
    if durability.is_some() {
        line.push_str(" +wait");
    }
    for permission in commands.iter().map(|command| format!(" +{command}")) {
        // A script may need what is asked for besides.
        if !known.split(' ').any(|word| word == permission.trim_start()) {
            line.push_str(&permission);
        }
    }
    line
}

/// A glob pattern for `text` itself. A pattern may not hold a space: `?` stands for any one byte.
fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '*' | '?' | '[' | ']' | '\\' => pattern.extend(['\\', c]),
            _ if c.is_ascii_whitespace() || c.is_ascii_control() => pattern.push('?'),
            _ => pattern.push(c),
        }
    }
    pattern
}

/// A word as redis-cli reads it: outside quotes only quotes are special.
fn quoted(word: String) -> String {
    if !word.contains(['"', '\'']) {
        return word;
    }
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::KeyedBy;

    #[test]
    fn acl_line() {
        let minimal_acl = |prefixes: &[&str]| {
            let pattern = |prefix: &&str| key_pattern(&KeyTemplate::default(), Some(prefix));
            let keys: Vec<String> = prefixes.iter().map(pattern).collect();
            minimal_acl("w", &keys, &Forms::default(), &[], None)
        };
        let tail =
            " +hset +multi +discard +ping +select +info +client|setname +client|info +client|kill";
        assert_eq!(minimal_acl(&[""]), format!("ACL SETUSER w reset on >PASSWORD ~user:*{tail}"));
        assert_eq!(
            minimal_acl(&["a", "b"]),
            format!("ACL SETUSER w reset on >PASSWORD ~a:user:* ~b:user:*{tail}")
        );
        assert_eq!(
            minimal_acl(&["a *"]),
            format!(r"ACL SETUSER w reset on >PASSWORD ~a?\*:user:*{tail}")
        );
        assert_eq!(
            minimal_acl(&["\"*"]),
            format!(r#"ACL SETUSER w reset on >PASSWORD "~\"\\*:user:*"{tail}"#)
        );
    }

    #[test]
    fn patterns_of_keys() {
        for (template, prefix, pattern) in [
            ("{prefix}user:{userId}", Some(""), "user:*"),
            ("{prefix}user:{userId}", Some("a*"), r"a\*:user:*"),
            ("{prefix}user:{userId}", None, "*:user:*"),
            ("user:{{{userId}}}", Some(""), "user:{*}"),
            ("u[{userId}:{prefix}*", Some("p q"), r"u\[*:p?q:\*"),
            ("u{userId}:{prefix}", None, "u*:*:"),
        ] {
            let template = KeyTemplate::parse(template, KeyedBy::User).unwrap();
            assert_eq!(key_pattern(&template, prefix), pattern);
        }
    }
}
