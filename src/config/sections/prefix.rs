//! Key prefixes: trimmed as RudderStack trims them. Templates ("{{..}}") are refused for now.

use crate::config::engine::report::ConfigReport;
use crate::event::trim_js;

/// The prefix that `key` holds, trimmed; empty: none.
pub(crate) fn prefix(report: &mut ConfigReport, key: &str, typed: Option<&str>) -> String {
    let prefix = trim_js(typed.unwrap_or_default());
    if prefix.contains("{{") {
        report.error(
            key,
            "\"{{\" starts a template, and templates do not exist yet: write a fixed prefix",
        );
    }
    if prefix == "user" || prefix.ends_with(":user") {
        let outer = prefix.strip_suffix("user").unwrap_or_default();
        report.warn(format!(
            "{key} = {prefix:?}: the user 1 here and the user \"user:1\" with the prefix {:?} \
             share one Redis key",
            outer.trim_end_matches(':')
        ));
    }
    prefix.to_owned()
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
        ] {
            let mut report = ConfigReport::default();
            assert_eq!(prefix(&mut report, "redis.prefix", typed), effective);
            assert_eq!(!report.finish().unwrap().is_empty(), warned, "{typed:?}");
        }
    }
}
