//! The effective configuration of files, variables and flags.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret;
use tempfile::TempDir;
use traitsink::config::{
    Config, ConfigArgs, DeadLetter, Loaded, LogLevel, Password, default_file, load, schema,
};

use crate::harness::{address, tcp};

/// Layers of configuration as a user types them; a file is its name and its text.
#[derive(Default)]
pub(crate) struct Layers<'a> {
    pub(crate) files: &'a [(&'a str, &'a str)],
    pub(crate) variables: &'a [(&'a str, &'a str)],
    pub(crate) set: &'a [&'a str],
}

impl Layers<'_> {
    /// Loads the layers. Errors are lines, without the directory of the files.
    pub(crate) fn load(&self) -> Result<Loaded, Vec<String>> {
        let directory = TempDir::new().unwrap();
        let paths = self.files.iter().map(|(name, text)| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            path
        });
        let home = [("HOME", "/home/u")];
        let variables = self
            .variables
            .iter()
            .chain(&home)
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let args = ConfigArgs {
            files: paths.collect(),
            set: self.set.iter().map(ToString::to_string).collect(),
            environment: variables.collect(),
            ..ConfigArgs::default()
        };
        let place = format!("{}/", directory.path().display());
        load(&args).map_err(|errors| {
            errors.iter().map(|error| error.to_string().replace(&place, "")).collect()
        })
    }

    fn config(&self) -> Config {
        self.load().unwrap().config
    }

    pub(crate) fn errors(&self) -> Vec<String> {
        self.load().map(|loaded| loaded.to_toml()).unwrap_err()
    }
}

pub(crate) fn set(set: &[&str]) -> Result<Loaded, Vec<String>> {
    Layers { set, ..Layers::default() }.load()
}

pub(crate) fn file(text: &str) -> Result<Loaded, Vec<String>> {
    Layers { files: &[("a.toml", text)], ..Layers::default() }.load()
}

/// The text of a password that was typed in place.
pub(crate) fn typed(password: Option<Password>) -> String {
    match password {
        Some(Password::Fixed(password)) => password.expose_secret().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn later_layers_win_and_tables_merge() {
    let a = (
        "a.toml",
        "[redis]\nhost = \"a\"\nprefix = \"a\"\n[redis.tls]\nenabled = true\nserver_name = \"a\"",
    );
    let b = ("b.yaml", "redis:\n  prefix: b\n  tls: {server_name: b}\n");
    let c = ("c.json", r#"{"redis": {"prefix": "c", "client_name": "c"}}"#);
    let env: &[_] = &[("TRAITSINK_REDIS__PREFIX", "e")];
    for (files, variables, set, prefix) in [
        (&[a][..], &[][..], &[][..], "a"),
        (&[a, b], &[], &[], "b"),
        (&[b, a], &[], &[], "a"),
        (&[a, b, c], &[], &[], "c"),
        (&[a, b, c], env, &[], "e"),
        (&[a, b, c], env, &["redis.prefix=s"], "s"),
        (&[a, b, c], env, &["redis.prefix=s", "redis.prefix=t"], "t"),
        // An empty variable counts as unset; an empty flag resets the key.
        (&[a], &[("TRAITSINK_REDIS__PREFIX", "")], &[], "a"),
        (&[a], env, &["redis.prefix="], ""),
    ] {
        assert_eq!(Layers { files, variables, set }.config().redis.prefix, prefix);
    }
    let merged = Layers { files: &[a, b, c], ..Layers::default() }.config().redis;
    assert_eq!(address(&merged), tcp("a", 6379));
    assert_eq!(
        (merged.client_name.as_str(), merged.tls.unwrap().server_name.as_deref()),
        ("c", Some("b"))
    );
}

#[test]
fn values_keep_the_text_that_was_typed() {
    let password =
        |loaded: Result<Loaded, Vec<String>>| typed(loaded.unwrap().config.redis.password);
    for text in ["0123", "1e3", "true", "12", "1979-05-27", "[x", "a,b", " x "] {
        let variables = &[("TRAITSINK_REDIS__PASSWORD", text)];
        assert_eq!(password(Layers { variables, ..Layers::default() }.load()), text);
        assert_eq!(password(set(&[&format!("redis.password={text}")])), text);
    }
    assert_eq!(password(set(&["redis.password='quoted'"])), "quoted");
    assert_eq!(password(set(&["redis.password=a=b"])), "a=b");
}

#[test]
fn typed_keys_are_read_out_of_text() {
    let variables = &[
        ("TRAITSINK_DELIVERY__LANES", "8"),
        ("TRAITSINK_REDIS__TLS__ENABLED", "true"),
        ("TRAITSINK_HTTP__WRITE_KEYS", "a, b,c"),
        ("TRAITSINK_HTTP__WAIT", "1500ms"),
        ("TRAITSINK_HTTP__MAX_BODY", "1MiB"),
        ("TRAITSINK_LOG__LEVEL", "debug"),
        ("TRAITSINK__DATA_DIR", "/data"),
        // Kubernetes injects these variables for a service named traitsink. Variables of other
        // programs are ignored, too.
        ("TRAITSINK_PORT", "tcp://10.0.0.1:80"),
        ("TRAITSINK_SERVICE_HOST", "10.0.0.1"),
        ("OTHER_REDIS__URL", "redis://other"),
    ];
    let config = Layers { variables, ..Layers::default() }.config();
    let http = config.http.unwrap();
    let keys: Vec<_> = http.write_keys.iter().map(|key| key.key.expose_secret()).collect();
    assert_eq!(
        (config.delivery.lanes, config.redis.tls.is_some(), keys),
        (8, true, vec!["a", "b", "c"])
    );
    assert_eq!((http.wait, http.max_body), (Duration::from_millis(1500), 1 << 20));
    assert_eq!(
        (config.log.level, config.data_dir.as_path()),
        (LogLevel::Debug, Path::new("/data"))
    );
}

#[test]
fn an_update_takes_at_most_half_of_what_is_in_flight() {
    let max_update = |settings: &[&str]| set(settings).unwrap().config.rules.limits.max_update;
    assert_eq!(max_update(&[]), 2 << 20);
    assert_eq!(max_update(&["delivery.max_in_flight=3MiB", "http.max_body=3MiB"]), 3 << 19);
    assert_eq!(max_update(&["transform.max_update=16MiB"]), 16 << 20);
}

#[test]
fn http_is_off_in_a_file_without_it_and_on_without_a_file() {
    assert!(Layers::default().config().http.is_some());
    assert!(file("").unwrap().config.http.is_none());
    assert!(file("[http]").unwrap().config.http.is_some());
    assert!(
        Layers { files: &[("a.yaml", "http:\n")], ..Layers::default() }.config().http.is_some()
    );
    assert!(
        Layers { files: &[("a.toml", "")], set: &["http.wait=1s"], ..Layers::default() }
            .config()
            .http
            .is_some()
    );
}

#[test]
fn secrets_come_from_files() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("secret");
    fs::write(&path, "from file\n").unwrap();
    let at = path.display();
    let config = set(&[
        &format!("redis.password_file={at}"),
        &format!(
            "http.sources=[{{name=\"web\", write_key_file=\"{at}\", prefix=\" p \"}}, \
            {{write_key=\"k\"}}]"
        ),
    ])
    .unwrap()
    .config;
    let Some(Password::File { path: file, at_start }) = config.redis.password else {
        panic!("{:?}", config.redis.password)
    };
    assert_eq!((file.as_path(), at_start.expose_secret()), (path.as_path(), "from file"));
    let keys = config.http.unwrap().write_keys;
    let keys: Vec<_> = keys
        .iter()
        .map(|k| (k.name.as_str(), k.key.expose_secret(), k.prefix.as_deref()))
        .collect();
    assert_eq!(keys, [("web", "from file", Some("p")), ("source-2", "k", None)]);

    fs::write(&path, "k1\nk2\n").unwrap();
    let keys =
        set(&[&format!("http.write_keys_file={at}")]).unwrap().config.http.unwrap().write_keys;
    assert_eq!(keys.iter().map(|k| k.key.expose_secret()).collect::<Vec<_>>(), ["k1", "k2"]);
}

#[test]
fn a_password_comes_from_a_command() {
    for layers in [
        Layers {
            set: &["redis.password_command=[\"vault\", \"read\", \"a b\"]"],
            ..Layers::default()
        },
        Layers {
            variables: &[("TRAITSINK_REDIS__PASSWORD_COMMAND", "vault,read,a b")],
            ..Layers::default()
        },
        Layers {
            set: &["redis.url=redis://u@h", "redis.password_command=vault,read,a b"],
            ..Layers::default()
        },
    ] {
        let loaded = layers.load().unwrap();
        assert!(matches!(
            &loaded.config.redis.password,
            Some(Password::Command(words)) if words == &["vault", "read", "a b"]
        ));
        assert_eq!(file(&loaded.to_toml()).unwrap().to_toml(), loaded.to_toml());
        assert!(
            loaded.to_toml().contains("password_command = [\"vault\", \"***\", \"***\"]"),
            "{}",
            loaded.to_toml()
        );
    }
    assert!(set(&["redis.password_command=[]"]).unwrap().config.redis.password.is_none());
}

#[test]
fn the_default_file_is_the_defaults_and_names_every_key() {
    let text = default_file();
    let documented = file(&text).unwrap();
    let defaults = Layers::default().load().unwrap();
    assert_eq!(documented.to_toml(), defaults.to_toml());
    assert_eq!(format!("{:?}", documented.config), format!("{:?}", defaults.config));

    let mut table = String::new();
    let mut named = Vec::new();
    for line in text.lines().map(|line| line.trim_start_matches("# ")) {
        if let Some(header) = line.strip_prefix('[') {
            table = header.trim_start_matches('[').split(']').next().unwrap().to_owned();
            named.push(table.clone());
        } else if let Some((key, _)) = line.split_once(" = ") {
            named.push(if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") });
        }
    }
    let mut known = Vec::new();
    leaves(&schema(), String::new(), &mut known);
    assert!(known.len() > 50, "{known:?}");
    let missing: Vec<_> = known.iter().filter(|key| !named.contains(key)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The keys of a schema that take a value.
pub(crate) fn leaves(schema: &serde_json::Value, path: String, out: &mut Vec<String>) {
    let schema = schema["anyOf"].get(0).unwrap_or(schema);
    let tables = [&schema["properties"], &schema["items"]["properties"]];
    let Some(keys) = tables.into_iter().find_map(|keys| keys.as_object()) else {
        return out.push(path);
    };
    for (name, inner) in keys {
        leaves(inner, if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, out);
    }
}

#[test]
fn what_show_prints_loads_to_the_same() {
    for layers in [
        &["redis.url=rediss://u:p@[::1]:7/3", "redis.tls.ca_file=/ca.pem", "http.write_keys=k"][..],
        &[
            "redis.url=unix:///a%20b?db=1",
            "dead_letter.to=log",
            "http.sources=[{write_key=\"k\", prefix=\"p\"}]",
        ],
        &["redis.mode=embedded", "data_dir=/data", "http.wait=1m", "http.max_body=1001B"],
        &[
            "redis.mode=sharded",
            "redis.nodes=[\"a:1\", {url=\"redis://u:p@b/2\"}]",
            "redis.durability.wait_replicas=1",
        ],
        &["redis.mode=primary_replicas", "redis.url=redis://:p@a", "redis.replicas.nodes=b"],
        &["redis.mode=local", "redis.local.port=7", "redis.database=3"],
        &["redis.mode=local", "redis.local.binary=/opt/redis", "redis.local.data_dir=/d"],
    ] {
        let shown = set(layers).unwrap().to_toml();
        assert_eq!(file(&shown).unwrap().to_toml(), shown);
    }
}

#[test]
fn dead_letters_default_to_the_data_directory() {
    let to = |set: &[&str]| Layers { set, ..Layers::default() }.config().dead_letter;
    assert!(matches!(to(&[]), DeadLetter::File { path, max_size } if path
        == Path::new("/home/u/.local/state/traitsink/dead-letters.ndjson") && max_size == 1 << 30));
    assert!(matches!(
        to(&["data_dir=/d"]),
        DeadLetter::File { path, .. } if path == Path::new("/d/dead-letters.ndjson")
    ));
    assert!(matches!(to(&["dead_letter.path=/p", "dead_letter.max_size=1KiB"]),
        DeadLetter::File { path, max_size: 1024 } if path == Path::new("/p")));
    let lossy = set(&["dead_letter.to=discard"]).unwrap();
    assert_eq!(lossy.warnings, ["dead_letter.to = \"discard\": what can never be written is lost"]);
}
