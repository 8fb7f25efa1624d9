//! The permissions that the worker needs on a server. Pure.

use crate::config::Durability;
use crate::redis::command::Forms;

/// The `ACL SETUSER` line with exactly what the worker needs to write as `username` to keys with
/// these `prefixes` (`""`: none), and `commands` besides. To be typed at the prompt of `redis-cli`,
/// with PASSWORD replaced.
pub(in crate::redis) fn minimal_acl(
    username: &str,
    prefixes: &[&str],
    forms: &Forms,
    commands: &[&str],
    durability: Option<Durability>,
) -> String {
    let mut line = format!("ACL SETUSER {username} reset on >PASSWORD");
    for prefix in prefixes {
        let keys = if prefix.is_empty() {
            "~user:*".to_owned()
        } else {
            format!("~{}:user:*", literal(prefix))
        };
        line.push(' ');
        line.push_str(&quoted(keys));
    }
    line.push(' ');
    line.push_str(&forms.acl());
    line.push_str(" +multi +discard +ping +select +info +client|setname +client|info +client|kill");
    if durability.is_some() {
        line.push_str(" +wait");
    }
    for command in commands {
        line.push_str(" +");
        line.push_str(command);
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

    #[test]
    fn acl_line() {
        let minimal_acl =
            |prefixes: &[&str]| minimal_acl("w", prefixes, &Forms::default(), &[], None);
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
}
