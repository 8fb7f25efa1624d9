//! One broker: its files and its process.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex};
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::PATIENCE;
use crate::harness::{pause, run};

/// The jars that `tests/run` fetches.
static CLASSPATH: LazyLock<String> = LazyLock::new(|| {
    let lib = std::env::var_os("TRAITSINK_KAFKA_LIB").map(PathBuf::from).unwrap_or_else(|| {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
        cache.expect("$HOME or $XDG_CACHE_HOME is set").join("traitsink/kafka-3.9.1")
    });
    assert!(
        lib.is_dir(),
        "the tests need Apache Kafka in {}: run tests/run once, which fetches it",
        lib.display()
    );
    format!("{}/*", lib.display())
});

/// Settings of a broker beyond one plain listener.
#[derive(Default)]
pub(super) struct Addition {
    /// Names and protocols of more listeners.
    pub(super) listeners: &'static [(&'static str, &'static str)],
    /// More lines of `server.properties`.
    pub(super) settings: String,
    /// Files for the broker's directory, which is its working directory.
    pub(super) files: Vec<(&'static str, String)>,
    /// SCRAM credentials in the format of `kafka-storage format --add-scram`.
    pub(super) scram: Vec<String>,
}

/// The listeners of every broker.
const PLAIN: &[(&str, &str)] = &[("PLAINTEXT", "PLAINTEXT"), ("CONTROLLER", "PLAINTEXT")];

pub(super) struct Node {
    /// Ports of the listeners in [`PLAIN`], then of those in [`Addition::listeners`].
    ports: Vec<u16>,
    dir: TempDir,
    /// The shell that ends the broker when its standard input ends; `None` if the broker does not
    /// run.
    keeper: Option<Child>,
}

impl Node {
    /// Formats a cluster of `size` brokers, ready to be started.
    pub(super) fn format(size: usize, addition: &Addition) -> Vec<Self> {
        let listeners = [PLAIN, addition.listeners].concat();
        let ports: Vec<Vec<u16>> =
            (0..size).map(|_| listeners.iter().map(|_| free_port()).collect()).collect();
        let voter =
            |(node, ports): (usize, &Vec<u16>)| format!("{}@127.0.0.1:{}", node + 1, ports[1]);
        let voters: Vec<String> = ports.iter().enumerate().map(voter).collect();
        let ids = 1..=size;
        ids.zip(ports)
            .map(|(id, ports)| {
                let dir = tempfile::tempdir().expect("a temporary directory");
                let settings =
                    settings(id, &listeners, &ports, &voters, dir.path()) + &addition.settings;
                std::fs::write(dir.path().join("server.properties"), settings)
                    .expect("writing server.properties");
                for (name, text) in &addition.files {
                    std::fs::write(dir.path().join(name), text).expect("writing a file");
                }
                let mut format = vec![
                    "kafka.tools.StorageTool",
                    "format",
                    "-t",
                    CLUSTER_ID,
                    "-c",
                    "server.properties",
                ];
                format.extend(addition.scram.iter().flat_map(|user| ["--add-scram", user]));
                java(dir.path(), &format);
                Self { ports, dir, keeper: None }
            })
            .collect()
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The port of the listener with this index.
    pub(super) fn port(&self, listener: usize) -> u16 {
        self.ports[listener]
    }

    pub(super) fn is_running(&self) -> bool {
        self.keeper.is_some()
    }

    pub(super) fn launch(&mut self) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join("broker.log"));
        let log = log.expect("a log file");
        // The keeper outlives a killed test process for a moment: it ends the broker and removes
        // its files.
        let keep = r#"java "$@" < /dev/null & echo $! > pid; read -r _; told=$?
            kill -9 $!; wait; [ $told = 0 ] || rm -r "$PWD""#;
        let mut keeper = Command::new("sh")
            .args([
                "-c",
                keep,
                "keeper",
                "-Xmx320m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                &CLASSPATH,
            ])
            .args([
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "kafka.Kafka",
                "server.properties",
            ])
            .current_dir(self.dir.path())
            // Ctrl-C must reach the tests only.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a log file"))
            .stderr(log)
            .spawn()
            .expect("sh starts");
        let start = Instant::now();
        while self.pid().is_none() {
            assert!(
                start.elapsed() < PATIENCE && keeper.try_wait().expect("own child").is_none(),
                "{}",
                self.log()
            );
            pause();
        }
        self.keeper = Some(keeper);
    }

    fn pid(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(self.dir.path().join("pid")).ok()?;
        text.trim().parse().ok().map(Pid::from_raw)
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill(self.pid().expect("a running broker"), signal).expect("own broker");
    }

    pub(super) fn end(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            let told = keeper.stdin.take().expect("piped").write_all(b"\n");
            told.expect("the keeper reads");
            keeper.wait().expect("own child");
            let _ = std::fs::remove_file(self.dir.path().join("pid"));
        }
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("broker.log")).unwrap_or_default()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end();
    }
}

/// A free port below the range of outgoing connections: otherwise a client that tries to reach a
/// stopped broker could take its port. No port is given out twice: the broker of another test may
/// be stopped, and come back to it.
fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap();
    let mut ports = std::iter::repeat_with(|| fastrand::u16(10_000..32_000));
    ports
        .find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok() && given.insert(port))
        .expect("the search does not end")
}

const CLUSTER_ID: &str = "dHJhaXRzaW5rLXRlc3Rz0w";

/// Runs one of Kafka's command-line tools in `dir`.
pub(super) fn java(dir: &Path, args: &[&str]) {
    run("java", &[&["-XX:TieredStopAtLevel=1", "-cp", &CLASSPATH], args].concat(), dir);
}

fn settings(
    id: usize,
    listeners: &[(&str, &str)],
    ports: &[u16],
    voters: &[String],
    dir: &Path,
) -> String {
    let joined = |one: &dyn Fn(&str, &str, u16) -> String| {
        let all =
            listeners.iter().zip(ports).map(|((name, protocol), &port)| one(name, protocol, port));
        all.collect::<Vec<_>>().join(",")
    };
    let address = |name: &str, _: &str, port| format!("{name}://127.0.0.1:{port}");
    format!(
        "process.roles=broker,controller\n\
         node.id={id}\n\
         controller.quorum.voters={voters}\n\
         listeners={listeners}\n\
         listener.security.protocol.map={protocols}\n\
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
        voters = voters.join(","),
        listeners = joined(&address),
        protocols = joined(&|name, protocol, _| format!("{name}:{protocol}")),
        log = dir.join("data").display(),
        replicas = voters.len().min(3),
        min = if voters.len() >= 3 { 2 } else { 1 },
    )
}
