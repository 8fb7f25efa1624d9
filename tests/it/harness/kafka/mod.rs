//! Real Kafka brokers, on free ports and in their own directories.

mod node;
mod secured;
mod tokens;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use self::node::{Addition, Node};
pub(crate) use self::secured::{Listener, PASSWORD, Secured};
pub(crate) use self::tokens::Tokens;

/// Time limit for a broker to start or to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// One broker or several. They end on drop, and also when the test process is killed.
pub(crate) struct Kafka {
    nodes: Vec<Node>,
    admin: AdminClient<DefaultClientContext>,
    runtime: tokio::runtime::Runtime,
}

impl Kafka {
    /// The broker that tests share; each test uses its own topics and groups.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: LazyLock<Kafka> = LazyLock::new(Kafka::start);
        &SHARED
    }

    pub(crate) fn start() -> Self {
        Self::cluster(1)
    }

    /// A cluster of `size` brokers; a topic has up to three replicas, and two of them must have a
    /// record.
    pub(crate) fn cluster(size: usize) -> Self {
        Self::with(size, &Addition::default())
    }

    fn with(size: usize, addition: &Addition) -> Self {
        let nodes = Node::format(size, addition);
        let servers = nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port(0)))
            .collect::<Vec<_>>()
            .join(",");
        let admin = ClientConfig::new()
            .set("bootstrap.servers", servers)
            .create()
            .expect("an admin client");
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut kafka = Self { nodes, admin, runtime };
        (0..size).for_each(|node| kafka.nodes[node].launch());
        kafka.wait_until_it_answers();
        kafka
    }

    /// `host:port,..` of all brokers.
    pub(crate) fn servers(&self) -> String {
        self.nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port(0)))
            .collect::<Vec<_>>()
            .join(",")
    }

    /// Client settings for these brokers.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.servers());
        config
    }

    /// Creates a topic whose name begins with `name`; `config` is as in `kafka-topics --config`.
    pub(crate) fn topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) -> String {
        let name = unique(name);
        self.create_topic(&name, partitions, config);
        name
    }

    pub(crate) fn create_topic(&self, name: &str, partitions: i32, config: &[(&str, &str)]) {
        let replicas = i32::try_from(self.nodes.len().min(3)).expect("a small number");
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replicas));
        for (key, value) in config {
            topic = topic.set(key, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let mut asked_before = false;
        answered(|| {
            // A request may have been executed although its answer was lost.
            let asked_before = std::mem::replace(&mut asked_before, true);
            let created = self.runtime.block_on(self.admin.create_topics([&topic], &options))?;
            created.into_iter().try_for_each(|one| match one {
                Ok(_) => Ok(()),
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) if asked_before => Ok(()),
                Err((_, code)) => Err(KafkaError::AdminOp(code)),
            })
        });
    }

    pub(crate) fn delete_topic(&self, name: &str) {
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let mut asked_before = false;
        answered(|| {
            let asked_before = std::mem::replace(&mut asked_before, true);
            let deleted = self.runtime.block_on(self.admin.delete_topics(&[name], &options))?;
            deleted.into_iter().try_for_each(|one| match one {
                Ok(_) => Ok(()),
                Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) if asked_before => Ok(()),
                Err((_, code)) => Err(KafkaError::AdminOp(code)),
            })
        });
    }

    /// The offsets that `group` has committed, by partition of `topic`; `None` if it has committed
    /// none.
    pub(crate) fn committed(&self, group: &str, topic: &str) -> Vec<Option<i64>> {
        let consumer: BaseConsumer =
            self.client().set("group.id", group).create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, self.partitions(topic) - 1);
        let committed = answered(|| {
            let committed = consumer.committed_offsets(list.clone(), PATIENCE)?;
            committed.elements().iter().try_for_each(|element| element.error())?;
            Ok(committed)
        });
        let offset = |offset| if let Offset::Offset(offset) = offset { Some(offset) } else { None };
        committed.elements().iter().map(|element| offset(element.offset())).collect()
    }

    /// The first and the next offset of each partition of `topic`.
    pub(crate) fn watermarks(&self, topic: &str) -> Vec<(i64, i64)> {
        let consumer: BaseConsumer = self.client().create().expect("a consumer");
        let watermarks =
            |partition| answered(|| consumer.fetch_watermarks(topic, partition, PATIENCE));
        (0..self.partitions(topic)).map(watermarks).collect()
    }

    /// The number of records in partition 0 of `topic`. After compaction there are fewer records
    /// than offsets.
    pub(crate) fn count(&self, topic: &str) -> i64 {
        let mut settings = self.client();
        settings
            .set("group.id", "counter")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true");
        let consumer: BaseConsumer = settings.create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Beginning).expect("an offset");
        consumer.assign(&list).expect("an assignment");
        let mut count = 0;
        loop {
            match consumer.poll(PATIENCE).expect("brokers answer") {
                Ok(_) => count += 1,
                Err(KafkaError::PartitionEOF(_)) => return count,
                Err(error) => panic!("{topic}: {error}"),
            }
        }
    }

    /// Deletes the records of partition 0 of `topic` before `offset`.
    pub(crate) fn delete_before(&self, topic: &str, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Offset(offset)).expect("an offset");
        let deleted = self
            .runtime
            .block_on(self.admin.delete_records(&list, &AdminOptions::new()))
            .expect("brokers answer");
        assert_eq!(deleted.elements()[0].error(), Ok(()));
    }

    fn partitions(&self, topic: &str) -> i32 {
        let metadata = answered(|| self.admin.inner().fetch_metadata(Some(topic), PATIENCE));
        i32::try_from(metadata.topics()[0].partitions().len()).expect("a small number")
    }

    /// Kills the broker with SIGKILL; [`Kafka::restart`] starts it again with the data on its disk.
    pub(crate) fn kill(&mut self, node: usize) {
        self.nodes[node].end();
    }

    pub(crate) fn restart(&mut self, node: usize) {
        self.nodes[node].launch();
        self.wait_until_it_answers();
    }

    /// Stops the broker with SIGSTOP.
    pub(crate) fn pause(&self, node: usize) {
        self.nodes[node].signal(Signal::SIGSTOP);
    }

    pub(crate) fn resume(&self, node: usize) {
        self.nodes[node].signal(Signal::SIGCONT);
    }

    /// Waits until all running brokers answer.
    fn wait_until_it_answers(&self) {
        let running = self.nodes.iter().filter(|node| node.is_running()).count();
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

/// Repeats the request while brokers start or leaders change.
fn answered<T>(mut ask: impl FnMut() -> KafkaResult<T>) -> T {
    let start = Instant::now();
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(error) => assert!(start.elapsed() < PATIENCE, "Kafka does not answer: {error}"),
        }
        super::pause();
    }
}

/// A name that begins with `name` and that no other test uses.
pub(crate) fn unique(name: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
