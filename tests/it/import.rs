//! `config import`. A case in `tests/import/SYSTEM/` is a file of that system, the expected
//! standard output (`.out`) and the expected standard error (`.err`). The exit code is 78 if a
//! setting cannot be converted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use traitsink::config::{ConfigArgs, load};

use crate::harness::app::run;
use crate::harness::redis::Redis;
use crate::harness::sentinel::{MASTER, PASSWORD, Sentinels};

pub(crate) const SYSTEMS: [&str; 5] = ["deepstream", "oxd", "redwood", "rudderstack", "stalwart"];

pub(crate) fn import(system: &str, file: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_traitsink"))
        .args(["config", "import", "--from", system])
        .arg(file)
        .env_clear()
        .envs([("HOME", "/home/u"), ("REDIS_HOST", "cache.example.org"), ("REDIS_PORT", "6380")])
        .envs([
            ("REDIS_PASSWORD", "canary"),
            ("REDIS_CA", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"),
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Imports a text as a file called `name`; returns exit code, standard output and standard error.
pub(crate) fn import_text(system: &str, name: &str, text: &str) -> (Option<i32>, String, String) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    let output = import(system, &path);
    let said =
        String::from_utf8(output.stderr).unwrap().replace(&path.display().to_string(), "FILE");
    (output.status.code(), String::from_utf8(output.stdout).unwrap(), said)
}

/// The files of all cases of `system`.
pub(crate) fn cases(system: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import").join(system);
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> = files
        .filter(|path| {
            path.extension().is_some_and(|extension| extension != "out" && extension != "err")
        })
        .collect();
    cases.sort();
    assert!(cases.len() >= 4, "only {} cases of {system}", cases.len());
    cases
}

/// The expected text, from the file beside `case` with this ending.
pub(crate) fn expected(case: &Path, end: &str) -> String {
    let name = format!("{}.{end}", case.file_name().unwrap().display());
    fs::read_to_string(case.with_file_name(name)).unwrap_or_default()
}

#[test]
fn every_case_prints_and_says_what_is_expected() {
    for (system, case) in
        SYSTEMS.iter().flat_map(|system| cases(system).into_iter().map(move |case| (system, case)))
    {
        let output = import(system, &case);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            expected(&case, "out"),
            "{}",
            case.display()
        );
        assert_eq!(said, expected(&case, "err"), "{}", case.display());
        let code = if said.contains("cannot be converted: ") { 78 } else { 0 };
        assert_eq!(output.status.code(), Some(code), "{}", case.display());
    }
}

#[test]
fn what_is_printed_is_a_valid_configuration() {
    let mut valid = 0;
    for (system, case) in
        SYSTEMS.iter().flat_map(|system| cases(system).into_iter().map(move |case| (system, case)))
    {
        let output = import(system, &case);
        let directory = TempDir::new().unwrap();
        let (file, secret) =
            (directory.path().join("traitsink.toml"), directory.path().join("secret"));
        let text = String::from_utf8(output.stdout)
            .unwrap()
            .replace("/run/secrets/redis", secret.to_str().unwrap());
        let table: Result<toml::Table, _> = text.parse();
        assert!(
            table.is_ok_and(|table| table["redis"]["mode"].is_str()),
            "{}: {text}",
            case.display()
        );
        if output.status.code() != Some(0) {
            continue;
        }
        fs::write(&file, &text).unwrap();
        fs::write(&secret, "pw\n").unwrap();
        let environment = [("HOME".into(), "/home/u".into())].into();
        let loaded = load(&ConfigArgs { files: vec![file], environment, ..ConfigArgs::default() });
        assert!(loaded.is_ok(), "{}: {}\n{text}", case.display(), loaded.unwrap_err());
        valid += 1;
    }
    assert!(valid >= 15, "only {valid} configurations were tried");
}

/// One server with a password, as each system writes it.
#[test]
fn what_is_imported_reaches_its_server() {
    let redis = Redis::builder().password("pw").start();
    let port = redis.port();
    for (system, text) in [
        (
            "oxd",
            format!(
                "storage: redis\nstorage_configuration: {{servers: '127.0.0.1:{port}', password: \
                 pw}}"
            ),
        ),
        ("stalwart", format!(r#"{{"@type": "Redis", "url": "redis://:pw@127.0.0.1:{port}"}}"#)),
        (
            "deepstream",
            format!(
                "cache: {{name: redis, options: {{host: 127.0.0.1, port: {port}, password: pw}}}}"
            ),
        ),
        (
            "redwood",
            format!("provider=redis\npassword=pw\nmaster.host=127.0.0.1\nmaster.port={port}"),
        ),
        (
            "rudderstack",
            format!(r#"{{"address": "127.0.0.1:{port}", "clusterMode": false, "password": "pw"}}"#),
        ),
    ] {
        reaches(system, &text);
    }
}

/// Two independent servers with a login each, a primary with its replica, and a program to start.
#[test]
fn what_is_imported_reaches_shards_replicas_and_local_servers() {
    let servers = ["one", "two"].map(|password| Redis::builder().password(password).start());
    let [one, two] = servers.each_ref().map(Redis::port);
    let shards = format!("redis://:one@127.0.0.1:{one}, redis://:two@127.0.0.1:{two}/2");
    reaches(
        "oxd",
        &format!(
            "storage: redis\nstorage_configuration: {{redisProviderType: SHARDED, servers: \
             '{shards}'}}"
        ),
    );
    let primary = Redis::builder().password("pw").start();
    let replica = Redis::builder().password("pw").replica_of(&primary);
    let [master, replicas] = [("master", &primary), ("replicas", &replica)]
        .map(|(name, at)| format!("{name}.host=127.0.0.1\n{name}.port={}", at.port()));
    reaches("redwood", &format!("provider=redis\npassword=pw\n{master}\n{replicas}"));
    reaches("redwood", "provider=memurai\nmemurai.path=redis-server");
}

/// Three sentinels with a password, for each system that supports them.
#[test]
fn what_is_imported_reaches_the_master_of_its_sentinels() {
    let trio = Sentinels::with(1, |server| server, |sentinel| sentinel.password(PASSWORD));
    let ports: Vec<u16> = trio.sentinels.iter().map(Redis::port).collect();
    let [servers, urls, nodes] =
        ["127.0.0.1:PORT", "\"redis://127.0.0.1:PORT\"", "{host: 127.0.0.1, port: PORT}"].map(
            |form| {
                ports
                    .iter()
                    .map(|port| form.replace("PORT", &port.to_string()))
                    .collect::<Vec<_>>()
                    .join(", ")
            },
        );
    for (system, text) in [
        (
            "oxd",
            format!(
                "storage: redis\nstorage_configuration: {{redisProviderType: SENTINEL, servers: \
                 '{servers}', sentinelMasterGroupName: {MASTER}, password: {PASSWORD}}}"
            ),
        ),
        (
            "stalwart",
            format!(
                r#"{{"@type": "RedisSentinel", "urls": [{urls}], "serviceName": "{MASTER}",
                "authUsername": "default",
                "authSecret": {{"@type": "Value", "secret": "{PASSWORD}"}},
                "sentinelSecret": {{"@type": "Value", "secret": "{PASSWORD}"}}}}"#
            ),
        ),
        (
            "deepstream",
            format!(
                "cache: {{name: redis, options: {{sentinels: [{nodes}], name: {MASTER}, password: \
                 {PASSWORD}, sentinelPassword: {PASSWORD}}}}}"
            ),
        ),
    ] {
        reaches(system, &text);
    }
}

/// Imports `text`, and runs `check --connect` with the result.
fn reaches(system: &str, text: &str) {
    let (code, printed, said) = import_text(system, "f", text);
    assert_eq!(code, Some(0), "{said}");
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("traitsink.toml");
    fs::write(&file, printed).unwrap();
    let data_dir = format!("data_dir={}", directory.path().display());
    let output = run(&["-c", file.to_str().unwrap(), "-s", &data_dir, "check", "--connect"], b"");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{system}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn files_that_hold_no_redis_are_refused() {
    for (system, name, text, error) in [
        ("oxd", "f", "storage: h2", "its storage is not redis: there is nothing to import"),
        (
            "oxd",
            "f",
            "server_name: x",
            "says no storage, which is oxd's embedded database: there is nothing to import",
        ),
        (
            "oxd",
            "f",
            "storage: redis\nstorage_configuration: {redisProviderType: RING}",
            "redisProviderType is none of STANDALONE, CLUSTER, SHARDED, SENTINEL",
        ),
        (
            "stalwart",
            "f",
            "[store.x]\ntype = \"rocksdb\"",
            "has no store that is Redis: there is nothing to import",
        ),
        (
            "stalwart",
            "f",
            "[store.a]\ntype = \"redis\"\n[store.b]\ntype = \"redis\"",
            "has several Redis stores: leave one of a, b",
        ),
        ("stalwart", "f", "[store", "is not valid: line 1, column 7: unclosed table, expected `]`"),
        (
            "deepstream",
            "f",
            "cache: {name: memcached}",
            "has a cache that is not Redis: there is nothing to import",
        ),
        ("deepstream", "f", "logLevel: INFO", "has no \"cache\", and is not the options of one"),
        ("redwood", "f", "debugMode=true", "has no persistence.redis: there is nothing to import"),
        (
            "redwood",
            "f",
            "persistence.redis.provider=dragonfly",
            "provider is none of stub, memurai, redis",
        ),
        (
            "rudderstack",
            "f",
            r#"{"config": {"host": "x"}}"#,
            "has no \"address\": it is not a Redis destination",
        ),
        (
            "rudderstack",
            "f",
            r#"{"destinationDefinition": {"name": "S3"}, "config": {"address": "x"}}"#,
            "is a destination that is not Redis",
        ),
    ] {
        let found = import_text(system, name, text);
        assert_eq!(
            found,
            (Some(78), String::new(), format!("traitsink: FILE {error}\n")),
            "{text}"
        );
    }
}

#[test]
fn the_command_line_is_checked() {
    let missing = import("oxd", Path::new("/nonexistent.yml"));
    assert_eq!(missing.status.code(), Some(74));
    assert!(String::from_utf8(missing.stderr).unwrap().contains("/nonexistent.yml cannot be read"));
    assert_eq!(import("memcached", Path::new("/nonexistent.yml")).status.code(), Some(64));
}

/// Values that may be secrets are on standard output, and nowhere else.
#[test]
fn secrets_are_never_said() {
    for (system, text) in [
        (
            "oxd",
            "storage: redis\nstorage_configuration: {servers: 'redis://:canary@h:1', \
             redisProviderType: CLUSTER, password: canary}",
        ),
        (
            "oxd",
            "storage: redis\nstorage_configuration: {servers: 'h:canary', password: [canary], \
             soTimeout: canary}",
        ),
        (
            "oxd",
            "storage: redis\nstorage_configuration: {servers: 'redis://:canary/x@h:1', \
             redisProviderType: SHARDED}",
        ),
        ("stalwart", r#"{"@type": "Redis", "url": "redis://:canary/x@h", "timeout": "1s"}"#),
        (
            "stalwart",
            r#"{"@type": "RedisCluster", "urls": ["redis://:canary@h", "canary"],
                "authSecret": {"@type": "X", "secret": "canary"}}"#,
        ),
        (
            "deepstream",
            "{url: 'redis://:canary#@h', password: canary, tls: {ca: canary, key: canary, \
             passphrase: canary}}",
        ),
        ("deepstream", "{nodes: ['redis://:canary@h'], redisOptions: {password: canary}}"),
        ("redwood", "provider=redis\npassword=canary\nmaster=redis://:canary@h"),
        (
            "rudderstack",
            r#"{"address": "redis://:canary@h", "clusterMode": false, "password": "canary",
                "caCertificate": "canary"}"#,
        ),
    ] {
        let (_, _, said) = import_text(system, "f", text);
        assert!(!said.contains("canary") && !said.is_empty(), "{text}: {said}");
    }
}
