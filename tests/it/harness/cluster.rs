//! A real Redis Cluster on loopback.

use std::collections::BTreeMap;
use std::path::Path;

use redis::Value;

use super::guarded::without_times;
use super::redis::{Builder, Redis, free_port};
use super::{eventually, run};

/// The nodes: all masters first, then all replicas.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Redis>,
}

impl Cluster {
    /// A cluster of `masters` with equal numbers of slots, and `replicas` for each.
    pub(crate) fn start(masters: usize, replicas: usize) -> Self {
        Self::with(masters, replicas, |builder| builder)
    }

    /// The same, with options for each node.
    pub(crate) fn with(
        masters: usize,
        replicas: usize,
        options: impl Fn(Builder) -> Builder,
    ) -> Self {
        let node = |_| {
            let builder = Redis::builder()
                .option("cluster-enabled", "yes")
                .option("cluster-port", &free_port().to_string())
                .option("cluster-node-timeout", "2000")
                .option("cluster-require-full-coverage", "no");
            options(builder).start()
        };
        let nodes: Vec<Redis> = (0..masters * (1 + replicas)).map(node).collect();
        let cluster = Self { nodes };
        let places: Vec<String> =
            cluster.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        let each = replicas.to_string();
        let mut args = vec!["--cluster", "create"];
        args.extend(places.iter().map(String::as_str));
        args.extend(["--cluster-replicas", &each, "--cluster-yes"]);
        run("redis-cli", &args, Path::new("/"));
        cluster.wait_until_whole();
        cluster
            .nodes
            .iter()
            .filter(|node| is_master(node))
            .for_each(|master| master.empty_and_sync(replicas));
        cluster
    }

    pub(crate) fn wait_until_whole(&self) {
        eventually("the cluster is whole", || {
            self.nodes.iter().all(|node| info(node, "cluster_state") == "ok")
        });
    }

    /// `redis://127.0.0.1:PORT` of the first node.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.nodes[0].port())
    }

    /// Moves `slots` slots from one node to another.
    pub(crate) fn reshard(&self, from: usize, to: usize, slots: usize) {
        let [from, to] = [from, to].map(|node| self.id(node));
        let (seed, slots) = (format!("127.0.0.1:{}", self.nodes[0].port()), slots.to_string());
        let args = [
            "--cluster",
            "reshard",
            &seed,
            "--cluster-from",
            &from,
            "--cluster-to",
            &to,
            "--cluster-slots",
            &slots,
        ];
        run("redis-cli", &[&args[..], &["--cluster-yes"]].concat(), Path::new("/"));
    }

    /// The hash from the node that owns the key.
    pub(crate) fn hgetall(&self, key: &str) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let found = self.nodes.iter().filter(|node| is_master(node)).find_map(|node| {
            match node.cli(&["HGETALL", key]) {
                Value::ServerError(_) => None,
                hash => Some(without_times(redis::from_redis_value(hash).expect("a hash"))),
            }
        });
        found.unwrap_or_else(|| panic!("no node owns {key}"))
    }

    fn id(&self, node: usize) -> String {
        redis::from_redis_value(self.nodes[node].cli(&["CLUSTER", "MYID"])).expect("an id")
    }
}

/// True if the node is a master; the node must answer.
pub(crate) fn is_master(node: &Redis) -> bool {
    text(node, &["INFO", "replication"]).contains("role:master")
}

fn info(node: &Redis, name: &str) -> String {
    let text = text(node, &["CLUSTER", "INFO"]);
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap_or_default().trim().to_owned()
}

fn text(node: &Redis, args: &[&str]) -> String {
    redis::from_redis_value(node.cli(args)).expect("a text")
}
