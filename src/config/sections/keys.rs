//! Whether different things could share one Redis key: users, groups, and what a deletion leaves.

use std::collections::BTreeSet;

use super::deletion::Deletion;
use super::http::Http;
use super::redis::Redis;
use crate::config::engine::report::ConfigReport;
use crate::profile::{KeyTemplate, KeyedBy, Prefix};

/// Errors for templates of keys that do not fit the prefixes, each other or
/// `deletion.suppressions_key`.
pub(crate) fn check(
    redis: &Redis,
    http: Option<&Http>,
    deletion: Option<&Deletion>,
    report: &mut ConfigReport,
) {
    let prefixes = PrefixesInUse::new(redis, http, deletion);
    let group = redis.group_key.as_ref().map(|group| ("redis.group_key", group, KeyedBy::Group));
    for (key, template, by) in [("redis.key", &redis.key, KeyedBy::User)].into_iter().chain(group) {
        if !template.has_prefix()
            && let Some(place) = named(redis, http, report)
        {
            let example = format!("{{prefix}}{}:{}", by.word(), by.variable());
            report.error(
                key,
                format_args!(
                    "has no {{prefix}}, but {place} is set: write {{prefix}} where it belongs, \
                     such as {example:?}"
                ),
            );
        }
        if let Some(deletion) = deletion
            && prefixes.can_yield(template, &deletion.suppressions_key)
        {
            let other = report.place("deletion.suppressions_key");
            let (id, name) = (by.variable(), &deletion.suppressions_key);
            report.error(
                key,
                format_args!(
                    "with some {id} the key would be {name:?}, which is {other}: change one of them"
                ),
            );
        }
    }
    if !redis.key.has_prefix() && deletion.is_some() {
        report.no_effect("deletion.prefixes", "without {prefix} in redis.key");
    }
    if let Some(group) = &redis.group_key
        && prefixes.meet(&redis.key, group)
    {
        let other = report.place("redis.key");
        report.error(
            "redis.group_key",
            format_args!(
                "a group could have the key of a user, which {other} makes: write another fixed \
                 text before {{groupId}}"
            ),
        );
    }
}

/// The first prefix that is set, for messages.
fn named(redis: &Redis, http: Option<&Http>, report: &ConfigReport) -> Option<String> {
    let none = Prefix::Fixed(String::new());
    if redis.prefix_rule != none {
        return Some(report.place("redis.prefix"));
    }
    let mut keys = http.into_iter().flat_map(|http| &http.write_keys);
    let source = keys.find(|key| key.prefix_rule.as_ref().is_some_and(|prefix| *prefix != none));
    source.map(|source| format!("the prefix of {:?} in http.sources", source.name))
}

/// All prefixes that keys may have.
struct PrefixesInUse<'a> {
    fixed: BTreeSet<&'a str>,
    /// An event may choose any other.
    any: bool,
}

impl<'a> PrefixesInUse<'a> {
    fn new(redis: &'a Redis, http: Option<&'a Http>, deletion: Option<&'a Deletion>) -> Self {
        let keys = http.into_iter().flat_map(|http| &http.write_keys);
        let rules = || {
            let own = keys.clone().filter_map(|key| key.prefix_rule.as_ref());
            own.chain([&redis.prefix_rule])
        };
        let further = deletion.into_iter().flat_map(|deletion| &deletion.prefixes);
        Self {
            fixed: rules().map(Prefix::default_text).chain(further.map(String::as_str)).collect(),
            any: rules().any(|prefix| matches!(prefix, Prefix::Dynamic { .. })),
        }
    }

    fn can_yield(&self, template: &KeyTemplate, key: &str) -> bool {
        self.fixed.iter().any(|prefix| template.can_yield(prefix, key))
            || self.any && template.can_yield_with_any(key)
    }

    fn meet(&self, user: &KeyTemplate, group: &KeyTemplate) -> bool {
        let pairs = self.fixed.iter().flat_map(|a| self.fixed.iter().map(move |b| (a, b)));
        pairs.into_iter().any(|(a, b)| user.can_meet(a, group, b))
            || self.any && user.can_meet_with_any(group)
    }
}
