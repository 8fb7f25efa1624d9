//! The embedded store does without Lua what the scripts do on a real server.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use fastrand::Rng;
use redis::{Value, from_redis_value};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use traitsink::local_servers::Embedded;
use traitsink::redis::{KeyDeletion, PackedCommands, ReplaceWrite};

use super::model::{Deletion, Event, Model};
use super::server::{ScriptClient, Server, load, send, word};
use super::{FIELD, HOUR, NOW, OPERATIONS, Operation, Operations, PROFILE, REPLACE, profiles};
use crate::harness::matrix::variable;
use crate::harness::redis::ServerVersion;

/// One without TTLs of fields, and one with.
const REAL: [Option<ServerVersion>; 2] = [None, Some(ServerVersion::Redis74)];

/// The embedded store in a runtime of its own.
struct Store {
    client: ScriptClient,
    stop: CancellationToken,
    _runtime: Runtime,
}

impl Store {
    fn start(has_field_ttl: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let any_port: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let embedded = runtime.block_on(Embedded::bind(any_port)).expect("a port");
        let (addr, stop) = (embedded.local_addr(), CancellationToken::new());
        runtime.spawn(embedded.serve(stop.clone()));
        let connection = redis::Client::open(format!("redis://{addr}"))
            .and_then(|client| client.get_connection())
            .expect("a connection");
        Self { client: ScriptClient::new(connection, has_field_ttl), stop, _runtime: runtime }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn seed() -> u64 {
    let seed = variable("TRAITSINK_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("TRAITSINK_SEED={seed}");
    seed
}

/// Sends an operation; the reply.
fn play(client: &mut ScriptClient, key: &str, operation: &Operation) -> Value {
    match operation {
        Operation::Apply(rule, event) => client.apply(*rule, key, event),
        Operation::Delete(rule, deletion) => client.delete(*rule, key, *deletion),
        Operation::Set(name, value) => client.run(&["HSET", key, name, value]),
        Operation::Remove(name) => client.run(&["HDEL", key, name]),
        Operation::Expire => client.run(&["DEL", key]),
    }
}

/// Keeps a model up to date, which tells what a real server may have forgotten.
fn follow(model: &mut Model, operation: &Operation) {
    match operation {
        Operation::Apply(rule, event) => _ = model.apply(*rule, event),
        Operation::Delete(rule, deletion) => _ = model.delete(*rule, *deletion),
        Operation::Set(name, value) => model.set_unguarded(name, value),
        Operation::Remove(name) => model.remove_unguarded(name),
        Operation::Expire => *model = Model::default(),
    }
}

#[test]
fn the_guard_decides_as_on_a_real_server() {
    let seed = seed();
    for version in REAL {
        let mut server = Server::start(version);
        let mut store = Store::start(server.has_field_ttl);
        let mut rng = Rng::with_seed(seed);
        for number in 0..3 * profiles() {
            let rules = [&[FIELD][..], &[PROFILE, REPLACE], &[FIELD, FIELD, PROFILE, REPLACE]];
            let rules = rules[number % 3];
            let mut operations = Operations::new(rng.fork(), rules, server.has_field_ttl);
            let key = format!("user:{number}");
            let (mut model, mut history) = (Model::default(), Vec::new());
            let mut last_deletion = None;
            for _ in 0..OPERATIONS {
                let mut operation = operations.next();
                match (&mut operation, last_deletion) {
                    // Events about the time of a deletion are what is hardest to get right.
                    (Operation::Apply(_, event), Some(time)) if rng.u8(..4) == 0 => {
                        event.time = time + rng.i64(0..2);
                    }
                    (Operation::Delete(_, deletion), _) => last_deletion = Some(deletion.time),
                    _ => {}
                }
                if matches!(&operation, Operation::Set(name, _) if !model.may_set_unguarded(name)) {
                    continue;
                }
                follow(&mut model, &operation);
                let clients = [&mut *server, &mut store.client];
                let [real, embedded] = clients.map(|client| {
                    let reply = play(client, &key, &operation);
                    let kind = client.run(&["TYPE", &key]);
                    let mut stored = client.stored(&key);
                    // The embedded store shows no field for the times.
                    stored.exists = kind == Value::SimpleString("hash".to_owned());
                    (reply, stored)
                });
                history.push(operation);
                assert_eq!(
                    embedded, real,
                    "embedded and real, {version:?}, profile {number}\n{history:#?}"
                );
            }
        }
    }
}

#[test]
fn profiles_of_any_size_are_guarded() {
    let mut store = Store::start(true);
    let event = |time, fields: usize, value: &str| Event {
        time: NOW + time,
        set: (0..fields).map(|field| (format!("field{field}"), value.to_owned())).collect(),
        removed: Vec::new(),
        expiry: None,
        expiring: BTreeSet::new(),
        tombstone_ttl: HOUR,
    };
    for rule in [FIELD, PROFILE, REPLACE] {
        let key = format!("user:{rule:?}");
        for (time, meant) in [(10, 1), (30, 1), (20, 0)] {
            let event = event(time, 20_000, "1");
            assert_eq!(store.client.apply(rule, &key, &event), Value::Int(meant), "{time}");
        }
        let deletion = Deletion { time: NOW + 40, everything: false, tombstone_ttl: HOUR };
        assert_eq!(store.client.delete(rule, &key, deletion), Value::Int(2));
        assert_eq!(store.client.stored(&key).ttl, Some(1));
    }

    // Of ever new fields that are set and removed the oldest are forgotten, and refused.
    for number in 0..2_000 {
        let name = format!("item.{number}");
        let set = Event { set: vec![(name.clone(), "1".to_owned())], ..event(2 * number, 0, "") };
        let removed = Event { removed: vec![name], ..event(2 * number + 1, 1, "1") };
        assert_eq!(store.client.apply(FIELD, "user:1", &set), Value::Int(1));
        assert_eq!(store.client.apply(FIELD, "user:1", &removed), Value::Int(1));
    }
    let late = |time, name: &str| Event {
        set: vec![(name.to_owned(), "2".to_owned())],
        ..event(time, 0, "")
    };
    for (event, meant) in [
        (late(2, "other"), 0),
        (late(3_997, "item.1999"), 0),
        (late(3_997, "other"), 1),
        (late(3_999, "item.1999"), 1),
    ] {
        assert_eq!(store.client.apply(FIELD, "user:1", &event), Value::Int(meant), "{event:?}");
    }
}

/// What is in a hash without a guard: its fields, the hours to its end, and those with a TTL.
type Plain = (BTreeMap<String, String>, i64, Vec<bool>);

const NAMES: [&str; 5] = ["a", "b", "c", "", "größe"];

fn plain(client: &mut ScriptClient, key: &str) -> Plain {
    let fields = from_redis_value(client.run(&["HGETALL", key])).expect("a hash");
    let ttl: i64 = from_redis_value(client.run(&["PTTL", key])).expect("a number");
    let ttl = if ttl < 0 { ttl } else { (ttl + HOUR / 2) / HOUR };
    let mut field_ttls = Vec::new();
    if client.has_field_ttl {
        let command = [&["HPTTL", key, "FIELDS", "5"][..], &NAMES].concat();
        let ttls: Vec<i64> = from_redis_value(client.run(&command)).expect("numbers");
        field_ttls.extend(ttls.iter().map(|ttl| *ttl >= 0));
    }
    (fields, ttl, field_ttls)
}

/// A random command for a hash, packed.
fn random_command(rng: &mut Rng, key: &str, has_field_ttl: bool) -> Vec<u8> {
    let name = NAMES[rng.usize(..NAMES.len())];
    let value = rng.u8(..).to_string();
    // No two ends are so close that it matters which server is asked first.
    let hours = rng.i64(-1..9) * HOUR + rng.i64(60_000..HOUR / 3);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let moment = (i64::try_from(now).expect("ms") + hours).to_string();
    let hours = hours.to_string();
    let condition = ["NX", "XX", "GT", "LT"][rng.usize(..4)];
    let mut out = PackedCommands::default();
    let words: &[&str] = match rng.u8(..if has_field_ttl { 14 } else { 12 }) {
        0 | 1 => &["HSET", key, name, &value],
        2 => &["HSET", key, name, &value, "a", &value],
        3 => &["HDEL", key, name, "c"],
        4 => &["PEXPIRE", key, &hours],
        5 => &["PEXPIRE", key, &hours, condition],
        6 => &["PEXPIREAT", key, &moment, condition],
        7 => &["PERSIST", key],
        8 => &["HMGET", key, name, "a"],
        9 => &["UNLINK", key],
        10 => {
            let payload: Vec<u8> = NAMES[..rng.usize(1..=3)]
                .iter()
                .flat_map(|it| [word(it), word(&value)].concat())
                .collect();
            let fields = payload.iter().filter(|&&byte| byte == b'$').count() / 2;
            let fields = u32::try_from(fields).expect("a few");
            ReplaceWrite { fields, expire: None }.pack(&word(key), Some(&payload), &mut out);
            return out.bytes().to_vec();
        }
        11 => {
            KeyDeletion { json: false }.pack(&word(key), &mut out);
            return out.bytes().to_vec();
        }
        12 => &["HPEXPIRE", key, "1000000", "FIELDS", "2", name, "x"],
        _ => &["HPEXPIRE", key, "0", "FIELDS", "1", name],
    };
    redis::Cmd::new().arg(words).get_packed_command()
}

#[test]
fn ends_removals_and_replacements_are_those_of_a_real_server() {
    let seed = seed();
    for version in REAL {
        let mut server = Server::start(version);
        let mut store = Store::start(server.has_field_ttl);
        for client in [&mut *server, &mut store.client] {
            load(&mut client.connection, ReplaceWrite::script());
            load(&mut client.connection, KeyDeletion::script());
        }
        let mut rng = Rng::with_seed(seed);
        for _ in 0..100 * profiles() {
            let key = ["user:1", "user:2"][rng.usize(..2)];
            let command = random_command(&mut rng, key, server.has_field_ttl);
            let clients = [&mut *server, &mut store.client];
            let [real, embedded] = clients.map(|client| {
                let reply = send(&mut client.connection, &command);
                let size = client.run(&["DBSIZE"]);
                (reply, plain(client, key), size)
            });
            let command = String::from_utf8_lossy(&command);
            assert_eq!(embedded, real, "embedded and real, {version:?}: {command:?}");
        }
    }
}

#[test]
fn a_script_that_is_not_known_is_an_error() {
    let mut store = Store::start(true);
    for (words, code) in [
        (&["SCRIPT", "LOAD", "return 1"][..], "ERR"),
        (&["SCRIPT", "FLUSH"], "ERR"),
        (&["EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "1", "a"], "NOSCRIPT"),
        (&["EVALSHA", ReplaceWrite::script().sha(), "1", "a", "odd"], "ERR"),
        (&["EVALSHA", ReplaceWrite::script().sha(), "2", "a", "b"], "ERR"),
        (&["PEXPIRE", "a", "x"], "ERR"),
        (&["PEXPIREAT", "a", "9223372036854775808"], "ERR"),
        (&["EXPIRE", "a", "9223372036854775807"], "ERR"),
        (&["HPTTL", "a", "FIELDS", "2", "b"], "ERR"),
    ] {
        match store.client.run(words) {
            Value::ServerError(error) => assert_eq!(error.code(), code, "{words:?}"),
            other => panic!("{words:?}: {other:?}"),
        }
    }
}
