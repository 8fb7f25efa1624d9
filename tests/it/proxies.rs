//! Proxies and managed services between the worker and Redis, which support fewer commands than
//! Redis.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use traitsink::config::{self, Handshake};
use traitsink::redis::{Class, probe};

use crate::harness::app::{App, run};
use crate::harness::cluster::Cluster;
use crate::harness::command_proxy::{CommandProxy, Reaction, Words};
use crate::harness::http::Client;
use crate::harness::redis::Redis;
use crate::harness::sentinel::Sentinels;
use crate::harness::{connector, eventually, settings, tcp};

pub(crate) const UNSUPPORTED: Reaction = Reaction::Answer("-unsupported command\r\n");
pub(crate) const QUOTA: Reaction =
    Reaction::Answer("-ERR max daily request limit exceeded. Limit: 10000, Usage: 10000.\r\n");

fn is(words: Words<'_>, commands: &[&str]) -> bool {
    commands.contains(&words[0].as_str())
}

/// Envoy before 1.32: it knows a list of commands with PING, and gives the same answer to all
/// others.
fn envoy(words: Words<'_>) -> Reaction {
    if is(words, &["AUTH", "PING", "HSET", "HGETALL", "HLEN"]) {
        Reaction::Pass
    } else {
        UNSUPPORTED
    }
}

/// Twemproxy closes the connection on unknown commands and on empty arguments.
fn twemproxy(words: Words<'_>) -> Reaction {
    let is_known = is(words, &["AUTH", "PING", "HSET", "HGETALL", "HLEN"])
        && words.iter().all(|word| !word.is_empty());
    if is_known { Reaction::Pass } else { Reaction::HangUp }
}

fn codis(words: Words<'_>) -> Reaction {
    match words[0].as_str() {
        "CLIENT" | "MULTI" | "DISCARD" | "ROLE" => {
            Reaction::Answer("-ERR command is not allowed\r\n")
        }
        "INFO" | "CONFIG" => Reaction::Answer("-ERR unknown command\r\n"),
        _ => Reaction::Pass,
    }
}

/// Kvrocks and KeyDB know all commands, and report other names.
fn kvrocks(words: Words<'_>) -> Reaction {
    match words[0].as_str() {
        "INFO" => Reaction::Answer(
            "$57\r\nredis_version:4.0.0\r\nkvrocks_version:2.8.0\r\nrole:master\r\n\r\n",
        ),
        _ => Reaction::Pass,
    }
}

/// A server that closes the connection on all commands but these.
fn only(commands: &'static [&'static str]) -> impl Fn(Words<'_>) -> Reaction {
    move |words| if is(words, commands) { Reaction::Pass } else { Reaction::HangUp }
}

/// A server that refuses these commands with an unusual text.
fn without(commands: &'static [&'static str]) -> impl Fn(Words<'_>) -> Reaction {
    move |words| {
        if is(words, commands) {
            Reaction::Answer("-ODD no such thing here\r\n")
        } else {
            Reaction::Pass
        }
    }
}

/// Sends `count` events of two fields through a worker behind `proxy`; each is acknowledged and in
/// Redis.
fn write(proxy: &CommandProxy, redis: &Redis, app: &App, count: usize) {
    app.wait_ready();
    let mut client = app.client();
    for user in 0..count {
        let event = format!(r#"{{"userId":"u{user}","traits":{{"a":1,"b":{}}}}}"#, proxy.port());
        assert_eq!(client.post("/v1/identify", event).expect("an answer").status, 200);
        let hash = redis.hgetall(&format!("user:u{user}"));
        assert_eq!(hash[&b"b"[..]], proxy.port().to_string().as_bytes());
    }
    assert!(app.ready(), "a probe is stricter than a write");
    app.assert_at_rest();
}

/// The exit code and the output of `check --connect`.
pub(crate) fn check(url: &str, more: &[&str]) -> (Option<i32>, String) {
    let url = format!("redis.url={url}");
    let settings = ["data_dir=/tmp", &url].into_iter().chain(more.iter().copied());
    let options: Vec<&str> = settings.flat_map(|setting| ["-s", setting]).collect();
    let output = run(&[&options[..], &["check", "--connect"]].concat(), b"");
    (
        output.status.code(),
        String::from_utf8([output.stdout, output.stderr].concat()).expect("text"),
    )
}

#[test]
fn events_arrive_through_proxies_that_know_few_commands() {
    let redis = Redis::start();
    let rules = [
        ("Envoy", envoy as fn(Words<'_>) -> Reaction),
        ("Twemproxy", twemproxy),
        ("Codis", codis),
        ("Kvrocks", kvrocks),
    ];
    for (name, rule) in rules {
        let proxy = CommandProxy::start(redis.port(), rule);
        let app = App::start(&proxy.url(), &[]);
        write(&proxy, &redis, &app, 20);
        let asked = || proxy.received("PING") + proxy.received("MULTI");
        let before = asked();
        eventually("idle lanes keep probing", || asked() > before + 8);
        assert!(app.ready(), "{name}");
        let (code, said) = check(&proxy.url(), &[]);
        assert_eq!(code, Some(0), "{name}: {said}");
        let words = if name == "Kvrocks" {
            "server        Kvrocks 2.8.0, master"
        } else {
            "cannot be known without writing"
        };
        assert!(said.contains(words), "{name}: {said}");
    }
}

#[test]
fn a_probe_is_no_stricter_than_a_write() {
    let redis = Redis::start();
    let refused = [
        without(&["PING"]),
        without(&["MULTI"]),
        without(&["MULTI", "PING"]),
        without(&["DISCARD"]),
        without(&["CLIENT", "INFO", "ROLE", "PING", "MULTI", "HLEN"]),
    ];
    for (n, rule) in refused.into_iter().enumerate() {
        let proxy = CommandProxy::start(redis.port(), rule);
        write(&proxy, &redis, &App::start(&proxy.url(), &[]), 3);
        assert!(proxy.received("HSET") >= 3, "{n}");
    }
    let hung_up_on: [&'static [&'static str]; 4] = [
        &["HSET", "HLEN"],
        &["HSET", "AUTH"],
        &["HSET", "INFO", "CLIENT"],
        &["HSET", "PING", "MULTI", "DISCARD"],
    ];
    for known in hung_up_on {
        let proxy = CommandProxy::start(redis.port(), only(known));
        write(&proxy, &redis, &App::start(&proxy.url(), &[]), 3);
    }
    // The proxy refuses a command, then closes the connection.
    let proxy = CommandProxy::start(redis.port(), |words| match words[0].as_str() {
        "HSET" | "PING" => Reaction::Pass,
        _ => Reaction::AnswerAndHangUp("-ERR unknown command\r\n"),
    });
    write(&proxy, &redis, &App::start(&proxy.url(), &[]), 3);
}

#[tokio::test]
async fn what_a_server_hangs_up_on_is_left_out_from_then_on() {
    let redis = Redis::start();
    let proxy = CommandProxy::start(redis.port(), only(&["HSET", "PING", "INFO"]));
    let connector = connector(&settings(tcp("127.0.0.1", proxy.port()))).unwrap();
    let connection = connector.connect().await.expect("a server that takes writes");
    assert!(connection.identity().is_none());
    assert_eq!(connection.run_id().map(str::len), Some(40), "INFO is known");
    let (connections, clients) = (proxy.connections(), proxy.received("CLIENT"));
    assert!(connections <= 4, "{connections} tries");
    for again in 1..=3 {
        connector.clone().connect().await.expect("a server that takes writes");
        assert_eq!(
            (proxy.connections(), proxy.received("CLIENT")),
            (connections + again, clients),
            "no command is tried again"
        );
    }
}

/// Connections that break for a moment change nothing: the worker keeps fencing.
#[tokio::test]
async fn hang_ups_that_end_by_themselves_are_not_remembered() {
    let redis = Redis::start();
    let left = AtomicUsize::new(2);
    let proxy = CommandProxy::start(redis.port(), move |words| {
        let breaks = words[0] == "CLIENT"
            && left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
        if breaks { Reaction::HangUp } else { Reaction::Pass }
    });
    let connector = connector(&settings(tcp("127.0.0.1", proxy.port()))).unwrap();
    for _ in 0..2 {
        assert!(
            connector.connect().await.expect("a server that takes writes").identity().is_some()
        );
    }
}

#[tokio::test]
async fn another_server_is_asked_for_all_of_it_again() {
    let redis = Redis::start();
    let proxy = CommandProxy::start(redis.port(), envoy_with_info);
    let connector = connector(&settings(tcp("127.0.0.1", proxy.port()))).unwrap();
    assert!(connector.connect().await.expect("a server that takes writes").identity().is_none());
    proxy.replace(|_| Reaction::Pass);
    assert!(
        connector.connect().await.expect("a server that takes writes").identity().is_none(),
        "the same server"
    );
    let info = format!("run_id:{:040}\r\n", 7);
    let other: &'static str = Box::leak(format!("${}\r\n{info}\r\n", info.len()).into_boxed_str());
    proxy.replace(
        move |words| if words[0] == "INFO" { Reaction::Answer(other) } else { Reaction::Pass },
    );
    assert!(
        connector.connect().await.expect("a server that takes writes").identity().is_some(),
        "another server"
    );
}

fn envoy_with_info(words: Words<'_>) -> Reaction {
    if words[0] == "INFO" { Reaction::Pass } else { envoy(words) }
}

#[tokio::test]
async fn full_and_minimal() {
    let redis = Redis::builder().password("s3cret").start();
    let proxy = CommandProxy::start(redis.port(), twemproxy);
    let with = |handshake| config::Redis {
        handshake,
        password: Some("s3cret".to_owned().into()),
        ..settings(tcp("127.0.0.1", proxy.port()))
    };
    let error = connector(&with(Handshake::Full))
        .unwrap()
        .connect()
        .await
        .err()
        .expect("a hang-up is an error");
    assert_eq!((error.class, proxy.connections()), (Class::Reconnect, 1), "{error}");
    assert!(
        error.message.contains("proxy") && error.message.contains("redis.handshake"),
        "{error}"
    );

    let minimal = connector(&with(Handshake::Minimal)).unwrap();
    minimal.connect().await.expect("a login");
    assert_eq!(
        ["AUTH", "CLIENT", "INFO", "PING"].map(|command| proxy.received(command)),
        [2, 1, 0, 0]
    );
    let report = probe(&minimal).await.unwrap();
    assert!(report.refused.is_empty() && report.version.contains("not asked"), "{report:?}");

    let url = format!("redis://:s3cret@127.0.0.1:{}", proxy.port());
    let app = App::start(&url, &["redis.handshake=minimal"]);
    app.wait_ready();
    assert_eq!(
        app.client()
            .post("/v1/identify", r#"{"userId":"m","traits":{"a":1,"b":2}}"#)
            .unwrap()
            .status,
        200
    );
    assert_eq!(redis.hgetall("user:m").len(), 2);
    assert_eq!(["MULTI", "INFO", "PING"].map(|command| proxy.received(command)), [0, 0, 0]);
}

#[test]
fn minimal_reaches_a_server_that_takes_nothing_but_writes() {
    let redis = Redis::start();
    let proxy = CommandProxy::start(redis.port(), only(&["HSET"]));
    let app = App::start(&proxy.url(), &["redis.handshake=minimal", "redis.client_name="]);
    write(&proxy, &redis, &app, 3);
    assert_eq!(proxy.received("PING"), 0);
}

#[tokio::test]
async fn an_empty_name_is_not_set() {
    let redis = Redis::start();
    let proxy = CommandProxy::start(redis.port(), |words| {
        if words.get(1).is_some_and(|word| word.eq_ignore_ascii_case("setname")) {
            Reaction::HangUp
        } else {
            Reaction::Pass
        }
    });
    let nameless =
        config::Redis { client_name: String::new(), ..settings(tcp("127.0.0.1", proxy.port())) };
    assert!(connector(&nameless).unwrap().connect().await.unwrap().identity().is_some());
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn a_server_that_hangs_up_on_everything_is_not_ready() {
    let redis = Redis::start();
    let proxy = CommandProxy::start(redis.port(), |_| Reaction::HangUp);
    let (code, said) = check(&proxy.url(), &[]);
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains("rediss://") && said.contains("proxy"), "{said}");
}

/// The discovery service of Redis Enterprise: it has no SENTINEL REPLICAS, SENTINEL MASTER, CLIENT
/// or INFO.
fn discovery(words: Words<'_>) -> Reaction {
    let subcommand = words.get(1).map(|word| word.to_ascii_lowercase()).unwrap_or_default();
    match (words[0].as_str(), subcommand.as_str()) {
        ("SENTINEL", "get-master-addr-by-name" | "slaves") | ("AUTH" | "PING" | "SUBSCRIBE", _) => {
            Reaction::Pass
        }
        _ => Reaction::Answer("-ERR unknown command\r\n"),
    }
}

#[test]
fn a_discovery_service_that_knows_only_the_old_names() {
    let trio = Sentinels::start(1);
    let pickies: Vec<CommandProxy> = trio
        .sentinels
        .iter()
        .map(|sentinel| CommandProxy::start(sentinel.port(), discovery))
        .collect();
    let nodes: Vec<String> =
        pickies.iter().map(|proxy| format!("127.0.0.1:{}", proxy.port())).collect();
    let nodes = format!("redis.sentinel.nodes={}", serde_json::json!(nodes));
    let settings = trio.settings();
    let mut settings: Vec<&str> =
        settings.iter().map(String::as_str).filter(|set| !set.contains("sentinel.nodes")).collect();
    settings.push(&nodes);
    let app = App::start_with(&settings);
    app.wait_ready();
    assert_eq!(
        app.client().post("/v1/identify", r#"{"userId":"d","traits":{"a":1}}"#).unwrap().status,
        200
    );
    assert_eq!(trio.hgetall(0, "user:d").len(), 1);
    settings.extend(["redis.read_from_replicas=true", "data_dir=/tmp"]);
    let options: Vec<&str> = settings.iter().flat_map(|setting| ["-s", setting]).collect();
    let output = run(&[&options[..], &["check", "--connect"]].concat(), b"");
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let replica = format!("reached       127.0.0.1:{}", trio.servers[1].port());
    assert!(output.status.code() == Some(0) && said.contains(&replica), "{said}");
}

#[test]
fn nodes_of_a_cluster_that_announce_no_name() {
    let cluster = Cluster::start(3, 0);
    for node in &cluster.nodes {
        node.cli(&["CONFIG", "SET", "cluster-preferred-endpoint-type", "hostname"]);
    }
    let url = format!("redis://localhost:{}", cluster.nodes[0].port());
    let (code, said) = check(&url, &["redis.mode=cluster"]);
    assert_eq!(code, Some(0), "{said}");
    for node in &cluster.nodes {
        assert!(said.contains(&format!("reached       127.0.0.1:{}\n", node.port())), "{said}");
    }
    let app = App::start(&url, &["redis.mode=cluster"]);
    app.wait_ready();
    let mut client = app.client();
    let mut write = |round: u32| {
        for user in 0..30 {
            let event = format!(r#"{{"userId":"u{user}","traits":{{"round":{round}}}}}"#);
            assert_eq!(client.post("/v1/identify", event).unwrap().status, 200);
            assert_eq!(
                cluster.hgetall(&format!("user:u{user}"))[&b"round"[..]],
                round.to_string().as_bytes()
            );
        }
    };
    write(1);
    cluster.reshard(0, 1, 4000);
    write(2);
}

#[test]
fn a_used_up_quota_is_waited_for() {
    let redis = Redis::start();
    let proxy = CommandProxy::start(redis.port(), |_| Reaction::Pass);
    let app = App::start(&proxy.url(), &["http.wait=200ms", "delivery.retry_max=200ms"]);
    write(&proxy, &redis, &app, 3);
    proxy.replace(|_| QUOTA);
    eventually("the quota is named", || {
        Client::new(app.admin).get("/ready").unwrap().text().contains("daily quota")
    });
    assert_eq!(
        app.client().post("/v1/identify", r#"{"userId":"late","traits":{"a":1}}"#).unwrap().status,
        503
    );
    proxy.replace(|_| Reaction::Pass);
    write(&proxy, &redis, &app, 3);
}
