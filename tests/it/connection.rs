//! Connections to real servers, and to scripted ones where a real one cannot be brought to it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use redis::{Cmd, Value};
use traitsink::config::{self, Address, Handshake};
use traitsink::redis::{
    Broken, Class, ConnectError, Connection, Identity, QueryError, minimal_acl, probe,
};

use crate::harness::redis::{Redis, free_port};
use crate::harness::{connector, let_pass, run, settings, tcp};

fn plain(server: &Redis) -> config::Redis {
    settings(tcp("127.0.0.1", server.port()))
}

fn user(server: &Redis, name: Option<&str>, password: &str) -> config::Redis {
    config::Redis {
        username: name.map(str::to_owned),
        password: Some(password.to_owned().into()),
        ..plain(server)
    }
}

async fn connect(settings: &config::Redis) -> Result<Connection, ConnectError> {
    connector(settings).expect("usable settings").connect().await
}

/// The error of a connection that must fail, with all these words.
async fn refused(settings: &config::Redis, class: Class, code: &str, words: &[&str]) -> String {
    let error =
        connect(settings).await.err().unwrap_or_else(|| panic!("connected; expected {words:?}"));
    for word in words {
        assert!(error.message.contains(word), "{word:?} is not in: {}", error.message);
    }
    assert_eq!((error.class, error.code.as_str()), (class, code), "{}", error.message);
    error.message
}

fn command(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    command.arg(words);
    command
}

fn packed(words: &[&str]) -> Vec<u8> {
    command(words).get_packed_command()
}

/// A server that says `answer` to the first thing it hears, and hangs up.
fn scripted(answer: &'static [u8]) -> (config::Redis, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(answer);
        let _ = stream.shutdown(Shutdown::Write);
        // Until the client leaves: closing with bytes unread would take the answer back.
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
    assert!(matches!(&error, QueryError::Reply { code, .. } if code == "ERR"), "{error}");
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

/// The embedded store stops reading while its replies are not read: whoever only writes would wait
/// for ever.
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
async fn no_room_for_more_clients() {
    let server = Redis::builder().option("maxclients", "3").start();
    let mut open = Vec::new();
    let error = loop {
        match connect(&plain(&server)).await {
            Ok(connection) => open.push(connection),
            Err(error) => break error,
        }
        assert!(open.len() <= 3);
    };
    assert_eq!((error.class, error.code.as_str()), (Class::Reconnect, "ERR"));
    assert!(
        error.message.contains("no room for more clients; raise maxclients"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn a_replica_that_lost_its_primary() {
    let server = Redis::builder()
        .option("replicaof", "127.0.0.1 1")
        .option("replica-serve-stale-data", "no")
        .start();
    refused(&plain(&server), Class::Rediscover, "MASTERDOWN", &["point redis.url at the primary"])
        .await;
}

#[tokio::test]
async fn what_a_server_says_before_it_hangs_up() {
    for (answer, class, code, words) in [
        (
            &b"-DENIED Redis is running in protected mode because...\r\n"[..],
            Class::Config,
            "DENIED",
            "protected mode",
        ),
        (
            b"-LOADING Redis is loading the dataset in memory\r\n",
            Class::Retry,
            "LOADING",
            "still loading",
        ),
        (b"-ERR max number of clients reached\r\n", Class::Reconnect, "ERR", "maxclients"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Class::Config, "NONE", "the port of a Redis server?"),
        (b"\x15\x03\x01\x00\x02\x02\x46", Class::Config, "NONE", "rediss://"),
        (b"", Class::Reconnect, "NONE", "if this port speaks TLS"),
    ] {
        let (settings, server) = scripted(answer);
        // In one try: others are made in proxies.rs.
        let settings = config::Redis { handshake: Handshake::Full, ..settings };
        refused(&settings, class, code, &[words]).await;
        server.join().unwrap();
    }
}

#[tokio::test]
async fn replies_that_arrived_stay_when_the_rest_is_lost() {
    // The greeting: CLIENT SETNAME, CLIENT INFO, INFO, PING. Then two of three replies.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for answer in
            [&b"+OK\r\n$-1\r\n$-1\r\n+PONG\r\n"[..], b":1\r\n-OOM command not allowed\r\n:"]
        {
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            stream.write_all(answer).unwrap();
        }
    });
    let mut connection = connect(&settings(tcp("127.0.0.1", port))).await.unwrap();
    assert!(connection.identity().is_none());
    let mut replies = Vec::new();
    let lost = connection
        .exchange(&packed(&["HSET", "user:1", "a", "1"]).repeat(3), 3, &mut replies)
        .await;
    assert!(matches!(lost, Err(Broken::Closed)), "{lost:?}");
    assert!(
        matches!(replies.as_slice(), [Value::Int(1), Value::ServerError(oom)] if oom.code() == "OOM"),
        "{replies:?}"
    );
    assert!(matches!(connection.exchange(b"", 0, &mut replies).await, Err(Broken::Unfinished)));
    server.join().unwrap();
}

#[tokio::test]
async fn more_replies_than_commands_break_the_connection() {
    let (settings, server) = scripted(b"+OK\r\n$-1\r\n$-1\r\n+PONG\r\n:1\r\n");
    refused(&settings, Class::Config, "NONE", &["not Redis'"]).await;
    server.join().unwrap();
}

#[tokio::test]
async fn a_stopped_server_times_out() {
    let server = Redis::start();
    let settings = config::Redis { response_timeout: Duration::from_secs(1), ..plain(&server) };
    let mut connection = connect(&settings).await.unwrap();
    server.pause();
    let mut replies = Vec::new();
    let lost = connection.exchange(&packed(&["PING"]), 1, &mut replies).await;
    assert!(matches!(lost, Err(Broken::Timeout(_))), "{lost:?}");
    refused(&settings, Class::Reconnect, "NONE", &["no reply for 1s"]).await;
    server.resume();
    connect(&plain(&server)).await.expect("the server goes on");
}

#[tokio::test]
async fn a_slow_server_that_goes_on_does_not_time_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
        stream.write_all(b"+OK\r\n$-1\r\n$-1\r\n+PONG\r\n").unwrap();
        for _ in 0..4 {
            let_pass(Duration::from_millis(700));
            stream.write_all(b":1\r\n").unwrap();
        }
    });
    let settings = config::Redis {
        response_timeout: Duration::from_secs(2),
        ..settings(tcp("127.0.0.1", port))
    };
    let mut connection = connect(&settings).await.unwrap();
    let mut replies = Vec::new();
    connection
        .exchange(&packed(&["HSET", "user:1", "a", "1"]).repeat(4), 4, &mut replies)
        .await
        .unwrap();
    assert_eq!(replies, [Value::Int(1), Value::Int(1), Value::Int(1), Value::Int(1)]);
    server.join().unwrap();
}

#[tokio::test]
async fn an_exchange_that_was_dropped_half_way_spoils_the_connection() {
    let server = Redis::start();
    let mut connection = connect(&plain(&server)).await.unwrap();
    server.pause();
    let (ping, mut replies) = (packed(&["PING"]), Vec::new());
    let pending = connection.exchange(&ping, 1, &mut replies);
    assert!(tokio::time::timeout(Duration::from_millis(50), pending).await.is_err());
    server.resume();
    let next = connection.query(&command(&["PING"])).await;
    assert!(matches!(next, Err(QueryError::Broken(Broken::Unfinished))), "{next:?}");
}

#[tokio::test]
async fn a_killed_server_closes_the_connection() {
    let mut server = Redis::start();
    let mut connection = connect(&plain(&server)).await.unwrap();
    server.kill();
    let lost = connection.query(&command(&["PING"])).await;
    assert!(matches!(lost, Err(QueryError::Broken(Broken::Closed | Broken::Io(_)))), "{lost:?}");
}

#[tokio::test]
async fn a_fence_closes_the_lost_connection_and_no_other() {
    let mut server = Redis::start();
    let mut lost = connect(&plain(&server)).await.unwrap();
    let mut next = connect(&plain(&server)).await.unwrap();
    let identity = lost.identity().unwrap().clone();
    assert!(next.fence(&identity).await.unwrap());
    assert!(lost.query(&command(&["PING"])).await.is_err());
    assert!(!next.fence(&identity).await.unwrap(), "it is gone");

    // After a restart somebody else may have the same id, and by chance the same address.
    server.restart();
    let mut innocent = connect(&plain(&server)).await.unwrap();
    let former = Identity { run_id: identity.run_id, ..innocent.identity().unwrap().clone() };
    assert!(!connect(&plain(&server)).await.unwrap().fence(&former).await.unwrap());
    innocent.query(&command(&["PING"])).await.expect("an innocent lives on");
}

#[tokio::test]
async fn the_minimal_acl_is_enough() {
    let server = Redis::start();
    let line = minimal_acl("writer", &["", "team a[1]\"*"], &plain(&server).mode, None)
        .replace("PASSWORD", "s3cret");
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
            matches!(&error, QueryError::Reply { code, .. } if code == "NOPERM"),
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
