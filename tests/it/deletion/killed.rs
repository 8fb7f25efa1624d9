//! A worker that is killed at any moment keeps what it has answered 200.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{Deletions, Settings, TOKEN};
use crate::harness::http::Client;
use crate::harness::let_pass;
use crate::harness::redis::Redis;

const DIR: &str = "TRAITSINK_TEST_DELETION_DIR";
const REDIS: &str = "TRAITSINK_TEST_DELETION_REDIS";

fn settings(port: &str, dir: &Path) -> Settings {
    Settings::new(&[&format!("redis.url=redis://127.0.0.1:{port}")], dir)
}

/// Starts a worker in a process of its own; returns it, and where it listens.
fn start(dir: &Path, port: u16) -> (Child, SocketAddr) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "deletion::killed::a_kill_loses_nothing"])
        .env(DIR, dir)
        .env(REDIS, port.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program starts again");
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines
        .map(|line| line.expect("a line"))
        .find_map(|line| line.strip_prefix("listening on ").map(|text| text.parse().unwrap()));
    (child, address.expect("the worker says where it listens"))
}

/// The id of a regulation that was accepted; `None`: there was no such answer.
fn suppress(address: SocketAddr, user: &str) -> Option<String> {
    let body = serde_json::json!({"regulationType": "SUPPRESS_WITH_DELETE",
        "subjectType": "USER_ID", "subjectIds": [user]});
    let token = format!("Bearer {TOKEN}");
    let headers = [("authorization", token.as_str())];
    let answer =
        Client::new(address).send("POST", "/regulations", &headers, body.to_string().as_bytes())?;
    let answer: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
    answer["data"]["regulateId"].as_str().map(str::to_owned)
}

/// This test runs itself again as the worker that is killed.
#[test]
fn a_kill_loses_nothing() {
    if let (Some(dir), Ok(port)) = (std::env::var_os(DIR), std::env::var(REDIS)) {
        let worker = Deletions::with(settings(&port, dir.as_ref()), dir.as_ref());
        println!("\nlistening on {}", worker.address);
        // Until it is killed; a parent that is gone kills nobody.
        let_pass(Duration::from_secs(120));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut redis = Redis::start();
    let port = redis.port();
    redis.kill();
    let mut accepted = Vec::new();
    for round in 0..6 {
        let (mut child, address) = start(dir.path(), port);
        let killer = std::thread::spawn(move || {
            let_pass(Duration::from_millis(40 * round));
            child.kill().expect("a child");
            child.wait().expect("its end");
        });
        for number in 0.. {
            let user = format!("user-{round}-{number}");
            let Some(id) = suppress(address, &user) else { break };
            accepted.push((user, id));
        }
        killer.join().unwrap();
    }
    assert!(!accepted.is_empty());
    let last = || Deletions::with(settings(&port.to_string(), dir.path()), dir.path());
    let worker = last();
    for (user, id) in &accepted {
        assert!(worker.suppressions.holds(user.as_bytes()), "{user} is suppressed");
        assert!(worker.state(id)["finishedAt"].is_null(), "without Redis nothing is done");
    }
    worker.stop();
    redis.restart();
    for (user, _) in &accepted {
        redis.cli(&["HSET", &format!("user:{user}"), "a", "1"]);
    }
    let worker = last();
    for (_, id) in &accepted {
        assert_eq!(worker.ended(id)["overallStatus"], "FINISHED");
    }
    let size = redis.cli(&["KEYS", "user:*"]);
    assert_eq!(size, redis::Value::Array(Vec::new()), "all users are deleted");
}
