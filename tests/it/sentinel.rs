//! The worker with real sentinels: the master dies, freezes or is replaced, and no acknowledged
//! event is lost.

use redis::Value;

use crate::harness::app::{App, run};
use crate::harness::certs::Authority;
use crate::harness::load::{Load, OnError, check_users, count_lost};
use crate::harness::matrix::play;
use crate::harness::redis::{Builder, Redis};
use crate::harness::sentinel::{PASSWORD, Sentinels};
use crate::harness::{eventually, guide, let_pass};
const WRITERS: usize = 8;
const WAIT_FOR_ALL: [&str; 2] =
    ["redis.durability.wait_replicas=2", "redis.durability.wait_timeout=900ms"];

fn worker(trio: &Sentinels, settings: &[&str]) -> App {
    let all = trio.settings();
    let all: Vec<&str> = all
        .iter()
        .map(String::as_str)
        .chain(["redis.response_timeout=1s"])
        .chain(settings.iter().copied())
        .collect();
    App::start_with(&all)
}

fn load(app: &App) -> Load {
    Load::start(app.http, WRITERS, 20, OnError::Retry)
}

fn progress(load: &Load, more: u64) {
    let goal = load.acked() + more;
    eventually("events are acknowledged", || load.acked() >= goal);
}

/// Ends the load, and checks that no acknowledged event is missing.
fn finish_complete(trio: &Sentinels, master: usize, app: &App, load: Load) -> usize {
    progress(&load, 200);
    check_users(&load.stop(), |key| trio.hgetall(master, key));
    assert!(app.dead_letters().is_empty());
    app.assert_at_rest();
    0
}

/// Ends the load, and returns the number of events that the dead master had not replicated.
fn finish_counting(trio: &Sentinels, master: usize, app: &App, load: Load) -> usize {
    progress(&load, 200);
    let users = load.stop();
    assert!(app.dead_letters().is_empty());
    app.assert_at_rest();
    count_lost(&users, WRITERS, |key| trio.hgetall(master, key))
}

#[test]
fn the_examples_of_the_guide_are_written() {
    let trio = Sentinels::start(1);
    let app = worker(&trio, &guide::WRITE_KEYS);
    guide::check_examples(&app, |key| trio.hgetall(0, key));
    assert_eq!(app.metric("traitsink_redis_up", "role=\"sentinel\""), 3.0);
}

/// Host names instead of addresses, TLS and a login for all servers; the worker has the settings
/// for them.
#[test]
fn all_is_encrypted_and_named() {
    let authority = Authority::new("private CA");
    let issued = authority.server(&["localhost", "sentinel.internal"]);
    let ca = authority.ca_file().display().to_string();
    let encrypted = |builder: Builder| {
        builder.tls(&issued).option("tls-ca-cert-file", &ca).option("tls-replication", "yes")
    };
    let trio = Sentinels::with(1, encrypted, |sentinel| {
        let names = ["resolve-hostnames yes", "announce-hostnames yes"];
        names.iter().fold(encrypted(sentinel).password("watch"), |builder, line| {
            builder.option("sentinel", line)
        })
    });
    let reached = format!(
        "redis.sentinel.nat_map={{\"127.0.0.1:{0}\"=\"localhost:{0}\"}}",
        trio.servers[0].port()
    );
    let trust = ["redis.tls", "redis.sentinel.tls"].map(|table| format!("{table}.ca_file={ca}"));
    let settings = [
        &reached,
        &trust[0],
        &trust[1],
        "redis.tls.enabled=true",
        "redis.sentinel.tls.enabled=true",
        "redis.sentinel.tls.server_name=sentinel.internal",
        "redis.sentinel.password=watch",
    ];
    let app = worker(&trio, &[&settings[..], &guide::WRITE_KEYS].concat());
    guide::check_examples(&app, |key| trio.hgetall(0, key));
}

#[test]
fn c4_the_master_dies() {
    play("C4", "Sentinel: the master is killed", 1..=20, |round| {
        let mut trio = Sentinels::start(2);
        let app = worker(&trio, &[]);
        let load = load(&app);
        progress(&load, 300);
        let_pass(round.up_to(300));
        trio.servers[0].kill();
        round.recovers(|| progress(&load, 20));
        let master = trio.switched(0, &[0, 1, 2]);
        trio.servers[0].restart();
        round.lost += finish_counting(&trio, master, &app, load);
    });
}

/// The frozen master wakes as a master, and confirms writes that will be lost.
#[test]
fn c4_the_master_freezes_and_comes_back() {
    let words = "Sentinel: the master is frozen, replaced, and wakes as a master";
    freezes_and_comes_back(words, &[], finish_counting);
}

#[test]
fn c4_the_master_freezes_and_comes_back_while_replicas_are_waited_for() {
    let words = "Sentinel: the master is frozen, replaced, and wakes as a master, with \
        wait_replicas = 2, which is all";
    freezes_and_comes_back(words, &WAIT_FOR_ALL, finish_complete);
}

fn freezes_and_comes_back(
    words: &'static str,
    settings: &[&str],
    ends: impl Fn(&Sentinels, usize, &App, Load) -> usize,
) {
    play("C4", words, 1..=20, |round| {
        let trio = Sentinels::start(2);
        let app = worker(&trio, settings);
        let load = load(&app);
        progress(&load, 300);
        trio.servers[0].pause();
        let master = round.recovers(|| {
            let master = trio.switched(0, &[0, 1, 2]);
            trio.servers[0].resume();
            progress(&load, 20);
            master
        });
        round.lost += ends(&trio, master, &app, load);
    });
}

/// The old master does not know of the command for two seconds.
#[test]
fn c4_the_master_is_replaced_by_command() {
    replaced_by_command(
        "Sentinel: the master is replaced by command (SENTINEL FAILOVER)",
        &[],
        finish_counting,
    );
}

/// The replicas leave the old master while it waits for their confirmation.
#[test]
fn c4_the_master_is_replaced_by_command_while_replicas_are_waited_for() {
    replaced_by_command(
        "Sentinel: the master is replaced by command, with wait_replicas = 2, which is all",
        &WAIT_FOR_ALL,
        finish_complete,
    );
}

fn replaced_by_command(
    words: &'static str,
    settings: &[&str],
    ends: impl Fn(&Sentinels, usize, &App, Load) -> usize,
) {
    play("C4", words, 1..=20, |round| {
        let trio = Sentinels::start(2);
        let app = worker(&trio, settings);
        let load = load(&app);
        progress(&load, 300);
        trio.sentinels[round.rng.usize(..3)].cli(&["SENTINEL", "FAILOVER", "mymaster"]);
        let master = round.recovers(|| {
            let master = trio.switched(0, &[0, 1, 2]);
            progress(&load, 20);
            master
        });
        round.lost += ends(&trio, master, &app, load);
    });
}

/// Writes that were not replicated are lost with the master, and are counted.
#[test]
fn c5_the_master_dies_with_what_was_not_replicated() {
    play(
        "C5",
        "Sentinel: replication is cut and the master dies, without wait_replicas",
        1..=10,
        |round| {
            let mut trio = Sentinels::start(1);
            let app = worker(&trio, &[]);
            let load = load(&app);
            progress(&load, 300);
            trio.cut_replication(0);
            progress(&load, 300);
            trio.servers[0].kill();
            round.recovers(|| progress(&load, 20));
            let master = trio.switched(0, &[0, 1, 2]);
            let users = load.stop();
            round.lost += users
                .iter()
                .map(|(name, user)| user.lost(&trio.hgetall(master, &format!("user:{name}"))))
                .sum::<usize>();
            app.assert_at_rest();
        },
    );
}

#[test]
fn c5_replicas_are_waited_for() {
    play(
        "C5",
        "Sentinel: replication is cut and the master dies, with wait_replicas = 1",
        1..=10,
        |round| {
            let mut trio = Sentinels::start(1);
            let app = worker(
                &trio,
                &["redis.durability.wait_replicas=1", "redis.durability.wait_timeout=200ms"],
            );
            let load = load(&app);
            progress(&load, 300);
            trio.cut_replication(0);
            eventually("the worker says that replicas are missing", || {
                app.metric("traitsink_redis_errors_total", "code=\"NOREPLICAS\"") > 0.0
            });
            trio.servers[0].kill();
            trio.restore_replication(0);
            let master = trio.switched(0, &[0, 1, 2]);
            // The old master is now a replica, and its confirmation is waited for.
            trio.servers[0].restart();
            round.recovers(|| progress(&load, 20));
            finish_complete(&trio, master, &app, load);
        },
    );
}

/// A sentinel that was frozen names the old master, which is a replica; a dead one names none.
#[test]
fn c6_sentinels_are_dead_or_wrong() {
    play(
        "C6",
        "Sentinel: one sentinel is dead, one names a replica, and the master is killed",
        1..=10,
        |round| {
            let mut trio = Sentinels::start(2);
            let wrong = round.rng.usize(..3);
            let replica = trio.servers[1].port().to_string();
            let monitor_replica = ["SENTINEL", "MONITOR", "mymaster", "127.0.0.1", &replica, "2"];
            trio.sentinels[wrong].cli(&["SENTINEL", "REMOVE", "mymaster"]);
            trio.sentinels[wrong].cli(&monitor_replica);
            assert_eq!(trio.master(wrong), 1, "this sentinel does not name a replica");
            let app = worker(&trio, &[]);
            let load = load(&app);
            progress(&load, 300);
            check_users(&load.stop(), |key| trio.hgetall(0, key));
            // The next load counts from 1 again.
            assert_eq!(trio.servers[0].cli(&["FLUSHALL"]), Value::Okay);
            trio.sentinels[wrong].kill();
            let load = self::load(&app);
            progress(&load, 300);
            trio.servers[0].kill();
            round.recovers(|| progress(&load, 20));
            let honest: Vec<usize> = (0..3).filter(|number| *number != wrong).collect();
            let master = trio.switched(0, &honest);
            round.lost += finish_counting(&trio, master, &app, load);
        },
    );
}

#[test]
fn check_tells_what_each_sentinel_says() {
    let mut trio = Sentinels::start(1);
    let plain = Redis::start();
    let check = |trio: &Sentinels, more: &[&str]| {
        let settings = trio.settings();
        let options: Vec<&str> = settings
            .iter()
            .map(String::as_str)
            .chain(more.iter().copied())
            .flat_map(|set| ["-s", set])
            .collect();
        let output =
            run(&[&options[..], &["-s", "data_dir=/tmp", "check", "--connect"]].concat(), b"");
        let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
        assert!(!text.contains(PASSWORD), "{text}");
        (output.status.code(), text)
    };
    let master = format!("127.0.0.1:{}", trio.servers[0].port());
    let (code, text) = check(&trio, &[]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(
        text.matches(&format!(" says {master} is \"mymaster\" (epoch 0)")).count(),
        3,
        "{text}"
    );
    assert!(text.contains(&format!("reached       {master}")) && text.contains(" +role"), "{text}");

    let (code, text) = check(&trio, &["redis.read_from_replicas=true"]);
    let replica = format!("reached       127.0.0.1:{}", trio.servers[1].port());
    assert!(
        code == Some(0) && text.contains(&replica) && text.contains("replica       "),
        "{code:?} {text}"
    );

    for (setting, words) in [
        ("redis.sentinel.master=other", "knows no master \"other\" (redis.sentinel.master)"),
        ("redis.password=wrong", "WRONGPASS"),
        (
            &format!("redis.sentinel.nodes=127.0.0.1:{}", plain.port()),
            "is no sentinel (redis.sentinel.nodes): their own port is 26379",
        ),
    ] {
        let (code, text) = check(&trio, &[setting]);
        assert!(code == Some(69) && text.contains(words), "{setting}: {code:?} {text}");
    }
    trio.sentinels[1].kill();
    let (code, text) = check(&trio, &[]);
    let dead = format!("sentinel 127.0.0.1:{}: connection refused", trio.sentinels[1].port());
    assert!(code == Some(69) && text.contains(&dead), "{code:?} {text}");
}
