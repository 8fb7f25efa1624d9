//! Faults of the network between the worker and Redis, under load: connections that are cut at any
//! byte, silent, late, slow or corrupt, and host names that change. Acknowledged events are in
//! Redis after each round; nothing is dead-lettered.

use std::time::{Duration, Instant};

use crate::faults::{check, load_of, progress};
use crate::harness::app::App;
use crate::harness::hosts::Hosts;
use crate::harness::load::{Load, OnError};
use crate::harness::matrix::{Round, play};
use crate::harness::proxy::{Break, End, Pace, Proxy, Toward};
use crate::harness::redis::Redis;
use crate::harness::{eventually, let_pass};
use crate::worker_tls::waits_for;

/// More events than can be acknowledged before the writers know of it.
const PROGRESS: u64 = 50;
/// Connections break within this number of bytes.
const BREAK_WITHIN: usize = 4096;

/// A worker behind a proxy, used for many rounds.
struct NetworkFixture {
    redis: Redis,
    proxy: Proxy,
    app: App,
}

impl NetworkFixture {
    fn new(settings: &[&str]) -> Self {
        let redis = Redis::start();
        let proxy = Proxy::start(redis.port());
        let url = format!("redis://127.0.0.1:{}", proxy.port());
        let app = App::start(
            &url,
            &[&["http.wait=1s", "redis.response_timeout=500ms"], settings].concat(),
        );
        Self { redis, proxy, app }
    }

    fn load(&self) -> Load {
        let load = load_of(&self.app, OnError::Retry);
        progress(&load, PROGRESS);
        load
    }

    /// Ends the load, checks I1, I3 and I7, and empties Redis for the next round.
    fn finish(&self, load: Load) {
        progress(&load, PROGRESS);
        check(&self.redis, &load.stop());
        self.app.assert_at_rest();
        assert!(self.app.dead_letters().is_empty(), "dead-lettered because of the network");
        self.redis.cli(&["FLUSHALL"]);
    }

    /// Breaks new connections, and waits until all of them are broken and events are written again.
    fn break_connections(&self, round: &mut Round, load: &Load, breaks: Vec<Break>) {
        let wanted = self.proxy.broken() + breaks.len();
        self.proxy.break_next(breaks);
        self.proxy.reset();
        eventually("all planned breaks happened", || self.proxy.broken() == wanted);
        round.recovers(|| progress(load, PROGRESS));
    }

    fn reconnects(&self) -> f64 {
        self.app.metric("traitsink_redis_reconnects_total", "")
    }
}

/// There is one lane, so that every break stops all writing.
#[test]
fn e1_connections_cut_at_every_byte() {
    let fixture = NetworkFixture::new(&["delivery.lanes=1", "delivery.retry_min=10ms"]);
    play(
        "E1",
        "a connection to Redis is cut or reset at each byte, both ways",
        64..=4096,
        |round| {
            let after = if round.night {
                round.number as usize - 1
            } else {
                round.rng.usize(0..BREAK_WITHIN)
            };
            let (cut_first, load) = (round.rng.bool(), fixture.load());
            let breaks =
                [(Toward::Server, cut_first), (Toward::Client, !cut_first)].map(|(toward, cut)| {
                    Break { toward, after, end: if cut { End::Cut } else { End::Reset } }
                });
            fixture.break_connections(round, &load, breaks.into());
            fixture.finish(load);
        },
    );
}

#[test]
fn e2_half_open_connections() {
    const LANES: u64 = 4;
    let fixture = NetworkFixture::new(&["redis.response_timeout=200ms"]);
    play("E2", "connections to Redis are half-open, then new ones as well", 2..=10, |round| {
        let load = fixture.load();
        fixture.proxy.silence();
        round.recovers(|| progress(&load, PROGRESS));

        let (accepted, start) = (fixture.proxy.accepted(), Instant::now());
        fixture.proxy.silence_all();
        waits_for(&fixture.app, "no reply");
        let_pass(Duration::from_secs(if round.night { 60 } else { 6 }));
        let attempts = (fixture.proxy.accepted() - accepted) as u64;
        // A few attempts come quickly, then one a second.
        let most = LANES * (start.elapsed().as_secs() + 5);
        assert!(attempts <= most, "{attempts} connections in {:?}", start.elapsed());
        fixture.proxy.heal();
        round.recovers(|| progress(&load, PROGRESS));
        fixture.app.wait_ready();
        fixture.finish(load);
    });
}

/// Nothing else is written when the old bytes arrive: if Redis executes them, their effect stays.
#[test]
fn e3_late_bytes_of_lost_connections() {
    let fixture = NetworkFixture::new(&["delivery.retry_min=10ms", "redis.response_timeout=200ms"]);
    play(
        "E3",
        "bytes of a lost connection arrive after newer ones were written",
        4..=200,
        |round| {
            let load = fixture.load();
            fixture.proxy.hold();
            round.recovers(|| progress(&load, PROGRESS));
            // Enough events to write most users once more.
            progress(&load, 500);
            let users = load.stop();
            fixture.app.assert_at_rest();
            assert!(fixture.proxy.holds());
            fixture.proxy.release();
            eventually("the held bytes are sent on", || !fixture.proxy.holds());
            // The answer to a new connection proves that Redis has read all earlier bytes.
            fixture.redis.cli(&["PING"]);
            check(&fixture.redis, &users);
            fixture.redis.cli(&["FLUSHALL"]);
        },
    );
}

/// A slow network breaks no connection, neither an old nor a new one.
fn e4_slow(words: &'static str, pace: &Pace) {
    let fixture = NetworkFixture::new(&["redis.response_timeout=10s"]);
    play("E4", words, 2..=20, |round| {
        let load = fixture.load();
        let reconnects = fixture.reconnects();
        fixture.proxy.set_pace(pace.clone());
        progress(&load, PROGRESS);
        assert_eq!(
            fixture.reconnects(),
            reconnects,
            "a connection was given up because it is slow"
        );
        fixture.proxy.reset();
        progress(&load, PROGRESS);
        fixture.proxy.set_pace(Pace::Free);
        round.recovers(|| progress(&load, PROGRESS));
        fixture.finish(load);
    });
}

#[test]
fn e4_delays() {
    let times = Duration::from_millis(100)..Duration::from_millis(300);
    e4_slow("Redis is 200 ms away, give or take 100 ms", &Pace::Delayed(times));
}

#[test]
fn e4_drips() {
    e4_slow("bytes to and from Redis drip, 1 KB a second", &Pace::Drip(1000));
}

/// Bytes that are no valid reply to HSET, at any position in a reply.
const GARBAGE: [&[u8]; 7] = [
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"\x15\x03\x03\x00\x02\x02\x28",
    b"$99999999999\r\n",
    b"*1000000000\r\n",
    b"+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n",
    b"-ERR garbage\r\n",
    b"\r\n\r\n\0\0\0\0",
];

#[test]
fn e4_truncated_and_garbled_replies() {
    let fixture = NetworkFixture::new(&["delivery.lanes=1", "delivery.retry_min=10ms"]);
    play("E4", "replies are truncated, or garbage takes their place", 2..=20, |round| {
        let load = fixture.load();
        let noise: Vec<u8> = (0..64).map(|_| round.rng.u8(128..)).collect();
        let mut ends = vec![(Toward::Client, End::Cut)];
        for garbage in GARBAGE.map(<[u8]>::to_vec).into_iter().chain([noise]) {
            // The garbage takes the place of a reply, or the command is dropped and the garbage
            // answers it.
            ends.extend(
                [Toward::Client, Toward::Server]
                    .map(|toward| (toward, End::Garbage(garbage.clone()))),
            );
        }
        for (toward, end) in ends {
            let (after, reconnects) = (round.rng.usize(0..BREAK_WITHIN), fixture.reconnects());
            fixture.break_connections(round, &load, vec![Break { toward, after, end }]);
            assert!(fixture.reconnects() > reconnects);
        }
        fixture.finish(load);
    });
}

#[test]
fn e5_names_that_lead_elsewhere() {
    const NAME: &str = "redis.test";
    play(
        "E5",
        "the name of Redis is unknown, moves, and has one address that is dead",
        2..=5,
        |round| {
            let (redis, hosts) = (Redis::start(), Hosts::new());
            let url = format!("redis.url=redis://{NAME}:{}", redis.port());
            let app = App::start_with_hosts(&hosts, &[&url, "http.wait=1s"]);
            let load = load_of(&app, OnError::Retry);
            let mut cured_by = |addresses: &[&str]| {
                let_pass(round.up_to(2000));
                hosts.set(NAME, addresses);
                round.recovers(|| progress(&load, PROGRESS));
            };
            waits_for(&app, "was not found");
            cured_by(&["127.0.0.1"]);

            assert_eq!(redis.cli(&["CONFIG", "SET", "bind", "127.0.0.2"]), redis::Value::Okay);
            redis.kill_clients();
            waits_for(&app, "connection refused");
            cured_by(&["127.0.0.2"]);

            // One of the two addresses has no listener.
            for addresses in [["127.0.0.3", "127.0.0.2"], ["127.0.0.2", "127.0.0.3"]] {
                hosts.set(NAME, &["127.0.0.3"]);
                redis.kill_clients();
                waits_for(&app, "connection refused");
                cured_by(&addresses);
            }
            app.wait_ready();
            check(&redis, &load.stop());
            app.assert_at_rest();
            assert!(app.dead_letters().is_empty());
        },
    );
}
