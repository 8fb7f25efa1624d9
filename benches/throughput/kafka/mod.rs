//! A Kafka topic into Redis: the worker, the Go program and the limit of Redis in turns.

mod cores;
mod peer;
mod servers;
mod topic;
mod worker;

use std::path::Path;

use super::events::Mix;
use super::harness::kafka::Kafka;
use super::redis::BenchServer;
use super::report::{ROUNDS, Report};
use super::targets::Row;

use peer::Peer;
use servers::{Consumed, Servers};
use topic::Topic;
use worker::Bound;

const PEER_ROWS: [Row; 5] =
    [Row::KafkaAllRate, Row::KafkaAllCpu, Row::KafkaMixedRate, Row::KafkaMixedCpu, Row::PeerShare];

/// Runs the wanted ones of both parts with the same topics.
pub(super) fn measure(report: &mut Report, dir: &Path, events: u64, compare: bool, cores: bool) {
    let servers = Servers { kafka: Kafka::start(), redis: BenchServer::start(dir), events };
    let all = Topic::fill(&servers.kafka, Mix::All, events);
    if compare {
        let mixed = Topic::fill(&servers.kafka, Mix::Fifth, events);
        let peer = Peer::build();
        if let Err(why) = &peer {
            report.missing(&PEER_ROWS, why);
        }
        for round in 1..=ROUNDS {
            println!("Kafka, round {round}");
            let limit = servers.redis.limit(events);
            report.absolute("limit beside Kafka", "HSET/s", limit);
            let share = compare_with(report, &servers, peer.as_ref().ok(), &all, round);
            report.row(Row::KafkaShare, share.worker / limit);
            if let Some(peer) = share.peer {
                report.row(Row::PeerShare, peer / limit);
            }
            compare_with(report, &servers, peer.as_ref().ok(), &mixed, round);
        }
    }
    if cores {
        cores::measure(report, &servers, &all);
    }
}

/// Events per second of one round.
struct Rates {
    worker: f64,
    peer: Option<f64>,
}

/// Runs both programs on one topic; in every second round the Go program is first.
fn compare_with(
    report: &mut Report,
    servers: &Servers,
    peer: Option<&Peer>,
    topic: &Topic,
    round: usize,
) -> Rates {
    let run_peer = || peer.map(|peer| peer.consume(servers, topic));
    let first = if round.is_multiple_of(2) { run_peer() } else { None };
    let worker::Run { consumed: worker, memory_mib, polling } =
        worker::consume(servers, topic, &Bound::AllCores);
    let peer = first.or_else(|| if round.is_multiple_of(2) { None } else { run_peer() });

    let name = topic.name_of_mix();
    record(report, &format!("Kafka, {name}"), &worker);
    if let Some(peer) = &peer {
        record(report, &format!("Kafka, {name}, Go program"), peer);
        let (rate, cpu) = match topic.mix {
            Mix::All => (Row::KafkaAllRate, Row::KafkaAllCpu),
            Mix::Fifth => (Row::KafkaMixedRate, Row::KafkaMixedCpu),
        };
        report.row(rate, worker.rate / peer.rate);
        report.row(cpu, worker.cpu / peer.cpu);
    }
    if topic.mix == Mix::All {
        report.row(Row::Memory, memory_mib);
        report.row(Row::PollingThread, polling);
    }
    Rates { worker: worker.rate, peer: peer.map(|peer| peer.rate) }
}

fn record(report: &mut Report, what: &str, consumed: &Consumed) {
    report.absolute(what, "events/s", consumed.rate);
    report.absolute(what, "CPU s per million", consumed.cpu);
}
