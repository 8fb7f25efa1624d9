//! Environment variables that look like keys and are none: `TRAITSINK_REDIS_URL`, with one
//! underscore. Pure.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::kinds::Kind;

/// A warning for each variable that would be a key if its underscores were doubled. What Kubernetes
/// injects for services is none, such as TRAITSINK_REDIS_PORT for one that is called
/// traitsink-redis. No value is shown.
pub(crate) fn ignored(root: &Kind, environment: &BTreeMap<OsString, OsString>) -> Vec<String> {
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
            None | Some(Kind::Table(_)) => None,
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
fn property(root: &Kind, known: &[String], key: &str) -> Option<String> {
    known.iter().filter(|path| matches!(root.at(path), Some(Kind::Map(_)))).find_map(|path| {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ignored_of(name: &str, value: &str) -> Vec<String> {
        ignored(&Kind::root(), &[(name.into(), value.into())].into())
    }

    #[test]
    fn the_right_name_is_told_and_the_value_is_not() {
        for (name, key, right) in [
            ("TRAITSINK_REDIS_URL", "redis.url", "TRAITSINK_REDIS__URL"),
            ("TRAITSINK_REDIS_PASSWORD", "redis.password", "TRAITSINK_REDIS__PASSWORD"),
            ("TRAITSINK_REDIS_PORT", "redis.port", "TRAITSINK_REDIS__PORT"),
            ("TRAITSINK_HTTP_MAX_BODY", "http.max_body", "TRAITSINK_HTTP__MAX_BODY"),
            ("TRAITSINK_REDIS_TLS_CA_FILE", "redis.tls.ca_file", "TRAITSINK_REDIS__TLS__CA_FILE"),
            ("TRAITSINK_DATA_DIR", "data_dir", "TRAITSINK__DATA_DIR"),
            (
                "TRAITSINK_KAFKA_LIBRDKAFKA_CLIENT_RACK",
                "kafka.librdkafka.client.rack",
                "TRAITSINK_KAFKA__LIBRDKAFKA__CLIENT__RACK",
            ),
        ] {
            let told = format!(
                "variable {name} is ignored: for {key} write {right}, two underscores for each dot"
            );
            assert_eq!(ignored_of(name, "canary"), [told], "{name}");
        }
    }

    #[test]
    fn services_and_other_names_are_left_alone() {
        for (name, value) in [
            ("TRAITSINK_REDIS_PORT", "tcp://10.0.0.1:6379"),
            ("TRAITSINK_ADMIN_LISTEN", "udp://10.0.0.1:1"),
            ("TRAITSINK_REDIS_URL", ""),
            ("TRAITSINK_SERVICE_HOST", "10.0.0.1"),
            ("TRAITSINK_SERVICE_PORT", "8080"),
            ("TRAITSINK_PORT", "tcp://10.0.0.1:8080"),
            ("TRAITSINK_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("TRAITSINK_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("TRAITSINK_REDIS_SERVICE_HOST", "10.0.0.1"),
            ("TRAITSINK_REDIS_PORT_6379_TCP_PORT", "6379"),
            ("TRAITSINK_REDIS", "x"),
            ("TRAITSINK_REDIS__URL", "redis://h"),
            ("TRAITSINK_VERSION", "1"),
            ("REDIS_URL", "redis://h"),
        ] {
            assert_eq!(ignored_of(name, value), Vec::<String>::new(), "{name}={value}");
        }
    }
}
