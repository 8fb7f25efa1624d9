//! `/api/profile` of a real worker: in each mode of Redis it reads what was written, and every
//! answer that is not 200.

use std::time::{Duration, Instant};

use redis::Value;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::harness::app::{App, run};
use crate::harness::cluster::Cluster;
use crate::harness::eventually;
use crate::harness::http::{Client, Response};
use crate::harness::redis::Redis;
use crate::harness::sentinel::Sentinels;

const TOKEN: &str = "a-token-for-tests";

/// A worker whose profiles can be looked up.
struct Lookups {
    app: App,
    dir: TempDir,
}

impl Lookups {
    fn start(settings: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("token"), format!("{TOKEN}\n")).expect("a file");
        let file = format!("admin.token_file={}", dir.path().join("token").display());
        let all = [settings, &["admin.profile_lookup=true", &file]].concat();
        let app = App::start_with(&all);
        app.wait_ready();
        Self { app, dir }
    }

    fn standalone(redis: &Redis, settings: &[&str]) -> Self {
        let url = format!("redis.url=redis://127.0.0.1:{}", redis.port());
        Self::start(&[&[url.as_str()], settings].concat())
    }

    fn identify(&self, body: &str) {
        let answer = self.app.client().post("/v1/identify", body).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// The answer to `query` with `token`.
    fn ask_with(&self, token: &str, query: &str) -> Response {
        let credentials = format!("Bearer {token}");
        let (path, headers) =
            (format!("/api/profile{query}"), [("authorization", credentials.as_str())]);
        Client::new(self.app.admin).send("GET", &path, &headers, b"").expect("an answer")
    }

    /// Status and body of the answer to `query`.
    fn ask(&self, query: &str) -> (u16, Json) {
        let answer = self.ask_with(TOKEN, query);
        (answer.status, serde_json::from_slice(&answer.body).expect("JSON"))
    }

    /// Status and code of an answer that is not 200.
    fn refused(&self, query: &str) -> (u16, String) {
        let (status, body) = self.ask(query);
        assert!(body["message"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
        (status, body["code"].as_str().expect("a code").to_owned())
    }

    /// Writes a field for each of so many users, and reads all of them.
    fn write_and_read(&self, users: usize) {
        for user in 0..users {
            self.identify(&format!(r#"{{"userId":"{user}","traits":{{"n":{user}}}}}"#));
        }
        self.read(users);
        assert_eq!(self.refused("?user_id=nobody"), (404, "no_such_key".into()));
    }

    fn read(&self, users: usize) {
        for user in 0..users {
            let fields = json!({"n": user.to_string()});
            let expected =
                json!({"key": format!("user:{user}"), "fields": fields, "ttl_seconds": null});
            assert_eq!(self.ask(&format!("?user_id={user}")), (200, expected));
        }
    }
}

#[test]
fn a_profile_is_shown_with_its_key_and_its_end() {
    let redis = Redis::start();
    let lookups = Lookups::standalone(&redis, &["redis.prefix=team"]);
    lookups.identify(r#"{"userId":"u1","traits":{"name":"Zoë","address":{"city":"X"}}}"#);
    let fields = json!({"address.city": "X", "name": "Zoë"});
    let expected = json!({"key": "team:user:u1", "fields": fields, "ttl_seconds": null});
    assert_eq!(lookups.ask("?user_id=u1"), (200, expected.clone()));
    assert_eq!(lookups.ask("?prefix=%20team%20&other=1&user_id=u1"), (200, expected));
    redis.cli(&["EXPIRE", "team:user:u1", "1000"]);
    let ttl = lookups.ask("?user_id=u1").1["ttl_seconds"].as_u64().expect("seconds");
    assert!((900..=1000).contains(&ttl), "{ttl}");

    // Another prefix, and none.
    assert_eq!(lookups.refused("?user_id=u1&prefix="), (404, "no_such_key".into()));
    redis.cli(&["HSET", "user:u1", "a", "1"]);
    assert_eq!(lookups.ask("?user_id=u1&prefix=").1["key"], "user:u1");
    redis.cli(&["HSET", "a:b:user:u1", "a", "2"]);
    assert_eq!(lookups.ask("?user_id=u1&prefix=a%3Ab").1["fields"], json!({"a": "2"}));

    // Ids with characters that mean something in an address.
    let id = "a b+c&d=é/?#%";
    lookups.identify(&json!({"userId": id, "traits": {"a": 1}}).to_string());
    let query = "?user_id=a+b%2Bc%26d%3D%C3%A9%2F%3F%23%25";
    assert_eq!(lookups.ask(query).1["key"], format!("team:user:{id}"));

    let answer = lookups.ask_with(TOKEN, "?user_id=u1");
    for (name, value) in [
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
}

#[test]
fn other_bytes_than_text_are_shown_as_well_as_json_can() {
    let redis = Redis::start();
    let lookups = Lookups::standalone(&redis, &[]);
    let script = "return redis.call('HSET', KEYS[1], 'f\\255', 'v\\254\\0')";
    redis.cli(&["EVAL", script, "1", "user:u"]);
    let expected = json!({"f\u{fffd}": "v\u{fffd}\0"});
    assert_eq!(lookups.ask("?user_id=u").1["fields"], expected);
}

#[test]
fn what_cannot_be_shown_is_answered_with_the_reason() {
    let redis = Redis::start();
    let lookups = Lookups::standalone(&redis, &[]);
    redis.cli(&["SET", "user:text", "x"]);
    redis.cli(&["HSET", "user:large", "a", &"x".repeat(1_200_000)]);
    redis.cli(&["HSET", "user:fits", "a", &"x".repeat(1_000_000)]);
    for (query, status, code) in [
        ("", 400, "missing_user_id"),
        ("?user_id=", 400, "missing_user_id"),
        ("?user_id=%20%09", 400, "missing_user_id"),
        ("?user=u1", 400, "missing_user_id"),
        ("?user_id=a&user_id=b", 400, "missing_user_id"),
        ("?user_id=a&prefix=b&prefix=c", 400, "missing_user_id"),
        ("?user_id=nobody", 404, "no_such_key"),
        ("?user_id=text", 409, "wrong_type"),
        ("?user_id=large", 409, "too_large"),
    ] {
        assert_eq!(lookups.refused(query), (status, code.to_owned()), "{query}");
    }
    assert_eq!(lookups.ask("?user_id=fits").0, 200);
    for method in ["POST", "DELETE"] {
        let headers = [("authorization", "Bearer a-token-for-tests")];
        let mut client = Client::new(lookups.app.admin);
        let answer = client.send(method, "/api/profile?user_id=u1", &headers, b"").unwrap();
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET,HEAD")));
    }
}

#[test]
fn without_the_token_nothing_is_shown() {
    let redis = Redis::start();
    let off = App::start(&format!("redis://127.0.0.1:{}", redis.port()), &[]);
    let answer = Client::new(off.admin).get("/api/profile?user_id=u1").expect("an answer");
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("\"code\":\"lookup_off\""), "{}", answer.text());

    let lookups = Lookups::standalone(&redis, &[]);
    lookups.identify(r#"{"userId":"secret-user","traits":{"a":1}}"#);
    let query = "?user_id=secret-user";
    let bare = Client::new(lookups.app.admin).get("/api/profile?user_id=secret-user").unwrap();
    let wrong = lookups.ask_with("a-token-for-test", query);
    for answer in [bare, wrong, lookups.ask_with("", query)] {
        assert_eq!(answer.status, 401);
        let challenge = answer.header("www-authenticate").expect("a challenge");
        assert!(challenge.starts_with("Bearer"), "{challenge}");
        assert!(answer.text().contains("\"code\":\"unauthorized\""), "{}", answer.text());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    assert_eq!(lookups.ask_with("x", "").status, 401, "before the query is looked at");

    // Rotation: the old token is of no use from the moment in which there is another.
    let file = lookups.dir.path().join("token");
    std::fs::write(&file, "another").expect("a file");
    assert_eq!(lookups.ask_with(TOKEN, query).status, 401);
    assert_eq!(lookups.ask_with("another", query).status, 200);
    std::fs::remove_file(&file).expect("the file");
    let gone = lookups.ask_with("another", query);
    assert_eq!(gone.status, 503);
    assert!(gone.text().contains("token_unavailable"), "{}", gone.text());
    lookups.app.wait_for_line("admin.token_file");
    let log = lookups.app.log().join("\n");
    for hidden in ["secret-user", "another\"", TOKEN] {
        assert!(!log.contains(hidden), "{hidden:?} is logged:\n{log}");
    }
}

#[test]
fn redis_that_does_not_answer_is_a_503_in_time() {
    let mut redis = Redis::start();
    let limits = ["redis.connect_timeout=1s", "redis.response_timeout=1s"];
    let lookups = Lookups::standalone(&redis, &limits);
    lookups.identify(r#"{"userId":"u","traits":{"a":1}}"#);
    redis.pause();
    let start = Instant::now();
    assert_eq!(lookups.refused("?user_id=u"), (503, "redis_unavailable".into()));
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    // Four look-ups wait for Redis; one more is refused at once.
    eventually("a look-up beyond four is refused", || {
        let answers: Vec<Response> = std::thread::scope(|scope| {
            let ask = || lookups.ask_with(TOKEN, "?user_id=u");
            let asked: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            asked.into_iter().map(|one| one.join().expect("no panic")).collect()
        });
        let of = |status| answers.iter().filter(move |answer| answer.status == status);
        let (late, busy) = (of(503).count(), of(429).count());
        assert_eq!(late + busy, 8, "{answers:?}");
        assert!(of(429).all(|answer| answer.header("retry-after") == Some("1")));
        assert!(of(429).all(|answer| answer.text().contains("\"code\":\"busy\"")));
        busy > 0
    });
    redis.resume();
    eventually("the profile is shown again", || lookups.ask("?user_id=u").0 == 200);
    redis.kill();
    let (status, body) = lookups.ask("?user_id=u");
    assert_eq!((status, &body["code"]), (503, &json!("redis_unavailable")));
    let message = body["message"].as_str().expect("a text");
    assert!(message.contains("connection refused"), "{message}");
}

#[test]
fn a_cluster_is_asked_where_the_key_is() {
    let cluster = Cluster::start(3, 0);
    let url = format!("redis.url={}", cluster.url());
    let lookups = Lookups::start(&["redis.mode=cluster", &url]);
    lookups.write_and_read(30);
    // Slots move: the worker's map is old until a node says so.
    cluster.reshard(0, 1, 2000);
    lookups.read(30);

    // A key that is on its way to another node is there, and only there.
    let (key, [from, to]) = migrating(&cluster);
    let port = cluster.nodes[to].port().to_string();
    let moved = cluster.nodes[from].cli(&["MIGRATE", "127.0.0.1", &port, &key, "0", "5000"]);
    assert_eq!(moved, Value::Okay);
    lookups.read(30);
}

/// Begins to move the slot of `user:7` to another node: the key, and the places of the two nodes.
fn migrating(cluster: &Cluster) -> (String, [usize; 2]) {
    let key = "user:7".to_owned();
    let slot: u16 = from(cluster.nodes[0].cli(&["CLUSTER", "KEYSLOT", &key]));
    let owns = |node: &Redis| !matches!(node.cli(&["HGETALL", &key]), Value::ServerError(_));
    let owner = cluster.nodes.iter().position(owns).expect("an owner");
    let other = (owner + 1) % cluster.nodes.len();
    let id = |node: usize| from::<String>(cluster.nodes[node].cli(&["CLUSTER", "MYID"]));
    let slot = slot.to_string();
    for (node, what, peer) in [(other, "IMPORTING", owner), (owner, "MIGRATING", other)] {
        let told = cluster.nodes[node].cli(&["CLUSTER", "SETSLOT", &slot, what, &id(peer)]);
        assert_eq!(told, Value::Okay, "{what}");
    }
    (key, [owner, other])
}

fn from<T: redis::FromRedisValue>(value: Value) -> T {
    redis::from_redis_value(value).expect("a value of this type")
}

#[test]
fn the_master_that_sentinels_name_is_asked() {
    let trio = Sentinels::start(1);
    let settings = trio.settings();
    let lookups = Lookups::start(&settings.iter().map(String::as_str).collect::<Vec<_>>());
    lookups.write_and_read(3);
    assert_eq!(trio.sentinels[0].cli(&["SENTINEL", "FAILOVER", "mymaster"]), Value::Okay);
    let new = trio.switched(0, &[0, 1, 2]);
    trio.servers[new].cli(&["HSET", "user:after", "a", "1"]);
    eventually("the new master is asked", || lookups.ask("?user_id=after").0 == 200);
    lookups.read(3);
}

#[test]
fn every_other_mode_is_asked_where_it_writes() {
    let shards = [Redis::start(), Redis::start(), Redis::start()];
    let nodes: Vec<String> =
        shards.iter().map(|shard| format!("\"127.0.0.1:{}\"", shard.port())).collect();
    let nodes = format!("redis.nodes=[{}]", nodes.join(","));
    Lookups::start(&["redis.mode=sharded", &nodes]).write_and_read(30);

    let primary = Redis::start();
    let replica = Redis::builder().replica_of(&primary);
    let replicas = format!("redis.replicas.nodes=[\"127.0.0.1:{}\"]", replica.port());
    Lookups::standalone(&primary, &["redis.mode=primary_replicas", &replicas]).write_and_read(3);

    let embedded = ["redis.mode=embedded", "redis.embedded.listen=127.0.0.1:0"];
    Lookups::start(&embedded).write_and_read(3);

    let dir = tempfile::tempdir().expect("a directory");
    let data = format!("redis.local.data_dir={}", dir.path().display());
    let port = format!("redis.local.port={}", crate::harness::redis::free_port());
    let resp3 = "redis.protocol=3";
    Lookups::start(&["redis.mode=local", &data, &port, resp3]).write_and_read(3);
}

/// The line that `check --connect` prints permits look-ups exactly when they are on.
#[test]
fn the_minimal_acl_permits_look_ups_when_they_are_on() {
    let redis = Redis::start();
    let dir = tempfile::tempdir().expect("a directory");
    let token = dir.path().join("token");
    std::fs::write(&token, TOKEN).expect("a file");
    let (url, file) = (
        format!("redis.url=redis://127.0.0.1:{}", redis.port()),
        format!("admin.token_file={}", token.display()),
    );
    let line = |more: &[&str]| {
        let settings = [&[url.as_str()], more].concat();
        let mut args: Vec<&str> = settings.iter().flat_map(|setting| ["-s", *setting]).collect();
        args.extend(["check", "--connect"]);
        let output = run(&args, b"");
        let text = String::from_utf8(output.stdout).expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix("minimal acl")).map(str::trim);
        line.unwrap_or_else(|| panic!("no line:\n{text}")).replace("traitsink", "writer")
    };
    for (more, status) in [
        (&["admin.profile_lookup=true", file.as_str()][..], (404, "no_such_key")),
        (&[], (503, "redis_unavailable")),
    ] {
        let line = line(more).replace("PASSWORD", "s3cret");
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(redis.cli(&words), Value::Okay, "{line}");
        let login = ["redis.username=writer", "redis.password=s3cret"];
        let lookups = Lookups::standalone(&redis, &login);
        let (found, body) = lookups.ask("?user_id=nobody");
        assert_eq!((found, body["code"].as_str().unwrap_or_default()), status, "{body}");
    }
}
