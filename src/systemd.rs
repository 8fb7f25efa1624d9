//! Tells systemd, or another manager of services that speaks sd_notify(3), what this process does.
//!
//! The socket never blocks the worker, and a name in the abstract namespace (`@..`) works, too.

use std::ffi::{OsStr, OsString};
use std::io;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt as _;
#[cfg(target_os = "linux")]
use std::os::unix::ffi::OsStrExt as _;
#[cfg(target_os = "linux")]
use std::os::unix::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The variables with which a manager speaks to this process. They are not for its children.
pub const VARIABLES: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// The manager of this process's service, if there is one. Clones share the socket.
#[derive(Clone, Default)]
pub struct ServiceManager {
    socket: Option<Arc<UnixDatagram>>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The manager that the environment names. A socket that cannot be reached is logged.
    pub fn from_env() -> Self {
        let [socket, watchdog, process] = VARIABLES.map(std::env::var_os);
        let Some(path) = socket.filter(|path| !path.is_empty()) else { return Self::default() };
        match connect(&path) {
            Ok(socket) => Self {
                socket: Some(Arc::new(socket)),
                watchdog: watchdog_of(watchdog, process, std::process::id()),
            },
            Err(error) => {
                tracing::warn!("the socket in NOTIFY_SOCKET cannot be used: {error}");
                Self::default()
            }
        }
    }

    /// Whether there is a manager.
    pub fn is_there(&self) -> bool {
        self.socket.is_some()
    }

    /// How long the manager waits for a sign of life; `None`: it does not.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The service has started, or has ended a reload; `status` is for people.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\n{}", status_line(status)));
    }

    /// What the service does, for people.
    pub fn status(&self, status: &str) {
        self.send(&status_line(status));
    }

    /// A reload begins, which [`ServiceManager::ready`] ends.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// The service stops.
    pub fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=stopping");
    }

    /// The service makes progress.
    pub fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// Sends without waiting: a manager that does not read must not hold up the worker.
    fn send(&self, message: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(message.as_bytes()) {
            tracing::debug!("the service manager was not told: {error}");
        }
    }
}

fn status_line(status: &str) -> String {
    format!("STATUS={}", status.replace('\n', " "))
}

fn connect(path: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    #[cfg(target_os = "linux")]
    if let Some(name) = path.as_bytes().strip_prefix(b"@") {
        socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?;
        socket.set_nonblocking(true)?;
        return Ok(socket);
    }
    socket.connect(path)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// `WATCHDOG_USEC`, if `WATCHDOG_PID` does not name another process.
fn watchdog_of(micros: Option<OsString>, process: Option<OsString>, own: u32) -> Option<Duration> {
    if process.is_some_and(|process| process.to_str() != Some(&own.to_string())) {
        return None;
    }
    let micros: u64 = micros?.to_str()?.parse().ok().filter(|&micros| micros > 0)?;
    Some(Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watchdog_for_another_process_is_none() {
        let of = |micros: &str, process: Option<&str>| {
            watchdog_of(Some(micros.into()), process.map(Into::into), 7)
        };
        assert_eq!(of("2000000", None), Some(Duration::from_secs(2)));
        assert_eq!(of("2000000", Some("7")), Some(Duration::from_secs(2)));
        assert_eq!(of("2000000", Some("8")), None);
        assert_eq!((of("0", None), of("x", None)), (None, None));
    }
}
