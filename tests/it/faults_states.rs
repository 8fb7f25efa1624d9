//! States in which a server answers and takes no writes, under load. Clients are told to retry,
//! nothing is lost or dead-lettered, and `/ready` names the reason until the state ends. Then
//! writing resumes without help.

use std::cell::RefCell;
use std::path::Path;
use std::time::{Duration, Instant};

use redis::Value;

use crate::faults::{check, load, progress};
use crate::harness::app::App;
use crate::harness::http::Client;
use crate::harness::load::OnError;
use crate::harness::matrix::play;
use crate::harness::redis::{Redis, free_port};
use crate::harness::{eventually, let_pass, run};
use crate::worker_tls::waits_for;

/// Time for which the workers must stay not ready; each lane asks several times.
const WATCHED: Duration = Duration::from_millis(1500);

pub(crate) const RETRY: &str = "delivery.retry_max=400ms";

/// A state of the server, and how the worker reports it.
pub(crate) struct ServerState {
    /// Row of the test plan (tests/FAULTS.md).
    pub(crate) fault: &'static str,
    pub(crate) name: &'static str,
    pub(crate) class: &'static str,
    pub(crate) code: &'static str,
    /// Words of the reason in `/ready`.
    pub(crate) words: &'static str,
}

impl ServerState {
    /// Plays rounds: `start` starts a server, `enter` brings it into the state under load, `leave`
    /// ends the state. `login` is the part of the URL before the host.
    pub(crate) fn play(
        &self,
        login: &str,
        start: impl Fn() -> Redis,
        enter: impl Fn(&mut Redis),
        leave: impl Fn(&mut Redis),
    ) {
        play(self.fault, self.name, 2..=5, |round| {
            let mut redis = start();
            let port = free_port();
            let listen = format!("http.listen=127.0.0.1:{port}");
            let url = format!("redis://{login}127.0.0.1:{}", redis.port());
            let app = App::start(&url, &[&listen, "http.wait=200ms", RETRY]);
            let load = load(port, OnError::Retry);
            progress(&load, 200);

            enter(&mut redis);
            let refused = load.refused();
            eventually("a request is refused", || load.refused() > refused);
            waits_for(&app, self.words);
            // A worker that starts now and has nothing to write must notice the state, too.
            let idle = App::start(&url, &[RETRY]);
            waits_for(&idle, self.words);
            let acked = load.acked();
            self.assert_lasts(&[&app, &idle]);
            assert_eq!(load.acked(), acked, "{}: events were acknowledged", self.fault);
            let labels = format!("class=\"{}\",code=\"{}\"", self.class, self.code);
            assert!(app.metric("traitsink_redis_errors_total", &labels) >= 1.0, "{labels}");

            let_pass(round.up_to(1500));
            leave(&mut redis);
            round.recovers(|| progress(&load, 1));
            progress(&load, 50);
            app.wait_ready();
            idle.wait_ready();
            check(&redis, &load.stop());
            app.assert_at_rest();
            assert!(
                app.dead_letters().is_empty(),
                "{}: dead-lettered because of the server's state",
                self.fault
            );
        });
    }

    /// Checks for a while that the workers stay not ready for this reason.
    pub(crate) fn assert_lasts(&self, apps: &[&App]) {
        let start = Instant::now();
        while start.elapsed() < WATCHED {
            for app in apps {
                let answer = Client::new(app.admin).get("/ready").expect("an answer");
                let text = answer.text();
                assert!(
                    answer.status == 503 && text.contains(self.words),
                    "{}: {} {text}",
                    self.fault,
                    answer.status
                );
            }
        }
    }
}

/// Sets one option of redis.conf.
pub(crate) fn set(redis: &Redis, name: &str, value: &str) {
    assert_eq!(redis.cli(&["CONFIG", "SET", name, value]), Value::Okay, "{name} {value}");
}

pub(crate) fn expect_ok(redis: &Redis, words: &[&str]) {
    assert_eq!(redis.cli(words), Value::Okay, "{words:?}");
}

/// Waits for a line of INFO.
pub(crate) fn wait_for_info(redis: &Redis, line: &str) {
    eventually(line, || {
        let info: String = redis::from_redis_value(redis.cli(&["INFO"])).expect("text");
        info.lines().any(|found| found == line)
    });
}

#[test]
fn b4_memory_is_full() {
    let state = ServerState {
        fault: "B4",
        name: "memory is full (OOM)",
        class: "retry",
        code: "OOM",
        words: "raise maxmemory",
    };
    state.play(
        "",
        Redis::start,
        |redis| set(redis, "maxmemory", "1"),
        |redis| set(redis, "maxmemory", "0"),
    );
}

#[test]
fn b5_a_snapshot_cannot_be_saved() {
    let state = ServerState {
        fault: "B5",
        name: "a snapshot cannot be saved (MISCONF)",
        class: "retry",
        code: "MISCONF",
        words: "cannot save to disk",
    };
    // A directory of that name that is not empty cannot be replaced, not even by root.
    let in_the_way = |dir: &Path| dir.join("dump.rdb").join("in the way");
    state.play(
        "",
        || Redis::builder().option("save", "3600 1000000").start(),
        |redis| {
            std::fs::create_dir_all(in_the_way(redis.dir())).expect("making a directory");
            redis.cli(&["BGSAVE"]);
            wait_for_info(redis, "rdb_last_bgsave_status:err");
        },
        |redis| {
            std::fs::remove_dir_all(redis.dir().join("dump.rdb")).expect("removing a directory");
            redis.cli(&["BGSAVE"]);
            wait_for_info(redis, "rdb_last_bgsave_status:ok");
        },
    );
}

#[test]
fn b5_the_append_only_file_cannot_grow() {
    let state = ServerState {
        fault: "B5",
        name: "the append-only file cannot grow (MISCONF)",
        class: "retry",
        code: "MISCONF",
        words: "cannot save to disk",
    };
    let limit = |redis: &Redis, bytes: &str| {
        run(
            "prlimit",
            &["--pid", &redis.pid().to_string(), &format!("--fsize={bytes}:")],
            redis.dir(),
        );
    };
    state.play(
        "",
        || Redis::builder().option("appendonly", "yes").start(),
        |redis| limit(redis, "1"),
        |redis| limit(redis, "unlimited"),
    );
}

#[test]
fn b7_a_script_keeps_the_server_busy() {
    let state = ServerState {
        fault: "B7",
        name: "a script keeps Redis busy (BUSY)",
        class: "retry",
        code: "BUSY",
        words: "SCRIPT KILL",
    };
    state.play(
        "",
        || Redis::builder().option("busy-reply-threshold", "100").start(),
        |redis| {
            let url = format!("redis+unix://{}", redis.socket().display());
            let client = redis::Client::open(url).expect("a valid URL");
            let mut connection = client.get_connection().expect("Redis accepts");
            // This thread ends with the script, which ends by `leave` or with the server.
            std::thread::spawn(move || {
                let _ = redis::cmd("EVAL").arg("while true do end").arg(0).exec(&mut connection);
            });
            eventually("the server is busy", || {
                let answer = redis.cli(&["PING"]);
                matches!(answer, Value::ServerError(error) if error.code() == "BUSY")
            });
        },
        |redis| expect_ok(redis, &["SCRIPT", "KILL"]),
    );
}

#[test]
fn b7_the_server_is_loading() {
    let state = ServerState {
        fault: "B7",
        name: "Redis is loading (LOADING)",
        class: "retry",
        code: "LOADING",
        words: "still loading",
    };
    state.play(
        "",
        || {
            let answering_often = ("loading-process-events-interval-bytes", "1024");
            Redis::builder()
                .option("save", "3600 1000000")
                .option(answering_often.0, answering_often.1)
                .start()
        },
        |redis| redis.restart_loading(Duration::from_millis(60)),
        |redis| {
            set(redis, "key-load-delay", "0");
            wait_for_info(redis, "loading:0");
        },
    );
}

#[test]
fn b7_no_room_for_more_clients() {
    let state = ServerState {
        fault: "B7",
        name: "no room for more clients (maxclients)",
        class: "reconnect",
        code: "ERR",
        words: "raise maxclients",
    };
    // Occupies the only connection that the server allows.
    let held = RefCell::new(None);
    let held_set = |value: &str| {
        let mut held = held.borrow_mut();
        let connection: &mut redis::Connection = held.as_mut().expect("held");
        redis::cmd("CONFIG")
            .arg("SET")
            .arg("maxclients")
            .arg(value)
            .exec(connection)
            .expect("CONFIG SET");
    };
    state.play(
        "",
        Redis::start,
        |redis| {
            let client = redis::Client::open(format!("redis+unix://{}", redis.socket().display()))
                .expect("a valid URL");
            *held.borrow_mut() = Some(client.get_connection().expect("Redis accepts"));
            held_set("1");
            let mut held = held.borrow_mut();
            redis::cmd("CLIENT")
                .arg(&["KILL", "TYPE", "normal"])
                .exec(held.as_mut().expect("held"))
                .expect("CLIENT KILL");
        },
        |_| held_set("100"),
    );
}

#[test]
fn b7_a_password_is_wanted_all_at_once() {
    let state = ServerState {
        fault: "B7",
        name: "a password is wanted all at once (NOAUTH)",
        class: "config",
        code: "NOAUTH",
        words: "set redis.password",
    };
    state.play(
        "",
        Redis::start,
        |redis| {
            redis.set_password("wanted");
            redis.kill_clients();
        },
        |redis| redis.set_password(""),
    );
}

#[test]
fn b7_the_password_is_another_one() {
    let state = ServerState {
        fault: "B7",
        name: "the password is another one (WRONGPASS)",
        class: "config",
        code: "WRONGPASS",
        words: "check redis.username and redis.password",
    };
    state.play(
        ":first@",
        || Redis::builder().password("first").start(),
        |redis| {
            redis.set_password("second");
            redis.kill_clients();
        },
        |redis| redis.set_password("first"),
    );
}

const USER: &str = "worker on >secret ~user:* +@all";

pub(crate) fn set_user(redis: &Redis, rules: &str) {
    let words: Vec<&str> = ["ACL", "SETUSER"].into_iter().chain(rules.split(' ')).collect();
    expect_ok(redis, &words);
}

#[test]
fn b7_the_user_is_dropped() {
    let state = ServerState {
        fault: "B7",
        name: "the ACL user is dropped (WRONGPASS)",
        class: "config",
        code: "WRONGPASS",
        words: "the user name or the password",
    };
    state.play(
        "worker:secret@",
        || Redis::builder().option("user", USER).start(),
        |redis| assert_eq!(redis.cli(&["ACL", "DELUSER", "worker"]), Value::Int(1)),
        |redis| set_user(redis, USER),
    );
}

#[test]
fn b7_the_user_may_not_write() {
    let state = ServerState {
        fault: "B7",
        name: "the ACL user may not write (NOPERM)",
        class: "config",
        code: "NOPERM",
        words: "lacks a permission",
    };
    state.play(
        "worker:secret@",
        || Redis::builder().option("user", USER).start(),
        |redis| set_user(redis, "worker -hset"),
        |redis| set_user(redis, "worker +hset"),
    );
}
