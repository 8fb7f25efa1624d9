//! Connections that break, stall or receive too many replies, and the fence.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use redis::Value;
use traitsink::config::{self, Handshake};
use traitsink::redis::{Broken, Class, Identity, QueryError};

use crate::connection::{command, connect, packed, plain, refused, scripted};
use crate::harness::redis::Redis;
use crate::harness::{let_pass, settings, tcp};

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
        // With the full handshake there is one attempt; attempts with fewer commands are tested in
        // proxies.rs.
        let settings = config::Redis { handshake: Handshake::Full, ..settings };
        refused(&settings, class, code, &[words]).await;
        server.join().unwrap();
    }
}

#[tokio::test]
async fn replies_that_arrived_stay_when_the_rest_is_lost() {
    // The server answers the handshake (CLIENT SETNAME, CLIENT INFO, INFO, PING), then two of three
    // commands.
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
        matches!(
            replies.as_slice(),
            [Value::Int(1), Value::ServerError(oom)] if oom.code() == "OOM"
        ),
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
    connect(&plain(&server)).await.expect("the server continues");
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
    assert!(!next.fence(&identity).await.unwrap(), "the connection is closed already");

    // After a restart another client may have the same id and, by chance, the same address.
    server.restart();
    let mut innocent = connect(&plain(&server)).await.unwrap();
    let former = Identity { run_id: identity.run_id, ..innocent.identity().unwrap().clone() };
    assert!(!connect(&plain(&server)).await.unwrap().fence(&former).await.unwrap());
    innocent.query(&command(&["PING"])).await.expect("another connection stays open");
}
