//! Environment variables that look like keys and are none: `TRAITSINK_REDIS_URL`, with one
//! underscore. Pure.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::key_kind::KeyKind;

/// A warning for each variable that would be a key if its underscores were doubled. What Kubernetes
/// injects for services is none, such as TRAITSINK_REDIS_PORT for one that is called
/// traitsink-redis. No value is shown.
pub(crate) fn ignored(root: &KeyKind, environment: &BTreeMap<OsString, OsString>) -> Vec<String> {
    let mut known = Vec::new();
    root.paths("", &mut known);
    let names = environment
        .iter()
        .filter(|(_, value)| !value.is_empty() && !is_service(value))
        .filter_map(|(name, _)| name.to_str());
    let wrong = names.filter(|name| !name.contains("__")).filter_map(|name| {
        let key = name.strip_prefix("TRAITSINK_")?.to_lowercase();
        let meant = known
            .iter()
            .find(|path| !path.contains("[]") && path.replace('.', "_") == key)
            .cloned();
        let path = meant.or_else(|| property(root, &known, &key))?;
        match root.at(&path) {
            None | Some(KeyKind::Table(_)) => None,
            Some(_) => {
                let right = path.replace('.', "__").to_uppercase();
                // A key without a table has no dot to double.
                let right = if right.contains("__") {
                    format!("TRAITSINK_{right}")
                } else {
                    format!("TRAITSINK__{right}")
                };
                Some(format!(
                    "variable {name} is ignored: for {path} write {right}, two \
                    underscores for each dot"
                ))
            }
        }
    });
    wrong.collect()
}

/// The path that `key` means below a table of free names.
fn property(root: &KeyKind, known: &[String], key: &str) -> Option<String> {
    known.iter().filter(|path| matches!(root.at(path), Some(KeyKind::Map(_)))).find_map(|path| {
        let name = key.strip_prefix(&path.replace('.', "_"))?.strip_prefix('_')?;
        Some(format!("{path}.{}", name.replace('_', ".")))
    })
}

/// `tcp://10.0.0.1:6379`: where a service of Kubernetes, or a link of Docker, is reached.
fn is_service(value: &OsStr) -> bool {
    value.to_str().is_some_and(|value| {
        ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme))
    })
}
