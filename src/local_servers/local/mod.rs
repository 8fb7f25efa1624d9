//! A Redis server as a child of this process: on a Unix socket that only this user reaches, beside
//! its data. A port of 127.0.0.1, which every user of the machine reaches, is opened only when one
//! is configured, and then behind a password.
//!
//! It runs with `appendfsync always`: what was acknowledged is on disk. When it ends by itself it
//! is started again; when this process was killed and left it behind, the next one ends it first
//! ([`left_behind`]).

mod left_behind;
mod output;
mod password;

use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use prometheus::IntCounter;
use rustix::process::{Pid, Signal, kill_process};
use secrecy::{ExposeSecret, SecretString};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::output::Output;
use crate::config::{self, Address, Password};
use crate::redis::{ConnectError, Connection, Connector};

/// What is started when nothing is said.
const BINARIES: [&str; 2] = ["redis-server", "valkey-server"];
/// For the first answer of a server that was started; one that loads its data answers too.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// For the end of a server that was asked to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// Between attempts to reach a server that starts or ends.
const PAUSE: Duration = Duration::from_millis(20);
/// Before a server that ended by itself is started again, growing.
const RESTART_MIN: Duration = Duration::from_millis(100);
const RESTART_MAX: Duration = Duration::from_secs(5);
/// In the data directory: locked while a worker uses it. Earlier versions wrote the port of their
/// server into it.
const LOCK_FILE: &str = "traitsink.port";
/// In the data directory, where there is a port.
const PASSWORD_FILE: &str = "traitsink.password";

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    #[error(
        "redis.local.binary: there is no {0}: install Redis (apt-get install redis-server, brew \
         install redis) or Valkey, or name \
         the program"
    )]
    Missing(String),
    #[error("redis.local.binary: {0} cannot be started: {1}")]
    Unusable(String, io::Error),
    #[error("redis.local.data_dir: {path}: {1}", path = .0.display())]
    Directory(PathBuf, io::Error),
    #[error("redis.local.data_dir: another worker keeps its data in {path}", path = .0.display())]
    Taken(PathBuf),
    #[error(
        "redis.local.data_dir: the path of the socket in it, {path}, has {len} bytes, and a \
         socket's path has at most {most}: choose a \
         shorter directory",
        path = .0.display(), len = .0.as_os_str().len(), most = config::Local::MAX_SOCKET
    )]
    TooLong(PathBuf),
    #[error("redis.local: {0}")]
    Failed(String),
}

/// A running server; killed when dropped.
pub struct Local {
    plan: Plan,
    child: Child,
    output: Output,
    /// Held, not read: the lock on the data directory.
    _lock: File,
    restarts: IntCounter,
}

/// How it is started.
struct Plan {
    binary: Option<PathBuf>,
    /// None without a password.
    port: Option<(u16, SecretString)>,
    /// Absolute.
    directory: PathBuf,
    /// In the directory.
    socket: PathBuf,
    databases: u32,
}

impl Local {
    /// Starts the server and waits until it answers; `restarts` counts how often it is started
    /// again.
    ///
    /// # Errors
    /// No program, no directory, or the server ended: with its last lines.
    pub async fn start(
        redis: &config::Redis,
        local: &config::Local,
        restarts: IntCounter,
    ) -> Result<Self, LocalError> {
        let in_directory = |error| LocalError::Directory(local.data_dir.clone(), error);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&local.data_dir)
            .map_err(in_directory)?;
        let directory = local.data_dir.canonicalize().map_err(in_directory)?;
        let socket = config::Local::socket_in(&directory);
        if socket.as_os_str().len() > config::Local::MAX_SOCKET {
            return Err(LocalError::TooLong(socket));
        }
        let mut lock = lock(&directory)?;
        let password_file = directory.join(PASSWORD_FILE);
        let former = password::read(&password_file).map_err(in_directory)?;
        let has_password = former.is_some();
        let logins: Vec<_> = std::iter::once(None).chain(former.map(Some)).collect();
        let mut left_behind = vec![Address::Unix(socket.clone())];
        if let Some(port) = port_in(&mut lock).map_err(in_directory)? {
            left_behind.push(Address::Tcp { host: Ipv4Addr::LOCALHOST.to_string(), port });
        }
        for address in left_behind {
            let connectors: Vec<_> =
                logins.iter().map(|login| connector(redis, &address, login.as_ref())).collect();
            left_behind::end(&address, &connectors, &directory).await?;
        }
        lock.set_len(0).map_err(in_directory)?;
        let port = match local.port {
            0 => {
                // A password without a port would only mislead.
                if has_password {
                    std::fs::remove_file(&password_file).map_err(in_directory)?;
                }
                None
            }
            port => Some((port, password::read_or_make(&password_file).map_err(in_directory)?)),
        };
        let databases = redis.database.saturating_add(1).max(16);
        let plan = Plan { binary: local.binary.clone(), port, directory, socket, databases };
        let (mut child, output) = plan.launch()?;
        let connector = connector(redis, &plan.address(), plan.password());
        match answers(&mut child, &connector, &plan.directory).await {
            Ok(()) => Ok(Self { plan, child, output, _lock: lock, restarts }),
            Err(why) => Err(LocalError::Failed(
                format!("{why}\n{}", output.last().await).trim_end().to_owned(),
            )),
        }
    }

    /// The settings to reach it with, otherwise as `redis`.
    pub fn settings(&self, redis: &config::Redis) -> config::Redis {
        let password = self.plan.password().cloned().map(Password::Fixed);
        config::Redis {
            mode: config::Mode::Standalone(self.plan.address()),
            password,
            ..redis.clone()
        }
    }

    /// Logs where it listens, and how an operator reaches it.
    pub fn announce(&self) {
        let Plan { directory, socket, .. } = &self.plan;
        let (address, data_dir) = (socket.display(), directory.display());
        tracing::info!(part = "redis", %address, %data_dir, look = %format_args!("redis-cli -s \
            {address}"), "listening");
        if let Some((port, _)) = &self.plan.port {
            let password_file = directory.join(PASSWORD_FILE);
            tracing::info!(port, password_file = %password_file.display(), "the local Redis \
                listens on 127.0.0.1, too, with a password");
        }
    }

    /// Starts it again whenever it ends, until `stop`; then ends it.
    pub async fn serve(mut self, stop: CancellationToken) {
        let mut pause = RESTART_MIN;
        let mut started = Instant::now();
        loop {
            let Some(status) = stop.run_until_cancelled(self.child.wait()).await else {
                return self.end().await;
            };
            if started.elapsed() > RESTART_MAX {
                pause = RESTART_MIN;
            }
            let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            let said = self.output.last().await;
            tracing::error!(status, said, "the local Redis ended by itself; starting it again");
            loop {
                if stop.run_until_cancelled(sleep(pause)).await.is_none() {
                    return;
                }
                pause = (pause * 2).min(RESTART_MAX);
                match self.plan.launch() {
                    Ok((child, output)) => {
                        (self.child, self.output) = (child, output);
                        break;
                    }
                    Err(error) => tracing::error!("{error}"),
                }
            }
            self.restarts.inc();
            started = Instant::now();
        }
    }

    /// Asks it to end, and kills it when it does not.
    async fn end(mut self) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        let asked = pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
        if !asked || timeout(STOP_TIMEOUT, self.child.wait()).await.is_err() {
            tracing::warn!("the local Redis does not end; killing it");
            let _gone = self.child.kill().await;
        }
    }

    /// What the program says of its version: one line.
    ///
    /// # Errors
    /// There is no such program, or it cannot be started.
    pub async fn version(local: &config::Local) -> Result<String, LocalError> {
        let spawn = |command: &mut Command| command.arg("--version").stdout(Stdio::piped()).spawn();
        let child = spawn_first(local.binary.as_deref(), spawn)?;
        let output = child
            .wait_with_output()
            .await
            .map_err(|error| LocalError::Failed(error.to_string()))?;
        Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
    }
}

impl Plan {
    fn address(&self) -> Address {
        Address::Unix(self.socket.clone())
    }

    fn password(&self) -> Option<&SecretString> {
        self.port.as_ref().map(|(_, password)| password)
    }

    /// A process of a group of its own: ctrl-C is for this one, which still needs it. It reads the
    /// password from its standard input: every user sees arguments.
    fn launch(&self) -> Result<(Child, Output), LocalError> {
        let port = self.port.as_ref().map_or(0, |(port, _)| *port).to_string();
        let databases = self.databases.to_string();
        let mut child = spawn_first(self.binary.as_deref(), |command| {
            if let Some(password) = self.password() {
                let (reader, mut writer) = io::pipe()?;
                writeln!(writer, "requirepass {}", password.expose_secret())?;
                command.stdin(reader).arg("-");
            }
            command.arg("--unixsocket").arg(&self.socket).args(["--unixsocketperm", "700"]);
            command.args([
                "--port",
                &port,
                "--bind",
                "127.0.0.1",
                "--protected-mode",
                "yes",
                "--databases",
                &databases,
            ]);
            command.args(["--daemonize", "no", "--logfile", "", "--loglevel", "notice"]);
            command
                .args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""])
                .arg("--dir")
                .arg(&self.directory);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn()
        })?;
        let output = Output::of(&mut child);
        Ok((child, output))
    }
}

/// With `binary`, or the first that there is of those that are tried without one.
fn spawn_first(
    binary: Option<&Path>,
    spawn: impl Fn(&mut Command) -> io::Result<Child>,
) -> Result<Child, LocalError> {
    let candidates = binary.map_or_else(|| BINARIES.map(Path::new).to_vec(), |binary| vec![binary]);
    for candidate in &candidates {
        match spawn(Command::new(candidate).stdin(Stdio::null()).kill_on_drop(true)) {
            Ok(child) => return Ok(child),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(LocalError::Unusable(candidate.display().to_string(), error)),
        }
    }
    let names: Vec<_> =
        candidates.iter().map(|candidate| candidate.display().to_string()).collect();
    Err(LocalError::Missing(names.join(" and no ")))
}

/// Waits until the server answers: as the one that keeps its data in `directory`, for another may
/// have the port.
async fn answers(child: &mut Child, connector: &Connector, directory: &Path) -> Result<(), String> {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(None) => {}
            Ok(Some(status)) => return Err(format!("the server ended at once ({status}):")),
            Err(error) => return Err(error.to_string()),
        }
        match to_keeper_of(directory, connector).await {
            Ok(Some(_)) => return Ok(()),
            Err(error) if error.code == "LOADING" => return Ok(()),
            _ if start.elapsed() > START_TIMEOUT => {
                return Err(format!("the server does not answer within {START_TIMEOUT:?}:"));
            }
            _ => sleep(PAUSE).await,
        }
    }
}

fn connector(
    redis: &config::Redis,
    address: &Address,
    password: Option<&SecretString>,
) -> Connector {
    let redis = config::Redis { password: password.cloned().map(Password::Fixed), ..redis.clone() };
    Connector::new(&redis, address.clone()).expect("there is no TLS to a local server")
}

/// The lock file, locked until it is closed: also when this process is killed.
fn lock(directory: &Path) -> Result<File, LocalError> {
    let path = directory.join(LOCK_FILE);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&path);
    let file = file.map_err(|error| LocalError::Directory(path.clone(), error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LocalError::Taken(directory.to_owned())),
        Err(TryLockError::Error(error)) => Err(LocalError::Directory(path, error)),
    }
}

/// The port that the server of an earlier version had.
fn port_in(file: &mut File) -> io::Result<Option<u16>> {
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text.trim().parse().ok())
}

/// A connection, if the server keeps its data in `directory`.
async fn to_keeper_of(
    directory: &Path,
    connector: &Connector,
) -> Result<Option<Connection>, ConnectError> {
    let mut connection = connector.connect().await?;
    let reply = connection.query(redis::cmd("CONFIG").arg("GET").arg("dir")).await;
    // A list of name and value in RESP2, a map in RESP3.
    let settings: Option<HashMap<String, String>> =
        reply.ok().and_then(|reply| redis::from_redis_value(reply).ok());
    let keeps = settings
        .and_then(|mut settings| settings.remove("dir"))
        .is_some_and(|dir| directory == Path::new(&dir));
    Ok(keeps.then_some(connection))
}
