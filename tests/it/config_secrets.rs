//! Warnings of the configuration, and secrets that no output shows.

use serde_json::Value;
use traitsink::config::schema;

use crate::config::{Layers, set};
use crate::harness::app::run;

/// Sentinels name the master, so either their connections or the master's certificate must be
/// verified.
#[test]
fn sentinels_in_plain_text_are_warned_of_unless_the_master_is_known() {
    let sentinels = [
        "redis.mode=sentinel",
        "redis.sentinel.master=m",
        "redis.sentinel.nodes=[\"a\"]",
        "redis.tls.enabled=true",
    ];
    for (more, warned) in [
        (&[][..], true),
        (&["redis.password=p"], true),
        (&["redis.tls.ca_file=/ca.pem"], false),
        (&["redis.tls.server_name=redis.example"], false),
        (&["redis.sentinel.tls.enabled=true"], false),
        (&["redis.tls.enabled=false"], false),
    ] {
        let warnings = set(&[&sentinels, more].concat()).unwrap().warnings;
        assert_eq!(
            warnings.iter().any(|warning| warning.contains("any host with a public certificate")),
            warned,
            "{more:?}"
        );
    }
}

#[test]
fn a_variable_with_single_underscores_is_warned_of() {
    let layers = Layers {
        variables: &[
            ("TRAITSINK_REDIS_URL", "redis://:canary@h"),
            ("TRAITSINK_REDIS_PORT", "tcp://10.0.0.1:1"),
        ],
        ..Layers::default()
    };
    assert_eq!(
        layers.load().unwrap().warnings,
        ["variable TRAITSINK_REDIS_URL is ignored: for redis.url write TRAITSINK_REDIS__URL, \
             two underscores for each dot"]
    );
}

/// A secret value, which is no part of any name, address or word.
const CANARY: &str = "Canary7x";

/// Keys whose whole value may be shown: names, paths and identities.
const PUBLIC: [&str; 37] = [
    "data_dir",
    "http.sources[].name",
    "http.sources[].prefix",
    "kafka.topics",
    "kafka.group_id",
    "kafka.group_instance_id",
    "kafka.sasl.username",
    "kafka.sasl.client_id",
    "kafka.sasl.scope",
    "redis.host",
    "redis.username",
    "redis.prefix",
    "redis.key",
    "redis.group_key",
    "redis.client_name",
    "redis.nodes[].host",
    "redis.nodes[].username",
    "redis.local.binary",
    "redis.local.data_dir",
    "redis.replicas.nodes[].host",
    "redis.replicas.nodes[].username",
    "redis.sentinel.master",
    "redis.sentinel.nodes[].host",
    "redis.sentinel.nodes[].username",
    "redis.sentinel.username",
    "redis.sentinel.tls.server_name",
    "redis.tls.server_name",
    "profile.ttl_path",
    "profile.time_field",
    "profile.field_ttl[].match",
    "profile.entities.workspace_id",
    "profile.entities.destination_id",
    "deletion.event",
    "deletion.prefixes",
    "deletion.suppressions_key",
    "transform.destination",
    "dead_letter.topic",
];

/// Keys whose values are hosts: only the part before an @ is a secret.
const HOSTS: [&str; 8] = [
    "kafka.bootstrap_servers",
    "dead_letter.bootstrap_servers",
    "redis.nodes[]",
    "redis.sentinel.nodes[]",
    "redis.replicas.nodes[]",
    "redis.cluster.nat_map",
    "redis.sentinel.nat_map",
    "kafka.sasl.token_url",
];

/// Configurations that together give every key an effect.
const CONFIGURATIONS: [&[&str]; 10] = [
    &["redis.host=127.0.0.1", "redis.port=1", "redis.tls.enabled=true", "http.wait=1s"],
    &["redis.mode=cluster", "redis.nodes=[\"127.0.0.1:1\"]"],
    &["redis.mode=sharded", "redis.nodes=[\"127.0.0.1:1\"]"],
    &[
        "redis.mode=sentinel",
        "redis.sentinel.master=m",
        "redis.sentinel.nodes=[\"127.0.0.1:1\"]",
        "redis.sentinel.tls.enabled=true",
    ],
    &["redis.mode=primary_replicas", "redis.replicas.nodes=[\"127.0.0.1:1\"]"],
    &["redis.mode=local"],
    &[
        "kafka.sasl.mechanism=PLAIN",
        "kafka.sasl.username=u",
        "kafka.sasl.password=p",
        "kafka.tls.enabled=true",
    ],
    &[
        "kafka.sasl.mechanism=OAUTHBEARER",
        "kafka.sasl.token_url=https://h",
        "kafka.sasl.client_id=c",
        "kafka.sasl.client_secret=s",
    ],
    &["deletion.listen=127.0.0.1:1"],
    &["dead_letter.to=kafka", "dead_letter.topic=d", "dead_letter.bootstrap_servers=127.0.0.1:1"],
];

/// Collects every key that takes free text, such as `redis.nodes[].username`; `redis.nodes[]` is a
/// list of texts that may be tables.
fn texts(schema: &Value, path: String, out: &mut Vec<String>) {
    for one in schema["anyOf"].as_array().into_iter().flatten() {
        texts(one, path.clone(), out);
    }
    if let Some(keys) = schema["properties"].as_object() {
        for (name, inner) in keys {
            texts(
                inner,
                if path.is_empty() { name.clone() } else { format!("{path}.{name}") },
                out,
            );
        }
    }
    let is = |name: &str| {
        schema["type"] == name
            || schema["type"].as_array().is_some_and(|names| names.iter().any(|one| one == name))
    };
    if is("array") {
        let tables = &schema["items"];
        let holds_tables = tables["properties"].is_object() || tables["anyOf"].is_array();
        texts(tables, if holds_tables { format!("{path}[]") } else { path.clone() }, out);
    }
    let measured = ["duration", "long_duration", "size", "address"]
        .iter()
        .any(|form| schema["x-form"] == *form);
    let free = is("string")
        && schema["enum"].is_null()
        && schema["const"].is_null()
        && schema["oneOf"].is_null()
        && !measured;
    if (free || schema["additionalProperties"].is_object()) && !out.contains(&path) {
        out.push(path);
    }
}

/// The `--set` option that gives `key` the `value`.
fn setting(key: &str, value: &str) -> Vec<String> {
    match key.split_once("[]") {
        None if key.ends_with("librdkafka") => vec![
            format!("{key}.sasl.kerberos.keytab={value}"),
            format!("{key}.{value}=x"),
            format!("{key}={{\"{value}\" = [1]}}"),
        ],
        None if key.ends_with("nat_map") => {
            vec![
                format!("{key}={{\"{value}\" = \"h:1\"}}"),
                format!("{key}={{\"h:1\" = \"{value}\"}}"),
                format!("{key}={{\"{value}\" = [1]}}"),
            ]
        }
        None if key == "redis.password_command" => {
            vec![format!("{key}=[\"true\", \"{value}\"]"), format!("{key}=[\"true {value}\"]")]
        }
        None if ["topics", "write_keys"].iter().any(|end| key.ends_with(end)) => {
            vec![format!("{key}=[\"{value}\"]")]
        }
        None => vec![format!("{key}={value}")],
        Some((list, "")) => vec![format!("{list}=[\"{value}\"]")],
        Some((list, name)) => {
            let host = if name == ".url" || name == ".host" || list == "http.sources" {
                ""
            } else {
                "host = \"127.0.0.1\", port = 1, "
            };
            vec![format!("{list}=[{{{host}{} = \"{value}\"}}]", &name[1..])]
        }
    }
}

#[test]
fn no_output_shows_what_may_be_a_secret() {
    let mut keys = Vec::new();
    texts(&schema(), String::new(), &mut keys);
    assert!(keys.len() > 45, "{keys:?}");
    let unknown: Vec<_> =
        PUBLIC.iter().chain(&HOSTS).filter(|key| !keys.iter().any(|known| known == *key)).collect();
    assert!(unknown.is_empty(), "{unknown:?} of {keys:?}");
    let login = [
        format!("u:{CANARY}@h:1"),
        format!("{CANARY}@h"),
        format!("https://u:{CANARY}@h/t"),
        format!("http://h/t?k={CANARY}"),
        format!("redis://u:{CANARY}@127.0.0.1:1/0"),
        format!("redis://u:{CANARY}@h:x"),
    ];
    let plain = [CANARY.to_owned(), format!("{CANARY} {CANARY}"), format!("{CANARY}/x#y")];
    let (mut valid, mut checks) = (0, Vec::new());
    for key in keys.iter().filter(|key| {
        !PUBLIC.contains(&key.as_str()) && !key.ends_with("_file") && *key != "dead_letter.path"
    }) {
        let hosts = HOSTS.contains(&key.as_str());
        for value in login.iter().chain(plain.iter().filter(|_| !hosts)) {
            for (setting, configuration) in setting(key, value).iter().flat_map(|one| {
                CONFIGURATIONS.iter().map(move |configuration| (one, configuration))
            }) {
                let all = [*configuration, &[setting.as_str()]].concat();
                let said = match set(&all) {
                    Ok(loaded) => {
                        valid += 1;
                        checks.push(all.iter().map(ToString::to_string).collect::<Vec<_>>());
                        loaded.to_toml() + &loaded.warnings.join("\n")
                    }
                    Err(errors) => errors.join("\n"),
                };
                assert!(!said.contains(CANARY), "{all:?}: {said}");
            }
        }
    }
    assert!(valid > 100, "only {valid} configurations are valid");
    // The output of the program itself, for a part of these configurations that has every key.
    for (n, all) in checks.iter().enumerate().filter(|(n, _)| n % 7 == 0) {
        let settings: Vec<&str> = all.iter().flat_map(|one| ["-s", one.as_str()]).collect();
        let reaches = !all.iter().any(|one| {
            one.starts_with("kafka.") || one.starts_with("dead_letter.") || one.contains("@h")
        });
        let verbs: &[&[&str]] = if reaches && n % 35 == 0 {
            &[&["check"], &["config", "show"], &["check", "--connect"]]
        } else {
            &[&["check"]]
        };
        for verb in verbs {
            let output = run(&[&settings[..], verb].concat(), b"");
            let said =
                String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(!said.contains(CANARY), "{verb:?} {all:?}: {said}");
        }
    }
}

/// `check` reports the errors that would make `run` fail.
#[test]
fn a_token_url_that_cannot_be_used_is_an_error() {
    for (url, error) in [
        ("http://login.example/t", "would send the client secret in plain text: use https"),
        (
            "https://u:canary@login.example/t",
            "holds credentials: use kafka.sasl.client_id and client_secret",
        ),
        ("ftp://login.example", "must begin with https://"),
        ("login", "must begin with https://"),
        ("https://", "is not a URL"),
    ] {
        let setting = format!("kafka.sasl.token_url={url}");
        let others = [
            "kafka.sasl.mechanism=OAUTHBEARER",
            "kafka.sasl.client_id=c",
            "kafka.sasl.client_secret=s",
        ];
        let output =
            run(&["-s", &setting, "-s", others[0], "-s", others[1], "-s", others[2], "check"], b"");
        assert_eq!(output.status.code(), Some(78), "{url}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.contains(&format!("kafka.sasl.token_url (--set): {error}"))
                && !said.contains("canary"),
            "{url}: {said}"
        );
    }
    for url in [
        "https://login.example/t?tenant=x",
        "http://127.0.0.1:1/t",
        "http://[::1]/t",
        "http://localhost/t",
    ] {
        let setting = format!("kafka.sasl.token_url={url}");
        assert!(
            set(&[
                &setting,
                "kafka.sasl.mechanism=OAUTHBEARER",
                "kafka.sasl.client_id=c",
                "kafka.sasl.client_secret=s"
            ])
            .is_ok()
        );
    }
}
