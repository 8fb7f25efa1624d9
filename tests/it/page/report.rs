//! A report with much in it, as `/api/status` could answer it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use traitsink::status::{
    ByteUse, CertificateEnd, DeadLetterUse, HistoryReport, KafkaReport, LaneReport, LastError,
    NodeReport, PartitionReport, RedisReport, RejectionReport, SourceReport, StatusReport,
    WaitingPart,
};

/// A report of a worker that is not ready, with 300 partitions. `mark` stands in every text.
pub(super) fn report(mark: &str) -> StatusReport {
    let now = Timestamp::now();
    let text = |name: &str| format!("{name}{mark}");
    let reasons = || BTreeMap::from([(text("reason"), 7)]);
    let rates: Vec<f64> = (0..120).map(|at| 1000.0 + f64::from(at % 30) * 20.0).collect();
    let some = |at: u32| (at % 40 > 3).then(|| 0.004 + f64::from(at % 7) / 1000.0);
    StatusReport {
        version: text("1.2.3"),
        revision: text("abc"),
        host: text("host"),
        started: now - SignedDuration::from_hours(76),
        now,
        ready: false,
        waiting_for: vec![WaitingPart { part: text("redis"), reason: text("it is full") }],
        sources: vec![SourceReport {
            source: text("http"),
            received: 1_234_567,
            written: 1_234_540,
            stale: 0,
            skipped: reasons(),
            rejected: reasons(),
            dead_lettered: reasons(),
            failed: 1,
            in_flight: 5,
        }],
        history: HistoryReport {
            step_seconds: 5,
            written_per_second: rates.iter().map(|rate| rate - 10.0).collect(),
            received_per_second: rates,
            freshness_p50_seconds: (0..120).map(some).collect(),
            freshness_p99_seconds: (0..120).map(|at| some(at).map(|one| one * 90.0)).collect(),
        },
        memory: ByteUse {
            in_flight_bytes: 3 << 20,
            max_in_flight_bytes: 32 << 20,
            resident_bytes: 50 << 20,
        },
        lanes: (0..32)
            .map(|lane| LaneReport {
                lane,
                state: if lane == 3 { "trouble".into() } else { "up".into() },
                reason: (lane == 3).then(|| text("it is full")),
                queued_events: 3,
                queued_bytes: 4000,
            })
            .collect(),
        redis: RedisReport {
            mode: text("cluster"),
            nodes: vec![NodeReport {
                node: text("redis-1.example.internal:6379"),
                role: text("primary"),
                up: false,
                reconnects: 2,
                last_error: Some(LastError {
                    at: now - SignedDuration::from_mins(3),
                    class: text("retry"),
                    code: text("OOM"),
                    message: text("it is full"),
                }),
            }],
        },
        kafka: Some(KafkaReport {
            assigned: 300,
            paused: 1,
            partitions: (0..300)
                .map(|partition| PartitionReport {
                    topic: text("events"),
                    partition,
                    lag: i64::from(partition) * 10,
                })
                .collect(),
        }),
        dead_letters: DeadLetterUse {
            to: "file".into(),
            place: Some(text("/var/lib/traitsink/dead-letters.ndjson")),
            bytes: Some(800),
            max_bytes: Some(1000),
        },
        rejections: (0..50)
            .map(|at| RejectionReport {
                at: now - SignedDuration::from_secs(at),
                source: text("http"),
                outcome: text("rejected"),
                reason: text("invalid_json"),
                user: Some(text("12ab34cd")),
            })
            .collect(),
        certificates: vec![CertificateEnd {
            client: text("redis"),
            at: now + SignedDuration::from_hours(24 * 9),
        }],
        profile_lookup: true,
        config: format!("[redis]\nurl = \"{}\"\n", text("redis://***@redis-1:6379").repeat(9)),
    }
}
