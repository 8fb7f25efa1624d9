//! From files, variables and flags to a valid [`Config`].
//!
//! [`load`] lays them over each other and checks each key against the schema (`engine`), reads the
//! result into the typed sections, with their defaults, and resolves each section to what is valid
//! (`sections`). Everything that is wrong is gathered on the way and reported at once
//! ([`ConfigErrors`]).

mod documentation;
mod engine;
mod reloadable;
mod sections;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::event::{DocumentRules, KeyRules, ProfileRules, Rules};

pub use crate::profile::{
    Entities, FieldTtl, JsonNulls, JsonTraits, KeyTemplate, NewestWins, Nulls, Prefix, Profile,
    ProfileMode, Store, Tombstones, TtlMode,
};
pub use documentation::{default_file, reference};
pub use engine::effective_keys::{ChangedKey, EffectiveKeys};
pub use engine::host::host_port;
pub use engine::layers::{ConfigArgs, SettingsLayer};
pub use engine::quotable::quotable;
pub use engine::report::{ConfigError, ConfigErrors};
pub use engine::secrets::{content_hash, read_secret, without_newline};
pub use sections::admin::{Admin, TapMode};
pub use sections::dead_letter::{Breaker, DeadLetter};
pub use sections::deletion::{Deletion, DeletionApi};
pub use sections::delivery::Delivery;
pub use sections::http::{Http, WriteKey};
pub use sections::kafka::{Kafka, KafkaClient, Librdkafka, OffsetReset, Sasl, token_url_error};
pub use sections::log::{Log, LogFormat, LogLevel, UserIds};
pub use sections::prefix::parse_prefix;
pub use sections::raw::schema;
pub use sections::redis::{
    Address, Cluster, Durability, Handshake, Local, Login, Mode, NatMap, Node, OwnServer, Password,
    PrimaryReplicas, Protocol, Redis, Sentinel, Shard, Tcp, program_name,
};
pub use sections::reload::Reload;
pub use sections::tls::{Pem, Tls};

pub(crate) use engine::host::{host_name, split_port};
pub(crate) use engine::long_span::print_long_duration;
pub(crate) use engine::tree::{syntax_error, to_json};
pub(crate) use engine::units::{parse_duration, print_duration};
pub(crate) use sections::redis::url::{RedisUrl, UrlAddress};

use engine::layers;
use engine::report::ConfigReport;
use engine::units::{Size, print_size};
use sections::raw::{Raw, key_kinds};
use sections::{data_dir, keys, redis, tls};

/// A valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where dead letters live.
    pub data_dir: PathBuf,
    pub http: Option<Http>,
    pub kafka: Option<Kafka>,
    /// When the Kafka source stops by itself.
    pub breaker: Breaker,
    pub redis: Redis,
    pub profile: Profile,
    /// `None`: off.
    pub deletion: Option<Deletion>,
    pub rules: Rules,
    pub delivery: Delivery,
    pub dead_letter: DeadLetter,
    pub admin: Admin,
    pub log: Log,
    pub reload: Reload,
}

impl Config {
    /// Whether a Kafka record without a value deletes its user; also where `[deletion]` is on, for
    /// dead letters of such records.
    fn tombstones_delete(&self) -> bool {
        let by_kafka = |kafka: &Kafka| kafka.tombstones == Tombstones::Delete;
        self.deletion.is_some() || self.kafka.as_ref().is_some_and(by_kafka)
    }
}

/// A valid configuration, and what to say about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    /// Warnings about valid settings, one line each, without secrets.
    pub warnings: Vec<String>,
    /// PEM files that are read when connecting: the key, with where it was given, and the path.
    pub pem_files: Vec<(String, PathBuf)>,
    effective: Raw,
    keys: EffectiveKeys,
}

impl Loaded {
    /// The effective configuration as TOML, with `***` for every secret.
    pub fn to_toml(&self) -> String {
        toml::to_string(&self.effective).expect("plain tables of texts, numbers and lists")
    }

    /// The files that keys name, by key.
    pub fn files(&self) -> Vec<(String, PathBuf)> {
        self.keys.files().map(|(key, file)| (key.to_owned(), file.into())).collect()
    }

    /// All keys, with what their files hold now: to be compared with those of a later load.
    pub fn keys(&self) -> EffectiveKeys {
        self.files().into_iter().fold(self.keys.clone(), |keys, (key, file)| {
            keys.with_content(&key, content_hash(&file))
        })
    }
}

/// Reads, lays over each other and checks everything that `args` names.
///
/// # Errors
/// All unknown keys, wrong values and broken rules at once, each with its key and where it was
/// given.
pub fn load(args: &ConfigArgs) -> Result<Loaded, ConfigErrors> {
    let mut report = ConfigReport::default();
    // With no file at all the HTTP source is on.
    let base = if args.files.is_empty() { json!({ "http": {} }) } else { json!({}) };
    let base = base.as_object().cloned().unwrap_or_default();
    let kinds = key_kinds();
    let typed = Value::Object(layers::gather(args, &kinds, base, &mut report));
    let raw: Raw =
        serde_json::from_value(typed.clone()).expect("every value was checked against the schema");
    let config = resolve(&raw, args, &mut report);
    let pem_files = pem_files(&config, &report);
    let warnings = report.finish()?;
    let effective = effective(raw, &config);
    let keys = EffectiveKeys::new(&kinds, &json!(effective), &typed);
    Ok(Loaded { config, warnings, pem_files, effective, keys })
}

fn resolve(raw: &Raw, args: &ConfigArgs, report: &mut ConfigReport) -> Config {
    let data_dir =
        raw.data_dir.clone().or_else(|| data_dir::default(&args.environment)).unwrap_or_else(
            || {
                report.error(
                    "data_dir",
                    "no $STATE_DIRECTORY, $XDG_STATE_HOME or $HOME to put it in: set data_dir",
                );
                PathBuf::new()
            },
        );
    let kafka = raw.kafka.as_ref().map(|kafka| kafka.resolve(report));
    if kafka.is_none() {
        Breaker::without_kafka(report);
    }
    let redis = redis::resolve(&raw.redis, &data_dir, report);
    let http = raw.http.as_ref().map(|http| http.resolve(report));
    let profile = raw.profile.resolve(report);
    let deletion = raw
        .deletion
        .as_ref()
        .and_then(|deletion| deletion.resolve(&redis.prefix_rule, http.as_ref(), &profile, report));
    let mut config = Config {
        http,
        profile,
        deletion,
        breaker: raw.dead_letter.breaker.unwrap_or_default(),
        rules: raw.transform.resolve(raw.delivery.max_in_flight, report),
        delivery: raw.delivery.clone().resolve(&redis.mode, report),
        redis,
        dead_letter: raw.dead_letter.resolve(&data_dir, kafka.as_ref(), report),
        kafka,
        admin: raw.admin.clone(),
        log: raw.log.clone(),
        reload: raw.reload.clone(),
        data_dir,
    };
    config.rules.documents = DocumentRules::of(&config.profile);
    config.rules.entities = config.profile.entities.clone();
    config.rules.keys =
        KeyRules { user: config.redis.key.clone(), group: config.redis.group_key.clone() };
    config.rules.profile = ProfileRules::of(&config.profile);
    config.rules.deletion_event =
        config.deletion.as_ref().and_then(|deletion| deletion.event.clone());
    config.rules.tombstones_delete = config.tombstones_delete();
    if let (Some(kafka), DeadLetter::Kafka { client, topic }) =
        (&mut config.kafka, &config.dead_letter)
        && kafka.client.bootstrap_servers == client.bootstrap_servers
    {
        kafka.dead_letters = Some(topic.clone());
    }
    config.admin.check(report);
    across_sections(raw, &config, report);
    config
}

/// Rules between sections.
fn across_sections(raw: &Raw, config: &Config, report: &mut ConfigReport) {
    if cfg!(not(feature = "kafka")) {
        let letters =
            matches!(config.dead_letter, DeadLetter::Kafka { .. }).then_some("dead_letter.to");
        for key in config.kafka.iter().map(|_| "kafka").chain(letters) {
            report.error(key, "this program was built without Kafka (cargo feature \"kafka\")");
        }
    }
    let is_embedded = matches!(config.redis.mode.own_server(), Some(OwnServer::Embedded(_)));
    if is_embedded && config.profile.store == Store::Json {
        let mode = report.place("redis.mode");
        report.error(
            "profile.store",
            format_args!(
                "\"json\" does not go with {mode} = \"embedded\": the embedded store keeps hashes, \
                 and no documents"
            ),
        );
    }
    if config.kafka.as_ref().is_some_and(|kafka| !kafka.failover_replay.is_zero()) {
        if is_embedded {
            report.error(
                "kafka.failover_replay",
                "has no effect with redis.mode = \"embedded\", which keeps nothing",
            );
        }
        if config.redis.handshake == Handshake::Minimal {
            let why = "has no effect with redis.handshake = \"minimal\", which does not ask \
                whether the server is another";
            report.error("kafka.failover_replay", why);
        }
    }
    let Config { redis, http, deletion, .. } = config;
    keys::check(redis, http.as_ref(), deletion.as_ref(), report);
    if let Some(http) = &raw.http {
        let event = deletion.as_ref().and_then(|deletion| deletion.event.as_deref());
        http.check_may_delete(event, report);
    }
    config.admin.exposure().into_iter().for_each(|warning| report.warn(warning));
    let in_flight = Size(raw.delivery.max_in_flight as u64);
    let bodies = raw.http.as_ref().map(|http| ("http.max_body", http.max_body));
    for (key, size) in bodies.into_iter().chain([("transform.max_event", raw.transform.max_event)])
    {
        let limit = ("delivery.max_in_flight", print_size(&in_flight.0));
        report.ordered((key, print_size(&size.0)), limit, size <= in_flight);
    }
    let store = config.redis.mode.own_server().map(OwnServer::listens);
    let http = http.as_ref().map(|http| ("http.listen", http.listen));
    let api = deletion.as_ref().and_then(|deletion| deletion.api.as_ref());
    let api = api.map(|api| ("deletion.listen", api.listen));
    let admin = [("admin.listen", config.admin.listen)];
    let listeners: Vec<_> = http.into_iter().chain(store).chain(api).chain(admin).collect();
    for (n, (key, listen)) in listeners.iter().enumerate() {
        if let Some((other, _)) =
            listeners[..n].iter().find(|(_, other)| other == listen && listen.port() != 0)
        {
            let other = report.place(other);
            report.error(key, format_args!("{listen} is taken by {other}"));
        }
    }
}

/// The keys of all PEM files, where they were given, and the paths.
fn pem_files(config: &Config, report: &ConfigReport) -> Vec<(String, PathBuf)> {
    let redis = config.redis.tls.iter().flat_map(|tls| tls::REDIS.files(tls));
    let sentinel =
        config.redis.mode.sentinel_tls().into_iter().flat_map(|tls| tls::SENTINEL.files(tls));
    let kafka = config
        .kafka
        .iter()
        .filter_map(|kafka| kafka.client.tls.as_ref())
        .flat_map(|tls| tls::KAFKA.files(tls));
    redis
        .chain(sentinel)
        .chain(kafka)
        .map(|(key, path)| (report.place(key), path.clone()))
        .collect()
}

/// The typed keys, with the values that were decided for those that were left out.
fn effective(raw: Raw, config: &Config) -> Raw {
    Raw {
        data_dir: Some(config.data_dir.clone()),
        redis: redis::effective(&raw.redis, &config.redis),
        deletion: raw
            .deletion
            .zip(config.deletion.as_ref())
            .map(|(deletion, valid)| deletion.effective(valid, config.profile.is_guarded())),
        profile: raw.profile.effective(&config.profile),
        delivery: config.delivery.clone(),
        transform: raw.transform.effective(&config.rules),
        dead_letter: raw.dead_letter.effective(&config.dead_letter, config.kafka.is_some()),
        ..raw
    }
}
