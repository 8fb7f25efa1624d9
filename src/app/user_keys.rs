//! All keys that a user may have.

use std::sync::Arc;

use crate::config::{self, Config};
use crate::deletion::{ConfiguredKeys, KeyScope, NamedSource, SeenKeys};
use crate::event::Rules;
use crate::pipeline::KeysOfUser;
use crate::profile::Prefix;

/// The keys that an event deletes together with its user; `seen`: under what events have said so
/// far, if that is kept.
pub(super) fn keys_of_user(config: &Config, seen: Option<Arc<SeenKeys>>) -> Arc<KeysOfUser> {
    let (configured, rules) = (configured_keys(config), config.rules.clone());
    Arc::new(move |user| {
        let seen = seen.as_ref().map(|seen| seen.all().0).unwrap_or_default();
        keys_in(&configured.everywhere(&seen), &rules, &String::from_utf8_lossy(user))
    })
}

/// The keys that `user` may have in `scope`, sorted, each once.
pub(super) fn keys_in(scope: &KeyScope, rules: &Rules, user: &str) -> Vec<Vec<u8>> {
    let of_prefix = |prefix: &String| {
        let mut key = Vec::new();
        rules.keys.user.push(&mut key, prefix, user.as_bytes());
        key
    };
    let mut keys: Vec<Vec<u8>> = scope.prefixes.iter().map(of_prefix).collect();
    if let Some(entities) = &rules.entities {
        let of_entity =
            |(entity, id_type): &(String, String)| entities.key(entity, id_type, user).into_bytes();
        keys.extend(scope.entities.iter().map(of_entity));
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Which keys there are, as far as the configuration says.
pub(super) fn configured_keys(config: &Config) -> ConfiguredKeys {
    let own = config.redis.prefix_rule.default_text().to_owned();
    let further = config.deletion.iter().flat_map(|deletion| &deletion.prefixes);
    let source = |key: &config::WriteKey| {
        let prefix = key.prefix_rule.as_ref().unwrap_or(&config.redis.prefix_rule);
        NamedSource {
            name: key.name.clone(),
            prefix: prefix.default_text().to_owned(),
            dynamic: matches!(prefix, Prefix::Dynamic { .. }),
        }
    };
    let keys = config.http.iter().flat_map(|http| &http.write_keys);
    ConfiguredKeys {
        prefixes: std::iter::once(own).chain(further.cloned()).collect(),
        sources: keys.map(source).collect(),
    }
}
