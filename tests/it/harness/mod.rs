//! The test harness: real servers and the real binary. Everything that is started here ends with
//! its test.

pub(crate) mod app;
pub(crate) mod attack;
pub(crate) mod browser;
pub(crate) mod certs;
pub(crate) mod cluster;
pub(crate) mod command_proxy;
pub(crate) mod guarded;
pub(crate) mod guide;
pub(crate) mod hosts;
pub(crate) mod http;
#[cfg(feature = "kafka")]
pub(crate) mod kafka;
pub(crate) mod load;
pub(crate) mod matrix;
#[cfg(feature = "kafka")]
pub(crate) mod prometheus;
pub(crate) mod proxy;
#[cfg(feature = "kafka")]
pub(crate) mod records;
pub(crate) mod redis;
pub(crate) mod schemas;
pub(crate) mod sentinel;
pub(crate) mod started;
#[cfg(feature = "kafka")]
pub(crate) mod stream;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use traitsink::config::{Address, Handshake, KeyTemplate, Mode, Prefix, Protocol, Redis, Tcp};
use traitsink::redis::{ConnectionSettings, Connector};
use traitsink::tls::TlsError;

/// Time limit for a condition; after it the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `condition` holds.
pub(crate) fn eventually(what: &str, condition: impl FnMut() -> bool) {
    eventually_or(|| what.to_owned(), condition);
}

/// Waits until `condition` holds; `what` says at the time limit what was waited for.
pub(crate) fn eventually_or(what: impl Fn() -> String, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {}", what());
        pause();
    }
}

/// A short pause between two polls.
pub(crate) fn pause() {
    let_pass(Duration::from_millis(5));
}

/// Lets `time` pass: the length of a fault, never a wait for something to happen.
#[expect(clippy::disallowed_methods, reason = "the one place where tests sleep")]
pub(crate) fn let_pass(time: Duration) {
    std::thread::sleep(time);
}

/// Runs a program that the tests need; panics with its output if it fails.
pub(crate) fn run(program: &str, args: &[&str], dir: &Path) -> String {
    let Output { status, stdout, stderr } =
        Command::new(program).args(args).current_dir(dir).output().unwrap_or_else(|error| {
            panic!(
                "{program} is needed by the tests and cannot be started ({error}); see tests/run"
            )
        });
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    assert!(
        status.success(),
        "{program} {args:?}: {status}\n{stdout}{}",
        String::from_utf8_lossy(&stderr)
    );
    stdout
}

/// The directory that `variable` names, or else `name` in the cache: `tests/run` fetches it.
pub(crate) fn fetched(variable: &str, name: &str) -> PathBuf {
    let dir = std::env::var_os(variable).map(PathBuf::from).unwrap_or_else(|| {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
        cache.expect("$HOME or $XDG_CACHE_HOME is set").join("traitsink").join(name)
    });
    assert!(dir.is_dir(), "there is no {}: run tests/run once, which fetches it", dir.display());
    dir
}

/// The path of `prometheus` or `promtool`.
pub(crate) fn prometheus_program(name: &str) -> PathBuf {
    fetched("TRAITSINK_PROMETHEUS", "prometheus-1").join(name)
}

/// A YAML file as JSON.
pub(crate) fn yaml(text: &str) -> serde_json::Value {
    config::Config::builder()
        .add_source(config::File::from_str(text, config::FileFormat::Yaml))
        .build()
        .and_then(config::Config::try_deserialize)
        .expect("YAML with a map at its top")
}

/// The settings of an empty `[redis]` section, for `address`.
pub(crate) fn settings(address: Address) -> Redis {
    Redis {
        mode: Mode::Standalone(address),
        username: None,
        password: None,
        logins: BTreeMap::new(),
        database: 0,
        read_from_replicas: false,
        prefix: String::new(),
        prefix_rule: Prefix::Fixed(String::new()),
        key: KeyTemplate::default(),
        group_key: None,
        client_name: "traitsink".to_owned(),
        handshake: Handshake::Auto,
        protocol: Protocol::Resp2,
        connect_timeout: Duration::from_secs(5),
        response_timeout: Duration::from_secs(5),
        tcp: Tcp::default(),
        tls: None,
        durability: None,
    }
}

/// The address in `redis`; panics in modes other than standalone.
pub(crate) fn address(redis: &Redis) -> Address {
    match &redis.mode {
        Mode::Standalone(address) => address.clone(),
        mode => panic!("{mode:?} has no address of its own"),
    }
}

/// A connector to the server in `redis`.
pub(crate) fn connector(redis: &Redis) -> Result<Connector, TlsError> {
    Connector::new(&ConnectionSettings::of(redis), address(redis))
}

pub(crate) fn tcp(host: &str, port: u16) -> Address {
    Address::Tcp { host: host.to_owned(), port }
}
