//! Real Kafka brokers, on free ports and in directories of their own.

use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use tempfile::TempDir;

/// For a broker, to start or to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The jars that `tests/run` fetched.
static CLASSPATH: LazyLock<String> = LazyLock::new(|| {
    let lib = std::env::var_os("TRAITSINK_KAFKA_LIB").map(PathBuf::from).unwrap_or_else(|| {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
        cache.expect("$HOME or $XDG_CACHE_HOME is set").join("traitsink/kafka-3.9.1")
    });
    assert!(lib.is_dir(), "the tests need Apache Kafka in {}: run tests/run once, which fetches it", lib.display());
    format!("{}/*", lib.display())
});

/// One broker or several; ended when dropped, and with the test process however that ends.
pub(crate) struct Kafka {
    nodes: Vec<Node>,
    admin: AdminClient<DefaultClientContext>,
    runtime: tokio::runtime::Runtime,
}

struct Node {
    port: u16,
    dir: TempDir,
    /// Waits for the end of its standard input and ends the broker then.
    keeper: Option<Child>,
}

impl Kafka {
    /// The broker that tests share: topics and groups are their own.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: LazyLock<Kafka> = LazyLock::new(Kafka::start);
        &SHARED
    }

    pub(crate) fn start() -> Self {
        Self::cluster(1)
    }

    /// `size` brokers; topics have up to three replicas, of which two must have a record.
    pub(crate) fn cluster(size: usize) -> Self {
        let ports: Vec<(u16, u16)> = (0..size).map(|_| (free_port(), free_port())).collect();
        let voters: Vec<String> =
            ports.iter().enumerate().map(|(n, (_, controller))| format!("{}@127.0.0.1:{controller}", n + 1)).collect();
        let nodes: Vec<Node> = ports
            .iter()
            .enumerate()
            .map(|(n, &(port, controller))| {
                let dir = tempfile::tempdir().expect("a temporary directory");
                let conf = settings(n + 1, port, controller, &voters.join(","), size, &dir);
                std::fs::write(dir.path().join("server.properties"), conf).expect("writing server.properties");
                let formatted = java(&["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"])
                    .arg(dir.path().join("server.properties"))
                    .output()
                    .expect("java is needed by the tests and cannot be started; see tests/run");
                assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
                Node { port, dir, keeper: None }
            })
            .collect();
        let servers = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect::<Vec<_>>().join(",");
        let admin = ClientConfig::new().set("bootstrap.servers", servers).create().expect("an admin client");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut kafka = Self { nodes, admin, runtime };
        (0..size).for_each(|node| kafka.nodes[node].launch());
        kafka.wait_until_it_answers();
        kafka
    }

    /// `host:port,..` of all brokers.
    pub(crate) fn servers(&self) -> String {
        self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect::<Vec<_>>().join(",")
    }

    /// A client's settings for these brokers.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.servers());
        config
    }

    /// A new topic whose name begins with `name`; `config` as in `kafka-topics --config`.
    pub(crate) fn topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) -> String {
        let name = unique(name);
        self.create_topic(&name, partitions, config);
        name
    }

    pub(crate) fn create_topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) {
        let replicas = i32::try_from(self.nodes.len().min(3)).expect("few");
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replicas));
        for (key, value) in config {
            topic = topic.set(key, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let created = self.runtime.block_on(self.admin.create_topics([&topic], &options)).expect("brokers answer");
        created.into_iter().for_each(|one| drop(one.unwrap_or_else(|error| panic!("{name}: {error:?}"))));
    }

    /// The offsets that `group` has committed, by partition of `topic`; `None` where there is none.
    pub(crate) fn committed(&self, group: &str, topic: &str) -> Vec<Option<i64>> {
        let consumer: BaseConsumer = self.client().set("group.id", group).create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, self.partitions(topic) - 1);
        let committed = consumer.committed_offsets(list, PATIENCE).expect("brokers answer");
        let offset = |offset| if let Offset::Offset(offset) = offset { Some(offset) } else { None };
        committed.elements().iter().map(|element| offset(element.offset())).collect()
    }

    /// The first and the next offset of each partition of `topic`.
    pub(crate) fn watermarks(&self, topic: &str) -> Vec<(i64, i64)> {
        let consumer: BaseConsumer = self.client().create().expect("a consumer");
        let watermarks = |partition| consumer.fetch_watermarks(topic, partition, PATIENCE).expect("brokers answer");
        (0..self.partitions(topic)).map(watermarks).collect()
    }

    fn partitions(&self, topic: &str) -> i32 {
        let metadata = self.admin.inner().fetch_metadata(Some(topic), PATIENCE).expect("brokers answer");
        i32::try_from(metadata.topics()[0].partitions().len()).expect("few")
    }

    /// SIGKILL; [`Kafka::restart`] starts it again with what it has on disk.
    pub(crate) fn kill(&mut self, node: usize) {
        self.nodes[node].end();
    }

    pub(crate) fn restart(&mut self, node: usize) {
        self.nodes[node].launch();
        self.wait_until_it_answers();
    }

    /// SIGSTOP.
    pub(crate) fn pause(&self, node: usize) {
        self.nodes[node].signal(Signal::SIGSTOP);
    }

    pub(crate) fn resume(&self, node: usize) {
        self.nodes[node].signal(Signal::SIGCONT);
    }

    /// Answers, with all brokers that are running.
    fn wait_until_it_answers(&self) {
        let running = self.nodes.iter().filter(|node| node.keeper.is_some()).count();
        let start = Instant::now();
        loop {
            let metadata = self.admin.inner().fetch_metadata(None, Duration::from_secs(5));
            if metadata.is_ok_and(|metadata| metadata.brokers().len() >= running) {
                return;
            }
            let log = || self.nodes.iter().map(Node::log).collect::<Vec<_>>().join("\n");
            assert!(start.elapsed() < PATIENCE, "Kafka does not answer:\n{}", log());
            super::pause();
        }
    }
}

/// `name` and what no other test has.
pub(crate) fn unique(name: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Node {
    fn launch(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.dir.path().join("broker.log"));
        let log = log.expect("a log file");
        // The keeper outlives a test process that is killed, just long enough to end the broker and to clean up.
        let keep =
            r#"java "$@" < /dev/null & echo $! > pid; read -r _; told=$?; kill -9 $!; wait; [ $told = 0 ] || rm -r "$PWD""#;
        let mut keeper = Command::new("sh")
            .args(["-c", keep, "keeper", "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", &CLASSPATH])
            .args(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "kafka.Kafka", "server.properties"])
            .current_dir(self.dir.path())
            // Ctrl-C is for the tests alone.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a log file"))
            .stderr(log)
            .spawn()
            .expect("sh starts");
        let start = Instant::now();
        while self.pid().is_none() {
            assert!(start.elapsed() < PATIENCE && keeper.try_wait().expect("own child").is_none(), "{}", self.log());
            super::pause();
        }
        self.keeper = Some(keeper);
    }

    fn pid(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(self.dir.path().join("pid")).ok()?;
        text.trim().parse().ok().map(Pid::from_raw)
    }

    fn signal(&self, signal: Signal) {
        kill(self.pid().expect("a running broker"), signal).expect("own broker");
    }

    fn end(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            let told = keeper.stdin.take().expect("piped").write_all(b"\n");
            told.expect("the keeper reads");
            keeper.wait().expect("own child");
            let _ = std::fs::remove_file(self.dir.path().join("pid"));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("broker.log")).unwrap_or_default()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end();
    }
}

/// A free port below those that outgoing connections get: a client that tries to reach a broker that is down must not take it.
fn free_port() -> u16 {
    let mut ports = std::iter::repeat_with(|| fastrand::u16(10_000..32_000));
    ports.find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok()).expect("the search does not end")
}

const CLUSTER_ID: &str = "dHJhaXRzaW5rLXRlc3Rz0w";

fn java(args: &[&str]) -> Command {
    let mut command = Command::new("java");
    command.args(["-XX:TieredStopAtLevel=1", "-cp", &CLASSPATH]).args(args);
    command
}

fn settings(id: usize, port: u16, controller: u16, voters: &str, size: usize, dir: &TempDir) -> String {
    let replicas = size.min(3);
    format!(
        "process.roles=broker,controller\n\
         node.id={id}\n\
         controller.quorum.voters={voters}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         controller.listener.names=CONTROLLER\n\
         inter.broker.listener.name=PLAINTEXT\n\
         log.dirs={log}\n\
         auto.create.topics.enable=false\n\
         offsets.topic.num.partitions=3\n\
         offsets.topic.replication.factor={replicas}\n\
         transaction.state.log.num.partitions=3\n\
         transaction.state.log.replication.factor={replicas}\n\
         transaction.state.log.min.isr=1\n\
         min.insync.replicas={min}\n\
         default.replication.factor={replicas}\n\
         broker.session.timeout.ms=3000\n\
         broker.heartbeat.interval.ms=500\n\
         group.initial.rebalance.delay.ms=0\n\
         group.min.session.timeout.ms=1000\n\
         log.cleaner.backoff.ms=200\n\
         log.retention.check.interval.ms=1000\n\
         log.initial.task.delay.ms=500\n\
         num.network.threads=2\n\
         num.io.threads=2\n\
         message.max.bytes=4000000\n",
        log = dir.path().join("data").display(),
        min = if size >= 3 { 2 } else { 1 },
    )
}
