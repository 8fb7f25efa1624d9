//! Suppressions that all workers obey, whoever restarts and whatever is lost.

use std::time::{Duration, Instant};

use super::{Deletions, SUPPRESSIONS, Settings};
use crate::harness::cluster::Cluster;
use crate::harness::eventually;
use crate::harness::redis::Redis;
use crate::harness::sentinel::Sentinels;

/// Waits until `worker` holds `user`, or not; returns how long that took.
fn wait_for(worker: &Deletions, user: &str, held: bool) -> Duration {
    let start = Instant::now();
    eventually("the worker obeys", || worker.suppressions.holds(user.as_bytes()) == held);
    start.elapsed()
}

fn marks(redis: &Redis) -> usize {
    redis.hgetall(SUPPRESSIONS).keys().filter(|field| field.len() == 64).count()
}

#[test]
fn workers_tell_each_other() {
    let redis = Redis::start();
    let dirs = [(), ()].map(|()| tempfile::tempdir().unwrap());
    let start = |number: usize| Deletions::start(&redis, dirs[number].path());
    let (one, two) = (start(0), start(1));
    let id = one.regulate("SUPPRESS_ONLY", &["u1", "u2"]);
    assert_eq!(one.ended(&id)["overallStatus"], "FINISHED");
    wait_for(&two, "u1", true);
    two.ended(&two.regulate("UNSUPPRESS", &["u1"]));
    wait_for(&one, "u1", false);
    assert!(one.suppressions.holds(b"u2"));

    // A change by hand is obeyed, too, and an older one is not.
    let digest = crate::harness::run("sh", &["-c", "printf u3 | sha256sum"], dirs[0].path());
    redis.cli(&["HSET", SUPPRESSIONS, &digest[..64], "+1000", "a", "b", "c", "+1"]);
    wait_for(&one, "u3", true);
    let digest = crate::harness::run("sh", &["-c", "printf u2 | sha256sum"], dirs[0].path());
    redis.cli(&["HSET", SUPPRESSIONS, &digest[..64], "-1000", "changed", "by hand"]);
    eventually("the newer mark is written again", || {
        let value: String =
            redis::from_redis_value(redis.cli(&["HGET", SUPPRESSIONS, &digest[..64]])).unwrap();
        value.starts_with('+')
    });
    assert!(one.suppressions.holds(b"u2") && two.suppressions.holds(b"u2"));

    // A hash that is lost is filled again; whoever was away learns what happened meanwhile.
    two.stop();
    redis.cli(&["FLUSHALL"]);
    eventually("the hash is back", || marks(&redis) == 3);
    one.ended(&one.regulate("SUPPRESS_ONLY", &["u4"]));
    let two = start(1);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(two.suppressions.loaded());
    assert!(two.suppressions.holds(b"u4"), "before its first write");
}

#[test]
fn many_marks_are_read_in_pages() {
    let redis = Redis::start();
    let dirs = [(), ()].map(|()| tempfile::tempdir().unwrap());
    let start = |number: usize| {
        let dir = dirs[number].path();
        Deletions::with(
            Settings { max_suppressed: 100_000, ..Settings::standalone(&redis, dir) },
            dir,
        )
    };
    let (one, two) = (start(0), start(1));
    let users: Vec<String> = (0..12_000).map(|number| format!("user-{number}")).collect();
    for part in users.chunks(5000) {
        let part: Vec<&str> = part.iter().map(String::as_str).collect();
        one.regulate("SUPPRESS_ONLY", &part);
    }
    let holds_all =
        |worker: &Deletions| users.iter().all(|user| worker.suppressions.holds(user.as_bytes()));
    assert!(holds_all(&one));
    eventually("the other worker knows all", || holds_all(&two));
    drop(one);
    redis.cli(&["DEL", SUPPRESSIONS]);
    eventually("the hash is back", || marks(&redis) == users.len());
}

#[test]
fn a_hash_that_moves_through_a_cluster() {
    let cluster = Cluster::start(3, 0);
    let nodes: Vec<String> =
        cluster.nodes.iter().map(|node| format!("\"127.0.0.1:{}\"", node.port())).collect();
    let nodes = format!("redis.nodes=[{}]", nodes.join(","));
    let dirs = [(), ()].map(|()| tempfile::tempdir().unwrap());
    let start = |number: usize| {
        let dir = dirs[number].path();
        Deletions::with(Settings::new(&["redis.mode=cluster", &nodes], dir), dir)
    };
    let (one, two) = (start(0), start(1));
    one.ended(&one.regulate("SUPPRESS_ONLY", &["u1"]));
    wait_for(&two, "u1", true);
    let owners = || {
        let holds = |node: &Redis| {
            let keys = node.cli(&["KEYS", "*"]);
            redis::from_redis_value::<Vec<String>>(keys).unwrap().contains(&SUPPRESSIONS.into())
        };
        cluster.nodes.iter().map(holds).collect::<Vec<bool>>()
    };
    let before = owners();
    let from = before.iter().position(|holds| *holds).expect("one node has the hash");
    // All slots of a node move.
    cluster.reshard(from, (from + 1) % 3, 5461);
    assert_ne!(owners(), before);
    one.ended(&one.regulate("SUPPRESS_ONLY", &["u2"]));
    wait_for(&two, "u2", true);
    assert_eq!(owners().iter().filter(|holds| **holds).count(), 1);
}

#[test]
fn a_hash_whose_master_dies() {
    let mut trio = Sentinels::start(1);
    let settings = trio.settings();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let dirs = [(), ()].map(|()| tempfile::tempdir().unwrap());
    let start = |number: usize| {
        let dir = dirs[number].path();
        Deletions::with(Settings::new(&settings, dir), dir)
    };
    let (one, two) = (start(0), start(1));
    one.ended(&one.regulate("SUPPRESS_ONLY", &["u1"]));
    wait_for(&two, "u1", true);
    trio.servers[0].kill();
    let master = trio.switched(0, &[0, 1, 2]);
    one.ended(&one.regulate("SUPPRESS_ONLY", &["u2"]));
    wait_for(&two, "u2", true);
    // The new master may not have had the first one.
    eventually("the hash is whole", || marks(&trio.servers[master]) == 2);
}

#[test]
fn a_server_that_restarts_empty_is_filled_again() {
    let (mut redis, dir) = (Redis::start(), tempfile::tempdir().unwrap());
    let worker = Deletions::start(&redis, dir.path());
    worker.ended(&worker.regulate("SUPPRESS_ONLY", &["u1"]));
    redis.kill();
    redis.restart();
    redis.cli(&["FLUSHALL"]);
    eventually("the hash is back", || marks(&redis) == 1);
    redis.cli(&["DEL", SUPPRESSIONS]);
    redis.cli(&["SET", SUPPRESSIONS, "text"]);
    let not_ready = || {
        let waiting = worker.readiness.waiting_for();
        waiting.iter().any(|(part, why)| *part == "suppressions" && why.contains("WRONGTYPE"))
    };
    eventually("the reason is told", not_ready);
    redis.cli(&["DEL", SUPPRESSIONS]);
    eventually("the hash is back", || marks(&redis) == 1 && worker.readiness.is_ready());
}
