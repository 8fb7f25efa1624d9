//! Requests that cost more than their size suggests: names, ranges, gzip, heads, bodies without an
//! end.

use std::time::Duration;

use super::payload::{
    MAX_BODY, MIB, batch, empty_members, gzip, gzip_repeated, head, long_names, post, post_gzip,
    small, wide,
};
use crate::harness::attack::{AttackTarget, Attacker, attack};

const SECOND: Duration = Duration::from_secs(1);

/// Time between two waves of expensive requests, so that honest clients get their share of the CPU.
const WAVE: Duration = Duration::from_secs(4);

/// A few more than `http.max_connections`.
const MANY: usize = 1030;

fn names(at: AttackTarget) -> Vec<Attacker> {
    vec![
        Attacker::new(at.http, 4, post(&batch((0..1000).map(|event| long_names(event % 8)))))
            .every(WAVE),
        Attacker::new(at.http, 8, post(&batch((0..1).map(long_names)))).every(SECOND),
    ]
}

#[test]
fn long_parent_names() {
    attack("parent names that make 10 MB of 90 KB, in batches of 8 MB", names);
}

fn ranges(at: AttackTarget) -> Vec<Attacker> {
    let body = gzip_repeated(r#"{"batch":["#, "{},", "{}]}", MAX_BODY);
    vec![Attacker::new(at.http, 4, post_gzip(&body)).every(WAVE)]
}

#[test]
fn millions_of_empty_events() {
    attack("2.8 million empty events in 8 KB of gzip", ranges);
}

fn broken_ranges(at: AttackTarget) -> Vec<Attacker> {
    let bad_value = gzip_repeated(r#"{"batch":[NaN,"#, "{},", "{}]}", MAX_BODY);
    let no_commas = gzip_repeated(r#"{"batch":["#, "{}", "]}", MAX_BODY);
    vec![
        Attacker::new(at.http, 2, post_gzip(&bad_value)).every(WAVE),
        Attacker::new(at.http, 2, post_gzip(&no_commas)).every(WAVE),
    ]
}

#[test]
fn millions_of_empty_events_in_broken_json() {
    attack(
        "2.8 million empty events in 8 KB of gzip, with a value that is no JSON or without commas",
        broken_ranges,
    );
}

fn bombs(at: AttackTarget) -> Vec<Attacker> {
    let zeros = gzip_repeated("", "\0\0\0\0", "", 64 * MIB);
    let spaces = gzip_repeated("", "    ", "", 64 * MIB);
    let just_fits = gzip_repeated("", "    ", "", MAX_BODY - 4);
    vec![
        Attacker::new(at.http, 2, post_gzip(&zeros)).every(SECOND),
        Attacker::new(at.http, 2, post_gzip(&spaces)).every(SECOND),
        Attacker::new(at.http, 4, post_gzip(&just_fits)).every(SECOND),
    ]
}

#[test]
fn gzip_bombs() {
    attack("gzip of 64 MiB of zeros or spaces, and of 8 MiB", bombs);
}

fn members(at: AttackTarget) -> Vec<Attacker> {
    vec![
        Attacker::new(at.http, 4, post_gzip(&empty_members(MAX_BODY))).every(WAVE),
        Attacker::new(at.http, 1, post_gzip(&empty_members(4 * MAX_BODY))).every(WAVE),
    ]
}

#[test]
fn empty_gzip_members() {
    attack("8 MiB and 32 MiB of empty gzip members", members);
}

fn heads(at: AttackTarget) -> Vec<Attacker> {
    let lines: String =
        (0..60).map(|line| format!("x-{line:02}: {}\r\n", "y".repeat(992))).collect();
    let whole = head(&format!("{lines}content-length: 100\r\n"));
    let half = whole.trim_end().to_owned();
    vec![Attacker::new(at.http, 400, whole), Attacker::new(at.http, 400, half)]
}

#[test]
fn large_heads_held_open() {
    attack("800 heads of 60 KB, held open", heads);
}

fn slow_bodies(at: AttackTarget) -> Vec<Attacker> {
    let part = " ".repeat(32 << 10);
    let sized = head(&format!("content-length: {MAX_BODY}\r\n")) + &part;
    let chunked = head("transfer-encoding: chunked\r\n");
    let first = format!("{chunked}{:x}\r\n{part}\r\n", part.len());
    vec![
        Attacker::new(at.http, MANY / 2, sized).drip("    ", SECOND),
        Attacker::new(at.http, MANY / 2, first).drip("4\r\n    \r\n", SECOND),
    ]
}

#[test]
fn slow_bodies_of_many() {
    attack("1,030 bodies that drip, with a length of 8 MiB and chunked", slow_bodies);
}

fn steady_bodies(at: AttackTarget) -> Vec<Attacker> {
    let first = head(&format!("content-length: {MAX_BODY}\r\n")) + &" ".repeat(160 << 10);
    vec![Attacker::new(at.http, 200, first).drip(" ".repeat(1600), SECOND / 10)]
}

#[test]
fn steady_bodies_of_many() {
    attack("200 bodies of 8 MiB that begin with 160 KB and go on at 16 KB a second", steady_bodies);
}

fn wide_batches(at: AttackTarget) -> Vec<Attacker> {
    vec![
        Attacker::new(at.http, 4, post(&batch((0..1000).map(|event| wide(event % 8))))).every(WAVE),
        Attacker::new(at.http, 4, post(&batch((0..100_000).map(|event| small(event % 1000)))))
            .every(WAVE),
    ]
}

#[test]
fn wide_and_long_batches() {
    attack("batches of 10,000 fields each, and of 100,000 events", wide_batches);
}

fn stalled_gzip(at: AttackTarget) -> Vec<Attacker> {
    // Text that gzip compresses well, so that the window is full when the stream stalls.
    let mut rng = fastrand::Rng::with_seed(1);
    let text: String = (0..48 << 10).map(|_| rng.alphanumeric()).collect();
    let body = gzip(format!(r#"{{"batch":["{text}"]}}"#).as_bytes());
    let mut first = post_gzip(&body).to_vec();
    first.truncate(first.len() - 9);
    vec![Attacker::new(at.http, MANY, first)]
}

#[test]
fn gzip_that_stalls() {
    attack("1,030 gzip bodies that stall before their end", stalled_gzip);
}

fn unread(at: AttackTarget) -> Vec<Attacker> {
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let short = get("/").repeat(20);
    vec![
        Attacker::new(at.http, 100, short.clone()).drip(short, SECOND / 10).never_reads(),
        Attacker::new(at.admin, 70, get("/metrics").repeat(50)).never_reads(),
    ]
}

#[test]
fn answers_that_nobody_reads() {
    attack(
        "100 clients send thousands of requests and read no answer, and 70 at the admin port",
        unread,
    );
}

#[test]
fn all_at_once() {
    attack("everything that bodies and heads can do, at once, half of each", |at| {
        let all = [
            names,
            ranges,
            broken_ranges,
            bombs,
            members,
            heads,
            slow_bodies,
            steady_bodies,
            wide_batches,
            stalled_gzip,
            unread,
        ];
        all.into_iter().flat_map(|attackers| attackers(at)).map(Attacker::half).collect()
    });
}
