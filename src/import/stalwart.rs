//! Stalwart: a store of the type redis in config.toml up to 0.15, an in-memory store in JSON since
//! 0.16.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use super::address::{ServerAddress, list};
use super::draft::Import;
use super::syntax::Variables;
use super::transfer::{Transfer, unset};
use crate::config::engine::units::{parse_duration, print_duration};
use crate::config::sections::redis::url::{Place, RedisUrl};

type Table = Map<String, Value>;

/// Shortest pause before a write is tried again, unless it is set.
const RETRY_MIN: Duration = Duration::from_millis(50);

pub(super) fn convert(
    root: Table,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Import, String> {
    let (store, section, outside) = find(root)?;
    let says_user = store.contains_key("authUsername");
    let is_json = store.contains_key("@type");
    let mut stalwart = Stalwart { transfer: Transfer::new(store), is_json, variable };
    stalwart.transfer.outside(&section, &outside);
    stalwart.transfer.fill_in(&Variables {
        open: "%{",
        mark: "env:",
        close: "}%",
        value: variable,
    });
    stalwart.convert(says_user)?;
    Ok(stalwart.transfer.finish())
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
        return Err("has a store that is no table".into());
    };
    outside.extend(stores.keys().map(|other| format!("{within}{other}")));
    Ok((store, format!("{within}{name}"), outside))
}

fn is_redis(store: &Value) -> bool {
    let word = |name| store.get(name).and_then(Value::as_str).unwrap_or_default();
    word("type") == "redis" || word("@type").starts_with("Redis")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Single,
    Cluster,
    Sentinel,
}

struct Stalwart<'a> {
    transfer: Transfer,
    /// The names of 0.16.
    is_json: bool,
    variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Stalwart<'_> {
    fn convert(&mut self, says_user: bool) -> Result<(), String> {
        let mode = self.mode()?;
        let urls = if self.transfer.has("urls") { "urls" } else { "url" };
        let from_urls = match mode {
            Mode::Single => self.single(urls),
            Mode::Cluster => self.cluster(urls),
            Mode::Sentinel => self.sentinel(urls),
        };
        self.login(mode, says_user, from_urls);
        self.duration("timeout", "redis.connect_timeout");
        self.retries(mode);
        self.protocol(mode);
        let replicas = self.name("readFromReplicas", "read-from-replicas");
        match mode {
            Mode::Cluster | Mode::Sentinel => {
                if let Some(read) = self.transfer.flag(replicas) {
                    self.transfer.read_from_replicas(replicas, read);
                }
            }
            Mode::Single => self.transfer.skip(replicas, "no profile is ever read"),
        }
        let pool = "there is no pool: each lane keeps its connections";
        for (new, old) in [
            ("poolMaxConnections", "pool.max-connections"),
            ("poolTimeoutCreate", "pool.create-timeout"),
            ("poolTimeoutWait", "pool.wait-timeout"),
            ("poolTimeoutRecycle", "pool.recycle-timeout"),
        ] {
            let name = self.name(new, old);
            self.transfer.skip(name, pool);
        }
        Ok(())
    }

    fn name(&self, since_0_16: &'static str, before: &'static str) -> &'static str {
        if self.is_json { since_0_16 } else { before }
    }

    fn mode(&mut self) -> Result<Mode, String> {
        let (name, word) = if self.is_json {
            ("@type", self.transfer.text("@type"))
        } else {
            let redis_type = self.transfer.text("redis-type");
            self.transfer.take("type");
            (if redis_type.is_some() { "type, redis-type" } else { "type" }, redis_type)
        };
        let (mode, ours) = match word.as_deref() {
            None | Some("single" | "Redis") => (Mode::Single, "standalone"),
            Some("cluster" | "RedisCluster") => (Mode::Cluster, "cluster"),
            Some("RedisSentinel") => (Mode::Sentinel, "sentinel"),
            Some(_) => return Err(format!("{name} is of no kind that is known")),
        };
        self.transfer.map(name, "redis.mode", ours);
        Ok(mode)
    }

    fn single(&mut self, name: &str) -> Option<RedisUrl> {
        let Some(typed) = self.transfer.text(name) else {
            self.transfer.draft.set_default("redis.url", "redis://127.0.0.1", "url is missing");
            return None;
        };
        let (text, dropped) = known_options(&typed);
        let mut url = self.transfer.or_fail(name, RedisUrl::parse(&text))?;
        let text = match text.split_once("://") {
            // A user name without a password logs nobody in.
            Some((scheme, rest)) if url.username.is_some() && url.password.is_none() => {
                url.username = None;
                format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, rest)| rest))
            }
            _ => text,
        };
        self.transfer.mapped(
            name,
            "redis.url",
            if dropped { "without options that have no meaning here" } else { "" },
        );
        self.transfer.draft.set_and_tell("redis.url", text, url.password.is_some());
        None
    }

    /// The first URL, whose login and TLS are those of all nodes.
    fn cluster(&mut self, name: &str) -> Option<RedisUrl> {
        let (first, nodes) = self.urls(name)?;
        self.transfer.draft.set("redis.nodes", list(&nodes));
        let shared = first.tls || first.password.is_some();
        self.transfer.mapped(
            name,
            "redis.nodes",
            if shared { "login and TLS of the first hold for all" } else { "" },
        );
        self.tls(&first, &["redis.tls"]);
        Some(first)
    }

    fn sentinel(&mut self, name: &str) -> Option<RedisUrl> {
        let default = || ServerAddress::new("127.0.0.1", 26379).expect("an address");
        if let Some((first, nodes)) = if self.transfer.has(name) { self.urls(name) } else { None } {
            self.transfer.draft.set("redis.sentinel.nodes", list(&nodes));
            let detail = if first.tls {
                "addresses, and TLS to sentinels and to the master"
            } else {
                "only their addresses"
            };
            self.transfer.mapped(name, "redis.sentinel.nodes", detail);
            self.tls(&first, &["redis.tls", "redis.sentinel.tls"]);
        } else {
            self.transfer.draft.set_default(
                "redis.sentinel.nodes",
                list(&[default()]),
                "urls is missing",
            );
        }
        match self.transfer.text("serviceName") {
            Some(master) => self.transfer.map("serviceName", "redis.sentinel.master", master),
            None => self.transfer.draft.set_default(
                "redis.sentinel.master",
                "mymaster",
                "serviceName is missing",
            ),
        }
        if self.secret("sentinelSecret", "redis.sentinel.password") {
            self.transfer.map_text("sentinelUsername", "redis.sentinel.username");
        } else {
            self.transfer.skip("sentinelUsername", "there is no sentinelSecret, so nobody logs in");
        }
        None
    }

    /// A list, or a table whose keys are the entries.
    fn urls(&mut self, name: &str) -> Option<(RedisUrl, Vec<ServerAddress>)> {
        let texts: Vec<String> = match self.transfer.take(name) {
            Some(Value::Array(items)) => {
                items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
            }
            Some(Value::Object(items)) => items.keys().cloned().collect(),
            Some(Value::String(text)) => vec![text],
            Some(_) => Vec::new(),
            None => {
                let default = list(&[ServerAddress::new("127.0.0.1", 6379).expect("an address")]);
                self.transfer.draft.set_default("redis.nodes", default, "urls is missing");
                return None;
            }
        };
        let urls = texts
            .iter()
            .map(|text| RedisUrl::parse(&known_options(text).0))
            .collect::<Result<Vec<_>, _>>();
        let urls = self.transfer.or_fail(name, urls)?;
        let mut nodes: Vec<ServerAddress> = Vec::new();
        for url in &urls {
            let Place::Tcp { host, port } = &url.place else {
                self.transfer.fail(name, "a unix socket cannot be one of several servers");
                return None;
            };
            // Without a port it is Redis's, for sentinels too.
            let node =
                self.transfer.or_fail(name, ServerAddress::new(host, port.unwrap_or(6379)))?;
            if !nodes.contains(&node) {
                nodes.push(node);
            }
        }
        let first = urls.into_iter().next();
        if first.is_none() {
            self.transfer.fail(name, "lists no server");
        }
        Some((first?, nodes))
    }

    fn tls(&mut self, url: &RedisUrl, tables: &[&str]) {
        for table in tables.iter().filter(|_| url.tls) {
            self.transfer.draft.set(&format!("{table}.enabled"), true);
            if url.insecure {
                self.transfer.draft.set(&format!("{table}.skip_verify"), true);
            }
        }
    }

    fn login(&mut self, mode: Mode, says_user: bool, from_urls: Option<RedisUrl>) {
        let (user, secret) =
            (self.name("authUsername", "user"), self.name("authSecret", "password"));
        if mode == Mode::Single {
            let why = "with one server Stalwart takes the login from url";
            return self.transfer.skip_all(&[(user, why), (secret, why)]);
        }
        if self.secret(secret, "redis.password") {
            if self.is_json && !says_user {
                return self.transfer.draft.set_default(
                    "redis.username",
                    "stalwart",
                    "authUsername is missing",
                );
            }
            return self.transfer.map_text(user, "redis.username");
        }
        self.transfer.skip(user, "there is no secret beside it, so nobody logs in");
        let Some((username, password)) =
            from_urls.and_then(|url| Some((url.username, url.password?)))
        else {
            return;
        };
        let password = password.expose_secret().to_owned();
        self.transfer.draft.set_secret("redis.password", password);
        if let Some(username) = username {
            self.transfer.draft.set("redis.username", username);
        }
    }

    /// A secret in place, of a variable or of a file; whether there is one.
    fn secret(&mut self, name: &str, key: &str) -> bool {
        let Some(value) = self.transfer.take(name) else { return false };
        let word = |part| value.get(part).and_then(Value::as_str);
        let (text, file) = match (&value, word("@type")) {
            (Value::String(text), _) => {
                match text.strip_prefix("%{file:").and_then(|rest| rest.strip_suffix("}%")) {
                    Some(path) => (None, Some(path)),
                    None => (Some(text.clone()), None),
                }
            }
            (_, Some("None")) => {
                self.transfer.idle(name, "none");
                return false;
            }
            (_, Some("Value" | "Text")) => {
                (word("secret").or_else(|| word("value")).map(str::to_owned), None)
            }
            (_, Some("File")) => (None, word("filePath")),
            (_, Some("EnvironmentVariable")) => {
                let variable = word("variableName").unwrap_or_default();
                let Some(text) = (self.variable)(variable) else {
                    self.transfer.fail(name, unset(variable));
                    return false;
                };
                (Some(text), None)
            }
            _ => (None, None),
        };
        match (text, file) {
            (Some(text), _) => {
                self.transfer.draft.set_secret(key, text);
                self.transfer.mapped(name, key, "");
            }
            (None, Some(path)) => self.transfer.map(name, &format!("{key}_file"), path),
            (None, None) => {
                self.transfer.fail(name, "is no secret of a form that is known");
                return false;
            }
        }
        true
    }

    fn protocol(&mut self, mode: Mode) {
        let name = self.name("protocolVersion", "protocol-version");
        if mode == Mode::Single {
            return self
                .transfer
                .skip(name, "with one server Stalwart takes the protocol from url");
        }
        if let Some(version) = self.transfer.text(name) {
            let resp3 = version.eq_ignore_ascii_case("resp3");
            self.transfer.map(name, "redis.protocol", if resp3 { 3 } else { 2 });
        }
    }

    fn retries(&mut self, mode: Mode) {
        let total = self.name("maxRetries", "retry.total");
        let (min, max) = (
            self.name("minRetryWait", "retry.min-wait"),
            self.name("maxRetryWait", "retry.max-wait"),
        );
        if mode != Mode::Cluster {
            return [total, min, max]
                .iter()
                .for_each(|name| self.transfer.skip(name, "Stalwart uses it only with a cluster"));
        }
        self.transfer
            .map_retries(total, &["redis.cluster.max_redirections", "delivery.retry_count"]);
        let has_min = self.transfer.has(min);
        self.duration(min, "delivery.retry_min");
        let longest = self.duration(max, "delivery.retry_max");
        if let Some(longest) = longest.filter(|longest| !has_min && *longest < RETRY_MIN) {
            let text = print_duration(&longest);
            self.transfer.draft.set_default("delivery.retry_min", text, "not above retry_max");
        }
    }

    /// A number of milliseconds, or a text such as `10s`.
    fn duration(&mut self, name: &str, key: &str) -> Option<Duration> {
        let text = self.transfer.text(name)?;
        let parsed = match text.trim().parse() {
            Ok(millis) => Ok(Duration::from_millis(millis)),
            Err(_) => parse_duration(&text),
        };
        let duration = self.transfer.or_fail(name, parsed)?;
        self.transfer.map_duration(name, key, duration);
        Some(duration)
    }
}

/// The URL in a form that this program reads, and whether something was left out.
fn known_options(text: &str) -> (String, bool) {
    let text = text.replacen("valkey+unix://", "unix://", 1);
    let (url, fragment) =
        text.split_once('#').map_or((text.as_str(), ""), |(url, fragment)| (url, fragment));
    let fragment = if fragment.is_empty() { String::new() } else { format!("#{fragment}") };
    let Some((place, query)) = url.split_once('?') else { return (text, false) };
    let is_socket = place.split("://").next().is_some_and(|scheme| scheme.ends_with("unix"));
    let names =
        if is_socket { &["protocol=", "db=", "user=", "pass="][..] } else { &["protocol="] };
    let known = |option: &&str| names.iter().any(|name| option.starts_with(name));
    let options: Vec<_> = query.split('&').collect();
    let kept: Vec<_> = options.iter().copied().filter(known).collect();
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    (format!("{place}{query}{fragment}"), kept.len() < options.len())
}
