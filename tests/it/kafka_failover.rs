//! `kafka.failover_replay`: Redis loses confirmed writes, and the worker reads their records again.

use std::time::Duration;

use nix::sys::signal::Signal;
use redis::Value;

use crate::harness::app::App;
use crate::harness::cluster::Cluster;
use crate::harness::kafka::{Kafka, unique};
use crate::harness::matrix::play;
use crate::harness::proxy::Proxy;
use crate::harness::records::{value, write};
use crate::harness::redis::Redis;
use crate::harness::sentinel::Sentinels;
use crate::harness::{eventually, let_pass};
use crate::kafka_source::wait_committed;

/// Number of records before the fault, and of records that Redis loses.
const KEPT: usize = 300;
const LOST: usize = 100;

/// A topic of one partition, and a consumer group for it.
struct FailoverFixture {
    kafka: &'static Kafka,
    topic: String,
    group: String,
    records: usize,
}

impl FailoverFixture {
    fn new(name: &str) -> Self {
        let kafka = Kafka::shared();
        Self { kafka, topic: kafka.topic(name, 1, &[]), group: unique("group"), records: 0 }
    }

    fn worker(&self, redis_url: &str, settings: &[&str]) -> App {
        self.worker_with(&[&[format!("redis.url={redis_url}").as_str()], settings].concat())
    }

    fn worker_with(&self, settings: &[&str]) -> App {
        let servers = format!("kafka.bootstrap_servers={}", self.kafka.servers());
        let (topics, group) =
            (format!("kafka.topics={}", self.topic), format!("kafka.group_id={}", self.group));
        let mut all = vec![
            servers.as_str(),
            &topics,
            &group,
            "kafka.session_timeout=6s",
            "kafka.commit_interval=200ms",
        ];
        all.extend(settings);
        App::start_with(&all)
    }

    /// Writes `count` further records, each of a new user.
    fn produce(&mut self, count: usize) {
        let users = self.records..self.records + count;
        self.records = users.end;
        let events: Vec<String> = users
            .map(|user| {
                format!(r#"{{"type":"identify","userId":"u{user}","traits":{{"n":{user}}}}}"#)
            })
            .collect();
        write(
            self.kafka,
            &self.topic,
            &events.iter().map(|event| value(event.as_bytes())).collect::<Vec<_>>(),
        );
    }

    fn committed(&self) -> usize {
        self.kafka.committed(&self.group, &self.topic)[0]
            .map_or(0, |offset| usize::try_from(offset).expect("not negative"))
    }

    fn wait_committed(&self) {
        wait_committed(self.kafka, &self.group, &self.topic);
    }

    /// Number of users without a hash.
    fn missing(&self, hash: impl Fn(&str) -> usize) -> usize {
        (0..self.records).filter(|user| hash(&format!("user:u{user}")) == 0).count()
    }
}

fn missing(fixture: &FailoverFixture, redis: &Redis) -> usize {
    fixture.missing(|key| redis.hgetall(key).len())
}

fn received(app: &App) -> usize {
    app.metric("traitsink_events_received_total", "kafka") as usize
}

fn replays(app: &App) -> usize {
    app.metric("traitsink_kafka_replays_total", "") as usize
}

/// A master that has stopped replicating dies, and its replica answers at the same address. Returns
/// the number of users that are missing there in the end.
fn fail_over(name: &str, settings: &[&str]) -> (App, usize) {
    let mut fixture = FailoverFixture::new(name);
    let (mut master, replica) = (Redis::start(), Redis::start());
    let replicate = ["REPLICAOF", "127.0.0.1", &master.port().to_string()];
    assert_eq!(replica.cli(&replicate), Value::Okay);
    let proxy = Proxy::start(master.port());
    let app = fixture.worker(&format!("redis://127.0.0.1:{}", proxy.port()), settings);
    fixture.produce(KEPT);
    fixture.wait_committed();
    eventually("the replica has everything", || missing(&fixture, &replica) == 0);
    assert_eq!(replica.cli(&["REPLICAOF", "NO", "ONE"]), Value::Okay);

    fixture.produce(LOST);
    eventually("the master has everything", || missing(&fixture, &master) == 0);
    if settings.is_empty() {
        fixture.wait_committed();
    }
    master.kill();
    proxy.redirect_to(replica.port());
    app.wait_ready();
    eventually("the lanes have reconnected", || {
        app.metric("traitsink_redis_reconnects_total", "") >= 4.0
    });
    fixture.wait_committed();
    app.assert_at_rest();
    let missing = missing(&fixture, &replica);
    (app, missing)
}

#[test]
fn what_a_dead_master_had_not_replicated_is_written_again() {
    let (app, missing) = fail_over("failover", &["kafka.failover_replay=10s"]);
    assert_eq!(missing, 0);
    // Only uncommitted records are read again, and only once, although each lane notices the new
    // server.
    assert_eq!((received(&app), replays(&app)), (KEPT + 2 * LOST, 1));
    let line = app.wait_for_line("reading again");
    let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!((&line["from"], &line["back_to"]), (&(KEPT + LOST).into(), &KEPT.into()));
}

#[test]
fn c5_what_sentinels_throw_away_is_written_again() {
    play(
        "C5",
        "Sentinel: replication is cut and the master dies, from Kafka with failover_replay",
        1..=10,
        |round| {
            let (mut fixture, mut trio) = (FailoverFixture::new("sentinels"), Sentinels::start(1));
            let settings = trio.settings();
            let settings: Vec<&str> =
                settings.iter().map(String::as_str).chain(["kafka.failover_replay=10s"]).collect();
            let app = fixture.worker_with(&settings);
            fixture.produce(KEPT);
            fixture.wait_committed();
            eventually("the replica has everything", || missing(&fixture, &trio.servers[1]) == 0);
            trio.cut_replication(0);
            fixture.produce(LOST);
            eventually("the master has everything", || missing(&fixture, &trio.servers[0]) == 0);
            trio.servers[0].kill();
            round.recovers(|| {
                let master = trio.switched(0, &[0, 1, 2]);
                eventually("the next master has everything", || {
                    missing(&fixture, &trio.servers[master]) == 0
                });
            });
            assert_eq!(replays(&app), 1);
            app.assert_at_rest();
        },
    );
}

/// The control: without the option the same fault loses events.
#[test]
fn without_a_replay_it_is_lost() {
    let (app, missing) = fail_over("no-failover", &[]);
    assert_eq!((missing, received(&app), replays(&app)), (LOST, KEPT + LOST, 0));
}

/// The server comes back empty and nothing is committed yet, so everything is written again, dead
/// letters included.
#[test]
fn a_server_that_comes_back_empty_is_filled_again() {
    let (mut fixture, mut redis) = (FailoverFixture::new("empty"), Redis::start());
    fixture.produce(KEPT);
    write(fixture.kafka, &fixture.topic, &[value(b"poison")]);
    let url = format!("redis://127.0.0.1:{}", redis.port());
    let app = fixture.worker(&url, &["kafka.failover_replay=1h"]);
    eventually("all events are written", || {
        app.dead_letters().len() == 1 && missing(&fixture, &redis) == 0
    });
    redis.restart();
    eventually("all events are written again", || {
        app.dead_letters().len() == 2 && missing(&fixture, &redis) == 0
    });
    assert_eq!((fixture.committed(), replays(&app)), (0, 1));
    app.assert_at_rest();
}

/// Redis is away for longer than the replay time: confirmed writes may still be lost, so nothing is
/// committed.
#[test]
fn nothing_is_committed_while_redis_is_away() {
    let (mut fixture, mut redis) = (FailoverFixture::new("away"), Redis::start());
    let url = format!("redis://127.0.0.1:{}", redis.port());
    let app = fixture.worker(&url, &["kafka.failover_replay=3s"]);
    fixture.produce(LOST);
    eventually("all events are written", || missing(&fixture, &redis) == 0);
    redis.kill();
    eventually("the worker is not ready", || !app.ready());
    // A commit that was due by then is sent within this time.
    let_pass(Duration::from_secs(1));
    let committed = fixture.committed();
    let_pass(Duration::from_secs(5));
    assert_eq!(fixture.committed(), committed);
    redis.restart();
    fixture.wait_committed();
    assert_eq!((missing(&fixture, &redis), received(&app)), (committed, 2 * LOST - committed));
    app.assert_at_rest();
}

/// The next worker writes the held-back records of a stopped worker again, and no others.
#[test]
fn a_restart_replays_what_was_held_back() {
    let (mut fixture, redis) = (FailoverFixture::new("restart"), Redis::start());
    let url = format!("redis://127.0.0.1:{}", redis.port());
    let stop = |mut app: App| {
        app.signal(Signal::SIGTERM);
        let status = app.wait(Duration::from_secs(20));
        assert!(status.success(), "{status}\n{}", app.log().join("\n"));
    };
    let first = fixture.worker(&url, &["kafka.failover_replay=1s"]);
    fixture.produce(KEPT);
    fixture.wait_committed();
    stop(first);
    for _ in 0..2 {
        let second = fixture.worker(&url, &["kafka.failover_replay=1h"]);
        fixture.produce(LOST);
        eventually("all events are written", || missing(&fixture, &redis) == 0);
        stop(second);
        assert_eq!(fixture.committed(), KEPT);
    }
    let third = fixture.worker(&url, &["kafka.failover_replay=1s"]);
    fixture.wait_committed();
    assert_eq!(received(&third), 2 * LOST);
    third.assert_at_rest();
}

/// In a cluster, a failover causes a replay, and moving slots does not.
#[test]
fn a_clusters_failover_is_replayed_and_a_reshard_is_not() {
    let (mut fixture, mut cluster) = (FailoverFixture::new("cluster"), Cluster::start(3, 1));
    let app = fixture.worker(
        &cluster.url(),
        &["redis.mode=cluster", "redis.cluster.refresh=1s", "kafka.failover_replay=1h"],
    );
    fixture.produce(KEPT);
    let missing = |fixture: &FailoverFixture, cluster: &Cluster| {
        fixture.missing(|key| cluster.hgetall(key).len())
    };
    eventually("all events are written", || missing(&fixture, &cluster) == 0);
    cluster.reshard(0, 2, 100);
    fixture.produce(LOST);
    eventually("all events are written", || missing(&fixture, &cluster) == 0);
    assert_eq!(replays(&app), 0);

    cluster.nodes[1].kill();
    cluster.nodes.remove(1);
    eventually("the records are read again", || replays(&app) > 0);
    fixture.produce(LOST);
    eventually("all events are written", || {
        app.metric("traitsink_events_in_flight", "") == 0.0
            && received(&app) >= 2 * (KEPT + LOST) + LOST
    });
    assert_eq!(missing(&fixture, &cluster), 0);
    app.assert_at_rest();
}
