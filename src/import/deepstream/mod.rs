//! deepstream's Redis cache, whose options are those of ioredis 4.

mod cluster;
mod sentinel;
mod standalone;
mod tls;
mod unused;

use serde_json::{Map, Value};

use super::draft::Import;
use super::syntax::Variables;
use super::transfer::Transfer;

type Table = Map<String, Value>;

/// What tells options from a whole configuration file.
const TELLING: [&str; 6] = ["host", "port", "url", "path", "nodes", "sentinels"];

pub(super) fn convert(
    root: Table,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Import, String> {
    let (options, outside) = find(root)?;
    // deepstream decides so, and in this order.
    let is_cluster = options.get("nodes").is_some_and(Value::is_array);
    let is_sentinel = options.get("sentinels").is_some_and(|sentinels| !sentinels.is_null());
    let mut cache = Cache(Transfer::new(options));
    cache.0.outside("cache.options", &outside);
    cache.0.fill_in(&Variables { open: "${", mark: "", close: "}", value: variable });
    match (is_cluster, is_sentinel) {
        (true, _) => cache.cluster(),
        (_, true) => cache.sentinel(),
        _ => cache.standalone(),
    }
    cache.0.later("ttl", "expiry");
    Ok(cache.0.finish())
}

/// The options, and what else the file holds.
fn find(mut root: Table) -> Result<(Table, Vec<String>), String> {
    if TELLING.iter().any(|name| root.contains_key(*name)) {
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

struct Cache(Transfer);

impl Cache {
    /// Options that mean something in every mode; `at` is where they are, such as `redisOptions.`.
    fn connection(&mut self, at: &str) {
        self.0.map_millis(&format!("{at}connectTimeout"), "redis.connect_timeout");
        self.0.map_millis(&format!("{at}commandTimeout"), "redis.response_timeout");
        self.0.map_text(&format!("{at}connectionName"), "redis.client_name");
        let keepalive = format!("{at}keepAlive");
        match self.0.peek(&keepalive).and_then(Value::as_u64) {
            Some(0) => {
                self.0.skip(&keepalive, "0 leaves it to the system; redis.keepalive has a default")
            }
            _ => self.0.map_millis(&keepalive, "redis.keepalive"),
        }
        self.0.map_retries(&format!("{at}maxRetriesPerRequest"), &["delivery.retry_count"]);
        unused::CONNECTION.iter().for_each(|(name, why)| self.0.skip(&format!("{at}{name}"), why));
    }

    /// A user and a password of Redis.
    fn login(&mut self, at: &str) {
        let user = format!("{at}username");
        if self.secret(&format!("{at}password"), "redis.password") {
            self.0.map_text(&user, "redis.username");
        } else {
            self.0.skip(&user, "there is no password beside it, so nobody logs in");
        }
    }

    /// A secret in place or, as deepstream writes it, `fileLoad(path)`; whether there is one.
    fn secret(&mut self, name: &str, key: &str) -> bool {
        if self.0.peek(name).and_then(Value::as_str).is_none_or(|text| loaded_file(text).is_none())
        {
            return self.0.map_secret(name, key);
        }
        self.file(name, &format!("{key}_file"));
        true
    }

    /// Maps `fileLoad(path)`.
    fn file(&mut self, name: &str, key: &str) {
        let text = self.0.text(name).unwrap_or_default();
        let Some(path) = loaded_file(&text) else { return };
        self.0.draft.set(key, path);
        let relative = "the path is relative to deepstream's configuration";
        self.0.mapped(name, key, if path.starts_with('/') { "" } else { relative });
    }

    /// ioredis puts the prefix before the key as it is; here a colon follows it.
    fn prefix(&mut self, name: &str) {
        let Some(text) = self.0.text(name) else { return };
        let prefix = text.strip_suffix(':').unwrap_or(&text);
        self.0.draft.set("redis.prefix", prefix);
        let detail = if prefix == text {
            format!("with a colon behind it: {prefix}:user:<id>")
        } else {
            String::new()
        };
        self.0.mapped(name, "redis.prefix", &detail);
    }

    /// Options that are there and that this mode does not look at.
    fn ignore(&mut self, names: &[&str], why: &str) {
        names.iter().for_each(|name| self.0.skip(name, why));
    }
}

/// The path in `fileLoad(path)`.
fn loaded_file(text: &str) -> Option<&str> {
    let text = text.trim();
    ["fileLoad(", "file("]
        .iter()
        .find_map(|open| text.strip_prefix(open)?.strip_suffix(')'))
        .map(str::trim)
}
