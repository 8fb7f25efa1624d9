//! The worker with a real Redis Cluster: slots that move, masters that die.

use std::time::Duration;

use crate::faults::progress;
use crate::harness::app::App;
use crate::harness::cluster::{Cluster, is_master};
use crate::harness::load::{Load, OnError, check_users, count_lost};
use crate::harness::matrix::play;
use crate::harness::proxy::Proxy;
use crate::harness::{eventually, guide, let_pass};

fn worker(cluster: &Cluster, settings: &[&str]) -> App {
    App::start(&cluster.url(), &[&["redis.mode=cluster"], settings].concat())
}

#[test]
fn the_examples_of_the_guide_are_written() {
    let cluster = Cluster::start(3, 0);
    let app = worker(&cluster, &guide::WRITE_KEYS);
    guide::check_examples(&app, |key| cluster.hgetall(key));
}

/// Slots move and no request fails: redirections are followed.
#[test]
fn c2_slots_move_under_load() {
    play("C2", "600 slots move to another node of a cluster", 2..=5, |round| {
        let cluster = Cluster::start(3, 0);
        let app = worker(&cluster, &[]);
        let load = Load::start(app.http, 256, 4, OnError::GiveUp);
        progress(&load, 2000);
        cluster.reshard(0, 1, 600);
        progress(&load, 1000);
        if round.number % 2 == 0 {
            cluster.reshard(1, 2, 300);
        }
        progress(&load, 2000);
        let refused = load.refused();
        let users = load.stop();
        check_users(&users, |key| cluster.hgetall(key));
        assert_eq!(refused, 0, "a request was refused while slots moved");
        assert!(
            app.metric("traitsink_redis_errors_total", "MOVED") > 0.0,
            "no slot was met that had moved"
        );
        assert!(app.dead_letters().is_empty());
        app.assert_at_rest();
    });
}

/// A master dies and its replica takes over; the other shards never wait.
#[test]
fn c1_a_master_dies() {
    play("C1", "a master of a cluster is killed or frozen", 2..=20, |round| {
        let mut cluster = Cluster::start(3, 1);
        let app = worker(&cluster, &["redis.response_timeout=500ms"]);
        let load = Load::start(app.http, 12, 20, OnError::Retry);
        progress(&load, 500);
        let frozen = round.number % 2 == 0;
        if frozen {
            cluster.nodes[0].pause();
        } else {
            cluster.nodes[0].kill();
        }
        let others = [1, 2, 3, 4, 5].map(|node| &cluster.nodes[node]);
        round.recovers(|| {
            eventually("a replica took over", || {
                others.iter().filter(|node| is_master(node)).count() == 3
            });
            progress(&load, 500);
        });
        if frozen {
            cluster.nodes[0].resume();
        } else {
            cluster.nodes[0].restart();
        }
        progress(&load, 500);
        // The old master starts empty and acts as a master until the cluster makes it a replica.
        eventually("the old master is a replica", || !is_master(&cluster.nodes[0]));
        let users = load.stop();
        app.wait_ready();
        round.lost += count_lost(&users, 12, |key| cluster.hgetall(key));
        assert!(app.dead_letters().is_empty());
        app.assert_at_rest();
    });
}

/// Masters and replicas change places by CLUSTER FAILOVER, without a loss.
#[test]
fn c3_masters_change_places() {
    play("C3", "masters and replicas of a cluster change places", 2..=5, |round| {
        let cluster = Cluster::start(3, 1);
        let app = worker(&cluster, &[]);
        let load = Load::start(app.http, 12, 20, OnError::Retry);
        for _ in 0..2 {
            progress(&load, 300);
            let replica = cluster.nodes.iter().find(|node| !is_master(node)).expect("a replica");
            // The command is refused while the replica is not synchronised.
            eventually("the replica is a master now", || {
                replica.cli(&["CLUSTER", "FAILOVER"]);
                let_pass(Duration::from_millis(200));
                is_master(replica)
            });
            round.recovers(|| progress(&load, 300));
        }
        progress(&load, 500);
        let users = load.stop();
        check_users(&users, |key| cluster.hgetall(key));
        assert!(app.dead_letters().is_empty());
        app.assert_at_rest();
    });
}

/// All nodes restart with other addresses. Only the address of the seed stays, which leads to one
/// of the nodes.
#[test]
fn c3_all_addresses_change() {
    play(
        "C3",
        "a whole cluster is killed, and all its nodes come back with other addresses",
        2..=5,
        |round| {
            let mut cluster = Cluster::with(3, 1, |node| {
                node.option("appendonly", "yes").option("appendfsync", "always")
            });
            let seed = Proxy::start(cluster.nodes[0].port());
            let app =
                App::start(&format!("redis://127.0.0.1:{}", seed.port()), &["redis.mode=cluster"]);
            let load = Load::start(app.http, 12, 20, OnError::Retry);
            progress(&load, 500);
            cluster.nodes.iter_mut().for_each(|node| node.kill());
            let_pass(round.up_to(1000));
            cluster.nodes.iter_mut().for_each(|node| node.move_away());
            seed.redirect_to(cluster.nodes[round.rng.usize(0..6)].port());
            cluster.wait_until_whole();
            round.recovers(|| progress(&load, 500));
            app.wait_ready();
            check_users(&load.stop(), |key| cluster.hgetall(key));
            assert!(app.dead_letters().is_empty());
            app.assert_at_rest();
        },
    );
}

#[test]
fn a_cluster_that_is_away_is_waited_for() {
    let mut cluster = Cluster::start(3, 0);
    cluster.nodes.iter_mut().for_each(|node| node.kill());
    let app = worker(&cluster, &["http.wait=300ms"]);
    let identify =
        || app.client().post("/v1/identify", r#"{"userId":"u","traits":{"a":1}}"#).unwrap().status;
    assert_eq!(identify(), 503);
    assert!(!app.ready());
    cluster.nodes.iter_mut().for_each(|node| node.restart());
    app.wait_ready();
    assert_eq!(identify(), 200);
    assert_eq!(cluster.hgetall("user:u").len(), 1);
}
