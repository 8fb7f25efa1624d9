//! One connection, one request after the other: how long an answer takes.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::events::{Events, Mix, traits};
use crate::redis::BenchServer;
use crate::report::{ROUNDS, Report, median};
use crate::targets::Row;

use super::bare::BareServer;
use super::load::{is_complete, request};

/// Requests of one round.
const REQUESTS: usize = 3_000;

/// Compares the worker with the sum of what its two parts take alone.
pub(super) fn measure(report: &mut Report, redis: &BenchServer, worker: SocketAddr) {
    let bare = BareServer::start();
    let mut source = Events::new(Mix::All);
    let mut event = String::new();
    let mut hsets = Vec::new();
    let requests: Vec<Vec<u8>> = (0..REQUESTS)
        .map(|number| {
            let user = source.next(&mut event);
            hsets.push(hset(user, number as u64));
            request("/v1/identify", &event)
        })
        .collect();
    let redis = SocketAddr::from(([127, 0, 0, 1], redis.port));
    for round in 1..=ROUNDS {
        println!("HTTP identify on one connection, round {round}");
        let bare = p50(bare.address, &requests, is_complete);
        let hset = p50(redis, &hsets, |reply| reply.ends_with(b"\r\n"));
        let worker = p50(worker, &requests, is_complete);
        report.absolute("bare hyper, one connection, p50", "µs", bare);
        report.absolute("`HSET`, one connection, p50", "µs", hset);
        report.absolute("HTTP identify, one connection, p50", "µs", worker);
        report.row(Row::HttpLatency, worker / (bare + hset));
    }
}

/// The median time from a request to its whole answer, in microseconds.
fn p50(address: SocketAddr, requests: &[Vec<u8>], is_complete: fn(&[u8]) -> bool) -> f64 {
    let mut stream = TcpStream::connect(address).expect("the server accepts");
    stream.set_nodelay(true).expect("an open connection");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("an open connection");
    let mut buffer = vec![0; 4 << 10];
    let mut one = |request: &Vec<u8>| {
        let start = Instant::now();
        stream.write_all(request).expect("the server reads");
        let mut read = 0;
        while !is_complete(&buffer[..read]) {
            let more = stream.read(&mut buffer[read..]).expect("the server answers in time");
            assert!(more > 0, "the server closed the connection");
            read += more;
        }
        start.elapsed().as_secs_f64() * 1e6
    };
    median(&requests.iter().map(&mut one).collect::<Vec<_>>())
}

fn hset(user: u64, number: u64) -> Vec<u8> {
    let fields = traits(user, number).into_iter().flat_map(|(name, value)| [name.into(), value]);
    let words: Vec<String> =
        ["HSET".to_owned(), format!("user:user-{user}")].into_iter().chain(fields).collect();
    let mut command = format!("*{}\r\n", words.len());
    for word in words {
        command += &format!("${}\r\n{word}\r\n", word.len());
    }
    command.into_bytes()
}
