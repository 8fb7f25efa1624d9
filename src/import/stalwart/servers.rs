//! Where the servers are: `url`, or `urls` whose first has the login and TLS of all.

use serde_json::Value;

use super::store::StalwartStore;
use crate::config::{RedisUrl, UrlAddress};
use crate::import::address::{ServerAddress, list};

pub(super) fn single(store: &mut StalwartStore<'_>, name: &str) -> Option<RedisUrl> {
    let Some(typed) = store.transfer.text(name) else {
        store.transfer.draft.set_default("redis.url", "redis://127.0.0.1", "url is missing");
        return None;
    };
    let (text, dropped) = known_options(&typed);
    let mut url = store.transfer.or_fail(name, RedisUrl::parse(&text))?;
    let text = match text.split_once("://") {
        // A user name without a password logs nobody in.
        Some((scheme, rest)) if url.username.is_some() && url.password.is_none() => {
            url.username = None;
            format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, rest)| rest))
        }
        _ => text,
    };
    store.transfer.mapped(
        name,
        "redis.url",
        if dropped { "without options that have no meaning here" } else { "" },
    );
    store.transfer.draft.set_and_tell("redis.url", text, url.password.is_some());
    None
}

/// The first URL, whose login and TLS are those of all nodes.
pub(super) fn cluster(store: &mut StalwartStore<'_>, name: &str) -> Option<RedisUrl> {
    let (first, nodes) = urls(store, name)?;
    store.transfer.draft.set("redis.nodes", list(&nodes));
    let shared = first.tls || first.password.is_some();
    store.transfer.mapped(
        name,
        "redis.nodes",
        if shared { "login and TLS of the first hold for all" } else { "" },
    );
    tls(store, &first, &["redis.tls"]);
    Some(first)
}

pub(super) fn sentinel(store: &mut StalwartStore<'_>, name: &str) -> Option<RedisUrl> {
    let default = || ServerAddress::new("127.0.0.1", 26379).expect("an address");
    if let Some((first, nodes)) = if store.transfer.has(name) { urls(store, name) } else { None } {
        store.transfer.draft.set("redis.sentinel.nodes", list(&nodes));
        let detail = if first.tls {
            "addresses, and TLS to sentinels and to the master"
        } else {
            "only their addresses"
        };
        store.transfer.mapped(name, "redis.sentinel.nodes", detail);
        tls(store, &first, &["redis.tls", "redis.sentinel.tls"]);
    } else {
        store.transfer.draft.set_default(
            "redis.sentinel.nodes",
            list(&[default()]),
            "urls is missing",
        );
    }
    match store.transfer.text("serviceName") {
        Some(master) => store.transfer.map("serviceName", "redis.sentinel.master", master),
        None => store.transfer.draft.set_default(
            "redis.sentinel.master",
            "mymaster",
            "serviceName is missing",
        ),
    }
    if store.secret("sentinelSecret", "redis.sentinel.password") {
        store.transfer.map_text("sentinelUsername", "redis.sentinel.username");
    } else {
        store.transfer.skip("sentinelUsername", "there is no sentinelSecret, so there is no login");
    }
    None
}

/// A list, or a table whose keys are the entries.
fn urls(store: &mut StalwartStore<'_>, name: &str) -> Option<(RedisUrl, Vec<ServerAddress>)> {
    let texts: Vec<String> = match store.transfer.take(name) {
        Some(Value::Array(items)) => {
            items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
        }
        Some(Value::Object(items)) => items.keys().cloned().collect(),
        Some(Value::String(text)) => vec![text],
        Some(_) => Vec::new(),
        None => {
            let default = list(&[ServerAddress::new("127.0.0.1", 6379).expect("an address")]);
            store.transfer.draft.set_default("redis.nodes", default, "urls is missing");
            return None;
        }
    };
    let urls = texts
        .iter()
        .map(|text| RedisUrl::parse(&known_options(text).0))
        .collect::<Result<Vec<_>, _>>();
    let urls = store.transfer.or_fail(name, urls)?;
    let mut nodes: Vec<ServerAddress> = Vec::new();
    for url in &urls {
        let UrlAddress::Tcp { host, port } = &url.address else {
            store.transfer.fail(name, "a unix socket cannot be one of several servers");
            return None;
        };
        // Without a port it is Redis's, for sentinels too.
        let node = store.transfer.or_fail(name, ServerAddress::new(host, port.unwrap_or(6379)))?;
        if !nodes.contains(&node) {
            nodes.push(node);
        }
    }
    let first = urls.into_iter().next();
    if first.is_none() {
        store.transfer.fail(name, "lists no server");
    }
    Some((first?, nodes))
}

fn tls(store: &mut StalwartStore<'_>, url: &RedisUrl, tables: &[&str]) {
    for table in tables.iter().filter(|_| url.tls) {
        store.transfer.draft.set(&format!("{table}.enabled"), true);
        if url.insecure {
            store.transfer.draft.set(&format!("{table}.skip_verify"), true);
        }
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
