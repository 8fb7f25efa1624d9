//! oxd: `storage: redis` and its `storage_configuration` in oxd-server.yml.

use serde_json::{Map, Value};

use super::address::{ServerAddress, list};
use super::draft::Import;
use super::java_store::{self, Conversion};
use super::syntax::Table;
use super::transfer::Transfer;
use crate::config::RedisUrl;

const SECTION: &str = "storage_configuration";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Provider {
    Standalone,
    Cluster,
    Sharded,
    Sentinel,
}

pub(super) fn convert(mut root: Table) -> Result<Import, String> {
    let storage = root.remove("storage");
    match &storage {
        Some(Value::String(name)) if name.trim() == "redis" => (),
        Some(_) => return Err("its storage is not redis: there is nothing to import".into()),
        None if root.contains_key(SECTION)
            || root.contains_key("redisProviderType")
            || root.contains_key("servers") => {}
        None => {
            return Err(
                "says no storage, which is oxd's embedded database: there is nothing to import"
                    .into(),
            );
        }
    }
    let (settings, outside) = match root.remove(SECTION) {
        Some(Value::Object(settings)) => (settings, root.keys().cloned().collect()),
        Some(Value::Null) => (Map::new(), root.keys().cloned().collect()),
        None if storage.is_some() => (Map::new(), root.keys().cloned().collect()),
        Some(_) => return Err(format!("{SECTION} is not a table of settings")),
        None => (root, Vec::new()),
    };
    let mut oxd = Oxd(Transfer::new(settings));
    if storage.is_some() {
        oxd.0.mapped("storage", "redis", "");
    }
    oxd.0.outside(SECTION, &outside);
    oxd.convert()?;
    Ok(oxd.0.finish())
}

struct Oxd(Transfer);

impl Oxd {
    fn convert(&mut self) -> Result<(), String> {
        let provider = self.provider()?;
        self.servers(provider);
        if provider == Provider::Sentinel {
            if !self.0.has("sentinelMasterGroupName") {
                self.0.fail("sentinelMasterGroupName", "is missing; set redis.sentinel.master");
            }
            self.0.map_text("sentinelMasterGroupName", "redis.sentinel.master");
        } else {
            self.0.skip("sentinelMasterGroupName", "oxd uses it only with SENTINEL");
        }
        let tls = self.0.flag("useSSL");
        let has_both = self.0.has("sslTrustStoreFilePath") && self.0.has("sslKeyStoreFilePath");
        self.password(provider, tls == Some(true) && has_both);
        self.0.map_millis("connectionTimeout", "redis.connect_timeout");
        if provider == Provider::Cluster {
            self.0.map_millis("soTimeout", "redis.response_timeout");
            self.0.map_retries(
                "maxRetryAttempts",
                &["redis.cluster.max_redirections", "delivery.retry_count"],
            );
        } else {
            self.0.skip_all(&[
                ("soTimeout", "oxd uses it only with CLUSTER"),
                (
                    "maxRetryAttempts",
                    "oxd uses it only with CLUSTER; here a write is retried until it is done",
                ),
            ]);
        }
        let connections = "there is no pool: each lane keeps its connections";
        self.0
            .skip_all(&[("maxIdleConnections", connections), ("maxTotalConnections", connections)]);
        self.0.later("defaultPutExpiration", "expiry");
        self.tls(provider, tls, has_both);
        Ok(())
    }

    fn provider(&mut self) -> Result<Provider, String> {
        let Some(text) = self.0.text("redisProviderType") else {
            self.0.draft.set_default("redis.mode", "standalone", "redisProviderType is missing");
            return Ok(Provider::Standalone);
        };
        let (provider, mode) = match text.trim() {
            "STANDALONE" => (Provider::Standalone, "standalone"),
            "CLUSTER" => (Provider::Cluster, "cluster"),
            "SHARDED" => (Provider::Sharded, "sharded"),
            "SENTINEL" => (Provider::Sentinel, "sentinel"),
            _ => {
                return Err(
                    "redisProviderType is none of STANDALONE, CLUSTER, SHARDED, SENTINEL".into()
                );
            }
        };
        self.0.map("redisProviderType", "redis.mode", mode);
        Ok(provider)
    }

    fn servers(&mut self, provider: Provider) {
        let key = match provider {
            Provider::Standalone => "redis.url",
            Provider::Cluster | Provider::Sharded => "redis.nodes",
            Provider::Sentinel => "redis.sentinel.nodes",
        };
        let Some(text) = self.0.text("servers") else {
            let server = ServerAddress::new("localhost", 6379).expect("a name");
            let value = if key == "redis.url" { server.url().into() } else { list(&[server]) };
            return self.0.draft.set_default(key, value, "servers is missing");
        };
        match provider {
            Provider::Standalone => {
                let (first, others) = text
                    .split_once(',')
                    .map_or((text.as_str(), None), |(first, others)| (first, Some(others)));
                let Some(node) = self.0.or_fail("servers", ServerAddress::parse(first, None))
                else {
                    return;
                };
                self.0.set_server(&node);
                self.0.mapped(
                    "servers",
                    key,
                    others.map_or("", |_| "the first; STANDALONE uses no other"),
                );
            }
            Provider::Sharded => {
                let shards = text.split(',').map(shard).collect::<Result<Vec<_>, _>>();
                let Some(shards) = self.0.or_fail("servers", shards) else { return };
                let has_secret = shards.iter().any(|(_, secret)| *secret);
                let nodes: Vec<_> = shards.into_iter().map(|(shard, _)| shard).collect();
                self.0.draft.set_and_tell(key, nodes, has_secret);
                self.0.mapped(
                    "servers",
                    key,
                    "the ring is not Jedis's: what oxd wrote is found on other shards; profiles \
                     fill anew",
                );
            }
            Provider::Cluster | Provider::Sentinel => {
                let Some(nodes) = self.0.or_fail("servers", ServerAddress::parse_list(&text))
                else {
                    return;
                };
                let detail =
                    if provider == Provider::Sentinel { "addresses of sentinels" } else { "" };
                self.0.draft.set(key, list(&nodes));
                self.0.mapped("servers", key, detail);
            }
        }
    }

    fn password(&mut self, provider: Provider, has_both_stores: bool) {
        match provider {
            Provider::Standalone if has_both_stores => {
                self.0.skip("password", "STANDALONE sends none when both stores are set");
            }
            Provider::Sharded => {
                self.0.skip("password", "SHARDED uses only those in the URIs of servers")
            }
            Provider::Standalone | Provider::Cluster => {
                self.0.map_secret("password", "redis.password");
            }
            Provider::Sentinel => {
                let Some(password) = self.0.text("password") else { return };
                self.0.draft.set_secret("redis.password", password.clone());
                self.0.draft.set_secret("redis.sentinel.password", password);
                self.0.mapped(
                    "password",
                    "redis.password, redis.sentinel.password",
                    "oxd sends it to both",
                );
            }
        }
    }

    fn tls(&mut self, provider: Provider, enabled: Option<bool>, has_both: bool) {
        let tables: &[&str] = if provider == Provider::Sentinel {
            &["redis.tls", "redis.sentinel.tls"]
        } else {
            &["redis.tls"]
        };
        let keys =
            |name: &str| tables.iter().map(|table| format!("{table}.{name}")).collect::<Vec<_>>();
        if let Some(enabled) = enabled {
            keys("enabled").iter().for_each(|key| self.0.draft.set(key, enabled));
            self.0.mapped("useSSL", &keys("enabled").join(", "), "");
        }
        let needs_both = matches!(provider, Provider::Standalone | Provider::Sharded);
        let unused = match enabled {
            Some(true) if needs_both && !has_both => {
                Some("STANDALONE and SHARDED use the stores only when both are set")
            }
            Some(true) => None,
            _ => Some("useSSL is not true"),
        };
        let stores = [
            (
                "sslTrustStoreFilePath",
                "sslTrustStorePassword",
                java_store::trust as fn(&str) -> Conversion,
            ),
            ("sslKeyStoreFilePath", "sslKeyStorePassword", java_store::client),
        ];
        for (name, password, convert) in stores {
            let Some(path) = self.store(name, unused) else {
                self.0.skip(password, "its store is not used");
                continue;
            };
            let Conversion { files, command } = convert(&path);
            for (key, file) in &files {
                keys(key).iter().for_each(|key| self.0.draft.set(key, file.clone()));
            }
            let made: Vec<_> = files.iter().flat_map(|(key, _)| keys(key)).collect();
            self.0.fail(name, format_args!("{} to be made by: {command}", made.join(", ")));
            self.0.skip(password, "PEM files have none; the command asks for it");
        }
    }

    /// The path of a store, unless oxd does not use it.
    fn store(&mut self, name: &str, unused: Option<&str>) -> Option<String> {
        let path = self.0.text(name)?;
        match unused {
            Some(why) => {
                self.0.idle(name, why);
                None
            }
            None => Some(path),
        }
    }
}

/// One of several servers, `host:port` or a URI, and whether it holds a secret.
fn shard(text: &str) -> Result<(toml::Value, bool), String> {
    let text = text.trim();
    if !text.contains("://") {
        return Ok((ServerAddress::parse(text, None)?.toml(), false));
    }
    let url = RedisUrl::parse(text)?;
    let table = toml::Table::from_iter([("url".to_owned(), toml::Value::from(text))]);
    Ok((table.into(), url.password.is_some()))
}
