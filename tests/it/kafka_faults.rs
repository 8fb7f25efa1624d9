//! Faults under load from Kafka, with an oracle: committed events are in Redis, no older event
//! overwrites them, and in the end each hash is the fold of its events. Each test is a row of the
//! fault matrix; letters and numbers are those of the test plan (tests/FAULTS.md).

use std::time::Duration;

use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use crate::harness::app::App;
use crate::harness::kafka::{Kafka, unique};
use crate::harness::matrix::play;
use crate::harness::redis::Redis;
use crate::harness::stream::{Produced, Stream, WriteMonitor};
use crate::harness::{eventually, let_pass};
use crate::kafka_source::{wait_committed, worker};
use crate::kafka_topics::recreations;

const USERS: usize = 500;
/// Records a second; two in ten are not for Redis.
const RATE: u64 = 2500;

/// A topic under load, and the Redis that receives its events.
struct LoadFixture<'a> {
    kafka: &'a Kafka,
    redis: Redis,
    topic: String,
    group: String,
    stream: Stream,
}

impl<'a> LoadFixture<'a> {
    fn new(kafka: &'a Kafka, name: &str, partitions: usize) -> Self {
        let topic = kafka.topic(name, i32::try_from(partitions).expect("few"), &[]);
        let stream = Stream::start(kafka, &topic, partitions, USERS, RATE);
        Self { kafka, redis: Redis::start(), topic, group: unique("group"), stream }
    }

    fn worker(&self, settings: &[&str]) -> App {
        worker(self.kafka, &self.redis, &self.topic, &self.group, settings)
    }

    fn committed(&self) -> Vec<Option<i64>> {
        self.kafka.committed(&self.group, &self.topic)
    }

    /// Waits until `more` further records are committed.
    fn progress(&self, more: i64) {
        let sum = || self.committed().into_iter().flatten().sum::<i64>();
        let goal = sum() + more;
        eventually("offsets are committed", || sum() >= goal);
    }

    /// Waits until everything now in the topic is committed.
    fn wait_behind(&self) {
        let ends: Vec<Option<i64>> =
            self.kafka.watermarks(&self.topic).into_iter().map(|(_, end)| Some(end)).collect();
        eventually("all records so far are committed", || {
            self.committed().iter().zip(&ends).all(|(committed, end)| committed >= end)
        });
    }

    /// Checks invariant I2. No worker may commit during this call.
    fn check_committed(&self) {
        let committed = self.committed();
        assert_eq!(
            self.stream.known().lost_below(&committed, &self.redis),
            Vec::<String>::new(),
            "below {committed:?}"
        );
    }

    /// Ends the load, waits until everything is committed, and checks I1 and I3.
    fn finish(self) -> Produced {
        let produced = self.stream.stop();
        wait_committed(self.kafka, &self.group, &self.topic);
        assert_eq!(produced.differences(&self.redis), Vec::<String>::new());
        produced
    }
}

#[test]
fn a1_worker_killed_under_load() {
    play("A1", "the worker is killed under load from Kafka", 2..=50, |round| {
        let fixture = LoadFixture::new(Kafka::shared(), "a1", 4);
        // In every other round the worker keeps its partitions across the restart.
        let identity: &[&str] =
            if round.number % 2 == 0 { &["kafka.group_instance_id=a1"] } else { &[] };
        let mut app = fixture.worker(identity);
        fixture.progress(500);
        let_pass(round.up_to(3000));
        // In most rounds Redis is silent for a moment, so that many records are taken and not
        // written when the worker dies.
        if round.number % 3 > 0 {
            fixture.redis.pause();
            let_pass(Duration::from_millis(round.rng.u64(300..1500)));
        }
        app.signal(Signal::SIGKILL);
        app.wait(Duration::from_secs(5));
        fixture.redis.resume();
        fixture.check_committed();
        let restart = || {
            let app = fixture.worker(identity);
            fixture.progress(1);
            app
        };
        // Without a group instance id the worker waits for its former session to end.
        let app = if identity.is_empty() { restart() } else { round.recovers(restart) };
        fixture.finish();
        app.assert_at_rest();
    });
}

#[test]
fn a3_worker_stopped_under_load() {
    play("A3", "the worker is stopped under load from Kafka", 2..=30, |round| {
        let fixture = LoadFixture::new(Kafka::shared(), "a3", 4);
        let mut app = fixture.worker(&[]);
        fixture.progress(500);
        let_pass(round.up_to(1500));
        app.signal(Signal::SIGTERM);
        let status = app.wait(Duration::from_secs(20));
        assert!(status.success(), "{status}\n{}", app.log().join("\n"));
        fixture.check_committed();
        let again = fixture.stream.known().written_beyond(&fixture.committed(), &fixture.redis);
        assert_eq!(again, 0, "events are written that no commit covers");
        let app = fixture.worker(&[]);
        fixture.finish();
        app.assert_at_rest();
    });
}

/// A rebalance takes partitions from a stopping worker. Their records belong to another worker, so
/// the exit code is that of a success.
#[test]
fn a_stop_amid_a_rebalance_is_a_success() {
    let fixture = LoadFixture::new(Kafka::shared(), "rolling", 4);
    let mut app = fixture.worker(&["delivery.stop_grace=60s"]);
    fixture.progress(500);
    fixture.redis.pause();
    eventually("partitions are paused", || {
        app.metric("traitsink_kafka_partitions_paused", "") == 4.0
    });
    app.signal(Signal::SIGTERM);
    let other = fixture.worker(&[]);
    eventually("the other worker has partitions", || {
        other.metric("traitsink_kafka_partitions_assigned", "") >= 1.0
    });
    assert!(
        app.metric("traitsink_kafka_events_handed_over_total", "") > 0.0,
        "no partition was taken away"
    );
    fixture.redis.resume();
    let status = app.wait(Duration::from_secs(60));
    assert!(status.success(), "{status}\n{}", app.log().join("\n"));
    fixture.finish();
    other.assert_at_rest();
}

#[test]
fn a5_worker_frozen_past_its_session_while_another_takes_over() {
    play("A5", "the worker is frozen past its session while another takes over", 2..=20, |round| {
        let fixture = LoadFixture::new(Kafka::shared(), "a5", 4);
        let frozen = fixture.worker(&[]);
        fixture.progress(500);
        // Redis is silent for a moment, so that the worker holds many unsent records when it is
        // frozen.
        fixture.redis.pause();
        let_pass(Duration::from_millis(round.rng.u64(50..800)));
        frozen.signal(Signal::SIGSTOP);
        fixture.redis.resume();
        let other = fixture.worker(&[]);
        eventually("the other worker has all partitions", || {
            other.metric("traitsink_kafka_partitions_assigned", "") == 4.0
        });
        // Records that the frozen worker had written and not committed are written again. After
        // that no number may fall.
        fixture.wait_behind();
        let watch = WriteMonitor::start(&fixture.redis);
        fixture.progress(500);
        frozen.signal(Signal::SIGCONT);
        eventually("the partitions are shared again", || {
            [&frozen, &other].map(|app| app.metric("traitsink_kafka_partitions_assigned", ""))
                == [2.0, 2.0]
        });
        frozen.wait_for_line("stood still");
        fixture.progress(500);
        watch.stop(&[&frozen, &other]);
        fixture.finish();
        frozen.assert_at_rest();
        other.assert_at_rest();
    });
}

/// A worker joins under load. The new owner of a partition starts after all written records, so
/// nothing is read twice.
#[test]
fn a_partition_is_handed_over_with_all_that_was_taken() {
    let fixture = LoadFixture::new(Kafka::shared(), "handover", 12);
    let first = fixture.worker(&[]);
    fixture.progress(500);
    let second = fixture.worker(&[]);
    eventually("two workers share the partitions", || {
        second.metric("traitsink_kafka_partitions_assigned", "") == 6.0
    });
    fixture.progress(500);
    let produced = fixture.finish();
    let received = [&first, &second]
        .map(|app| app.metric("traitsink_events_received_total", "kafka") as usize);
    assert_eq!(received[0] + received[1], produced.received(), "{received:?}");
}

/// Workers join, leave and are killed: one, three, and one again; in the long run every few seconds
/// for ten minutes.
#[test]
fn d1_workers_come_and_go() {
    play("D1", "workers join, leave and are killed", 2..=20, |round| {
        let fixture = LoadFixture::new(Kafka::shared(), "d1", 12);
        let shared = |apps: &[&App]| {
            let sum = apps
                .iter()
                .map(|app| app.metric("traitsink_kafka_partitions_assigned", ""))
                .sum::<f64>();
            sum == 12.0
                && apps
                    .iter()
                    .all(|app| app.metric("traitsink_kafka_partitions_assigned", "") > 0.0)
        };
        let gap = if round.night { 7000..9000 } else { 0..1500 };
        let watch = WriteMonitor::start(&fixture.redis);
        let first = fixture.worker(&[]);
        fixture.progress(500);
        let mut second = fixture.worker(&[]);
        let_pass(Duration::from_millis(round.rng.u64(gap.clone())));
        let mut third = fixture.worker(&[]);
        eventually("three workers share the partitions", || shared(&[&first, &second, &third]));
        fixture.progress(500);
        let_pass(Duration::from_millis(round.rng.u64(gap.clone())));
        second.signal(Signal::SIGTERM);
        assert!(second.wait(Duration::from_secs(20)).success(), "{}", second.log().join("\n"));
        fixture.check_committed();
        eventually("two workers share the partitions", || shared(&[&first, &third]));
        // The bytes of a killed worker may arrive again, so numbers may fall for a moment.
        watch.stop(&[&first, &second, &third]);
        let_pass(Duration::from_millis(round.rng.u64(gap)));
        third.signal(Signal::SIGKILL);
        third.wait(Duration::from_secs(5));
        fixture.check_committed();
        eventually("one worker has all partitions", || shared(&[&first]));
        fixture.finish();
        first.assert_at_rest();
    });
}

#[test]
fn d2_brokers_killed_frozen_and_restarted() {
    let mut kafka = Kafka::cluster(3);
    play("D2", "Kafka brokers are killed, frozen and started again", 2..=20, |round| {
        let node = round.rng.usize(0..3);
        let fixture = LoadFixture::new(&kafka, "d2", 4);
        let app = fixture.worker(&[]);
        fixture.progress(500);
        let LoadFixture { redis, topic, group, stream, .. } = fixture;
        let_pass(round.up_to(500));
        if round.number % 3 == 0 {
            kafka.pause(node);
            let_pass(Duration::from_millis(round.rng.u64(1000..8000)));
            kafka.resume(node);
        } else {
            kafka.kill(node);
            let_pass(round.up_to(3000));
            kafka.restart(node);
        }
        let fixture = LoadFixture { kafka: &kafka, redis, topic, group, stream };
        round.recovers(|| fixture.progress(1));
        fixture.check_committed();
        app.wait_ready();
        fixture.finish();
        assert_eq!(recreations(&app), 0.0, "new leaders do not make a new topic");
        app.assert_at_rest();
    });
}

/// Redis is away for longer than `max.poll.interval.ms`: the member keeps polling, and keeps its
/// partitions.
#[test]
fn d3_a_slow_redis_costs_no_partition() {
    play("D3", "Redis is frozen for longer than max.poll.interval.ms", 2..=5, |round| {
        let fixture = LoadFixture::new(Kafka::shared(), "d3", 4);
        let settings =
            ["kafka.librdkafka.max.poll.interval.ms=10000", "delivery.max_in_flight=2MiB"];
        let small = [
            "transform.max_event=512KiB",
            "http.max_body=512KiB",
            "delivery.max_batch_bytes=256KiB",
        ];
        let app = fixture.worker(&[&settings[..], &small].concat());
        fixture.progress(500);
        let rebalances = app.metric("traitsink_kafka_rebalances_total", "");
        fixture.redis.pause();
        eventually("partitions are paused", || {
            app.metric("traitsink_kafka_partitions_paused", "") == 4.0
        });
        assert!(app.metric("traitsink_in_flight_bytes", "") <= 2_097_152.0);
        let_pass(Duration::from_millis(11_000 + round.rng.u64(0..2000)));
        fixture.redis.resume();
        round.recovers(|| fixture.progress(500));
        eventually("partitions are read again", || {
            app.metric("traitsink_kafka_partitions_paused", "") == 0.0
        });
        assert_eq!(app.metric("traitsink_kafka_rebalances_total", ""), rebalances);
        fixture.finish();
        app.assert_at_rest();
    });
}

/// Stops one thread of a process, found by its name, for a while; the others continue.
fn freeze_thread(process: u32, name: &str, time: Duration) {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("own child");
    let thread = tasks.map(|task| task.expect("own child").path()).find(|task| {
        std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name)
    });
    let thread = thread.unwrap_or_else(|| panic!("the worker has no thread {name}"));
    let id = Pid::from_raw(
        thread.file_name().expect("a number").to_string_lossy().parse().expect("a number"),
    );
    ptrace::seize(id, ptrace::Options::empty()).expect("own child may be traced");
    ptrace::interrupt(id).expect("a seized thread");
    waitpid(id, Some(WaitPidFlag::__WALL)).expect("the thread stops");
    let_pass(time);
    ptrace::detach(id, None).expect("a stopped thread");
}

/// The member stops polling while the process lives: the group takes its partitions away, and the
/// worker ends.
#[test]
fn d3_a_member_that_does_not_poll_ends() {
    play("D3", "a group member does not poll", 2..=5, |round| {
        let fixture = LoadFixture::new(Kafka::shared(), "d3", 4);
        let mut app = fixture.worker(&["kafka.librdkafka.max.poll.interval.ms=6000"]);
        fixture.progress(500);
        freeze_thread(app.pid(), "kafka", Duration::from_secs(8));
        assert_eq!(app.wait(Duration::from_secs(30)).code(), Some(70), "{}", app.log().join("\n"));
        assert!(
            app.log().iter().any(|line| line.contains("max.poll.interval.ms")),
            "{}",
            app.log().join("\n")
        );
        fixture.check_committed();
        let _app = fixture.worker(&[]);
        round.recovers(|| fixture.progress(1));
        fixture.finish();
    });
}

/// Writes complete in any order and connections break; then the worker is killed.
#[test]
fn d4_worker_killed_while_connections_break() {
    play("D4", "the worker is killed while connections to Redis break", 2..=50, |round| {
        let fixture = LoadFixture::new(Kafka::shared(), "d4", 4);
        let identity = ["kafka.group_instance_id=d4", "delivery.max_batch=16", "delivery.lanes=8"];
        let mut app = fixture.worker(&identity);
        fixture.progress(300);
        for _ in 0..round.rng.u32(5..40) {
            fixture.redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
            let_pass(round.up_to(60));
        }
        app.signal(Signal::SIGKILL);
        app.wait(Duration::from_secs(5));
        fixture.check_committed();
        let app = fixture.worker(&identity);
        round.recovers(|| fixture.progress(1));
        fixture.finish();
        app.assert_at_rest();
    });
}
