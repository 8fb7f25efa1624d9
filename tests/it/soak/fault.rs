//! The faults of a soak. Each one ends with its cure; the recovery is the caller's.

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use fastrand::Rng;
use nix::sys::signal::Signal;

use super::site::Site;
use crate::harness::app::App;
use crate::harness::{eventually, let_pass};

/// A fault; the letter and number are its row in tests/FAULTS.md.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// A1, D1: a second worker joins the group and is killed.
    WorkerKilled,
    /// A3, D1: a second worker joins the group and is stopped.
    WorkerStopped,
    /// B1.
    RedisKilled,
    /// B2.
    RedisFrozen,
    /// B4.
    RedisFull,
    /// D2.
    BrokerKilled,
    /// D4, E1.
    ConnectionsReset,
    /// E2.
    ConnectionsSilent,
    /// F1: the dead-letter file cannot be written.
    LettersRefused,
    /// The dead-letter file is rotated. No loss of anything, and yet it must be played.
    LettersRotated,
    /// F3: no more descriptors are granted, and connections to Redis break.
    FewDescriptors,
    /// F3: the worker runs for a tenth of the time.
    LittleProcessorTime,
}

impl Fault {
    pub(super) const ALL: [Self; 12] = [
        Self::WorkerKilled,
        Self::WorkerStopped,
        Self::RedisKilled,
        Self::RedisFrozen,
        Self::RedisFull,
        Self::BrokerKilled,
        Self::ConnectionsReset,
        Self::ConnectionsSilent,
        Self::LettersRefused,
        Self::LettersRotated,
        Self::FewDescriptors,
        Self::LittleProcessorTime,
    ];
}

impl Site {
    /// Plays `fault` and cures it.
    pub(super) fn play(&mut self, fault: Fault, rng: &mut Rng) {
        let time = Duration::from_millis(rng.u64(300..3000));
        match fault {
            Fault::WorkerKilled => {
                let mut second = self.second_worker();
                let_pass(time);
                second.signal(Signal::SIGKILL);
                second.wait(Duration::from_secs(5));
                self.has_all_partitions();
            }
            Fault::WorkerStopped => {
                let mut second = self.second_worker();
                let_pass(time);
                second.signal(Signal::SIGTERM);
                let status = second.wait(Duration::from_secs(30));
                assert!(status.success(), "{status}\n{}", second.log().join("\n"));
                self.has_all_partitions();
            }
            Fault::RedisKilled => {
                self.redis.kill();
                let_pass(time);
                self.redis.restart();
            }
            Fault::RedisFrozen => {
                self.redis.pause();
                let_pass(time);
                self.redis.resume();
            }
            Fault::RedisFull => {
                self.redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
                let_pass(time);
                self.redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
            }
            Fault::BrokerKilled => {
                self.kafka.kill(0);
                self.http_goes_on();
                let_pass(time);
                self.kafka.restart(0);
            }
            Fault::ConnectionsReset => self.proxy.reset(),
            Fault::ConnectionsSilent => self.proxy.silence(),
            Fault::LettersRefused => self.refuse_letters(),
            Fault::LettersRotated => {
                assert!(self.dead_letter());
                self.move_letters();
                self.app.signal(Signal::SIGHUP);
                assert!(self.dead_letter());
            }
            Fault::FewDescriptors => self.few_descriptors(time),
            Fault::LittleProcessorTime => self.app.starve(time),
        }
    }

    /// A second worker that has its part of the partitions.
    fn second_worker(&self) -> App {
        let second = self.another_worker();
        eventually("the second worker has partitions", || partitions(&second) > 0.0);
        second
    }

    fn has_all_partitions(&self) {
        eventually("all partitions came back", || partitions(&self.app) == 4.0);
    }

    /// A directory is where the dead-letter file should be.
    fn refuse_letters(&mut self) {
        assert!(self.dead_letter());
        self.move_letters();
        let path = self.app.dead_letter_file();
        std::fs::create_dir(&path).expect("the file was moved away");
        self.app.signal(Signal::SIGHUP);
        assert!(!self.dead_letter(), "acknowledged, and kept nowhere");
        self.http_goes_on();
        std::fs::remove_dir(&path).expect("an empty directory");
        eventually("dead letters are kept again", || self.dead_letter());
    }

    /// The worker may open four more files. Clients take them all, and when its connections to
    /// Redis break, those, too.
    fn few_descriptors(&mut self, time: Duration) {
        let (pid, granted) = (self.app.pid(), soft_limit(self.app.pid()));
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("the worker runs").count();
        set_soft_limit(pid, &(open + 4).to_string());
        let clients: Vec<TcpStream> =
            (0..50).map(|_| TcpStream::connect(self.app.http).expect("a full queue")).collect();
        self.proxy.reset();
        let_pass(time);
        drop(clients);
        set_soft_limit(pid, &granted);
    }
}

/// How many partitions a worker has.
fn partitions(app: &App) -> f64 {
    app.metric("traitsink_kafka_partitions_assigned", "")
}

fn soft_limit(pid: u32) -> String {
    prlimit(pid, &["--nofile", "--output", "SOFT", "--noheadings"]).trim().to_owned()
}

fn set_soft_limit(pid: u32, limit: &str) {
    prlimit(pid, &[&format!("--nofile={limit}:")]);
}

fn prlimit(pid: u32, args: &[&str]) -> String {
    let output = Command::new("prlimit").args(["--pid", &pid.to_string()]).args(args).output();
    let output = output.expect("prlimit is part of util-linux");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a number")
}
