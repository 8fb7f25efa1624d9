//! Key prefixes: trimmed as RudderStack trims them, or chosen by the event.

use crate::config::engine::report::ConfigReport;
use crate::event::trim_js;
use crate::profile::Prefix;

/// The prefix that `key` holds; none where nothing is typed.
pub(crate) fn prefix(report: &mut ConfigReport, key: &str, typed: Option<&str>) -> Prefix {
    let prefix = parse_prefix(typed.unwrap_or_default()).unwrap_or_else(|error| {
        report.error(key, error);
        Prefix::Fixed(String::new())
    });
    warn_of_shared_keys(report, key, prefix.default_text());
    prefix
}

/// Reads a fixed prefix, or `{{ event.path || default }}`, as RudderStack reads them.
///
/// # Errors
/// There is a `{{` and it is no such template: how to write one.
pub fn parse_prefix(typed: &str) -> Result<Prefix, String> {
    let text = trim_js(typed);
    if !text.contains("{{") {
        return Ok(Prefix::Fixed(text.to_owned()));
    }
    let inner = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    let (path, default) = inner.and_then(|inner| inner.split_once("||")).ok_or(
        "\"{{\" starts a template: write it as the whole text, with a default, such as \
         \"{{ event.context.tenant || none }}\"",
    )?;
    let names = trim_js(path).strip_prefix("event.").filter(|path| path.split('.').all(is_name));
    let Some(names) = names else {
        return Err(
            "its path must be \"event.\" and names of letters, digits and \"_\", separated by \
             dots, such as \"{{ event.context.tenant || none }}\""
                .into(),
        );
    };
    Ok(Prefix::Dynamic {
        path: names.split('.').map(str::to_owned).collect(),
        default: trim_js(&default.replace('"', "")).to_owned(),
    })
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A warning for a prefix with which a user shares the key of another without it.
fn warn_of_shared_keys(report: &mut ConfigReport, key: &str, prefix: &str) {
    if prefix == "user" || prefix.ends_with(":user") {
        let outer = prefix.strip_suffix("user").unwrap_or_default();
        report.warn(format!(
            "{key} = {prefix:?}: the user 1 here and the user \"user:1\" with the prefix {:?} \
             share one Redis key",
            outer.trim_end_matches(':')
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_that_collide_are_warned_of() {
        for (typed, effective, warned) in [
            (None, "", false),
            (Some(" \u{feff} "), "", false),
            (Some(" a b: "), "a b:", false),
            (Some("user"), "user", true),
            (Some("eu:user"), "eu:user", true),
            (Some("users"), "users", false),
            (Some("{{ event.a || user }}"), "user", true),
        ] {
            let mut report = ConfigReport::default();
            assert_eq!(prefix(&mut report, "redis.prefix", typed).default_text(), effective);
            assert_eq!(!report.finish().unwrap().is_empty(), warned, "{typed:?}");
        }
    }

    #[test]
    fn an_event_may_choose_the_prefix() {
        for (typed, path, default) in [
            ("{{ event.traits.tenant || def }}", &["traits", "tenant"][..], "def"),
            ("\u{feff}{{event.a||b}}\n", &["a"], "b"),
            ("{{ event.context._t1 || \" a b \" }}", &["context", "_t1"], "a b"),
            ("{{ event.a || }}", &["a"], ""),
            ("{{ event.a || \"\" }}", &["a"], ""),
            ("{{ event.a || b || c }}", &["a"], "b || c"),
            ("{{ event.a || b }} }}", &["a"], "b }}"),
        ] {
            let path = path.iter().map(|name| (*name).to_owned()).collect();
            let expected = Prefix::Dynamic { path, default: default.into() };
            assert_eq!(parse_prefix(typed), Ok(expected), "{typed}");
        }
        for fixed in ["{team}", "a}}", "{ {", "a || b"] {
            assert_eq!(parse_prefix(fixed), Ok(Prefix::Fixed(fixed.into())));
        }
    }

    #[test]
    fn a_wrong_template_is_refused() {
        for typed in ["{{event.x}}", "a {{ event.x || b }}", "{{ event.x || b }} c", "{{", "{{}}"] {
            let error = parse_prefix(typed).unwrap_err();
            assert!(error.starts_with("\"{{\" starts a template"), "{typed}: {error}");
        }
        for path in ["", "event", "event.", "traits.a", "event.a..b", "event.a-b", "event.1a"] {
            let error = parse_prefix(&format!("{{{{ {path} || b }}}}")).unwrap_err();
            assert!(error.starts_with("its path must be"), "{path}: {error}");
        }
    }
}
