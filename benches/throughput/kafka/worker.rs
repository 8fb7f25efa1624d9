//! `traitsink run` reads a topic.

use std::process::Command;
use std::time::Duration;

use crate::harness::app::App;
use crate::harness::kafka::unique;
use crate::harness::let_pass;
use crate::process::{cpu_time, per_million, threads};

use super::servers::{Consumed, Servers};
use super::topic::Topic;

/// The name of the thread that polls Kafka.
const POLLING: &str = "kafka";

/// The cores that the worker may use.
pub(super) enum Bound {
    AllCores,
    /// As many, the first ones.
    Cores(usize),
}

pub(super) struct Run {
    pub(super) consumed: Consumed,
    /// The largest resident memory.
    pub(super) memory_mib: f64,
    /// Share of the polling thread in the worker's processor time.
    pub(super) polling: f64,
}

/// Reads the topic from its start as a new group, until every event is settled.
pub(super) fn consume(servers: &Servers, topic: &Topic, bound: &Bound) -> Run {
    let Servers { kafka, redis, events } = servers;
    redis.clear();
    let url = format!("redis.url={}", redis.url());
    let brokers = format!("kafka.bootstrap_servers={}", kafka.servers());
    let (topics, group) =
        (format!("kafka.topics={}", topic.name), format!("kafka.group_id={}", unique("bench")));
    let (app, start) = std::thread::scope(|scope| {
        let first = scope.spawn(|| redis.first_write());
        let app = App::start_command(command(bound), &[&url, &brokers, &topics, &group]);
        (app, first.join().expect("the worker writes"))
    });
    let mut settled = 0.0;
    while settled < *events as f64 {
        assert!(
            start.elapsed() < Duration::from_secs(300),
            "not all is settled:\n{}",
            app.metrics()
        );
        // The end must be seen in time, but scrapes cost the worker something.
        let is_near = settled > *events as f64 * 0.9;
        let_pass(Duration::from_millis(if is_near { 4 } else { 50 }));
        settled = app.metric("traitsink_events_written_total", "kafka")
            + app.metric("traitsink_events_skipped_total", "kafka");
    }
    let rate = *events as f64 / start.elapsed().as_secs_f64();
    let (cpu, threads) = (cpu_time(app.pid()), threads(app.pid()));
    redis.check(&topic.events);
    let polling = threads.get(POLLING).copied().unwrap_or_default();
    Run {
        consumed: Consumed { rate, cpu: per_million(cpu, *events) },
        memory_mib: app.memory_kib("VmHWM:") as f64 / 1024.0,
        polling: polling.as_secs_f64() / cpu.as_secs_f64(),
    }
}

fn command(bound: &Bound) -> Command {
    let binary = env!("CARGO_BIN_EXE_traitsink");
    match bound {
        Bound::AllCores => Command::new(binary),
        Bound::Cores(cores) => {
            let mut command = Command::new("taskset");
            command.args(["-c", &format!("0-{}", cores - 1), binary]);
            command
        }
    }
}
