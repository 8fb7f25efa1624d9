//! Stalwart: a store of the type redis in config.toml up to 0.15, an in-memory store in JSON since
//! 0.16.

mod servers;
mod store;

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::Value;

use self::servers::{cluster, sentinel, single};
use self::store::{StalwartStore, StoreType};
use super::draft::Import;
use super::syntax::{Table, VariableLookup, Variables};
use super::transfer::Transfer;
use crate::config::{RedisUrl, print_duration};

/// Shortest pause before a write is tried again, unless it is set.
const RETRY_MIN: Duration = Duration::from_millis(50);

pub(super) fn convert(root: Table, variable: VariableLookup<'_>) -> Result<Import, String> {
    let (options, section, outside) = find(root)?;
    let says_user = options.contains_key("authUsername");
    let is_json = options.contains_key("@type");
    let mut store = StalwartStore { transfer: Transfer::new(options), is_json, variable };
    store.transfer.outside(&section, &outside);
    store.transfer.fill_in(&Variables { open: "%{", mark: "env:", close: "}%", value: variable });
    take_all(&mut store, says_user)?;
    Ok(store.transfer.finish())
}

/// The one store that is Redis, where it is, and what else there is.
fn find(mut root: Table) -> Result<(Table, String, Vec<String>), String> {
    if is_redis(&Value::Object(root.clone())) {
        return Ok((root, String::new(), Vec::new()));
    }
    let chosen = root
        .get("storage")
        .and_then(|storage| storage.get("lookup").or_else(|| storage.get("in-memory")));
    let chosen = chosen.and_then(Value::as_str).map(str::to_owned);
    let (mut stores, within, mut outside) = match root.remove("store") {
        Some(Value::Object(stores)) => (stores, "store.", root.keys().cloned().collect()),
        _ => (root, "", Vec::new()),
    };
    let redis: Vec<_> =
        stores.iter().filter(|(_, store)| is_redis(store)).map(|(name, _)| name.clone()).collect();
    let name = match &redis[..] {
        [] => return Err("has no store that is Redis: there is nothing to import".into()),
        [name] => name.clone(),
        several => match chosen.filter(|name| several.contains(name)) {
            Some(name) => name,
            None => {
                return Err(format!(
                    "has several Redis stores: leave one of {}",
                    several.join(", ")
                ));
            }
        },
    };
    let Some(Value::Object(store)) = stores.remove(&name) else {
        return Err("has a store that is not a table".into());
    };
    outside.extend(stores.keys().map(|other| format!("{within}{other}")));
    Ok((store, format!("{within}{name}"), outside))
}

fn is_redis(store: &Value) -> bool {
    let word = |name| store.get(name).and_then(Value::as_str).unwrap_or_default();
    word("type") == "redis" || word("@type").starts_with("Redis")
}

fn take_all(store: &mut StalwartStore<'_>, says_user: bool) -> Result<(), String> {
    let mode = store_type(store)?;
    let urls = if store.transfer.has("urls") { "urls" } else { "url" };
    let from_urls = match mode {
        StoreType::Single => single(store, urls),
        StoreType::Cluster => cluster(store, urls),
        StoreType::Sentinel => sentinel(store, urls),
    };
    login(store, mode, says_user, from_urls);
    store.duration("timeout", "redis.connect_timeout");
    retries(store, mode);
    protocol(store, mode);
    let replicas = store.name("readFromReplicas", "read-from-replicas");
    match mode {
        StoreType::Cluster | StoreType::Sentinel => {
            if let Some(read) = store.transfer.flag(replicas) {
                store.transfer.read_from_replicas(replicas, read);
            }
        }
        StoreType::Single => store.transfer.skip(replicas, "no profile is ever read"),
    }
    let pool = "there is no pool: each lane keeps its connections";
    for (new, old) in [
        ("poolMaxConnections", "pool.max-connections"),
        ("poolTimeoutCreate", "pool.create-timeout"),
        ("poolTimeoutWait", "pool.wait-timeout"),
        ("poolTimeoutRecycle", "pool.recycle-timeout"),
    ] {
        let name = store.name(new, old);
        store.transfer.skip(name, pool);
    }
    Ok(())
}

fn store_type(store: &mut StalwartStore<'_>) -> Result<StoreType, String> {
    let (name, word) = if store.is_json {
        ("@type", store.transfer.text("@type"))
    } else {
        let redis_type = store.transfer.text("redis-type");
        store.transfer.take("type");
        (if redis_type.is_some() { "type, redis-type" } else { "type" }, redis_type)
    };
    let (mode, ours) = match word.as_deref() {
        None | Some("single" | "Redis") => (StoreType::Single, "standalone"),
        Some("cluster" | "RedisCluster") => (StoreType::Cluster, "cluster"),
        Some("RedisSentinel") => (StoreType::Sentinel, "sentinel"),
        Some(_) => return Err(format!("{name} is of an unknown kind")),
    };
    store.transfer.map(name, "redis.mode", ours);
    Ok(mode)
}

fn login(
    store: &mut StalwartStore<'_>,
    mode: StoreType,
    says_user: bool,
    from_urls: Option<RedisUrl>,
) {
    let (user, secret) = (store.name("authUsername", "user"), store.name("authSecret", "password"));
    if mode == StoreType::Single {
        let why = "with one server Stalwart takes the login from url";
        return store.transfer.skip_all(&[(user, why), (secret, why)]);
    }
    if store.secret(secret, "redis.password") {
        if store.is_json && !says_user {
            return store.transfer.draft.set_default(
                "redis.username",
                "stalwart",
                "authUsername is missing",
            );
        }
        return store.transfer.map_text(user, "redis.username");
    }
    store.transfer.skip(user, "there is no secret beside it, so there is no login");
    let Some((username, password)) = from_urls.and_then(|url| Some((url.username, url.password?)))
    else {
        return;
    };
    let password = password.expose_secret().to_owned();
    store.transfer.draft.set_secret("redis.password", password);
    if let Some(username) = username {
        store.transfer.draft.set("redis.username", username);
    }
}

fn protocol(store: &mut StalwartStore<'_>, mode: StoreType) {
    let name = store.name("protocolVersion", "protocol-version");
    if mode == StoreType::Single {
        return store.transfer.skip(name, "with one server Stalwart takes the protocol from url");
    }
    if let Some(version) = store.transfer.text(name) {
        let resp3 = version.eq_ignore_ascii_case("resp3");
        store.transfer.map(name, "redis.protocol", if resp3 { 3 } else { 2 });
    }
}

fn retries(store: &mut StalwartStore<'_>, mode: StoreType) {
    let total = store.name("maxRetries", "retry.total");
    let (min, max) = (
        store.name("minRetryWait", "retry.min-wait"),
        store.name("maxRetryWait", "retry.max-wait"),
    );
    if mode != StoreType::Cluster {
        return [total, min, max]
            .iter()
            .for_each(|name| store.transfer.skip(name, "Stalwart uses it only with a cluster"));
    }
    store.transfer.map_retries(total, &["redis.cluster.max_redirections", "delivery.retry_count"]);
    let has_min = store.transfer.has(min);
    store.duration(min, "delivery.retry_min");
    let longest = store.duration(max, "delivery.retry_max");
    if let Some(longest) = longest.filter(|longest| !has_min && *longest < RETRY_MIN) {
        let text = print_duration(&longest);
        store.transfer.draft.set_default("delivery.retry_min", text, "not above retry_max");
    }
}
