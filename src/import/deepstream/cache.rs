//! Options of the cache that are left, and what they have in common in all modes.

use serde_json::Value;

use super::unused;
use crate::import::transfer::Transfer;

/// Options that are left.
pub(super) struct Cache(pub(super) Transfer);

impl Cache {
    /// Options that mean something in every mode; `at` is where they are, such as `redisOptions.`.
    pub(super) fn connection(&mut self, at: &str) {
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
    pub(super) fn login(&mut self, at: &str) {
        let user = format!("{at}username");
        if self.secret(&format!("{at}password"), "redis.password") {
            self.0.map_text(&user, "redis.username");
        } else {
            self.0.skip(&user, "there is no password beside it, so there is no login");
        }
    }

    /// A secret in place or, as deepstream writes it, `fileLoad(path)`; whether there is one.
    pub(super) fn secret(&mut self, name: &str, key: &str) -> bool {
        if self.0.peek(name).and_then(Value::as_str).is_none_or(|text| loaded_file(text).is_none())
        {
            return self.0.map_secret(name, key);
        }
        self.file(name, &format!("{key}_file"));
        true
    }

    /// Maps `fileLoad(path)`.
    pub(super) fn file(&mut self, name: &str, key: &str) {
        let text = self.0.text(name).unwrap_or_default();
        let Some(path) = loaded_file(&text) else { return };
        self.0.draft.set(key, path);
        let relative = "the path is relative to deepstream's configuration";
        self.0.mapped(name, key, if path.starts_with('/') { "" } else { relative });
    }

    /// ioredis puts the prefix before the key as it is; here a colon follows it.
    pub(super) fn prefix(&mut self, name: &str) {
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
    pub(super) fn ignore(&mut self, names: &[&str], why: &str) {
        names.iter().for_each(|name| self.0.skip(name, why));
    }
}

/// The path in `fileLoad(path)`.
pub(super) fn loaded_file(text: &str) -> Option<&str> {
    let text = text.trim();
    ["fileLoad(", "file("]
        .iter()
        .find_map(|open| text.strip_prefix(open)?.strip_suffix(')'))
        .map(str::trim)
}
