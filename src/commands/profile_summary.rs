//! What `check` says about profiles: their keys, how they change, and how users are deleted.

use crate::config::{
    Config, KeyTemplate, NewestWins, Nulls, Prefix, ProfileMode, Store, Tombstones, TtlMode,
    print_long_duration,
};

/// The lines: what each is about, and its text. With the defaults one line, about keys.
pub(super) fn lines(config: &Config) -> Vec<(&'static str, String)> {
    let redis = &config.redis;
    let mut lines = vec![("keys", key(&redis.key, &redis.prefix_rule))];
    for source in config.http.iter().flat_map(|http| &http.write_keys) {
        if let Some(prefix) = &source.prefix_rule {
            let key = key(&redis.key, prefix);
            lines.push(("keys", format!("{key} from the source {:?}", source.name)));
        }
    }
    if let Some(entities) = &config.profile.entities {
        lines.push((
            "keys",
            entities.key("<entity>", "<id type>", "<id> of RudderStack's Profiles"),
        ));
    }
    if let Some(group) = &redis.group_key {
        lines.push(("groups", key(group, &redis.prefix_rule)));
    }
    let changes = changes(config);
    lines.extend((!changes.is_empty()).then(|| ("profile", changes.join(", "))));
    lines.extend(deletion(config).map(|how| ("deletion", how)));
    lines
}

fn key(template: &KeyTemplate, prefix: &Prefix) -> String {
    let prefix = match prefix {
        Prefix::Fixed(text) => text.clone(),
        Prefix::Dynamic { path, default } => {
            let default = if default.is_empty() { "none" } else { default };
            format!("<{} or {default}>", path.join("."))
        }
    };
    format!("{}<id>{}", template.start(&prefix), template.end(&prefix))
}

/// How a profile changes, where it is not by default.
fn changes(config: &Config) -> Vec<String> {
    let profile = &config.profile;
    let mut changes = Vec::new();
    if profile.store == Store::Json {
        changes.push("a JSON document".to_owned());
    }
    if profile.mode == ProfileMode::Replace {
        changes.push("each event replaces it".to_owned());
    }
    if profile.nulls == Nulls::Delete {
        changes.push("a null removes its field".to_owned());
    }
    if let Some(ttl) = &profile.ttl {
        let since = match profile.ttl_mode {
            TtlMode::Refresh => "the last write",
            TtlMode::Once => "the first write",
        };
        changes.push(format!("ends {} after {since}", print_long_duration(ttl)));
    }
    if let Some(path) = &profile.ttl_path {
        changes.push(format!("ends when the event says so ({})", path.join(".")));
    }
    for rule in &profile.field_ttl {
        let ttl = print_long_duration(&rule.ttl);
        changes.push(format!("{:?} ends {ttl} after its last write", rule.pattern));
    }
    match profile.newest_wins {
        NewestWins::Off => {}
        NewestWins::Field => changes.push("each field keeps its newest value".to_owned()),
        NewestWins::Profile => changes.push("the newest event wins".to_owned()),
    }
    changes
}

/// How users are deleted; `None`: they are not.
fn deletion(config: &Config) -> Option<String> {
    let deletion = config.deletion.as_ref();
    let mut ways = Vec::new();
    if let Some(api) = deletion.and_then(|deletion| deletion.api.as_ref()) {
        ways.push(format!("API on {}", api.listen));
    }
    if let Some(event) = deletion.and_then(|deletion| deletion.event.as_ref()) {
        ways.push(format!("the event {event:?}"));
    }
    if config.kafka.as_ref().is_some_and(|kafka| kafka.tombstones == Tombstones::Delete) {
        ways.push("Kafka records without a value".to_owned());
    }
    if ways.is_empty() {
        deletion?;
        ways.push("nobody can ask for it here: suppressions by other workers hold".to_owned());
    }
    Some(ways.join(", "))
}
