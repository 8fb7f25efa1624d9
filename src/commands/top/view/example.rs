//! A report for the tests.

use std::collections::BTreeMap;

use crate::status::{
    ByteUse, CertificateEnd, DeadLetterUse, HistoryReport, KafkaReport, LaneReport, LastError,
    NodeReport, PartitionReport, RedisReport, RejectionReport, SourceReport, StatusReport,
};

/// A worker with everything, at rest since a moment ago.
pub(crate) fn report() -> StatusReport {
    let source = |source: &str, received: u64| SourceReport {
        source: source.to_owned(),
        received,
        written: received - 27,
        stale: 0,
        skipped: BTreeMap::from([("not_identify".to_owned(), 20)]),
        rejected: BTreeMap::from([("invalid_json".to_owned(), 4), ("too_deep".to_owned(), 1)]),
        dead_lettered: BTreeMap::from([("wrong_type".to_owned(), 2)]),
        failed: 0,
        in_flight: 0,
    };
    let node = |port: u16, role: &str, up: bool| NodeReport {
        node: format!("redis-{port}:6379"),
        role: role.to_owned(),
        up,
        reconnects: u64::from(!up),
        last_error: (!up).then(|| LastError {
            at: at("2026-11-29T11:58:30Z"),
            class: "reconnect".to_owned(),
            code: "NONE".to_owned(),
            message: "connection refused".to_owned(),
        }),
    };
    let wave = |n: u64| 400.0 + 300.0 * (n as f64 / 9.0).sin();
    StatusReport {
        version: "0.1.0".to_owned(),
        revision: "0123456789abcdef".to_owned(),
        host: "cdp-1".to_owned(),
        started: at("2026-11-26T08:00:00Z"),
        now: at("2026-11-29T12:00:00Z"),
        ready: true,
        waiting_for: Vec::new(),
        sources: vec![source("http", 1_234_567), source("kafka", 98_765)],
        history: HistoryReport {
            step_seconds: 5,
            received_per_second: (0..120).map(wave).collect(),
            written_per_second: (0..120).map(|n| wave(n) - 5.0).collect(),
            freshness_p50_seconds: vec![Some(0.012); 120],
            freshness_p99_seconds: (0..120).map(|n| Some(0.02 + n as f64 / 1e3)).collect(),
        },
        memory: ByteUse {
            in_flight_bytes: 1 << 20,
            max_in_flight_bytes: 32 << 20,
            resident_bytes: 54 << 20,
        },
        lanes: (0..4)
            .map(|lane| LaneReport {
                lane,
                state: "up".to_owned(),
                reason: None,
                queued_events: 3,
                queued_bytes: 1000,
            })
            .collect(),
        redis: RedisReport {
            mode: "primary_replicas".to_owned(),
            nodes: vec![node(1, "primary", true), node(2, "replica", false)],
        },
        kafka: Some(KafkaReport {
            assigned: 12,
            paused: 0,
            partitions: (0..12)
                .map(|partition| PartitionReport {
                    topic: "events".to_owned(),
                    partition,
                    lag: i64::from(partition) * 100,
                })
                .collect(),
        }),
        dead_letters: DeadLetterUse {
            to: "file".to_owned(),
            place: Some("/var/lib/traitsink/dead-letters.ndjson".to_owned()),
            bytes: Some(1234),
            max_bytes: Some(1 << 30),
        },
        rejections: (0..20)
            .map(|n| RejectionReport {
                at: at("2026-11-29T11:59:00Z") - jiff::SignedDuration::from_secs(n * 7),
                source: "http".to_owned(),
                outcome: "rejected".to_owned(),
                reason: "invalid_json".to_owned(),
                user: (n % 2 == 0).then(|| "6daf61bb15aa1c6e".to_owned()),
            })
            .collect(),
        certificates: vec![CertificateEnd {
            client: "redis".to_owned(),
            at: at("2026-12-10T00:00:00Z"),
        }],
        config: String::new(),
        profile_lookup: false,
    }
}

fn at(text: &str) -> jiff::Timestamp {
    text.parse().unwrap()
}
