//! `deploy/compose`: its schema, the names and ports in it, its secrets with a real Redis.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;

use super::{accepted, deploy, paths, read};
use crate::harness::certs::Issued;
use crate::harness::redis::Redis;
use crate::harness::{prometheus_program, run, schemas, yaml};

/// The files that name other services.
const FILES: &[&str] =
    &["compose.yaml", "traitsink.toml", "prometheus.yml", "grafana/datasources.yaml"];

fn compose() -> PathBuf {
    deploy().join("compose")
}

struct Services(BTreeMap<String, Value>);

impl Services {
    fn read() -> (Self, Value) {
        let file = yaml(&read(&compose().join("compose.yaml")));
        let services = file["services"].as_object().expect("services");
        assert!(services.len() >= 7, "{services:?}");
        (Self(services.clone().into_iter().collect()), file)
    }

    /// The texts of a list of a service; none if there is no such list.
    fn list(&self, service: &str, name: &str) -> Vec<String> {
        let list = self.0[service][name].as_array().cloned().unwrap_or_default();
        list.iter().map(|one| one.as_str().expect("a text").to_owned()).collect()
    }

    /// The ports on which a service listens.
    fn ports(&self, service: &str) -> BTreeSet<String> {
        let published = self.list(service, "ports");
        let inner = published.iter().filter_map(|port| Some(port.rsplit_once(':')?.1.to_owned()));
        inner.chain(self.list(service, "expose")).collect()
    }

    /// What is mounted, and where.
    fn mounts(&self) -> Vec<(String, String)> {
        let all = self.0.keys().flat_map(|service| self.list(service, "volumes"));
        let parts = |mount: String| {
            let (source, target) = mount.split_once(':').expect("a mount");
            (source.to_owned(), target.trim_end_matches(":ro").to_owned())
        };
        all.map(parts).collect()
    }
}

/// The `name:port` in `text`.
fn addresses(text: &str) -> Vec<(&str, &str)> {
    let part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let at = text.match_indices(':').map(|(at, _)| at);
    let pair = |at: usize| {
        let (before, after) = (&text[..at], &text[at + 1..]);
        let name = &before[before.rfind(|c| !part(c)).map_or(0, |end| end + 1)..];
        let port = &after[..after.find(|c| !part(c)).unwrap_or(after.len())];
        let is_port = (2..6).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit());
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase());
        (is_port && is_name).then_some((name, port))
    };
    at.filter_map(pair).collect()
}

#[test]
fn the_file_follows_the_specification() {
    schemas::check("compose", &[compose().join("compose.yaml")]);
}

#[test]
fn every_service_volume_and_file_exists() {
    let (services, file) = Services::read();
    for (name, service) in &services.0 {
        let needed: Vec<(String, Value)> = match &service["depends_on"] {
            Value::Object(needed) => needed.clone().into_iter().collect(),
            _ => services
                .list(name, "depends_on")
                .into_iter()
                .map(|one| (one, Value::Null))
                .collect(),
        };
        for (needed, how) in needed {
            let other = services.0.get(&needed).unwrap_or_else(|| panic!("{name}: no {needed}"));
            let healthy = how["condition"] == "service_healthy";
            assert!(!healthy || other["healthcheck"].is_object(), "{needed} has no healthcheck");
        }
        let local = |port: &String| port.starts_with("127.0.0.1:");
        assert!(services.list(name, "ports").iter().all(local), "{name}: open to everybody");
    }
    let mounts = services.mounts();
    for (source, target) in &mounts {
        let exists = match source.strip_prefix('.') {
            Some(_) => compose().join(source).exists(),
            None => file["volumes"].as_object().expect("volumes").contains_key(source),
        };
        assert!(exists, "{source} is mounted at {target}, and is not there");
    }
    let context = compose().join(file["services"]["worker"]["build"]["context"].as_str().unwrap());
    let dockerfile = file["services"]["worker"]["build"]["dockerfile"].as_str().unwrap();
    assert!(context.join(dockerfile).exists() && context.join("Cargo.toml").exists());

    // What the files name inside of the containers.
    for name in ["compose.yaml", "prometheus.yml", "grafana/dashboards.yaml"] {
        let text = read(&compose().join(name));
        let named = ["/etc/prometheus/", "/var/lib/traitsink/dashboards", "/etc/redis/"];
        for path in named.iter().flat_map(|start| paths(&text, start)) {
            let source = mounts.iter().find_map(|(source, target)| {
                Some(compose().join(format!("{source}{}", path.strip_prefix(target)?)))
            });
            assert!(source.is_some_and(|source| source.exists()), "{name}: {path} is not mounted");
        }
    }
}

#[test]
fn every_name_and_port_leads_to_a_service_that_listens_there() {
    let (services, _) = Services::read();
    let mut seen = BTreeSet::new();
    for name in FILES {
        let text = read(&compose().join(name));
        for (host, port) in addresses(&text) {
            assert!(services.0.contains_key(host), "{name}: {host}:{port} is no service");
            assert!(services.ports(host).contains(port), "{name}: {host} does not open {port}");
            seen.insert(format!("{host}:{port}"));
        }
    }
    let expected = ["kafka:9092", "kafka:9093", "prometheus:9090", "redis:6379", "worker:9464"];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);

    let settings = read(&compose().join("traitsink.toml"));
    let listens = settings.match_indices("listen = \"0.0.0.0:").map(|(at, found)| {
        settings[at + found.len()..].split('"').next().expect("a port").to_owned()
    });
    assert_eq!(listens.collect::<BTreeSet<_>>(), services.ports("worker"));
    let redis = read(&compose().join("redis.conf"));
    assert!(services.ports("redis").iter().all(|port| redis.contains(&format!("tls-port {port}"))));
}

#[test]
fn the_worker_writes_to_redis_with_the_secrets_that_are_made() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let secrets = dir.path().display().to_string();
    let script = compose().join("make-secrets").display().to_string();
    run("bash", &[&script, &secrets], dir.path());
    let users = read(&dir.path().join("users.acl"));
    assert!(run("bash", &[&script, &secrets], dir.path()).contains("are there"), "made twice");
    assert_eq!(read(&dir.path().join("users.acl")), users);

    let settings = read(&compose().join("traitsink.toml")).replace("/secrets", &secrets);
    let copy = dir.path().join("traitsink.toml");
    std::fs::write(&copy, &settings).expect("writing a copy");
    let data_dir = format!("data_dir={secrets}");
    accepted(&copy, &["-s", &data_dir]);

    let issued =
        Issued { certificate: dir.path().join("redis.pem"), key: dir.path().join("redis.key") };
    let mut server = Redis::builder().tls(&issued);
    for line in read(&compose().join("redis.conf")).lines() {
        let Some((name, value)) = line.split_once(' ') else { continue };
        if !["#", "port", "tls-port", "dir"].contains(&name) {
            server = server.option(name, &value.replace("/secrets", &secrets));
        }
    }
    let redis = server.start();
    let url = format!("redis.url=rediss://localhost:{}/0", redis.port());
    let (head, rest) = settings.split_once("[kafka]").expect("Kafka");
    let rest = rest.split_once("[redis]").expect("Redis").1;
    std::fs::write(&copy, format!("{head}[redis]{rest}")).expect("writing a copy");
    let report = accepted(&copy, &["--connect", "-s", &data_dir, "-s", &url]);
    let printed = report.lines().find_map(|line| line.split_once("~user:* ")).expect("an ACL").1;
    assert!(read(&compose().join("make-secrets")).contains(printed), "not the ACL {printed}");

    let port = redis.port().to_string();
    let password = read(&dir.path().join("reader.password"));
    let ca = format!("{secrets}/ca.pem");
    let login = ["--tls", "--cacert", &ca, "-p", &port, "--user", "reader", "--no-auth-warning"];
    let ask = |command: &[&str]| {
        run("redis-cli", &[&login[..], &["--pass", password.trim()], command].concat(), dir.path())
    };
    assert!(ask(&["PING"]).contains("PONG"));
    assert!(ask(&["HGETALL", "user:u1"]).trim().is_empty());
    assert!(ask(&["HSET", "user:u1", "a", "1"]).contains("NOPERM"));
}

#[test]
fn prometheus_accepts_its_configuration() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let rules = deploy().join("../dashboards").display().to_string();
    let text = read(&compose().join("prometheus.yml")).replace("/etc/prometheus", &rules);
    std::fs::write(dir.path().join("prometheus.yml"), text).expect("writing a copy");
    let promtool = prometheus_program("promtool").display().to_string();
    let report = run(&promtool, &["check", "config", "prometheus.yml"], dir.path());
    assert!(report.contains("1 rule files found"), "{report}");
}
