//! Processor time of other processes, from `/proc`.

#[cfg(feature = "kafka")]
use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// User and system time of a process so far, with its threads that have ended.
pub(super) fn cpu_time(pid: u32) -> Duration {
    spent(&format!("/proc/{pid}/stat")).map(|(_, time)| time).expect("a child of this process")
}

/// User and system time of the running threads of a process, by the name of the thread.
#[cfg(feature = "kafka")]
pub(super) fn threads(pid: u32) -> BTreeMap<String, Duration> {
    let mut found = BTreeMap::<String, Duration>::new();
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("a child of this process");
    for task in tasks.flatten() {
        // A thread may end meanwhile.
        if let Some((name, time)) = spent(&task.path().join("stat").display().to_string()) {
            *found.entry(name).or_default() += time;
        }
    }
    found
}

/// Name and time in a `stat` file, which counts in hundredths of a second.
fn spent(path: &str) -> Option<(String, Duration)> {
    let stat = std::fs::read_to_string(path).ok()?;
    let (name, fields) = stat.split_once('(')?.1.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?;
    Some((name.to_owned(), Duration::from_millis(ticks * 10)))
}

/// Seconds per million events or requests.
pub(super) fn per_million(time: Duration, events: u64) -> f64 {
    time.as_secs_f64() * 1e6 / events as f64
}

/// Waits for the end of a child that must succeed; returns its processor time.
pub(super) fn wait(mut child: Child) -> Duration {
    let pid = Pid::from_child(&child);
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(pid), options).expect("a child of this process");
    let cpu = cpu_time(child.id());
    let status = child.wait().expect("a child of this process");
    assert!(status.success(), "a program ended with {status}");
    cpu
}

/// A child that is killed when dropped.
pub(super) struct Killed(pub(super) Child);

impl Killed {
    pub(super) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped());
        let child = command.spawn();
        Self(child.unwrap_or_else(|error| panic!("{:?} starts: {error}", command.get_program())))
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
