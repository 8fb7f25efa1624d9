//! `traitsink demo`, the first command of a new user.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::app::run;
use crate::harness::http::Client;

const FREE_PORTS: [&str; 6] = [
    "-s",
    "http.listen=127.0.0.1:0",
    "-s",
    "admin.listen=127.0.0.1:0",
    "-s",
    "redis.embedded.listen=127.0.0.1:0",
];

#[test]
fn prints_what_the_examples_became_and_ends() {
    let output = run(&[&FREE_PORTS[..], &["demo", "--once"]].concat(), b"");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for hash in [
        "HGETALL user:user-1\n  1) \"name\"\n  2) \"John Doe\"\n  3) \"title\"\n  4) \"CEO\"\n",
        "HGETALL user:user-2\n  1) \"location.state\"\n  2) \"Texas\"\n  3) \"location.city\"\n  \
         4) \"Austin\"\n",
        "HGETALL rudderstack:user:user-3\n  1) \"age\"\n  2) \"23\"\n",
    ] {
        assert!(text.contains(hash), "{hash}\nis missing in\n{text}");
    }
}

#[test]
fn stays_up_and_its_next_lines_work() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_traitsink"))
        .args(FREE_PORTS)
        .arg("demo")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let keeps_nothing =
        lines.find(|line| line.contains("keeps nothing")).expect("what becomes of the data");
    assert_eq!(
        keeps_nothing,
        "The store is inside this process and keeps nothing: all that it holds is gone when the \
         demo ends."
    );
    assert_eq!(lines.next().as_deref(), Some("Try next, until ctrl-C:"));
    let curl = lines.find(|line| line.starts_with("  curl -u demo:")).expect("the curl line");
    let redis_cli = lines.next().expect("the redis-cli line");
    let metrics = lines.next().expect("the metrics line");

    let shell =
        |line: &str| crate::harness::run("sh", &["-c", line.trim()], std::path::Path::new("."));
    // The printed curl line is sent without curl.
    let address = curl.split("http://").nth(1).unwrap().split('/').next().unwrap();
    let body = curl.split("-d '").nth(1).unwrap().trim_end_matches('\'');
    let answer = Client::new(address.parse().unwrap())
        .send("POST", "/v1/identify", &[("authorization", "Basic ZGVtbzo=")], body.as_bytes())
        .expect("an answer");
    assert_eq!((answer.status, answer.text().as_str()), (200, "OK"));
    assert_eq!(shell(&redis_cli), "plan.name\nfree\n");
    let admin = metrics.split("http://").nth(1).unwrap().split('/').next().unwrap();
    let exported = Client::new(admin.parse().unwrap()).get("/metrics").expect("an answer").text();
    assert!(exported.contains("traitsink_events_written_total{source=\"http\"} 4"), "{exported}");

    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_port_in_use_names_the_option() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for option in ["http.listen", "admin.listen", "redis.embedded.listen"] {
        let setting = format!("{option}={address}");
        let output = run(&[&FREE_PORTS[..], &["-s", &setting, "demo", "--once"]].concat(), b"");
        assert_eq!(output.status.code(), Some(69), "{option}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(
            text.contains(&format!(
                "({option}): the port is in use; choose another with -s {option}="
            )),
            "{text}"
        );
    }
}
