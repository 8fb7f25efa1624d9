//! Three real sentinels for one master and its replicas, on loopback.

use std::collections::BTreeMap;

use redis::Value;

use super::cluster::is_master;
use super::eventually;
use super::redis::{Builder, Redis};

/// The sentinels' name of the master.
pub(crate) const MASTER: &str = "mymaster";
/// The password of all servers, for clients and for replication.
pub(crate) const PASSWORD: &str = "s3cret";

/// The servers and their sentinels. The first server is the master at the start.
pub(crate) struct Sentinels {
    pub(crate) servers: Vec<Redis>,
    pub(crate) sentinels: Vec<Redis>,
}

impl Sentinels {
    /// A master with `replicas`; the sentinels replace a master after a second of silence.
    pub(crate) fn start(replicas: usize) -> Self {
        Self::with(replicas, |server| server, |sentinel| sentinel)
    }

    /// The same, with options for each server and each sentinel.
    pub(crate) fn with(
        replicas: usize,
        server: impl Fn(Builder) -> Builder,
        sentinel: impl Fn(Builder) -> Builder,
    ) -> Self {
        let durable = || {
            let builder = Redis::builder().password(PASSWORD).option("masterauth", PASSWORD);
            server(
                builder
                    .option("appendonly", "yes")
                    .option("appendfsync", "always")
                    .option("repl-diskless-sync-delay", "0"),
            )
        };
        let master = durable().start();
        let port = master.port().to_string();
        let replicas = (0..replicas)
            .map(|_| durable().option("replicaof", &format!("127.0.0.1 {port}")).start());
        let servers: Vec<Redis> = std::iter::once(master).chain(replicas).collect();
        servers[0].empty_and_sync(servers.len() - 1);
        let watching = |_| {
            let monitor = format!("monitor {MASTER} 127.0.0.1 {port} 2");
            let builder = [
                &monitor,
                "auth-pass mymaster s3cret",
                "down-after-milliseconds mymaster 1000",
                "failover-timeout mymaster 6000",
            ]
            .iter()
            .fold(Redis::builder().sentinel(), |builder, line| builder.option("sentinel", line));
            sentinel(builder).start()
        };
        let trio = Self { sentinels: (0..3).map(watching).collect(), servers };
        trio.settle();
        trio
    }

    /// Waits until each sentinel knows the others and all replicas, so that any of them can lead a
    /// failover.
    fn settle(&self) {
        let replicas = (self.servers.len() - 1).to_string();
        eventually("the sentinels know each other", || {
            self.sentinels.iter().all(|sentinel| {
                let about: BTreeMap<String, String> =
                    fields(sentinel.cli(&["SENTINEL", "MASTER", MASTER]));
                about["num-other-sentinels"] == "2"
                    && about["num-slaves"] == replicas
                    && about["flags"] == "master"
            })
        });
    }

    /// The settings of a worker that asks all three.
    pub(crate) fn settings(&self) -> Vec<String> {
        let nodes: Vec<String> = self
            .sentinels
            .iter()
            .map(|sentinel| format!("\"127.0.0.1:{}\"", sentinel.port()))
            .collect();
        vec![
            "redis.mode=sentinel".to_owned(),
            format!("redis.password={PASSWORD}"),
            format!("redis.sentinel.master={MASTER}"),
            format!("redis.sentinel.nodes=[{}]", nodes.join(",")),
        ]
    }

    /// The master according to sentinel `number`: an index of `servers`.
    pub(crate) fn master(&self, number: usize) -> usize {
        let answer = self.sentinels[number].cli(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER]);
        let (_, port): (String, u16) = redis::from_redis_value(answer).expect("an address");
        self.servers.iter().position(|server| server.port() == port).expect("one of the servers")
    }

    /// Waits until all `sentinels` name another master than `old` and that master takes writes;
    /// returns its index.
    pub(crate) fn switched(&self, old: usize, sentinels: &[usize]) -> usize {
        let new = || self.master(sentinels[0]);
        eventually("the sentinels name another master", || {
            new() != old && sentinels.iter().all(|number| self.master(*number) == new())
        });
        eventually("it takes writes", || is_master(&self.servers[new()]));
        new()
    }

    /// Stops replication from the master, which keeps running.
    pub(crate) fn cut_replication(&self, master: usize) {
        self.log_in_replicas(master, "wrong");
        let replicas = self.servers[master].cli(&["CLIENT", "KILL", "TYPE", "replica"]);
        assert!(matches!(replicas, Value::Int(1..)), "no replica was connected: {replicas:?}");
    }

    /// Starts replication from a master again.
    pub(crate) fn restore_replication(&self, master: usize) {
        self.log_in_replicas(master, PASSWORD);
    }

    fn log_in_replicas(&self, master: usize, password: &str) {
        for (_, replica) in self.servers.iter().enumerate().filter(|(number, _)| *number != master)
        {
            assert_eq!(replica.cli(&["CONFIG", "SET", "masterauth", password]), Value::Okay);
        }
    }

    pub(crate) fn hgetall(&self, server: usize, key: &str) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.servers[server].hgetall(key)
    }
}

fn fields(reply: Value) -> BTreeMap<String, String> {
    redis::from_redis_value(reply).expect("pairs of texts")
}
