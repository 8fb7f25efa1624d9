//! `redis.mode = sharded`: independent servers, each with a part of the keys.

use std::collections::{BTreeMap, BTreeSet};

use redis::Commands;

use crate::faults::{durable_redis, progress};
use crate::harness::app::{App, run};
use crate::harness::load::{Load, OnError};
use crate::harness::matrix::play;
use crate::harness::redis::Redis;
use crate::harness::{eventually, guide};

/// The servers, and the URL of each.
struct Shards(Vec<(Redis, String)>);

impl Shards {
    fn start(count: usize) -> Self {
        let server = |_| {
            let redis = durable_redis();
            let url = format!("redis://127.0.0.1:{}", redis.port());
            (redis, url)
        };
        Self((0..count).map(server).collect())
    }

    /// The value of `redis.nodes`.
    fn nodes(&self) -> String {
        let urls: Vec<String> = self.0.iter().map(|(_, url)| format!("{{url={url:?}}}")).collect();
        format!("redis.nodes=[{}]", urls.join(","))
    }

    fn worker(&self, settings: &[&str]) -> App {
        App::start_with(&[&["redis.mode=sharded", &self.nodes()], settings].concat())
    }

    fn connection(&self, shard: usize) -> redis::Connection {
        redis::Client::open(self.0[shard].1.as_str()).unwrap().get_connection().unwrap()
    }

    /// The keys of each shard.
    fn keys(&self) -> Vec<BTreeSet<String>> {
        (0..self.0.len()).map(|shard| self.connection(shard).keys("*").unwrap()).collect()
    }

    /// The shard of each key; asserts that a key is in one shard only.
    fn places(&self) -> BTreeMap<String, usize> {
        let mut places = BTreeMap::new();
        for (shard, keys) in self.keys().into_iter().enumerate() {
            for key in keys {
                let before = places.insert(key.clone(), shard);
                assert_eq!(before, None, "{key} is on shard {shard} too");
            }
        }
        places
    }
}

#[test]
fn the_examples_of_the_guide_are_written() {
    let shards = Shards::start(3);
    guide::check_examples(&shards.worker(&guide::WRITE_KEYS), |key| {
        shards.0[shards.places()[key]].0.hgetall(key)
    });
}

/// Sends one event that sets `field` for each of `users` users.
fn identify_all(app: &App, users: usize, field: &str) {
    let events: Vec<String> = (0..users)
        .map(|user| {
            format!(r#"{{"type":"identify","userId":"{user}","traits":{{"{field}":"{user}"}}}}"#)
        })
        .collect();
    let answer = app.client().post("/v1/batch", format!(r#"{{"batch":[{}]}}"#, events.join(",")));
    assert_eq!(answer.expect("an answer").status, 200);
}

/// Each shard has its own login or the common one, and its own database; its place in the list does
/// not matter.
#[test]
fn a_key_has_one_shard_whatever_the_order_of_the_list() {
    let mut shards = Shards(Vec::new());
    for (password, database) in [("one", 0), ("two", 2), ("common", 1)] {
        let redis = Redis::builder().password(password).start();
        let url = format!("redis://:{password}@127.0.0.1:{}/{database}", redis.port());
        shards.0.push((redis, url));
    }
    let app = shards.worker(&[]);
    app.wait_ready();
    identify_all(&app, 300, "a");
    let places = shards.places();
    assert_eq!(places.len(), 300);
    let counts: Vec<usize> =
        (0..3).map(|shard| places.values().filter(|place| **place == shard).count()).collect();
    assert!(counts.iter().all(|count| (50..150).contains(count)), "{counts:?}");
    app.assert_at_rest();
    drop(app);

    let [one, two, common] = [0, 1, 2].map(|shard| shards.0[shard].0.port());
    let nodes = format!(
        "redis.nodes=[\"127.0.0.1:{common}\", {{url=\"redis://:two@127.0.0.1:{two}/2\"}}, \
         {{host=\"127.0.0.1\", port={one}, password=\"one\", database=0}}]"
    );
    let settings = ["redis.mode=sharded", &nodes, "redis.password=common", "redis.database=1"];
    let app = App::start_with(&settings);
    identify_all(&app, 300, "b");
    assert_eq!(shards.places(), places);
    for (key, shard) in &places {
        let fields: BTreeSet<String> = shards.connection(*shard).hkeys(key).unwrap();
        assert_eq!(fields, BTreeSet::from(["a".to_owned(), "b".to_owned()]), "{key}");
    }
    drop(app);

    let args: Vec<&str> =
        settings.iter().flat_map(|setting| ["-s", setting]).chain(["check", "--connect"]).collect();
    let output = run(&args, b"");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let shares: Vec<f64> = text
        .lines()
        .filter_map(|line| line.strip_prefix("keys ")?.trim().strip_suffix(" %")?.parse().ok())
        .collect();
    assert_eq!(shares.len(), 3, "{text}");
    assert!((shares.iter().sum::<f64>() - 100.0).abs() < 0.2, "{text}");
    for line in ["database      0", "database      1", "database      2"] {
        assert!(text.contains(line), "{line:?} is missing:\n{text}");
    }
}

/// B1 for one of several shards: its users wait, the users of the others do not.
#[test]
fn b1_one_shard_dies_and_the_others_go_on() {
    play(
        "B1",
        "one of three shards is killed and started again (appendfsync always)",
        2..=20,
        |round| {
            let mut shards = Shards::start(3);
            let app = shards.worker(&["http.wait=300ms", "redis.response_timeout=500ms"]);
            app.wait_ready();
            // Writers that retried an event of the dead shard would prove nothing about the others.
            let load = Load::start(app.http, 12, 20, OnError::GiveUp);
            progress(&load, 500);
            shards.0[0].0.kill();
            eventually("a request was refused", || load.refused() > 0);
            progress(&load, 500);
            assert!(!app.ready());
            shards.0[0].0.restart();
            round.recovers(|| app.wait_ready());
            progress(&load, 500);
            let users = load.stop();
            app.assert_at_rest();
            let places = shards.places();
            let mut faults = Vec::new();
            for (name, user) in &users {
                let key = format!("user:{name}");
                let hash = places
                    .get(&key)
                    .map(|shard| shards.connection(*shard).hgetall(&key).unwrap())
                    .unwrap_or_default();
                faults.extend(user.fault(&hash).map(|fault| format!("{name}: {fault}")));
            }
            assert!(
                faults.is_empty(),
                "{} of {} users:\n{}",
                faults.len(),
                users.len(),
                faults.join("\n")
            );
            assert!(app.dead_letters().is_empty());
        },
    );
}

#[test]
fn what_one_shard_refuses_costs_no_other_event() {
    let shards = Shards::start(3);
    let app = shards.worker(&[]);
    identify_all(&app, 30, "a");
    let places = shards.places();
    let shard = places["user:7"];
    let () = shards.connection(shard).set("user:7", "a string").unwrap();
    identify_all(&app, 30, "b");
    let letters = app.dead_letters();
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(
        (&letters[0]["reason"], &letters[0]["key"]),
        (&"wrong_type".into(), &"user:7".into())
    );
    for (key, shard) in places.iter().filter(|(key, _)| *key != "user:7") {
        assert!(shards.connection(*shard).hexists::<_, _, bool>(key, "b").unwrap(), "{key}");
    }
    app.assert_at_rest();
}
