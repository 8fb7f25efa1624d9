//! A real server with the scripts, and operations sent to it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};
use std::time::{SystemTime, UNIX_EPOCH};

use redis::{Connection, ConnectionLike, Value, from_redis_value};
use traitsink::event::Expiry;
use traitsink::redis::{
    Expire, ExpiringFields, Guard, GuardMode, GuardedDeletion, GuardedEvent, PackedCommands, Script,
};

use super::model::{Deletion, Event, Rule, Time};
use crate::harness::redis::{Redis, ServerVersion};

/// With what the names of the guard's fields begin.
pub(super) const TIME_FIELD: &str = "_ts";
/// The TTL of all fields that have one: an hour.
const FIELD_TTL: u64 = 3_600_000;

/// Every version that the guard supports; `None` is the installed one, 7.0.
pub(super) const VERSIONS: [Option<ServerVersion>; 5] = [
    None,
    Some(ServerVersion::Redis74),
    Some(ServerVersion::Redis82),
    Some(ServerVersion::Valkey81),
    Some(ServerVersion::Valkey91),
];

pub(super) struct Server {
    pub(super) redis: Redis,
    client: ScriptClient,
}

/// A connection to a server that has the scripts.
pub(super) struct ScriptClient {
    pub(super) connection: Connection,
    guards: [Guard; 3],
    /// Whether it knows HPEXPIRE.
    pub(super) has_field_ttl: bool,
}

impl Deref for Server {
    type Target = ScriptClient;

    fn deref(&self) -> &ScriptClient {
        &self.client
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut ScriptClient {
        &mut self.client
    }
}

/// What stands in Redis under one key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) exists: bool,
    pub(super) visible: BTreeMap<String, String>,
    pub(super) expiring: BTreeSet<String>,
    /// In whole hours, rounded.
    pub(super) ttl: Option<Time>,
}

impl Server {
    pub(super) fn start(version: Option<ServerVersion>) -> Self {
        let builder = Redis::builder();
        let redis = version.into_iter().fold(builder, |builder, it| builder.version(it)).start();
        let mut connection = connect(&redis);
        let known = redis::cmd("COMMAND").arg("INFO").arg("HPEXPIRE").query(&mut connection);
        let known: Vec<Value> = known.expect("a list");
        let has_field_ttl = known != [Value::Nil] && known != [Value::Array(Vec::new())];
        Self { redis, client: ScriptClient::new(connection, has_field_ttl) }
    }
}

impl ScriptClient {
    /// Loads the scripts.
    pub(super) fn new(mut connection: Connection, has_field_ttl: bool) -> Self {
        let modes = [GuardMode::Field, GuardMode::Profile, GuardMode::ProfileReplace];
        let guards = modes.map(|mode| Guard::new(mode, TIME_FIELD));
        for script in guards.iter().flat_map(Guard::scripts) {
            load(&mut connection, script);
        }
        Self { connection, guards, has_field_ttl }
    }

    pub(super) fn guard(&self, rule: Rule) -> &Guard {
        match rule {
            Rule::Field => &self.guards[0],
            Rule::Profile { replace: false } => &self.guards[1],
            Rule::Profile { replace: true } => &self.guards[2],
        }
    }

    /// Sends an event; the reply.
    pub(super) fn apply(&mut self, rule: Rule, key: &str, event: &Event) -> Value {
        let packed = packed_event(self.guard(rule), key, event);
        send(&mut self.connection, packed.bytes())
    }

    /// Sends a deletion; the reply.
    pub(super) fn delete(&mut self, rule: Rule, key: &str, deletion: Deletion) -> Value {
        let mut packed = PackedCommands::default();
        let deletion = GuardedDeletion {
            time: unsigned(deletion.time),
            everything: deletion.everything,
            tombstone_ttl: unsigned(deletion.tombstone_ttl),
        };
        self.guard(rule).pack_deletion(&word(key), deletion, &mut packed);
        send(&mut self.connection, packed.bytes())
    }

    pub(super) fn run(&mut self, args: &[&str]) -> Value {
        let mut command = redis::Cmd::new();
        send(&mut self.connection, &command.arg(args).get_packed_command())
    }

    /// What stands under a key that holds a hash or nothing.
    pub(super) fn stored(&mut self, key: &str) -> Stored {
        let all: BTreeMap<String, String> =
            from_redis_value(self.run(&["HGETALL", key])).expect("a hash");
        let exists = !all.is_empty();
        let visible: BTreeMap<String, String> =
            all.into_iter().filter(|(name, _)| !name.starts_with(TIME_FIELD)).collect();
        let ttl: Time = from_redis_value(self.run(&["PTTL", key])).expect("a number");
        let mut expiring = BTreeSet::new();
        if self.has_field_ttl && !visible.is_empty() {
            let mut args = vec!["HPTTL".to_owned(), key.to_owned(), "FIELDS".to_owned()];
            args.push(visible.len().to_string());
            args.extend(visible.keys().cloned());
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let ttls: Vec<Time> = from_redis_value(self.run(&args)).expect("numbers");
            let found = visible.keys().zip(ttls).filter(|(_, ttl)| *ttl >= 0);
            expiring.extend(found.map(|(name, _)| name.clone()));
        }
        let hour = 3_600_000;
        let ttl = (ttl >= 0).then_some((ttl + hour / 2) / hour);
        Stored { exists, visible, expiring, ttl }
    }
}

pub(super) fn connect(redis: &Redis) -> Connection {
    let url = format!("redis+unix://{}", redis.socket().display());
    redis::Client::open(url).and_then(|client| client.get_connection()).expect("a connection")
}

/// Loads a script, whose name must be the server's.
pub(super) fn load(connection: &mut Connection, script: &Script) {
    let reply = send(connection, &script.load());
    assert_eq!(from_redis_value::<String>(reply).expect("a text"), script.sha());
}

/// Sends one packed command; an error reply is a value.
pub(super) fn send(connection: &mut Connection, packed: &[u8]) -> Value {
    let reply = connection.req_packed_commands(packed, 0, 1).expect("a reply");
    <[Value; 1]>::try_from(reply).map(|[reply]| reply).expect("one reply")
}

pub(super) fn packed_event(guard: &Guard, key: &str, event: &Event) -> PackedCommands {
    let set: Vec<u8> =
        event.set.iter().flat_map(|(name, value)| [word(name), word(value)].concat()).collect();
    let removed: Vec<Vec<u8>> = event.removed.iter().map(|name| word(name)).collect();
    let names: Vec<u8> = event.expiring.iter().flat_map(|name| word(name)).collect();
    let count = u32::try_from(event.expiring.len()).expect("a few");
    let expiring = [ExpiringFields { ttl: FIELD_TTL, count, names: &names }];
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let guarded = GuardedEvent {
        time: unsigned(event.time),
        fields: u32::try_from(event.set.len()).expect("a few"),
        removed: u32::try_from(removed.len()).expect("a few"),
        expiry: event.expiry.map(|expiry| Expire {
            expiry: if expiry.is_moment {
                Expiry::At(u64::try_from(now).expect("ms") + unsigned(expiry.ttl))
            } else {
                Expiry::After(unsigned(expiry.ttl))
            },
            once: expiry.once,
        }),
        field_ttls: if count > 0 { &expiring } else { &[] },
        tombstone_ttl: unsigned(event.tombstone_ttl),
    };
    let mut packed = PackedCommands::default();
    let set = std::iter::once(set.as_slice());
    let removed = removed.iter().map(Vec::as_slice);
    guard.pack_event(&word(key), &guarded, set, removed, &mut packed);
    packed
}

/// One packed word.
pub(super) fn word(text: &str) -> Vec<u8> {
    format!("${}\r\n{text}\r\n", text.len()).into_bytes()
}

fn unsigned(time: Time) -> u64 {
    u64::try_from(time).expect("not negative")
}
