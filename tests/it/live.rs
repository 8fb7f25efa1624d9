//! `check --live` against listeners that are well, silent, wrong or gone.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::harness::app::{App, run};
use crate::harness::redis::free_port;

/// The exit code and what was said, with a configuration that cannot be read.
fn live(url: &str) -> (Option<i32>, String) {
    let output = run(&["-c", "/no/such/file.toml", "check", "--live", url], b"");
    assert!(output.stdout.is_empty());
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

#[test]
fn a_worker_is_live_although_redis_is_away() {
    let app = App::start(&format!("redis://127.0.0.1:{}", free_port()), &[]);
    assert!(!app.ready());
    assert_eq!(live(&format!("http://{}", app.admin)), (Some(0), String::new()));
    assert_eq!(live(&format!("http://{}/", app.admin)), (Some(0), String::new()));
}

#[test]
fn a_closed_port_is_not_live() {
    let address = format!("127.0.0.1:{}", free_port());
    let (code, said) = live(&format!("http://{address}"));
    assert_eq!(code, Some(69));
    let words = "traitsink: the worker is not live: cannot connect (Connection refused";
    assert!(said.starts_with(words) && said.lines().count() == 1, "{said}");
}

#[test]
fn a_port_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let start = Instant::now();
    let (code, said) = live(&format!("http://{}", listener.local_addr().unwrap()));
    assert!(start.elapsed() >= Duration::from_secs(3));
    assert_eq!(
        (code, said.as_str()),
        (Some(69), "traitsink: the worker is not live: no answer within 3s\n")
    );
}

#[test]
fn another_status_is_not_live() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).unwrap() > 0);
        stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    let (code, said) = live(&format!("http://{address}"));
    server.join().unwrap();
    assert_eq!(code, Some(69));
    assert!(said.contains("it answers 404 Not Found"), "{said}");
}

#[test]
fn a_wrong_url_is_wrong_usage() {
    for url in ["", "ftp://127.0.0.1:9464", "http://h?a=b", "http://u:canary@h:1"] {
        let (code, said) = live(url);
        assert_eq!(code, Some(64), "{url}: {said}");
        assert!(!said.contains("canary"), "{said}");
    }
    let output = run(&["check", "--connect", "--live", "http://127.0.0.1:1"], b"");
    assert_eq!(output.status.code(), Some(64));
}
