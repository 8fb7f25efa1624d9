//! deepstream's Redis cache, whose options are those of ioredis 4.

mod cache;
mod cluster;
mod nodes;
mod sentinel;
mod standalone;
mod tls;
mod unused;

use serde_json::{Map, Value};

use self::cache::Cache;
use super::draft::Import;
use super::syntax::{Table, VariableLookup, Variables};
use super::transfer::Transfer;

/// Names of options, which a whole configuration file does not have at its top.
const OPTION_NAMES: [&str; 6] = ["host", "port", "url", "path", "nodes", "sentinels"];

pub(super) fn convert(root: Table, variable: VariableLookup<'_>) -> Result<Import, String> {
    let (options, outside) = find(root)?;
    // deepstream decides so, and in this order.
    let is_cluster = options.get("nodes").is_some_and(Value::is_array);
    let is_sentinel = options.get("sentinels").is_some_and(|sentinels| !sentinels.is_null());
    let mut cache = Cache(Transfer::new(options));
    cache.0.outside("cache.options", &outside);
    cache.0.fill_in(&Variables { open: "${", mark: "", close: "}", value: variable });
    match (is_cluster, is_sentinel) {
        (true, _) => cluster::convert(&mut cache),
        (_, true) => sentinel::convert(&mut cache),
        _ => standalone::convert(&mut cache),
    }
    cache.0.later("ttl", "expiry");
    Ok(cache.0.finish())
}

/// The options, and what else the file holds.
fn find(mut root: Table) -> Result<(Table, Vec<String>), String> {
    if OPTION_NAMES.iter().any(|name| root.contains_key(*name)) {
        return Ok((root, Vec::new()));
    }
    let is_plugin = root.get("plugins").is_some_and(|plugins| plugins.get("cache").is_some());
    let (within, mut holder) = match root.get_mut("plugins") {
        Some(Value::Object(plugins)) if is_plugin => ("plugins.", std::mem::take(plugins)),
        _ => ("", std::mem::take(&mut root)),
    };
    let Some(Value::Object(mut cache)) = holder.remove("cache") else {
        return Err("has no \"cache\", and is not the options of one".into());
    };
    let is_redis = ["name", "path", "type"].iter().any(|name| {
        cache.get(*name).and_then(Value::as_str).is_some_and(|text| text.contains("redis"))
    });
    if !is_redis {
        return Err("has a cache that is not Redis: there is nothing to import".into());
    }
    let options = match cache.remove("options") {
        Some(Value::Object(options)) => options,
        _ => Map::new(),
    };
    let beside = holder.keys().map(|name| format!("{within}{name}"));
    let of_cache = cache.keys().map(|name| format!("{within}cache.{name}"));
    let others = root.keys().filter(|name| *name != "plugins").cloned();
    Ok((options, others.chain(beside).chain(of_cache).collect()))
}
