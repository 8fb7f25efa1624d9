//! Limits on HTTP clients, with the real binary: clients that stay silent, send too much, or come
//! from other sites, beside honest ones.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use traitsink::server::descriptors;

use crate::harness::app::App;
use crate::harness::http::Client;
use crate::harness::redis::Redis;
use crate::harness::{eventually, let_pass};
use crate::http::start;
use crate::raw_http::{RawClient, RawResponse};

const EVENT: &str = r#"{"userId":"u1","traits":{"a":1}}"#;

/// The head of a request with a body of `length` bytes and with these `headers`.
fn head(length: usize, headers: &str) -> String {
    format!(
        "POST /v1/identify HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{headers}\r\n"
    )
}

/// The answer to an event of `size` bytes on a new connection.
fn honest_request(address: SocketAddr, size: usize) -> RawResponse {
    let mut client = RawClient::connect(address);
    client.send(format!(
        "{}{EVENT}{}",
        head(size.max(EVENT.len()), ""),
        " ".repeat(size.saturating_sub(EVENT.len()))
    ));
    client.response().expect("an answer")
}

/// Opens `size` connections; each sends the bytes that `start` returns for its number, and waits.
fn open_connections(
    address: SocketAddr,
    size: usize,
    start: impl Fn(usize) -> Vec<u8>,
) -> Vec<RawClient> {
    descriptors::raise();
    let connect = |n| {
        let mut client = RawClient::connect(address);
        client.send(start(n));
        client
    };
    (0..size).map(connect).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn resident_mib(app: &App) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", app.pid())).expect("a process");
    let resident = status.lines().find_map(|line| {
        line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<u64>().ok()
    });
    resident.expect("kilobytes") / 1024
}

/// Starts a worker with the limit of `descriptors` (`soft:hard`).
fn start_granted(redis: &Redis, descriptors: &str, settings: &[&str]) -> App {
    let mut command = Command::new("prlimit");
    command.arg(format!("--nofile={descriptors}")).arg(env!("CARGO_BIN_EXE_traitsink"));
    let url = format!("redis.url=redis://127.0.0.1:{}", redis.port());
    let app = App::start_command(command, &[&[url.as_str()], settings].concat());
    app.wait_ready();
    app
}

#[test]
fn silent_clients_of_both_listeners_keep_nobody_out() {
    let redis = Redis::start();
    let app = start_granted(&redis, "256:4096", &[]);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", app.pid())).unwrap();
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .expect("a limit of descriptors");
    assert_eq!(files.split_whitespace().nth(3), Some("4096"), "the soft limit is raised");
    let silent = open_connections(app.http, 1100, |_| Vec::new());
    let silent_admin = open_connections(app.admin, 100, |_| b"GET /live HT".to_vec());
    for _ in 0..10 {
        assert_eq!(honest_request(app.http, 0).status, 200);
        assert_eq!(Client::new(app.admin).get("/live").expect("an answer").status, 200);
    }
    drop((silent, silent_admin));
    app.assert_at_rest();
}

#[test]
fn where_few_descriptors_are_granted_fewer_connections_are_served_at_once() {
    let redis = Redis::start();
    let app = start_granted(&redis, "300:300", &[]);
    assert!(app.wait_for_line("http.max_connections").contains("300 descriptors"));
    let silent = open_connections(app.http, 400, |_| Vec::new());
    assert_eq!(honest_request(app.http, 0).status, 200);
    assert!(app.ready());
    drop(silent);
    app.assert_at_rest();
}

#[test]
fn bodies_that_are_never_finished_keep_nobody_out() {
    let (_redis, app) = start(&[]);
    const LARGEST: usize = 8 << 20;
    let large = open_connections(app.http, 5, |_| {
        [head(LARGEST, "").as_bytes(), &vec![b' '; LARGEST - 1]].concat()
    });
    let many = open_connections(app.http, 300, |_| {
        [head(100_000, "").as_bytes(), &[b' '; 70_000]].concat()
    });
    for size in [0, 1000, 100_000, 1_000_000] {
        for _ in 0..5 {
            assert_eq!(honest_request(app.http, size).status, 200, "{size} bytes");
        }
    }
    drop((large, many));
    app.assert_at_rest();
}

#[test]
fn memory_stays_within_its_bound_and_comes_back() {
    let (_redis, app) = start(&[]);
    let long = (0..95).map(|n| format!("X-{n}: {}\r\n", "y".repeat(65))).collect::<String>();
    let compressed = gzip(
        &(0..2000u32)
            .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
            .collect::<Vec<u8>>(),
    );
    let start = |n| match n % 200 {
        0 => [head(8 << 20, "").as_bytes(), &vec![b' '; (8 << 20) - 1]].concat(),
        1..70 => head(100_000, &long).into_bytes(),
        70..130 => {
            [head(100_000, "Content-Encoding: gzip\r\n").as_bytes(), &compressed[..1000]].concat()
        }
        _ => [head(8 << 20, "").as_bytes(), &[b' '; 70_000]].concat(),
    };
    let begun = Instant::now();
    let mut most = 0;
    while begun.elapsed() < Duration::from_secs(5) {
        let held = open_connections(app.http, 1000, start);
        for _ in 0..10 {
            most = most.max(resident_mib(&app));
            let_pass(Duration::from_millis(20));
        }
        assert_eq!(honest_request(app.http, 1000).status, 200);
        drop(held);
    }
    // A debug build needs about 12 MiB more for its code.
    let bound = 32 + 64 + if cfg!(debug_assertions) { 12 } else { 0 };
    assert!(most <= bound, "{most} MiB");
    eventually("memory is given back", || resident_mib(&app) < 64);
    app.assert_at_rest();
}

#[test]
fn compressed_bytes_and_members_are_bounded() {
    let (_redis, app) = start(&["http.max_body=1MiB"]);
    let answer = |body: &[u8]| {
        let mut client = RawClient::connect(app.http);
        client.send([head(body.len(), "Content-Encoding: gzip\r\n").as_bytes(), body].concat());
        client.response().expect("an answer")
    };
    let members = gzip(b"").repeat(65);
    assert_eq!(answer(&[&*members, &gzip(EVENT.as_bytes())].concat()).status, 400);
    // An empty text whose compressed form is larger than the limit on bodies.
    let blocks =
        [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255][..], &[0, 0, 0, 0xff, 0xff].repeat((1 << 20) / 5)]
            .concat();
    assert_eq!(answer(&blocks).status, 413);
    assert_eq!(
        answer(&[gzip(EVENT.as_bytes()), gzip(b" ")].concat()).status,
        200,
        "two members are one body"
    );
    app.assert_at_rest();
}

#[test]
fn without_write_keys_websites_and_foreign_names_are_refused() {
    let (_redis, app) = start(&[]);
    let answer = |version: &str, headers: &str| {
        let mut client = RawClient::connect(app.http);
        let length = EVENT.len();
        client.send(format!(
            "POST /v1/identify HTTP/{version}\r\nContent-Length: {length}\r\n{headers}\r\n{EVENT}"
        ));
        client.response().expect("an answer")
    };
    let local = [
        "localhost",
        "LOCALHOST:3000",
        "127.0.0.1:8080",
        "127.1.2.3",
        "[::1]:8080",
        "shop.localhost",
    ];
    let foreign =
        ["evil.example", "evil.example:8080", "10.0.0.1", "localhost.evil.example", "[::2]"];
    for host in local {
        assert_eq!(answer("1.1", &format!("Host: {host}\r\n")).status, 200, "{host}");
        assert_eq!(
            answer("1.1", &format!("Host: localhost\r\nOrigin: http://{host}\r\n")).status,
            200,
            "{host}"
        );
    }
    assert_eq!(answer("1.0", "").status, 200);
    for host in foreign {
        let alone =
            [format!("Host: {host}\r\n"), format!("Host: localhost\r\nOrigin: https://{host}\r\n")];
        for headers in
            alone.into_iter().chain([format!("Host: {host}\r\nOrigin: http://{host}\r\n")])
        {
            let refused = answer("1.1", &headers);
            assert_eq!(
                (refused.status, refused.json()["code"].as_str()),
                (403, Some("foreign_origin")),
                "{headers}"
            );
            assert!(refused.json()["message"].as_str().unwrap().contains("http.write_keys"));
        }
    }
    assert_eq!(
        answer("1.1", "Host: localhost\r\nOrigin: null\r\nContent-Type: text/plain\r\n").status,
        403
    );
    app.assert_at_rest();

    let (_redis, app) = start(&["http.write_keys=key"]);
    let mut client = RawClient::connect(app.http);
    client.send(format!(
        "{}{EVENT}",
        head(EVENT.len(), "Origin: https://shop.example\r\nAuthorization: Basic a2V5Og==\r\n")
    ));
    assert_eq!(
        client.response().expect("an answer").status,
        200,
        "with a write key Origin does not matter"
    );
}
