//! What layers of files, variables and flags come to.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret;
use tempfile::TempDir;
use traitsink::config::{
    Address, Config, ConfigArgs, DeadLetter, Loaded, Local, LogLevel, Mode, Node, Password, Pem,
    Protocol, Tcp, default_file, load, schema,
};

use crate::harness::{address, tcp};

/// Layers as a user would type them. A file is its name and its text.
#[derive(Default)]
pub(crate) struct Layers<'a> {
    pub(crate) files: &'a [(&'a str, &'a str)],
    pub(crate) variables: &'a [(&'a str, &'a str)],
    pub(crate) set: &'a [&'a str],
}

impl Layers<'_> {
    /// Loads them; errors come as lines, with the directory of the files taken out.
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

/// A password that was typed in place.
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
        // An empty variable is as if it were not there; an empty flag takes the key back.
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
        // Kubernetes injects these for a service named traitsink; another program's are not ours
        // either.
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
fn a_url_says_what_keys_can_say() {
    for (layers, place, database, user, tls) in [
        (&["redis.url=redis://h"][..], tcp("h", 6379), 0, None, false),
        (&["redis.url=valkeys://u:p@h:1/2"], tcp("h", 1), 2, Some("u"), true),
        (&["redis.url=redis://[::1]:7/3", "redis.tls.enabled=true"], tcp("::1", 7), 3, None, true),
        (&["redis.host=::1", "redis.port=7", "redis.database=3"], tcp("::1", 7), 3, None, false),
        (&["redis.url=redis://h", "redis.port=7", "redis.database=3"], tcp("h", 7), 3, None, false),
        (
            &["redis.url=redis://u@h/3", "redis.password=p", "redis.host=h", "redis.database=3"],
            tcp("h", 6379),
            3,
            Some("u"),
            false,
        ),
        (&["redis.url=unix:///s?db=4"], Address::Unix("/s".into()), 4, None, false),
    ] {
        let redis = set(layers).unwrap().config.redis;
        let found =
            (address(&redis), redis.database, redis.username.as_deref(), redis.tls.is_some());
        assert_eq!(found, (place, database, user, tls));
    }
    let redis =
        set(&["redis.mode=embedded", "redis.embedded.listen=127.0.0.1:0"]).unwrap().config.redis;
    assert!(
        matches!(redis.mode, Mode::Embedded(listen) if listen == "127.0.0.1:0".parse().unwrap())
    );
}

#[test]
fn every_mode_takes_a_protocol() {
    let nodes = "redis.nodes=[\"a\", \"b\"]";
    for mode in [
        &["redis.mode=standalone"][..],
        &["redis.mode=embedded"],
        &["redis.mode=local"],
        &["redis.mode=cluster", nodes],
        &["redis.mode=sharded", nodes],
        &["redis.mode=primary_replicas", "redis.replicas.nodes=[\"b\"]"],
        &["redis.mode=sentinel", "redis.sentinel.master=m", "redis.sentinel.nodes=[\"a\"]"],
    ] {
        let loaded = set(&[mode, &["redis.protocol=3"]].concat()).unwrap();
        assert_eq!(loaded.config.redis.protocol, Protocol::Resp3, "{mode:?}");
        assert!(loaded.to_toml().contains("protocol = 3"), "{mode:?}");
    }
}

#[test]
fn nodes_of_a_cluster_are_merged_and_may_have_logins() {
    let text = "[redis]\nmode = \"cluster\"\npassword = \"all\"\n\
                nodes = [\"a:1\", { host = \"b\", port = 2, password = \"own\" }, { url \
                = \"redis://u:p@c:3\" }, \"a:1\", \"d\"]\n\
                [redis.cluster.nat_map]\n\"10.0.0.1:6379\" = \"d:1\"";
    let loaded = file(text).unwrap();
    let redis = &loaded.config.redis;
    let Mode::Cluster(cluster) = &redis.mode else { panic!("a cluster") };
    assert_eq!(
        cluster.seeds.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["a:1", "b:2", "c:3", "d:6379"]
    );
    let announced = |port| Node { host: "10.0.0.1".into(), port };
    assert_eq!(cluster.nat_map.reached(announced(6379)).to_string(), "d:1");
    assert_eq!(cluster.nat_map.reached(announced(1)), announced(1));
    let logins: Vec<_> = redis
        .logins
        .iter()
        .map(|(node, login)| {
            (node.to_string(), login.username.clone(), typed(login.password.clone()))
        })
        .collect();
    assert_eq!(
        logins,
        [
            ("b:2".into(), None, "own".to_owned()),
            ("c:3".into(), Some("u".to_owned()), "p".to_owned())
        ]
    );
    let shown = loaded.to_toml();
    assert!(!shown.contains("own") && !shown.contains(":p@"), "{shown}");
    assert_eq!(file(&shown).unwrap().to_toml(), shown);

    for (line, error) in [
        ("nodes=[{port=1}]", "redis.nodes[0] (--set): needs a url or a host"),
        (
            "nodes=[\"a\",{url=\"redis://b/2\"}]",
            "redis.nodes[1] (--set): a cluster has only database 0",
        ),
        (
            "nodes=[\"a\",{url=\"rediss://b\"}]",
            "redis.url (--set): says redis://, but redis.nodes[1] (--set) says rediss://: TLS is \
             for all nodes or for none",
        ),
        (
            "nodes=[{url=\"redis://a\", host=\"b\"}]",
            "redis.nodes[0] (--set): url is given beside host or port: give one",
        ),
        ("nodes=[\"a:x\"]", "redis.nodes[0] (--set): \"a:x\" has no port from 1 to 65535"),
        (
            "nodes=[{hots=\"a\"}]",
            "redis.nodes[0].hots (--set): unknown key; the nearest known key is redis.nodes[].host",
        ),
        (
            "cluster.nat_map={\"a:x\"=\"b\"}",
            "redis.cluster.nat_map.a:x (--set): \"a:x\" has no port from 1 to 65535",
        ),
        (
            "nodes=[{url=\"redis://u:p@a\", username=\"v\"}]",
            "redis.nodes[0] (--set): its url and its username differ: give one",
        ),
        (
            "nodes=[{url=\"redis://:p@a\", password=\"q\"}]",
            "redis.nodes[0] (--set): its url and its password differ: give one",
        ),
        (
            "nodes=[{host=\"a\", password=\"p\"}, {host=\"a\", password=\"q\"}]",
            "redis.nodes[1] (--set): a:6379 has another login above: a server has one",
        ),
        ("database=1", "redis.database (--set): a cluster has only database 0"),
        (
            "cluster.nat_map={\"a:1\"=\"b:x\"}",
            "redis.cluster.nat_map.a:1 (--set): \"b:x\" has no port from 1 to 65535",
        ),
    ] {
        let errors =
            set(&["redis.mode=cluster", &format!("redis.{line}"), "redis.url=redis://s:1"])
                .map(|_| ())
                .unwrap_err();
        assert_eq!(errors[0], error, "{line}");
    }
}

#[test]
fn shards_have_names_of_their_own_and_lanes() {
    let nodes = "redis.nodes=[\"b\", {url=\"redis://a:1/2\"}, {host=\"b\", database=5}, \
        {host=\"::1\", port=7}, \"b:6379\"]";
    let config = set(&["redis.mode=sharded", "redis.database=3", nodes]).unwrap().config;
    let Mode::Sharded(shards) = &config.redis.mode else { panic!("shards") };
    let names: Vec<String> = shards.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["b:6379/3", "a:1/2", "b:6379/5", "[::1]:7/3"]);
    assert_eq!(config.delivery.lanes, 16);
    assert_eq!(
        set(&["redis.mode=sharded", nodes, "delivery.lanes=4"]).unwrap().config.delivery.lanes,
        4
    );
}

#[test]
fn a_local_server_keeps_its_data_in_the_data_directory() {
    let local = |layers: &[&str]| match set(&[&["redis.mode=local"], layers].concat())
        .unwrap()
        .config
        .redis
        .mode
    {
        Mode::Local(local) => local,
        mode => panic!("{mode:?}"),
    };
    let default =
        Local { binary: None, port: 0, data_dir: "/home/u/.local/state/traitsink/redis".into() };
    assert_eq!(local(&[]), default);
    assert_eq!(local(&["data_dir=/d"]).data_dir, Path::new("/d/redis"));
    assert_eq!(local(&["data_dir=/d", "redis.local.data_dir=/e"]).data_dir, Path::new("/e"));
}

#[test]
fn insecure_skips_verification_and_says_so() {
    let loaded = set(&["redis.url=rediss://h#insecure"]).unwrap();
    assert!(loaded.config.redis.tls.unwrap().skip_verify);
    assert!(
        loaded.warnings.iter().any(|warning| warning.contains("NOT verified")),
        "{:?}",
        loaded.warnings
    );
    let plain = set(&["redis.url=redis://h#insecure"]).unwrap();
    assert!(plain.config.redis.tls.is_none());
    assert_eq!(plain.warnings, ["redis.url (--set): #insecure changes nothing without TLS"]);
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
        assert!(
            matches!(&loaded.config.redis.password, Some(Password::Command(words)) if words == &["vault", "read", "a b"])
        );
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
fn tcp_options_have_defaults_and_can_be_switched_off() {
    let tcp = |layers: &[&str]| set(layers).unwrap().config.redis.tcp;
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(tcp(&[]), Tcp { keepalive: seconds(15), user_timeout: seconds(10) });
    assert_eq!(
        tcp(&["redis.keepalive=1m", "redis.user_timeout=3s"]),
        Tcp { keepalive: seconds(60), user_timeout: seconds(3) }
    );
    assert_eq!(
        tcp(&["redis.keepalive=0s", "redis.user_timeout=0s"]),
        Tcp { keepalive: None, user_timeout: None }
    );
    for layers in [&["redis.keepalive=0s"][..], &["redis.url=unix:///s"], &["redis.mode=embedded"]]
    {
        let loaded = set(layers).unwrap();
        assert_eq!(
            file(&loaded.to_toml()).unwrap().config.redis.tcp,
            loaded.config.redis.tcp,
            "{layers:?}"
        );
    }
}

#[test]
fn tls_takes_a_bundle_as_a_file_or_as_text_and_a_client_certificate() {
    let text = "[redis]\nurl = \"rediss://h\"\n[redis.tls]\nca_pem \
        = \"\"\"\nPEM\n\"\"\"\ncert_file = \"c\"\nkey_file = \"k\"";
    let tls = file(text).unwrap().config.redis.tls.unwrap();
    assert!(
        matches!(tls.ca, Some(Pem::Inline(pem, "redis.tls.ca_pem")) if pem.expose_secret() == "PEM\n")
    );
    assert!(
        matches!(tls.client, Some((Pem::File(cert), Pem::File(key))) if cert == Path::new("c") && key == Path::new("k"))
    );
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
    assert!(
        matches!(to(&["data_dir=/d"]), DeadLetter::File { path, .. } if path == Path::new("/d/dead-letters.ndjson"))
    );
    assert!(matches!(to(&["dead_letter.path=/p", "dead_letter.max_size=1KiB"]),
        DeadLetter::File { path, max_size: 1024 } if path == Path::new("/p")));
    let lossy = set(&["dead_letter.to=discard"]).unwrap();
    assert_eq!(lossy.warnings, ["dead_letter.to = \"discard\": what can never be written is lost"]);
}
