//! A real `redis-server` for one test, on a free port and in its own directory.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use redis::{ConnectionLike, Value};
use tempfile::TempDir;

use super::certs::Issued;
use super::guarded::without_times;

/// A server that `tests/servers/fetch` installs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ServerVersion {
    Redis62,
    Redis74,
    Redis82,
    Valkey81,
    Valkey91,
}

impl ServerVersion {
    pub(crate) const ALL: &'static [Self] =
        &[Self::Redis62, Self::Redis74, Self::Redis82, Self::Valkey81, Self::Valkey91];

    /// The directory of its program and libraries.
    pub(crate) fn dir(self) -> PathBuf {
        let servers = std::env::var_os("TRAITSINK_SERVERS").map_or_else(
            || {
                let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
                let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache");
                cache.unwrap_or_else(home).join("traitsink/servers-1")
            },
            PathBuf::from,
        );
        let dir = servers.join(match self {
            Self::Redis62 => "redis-6.2",
            Self::Redis74 => "redis-7.4",
            Self::Redis82 => "redis-8.2",
            Self::Valkey81 => "valkey-8.1",
            Self::Valkey91 => "valkey-9.1",
        });
        assert!(dir.join("server").exists(), "there is no {}: see tests/run", dir.display());
        dir
    }
}

/// Options for starting a server.
#[derive(Default)]
pub(crate) struct Builder {
    version: Option<ServerVersion>,
    options: Vec<(String, String)>,
    password: Option<String>,
    tls: bool,
    weak_tls: bool,
    sentinel: bool,
}

impl Builder {
    /// Chooses another server than the installed one.
    pub(crate) fn version(mut self, version: ServerVersion) -> Self {
        self.version = Some(version);
        self
    }

    /// Adds one line to redis.conf, unchanged.
    pub(crate) fn option(mut self, name: &str, value: &str) -> Self {
        self.options.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Loads the module for JSON documents, which is there for one of the versions and fits others.
    pub(crate) fn json(self) -> Self {
        let module = ServerVersion::Redis74.dir().join("lib/rejson.so");
        self.option("loadmodule", &module.display().to_string())
    }

    pub(crate) fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self.option("requirepass", password)
    }

    /// Enables TLS on the port, without client certificates.
    pub(crate) fn tls(mut self, server: &Issued) -> Self {
        self.tls = true;
        self.option("tls-cert-file", &server.certificate.display().to_string())
            .option("tls-key-file", &server.key.display().to_string())
            .option("tls-auth-clients", "no")
    }

    /// Enables TLS, and demands a client certificate of `ca`.
    pub(crate) fn mutual_tls(self, server: &Issued, ca: &Path) -> Self {
        self.tls(server)
            .option("tls-auth-clients", "yes")
            .option("tls-ca-cert-file", &ca.display().to_string())
    }

    /// Starts a sentinel instead of a data server.
    pub(crate) fn sentinel(mut self) -> Self {
        self.sentinel = true;
        self
    }

    /// Allows keys, hashes and versions that OpenSSL refuses by default.
    pub(crate) fn weak_tls(mut self) -> Self {
        self.weak_tls = true;
        self
    }

    /// Starts a replica of `primary`, and waits until it is synchronised.
    pub(crate) fn replica_of(mut self, primary: &Redis) -> Redis {
        if let Some(password) = &primary.password {
            self = self.option("masterauth", password);
        }
        let replica = self.option("replicaof", &format!("127.0.0.1 {}", primary.port())).start();
        super::eventually("the replica is in step", || {
            let info: String =
                redis::from_redis_value(replica.cli(&["INFO", "replication"])).expect("a text");
            info.contains("master_link_status:up")
        });
        replica
    }

    pub(crate) fn start(self) -> Redis {
        let dir = tempfile::tempdir().expect("a temporary directory");
        // Another process may take the port between the choice and the start.
        for _ in 0..5 {
            let port = free_port();
            self.write_config(dir.path(), port);
            if let Ok(child) = launch(dir.path(), self.password.as_deref()) {
                return Redis { child, port, dir, password: self.password };
            }
        }
        panic!("redis-server does not start:\n{}", log_of(dir.path()));
    }

    fn write_config(&self, dir: &Path, port: u16) {
        // Some builds do not know the option for TLS.
        let ports =
            if self.tls { format!("port 0\ntls-port {port}") } else { format!("port {port}") };
        let mut conf = format!(
            "bind 127.0.0.1\n{ports}\nunixsocket {socket}\ndir {dir}\nlogfile \
             {dir}/redis.log\nsave \"\"\n",
            socket = socket_of(dir).display(),
            dir = dir.display(),
        );
        for (name, value) in &self.options {
            writeln!(conf, "{name} {value}").expect("writing to a string");
        }
        std::fs::write(dir.join("redis.conf"), conf).expect("writing redis.conf");
        let mode = if self.sentinel { "--sentinel" } else { "" };
        std::fs::write(dir.join("mode"), mode).expect("writing the mode");
        if let Some(version) = self.version {
            let link = dir.join("version");
            let _ = std::fs::remove_file(&link);
            std::os::unix::fs::symlink(version.dir(), link).expect("a link to the server");
        }
        let openssl = if self.weak_tls { WEAK_OPENSSL } else { "" };
        std::fs::write(dir.join("openssl.cnf"), openssl).expect("writing openssl.cnf");
    }
}

const WEAK_OPENSSL: &str = "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = \
    any\n\
                            [any]\nMinProtocol = TLSv1\nCipherString = ALL:@SECLEVEL=0\n";

/// A running server; killed when dropped.
pub(crate) struct Redis {
    child: Child,
    port: u16,
    dir: TempDir,
    password: Option<String>,
}

impl Redis {
    pub(crate) fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn start() -> Self {
        Self::builder().start()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The path of the Unix socket, which exists beside the port.
    pub(crate) fn socket(&self) -> PathBuf {
        socket_of(self.dir.path())
    }

    /// Sends one command as the default user through the Unix socket. An error reply is returned as
    /// a value.
    pub(crate) fn cli(&self, args: &[&str]) -> Value {
        ask(self.dir.path(), self.password.as_deref(), args)
            .unwrap_or_else(|error| panic!("{args:?}: {error}"))
    }

    pub(crate) fn hgetall(&self, key: &str) -> BTreeMap<Vec<u8>, Vec<u8>> {
        without_times(redis::from_redis_value(self.cli(&["HGETALL", key])).expect("a hash"))
    }

    /// The server's directory.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Changes the default user's password; an empty one removes it. Connections stay open.
    pub(crate) fn set_password(&mut self, password: &str) {
        assert_eq!(self.cli(&["CONFIG", "SET", "requirepass", password]), Value::Okay);
        self.password = Some(password.to_owned()).filter(|password| !password.is_empty());
    }

    /// Empties the server, and waits until `replicas` have confirmed that. A replica receives no
    /// data for a second after its first copy.
    pub(crate) fn empty_and_sync(&self, replicas: usize) {
        let mut connection =
            connect(self.dir.path(), self.password.as_deref()).expect("redis-server answers");
        redis::cmd("FLUSHALL").exec(&mut connection).expect("a master");
        super::eventually("the replicas have what was written", || {
            redis::cmd("WAIT")
                .arg(replicas)
                .arg(100)
                .query::<usize>(&mut connection)
                .expect("a number")
                >= replicas
        });
    }

    /// Closes the connections of all clients.
    pub(crate) fn kill_clients(&self) {
        assert!(matches!(self.cli(&["CLIENT", "KILL", "TYPE", "normal"]), Value::Int(_)));
    }

    /// Kills the server with SIGKILL: data that is not saved yet is lost.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("killing redis-server");
        self.child.wait().expect("waiting for redis-server");
    }

    /// Stops the server with SIGSTOP: connections stay open, and nothing is answered.
    pub(crate) fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Continues the server with SIGCONT.
    pub(crate) fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Kills the server if it runs, and starts it again on the same port and directory.
    pub(crate) fn restart(&mut self) {
        let _ = self.child.kill();
        self.child.wait().expect("waiting for redis-server");
        self.child = launch(self.dir.path(), self.password.as_deref()).unwrap_or_else(|()| {
            panic!("redis-server does not start again:\n{}", log_of(self.dir.path()))
        });
    }

    /// Kills the server if it runs, and starts it again on another port, with the same directory
    /// and the same cluster bus port.
    pub(crate) fn move_away(&mut self) {
        let former = std::mem::replace(&mut self.port, free_port());
        let conf = self.dir().join("redis.conf");
        let text = std::fs::read_to_string(&conf).expect("reading redis.conf");
        let moved = text.replace(&format!("\nport {former}\n"), &format!("\nport {}\n", self.port));
        std::fs::write(&conf, moved).expect("writing redis.conf");
        self.restart();
    }

    /// Stops the server with SIGTERM, which saves if there are save points, and starts it again.
    /// The server is loading for `delay` for each key, or until `key-load-delay` is set to 0.
    pub(crate) fn restart_loading(&mut self, delay: Duration) {
        self.signal(Signal::SIGTERM);
        self.child.wait().expect("waiting for redis-server");
        let conf = self.dir().join("redis.conf");
        let text = std::fs::read_to_string(&conf).expect("reading redis.conf");
        std::fs::write(&conf, format!("{text}key-load-delay {}\n", delay.as_micros()))
            .expect("writing redis.conf");
        self.child = spawn(self.dir());
        super::eventually("redis-server loads", || {
            let answer = ask(self.dir(), self.password.as_deref(), &["PING"]);
            matches!(answer, Ok(Value::ServerError(error)) if error.code() == "LOADING")
        });
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process id");
        kill(Pid::from_raw(pid), signal).expect("signalling redis-server");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a server and waits until it answers; `Err` if it ended instead.
fn launch(dir: &Path, password: Option<&str>) -> Result<Child, ()> {
    let mut child = spawn(dir);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = ask(dir, password, &["PING"]);
        if answer.is_ok_and(
            |pong| !matches!(&pong, Value::ServerError(error) if error.code() == "LOADING"),
        ) {
            return Ok(child);
        }
        if child.try_wait().expect("asking for redis-server").is_some() {
            return Err(());
        }
        assert!(Instant::now() < deadline, "redis-server does not answer:\n{}", log_of(dir));
        super::pause();
    }
}

/// Starts the process. SIGXFSZ is ignored, so that a file that may not grow is an error to the
/// server, like a full disk.
fn spawn(dir: &Path) -> Child {
    let _ = std::fs::remove_file(socket_of(dir));
    let version = dir.join("version");
    let (program, libraries) =
        if version.exists() { ("version/server", version.join("lib")) } else { Default::default() };
    let program = if program.is_empty() { "redis-server" } else { program };
    Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" redis.conf $(cat mode)", program])
        .current_dir(dir)
        .env("LD_LIBRARY_PATH", libraries)
        .env("OPENSSL_CONF", dir.join("openssl.cnf"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!(
                "redis-server is needed by the tests and cannot be started ({error}); see tests/run"
            )
        })
}

fn ask(dir: &Path, password: Option<&str>, args: &[&str]) -> redis::RedisResult<Value> {
    let mut command = redis::Cmd::new();
    command.arg(args);
    connect(dir, password)?.req_packed_command(&command.get_packed_command())
}

fn connect(dir: &Path, password: Option<&str>) -> redis::RedisResult<redis::Connection> {
    let url = format!("redis+unix://{}", socket_of(dir).display());
    let mut connection = redis::Client::open(url)?.get_connection()?;
    if let Some(password) = password {
        redis::cmd("AUTH").arg(password).exec(&mut connection)?;
    }
    Ok(connection)
}

fn socket_of(dir: &Path) -> PathBuf {
    dir.join("redis.sock")
}

fn log_of(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("redis.log")).unwrap_or_default()
}

/// A port that is free at the time of the call.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binding a port");
    listener.local_addr().expect("a local address").port()
}
