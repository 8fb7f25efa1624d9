//! The worker of a soak, its servers and its load.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::figures::Figures;
use crate::faults::{durable_redis, progress};
use crate::harness::app::App;
use crate::harness::eventually;
use crate::harness::kafka::{Kafka, unique};
use crate::harness::load::{Load, OnError};
use crate::harness::proxy::Proxy;
use crate::harness::redis::Redis;
use crate::harness::stream::Stream;
use crate::kafka_source::wait_committed;

/// HTTP clients, the users of each, and how long a client pauses after a request: some 1500 events
/// a second, since a request holds 2.3 events.
const WRITERS: usize = 4;
const USERS_OF_WRITER: usize = 50;
const PAUSE: Duration = Duration::from_millis(5);
/// Records a second, and their users.
const RECORDS: u64 = 500;
const USERS_OF_STREAM: usize = 500;
const PARTITIONS: i32 = 4;
/// The user whose key is a string: each event of this user becomes a dead letter.
const REFUSED: &str = "refused";

/// A worker with two sources, and all that a fault can touch.
pub(super) struct Site {
    pub(super) redis: Redis,
    /// Between the workers and Redis.
    pub(super) proxy: Proxy,
    pub(super) kafka: Kafka,
    pub(super) app: App,
    topic: String,
    group: String,
    load: Load,
    stream: Stream,
    /// Dead-letter files that were moved away.
    rotated: Vec<PathBuf>,
}

impl Site {
    pub(super) fn start() -> Self {
        let redis = durable_redis();
        redis.cli(&["SET", &format!("user:{REFUSED}"), "a string"]);
        let (proxy, kafka) = (Proxy::start(redis.port()), Kafka::start());
        // The disk holds the last minutes; everything older was committed long ago.
        let kept = [("segment.bytes", "16777216"), ("retention.bytes", "67108864")];
        let (topic, group) = (kafka.topic("soak", PARTITIONS, &kept), unique("group"));
        let app = start_worker(&proxy, &kafka, &topic, &group);
        let http = SocketAddr::from(([127, 0, 0, 1], app.http.port()));
        let load = Load::start_paced(http, WRITERS, USERS_OF_WRITER, OnError::Retry, PAUSE);
        let partitions = usize::try_from(PARTITIONS).expect("few");
        let stream = Stream::start(&kafka, &topic, partitions, USERS_OF_STREAM, RECORDS);
        let site =
            Self { redis, proxy, kafka, app, topic, group, load, stream, rotated: Vec::new() };
        site.recovers();
        site
    }

    /// One more worker of the same group.
    pub(super) fn another_worker(&self) -> App {
        let Self { proxy, kafka, topic, group, .. } = self;
        start_worker(proxy, kafka, topic, group)
    }

    fn committed(&self) -> i64 {
        self.kafka.committed(&self.group, &self.topic).into_iter().flatten().sum()
    }

    /// Waits until events of both sources are acknowledged and the worker is ready.
    pub(super) fn recovers(&self) {
        progress(&self.load, 10);
        let goal = self.committed() + 10;
        eventually("offsets are committed", || self.committed() >= goal);
        self.app.wait_ready();
    }

    /// Waits until HTTP clients are answered.
    pub(super) fn http_goes_on(&self) {
        progress(&self.load, 50);
    }

    /// Sends an event that Redis refuses; true if the worker keeps it as a dead letter.
    pub(super) fn dead_letter(&self) -> bool {
        let event = format!(r#"{{"type":"identify","userId":"{REFUSED}","traits":{{"a":1}}}}"#);
        self.app.client().post("/v1/identify", event).is_some_and(|answer| answer.status == 200)
    }

    /// Moves the dead-letter file away, as logrotate does before it signals.
    pub(super) fn move_letters(&mut self) {
        let moved = self.app.data_dir().join(format!("moved-{}", self.rotated.len()));
        std::fs::rename(self.app.dead_letter_file(), &moved).expect("there are dead letters");
        self.rotated.push(moved);
    }

    /// Ends the load, and compares everything with what was acknowledged.
    pub(super) fn finish(self, figures: &mut Figures) {
        let acked = self.load.acked();
        let (users, produced) = (self.load.stop(), self.stream.stop());
        wait_committed(&self.kafka, &self.group, &self.topic);
        figures.events = acked + produced.received() as u64;
        let hash = |name: &String| self.redis.hgetall(&format!("user:{name}"));
        let differences = produced.differences(&self.redis);
        figures.lost = users.iter().map(|(name, user)| user.lost(&hash(name))).sum::<usize>()
            + differences.len();
        assert_eq!(differences, Vec::<String>::new());
        self.redis.cli(&["DEL", &format!("user:{REFUSED}")]);
        crate::harness::load::check_users(&users, |key| self.redis.hgetall(key));
        let keys: usize = redis::from_redis_value(self.redis.cli(&["DBSIZE"])).expect("a number");
        assert_eq!(keys, users.len() + produced.users(), "keys that nobody sent");

        self.app.assert_at_rest();
        let lines = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.lines().count()
        };
        let letters: usize =
            self.rotated.iter().chain([&self.app.dead_letter_file()]).map(lines).sum();
        let counted = self.app.metric("traitsink_events_dead_lettered_total", "");
        assert_eq!(letters as f64, counted, "dead letters");
    }
}

fn start_worker(proxy: &Proxy, kafka: &Kafka, topic: &str, group: &str) -> App {
    let settings = [
        format!("redis.url=redis://127.0.0.1:{}", proxy.port()),
        format!("kafka.bootstrap_servers={}", kafka.servers()),
        format!("kafka.topics={topic}"),
        format!("kafka.group_id={group}"),
        "kafka.session_timeout=6s".to_owned(),
        "kafka.commit_interval=200ms".to_owned(),
    ];
    App::start_with(&settings.each_ref().map(String::as_str))
}
