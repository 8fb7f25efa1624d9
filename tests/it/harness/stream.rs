//! Load on Kafka, with an oracle: each user belongs to one partition, each event carries a number,
//! and the offset of each record is recorded.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::message::Message as _;
use rdkafka::producer::{
    BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer,
};

use super::app::App;
use super::kafka::Kafka;
use super::redis::Redis;

/// Number of fields that take turns in the events, besides `seq`.
const FIELDS: u64 = 8;

type Hash = BTreeMap<Vec<u8>, Vec<u8>>;

/// One identify event: its user, and its number among that user's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Event {
    user: usize,
    number: u64,
}

impl Event {
    fn text(self) -> String {
        let Self { user, number } = self;
        format!(
            concat!(
                r#"{{"type":"identify","userId":"k{user}","#,
                r#""traits":{{"seq":{number},"f{}":{number}}}}}"#
            ),
            number % FIELDS,
            user = user,
            number = number
        )
    }

    fn fields(self) -> [Vec<u8>; 2] {
        [b"seq".to_vec(), format!("f{}", self.number % FIELDS).into_bytes()]
    }
}

/// The records that the brokers have confirmed, by partition and offset.
#[derive(Debug, Clone, Default)]
pub(crate) struct Produced(Vec<BTreeMap<i64, Vec<Event>>>);

impl Produced {
    /// The hash that each user must have in the end.
    fn hashes(&self) -> BTreeMap<usize, Hash> {
        let mut hashes: BTreeMap<usize, Hash> = BTreeMap::new();
        for event in self.0.iter().flat_map(|records| records.values().flatten()) {
            let hash = hashes.entry(event.user).or_default();
            hash.extend(event.fields().map(|field| (field, event.number.to_string().into_bytes())));
        }
        hashes
    }

    /// The number of users that have a hash in the end.
    pub(crate) fn users(&self) -> usize {
        self.hashes().len()
    }

    /// The number of messages that a worker receives if it reads each record once. A record without
    /// events for Redis counts as one.
    pub(crate) fn received(&self) -> usize {
        self.0.iter().flat_map(BTreeMap::values).map(|events| events.len().max(1)).sum()
    }

    /// Users whose hash differs from the fold of their events.
    pub(crate) fn differences(&self, redis: &Redis) -> Vec<String> {
        let hashes = self.hashes();
        let differs = hashes.iter().filter_map(|(user, expected)| {
            let found = redis.hgetall(&format!("user:k{user}"));
            (found != *expected)
                .then(|| format!("k{user}: expected {}, found {}", show(expected), show(&found)))
        });
        differs.collect()
    }

    /// Number of events at or above `committed` (by partition) that are in Redis already: a
    /// restarted worker writes them again.
    pub(crate) fn written_beyond(&self, committed: &[Option<i64>], redis: &Redis) -> usize {
        let beyond = |(records, offset): (&BTreeMap<i64, Vec<Event>>, &Option<i64>)| {
            records
                .range(offset.unwrap_or(0)..)
                .flat_map(|(_, events)| events.clone())
                .collect::<Vec<_>>()
        };
        let stored = |event: &Event| {
            let hash = redis.hgetall(&format!("user:k{}", event.user));
            let number = hash
                .get(&b"seq"[..])
                .and_then(|value| str::from_utf8(value).ok()?.parse::<u64>().ok());
            number.is_some_and(|number| number >= event.number)
        };
        self.0.iter().zip(committed).flat_map(beyond).filter(stored).count()
    }

    /// Checks invariant I2: events below `committed` (by partition) for which Redis holds neither
    /// them nor newer ones.
    pub(crate) fn lost_below(&self, committed: &[Option<i64>], redis: &Redis) -> Vec<String> {
        let mut lost = Vec::new();
        let mut hashes: BTreeMap<usize, Hash> = BTreeMap::new();
        for (partition, (records, offset)) in self.0.iter().zip(committed).enumerate() {
            let below = records
                .range(..offset.unwrap_or(0))
                .flat_map(|(offset, events)| events.iter().map(move |event| (offset, event)));
            for (at, event) in below {
                let hash = hashes
                    .entry(event.user)
                    .or_insert_with(|| redis.hgetall(&format!("user:k{}", event.user)));
                for field in event.fields() {
                    let found = hash
                        .get(&field)
                        .and_then(|value| str::from_utf8(value).ok()?.parse::<u64>().ok());
                    if found.is_none_or(|found| found < event.number) {
                        let field = String::from_utf8_lossy(&field).into_owned();
                        lost.push(format!(
                            "{partition}:{at} {event:?} {field}: Redis holds {found:?}"
                        ));
                    }
                }
            }
        }
        lost
    }
}

/// Checks invariant I4 with MONITOR: every write of the stream's events has a higher number than
/// those before it.
pub(crate) struct WriteMonitor {
    port: u16,
    thread: JoinHandle<Vec<String>>,
}

/// The key that the last command reads.
const LAST: &str = "watch:last";

impl WriteMonitor {
    /// Starts to receive the writes. Redis itself reports each one, so none is missed.
    pub(crate) fn start(redis: &Redis) -> Self {
        let port = redis.port();
        let mut monitor = TcpStream::connect(("127.0.0.1", port)).expect("Redis accepts");
        monitor.write_all(b"MONITOR\r\n").expect("Redis reads");
        let mut lines = BufReader::new(monitor).lines().map(|line| line.expect("Redis reports"));
        assert_eq!(lines.next().as_deref(), Some("+OK"));
        let thread = std::thread::spawn(move || {
            let (mut seen, mut fell) = (BTreeMap::<String, (u64, String)>::new(), Vec::new());
            for line in lines.take_while(|line| !line.contains(LAST)) {
                let Some((user, number)) = written(&line) else { continue };
                if let Some((last, by)) = seen.get(&user).filter(|(last, _)| *last > number) {
                    fell.push(format!("{user} fell from {last} to {number}:\n  {by}\n  {line}"));
                }
                seen.insert(user, (number, line));
            }
            fell
        });
        Self { port, thread }
    }

    /// Ends after the writes so far. The logs of the workers `logs` are printed if a number fell.
    pub(crate) fn stop(self, logs: &[&App]) {
        let client =
            redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).expect("a valid URL");
        let mut connection = client.get_connection().expect("Redis accepts");
        redis::cmd("EXISTS").arg(LAST).exec(&mut connection).expect("Redis answers");
        let fell = self.thread.join().expect("the monitor does not panic");
        let logs = || logs.iter().map(|app| app.log().join("\n")).collect::<Vec<_>>().join("\n\n");
        assert!(fell.is_empty(), "{}\n\n{}", fell.join("\n"), logs());
    }
}

/// The user and the number in a write as MONITOR reports it: `.. "HSET" "user:k7" "seq" "12" "f4"
/// "12"`.
fn written(line: &str) -> Option<(String, u64)> {
    let (_, write) = line.split_once("\"HSET\" \"user:")?;
    let (user, fields) = write.split_once('"')?;
    let (_, number) = fields.split_once("\"seq\" \"")?;
    Some((user.to_owned(), number.split('"').next()?.parse().ok()?))
}

fn show(hash: &Hash) -> String {
    let pairs = hash.iter().map(|(field, value)| {
        format!("{}={}", String::from_utf8_lossy(field), String::from_utf8_lossy(value))
    });
    pairs.collect::<Vec<_>>().join(" ")
}

/// Receives the delivery reports.
#[derive(Clone)]
struct DeliveryReports(Arc<Mutex<Produced>>);

impl DeliveryReports {
    fn lock(&self) -> MutexGuard<'_, Produced> {
        self.0.lock().unwrap()
    }
}

impl ClientContext for DeliveryReports {}

impl ProducerContext for DeliveryReports {
    type DeliveryOpaque = Box<Vec<Event>>;

    fn delivery(&self, result: &DeliveryResult<'_>, events: Self::DeliveryOpaque) {
        let message =
            result.as_ref().unwrap_or_else(|(error, _)| panic!("a record was not taken: {error}"));
        let partition = usize::try_from(message.partition()).expect("from 0");
        self.lock().0[partition].insert(message.offset(), *events);
    }
}

/// A running producer.
pub(crate) struct Stream {
    ledger: DeliveryReports,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Stream {
    /// Produces about `per_second` records for `users` users to `topic`, which has `partitions`,
    /// until [`Stream::stop`].
    pub(crate) fn start(
        kafka: &Kafka,
        topic: &str,
        partitions: usize,
        users: usize,
        per_second: u64,
    ) -> Self {
        let (ledger, stop) = (
            DeliveryReports(Arc::new(Mutex::new(Produced(vec![BTreeMap::new(); partitions])))),
            Arc::new(AtomicBool::new(false)),
        );
        let mut writer = RecordWriter::new(kafka, topic, partitions, users, ledger.clone());
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                (0..per_second.div_ceil(100)).for_each(|_| writer.record());
                super::let_pass(Duration::from_millis(10));
            }
            writer.finish();
        });
        Self { ledger, stop, thread }
    }

    /// The records confirmed so far.
    pub(crate) fn known(&self) -> Produced {
        self.ledger.lock().clone()
    }

    /// Ends the producer after all its records are confirmed.
    pub(crate) fn stop(self) -> Produced {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the producer does not panic");
        std::mem::take(&mut self.ledger.lock())
    }
}

/// Fills `topic` with `records` records of the same kinds as [`Stream`].
pub(crate) fn fill(
    kafka: &Kafka,
    topic: &str,
    partitions: usize,
    users: usize,
    records: usize,
) -> Produced {
    let ledger = DeliveryReports(Arc::new(Mutex::new(Produced(vec![BTreeMap::new(); partitions]))));
    let mut writer = RecordWriter::new(kafka, topic, partitions, users, ledger.clone());
    (0..records).for_each(|_| writer.record());
    writer.finish();
    std::mem::take(&mut ledger.lock())
}

struct RecordWriter {
    producer: ThreadedProducer<DeliveryReports>,
    topic: String,
    partitions: usize,
    /// The last number of each user.
    numbers: Vec<u64>,
    turn: usize,
}

impl RecordWriter {
    fn new(
        kafka: &Kafka,
        topic: &str,
        partitions: usize,
        users: usize,
        ledger: DeliveryReports,
    ) -> Self {
        let mut settings = kafka.client();
        settings
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .set("message.timeout.ms", "120000");
        let producer = settings.create_with_context(ledger).expect("a producer");
        Self { producer, topic: topic.to_owned(), partitions, numbers: vec![0; users], turn: 0 }
    }

    /// The next event of `user`.
    fn event(&mut self, user: usize) -> Event {
        self.numbers[user] += 1;
        Event { user, number: self.numbers[user] }
    }

    /// Writes one record: a bare event, a wrapped one, a batch, or an event that is not for Redis.
    fn record(&mut self) {
        self.turn += 1;
        let user = (self.turn * 7) % self.numbers.len();
        // Another user of the same partition.
        let other = (user + self.partitions) % self.numbers.len();
        let (events, value) = match self.turn % 10 {
            0 => (
                vec![],
                Some(format!(
                    r#"{{"type":"track","userId":"k{user}","event":"e","properties":{{"seq":0}}}}"#
                )),
            ),
            1 => (vec![], None),
            2 => {
                let event = self.event(user);
                (vec![event], Some(format!(r#"{{"message":{}}}"#, event.text())))
            }
            3 if other % self.partitions == user % self.partitions => {
                let events = vec![self.event(user), self.event(other), self.event(user)];
                let texts: Vec<String> = events.iter().map(|event| event.text()).collect();
                (events, Some(format!(r#"{{"batch":[{}]}}"#, texts.join(","))))
            }
            _ => {
                let event = self.event(user);
                (vec![event], Some(event.text()))
            }
        };
        let (key, partition) =
            (format!("k{user}"), i32::try_from(user % self.partitions).expect("few"));
        let mut record = BaseRecord::with_opaque_to(&self.topic, Box::new(events))
            .key(&key)
            .partition(partition);
        if let Some(value) = &value {
            record = record.payload(value);
        }
        while let Err((_, back)) = self.producer.send(record) {
            super::pause();
            record = back;
        }
    }

    fn finish(self) {
        self.producer.flush(Duration::from_secs(120)).expect("all records are confirmed");
    }
}
