//! Replacing and deleting without the guard, on every server.

use redis::Value;
use traitsink::redis::errors::{Class, classify};
use traitsink::redis::{KeyDeletion, PackedCommands, ReplaceWrite};

use super::server::{connect, load, send, word};
use crate::harness::redis::{Redis, ServerVersion};

const KEY: &str = "user:1";

struct Plain {
    redis: Redis,
    connection: redis::Connection,
}

impl Plain {
    fn start(redis: Redis) -> Self {
        let mut connection = connect(&redis);
        load(&mut connection, ReplaceWrite::script());
        load(&mut connection, KeyDeletion::script());
        Self { redis, connection }
    }

    fn replace(&mut self, fields: &[(&str, &str)]) -> Value {
        let mut packed = PackedCommands::default();
        let payload: Vec<Vec<u8>> =
            fields.iter().map(|(name, value)| [word(name), word(value)].concat()).collect();
        let write = ReplaceWrite { fields: u32::try_from(fields.len()).expect("a few") };
        write.pack(&word(KEY), payload.iter().map(Vec::as_slice), &mut packed);
        send(&mut self.connection, packed.bytes())
    }

    fn delete(&mut self, json: bool) -> Value {
        let mut packed = PackedCommands::default();
        KeyDeletion { json }.pack(&word(KEY), &mut packed);
        send(&mut self.connection, packed.bytes())
    }

    fn fields(&self) -> Vec<(String, String)> {
        let text = |bytes| String::from_utf8(bytes).expect("a text");
        let fields = self.redis.hgetall(KEY);
        fields.into_iter().map(|(name, value)| (text(name), text(value))).collect()
    }
}

fn each_server(mut test: impl FnMut(&mut Plain)) {
    let versions = ServerVersion::ALL.iter().map(|version| Some(*version));
    for version in versions.chain([None]) {
        println!("{version:?}");
        let builder = Redis::builder();
        let redis = version.into_iter().fold(builder, |builder, it| builder.version(it)).start();
        test(&mut Plain::start(redis));
    }
}

fn owned(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn code(reply: Value) -> String {
    match reply {
        Value::ServerError(error) => error.code().to_owned(),
        other => panic!("no error: {other:?}"),
    }
}

#[test]
fn the_hash_becomes_exactly_the_fields_and_keeps_its_ttl() {
    each_server(|server| {
        for _ in 0..2 {
            assert_eq!(server.replace(&[("a", "1"), ("b", "2")]), Value::Int(2));
            assert_eq!(server.fields(), owned(&[("a", "1"), ("b", "2")]));
        }
        server.redis.cli(&["EXPIRE", KEY, "1000"]);
        assert_eq!(server.replace(&[("b", "3"), ("c", "4"), ("", "5")]), Value::Int(3));
        assert_eq!(server.fields(), owned(&[("", "5"), ("b", "3"), ("c", "4")]));
        assert!(matches!(server.redis.cli(&["TTL", KEY]), Value::Int(900..=1_000)));

        let many: Vec<String> = (0..20_000).map(|field| field.to_string()).collect();
        let all: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "1")).collect();
        assert_eq!(server.replace(&all), Value::Int(20_000));
        assert_eq!(server.fields().len(), 20_000);
        assert_eq!(server.replace(&all[1..2]), Value::Int(1));
        assert_eq!(server.fields(), owned(&[("1", "1")]));
    });
}

#[test]
fn a_hash_is_deleted_and_a_missing_key_is_a_success() {
    each_server(|server| {
        assert_eq!(server.delete(false), Value::Int(0));
        server.replace(&[("a", "1")]);
        assert_eq!(server.delete(false), Value::Int(1));
        assert_eq!(server.redis.cli(&["EXISTS", KEY]), Value::Int(0));
    });
}

#[test]
fn keys_of_other_types_are_left_alone() {
    each_server(|server| {
        for write in [&["SET", KEY, "1"][..], &["SADD", KEY, "1"], &["XADD", KEY, "*", "a", "1"]] {
            server.redis.cli(&["DEL", KEY]);
            server.redis.cli(write);
            assert_eq!(code(server.replace(&[("a", "1")])), "WRONGTYPE");
            assert_eq!(code(server.delete(false)), "WRONGTYPE");
            assert_eq!(code(server.delete(true)), "WRONGTYPE");
            assert_eq!(server.redis.cli(&["EXISTS", KEY]), Value::Int(1));
            assert_eq!(server.redis.cli(&["TTL", KEY]), Value::Int(-1));
        }
    });
}

#[test]
fn refusals_of_the_server_keep_their_codes() {
    each_server(|server| {
        server.replace(&[("a", "1")]);
        server.redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
        assert_eq!(code(server.replace(&[("b", "1")])), "OOM");
        server.redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
        server.redis.cli(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
        assert_eq!(code(server.replace(&[("b", "1")])), "NOREPLICAS");
        assert_eq!(code(server.delete(false)), "NOREPLICAS");
        server.redis.cli(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
        server.redis.cli(&["REPLICAOF", "127.0.0.1", "1"]);
        assert_eq!(code(server.replace(&[("b", "1")])), "READONLY");
        assert_eq!(code(server.delete(false)), "READONLY");
        server.redis.cli(&["REPLICAOF", "NO", "ONE"]);
        assert_eq!(server.fields(), owned(&[("a", "1")]));
    });
}

#[test]
fn the_permissions_suffice() {
    each_server(|server| {
        let line = format!(
            "ACL SETUSER writer reset on nopass ~user:* {} {}",
            ReplaceWrite::ACL,
            KeyDeletion::ACL
        );
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(server.redis.cli(&words), Value::Okay);
        redis::cmd("AUTH").arg("writer").arg("").exec(&mut server.connection).expect("a user");
        load(&mut server.connection, ReplaceWrite::script());
        assert_eq!(server.replace(&[("a", "1")]), Value::Int(1));
        assert_eq!(server.replace(&[("b", "1")]), Value::Int(1));
        assert_eq!(server.delete(false), Value::Int(1));

        // A permission that lacks is known as such.
        for command in ["-hset", "-unlink"] {
            assert_eq!(server.redis.cli(&["ACL", "SETUSER", "writer", command]), Value::Okay);
        }
        for reply in [server.replace(&[("a", "1")]), server.delete(false)] {
            let Value::ServerError(error) = reply else { panic!("no error: {reply:?}") };
            let class = classify(error.code(), error.details().unwrap_or_default());
            assert_eq!(class, Class::Config, "{error:?}");
        }
    });
}

#[test]
fn json_documents_are_deleted_where_that_is_asked_for() {
    let module = ServerVersion::Redis74.dir().join("lib/rejson.so");
    for version in [ServerVersion::Redis74, ServerVersion::Redis82] {
        let builder = Redis::builder().version(version);
        let redis = builder.option("loadmodule", &module.display().to_string()).start();
        let mut server = Plain::start(redis);
        assert_eq!(server.redis.cli(&["JSON.SET", KEY, "$", "{}"]), Value::Okay);
        assert_eq!(code(server.delete(false)), "WRONGTYPE");
        assert_eq!(code(server.replace(&[("a", "1")])), "WRONGTYPE");
        assert_eq!(server.delete(true), Value::Int(1));
        assert_eq!(server.redis.cli(&["EXISTS", KEY]), Value::Int(0));
    }
}
