//! RudderStack's Redis destination settings as the `[redis]` section.

use std::path::Path;

use serde_json::{Map, Value, json};

/// What the settings come to.
#[derive(Debug, PartialEq)]
pub(crate) struct Settings {
    /// `{"redis": {...}}`, as a file of ours would say it.
    pub(crate) tree: Value,
    pub(crate) warnings: Vec<String>,
}

/// Keys that mean nothing to a store: they choose where RudderStack runs.
const WITHOUT_MEANING: [&str; 3] = ["connectionMode", "connection_mode", "useNativeSDK"];

/// Reads a destination's settings: the bare `config` object, or the whole destination with `config`
/// inside.
pub(crate) fn read(path: &Path) -> Result<Settings, Vec<String>> {
    let text =
        std::fs::read_to_string(path).map_err(|error| vec![format!("cannot be read: {error}")])?;
    convert(&text)
}

/// Errors never quote a value that could be a secret.
fn convert(text: &str) -> Result<Settings, Vec<String>> {
    let whole: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| vec![error.to_string()])?;
    let inner = ["config", "Config"]
        .into_iter()
        .find_map(|name| whole.get(name).filter(|inner| inner.is_object()));
    let Some(config) = inner.unwrap_or(&whole).as_object() else {
        return Err(vec![
            "is neither a destination's settings object nor a destination with \"config\" inside"
                .into(),
        ]);
    };
    let mut settings =
        Reader { config, errors: Vec::new(), warnings: Vec::new(), used: Vec::new() };
    let tree = settings.tree();
    settings.warn_of_the_rest();
    if settings.errors.is_empty() {
        Ok(Settings { tree, warnings: settings.warnings })
    } else {
        Err(settings.errors)
    }
}

struct Reader<'a> {
    config: &'a Map<String, Value>,
    errors: Vec<String>,
    warnings: Vec<String>,
    used: Vec<String>,
}

impl<'a> Reader<'a> {
    fn tree(&mut self) -> Value {
        // Missing means a cluster, as in the original.
        let in_cluster = self.get("clusterMode").is_none() || self.flag("clusterMode");
        if !matches!(self.get("useJSONModule"), None | Some(Value::Null | Value::Bool(false))) {
            self.error(
                "\"useJSONModule\" is not built yet: set \"useJSONModule\": false to write hashes",
            );
        }
        let mut redis = if in_cluster { self.cluster() } else { self.single() };
        redis.insert("prefix".into(), json!(self.text("prefix")));
        let password = self.text("password");
        if !password.is_empty() {
            redis.insert("password".into(), json!(password));
        }
        redis.insert("tls".into(), self.tls());
        json!({ "redis": redis })
    }

    fn single(&mut self) -> Map<String, Value> {
        let address = self.text("address").trim();
        if address.contains(',') {
            self.error("\"address\" lists several servers, but \"clusterMode\" is false: keep one");
        }
        let (host, port) = self.server(address);
        let database = self.database();
        Map::from_iter([
            ("mode".to_owned(), json!("standalone")),
            ("host".to_owned(), json!(host)),
            ("port".to_owned(), json!(port)),
            ("database".to_owned(), json!(database)),
        ])
    }

    fn cluster(&mut self) -> Map<String, Value> {
        let servers: Vec<&str> = self.text("address").split(',').map(str::trim).collect();
        for server in &servers {
            self.server(server);
        }
        if self.database() != 0 {
            self.warnings.push("\"database\" is not used: a cluster has only database 0".into());
        }
        Map::from_iter([
            ("mode".to_owned(), json!("cluster")),
            ("nodes".to_owned(), json!(servers)),
        ])
    }

    fn server(&mut self, address: &str) -> (String, u16) {
        let split =
            address.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
        let port = split.and_then(|(_, port)| port.parse().ok()).filter(|port| *port > 0);
        match (split, port) {
            _ if address.is_empty() => self.error("\"address\" is missing: set it to host:port"),
            _ if address.contains(',') => {}
            (Some((host, _)), Some(port)) => return (host.to_owned(), port),
            _ => self.error(&format!(
                "\"address\" is {address:?}, which has no port: write \
                host:port, such as {address}:6379"
            )),
        }
        (String::new(), 0)
    }

    /// A missing or non-numeric database is 0, as in the original.
    fn database(&mut self) -> u32 {
        let typed = self.text("database");
        typed.parse().unwrap_or_else(|_| {
            if !typed.is_empty() {
                self.warnings.push(format!(
                    "\"database\" is {typed:?}, which is not a number: 0, as RudderStack reads it"
                ));
            }
            0
        })
    }

    fn tls(&mut self) -> Value {
        let (secure, skip_verify, ca) =
            (self.flag("secure"), self.flag("skipVerify"), self.text("caCertificate"));
        if !secure {
            if skip_verify || !ca.is_empty() {
                self.warnings.push(
                    "\"skipVerify\" and \"caCertificate\" change nothing without \"secure\": true"
                        .into(),
                );
            }
            return json!({ "enabled": false, "skip_verify": false });
        }
        let mut tls = json!({ "enabled": true, "skip_verify": skip_verify });
        if !ca.is_empty() {
            tls["ca_pem"] = json!(ca);
        }
        tls
    }

    /// Settings may be spelled `caCertificate` or, in RudderStack's CLI, `ca_certificate`.
    fn get(&mut self, name: &str) -> Option<&'a Value> {
        let snake = snake_case(name);
        let config = self.config;
        let value = config.get(name).or_else(|| config.get(&snake));
        self.used.extend([name.to_owned(), snake]);
        value
    }

    fn text(&mut self, name: &str) -> &'a str {
        match self.get(name) {
            None | Some(Value::Null) => "",
            Some(Value::String(text)) => text,
            Some(_) => {
                self.error(&format!(
                    "\"{name}\" must be a string, as in RudderStack's own settings"
                ));
                ""
            }
        }
    }

    fn flag(&mut self, name: &str) -> bool {
        match self.get(name) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(value)) => *value,
            Some(_) => {
                self.error(&format!("\"{name}\" must be true or false"));
                false
            }
        }
    }

    fn error(&mut self, text: &str) {
        self.errors.push(text.to_owned());
    }

    fn warn_of_the_rest(&mut self) {
        let rest = self
            .config
            .keys()
            .filter(|key| !self.used.contains(key) && !WITHOUT_MEANING.contains(&key.as_str()));
        let rest: Vec<_> = rest.map(|key| format!("\"{key}\"")).collect();
        if !rest.is_empty() {
            self.warnings.push(format!("not used here: {}", rest.join(", ")));
        }
    }
}

/// `useJSONModule` is `use_json_module`.
pub(crate) fn snake_case(name: &str) -> String {
    let mut out = String::new();
    let mut upper_before = false;
    for (n, c) in name.char_indices() {
        let lower_behind =
            name[n + c.len_utf8()..].starts_with(|next: char| next.is_ascii_lowercase());
        if c.is_ascii_uppercase() && (!upper_before || lower_behind) {
            out.push('_');
        }
        upper_before = c.is_ascii_uppercase();
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_cli_are_the_snake_case_twins() {
        for (camel, snake) in [
            ("address", "address"),
            ("clusterMode", "cluster_mode"),
            ("useJSONModule", "use_json_module"),
            ("caCertificate", "ca_certificate"),
            ("skipVerify", "skip_verify"),
        ] {
            assert_eq!(snake_case(camel), snake);
        }
    }

    #[test]
    fn all_errors_are_told_at_once_without_values() {
        let errors =
            convert(r#"{"password": 5, "address": "h", "secure": "yes", "useJSONModule": true}"#)
                .unwrap_err();
        let said = errors.join("\n");
        for part in ["\"useJSONModule\"", "\"h\", which has no port", "\"password\"", "\"secure\""]
        {
            assert!(said.contains(part), "{part} in {said}");
        }
        assert_eq!(errors.len(), 4);
    }
}
