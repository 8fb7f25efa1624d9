//! Connections to real servers, and to scripted servers for replies that a real one cannot be made
//! to send.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::path::PathBuf;
use std::thread::JoinHandle;

use redis::{Cmd, Value};
use traitsink::config::{self, Address};
use traitsink::profile::KeyTemplate;
use traitsink::redis::{Class, Connection, QueryError, Route, Trouble, key_pattern, probe};

use crate::harness::redis::{Redis, free_port};
use crate::harness::{connector, run, settings, tcp};

pub(crate) fn plain(server: &Redis) -> config::Redis {
    settings(tcp("127.0.0.1", server.port()))
}

pub(crate) fn user(server: &Redis, name: Option<&str>, password: &str) -> config::Redis {
    config::Redis {
        username: name.map(str::to_owned),
        password: Some(password.to_owned().into()),
        ..plain(server)
    }
}

pub(crate) async fn connect(settings: &config::Redis) -> Result<Connection, Trouble> {
    connector(settings).expect("usable settings").connect().await
}

/// The error of a connection that must fail; asserts that it contains all `words`.
pub(crate) async fn refused(
    settings: &config::Redis,
    class: Class,
    code: &str,
    words: &[&str],
) -> String {
    let error =
        connect(settings).await.err().unwrap_or_else(|| panic!("connected; expected {words:?}"));
    for word in words {
        assert!(error.message.contains(word), "{word:?} is not in: {}", error.message);
    }
    assert_eq!((error.class, error.code.as_str()), (class, code), "{}", error.message);
    error.message
}

pub(crate) fn command(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    command.arg(words);
    command
}

pub(crate) fn packed(words: &[&str]) -> Vec<u8> {
    command(words).get_packed_command()
}

/// A server that sends `answer` after the first bytes it receives, and closes the connection.
pub(crate) fn scripted(answer: &'static [u8]) -> (config::Redis, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(answer);
        let _ = stream.shutdown(Shutdown::Write);
        // The server reads until the client leaves: closing with unread bytes would reset the
        // connection and lose the answer.
        while stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
    });
    (settings(tcp("127.0.0.1", port)), server)
}

#[tokio::test]
async fn connects_names_itself_and_writes() {
    let server = Redis::start();
    let connector = connector(&config::Redis { database: 3, ..plain(&server) }).unwrap();
    assert_eq!(connector.node(), format!("127.0.0.1:{}", server.port()));
    let mut connection = connector.connect().await.unwrap();
    let identity = connection.identity().expect("an identity").clone();
    let list = String::from_utf8(
        redis::from_redis_value(server.cli(&["CLIENT", "LIST", "ID", &identity.id.to_string()]))
            .unwrap(),
    );
    let list = list.unwrap();
    assert!(
        list.contains(&format!("addr={} ", identity.addr))
            && list.contains("name=traitsink")
            && list.contains("db=3"),
        "{list}"
    );
    assert_eq!(identity.run_id.as_deref().map(str::len), Some(40));
    assert_eq!(
        connection.query(&command(&["HSET", "user:1", "a", "1"])).await.unwrap(),
        Value::Int(1)
    );
    let error = connection.query(&command(&["HGET", "user:1"])).await.expect_err("an error reply");
    assert!(matches!(&error, QueryError::Reply(trouble) if trouble.code == "ERR"), "{error}");
    assert_eq!(
        connection.query(&command(&["HGET", "user:1", "a"])).await.unwrap(),
        Value::BulkString(b"1".to_vec())
    );
}

#[tokio::test]
async fn a_batch_has_one_reply_for_each_command() {
    let server = Redis::start();
    server.cli(&["SET", "user:7", "a string"]);
    let mut connection = connect(&plain(&server)).await.unwrap();
    let value = "v".repeat(1000);
    let batch: Vec<u8> = (0..512)
        .flat_map(|i| packed(&["HSET", &format!("user:{i}"), "a", &value, "b", "2"]))
        .collect();
    let mut replies = vec![Value::Okay];
    connection.exchange(&batch, 512, &mut replies).await.unwrap();
    assert_eq!(replies.len(), 513);
    for (i, reply) in replies[1..].iter().enumerate() {
        match reply {
            Value::ServerError(error) => assert_eq!((i, error.code()), (7, "WRONGTYPE")),
            other => assert_eq!(*other, Value::Int(2), "{i}"),
        }
    }
    assert_eq!(server.cli(&["DBSIZE"]), Value::Int(512));
}

/// The embedded store stops reading while its replies are not read. A client that only writes would
/// wait for ever.
#[tokio::test]
async fn reads_while_it_writes() {
    let embedded =
        traitsink::local_servers::Embedded::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let port = embedded.local_addr().port();
    let stop = tokio_util::sync::CancellationToken::new();
    let task = tokio::spawn(embedded.serve(stop.clone()));
    let mut connection = connect(&settings(tcp("127.0.0.1", port))).await.unwrap();
    let batch = packed(&["ECHO", &"x".repeat(64 * 1024)]).repeat(500);
    let mut replies = Vec::new();
    connection.exchange(&batch, 500, &mut replies).await.unwrap();
    assert_eq!(replies.len(), 500);
    stop.cancel();
    task.await.unwrap();
}

#[tokio::test]
async fn passwords() {
    let server = Redis::builder()
        .password("s3cret")
        .option("user", "writer on >s3cret ~user:* +@all")
        .start();
    connect(&user(&server, None, "s3cret")).await.expect("the default user");
    connect(&user(&server, Some("writer"), "s3cret")).await.expect("an ACL user");
    let said = refused(
        &user(&server, None, "wr0ng"),
        Class::Config,
        "WRONGPASS",
        &["redis.username and redis.password"],
    )
    .await;
    assert!(!said.contains("wr0ng"), "{said}");
    refused(
        &user(&server, Some("nobody"), "s3cret"),
        Class::Config,
        "WRONGPASS",
        &["redis.username"],
    )
    .await;
    refused(&plain(&server), Class::Config, "NOAUTH", &["set redis.password"]).await;
    let open = Redis::start();
    refused(
        &user(&open, None, "s3cret"),
        Class::Config,
        "ERR",
        &["the server has none", "remove redis.password"],
    )
    .await;
}

#[tokio::test]
async fn databases() {
    let server = Redis::builder().option("databases", "2").start();
    connect(&config::Redis { database: 1, ..plain(&server) }).await.expect("database 1");
    let settings = config::Redis { database: 2, ..plain(&server) };
    refused(
        &settings,
        Class::Config,
        "ERR",
        &["SELECT", "no database with this number", "redis.database"],
    )
    .await;
}

#[tokio::test]
async fn a_unix_socket() {
    let server = Redis::start();
    let mut connection = connect(&settings(Address::Unix(server.socket()))).await.unwrap();
    connection.query(&command(&["HSET", "user:1", "a", "1"])).await.unwrap();
    assert_eq!(server.hgetall("user:1").len(), 1);
    let lost = connection.identity().expect("an identity").clone();
    assert!(
        connect(&settings(Address::Unix(server.socket())))
            .await
            .unwrap()
            .fence(&lost)
            .await
            .unwrap()
    );
    assert!(connection.query(&command(&["PING"])).await.is_err());
    let missing = settings(Address::Unix(PathBuf::from("/nonexistent/redis.sock")));
    refused(&missing, Class::Reconnect, "NONE", &["/nonexistent/redis.sock", "is Redis running"])
        .await;
    let tls = config::Redis {
        tls: Some(config::Tls::default()),
        ..settings(Address::Unix(server.socket()))
    };
    assert!(connector(&tls).is_err());
}

#[tokio::test]
async fn nobody_there() {
    let port = free_port();
    let said = refused(
        &settings(tcp("127.0.0.1", port)),
        Class::Reconnect,
        "NONE",
        &["connection refused", "is Redis running"],
    )
    .await;
    assert!(said.contains(&format!("127.0.0.1:{port}")), "{said}");
    refused(
        &settings(tcp("no-such-host.invalid", 6379)),
        Class::Reconnect,
        "NONE",
        &["no-such-host.invalid", "was not found"],
    )
    .await;
}

#[tokio::test]
async fn the_minimal_acl_is_enough() {
    let server = Redis::start();
    let route = Route::new(&plain(&server), &std::sync::Arc::default()).expect("no PEM files");
    let keys =
        ["", "team a[1]\"*"].map(|prefix| key_pattern(&KeyTemplate::default(), Some(prefix)));
    let line = route.minimal_acl("writer", &keys, None, false, false).replace("PASSWORD", "s3cret");
    std::fs::write(server.socket().with_file_name("typed"), line).unwrap();
    let typed =
        run("sh", &["-c", "redis-cli -s redis.sock < typed"], server.socket().parent().unwrap());
    assert_eq!(typed, "OK\n");

    let settings = config::Redis { database: 1, ..user(&server, Some("writer"), "s3cret") };
    let (mut lost, mut next) =
        (connect(&settings).await.unwrap(), connect(&settings).await.unwrap());
    for key in ["user:1", "team a[1]\"*:user:1"] {
        assert_eq!(
            next.query(&command(&["HSET", key, "a", "1"])).await.unwrap(),
            Value::Int(1),
            "{key}"
        );
    }
    let identity = lost.identity().expect("CLIENT INFO is permitted").clone();
    assert!(identity.run_id.is_some() && next.fence(&identity).await.unwrap());
    assert!(lost.query(&command(&["PING"])).await.is_err());
    for denied in [
        &["HSET", "team a1\"x:user:1", "a", "1"][..],
        &["HSET", "other", "a", "1"],
        &["HGETALL", "user:1"],
        &["CLIENT", "LIST"],
    ] {
        let error = next.query(&command(denied)).await.expect_err("denied");
        assert!(
            matches!(&error, QueryError::Reply(trouble) if trouble.code == "NOPERM"),
            "{denied:?}: {error}"
        );
    }
    let report = probe(&connector(&settings).unwrap()).await.unwrap();
    assert_eq!((report.role.as_str(), report.eviction_policy.as_str()), ("master", "noeviction"));
}

#[tokio::test]
async fn an_acl_that_permits_hset_alone_is_enough_too() {
    let server = Redis::builder().option("user", "writer on >s3cret ~user:* +hset").start();
    let connector = connector(&user(&server, Some("writer"), "s3cret")).unwrap();
    let mut connection = connector.connect().await.expect("CLIENT, INFO and PING are not required");
    assert_eq!(connection.identity(), None);
    assert_eq!(
        connection.query(&command(&["HSET", "user:1", "a", "1"])).await.unwrap(),
        Value::Int(1)
    );
    let report = probe(&connector).await.unwrap();
    assert_eq!(report.version, "unknown (not permitted)");
    assert_eq!(report.eviction_policy, "unknown (not permitted)");
    assert!(
        report.notes.iter().any(|note| note.contains("CLIENT INFO is not permitted")),
        "{:?}",
        report.notes
    );
}

#[tokio::test]
async fn an_unknown_command_that_quotes_half_a_character() {
    let server = Redis::builder().option("rename-command", "HSET \"\"").start();
    let mut connection = connect(&plain(&server)).await.unwrap();
    let long = "é".repeat(200);
    let mut replies = Vec::new();
    connection
        .exchange(&packed(&["HSET", "x", &format!("u{long}"), &long]), 1, &mut replies)
        .await
        .unwrap();
    let Some(Value::ServerError(error)) = replies.pop() else { panic!("no error") };
    assert_eq!(error.code(), "ERR");
    assert!(
        error
            .details()
            .is_some_and(|text| text.starts_with("unknown command") && text.contains('\u{fffd}')),
        "{error}"
    );
}

#[tokio::test]
async fn the_probe_tells_what_will_go_wrong() {
    let server = Redis::builder()
        .option("maxmemory", "50mb")
        .option("maxmemory-policy", "allkeys-lru")
        .start();
    let report =
        probe(&connector(&config::Redis { database: 2, ..plain(&server) }).unwrap()).await.unwrap();
    assert_eq!(
        (report.role.as_str(), report.database, report.eviction_policy.as_str()),
        ("master", 2, "allkeys-lru")
    );
    assert!(report.version.split('.').count() >= 3 && report.tls.is_none());
    assert!(
        matches!(report.notes.as_slice(), [note] if note.contains("delete profiles")),
        "{:?}",
        report.notes
    );

    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let report = probe(&connector(&plain(&server)).unwrap()).await.unwrap();
    assert!(
        matches!(report.refused.as_slice(), [what] if what.contains("refused now: OOM: ")),
        "{:?}",
        report.refused
    );

    let replica =
        Redis::builder().option("replicaof", &format!("127.0.0.1 {}", server.port())).start();
    let report = probe(&connector(&plain(&replica)).unwrap()).await.unwrap();
    assert_eq!(report.role, "slave");
    assert!(
        matches!(report.refused.as_slice(), [what] if what.contains("replica")),
        "{:?}",
        report.refused
    );

    let cluster = Redis::builder().option("cluster-enabled", "yes").start();
    let report = probe(&connector(&plain(&cluster)).unwrap()).await.unwrap();
    assert!(report.notes.iter().any(|note| note.contains("Cluster")), "{:?}", report.notes);
}
