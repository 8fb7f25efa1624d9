//! The worker with protected servers (TLS, client certificates, ACLs, sockets), and the output of
//! `check --connect`.

use crate::harness::app::{App, run};
use crate::harness::certs::Authority;
use crate::harness::eventually;
use crate::harness::http::Client;
use crate::harness::redis::Redis;

const EVENT: &str = r#"{"userId":"u","traits":{"a":1}}"#;

fn identify(app: &App) -> u16 {
    app.client().post("/v1/identify", EVENT).expect("an answer").status
}

fn assert_writes(app: &App, redis: &Redis) {
    app.wait_ready();
    assert_eq!(identify(app), 200);
    assert_eq!(redis.hgetall("user:u"), [(b"a".to_vec(), b"1".to_vec())].into());
}

/// Waits until `words` are in the reasons why the worker is not ready.
pub(crate) fn waits_for(app: &App, words: &str) {
    let mut body = String::new();
    eventually("the reason is shown", || {
        body = Client::new(app.admin).get("/ready").map(|answer| answer.text()).unwrap_or_default();
        body.contains(words)
    });
    assert!(body.contains("\"ready\":false"), "{body}");
}

pub(crate) fn rediss(redis: &Redis) -> String {
    format!("rediss://127.0.0.1:{}", redis.port())
}

#[test]
fn a_private_ca_is_trusted_when_it_is_given() {
    let authority = Authority::new("private CA");
    let redis = Redis::builder().tls(&authority.server(&["127.0.0.1"])).start();
    let file = format!("redis.tls.ca_file={}", authority.ca_file().display());
    assert_writes(&App::start(&rediss(&redis), &[&file]), &redis);
    redis.cli(&["FLUSHALL"]);
    let pem = format!("redis.tls.ca_pem='''{}'''", authority.ca_pem());
    assert_writes(&App::start(&rediss(&redis), &[&pem]), &redis);
}

#[test]
fn without_it_the_reason_is_readable_and_nothing_is_acknowledged() {
    let authority = Authority::new("private CA");
    let redis = Redis::builder().tls(&authority.server(&["127.0.0.1"])).start();
    let app = App::start(&rediss(&redis), &["http.wait=200ms"]);
    waits_for(&app, "redis.tls.ca_file");
    let answer = app.client().post("/v1/identify", EVENT).expect("an answer");
    assert_eq!(answer.status, 503);
    assert!(
        answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()),
        "{answer:?}"
    );
    assert!(redis.hgetall("user:u").is_empty());
    app.assert_at_rest();
}

#[test]
fn skip_verify_works_and_is_loud() {
    let authority = Authority::new("private CA");
    let redis = Redis::builder().tls(&authority.server(&["another.name"])).start();
    let app = App::start(&rediss(&redis), &["redis.tls.skip_verify=true"]);
    assert_writes(&app, &redis);
    app.wait_for_line("NOT VERIFIED");
    assert_eq!(app.metric("traitsink_tls_verify_disabled", "client=\"redis\""), 1.0);
}

#[test]
fn a_client_certificate_is_shown_and_missed_in_plain_words() {
    let authority = Authority::new("private CA");
    let redis = Redis::builder()
        .mutual_tls(&authority.server(&["127.0.0.1"]), &authority.ca_file())
        .start();
    let ca = format!("redis.tls.ca_file={}", authority.ca_file().display());
    waits_for(&App::start(&rediss(&redis), &[&ca]), "client certificate");
    let client = authority.client();
    let cert = format!("redis.tls.cert_file={}", client.certificate.display());
    let key = format!("redis.tls.key_file={}", client.key.display());
    assert_writes(&App::start(&rediss(&redis), &[&ca, &cert, &key]), &redis);
}

#[test]
fn a_unix_socket() {
    let redis = Redis::start();
    assert_writes(&App::start(&format!("unix://{}", redis.socket().display()), &[]), &redis);
}

/// The log line that the store keeps nothing contains its address.
#[test]
fn the_embedded_store_says_that_it_keeps_nothing() {
    let app = App::start_with(&["redis.mode=embedded", "redis.embedded.listen=127.0.0.1:0"]);
    app.wait_ready();
    assert_eq!(identify(&app), 200);
    let line = app.wait_for_line("the embedded store keeps nothing");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let url = format!("redis://{}", line["address"].as_str().expect("an address"));
    let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
    let found: Vec<(String, String)> =
        redis::cmd("HGETALL").arg("user:u").query(&mut connection).unwrap();
    assert_eq!(found, [("a".to_owned(), "1".to_owned())]);
    app.assert_at_rest();
}

#[test]
fn the_acl_line_of_check_is_enough() {
    let redis = Redis::start();
    let url = format!("redis.url=redis://127.0.0.1:{}", redis.port());
    let output = run(&["-s", &url, "-s", "data_dir=/tmp", "check", "--connect"], b"");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    for part in ["Redis 7.", "master", "eviction", "noeviction", "database      0"] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("minimal acl").map(str::trim))
        .expect("the ACL line");
    let words: Vec<&str> =
        line.split(' ').map(|word| if word == ">PASSWORD" { ">secret" } else { word }).collect();
    redis.cli(&words);
    let app = App::start(&format!("redis://traitsink:secret@127.0.0.1:{}", redis.port()), &[]);
    assert_writes(&app, &redis);
    assert!(!app.log().iter().any(|line| line.contains("\"WARN\"")), "{}", app.log().join("\n"));
}

#[test]
fn a_wrong_password_is_waited_for() {
    let redis = Redis::builder().password("right").start();
    let app = App::start(
        &format!("redis://:changed@127.0.0.1:{}", redis.port()),
        &["http.wait=200ms", "delivery.retry_max=200ms"],
    );
    waits_for(&app, "password");
    assert_eq!(identify(&app), 503);
    redis.cli(&["CONFIG", "SET", "requirepass", "changed"]);
    app.wait_ready();
    assert_eq!(identify(&app), 200);
    let said = app.log().join("\n");
    assert!(!said.contains("changed") && !said.contains("right"), "{said}");
}

#[test]
fn check_says_why_nothing_answers() {
    let output = run(
        &["-s", "redis.url=redis://127.0.0.1:1", "-s", "data_dir=/tmp", "check", "--connect"],
        b"",
    );
    assert_eq!(output.status.code(), Some(69));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("127.0.0.1:1") && text.contains("is Redis running"), "{text}");
}
