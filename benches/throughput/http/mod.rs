//! HTTP into Redis: batches beside what Redis takes, single events beside a bare server.

pub(super) mod bare;
mod latency;
mod load;

use std::net::SocketAddr;
use std::path::Path;

use super::events::{Events, Mix};
use super::harness::app::App;
use super::process::{cpu_time, per_million};
use super::redis::BenchServer;
use super::report::{ROUNDS, Report};
use super::targets::Row;

use bare::BareServer;
use latency::measure as measure_latency;
use load::{Load, request};

/// Events of one batch.
const BATCH: u64 = 100;
/// Connections that send batches: together they have as much in flight as `redis-benchmark`.
const BATCH_CONNECTIONS: usize = 32;
const CONNECTIONS: usize = 64;

pub(super) fn measure(report: &mut Report, dir: &Path, events: u64) {
    let redis = BenchServer::start(dir);
    let worker = App::start(&redis.url(), &[]);
    worker.wait_ready();
    batches(report, &redis, &worker, events);
    singles(report, &redis, &worker, events / 4);
    measure_latency(report, &redis, worker.http);
}

fn batches(report: &mut Report, redis: &BenchServer, worker: &App, events: u64) {
    let mut source = Events::new(Mix::All);
    let bodies = (0..200).map(|_| {
        let mut body = String::from("{\"batch\":[");
        let mut event = String::new();
        for number in 0..BATCH {
            source.next(&mut event);
            body += if number == 0 { "" } else { "," };
            body += &event;
        }
        body + "]}"
    });
    let load = Load {
        connections: BATCH_CONNECTIONS,
        requests: bodies.map(|body| request("/v1/batch", &body)).collect(),
        count: events / BATCH,
    };
    for round in 1..=ROUNDS {
        println!("HTTP batches, round {round}");
        let limit = redis.limit(events);
        redis.clear();
        let run = run(&load, worker.http, worker.pid());
        let rate = run.rate * BATCH as f64;
        report.absolute("limit beside HTTP batches", "HSET/s", limit);
        report.absolute("HTTP batches of 100", "events/s", rate);
        report.absolute("HTTP batches of 100", "CPU s per million", run.cpu / BATCH as f64);
        report.row(Row::BatchShare, rate / limit);
    }
}

fn singles(report: &mut Report, redis: &BenchServer, worker: &App, count: u64) {
    let bare = BareServer::start();
    let mut source = Events::new(Mix::All);
    let mut event = String::new();
    let requests = (0..20_000).map(|_| {
        source.next(&mut event);
        request("/v1/identify", &event)
    });
    let load = Load { connections: CONNECTIONS, requests: requests.collect(), count };
    for round in 1..=ROUNDS {
        println!("HTTP identify on {CONNECTIONS} connections, round {round}");
        redis.clear();
        let bare = run(&load, bare.address, bare.pid());
        let worker = run(&load, worker.http, worker.pid());
        for (what, run) in [("bare hyper", &bare), ("HTTP identify", &worker)] {
            report.absolute(what, "requests/s", run.rate);
            report.absolute(what, "CPU s per million", run.cpu);
        }
        report.row(Row::HttpRate, worker.rate / bare.rate);
        report.row(Row::HttpCpu, worker.cpu / bare.cpu);
    }
}

/// Speed and processor time of a server under load.
struct Served {
    /// Requests per second.
    rate: f64,
    /// Seconds of the server's processor time per million requests.
    cpu: f64,
}

fn run(load: &Load, address: SocketAddr, pid: u32) -> Served {
    let before = cpu_time(pid);
    let elapsed = load.run(address);
    let cpu = per_million(cpu_time(pid) - before, load.count);
    Served { rate: load.count as f64 / elapsed.as_secs_f64(), cpu }
}
