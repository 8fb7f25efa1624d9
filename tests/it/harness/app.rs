//! The real binary as a child process, on free ports.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::guarded;
use super::hosts::Hosts;
use super::http::Client;
use super::{eventually, eventually_or};

/// Descriptors of a worker at rest: listeners, and the connections of each lane to each node.
const MOST_DESCRIPTORS: usize = 128;

/// A running `traitsink run`; killed when dropped.
pub(crate) struct App {
    child: Child,
    pub(crate) http: SocketAddr,
    pub(crate) admin: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
    /// The thread that reads the log; ends with the process.
    reader: Option<JoinHandle<()>>,
    dir: tempfile::TempDir,
}

impl App {
    /// Starts the worker against `redis_url`, with `settings` as further `-s` options, and waits
    /// until it listens.
    pub(crate) fn start(redis_url: &str, settings: &[&str]) -> Self {
        let url = format!("redis.url={redis_url}");
        let mut all = vec![url.as_str()];
        all.extend(settings);
        Self::start_with(&all)
    }

    /// Starts the worker with `settings` only, free ports and its own data directory.
    pub(crate) fn start_with(settings: &[&str]) -> Self {
        Self::launch(Command::new(env!("CARGO_BIN_EXE_traitsink")), settings)
    }

    /// [`App::start_with`] with the host names of `hosts`.
    pub(crate) fn start_with_hosts(hosts: &Hosts, settings: &[&str]) -> Self {
        let mut command = hosts.command();
        command.arg(env!("CARGO_BIN_EXE_traitsink"));
        Self::launch(command, settings)
    }

    /// [`App::start_with`] through `command`, which ends with the name of the binary.
    pub(crate) fn start_command(command: Command, settings: &[&str]) -> Self {
        Self::launch(command, settings)
    }

    fn launch(mut command: Command, settings: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory for the worker");
        command.args([
            "--log-format",
            "json",
            "-s",
            "http.listen=127.0.0.1:0",
            "-s",
            "admin.listen=127.0.0.1:0",
        ]);
        command.arg("-s").arg(format!("data_dir={}", dir.path().display()));
        let guard = guarded::SETTINGS.into_iter().filter(|_| guarded::is_guarded());
        for setting in settings.iter().copied().chain(guard) {
            command.args(["-s", setting]);
        }
        command.arg("run").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the worker starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let kept = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| kept.lock().unwrap().push(line))
        });
        let mut app = Self {
            child,
            http: ([127, 0, 0, 1], 0).into(),
            admin: ([127, 0, 0, 1], 0).into(),
            log,
            reader: Some(reader),
            dir,
        };
        app.http = app.listening("http");
        app.admin = app.listening("admin");
        app
    }

    /// The address in the log line about the listener of `part`.
    pub(crate) fn listening(&mut self, part: &str) -> SocketAddr {
        let start = Instant::now();
        loop {
            let found = self.log().iter().find_map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).ok()?;
                let fields = &line;
                (fields["message"] == "listening" && fields["part"] == part)
                    .then(|| fields["address"].as_str()?.parse().ok())?
            });
            if let Some(address) = found {
                return address;
            }
            if let Some(status) = self.child.try_wait().expect("own child") {
                panic!(
                    "the worker ended with {status} before it listened:\n{}",
                    self.log().join("\n")
                );
            }
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "the worker does not listen:\n{}",
                self.log().join("\n")
            );
            super::pause();
        }
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits for a log line that contains `words`: the worker writes its log on a separate thread,
    /// so the line may come late.
    pub(crate) fn wait_for_line(&self, words: &str) -> String {
        let found = || self.log().into_iter().find(|line| line.contains(words));
        eventually(&format!("{words:?} is logged"), || found().is_some());
        found().expect("log lines stay")
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.http)
    }

    pub(crate) fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn dead_letter_file(&self) -> PathBuf {
        self.data_dir().join("dead-letters.ndjson")
    }

    /// The dead letters written so far.
    pub(crate) fn dead_letters(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.dead_letter_file()).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).expect("a dead letter is one line of JSON"))
            .collect()
    }

    pub(crate) fn ready(&self) -> bool {
        Client::new(self.admin).get("/ready").is_some_and(|answer| answer.status == 200)
    }

    pub(crate) fn wait_ready(&self) {
        let reason = || Client::new(self.admin).get("/ready").map(|answer| answer.text());
        eventually_or(
            || {
                let log = self.log();
                let last = &log[log.len().saturating_sub(20)..];
                format!("the worker is ready: {:?}\n{}", reason(), last.join("\n"))
            },
            || self.ready(),
        );
    }

    pub(crate) fn metrics(&self) -> String {
        Client::new(self.admin).get("/metrics").expect("metrics answer").text()
    }

    /// The sum of all series of `name` whose labels contain `labels`.
    pub(crate) fn metric(&self, name: &str, labels: &str) -> f64 {
        let text = self.metrics();
        let series = text.lines().filter(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && line.contains(labels)
        });
        series.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// Checks promise 5 (received is the sum of all outcomes, and nothing is in flight) and
    /// invariants I5 and I8.
    pub(crate) fn assert_at_rest(&self) {
        eventually("nothing is in flight", || self.metric("traitsink_events_in_flight", "") == 0.0);
        let sum = |name: &str| self.metric(&format!("traitsink_events_{name}_total"), "");
        let ended: f64 = ["written", "stale", "skipped", "rejected", "dead_lettered", "failed"]
            .into_iter()
            .map(sum)
            .sum();
        assert_eq!(sum("received"), ended, "the ledger does not close:\n{}", self.metrics());
        eventually("no bytes are held", || self.metric("traitsink_in_flight_bytes", "") == 0.0);
        self.assert_resources();
        let panics: Vec<String> =
            self.log().into_iter().filter(|line| line.contains("panicked")).collect();
        assert!(panics.is_empty(), "{panics:?}");
    }

    /// Checks invariant I5: memory is below 256 MiB, and broken connections left no descriptors.
    fn assert_resources(&self) {
        let resident = self.memory_kib("VmRSS:");
        assert!(resident < 256 << 10, "{resident} KiB of memory");
        let open =
            || std::fs::read_dir(format!("/proc/{}/fd", self.pid())).map_or(0, Iterator::count);
        eventually("connections that broke are closed", || open() < MOST_DESCRIPTORS);
    }

    /// A line of the worker's `/proc/PID/status`: `VmRSS:` is the memory resident now, `VmHWM:` the
    /// largest so far.
    pub(crate) fn memory_kib(&self, name: &str) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a process");
        let found = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok());
        found.expect("kilobytes")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("own child");
    }

    /// Lets the process run for a tenth of `time` only.
    pub(crate) fn starve(&self, time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {
            self.signal(Signal::SIGSTOP);
            super::let_pass(Duration::from_millis(90));
            self.signal(Signal::SIGCONT);
            super::let_pass(Duration::from_millis(10));
        }
    }

    /// Waits until the process ends and the last line of its log is read.
    pub(crate) fn wait(&mut self, limit: Duration) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("own child") {
                self.reader
                    .take()
                    .into_iter()
                    .for_each(|reader| reader.join().expect("reading does not panic"));
                return status;
            }
            assert!(
                start.elapsed() < limit,
                "the worker still runs after {limit:?}:\n{}",
                self.log().join("\n")
            );
            super::pause();
        }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "the worker's log:\n{}", self.log().join("\n"));
        }
    }
}

/// Runs the binary to its end, with `input` on its standard input.
pub(crate) fn run(args: &[&str], input: &[u8]) -> std::process::Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_traitsink"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // A program that ends early closes its input; the caller checks its exit code.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("own child");
    writer.join().expect("writing does not panic");
    output
}
