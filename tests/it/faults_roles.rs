//! Under load, a primary becomes a replica, and replicas lose their primary.

use std::cell::RefCell;

use crate::faults_states::{ServerState, expect_ok, wait_for_info};
use crate::harness::redis::Redis;

#[test]
fn b8_the_primary_became_a_replica() {
    let state = ServerState {
        fault: "B8",
        name: "the primary became a replica (READONLY)",
        class: "rediscover",
        code: "READONLY",
        words: "is a replica and takes no writes",
    };
    // The new primary does not exist, so the server keeps its data.
    let demote = |redis: &mut Redis| expect_ok(redis, &["REPLICAOF", "127.0.0.1", "1"]);
    state.play("", Redis::start, demote, |redis| expect_ok(redis, &["REPLICAOF", "NO", "ONE"]));
}

/// The server refuses a write with READONLY before it looks at its own state; it reports that state
/// to new connections.
#[test]
fn b8_a_replica_lost_its_primary() {
    let state = ServerState {
        fault: "B8",
        name: "a replica lost its primary (MASTERDOWN)",
        class: "rediscover",
        code: "MASTERDOWN",
        words: "is a replica",
    };
    state.play(
        "",
        || Redis::builder().option("replica-serve-stale-data", "no").start(),
        |redis| expect_ok(redis, &["REPLICAOF", "127.0.0.1", "1"]),
        |redis| expect_ok(redis, &["REPLICAOF", "NO", "ONE"]),
    );
}

#[test]
fn b8_the_replica_is_gone() {
    let state = ServerState {
        fault: "B8",
        name: "the replica is gone (NOREPLICAS)",
        class: "retry",
        code: "NOREPLICAS",
        words: "too few replicas",
    };
    let replica: RefCell<Option<Redis>> = RefCell::new(None);
    state.play(
        "",
        || {
            let primary = Redis::builder()
                .option("min-replicas-to-write", "1")
                .option("repl-diskless-sync-delay", "0")
                .start();
            let of_it = format!("127.0.0.1 {}", primary.port());
            *replica.borrow_mut() = Some(Redis::builder().option("replicaof", &of_it).start());
            wait_for_info(&primary, "min_slaves_good_slaves:1");
            primary
        },
        |_| replica.borrow_mut().as_mut().expect("started").kill(),
        |_| replica.borrow_mut().as_mut().expect("started").restart(),
    );
}
