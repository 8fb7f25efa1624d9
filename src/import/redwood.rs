//! Redwood: `persistence.redis`, from a whole configuration, from `redis` or from what is inside.

use serde_json::Value;

use super::address::{ServerAddress, list};
use super::draft::Import;
use super::syntax::Table;
use super::transfer::{Transfer, leaves};

/// Names that occur only inside `persistence.redis`.
const INNER_NAMES: [&str; 5] = ["provider", "memurai", "password", "master", "replicas"];

pub(super) fn convert(mut root: Table) -> Result<Import, String> {
    let deployed = deployed(&mut root);
    let (settings, section, outside) = find(root)?;
    let mut redwood = Redwood(Transfer::new(settings));
    deployed.iter().for_each(|name| redwood.0.idle(name, "how Redwood deploys its Redis"));
    redwood.0.outside(&section, &outside);
    redwood.convert()?;
    Ok(redwood.0.finish())
}

/// Takes out what is for Redis's Helm chart: the paths.
fn deployed(root: &mut Table) -> Vec<String> {
    let mut paths = Vec::new();
    let charts = root
        .get_mut("deployment")
        .and_then(|deployment| deployment.get_mut("dependencies"))
        .and_then(Value::as_object_mut);
    if let Some(chart) = charts.and_then(|charts| charts.remove("redis")) {
        leaves(&chart, "deployment.dependencies.redis", &mut paths);
    }
    root.retain(|name, value| name != "deployment" || has_leaves(value));
    paths
}

fn has_leaves(value: &Value) -> bool {
    value.as_object().is_none_or(|table| table.values().any(has_leaves))
}

/// The settings, where they are, and what else there is.
fn find(mut root: Table) -> Result<(Table, String, Vec<String>), String> {
    let mut outside = Vec::new();
    let mut section = String::new();
    for name in ["persistence", "redis"] {
        match root.remove(name) {
            Some(Value::Object(inner)) => {
                let at = if section.is_empty() { String::new() } else { format!("{section}.") };
                outside.extend(root.keys().map(|other| format!("{at}{other}")));
                section = format!("{at}{name}");
                root = inner;
            }
            Some(_) => return Err(format!("\"{name}\" is not a table of settings")),
            None => (),
        }
    }
    if section.ends_with("redis") || INNER_NAMES.iter().any(|name| root.contains_key(*name)) {
        return Ok((root, section, outside));
    }
    Err("has no persistence.redis: there is nothing to import".into())
}

struct Redwood(Transfer);

impl Redwood {
    fn convert(&mut self) -> Result<(), String> {
        match self.0.text("provider").as_deref().map(str::trim) {
            Some("stub") => {
                self.0.map("provider", "redis.mode", "embedded");
                self.stub();
            }
            None => {
                self.0.draft.set_default(
                    "redis.mode",
                    "embedded",
                    "provider is missing, which means stub",
                );
                self.stub();
            }
            Some("memurai") => self.memurai(),
            Some("redis") => self.redis(),
            Some(_) => return Err("provider is none of stub, memurai, redis".into()),
        }
        Ok(())
    }

    fn stub(&mut self) {
        let why = "used only with the provider redis";
        self.0.skip_all(&[
            ("password", "the store in this process has none"),
            ("master", why),
            ("replicas", why),
        ]);
        self.0.skip("memurai", "used only with the provider memurai");
    }

    fn memurai(&mut self) {
        self.0.map("provider", "redis.mode", "local");
        match self.0.text("memurai.path") {
            Some(path) => self.0.map("memurai.path", "redis.local.binary", path),
            None => self.0.draft.set_default(
                "redis.local.binary",
                "memurai",
                "found in PATH, as memurai.path is missing",
            ),
        }
        self.0.skip("password", "the server that is started here has none");
        let why = "used only with the provider redis";
        self.0.skip_all(&[("master", why), ("replicas", why)]);
    }

    fn redis(&mut self) {
        let replicas = self.endpoints("replicas");
        let mode = if replicas.is_empty() { "standalone" } else { "primary_replicas" };
        self.0.map("provider", "redis.mode", mode);
        match &self.endpoints("master")[..] {
            [master] => {
                self.0.set_server(master);
                self.0.mapped("master", "redis.url", "");
            }
            [] => self.0.fail(
                "master",
                "is missing: Redwood sets it up inside Kubernetes; set \
                    redis.url to the master's address",
            ),
            _ => self.0.fail("master", "names several servers; keep one"),
        }
        if !replicas.is_empty() {
            self.0.map("replicas", "redis.replicas.nodes", list(&replicas));
        }
        if !self.0.has("password") {
            self.0.defaulted(
                "redis.password left out",
                "not given; Redwood's Kubernetes environment has one by default",
            );
        }
        self.0.map_secret("password", "redis.password");
        self.0.skip("memurai", "used only with the provider memurai");
    }

    /// One server or several: `{host, port}`, `host:port` or a list of them.
    fn endpoints(&mut self, name: &str) -> Vec<ServerAddress> {
        let Some(value) = self.0.take(name) else { return Vec::new() };
        let entries = match value {
            Value::Array(entries) => entries,
            one => vec![one],
        };
        let is_list = entries.len() > 1;
        let mut nodes = Vec::new();
        for (n, entry) in entries.into_iter().enumerate() {
            let at = if is_list { format!("{name}[{n}]") } else { name.to_owned() };
            let node = match entry {
                Value::String(text) if text.trim().is_empty() => continue,
                Value::String(text) => ServerAddress::parse(&text, Some(6379)),
                Value::Object(table) if table.is_empty() => continue,
                Value::Object(table) => self.endpoint(&at, table),
                _ => Err("is not a server".into()),
            };
            nodes.extend(self.0.or_fail(&at, node));
        }
        nodes
    }

    fn endpoint(&mut self, at: &str, mut table: Table) -> Result<ServerAddress, String> {
        let mut text = |name: &str| match table.remove(name) {
            Some(Value::String(text)) => Some(text),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let (host, port) = (text("host"), text("port"));
        for name in table.keys() {
            self.0.unknown(&format!("{at}.{name}"));
        }
        let host = host.ok_or("has no host")?;
        ServerAddress::parse(&format!("{host}:{}", port.as_deref().unwrap_or("6379")), None)
    }
}
