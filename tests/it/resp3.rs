//! `redis.protocol = 3`: everything works as in RESP2.

use traitsink::config::{self, Address, Protocol};
use traitsink::redis::{Class, Connection, Trouble, probe};

use crate::harness::app::App;
use crate::harness::cluster::Cluster;
use crate::harness::load::{Load, OnError};
use crate::harness::redis::Redis;
use crate::harness::{connector, eventually, settings, tcp};

const RESP3: &str = "redis.protocol=3";

fn resp3(server: &Redis) -> config::Redis {
    config::Redis { protocol: Protocol::Resp3, ..settings(tcp("127.0.0.1", server.port())) }
}

fn user(server: &Redis, name: Option<&str>, password: &str) -> config::Redis {
    config::Redis {
        username: name.map(str::to_owned),
        password: Some(password.to_owned().into()),
        ..resp3(server)
    }
}

async fn connect(settings: &config::Redis) -> Result<Connection, Trouble> {
    connector(settings).expect("usable settings").connect().await
}

/// The error of a connection that must fail; asserts that it contains all `words`.
async fn refused(settings: &config::Redis, code: &str, words: &[&str]) {
    let error =
        connect(settings).await.err().unwrap_or_else(|| panic!("connected; expected {words:?}"));
    for word in words {
        assert!(error.message.contains(word), "{word:?} is not in: {}", error.message);
    }
    assert_eq!((error.class, error.code.as_str()), (Class::Config, code), "{}", error.message);
}

/// Number of the worker's connections in each version of the protocol.
fn versions(redis: &Redis) -> (usize, usize) {
    let clients: String = redis::from_redis_value(redis.cli(&["CLIENT", "LIST"])).expect("a text");
    let speak = |version: &str| {
        clients
            .lines()
            .filter(|line| line.contains("name=traitsink") && line.contains(version))
            .count()
    };
    (speak("resp=2"), speak("resp=3"))
}

#[test]
fn events_are_written_and_wrong_types_are_dead_letters() {
    let redis = Redis::start();
    redis.cli(&["SET", "user:string", "x"]);
    for url in [
        format!("redis://127.0.0.1:{}/0?protocol=resp3", redis.port()),
        format!("redis://127.0.0.1:{}", redis.port()),
    ] {
        let settings = if url.contains("protocol") { vec![] } else { vec![RESP3] };
        let app = App::start(&url, &settings);
        app.wait_ready();
        let body = r#"{"batch":[{"type":"identify","userId":"u","traits":{"a":1}},
            {"type":"identify","userId":"string","traits":{"a":1}}]}"#;
        assert_eq!(app.client().post("/v1/batch", body).unwrap().status, 200);
        assert_eq!(app.dead_letters()[0]["reason"], "wrong_type");
        assert_eq!(redis.cli(&["DEL", "user:u"]), redis::Value::Int(1));
        let (resp2, resp3) = versions(&redis);
        assert!(resp2 == 0 && resp3 >= 4, "{resp2} speak RESP2, {resp3} RESP3");
        app.assert_at_rest();
    }
}

/// A lost connection is identified and fenced as in RESP2, although CLIENT INFO and INFO answer
/// with another type.
#[tokio::test]
async fn the_server_and_the_connection_are_known() {
    let server = Redis::start();
    let old = connect(&resp3(&server)).await.expect("a connection");
    let mut new = connect(&resp3(&server)).await.expect("a connection");
    assert!(new.run_id().is_some() && new.run_id() == old.run_id());
    assert!(new.fence(old.identity().expect("an identity")).await.expect("an answer"));
    server.cli(&["ACL", "SETUSER", "w", "on", ">p", "~*", "+@all", "-info"]);
    for report in [resp3(&server), user(&server, Some("w"), "p")] {
        let report = probe(&connector(&report).unwrap()).await.expect("an answer");
        assert_eq!((report.eviction_policy.as_str(), report.notes), ("noeviction", vec![]));
    }
}

#[tokio::test]
async fn logins_are_refused_in_the_same_words() {
    let server = Redis::builder().password("right").start();
    server.cli(&["ACL", "SETUSER", "w", "on", ">p", "~*", "+@all"]);
    for login in [user(&server, None, "right"), user(&server, Some("w"), "p")] {
        connect(&login).await.expect("a connection");
    }
    refused(
        &user(&server, None, "canary"),
        "WRONGPASS",
        &["check redis.username and redis.password"],
    )
    .await;
    refused(
        &user(&server, Some("w"), "canary"),
        "WRONGPASS",
        &["check redis.username and redis.password"],
    )
    .await;
    refused(&resp3(&server), "NOAUTH", &["set redis.password"]).await;
}

#[tokio::test]
async fn a_server_without_hello_is_told_of_the_option() {
    let server = Redis::builder().option("rename-command", "HELLO \"\"").start();
    refused(&resp3(&server), "NOPROTO", &["does not speak RESP3", "set redis.protocol = 2"]).await;
    refused(&user(&server, None, "canary"), "NOPROTO", &["set redis.protocol = 2"]).await;
    connect(&settings(Address::Unix(server.socket()))).await.expect("a connection");
}

/// MOVED and ASK redirections are followed.
#[test]
fn slots_move_under_load() {
    let cluster = Cluster::start(3, 0);
    let app = App::start(&cluster.url(), &["redis.mode=cluster", RESP3]);
    let load = Load::start(app.http, 64, 4, OnError::GiveUp);
    let progress = |more: u64| {
        let goal = load.acked() + more;
        eventually("events are acknowledged", || load.acked() >= goal);
    };
    progress(500);
    cluster.reshard(0, 1, 600);
    progress(1000);
    assert_eq!(load.refused(), 0);
    let users = load.stop();
    let faults: Vec<_> = users
        .iter()
        .filter_map(|(name, user)| user.fault(&cluster.hgetall(&format!("user:{name}"))))
        .collect();
    assert_eq!(faults, Vec::<String>::new());
    assert!(
        app.metric("traitsink_redis_errors_total", "MOVED") > 0.0,
        "no slot was met that had moved"
    );
    assert_eq!(versions(&cluster.nodes[1]).0, 0);
    app.assert_at_rest();
}

#[test]
fn the_embedded_store_speaks_it() {
    let app = App::start_with(&["redis.mode=embedded", "redis.embedded.listen=127.0.0.1:0", RESP3]);
    app.wait_ready();
    assert_eq!(
        app.client().post("/v1/identify", r#"{"userId":"u","traits":{"a":1}}"#).unwrap().status,
        200
    );
}
