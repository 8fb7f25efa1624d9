//! Starts the program of the local server: `redis-server` or `valkey-server`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use secrecy::{ExposeSecret, SecretString};
use tokio::process::{Child, Command};

use super::LocalError;
use super::output::ServerOutput;
use crate::config::Address;
use crate::systemd;

/// The programs that are tried when the configuration names none.
const BINARIES: [&str; 2] = ["redis-server", "valkey-server"];

/// How the server is started.
pub(super) struct LaunchPlan {
    pub(super) binary: Option<PathBuf>,
    /// A port of 127.0.0.1, and the password it needs; `None`: only the socket is opened.
    pub(super) port: Option<(u16, SecretString)>,
    /// An absolute path.
    pub(super) directory: PathBuf,
    /// A path in the directory.
    pub(super) socket: PathBuf,
    pub(super) databases: u32,
}

impl LaunchPlan {
    pub(super) fn address(&self) -> Address {
        Address::Unix(self.socket.clone())
    }

    pub(super) fn password(&self) -> Option<&SecretString> {
        self.port.as_ref().map(|(_, password)| password)
    }

    /// Starts the server in a process group of its own: ctrl-C must not end it before this process
    /// does. It reads the password from its standard input, since every user can see arguments.
    pub(super) fn launch(&self) -> Result<(Child, ServerOutput), LocalError> {
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
            systemd::VARIABLES.iter().for_each(|name| _ = command.env_remove(name));
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn()
        })?;
        let output = ServerOutput::of(&mut child);
        Ok((child, output))
    }
}

/// Starts `binary`; without one, the first of [`BINARIES`] that is installed.
pub(super) fn spawn_first(
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
