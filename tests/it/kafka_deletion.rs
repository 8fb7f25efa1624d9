//! A deleted user stays deleted: through a replay of the whole topic by three workers of which one
//! is killed.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::app::App;
use crate::harness::eventually;
use crate::harness::http::Client;
use crate::harness::kafka::{Kafka, unique};
use crate::harness::redis::Redis;
use crate::harness::stream::fill;
use crate::kafka_source::{PARTITIONS, wait_committed, worker};

const USERS: usize = 400;
const TOKEN: &str = "a-token";
const GUARD: &str = "profile.newest_wins=field";

/// Sends a request to the deletion API, and waits until what it asks for is done.
fn delete(app: &mut App, users: &[String], kind: &str) {
    let mut api = Client::new(app.listening("deletion"));
    let authorization = format!("Bearer {TOKEN}");
    let headers = [("authorization", authorization.as_str())];
    let body = serde_json::json!({
        "regulationType": kind,
        "subjectType": "USER_ID",
        "subjectIds": users,
    });
    let answer = api.send("POST", "/regulations", &headers, body.to_string().as_bytes());
    let answer = answer.expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer: serde_json::Value = serde_json::from_str(&answer.text()).expect("JSON");
    let id = answer["data"]["regulateId"].as_str().expect("an id").to_owned();
    eventually("the users are deleted", || {
        let answer = api.send("GET", &format!("/regulations/{id}"), &headers, b"");
        answer.expect("an answer").text().contains("FINISHED")
    });
}

fn fields(redis: &Redis, user: &str) -> Vec<String> {
    let names = redis.hgetall(&format!("user:{user}")).into_keys();
    let names = names.map(|name| String::from_utf8_lossy(&name).into_owned());
    names.filter(|name| !name.starts_with("_ts")).collect()
}

fn play(settings: &[&str], kind: &str) {
    let (kafka, redis) = (Kafka::shared(), Redis::start());
    let topic = kafka.topic("deletion", PARTITIONS as i32, &[]);
    let produced = fill(kafka, &topic, PARTITIONS, USERS, 40_000);
    let token = format!("deletion.token={TOKEN}");
    let all = [settings, &["deletion.listen=127.0.0.1:0", &token]].concat();
    let group = unique("group");
    let mut app = worker(kafka, &redis, &topic, &group, &all);
    wait_committed(kafka, &group, &topic);
    let gone: Vec<String> = (0..USERS / 2).map(|user| format!("k{user}")).collect();
    assert!(gone.iter().any(|user| !fields(&redis, user).is_empty()));
    delete(&mut app, &gone, kind);

    // All of it again, by a new group of three, of which one dies in the middle.
    let again = unique("group");
    let mut workers: Vec<App> =
        (0..3).map(|_| worker(kafka, &redis, &topic, &again, &all)).collect();
    eventually("the replay is under way", || {
        kafka.committed(&again, &topic).into_iter().flatten().sum::<i64>() > 1000
    });
    let mut killed = workers.pop().expect("three");
    killed.signal(Signal::SIGKILL);
    killed.wait(Duration::from_secs(5));
    wait_committed(kafka, &again, &topic);
    let back: Vec<&String> = gone.iter().filter(|user| !fields(&redis, user).is_empty()).collect();
    assert_eq!(back, Vec::<&String>::new(), "users who came back");
    // The others have what their events say.
    if !settings.contains(&GUARD) {
        let differences = produced.differences(&redis);
        let is_gone =
            |line: &&String| gone.iter().any(|user| line.starts_with(&format!("{user}:")));
        let others: Vec<_> = differences.iter().filter(|line| !is_gone(line)).collect();
        assert_eq!(others, Vec::<&String>::new());
    }
    workers.iter().for_each(App::assert_at_rest);
}

/// Times alone keep the old events out.
#[test]
fn with_the_guard_older_events_stay_out() {
    play(&[GUARD], "DELETE_ONLY");
}

/// All workers know who is suppressed before they write anything.
#[test]
fn with_a_suppression_all_events_stay_out() {
    play(&[], "SUPPRESS_WITH_DELETE");
}
