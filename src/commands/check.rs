//! `check`: is the configuration valid, and what would it do?

use std::path::PathBuf;
use std::process::ExitCode;

use crate::app;
use crate::cli::Options;
use crate::config::{
    Config, ConfigArgs, DeadLetter, Http, Kafka, KafkaClient, OffsetReset, Password, Pem, Redis,
    Sasl, Tls, program_name,
};
use crate::dead_letter::exposures;
use crate::import::rudderstack_layer;

use super::{connect, exit, profile_summary};

/// Validates offline; with `reach` also everything that the configuration will use.
pub(super) fn check(options: &Options, reach: bool, rudderstack: Option<PathBuf>) -> ExitCode {
    let settings = rudderstack.as_deref().map(rudderstack_layer);
    let args = ConfigArgs { settings, ..options.config_args() };
    let loaded = match exit::configured(&args) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let usable = exit::in_runtime(async {
        Ok(match app::faults(&loaded).await {
            faults if faults.is_empty() => ExitCode::SUCCESS,
            faults => exit::misconfigured(&faults),
        })
    });
    if usable != ExitCode::SUCCESS {
        return usable;
    }
    if !options.quiet() {
        let warnings = loaded.warnings.iter().cloned().chain(exposed(&loaded.config.dead_letter));
        warnings.for_each(|warning| exit::complain(&format!("warning: {warning}")));
        let printed = exit::print(&format!("{}configuration is valid\n", summary(&loaded.config)));
        if printed != ExitCode::SUCCESS {
            return printed;
        }
    }
    if reach { connect::connect(&loaded.config) } else { ExitCode::SUCCESS }
}

/// How other users may get at the dead letters.
fn exposed(dead_letter: &DeadLetter) -> Vec<String> {
    match dead_letter {
        DeadLetter::File { path, .. } => exposures(path),
        _ => Vec::new(),
    }
}

/// The effect of the configuration, one line for each part.
fn summary(config: &Config) -> String {
    let dead_letters = match &config.dead_letter {
        DeadLetter::File { path, max_size } => {
            format!("{}, up to {}", path.display(), bytesize::ByteSize(*max_size))
        }
        DeadLetter::Kafka { client, topic } => {
            format!("to the topic {topic:?} on {}", broker(client))
        }
        DeadLetter::Log => "LOST, their reasons are logged".to_owned(),
        DeadLetter::Discard => "LOST".to_owned(),
    };
    let mut sources: Vec<String> =
        config.http.iter().map(http).chain(config.kafka.iter().map(kafka)).collect();
    if sources.is_empty() {
        sources.push("none: `run` needs one, such as [http]".to_owned());
    }
    let lines = [
        ("redis", redis(&config.redis)),
        ("dead letters", dead_letters),
        ("admin", format!("http://{}/metrics, /live, /ready", config.admin.listen)),
    ];
    let replicas = "only `check --connect` reads from them; the worker itself only writes";
    let replicas = config.redis.read_from_replicas.then(|| ("replicas", replicas.to_owned()));
    let sources = sources.into_iter().map(|source| ("source", source));
    let [redis, lines @ ..] = lines;
    sources
        .chain([redis])
        .chain(profile_summary::lines(config))
        .chain(lines)
        .chain(replicas)
        .map(|(part, text)| format!("{part:<13} {text}\n"))
        .collect()
}

fn http(http: &Http) -> String {
    let keys = match http.write_keys.len() {
        0 => "no write key: anyone on this machine may write".to_owned(),
        1 => "1 write key".to_owned(),
        n => format!("{n} write keys"),
    };
    format!("http on {}, {keys}", http.listen)
}

fn kafka(kafka: &Kafka) -> String {
    let begin = match kafka.auto_offset_reset {
        OffsetReset::Earliest => "from the oldest record",
        OffsetReset::Latest => "from the next record",
        OffsetReset::Error => "only from committed offsets",
    };
    format!(
        "kafka topics {} as group {:?} {begin}, on {}",
        kafka.topics.join(", "),
        kafka.group_id,
        broker(&kafka.client)
    )
}

fn broker(client: &KafkaClient) -> String {
    let login = match &client.sasl {
        Some(Sasl::Password { mechanism, username, .. }) => {
            format!("{mechanism} as user {username:?}")
        }
        Some(Sasl::OAuthBearer { client_id, .. }) => format!("OAUTHBEARER as client {client_id:?}"),
        None => "without a login".to_owned(),
    };
    format!(
        "{}, {login}, {}",
        client.bootstrap_servers,
        client.tls.as_ref().map_or("no TLS".to_owned(), tls)
    )
}

fn redis(redis: &Redis) -> String {
    let node = redis.mode.in_words(|tls| tls.map_or("no TLS".to_owned(), self::tls));
    if redis.mode.own_server().is_some() {
        return node;
    }
    let login = match (&redis.username, &redis.password) {
        (Some(user), _) => format!("as user {user:?}"),
        (None, Some(Password::Command(words))) => {
            format!("with the password that {:?} prints", program_name(&words[0]))
        }
        (None, Some(_)) => "with a password".to_owned(),
        (None, None) => "without a password".to_owned(),
    };
    let database = match redis.mode.is_sharded() {
        // Each shard names its own database.
        true => String::new(),
        false => format!("database {}, ", redis.database),
    };
    format!("{node}, {database}{login}, {}", redis.tls.as_ref().map_or("no TLS".to_owned(), tls))
}

fn tls(tls: &Tls) -> String {
    let trust = match (&tls.ca, tls.skip_verify) {
        (_, true) => "TLS, certificates NOT verified".to_owned(),
        (Some(Pem::File(path)), false) => format!("TLS, trusting {}", path.display()),
        (Some(Pem::Inline(_, key)), false) => format!("TLS, trusting {key}"),
        (None, false) => "TLS, trusting the system's certificates".to_owned(),
    };
    let client = if tls.client.is_some() { ", with a client certificate" } else { "" };
    let name =
        tls.server_name.as_ref().map(|name| format!(", server name {name}")).unwrap_or_default();
    format!("{trust}{client}{name}")
}
