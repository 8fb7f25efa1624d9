//! `redis.mode = primary_replicas`: a primary that takes the writes, and replicas that only `check`
//! reads.

use redis::Value;

use crate::faults::{check, durable_redis, load_of, progress};
use crate::harness::app::{App, run};
use crate::harness::cluster::Cluster;
use crate::harness::http::Client;
use crate::harness::load::OnError;
use crate::harness::matrix::play;
use crate::harness::redis::Redis;
use crate::harness::{eventually, guide};

fn settings(primary: &Redis, replicas: &[&Redis]) -> Vec<String> {
    let nodes: Vec<String> =
        replicas.iter().map(|replica| format!("\"127.0.0.1:{}\"", replica.port())).collect();
    vec![
        "redis.mode=primary_replicas".to_owned(),
        format!("redis.url=redis://127.0.0.1:{}", primary.port()),
        format!("redis.replicas.nodes=[{}]", nodes.join(",")),
    ]
}

fn worker(primary: &Redis, replica: &Redis, more: &[&str]) -> App {
    let settings = settings(primary, &[replica]);
    App::start_with(
        &settings.iter().map(String::as_str).chain(more.iter().copied()).collect::<Vec<_>>(),
    )
}

fn why_not_ready(app: &App) -> String {
    Client::new(app.admin).get("/ready").expect("an answer").text()
}

/// Exit code, standard output and standard error of `check --connect`.
fn check_connect(settings: &[String]) -> (Option<i32>, String, String) {
    let args: Vec<&str> =
        settings.iter().flat_map(|setting| ["-s", setting]).chain(["check", "--connect"]).collect();
    let output = run(&args, b"");
    let [said, complained] =
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code(), said, complained)
}

#[test]
fn the_examples_of_the_guide_are_written() {
    let primary = Redis::start();
    let replica = Redis::builder().replica_of(&primary);
    guide::check_examples(&worker(&primary, &replica, &guide::WRITE_KEYS), |key| {
        primary.hgetall(key)
    });
}

#[test]
fn b1_the_primary_dies_and_returns() {
    play(
        "B1",
        "the primary of replicas is killed and started again (appendfsync always)",
        2..=10,
        |round| {
            let mut primary = durable_redis();
            let replica = Redis::builder().replica_of(&primary);
            let app = worker(&primary, &replica, &[]);
            let load = load_of(&app, OnError::Retry);
            progress(&load, 500);
            primary.kill();
            eventually("a request was refused", || load.refused() > 0);
            primary.restart();
            round.recovers(|| progress(&load, 1));
            progress(&load, 500);
            check(&primary, &load.stop());
            app.assert_at_rest();
            assert!(app.dead_letters().is_empty());
        },
    );
}

#[test]
fn a_primary_that_is_demoted_is_waited_for() {
    let primary = durable_redis();
    let replica = Redis::builder().replica_of(&primary);
    let app = worker(&primary, &replica, &[]);
    let load = load_of(&app, OnError::Retry);
    progress(&load, 500);
    // The new primary does not exist, so the server keeps its data.
    primary.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    eventually("the hint is shown", || {
        why_not_ready(&app).contains("is a replica of 127.0.0.1:1 and takes no writes")
    });
    primary.cli(&["REPLICAOF", "NO", "ONE"]);
    progress(&load, 500);
    app.wait_ready();
    check(&primary, &load.stop());
    app.assert_at_rest();
    assert!(app.dead_letters().is_empty());
}

/// Writes to a replica are lost with its next synchronisation.
#[test]
fn a_replica_that_takes_writes_is_no_primary() {
    let primary = Redis::start();
    let replica = Redis::builder().replica_of(&primary);
    replica.cli(&["CONFIG", "SET", "replica-read-only", "no"]);
    let app = worker(&replica, &primary, &["http.wait=300ms"]);
    let status =
        app.client().post("/v1/identify", r#"{"userId":"u","traits":{"a":1}}"#).unwrap().status;
    assert_eq!(status, 503);
    let hint = format!("127.0.0.1:{} and takes no writes", primary.port());
    eventually("the hint is shown", || why_not_ready(&app).contains(&hint));
    assert!(replica.hgetall("user:u").is_empty());
}

#[test]
fn check_confirms_each_replica() {
    let (primary, stranger) = (Redis::start(), Redis::start());
    let replica = Redis::builder().replica_of(&primary);
    let (code, said, complained) = check_connect(&settings(&primary, &[&replica]));
    assert_eq!(code, Some(0), "{said}{complained}");
    for line in [&format!("replica       of 127.0.0.1:{}, in step", primary.port()), "+role"] {
        assert!(said.contains(line), "{line:?} is missing:\n{said}");
    }
    assert!(!said.contains("takes no writes"), "{said}");

    let (code, _, complained) = check_connect(&settings(&primary, &[&replica, &stranger]));
    let error = format!(
        "traitsink: 127.0.0.1:{}: is no replica but a primary itself: was it promoted?\n",
        stranger.port()
    );
    assert_eq!((code, complained), (Some(69), error));

    let (code, _, complained) = check_connect(&settings(&stranger, &[&replica]));
    let error = format!(
        "traitsink: 127.0.0.1:{}: is a replica of 127.0.0.1:{}, which is not the primary that is \
         written to\n",
        replica.port(),
        primary.port()
    );
    assert_eq!((code, complained), (Some(69), error));

    let (code, _, complained) = check_connect(&settings(&replica, &[&replica]));
    assert_eq!(code, Some(69), "{complained}");
    assert!(complained.contains("and takes no writes"), "{complained}");
}

#[test]
fn check_asks_the_replicas_of_a_cluster_when_told() {
    // CLUSTER SLOTS omits replicas that have received nothing yet, not even a ping.
    let cluster = Cluster::with(3, 1, |builder| builder.option("repl-ping-replica-period", "1"));
    eventually("every node names every replica", || {
        let names_replica =
            |range: &Value| matches!(range, Value::Array(parts) if parts.len() == 4);
        let names_all =
            |slots| matches!(slots, Value::Array(ranges) if ranges.iter().all(names_replica));
        cluster.nodes.iter().all(|node| names_all(node.cli(&["CLUSTER", "SLOTS"])))
    });
    for (more, reached) in [(None, 3), (Some("redis.read_from_replicas=true"), 6)] {
        let settings = ["redis.mode=cluster".to_owned(), format!("redis.url={}", cluster.url())];
        let settings = settings.into_iter().chain(more.map(str::to_owned));
        let (code, said, complained) = check_connect(&settings.collect::<Vec<_>>());
        assert_eq!(code, Some(0), "{complained}");
        assert_eq!(said.matches("\nreached ").count(), reached, "{said}");
        assert_eq!(said.matches(", in step\n").count(), reached - 3, "{said}");
    }
}
