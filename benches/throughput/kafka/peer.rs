//! The Go program of `benches/peers/go` reads a topic.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::harness::kafka::unique;
use crate::machine;
use crate::process::{Killed, cpu_time, per_million};

use super::servers::{Consumed, Servers};
use super::topic::Topic;

/// Time limit for one run.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) struct Peer {
    program: PathBuf,
}

impl Peer {
    /// Builds the program; the error says why it cannot be built.
    pub(super) fn build() -> Result<Self, String> {
        if machine::go().is_none() {
            return Err("`go` is missing (Debian package golang)".to_owned());
        }
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-peer");
        let output = Command::new("go")
            .args(["build", "-mod=readonly", "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/go"))
            .output();
        match output {
            Ok(output) if output.status.success() => Ok(Self { program }),
            Ok(output) => {
                print!("{}", String::from_utf8_lossy(&output.stderr));
                Err("`go build` failed in benches/peers/go".to_owned())
            }
            Err(error) => Err(format!("`go` cannot be started: {error}")),
        }
    }

    /// Reads the topic from its start as a new group, until every event is settled.
    pub(super) fn consume(&self, servers: &Servers, topic: &Topic) -> Consumed {
        let Servers { kafka, redis, events } = servers;
        redis.clear();
        let mut command = Command::new(&self.program);
        command
            .args(["-brokers", &kafka.servers(), "-topic", &topic.name])
            .args(["-group", &unique("peer"), "-redis", &format!("127.0.0.1:{}", redis.port)])
            .args(["-events", &events.to_string()])
            .stdout(Stdio::piped());
        let (start, end, cpu) = std::thread::scope(|scope| {
            let first = scope.spawn(|| redis.first_write());
            let mut program = Killed::start(&mut command);
            let (sender, said) = mpsc::channel();
            let mut stdout = BufReader::new(program.0.stdout.take().expect("piped"));
            std::thread::spawn(move || {
                let mut line = String::new();
                sender.send(stdout.read_line(&mut line).map(|_| line))
            });
            let said = said.recv_timeout(PATIENCE).expect("the Go program ends in time");
            assert_eq!(said.expect("a line"), "done\n", "the Go program ended early");
            let (end, cpu) = (Instant::now(), cpu_time(program.pid()));
            (first.join().expect("the Go program writes"), end, cpu)
        });
        redis.check(&topic.events);
        Consumed {
            rate: *events as f64 / (end - start).as_secs_f64(),
            cpu: per_million(cpu, *events),
        }
    }
}
