//! The whole configuration as it is typed: every key is optional, unknown ones are refused; a
//! section's `Default` holds its defaults.

use std::path::PathBuf;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::admin::Admin;
use super::dead_letter::RawDeadLetter;
use super::deletion::RawDeletion;
use super::delivery::Delivery;
use super::http::RawHttp;
use super::kafka::RawKafka;
use super::log::Log;
use super::profile::RawProfile;
use super::redis::url::RedisUrl;
use super::redis::{RawRedis, parse_node};
use super::reload::Reload;
use super::transform::RawTransform;
use crate::config::engine::key_kind::{KeyKind, TextForm};

/// Configuration of traitsink. An empty text is the same as leaving the key out, but for
/// `redis.client_name`.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "traitsink")]
pub(crate) struct Raw {
    /// Where dead letters are kept. Default: systemd's state directory, else
    /// `$XDG_STATE_HOME/traitsink`, else `~/.local/state/traitsink`.
    pub(crate) data_dir: Option<PathBuf>,
    /// The HTTP source. Without this section it is off; with no configuration file at all it is on.
    pub(crate) http: Option<RawHttp>,
    pub(crate) kafka: Option<RawKafka>,
    pub(crate) redis: RawRedis,
    pub(crate) profile: RawProfile,
    pub(crate) deletion: Option<RawDeletion>,
    pub(crate) transform: RawTransform,
    pub(crate) delivery: Delivery,
    pub(crate) dead_letter: RawDeadLetter,
    pub(crate) admin: Admin,
    pub(crate) log: Log,
    pub(crate) reload: Reload,
}

/// Forms of text that sections define, by their `x-form`.
static FORMS: [TextForm; 2] = [
    TextForm {
        name: "redis_url",
        check: |text| RedisUrl::parse(text).map(drop),
        may_hold_secret: true,
    },
    TextForm { name: "node", check: |text| parse_node(text).map(drop), may_hold_secret: false },
];

/// The JSON schema of the configuration (draft 2020-12).
pub fn schema() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Raw>().to_value()
}

/// The kind of each key, read from the schema: editors and the program check the same.
pub(crate) fn key_kinds() -> KeyKind {
    KeyKind::of(&schema(), &FORMS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::engine::key_kind::Form;
    use crate::config::engine::variables::ignored;

    #[test]
    fn the_schema_names_forms_and_bounds() {
        let root = key_kinds();
        assert!(matches!(root.at("delivery.lanes"), Some(KeyKind::Integer { min: 1, max: 1024 })));
        assert!(matches!(root.at("redis.password"), Some(KeyKind::Text(Form::Secret))));
        let Some(KeyKind::Text(Form::Section(form))) = root.at("redis.url") else {
            panic!("redis.url has the form of a section")
        };
        assert_eq!(form.name, "redis_url");
        assert!(matches!(root.at("http.wait"), Some(KeyKind::Text(Form::Duration))));
        assert!(matches!(root.at("admin"), Some(KeyKind::Table(_))));
        let Some(KeyKind::Word(words)) = root.at("log.user_ids") else {
            panic!("log.user_ids takes words")
        };
        assert_eq!(words, &["hashed", "plain"]);
        assert!(root.at("kafak").is_none());
    }

    #[test]
    fn all_below_a_map_is_of_the_map() {
        let root = key_kinds();
        assert!(matches!(root.at("kafka.librdkafka"), Some(KeyKind::Map(Form::Secret))));
        assert!(matches!(root.at("kafka.librdkafka.client.rack"), Some(KeyKind::Map(_))));
        assert!(matches!(
            root.at("dead_letter.breaker.ratio"),
            Some(KeyKind::Fraction { min: 0.0, max: 1.0 })
        ));
    }

    #[test]
    fn a_slip_finds_its_key() {
        let root = key_kinds();
        for (typed, meant) in [
            ("redis.ulr", "redis.url"),
            ("redis.passwrd", "redis.password"),
            ("htp", "http"),
            ("server_name", "redis.tls.server_name"),
            ("http.sources[].writekey", "http.sources[].write_key"),
            ("http.sources[].key", "http.sources[].write_key"),
            ("delivery.max_inflight", "delivery.max_in_flight"),
        ] {
            assert_eq!(root.nearest(typed), meant);
        }
    }

    fn ignored_of(name: &str, value: &str) -> Vec<String> {
        ignored(&key_kinds(), &[(name.into(), value.into())].into())
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
