//! A Redis server as a child of this process. It listens on a Unix socket in its data directory,
//! which only this user can reach. It also listens on a port of 127.0.0.1, which every user of the
//! machine can reach, if one is configured; then it has a password.
//!
//! The server runs with `appendfsync always`: what was acknowledged is on disk. A server that ends
//! by itself is started again. A server that a killed process left behind is ended by the next
//! process before it starts its own ([`left_behind`]).

mod directory;
mod error;
mod launch;
mod left_behind;
mod output;
mod password;
mod reach;

use std::fs::File;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use prometheus::IntCounter;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::directory::PASSWORD_FILE;
pub use self::error::LocalError;
use self::launch::{LaunchPlan, spawn_first};
use self::output::ServerOutput;
use crate::config::{self, Address, Password};

/// Time limit for the end of a server that was asked to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause before a server that ended by itself is started again; doubles with each attempt.
const RESTART_MIN: Duration = Duration::from_millis(100);
const RESTART_MAX: Duration = Duration::from_secs(5);

/// A running server; killed when dropped.
pub struct Local {
    plan: LaunchPlan,
    child: Child,
    output: ServerOutput,
    /// The lock on the data directory, for as long as this value lives.
    _lock: File,
    restarts: IntCounter,
}

impl Local {
    /// Starts the server and waits until it answers; `restarts` counts how often it is started
    /// again.
    ///
    /// # Errors
    /// There is no program or no directory, or the server ended; then with its last lines.
    pub async fn start(
        redis: &config::Redis,
        local: &config::Local,
        restarts: IntCounter,
    ) -> Result<Self, LocalError> {
        let in_directory = |error| LocalError::Directory(local.data_dir.clone(), error);
        let directory = directory::make(&local.data_dir).map_err(in_directory)?;
        let socket = config::Local::socket_in(&directory);
        if socket.as_os_str().len() > config::Local::MAX_SOCKET {
            return Err(LocalError::TooLong(socket));
        }
        let mut lock = directory::lock(&directory)?;
        let password_file = directory.join(PASSWORD_FILE);
        let former = password::read(&password_file).map_err(in_directory)?;
        let has_password = former.is_some();
        let logins: Vec<_> = std::iter::once(None).chain(former.map(Some)).collect();
        let mut left_behind = vec![Address::Unix(socket.clone())];
        if let Some(port) = directory::port_in(&mut lock).map_err(in_directory)? {
            left_behind.push(Address::Tcp { host: Ipv4Addr::LOCALHOST.to_string(), port });
        }
        for address in left_behind {
            let connectors: Vec<_> = logins
                .iter()
                .map(|login| reach::connector(redis, &address, login.as_ref()))
                .collect();
            left_behind::end(&address, &connectors, &directory, STOP_TIMEOUT).await?;
        }
        lock.set_len(0).map_err(in_directory)?;
        let port = match local.port {
            0 => {
                // A password file without a port would only mislead.
                if has_password {
                    std::fs::remove_file(&password_file).map_err(in_directory)?;
                }
                None
            }
            port => Some((port, password::read_or_make(&password_file).map_err(in_directory)?)),
        };
        let databases = redis.database.saturating_add(1).max(16);
        let plan = LaunchPlan { binary: local.binary.clone(), port, directory, socket, databases };
        let (mut child, output) = plan.launch()?;
        let connector = reach::connector(redis, &plan.address(), plan.password());
        match reach::wait_until_ready(&mut child, &connector, &plan.directory).await {
            Ok(()) => Ok(Self { plan, child, output, _lock: lock, restarts }),
            Err(why) => Err(LocalError::Failed(
                format!("{why}\n{}", output.last().await).trim_end().to_owned(),
            )),
        }
    }

    /// The settings to connect to the server, otherwise as in `redis`.
    pub fn settings(&self, redis: &config::Redis) -> config::Redis {
        let password = self.plan.password().cloned().map(Password::Fixed);
        config::Redis {
            mode: config::Mode::Standalone(self.plan.address()),
            password,
            ..redis.clone()
        }
    }

    /// Logs where the server listens, and how an operator connects to it.
    pub fn announce(&self) {
        let LaunchPlan { directory, socket, .. } = &self.plan;
        let (address, data_dir) = (socket.display(), directory.display());
        tracing::info!(part = "redis", %address, %data_dir, look = %format_args!("redis-cli -s \
            {address}"), "listening");
        if let Some((port, _)) = &self.plan.port {
            let password_file = directory.join(PASSWORD_FILE);
            tracing::info!(port, password_file = %password_file.display(), "the local Redis \
                listens on 127.0.0.1, too, with a password");
        }
    }

    /// Starts the server again whenever it ends, until `stop`; then ends it.
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

    /// Asks the server to end, and kills it when it does not.
    async fn end(mut self) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        let asked = pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
        if !asked || timeout(STOP_TIMEOUT, self.child.wait()).await.is_err() {
            tracing::warn!("the local Redis does not end; killing it");
            let _gone = self.child.kill().await;
        }
    }

    /// The program's name and version, one line.
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
