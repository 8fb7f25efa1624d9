//! Faults under load from Kafka, with an oracle: what is committed is in Redis, nothing older
//! overwrites it, and in the end each hash is the fold of its events. Letters and numbers are those
//! of the test plan (tests/FAULTS.md); each is a row of the matrix.

use std::time::Duration;

use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use crate::harness::app::App;
use crate::harness::kafka::{Kafka, unique};
use crate::harness::matrix::play;
use crate::harness::redis::Redis;
use crate::harness::stream::{Produced, Stream, Watch};
use crate::harness::{eventually, let_pass};
use crate::kafka_source::{wait_committed, worker};
use crate::kafka_topics::recreations;

const USERS: usize = 500;
/// Records a second, of which two in ten are not for Redis.
const RATE: u64 = 2500;

/// A topic under load, and the Redis that its events go to.
struct Scene<'a> {
    kafka: &'a Kafka,
    redis: Redis,
    topic: String,
    group: String,
    stream: Stream,
}

impl<'a> Scene<'a> {
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

    /// Waits until all that is in the topic now is committed.
    fn wait_behind(&self) {
        let ends: Vec<Option<i64>> =
            self.kafka.watermarks(&self.topic).into_iter().map(|(_, end)| Some(end)).collect();
        eventually("all so far is committed", || {
            self.committed().iter().zip(&ends).all(|(committed, end)| committed >= end)
        });
    }

    /// Invariant I2, now. Call it while nobody commits.
    fn check_committed(&self) {
        let committed = self.committed();
        assert_eq!(
            self.stream.known().lost_below(&committed, &self.redis),
            Vec::<String>::new(),
            "below {committed:?}"
        );
    }

    /// Ends the load, waits until all is committed, and checks I1 and I3.
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
        let scene = Scene::new(Kafka::shared(), "a1", 4);
        // Every other round keeps its partitions across the restart.
        let identity: &[&str] =
            if round.number % 2 == 0 { &["kafka.group_instance_id=a1"] } else { &[] };
        let mut app = scene.worker(identity);
        scene.progress(500);
        let_pass(round.up_to(3000));
        // Most often Redis is silent for a moment, so that much is taken and not written when the
        // worker dies.
        if round.number % 3 > 0 {
            scene.redis.pause();
            let_pass(Duration::from_millis(round.rng.u64(300..1500)));
        }
        app.signal(Signal::SIGKILL);
        app.wait(Duration::from_secs(5));
        scene.redis.resume();
        scene.check_committed();
        let restart = || {
            let app = scene.worker(identity);
            scene.progress(1);
            app
        };
        // Without its identity it waits for its own former session to end.
        let app = if identity.is_empty() { restart() } else { round.recovers(restart) };
        scene.finish();
        app.assert_at_rest();
    });
}

#[test]
fn a3_worker_stopped_under_load() {
    play("A3", "the worker is stopped under load from Kafka", 2..=30, |round| {
        let scene = Scene::new(Kafka::shared(), "a3", 4);
        let mut app = scene.worker(&[]);
        scene.progress(500);
        let_pass(round.up_to(1500));
        app.signal(Signal::SIGTERM);
        let status = app.wait(Duration::from_secs(20));
        assert!(status.success(), "{status}\n{}", app.log().join("\n"));
        scene.check_committed();
        let again = scene.stream.known().written_beyond(&scene.committed(), &scene.redis);
        assert_eq!(again, 0, "events are written that no commit covers");
        let app = scene.worker(&[]);
        scene.finish();
        app.assert_at_rest();
    });
}

/// What a rebalance takes away from a worker that is stopping is another's, and no reason to exit
/// as if something were lost.
#[test]
fn a_stop_amid_a_rebalance_is_a_success() {
    let scene = Scene::new(Kafka::shared(), "rolling", 4);
    let mut app = scene.worker(&["delivery.stop_grace=60s"]);
    scene.progress(500);
    scene.redis.pause();
    eventually("partitions are paused", || {
        app.metric("traitsink_kafka_partitions_paused", "") == 4.0
    });
    app.signal(Signal::SIGTERM);
    let other = scene.worker(&[]);
    eventually("the other has some", || {
        other.metric("traitsink_kafka_partitions_assigned", "") >= 1.0
    });
    assert!(
        app.metric("traitsink_kafka_events_handed_over_total", "") > 0.0,
        "nothing was taken away"
    );
    scene.redis.resume();
    let status = app.wait(Duration::from_secs(60));
    assert!(status.success(), "{status}\n{}", app.log().join("\n"));
    scene.finish();
    other.assert_at_rest();
}

#[test]
fn a5_worker_frozen_past_its_session_while_another_takes_over() {
    play("A5", "the worker is frozen past its session while another takes over", 2..=20, |round| {
        let scene = Scene::new(Kafka::shared(), "a5", 4);
        let frozen = scene.worker(&[]);
        scene.progress(500);
        // With Redis silent for a moment, the worker has much in hand that is not sent when it is
        // frozen.
        scene.redis.pause();
        let_pass(Duration::from_millis(round.rng.u64(50..800)));
        frozen.signal(Signal::SIGSTOP);
        scene.redis.resume();
        let other = scene.worker(&[]);
        eventually("the other has all partitions", || {
            other.metric("traitsink_kafka_partitions_assigned", "") == 4.0
        });
        // What the frozen one had written and not committed is written again; when that is over, no
        // number may fall any more.
        scene.wait_behind();
        let watch = Watch::start(&scene.redis);
        scene.progress(500);
        frozen.signal(Signal::SIGCONT);
        eventually("the partitions are shared again", || {
            [&frozen, &other].map(|app| app.metric("traitsink_kafka_partitions_assigned", ""))
                == [2.0, 2.0]
        });
        frozen.wait_for_line("stood still");
        scene.progress(500);
        watch.stop(&[&frozen, &other]);
        scene.finish();
        frozen.assert_at_rest();
        other.assert_at_rest();
    });
}

/// Whoever has it next begins behind all that was written: a worker that joins under load makes
/// nothing be read twice.
#[test]
fn a_partition_is_handed_over_with_all_that_was_taken() {
    let scene = Scene::new(Kafka::shared(), "handover", 12);
    let first = scene.worker(&[]);
    scene.progress(500);
    let second = scene.worker(&[]);
    eventually("two share the partitions", || {
        second.metric("traitsink_kafka_partitions_assigned", "") == 6.0
    });
    scene.progress(500);
    let produced = scene.finish();
    let received = [&first, &second]
        .map(|app| app.metric("traitsink_events_received_total", "kafka") as usize);
    assert_eq!(received[0] + received[1], produced.received(), "{received:?}");
}

/// Workers join, leave and are killed: one, three, and one again; in the long run every few seconds
/// for ten minutes.
#[test]
fn d1_workers_come_and_go() {
    play("D1", "workers join, leave and are killed", 2..=20, |round| {
        let scene = Scene::new(Kafka::shared(), "d1", 12);
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
        let watch = Watch::start(&scene.redis);
        let first = scene.worker(&[]);
        scene.progress(500);
        let mut second = scene.worker(&[]);
        let_pass(Duration::from_millis(round.rng.u64(gap.clone())));
        let mut third = scene.worker(&[]);
        eventually("three share the partitions", || shared(&[&first, &second, &third]));
        scene.progress(500);
        let_pass(Duration::from_millis(round.rng.u64(gap.clone())));
        second.signal(Signal::SIGTERM);
        assert!(second.wait(Duration::from_secs(20)).success(), "{}", second.log().join("\n"));
        scene.check_committed();
        eventually("two share the partitions", || shared(&[&first, &third]));
        // What a killed worker had sent may arrive again: numbers may fall for a moment.
        watch.stop(&[&first, &second, &third]);
        let_pass(Duration::from_millis(round.rng.u64(gap)));
        third.signal(Signal::SIGKILL);
        third.wait(Duration::from_secs(5));
        scene.check_committed();
        eventually("one has them all", || shared(&[&first]));
        scene.finish();
        first.assert_at_rest();
    });
}

#[test]
fn d2_brokers_killed_frozen_and_restarted() {
    let mut kafka = Kafka::cluster(3);
    play("D2", "Kafka brokers are killed, frozen and started again", 2..=20, |round| {
        let node = round.rng.usize(0..3);
        let scene = Scene::new(&kafka, "d2", 4);
        let app = scene.worker(&[]);
        scene.progress(500);
        let Scene { redis, topic, group, stream, .. } = scene;
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
        let scene = Scene { kafka: &kafka, redis, topic, group, stream };
        round.recovers(|| scene.progress(1));
        scene.check_committed();
        scene.finish();
        app.wait_ready();
        assert_eq!(recreations(&app), 0.0, "other leaders are no other topic");
        app.assert_at_rest();
    });
}

/// Redis is away for longer than `max.poll.interval.ms`: the member keeps polling, and its
/// partitions.
#[test]
fn d3_a_slow_redis_costs_no_partition() {
    play("D3", "Redis is frozen for longer than max.poll.interval.ms", 2..=5, |round| {
        let scene = Scene::new(Kafka::shared(), "d3", 4);
        let settings =
            ["kafka.librdkafka.max.poll.interval.ms=10000", "delivery.max_in_flight=2MiB"];
        let small = [
            "transform.max_event=512KiB",
            "http.max_body=512KiB",
            "delivery.max_batch_bytes=256KiB",
        ];
        let app = scene.worker(&[&settings[..], &small].concat());
        scene.progress(500);
        let rebalances = app.metric("traitsink_kafka_rebalances_total", "");
        scene.redis.pause();
        eventually("partitions are paused", || {
            app.metric("traitsink_kafka_partitions_paused", "") == 4.0
        });
        assert!(app.metric("traitsink_in_flight_bytes", "") <= 2_097_152.0);
        let_pass(Duration::from_millis(11_000 + round.rng.u64(0..2000)));
        scene.redis.resume();
        round.recovers(|| scene.progress(500));
        eventually("partitions flow again", || {
            app.metric("traitsink_kafka_partitions_paused", "") == 0.0
        });
        assert_eq!(app.metric("traitsink_kafka_rebalances_total", ""), rebalances);
        scene.finish();
        app.assert_at_rest();
    });
}

/// Stops one thread of a process, by its name, for a while; the others go on.
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
    waitpid(id, Some(WaitPidFlag::__WALL)).expect("it stops");
    let_pass(time);
    ptrace::detach(id, None).expect("a stopped thread");
}

/// The member stops polling, although the process lives: the group gives its partitions away, and
/// the worker ends.
#[test]
fn d3_a_member_that_does_not_poll_ends() {
    play("D3", "a group member does not poll", 2..=5, |round| {
        let scene = Scene::new(Kafka::shared(), "d3", 4);
        let mut app = scene.worker(&["kafka.librdkafka.max.poll.interval.ms=6000"]);
        scene.progress(500);
        freeze_thread(app.pid(), "kafka", Duration::from_secs(8));
        assert_eq!(app.wait(Duration::from_secs(30)).code(), Some(70), "{}", app.log().join("\n"));
        assert!(
            app.log().iter().any(|line| line.contains("max.poll.interval.ms")),
            "{}",
            app.log().join("\n")
        );
        scene.check_committed();
        let _app = scene.worker(&[]);
        round.recovers(|| scene.progress(1));
        scene.finish();
    });
}

/// Writes complete in any order, connections break, and then the worker is killed.
#[test]
fn d4_worker_killed_while_connections_break() {
    play("D4", "the worker is killed while connections to Redis break", 2..=50, |round| {
        let scene = Scene::new(Kafka::shared(), "d4", 4);
        let identity = ["kafka.group_instance_id=d4", "delivery.max_batch=16", "delivery.lanes=8"];
        let mut app = scene.worker(&identity);
        scene.progress(300);
        for _ in 0..round.rng.u32(5..40) {
            scene.redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
            let_pass(round.up_to(60));
        }
        app.signal(Signal::SIGKILL);
        app.wait(Duration::from_secs(5));
        scene.check_committed();
        let app = scene.worker(&identity);
        round.recovers(|| scene.progress(1));
        scene.finish();
        app.assert_at_rest();
    });
}
