//! The embedded store, used with the real `redis-cli` and with our own connection.

use std::net::SocketAddr;
use std::path::Path;

use redis::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use traitsink::local_servers::Embedded;
use traitsink::redis::{Broken, Connection, QueryError};

use crate::harness::app::App;
use crate::harness::{connector, run, settings, tcp};

struct Running {
    addr: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    async fn start() -> Self {
        let embedded = Embedded::bind("127.0.0.1:0".parse().unwrap()).await.expect("a port");
        let (addr, stop) = (embedded.local_addr(), CancellationToken::new());
        let task = tokio::spawn(embedded.serve(stop.clone()));
        Self { addr, stop, task }
    }

    fn cli(&self, args: &[&str]) -> String {
        let port = self.addr.port().to_string();
        run("redis-cli", &[&["-p", &port], args].concat(), Path::new("/"))
    }

    async fn connect(&self) -> Connection {
        connector(&settings(tcp("127.0.0.1", self.addr.port())))
            .unwrap()
            .connect()
            .await
            .expect("the embedded store")
    }
}

async fn query(connection: &mut Connection, words: &[&str]) -> Value {
    let mut command = redis::Cmd::new();
    command.arg(words);
    connection.query(&command).await.unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_cli_reads_what_was_written() {
    let store = Running::start().await;
    let mut connection = store.connect().await;
    let fields = ["HSET", "user:1", "name", "Jane", "age", "23", "a b", "\"x\"\n", "name", "John"];
    assert_eq!(query(&mut connection, &fields).await, Value::Int(3));
    // Fields keep the order in which they were written, in both versions of the protocol.
    assert_eq!(store.cli(&["HGETALL", "user:1"]), "name\nJohn\nage\n23\na b\n\"x\"\n\n");
    assert_eq!(store.cli(&["--no-raw", "HGETALL", "user:1"]).lines().next(), Some("1) \"name\""));
    assert_eq!(
        store.cli(&["-3", "--no-raw", "HGETALL", "user:1"]).lines().next(),
        Some("1# \"name\" => \"John\"")
    );
    for (command, answer) in [
        (&["HGET", "user:1", "age"][..], "23\n"),
        (&["HGET", "user:1", "nothing"], "\n"),
        (&["HLEN", "user:1"], "3\n"),
        (&["TYPE", "user:1"], "hash\n"),
        (&["TYPE", "user:2"], "none\n"),
        (&["EXISTS", "user:1", "user:2", "user:1"], "2\n"),
        (&["TTL", "user:1"], "-1\n"),
        (&["TTL", "user:2"], "-2\n"),
        (&["PING"], "PONG\n"),
        (&["PING", "hi"], "hi\n"),
        (&["ECHO", "hi"], "hi\n"),
        (&["DBSIZE"], "1\n"),
        (&["KEYS", "user:*"], "user:1\n"),
        (&["KEYS", "nobody:*"], "\n"),
        (&["-n", "5", "DBSIZE"], "0\n"),
        (&["DEL", "user:1", "user:2"], "1\n"),
        (&["HGETALL", "user:1"], "\n"),
    ] {
        assert_eq!(store.cli(command), answer, "{command:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_cli_starts_and_scans() {
    let store = Running::start().await;
    let mut connection = store.connect().await;
    for id in 0..100 {
        query(&mut connection, &["HSET", &format!("user:{id}"), "id", "x"]).await;
    }
    query(&mut connection, &["HSET", "other:1", "id", "x"]).await;
    let mut keys: Vec<String> =
        store.cli(&["--scan", "--pattern", "user:*"]).lines().map(str::to_owned).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 100);
    // An interactive redis-cli sends this command before its first prompt.
    assert_eq!(store.cli(&["COMMAND", "DOCS"]), "\n");
    assert_eq!(store.cli(&["COMMAND"]), "\n");
    assert!(store.cli(&["COMMAND", "COUNT"]).trim().parse::<u32>().is_ok());
    let info = store.cli(&["INFO"]);
    for line in [
        "server_name:traitsink",
        "role:master",
        "maxmemory_policy:noeviction",
        "db0:keys=101,expires=0",
    ] {
        assert!(info.contains(line), "{line} is not in {info}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_does_not_know_is_a_clear_error() {
    let store = Running::start().await;
    for (command, words) in [
        (
            &["SET", "a", "b"][..],
            "ERR unknown command 'SET': the embedded store of traitsink knows AUTH, CLIENT,",
        ),
        (&["HSET", "user:1", "name"], "ERR wrong number of arguments for 'hset' command"),
        (&["HGETALL"], "ERR wrong number of arguments for 'hgetall' command"),
        (&["SELECT", "16"], "ERR DB index is out of range"),
        (&["AUTH", "secret"], "ERR AUTH <password> called without any password configured"),
        (&["AUTH", "jane", "secret"], "WRONGPASS"),
        (&["HELLO", "4"], "NOPROTO"),
        (&["SCAN", "x"], "ERR invalid cursor"),
        (&["SCAN", "0", "COUNT", "0"], "ERR syntax error"),
        (&["CLIENT", "PAUSE", "1"], "ERR unknown subcommand"),
    ] {
        let said = store.cli(command);
        assert!(said.contains(words), "{command:?} said {said}");
    }
    assert_eq!(store.cli(&["AUTH", "default", "anything"]), "OK\n");
}

#[tokio::test]
async fn pipelines_are_answered_in_order() {
    let store = Running::start().await;
    let mut connection = store.connect().await;
    let packed: Vec<u8> =
        (0..1000).flat_map(|i| redis::cmd("ECHO").arg(i).get_packed_command()).collect();
    let mut replies = Vec::new();
    connection.exchange(&packed, 1000, &mut replies).await.unwrap();
    let expected: Vec<_> =
        (0..1000).map(|i| Value::BulkString(i.to_string().into_bytes())).collect();
    assert_eq!(replies, expected);
}

#[tokio::test]
async fn each_client_has_its_name_and_database() {
    let store = Running::start().await;
    let (mut one, mut two) = (store.connect().await, store.connect().await);
    query(&mut one, &["SELECT", "3"]).await;
    query(&mut one, &["HSET", "user:1", "a", "1"]).await;
    assert_eq!(query(&mut two, &["DBSIZE"]).await, Value::Int(0));
    query(&mut two, &["CLIENT", "SETNAME", "two"]).await;
    assert_eq!(
        query(&mut one, &["CLIENT", "GETNAME"]).await,
        Value::BulkString(b"traitsink".to_vec())
    );
    assert_eq!(query(&mut two, &["CLIENT", "GETNAME"]).await, Value::BulkString(b"two".to_vec()));
    assert_eq!(
        query(&mut two, &["CLIENT", "ID"]).await,
        Value::Int(two.identity().unwrap().id as i64)
    );
}

#[tokio::test]
async fn a_client_can_be_killed_by_id_and_address() {
    let store = Running::start().await;
    let (mut victim, mut other) = (store.connect().await, store.connect().await);
    let mut identity = victim.identity().expect("CLIENT INFO").clone();
    let addr = std::mem::replace(&mut identity.addr, "127.0.0.1:1".to_owned());
    assert!(!other.fence(&identity).await.unwrap(), "an id alone must not be enough");
    identity.addr = addr;
    assert!(other.fence(&identity).await.unwrap());
    assert!(!other.fence(&identity).await.unwrap());
    let answer = victim.query(&redis::cmd("PING")).await;
    assert!(
        matches!(answer, Err(QueryError::Broken(Broken::Closed | Broken::Io(_)))),
        "{answer:?}"
    );
}

#[tokio::test]
async fn quit_and_broken_requests_end_the_conversation() {
    let store = Running::start().await;
    for (request, answer) in [
        (&b"*1\r\n$4\r\nQUIT\r\n*1\r\n$4\r\nPING\r\n"[..], "+OK\r\n"),
        (
            b"GET / HTTP/1.1\r\n\r\n",
            "-ERR Protocol error: expected '*': inline commands are not supported\r\n",
        ),
        (
            b"*1\r\n$4\r\nPING\r\n*1\r\n$99999999999\r\n",
            "+PONG\r\n-ERR Protocol error: invalid bulk length\r\n",
        ),
    ] {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(store.addr).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut said = String::new();
        let _ = stream.read_to_string(&mut said).await;
        assert_eq!(said, answer);
    }
}

#[tokio::test]
async fn stop_closes_the_port_and_every_connection() {
    let store = Running::start().await;
    let taken = Embedded::bind(store.addr).await.err().expect("the port is in use");
    assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
    let mut connection = store.connect().await;
    store.stop.cancel();
    store.task.await.unwrap();
    assert!(connection.query(&redis::cmd("PING")).await.is_err());
    Embedded::bind(store.addr).await.expect("the port is free again");
}

#[test]
fn a_worker_uses_all_that_profiles_can_be() {
    let app = App::start_with(&[
        "redis.mode=embedded",
        "redis.embedded.listen=127.0.0.1:0",
        "profile.newest_wins=field",
        "profile.nulls=delete",
        "profile.ttl=2h",
        "profile.field_ttl=[{match=\"session.*\",ttl=\"30m\"}]",
        "deletion.event=\"User Deleted\"",
        "http.sources=[{write_key=\"k\",may_delete=true}]",
    ]);
    app.wait_ready();
    let line = app.wait_for_line("the embedded store keeps nothing");
    let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    let address: SocketAddr = line["address"].as_str().and_then(|it| it.parse().ok()).expect("it");
    let port = address.port().to_string();
    let cli = |command: &str| {
        let words: Vec<&str> = command.split(' ').collect();
        run("redis-cli", &[&["-p", port.as_str()], &words[..]].concat(), Path::new("/"))
    };
    let send = |second: u8, event: &str| {
        let headers = [("authorization", "Basic azo=")];
        let time = format!("2026-01-01T00:00:{second:02}Z");
        let event = format!(r#"{{"userId":"u","originalTimestamp":"{time}",{event}}}"#);
        let body = format!(r#"{{"batch":[{event}]}}"#);
        let answer = app.client().send("POST", "/v1/batch", &headers, body.as_bytes());
        assert_eq!(answer.map(|answer| answer.status), Some(200), "{event}");
    };
    let traits = |traits: &str| format!(r#""type":"identify","traits":{{{traits}}}"#);
    send(20, &traits(r#""plan":"pro","session":{"page":"/"}"#));
    send(10, &traits(r#""plan":"free","city":"Oslo""#));
    assert_eq!(cli("HGETALL user:u"), "plan\npro\nsession.page\n/\ncity\nOslo\n");
    let left: u64 = cli("TTL user:u").trim().parse().expect("seconds");
    assert!((7_100..=7_200).contains(&left), "{left}");
    let left: u64 = cli("HTTL user:u FIELDS 1 session.page").trim().parse().expect("seconds");
    assert!((1_700..=1_800).contains(&left), "{left}");
    send(30, &traits(r#""session":{"page":null},"plan":null"#));
    assert_eq!(cli("HGETALL user:u"), "city\nOslo\n");
    send(40, r#""type":"track","event":"User Deleted""#);
    send(35, &traits(r#""plan":"old""#));
    assert_eq!(cli("HGETALL user:u"), "\n");
    send(50, &traits(r#""plan":"new""#));
    assert_eq!(cli("HGETALL user:u"), "plan\nnew\n");
    app.assert_at_rest();
}
