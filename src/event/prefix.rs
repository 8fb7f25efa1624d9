//! Prefixes of Redis keys.

use std::fmt;
use std::sync::Arc;

use super::trim_js;

/// What begins a template.
const OPEN: &str = "{{";

/// What stands before the rest of a key, and how an event may choose it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prefix {
    /// The same for all events, trimmed as JavaScript trims; empty: none.
    Fixed(String),
    /// What the event says, `{{ event.path || default }}`.
    Dynamic {
        /// Where the event says it: the names from the event down, at least one. What is found
        /// there is no part of the profile.
        path: Arc<[String]>,
        /// For events that do not say it: trimmed, without quotes; empty: none.
        default: String,
    },
}

impl Prefix {
    /// No prefix.
    pub const NONE: Self = Self::Fixed(String::new());

    /// The prefix `text` itself, trimmed, even if it looks like a template.
    pub fn fixed(text: &str) -> Self {
        Self::Fixed(trim_js(text).to_owned())
    }

    /// Reads a fixed prefix, or `{{ event.path || default }}`, as RudderStack reads them.
    ///
    /// # Errors
    /// There is a `{{` and it is no such template: how to write one.
    pub fn parse(typed: &str) -> Result<Self, String> {
        let text = trim_js(typed);
        if !text.contains(OPEN) {
            return Ok(Self::fixed(text));
        }
        let inner = text.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix("}}"));
        let (path, default) = inner.and_then(|inner| inner.split_once("||")).ok_or(
            "\"{{\" starts a template: write it as the whole text, with a default, such as \
             \"{{ event.context.tenant || none }}\"",
        )?;
        let path = trim_js(path).strip_prefix("event.").and_then(names).ok_or(
            "its path must be \"event.\" and names of letters, digits and \"_\", separated by \
             dots, such as \"{{ event.context.tenant || none }}\"",
        )?;
        Ok(Self::Dynamic { path, default: trim_js(&default.replace('"', "")).to_owned() })
    }

    /// The prefix of a dead letter: `text` is the one that the event had, `path` is
    /// [`Prefix::path_text`] of its source's. The event still holds what was found there, and must
    /// be read as before.
    pub fn of_letter(text: &str, path: Option<&str>) -> Self {
        match path.and_then(names) {
            Some(path) => Self::Dynamic { path, default: trim_js(text).to_owned() },
            None => Self::fixed(text),
        }
    }

    /// The prefix of events that do not say any.
    pub fn default_text(&self) -> &str {
        match self {
            Self::Fixed(text) | Self::Dynamic { default: text, .. } => text,
        }
    }

    /// Where events say their prefix; `None`: they cannot.
    pub fn path(&self) -> Option<&[String]> {
        match self {
            Self::Fixed(_) => None,
            Self::Dynamic { path, .. } => Some(path),
        }
    }
}

/// Names separated by dots.
fn names(text: &str) -> Option<Arc<[String]>> {
    let is_name = |name: &str| {
        !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    text.split('.').all(is_name).then(|| text.split('.').map(str::to_owned).collect())
}

/// The fixed prefix that the text is.
impl From<&str> for Prefix {
    fn from(text: &str) -> Self {
        Self::fixed(text)
    }
}

impl Default for &Prefix {
    fn default() -> Self {
        static NONE: Prefix = Prefix::NONE;
        &NONE
    }
}

/// As it is typed in a configuration.
impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(text) => f.write_str(text),
            Self::Dynamic { path, default } => {
                write!(f, "{{{{ event.{} || {default} }}}}", path.join("."))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dynamic(path: &[&str], default: &str) -> Prefix {
        let path = path.iter().map(|name| (*name).to_owned()).collect();
        Prefix::Dynamic { path, default: default.to_owned() }
    }

    #[test]
    fn an_event_may_choose_the_prefix() {
        for (typed, expected) in [
            ("{{ event.traits.tenant || def }}", dynamic(&["traits", "tenant"], "def")),
            ("\u{feff}{{event.a||b}}\n", dynamic(&["a"], "b")),
            ("{{ event.context._t1 || \" a b \" }}", dynamic(&["context", "_t1"], "a b")),
            ("{{ event.a || }}", dynamic(&["a"], "")),
            ("{{ event.a || \"\" }}", dynamic(&["a"], "")),
            ("{{ event.a || b || c }}", dynamic(&["a"], "b || c")),
            ("{{ event.a || b }} }}", dynamic(&["a"], "b }}")),
        ] {
            let prefix = Prefix::parse(typed).unwrap();
            assert_eq!(prefix, expected, "{typed}");
            assert_eq!(Prefix::parse(&prefix.to_string()).unwrap(), expected, "{typed}");
        }
        for fixed in ["", "{team}", "a}}", "{ {", "a || b", "p:"] {
            let prefix = Prefix::parse(&format!(" {fixed} ")).unwrap();
            assert_eq!(prefix, Prefix::Fixed(fixed.into()));
            assert_eq!((prefix.to_string(), prefix.path()), (fixed.into(), None));
        }
    }

    #[test]
    fn a_wrong_template_is_refused() {
        for typed in ["{{event.x}}", "a {{ event.x || b }}", "{{ event.x || b }} c", "{{", "{{}}"] {
            let error = Prefix::parse(typed).unwrap_err();
            assert!(error.starts_with("\"{{\" starts a template"), "{typed}: {error}");
        }
        for path in ["", "event", "event.", "traits.a", "event.a..b", "event.a-b", "event.1a"] {
            let error = Prefix::parse(&format!("{{{{ {path} || b }}}}")).unwrap_err();
            assert!(error.starts_with("its path must be"), "{path}: {error}");
        }
    }

    #[test]
    fn the_prefix_of_a_dead_letter() {
        for (text, path, expected) in [
            ("t1", Some("traits.tenant"), dynamic(&["traits", "tenant"], "t1")),
            (" t1 ", None, Prefix::Fixed("t1".into())),
            ("{{ event.a || b }}", None, Prefix::Fixed("{{ event.a || b }}".into())),
            ("t1", Some("traits..x"), Prefix::Fixed("t1".into())),
        ] {
            assert_eq!(Prefix::of_letter(text, path), expected, "{text}");
        }
    }
}
