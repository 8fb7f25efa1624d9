//! `deploy/systemd/traitsink.service`: what systemd says about it, and its commands run by hand.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use traitsink::exit::Exit;

use crate::harness::eventually_or;
use crate::harness::http::Client;
use crate::harness::redis::{Redis, free_port};
use crate::harness::started::Started;

/// The place of the program in the unit.
const PROGRAM: &str = "/usr/bin/traitsink";

/// A user without rights: `nobody` of Debian.
const NOBODY: u32 = 65534;

fn unit() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/systemd/traitsink.service");
    std::fs::read_to_string(path).expect("the unit")
}

/// The value of the only line `name=`.
fn value(name: &str) -> String {
    let unit = unit();
    let mut values = unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let value = values.next().unwrap_or_else(|| panic!("no {name}="));
    assert_eq!(values.next(), None, "two lines {name}=");
    value.to_owned()
}

/// Whether `systemd-analyze` succeeds, and all that it says about `text` as the unit.
fn analyze(args: &[&str], text: &str) -> (bool, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("traitsink.service");
    std::fs::write(&path, text.replace(PROGRAM, env!("CARGO_BIN_EXE_traitsink")))
        .expect("writing the unit");
    let output = Command::new("systemd-analyze")
        .args(args)
        .arg(&path)
        .output()
        .expect("systemd-analyze (Debian package systemd) is needed");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn systemd_understands_every_line() {
    let verify = ["verify", "--man=no"];
    assert_eq!(analyze(&verify, &unit()), (true, String::new()));

    // The check sees what is wrong.
    let (_, said) = analyze(&verify, &unit().replacen("\nUMask=", "\nUMsk=", 1));
    assert!(said.contains("UMsk"), "{said}");
}

#[test]
fn the_service_is_exposed_to_less_than_two() {
    let security = ["security", "--offline=true", "--threshold=20"];
    let (good, said) = analyze(&security, &unit());
    assert!(good, "{said}");

    let hardening = ["User=", "CapabilityBoundingSet=", "ProtectSystem=", "SystemCallFilter="];
    let unit = unit();
    let rest = unit.lines().filter(|line| !hardening.iter().any(|name| line.starts_with(name)));
    let (good, said) = analyze(&security, &rest.collect::<Vec<_>>().join("\n"));
    assert!(!good, "{said}");
}

#[test]
fn only_what_needs_a_person_is_not_started_again() {
    let codes = value("RestartPreventExitStatus");
    let codes: Vec<u8> = codes.split(' ').map(|code| code.parse().expect("a code")).collect();
    assert_eq!(codes, [Exit::USAGE, Exit::DATA, Exit::CONFIG].map(Exit::code));
}

/// The files of the service below a directory that everybody may enter.
struct House {
    dir: tempfile::TempDir,
    /// Whether this process may become another user.
    root: bool,
}

impl House {
    fn new(configuration: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let root = rustix::process::geteuid().is_root();
        let open = |path: &Path| std::fs::set_permissions(path, PermissionsExt::from_mode(0o755));
        open(dir.path()).expect("opening the directory");
        let house = Self { dir, root };
        std::fs::copy(env!("CARGO_BIN_EXE_traitsink"), house.path("traitsink")).expect("a copy");
        std::fs::write(house.path("traitsink.toml"), configuration).expect("the configuration");
        std::fs::create_dir(house.path("state")).expect("the state directory");
        let private = PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(house.path("state"), private).expect("permissions");
        if root {
            chown(house.path("state"), Some(NOBODY), Some(NOBODY)).expect("chown");
        }
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The command of a line of the unit, with the paths of this directory, as a user without
    /// rights.
    fn command(&self, line: &str) -> Command {
        let line =
            value(line).replace(PROGRAM, &self.path("traitsink").display().to_string()).replace(
                "/etc/traitsink/traitsink.toml",
                &self.path("traitsink.toml").display().to_string(),
            );
        let mut words = line.split(' ');
        let mut command;
        if self.root {
            command = Command::new("setpriv");
            let user = [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")];
            command.args(user).args(["--clear-groups", "--no-new-privs", "--bounding-set=-all"]);
        } else {
            command = Command::new(words.next().expect("a program"));
        }
        command.args(words).env_clear().env("STATE_DIRECTORY", self.path("state"));
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
        command
    }
}

#[test]
fn its_commands_check_start_and_reload_a_worker_without_rights() {
    let redis = Redis::start();
    let (http, admin) = (free_port(), free_port());
    let house = House::new(&format!(
        "[http]\nlisten = \"127.0.0.1:{http}\"\n[admin]\nlisten = \"127.0.0.1:{admin}\"\n"
    ));
    let variable = ("TRAITSINK_REDIS__URL", format!("redis://127.0.0.1:{}", redis.port()));
    let (name, url) = &variable;

    let checked = house.command("ExecStartPre").env(name, url).output().expect("setpriv");
    assert!(checked.status.success() && checked.stderr.is_empty(), "{checked:?}");

    let log = std::fs::File::create(house.path("log")).expect("a log");
    let command = &mut house.command("ExecStart");
    let child = command.env(name, url).stderr(log).spawn().expect("the worker starts");
    let mut worker = Started(child);
    let said = || std::fs::read_to_string(house.path("log")).expect("the log");
    let mut ask = Client::new(([127, 0, 0, 1], admin).into());
    eventually_or(said, || ask.get("/ready").is_some_and(|answer| answer.status == 200));

    let mut client = Client::new(([127, 0, 0, 1], http).into());
    redis.cli(&["SET", "user:taken", "x"]);
    for user in ["u1", "taken"] {
        let body = format!("{{\"userId\":\"{user}\",\"traits\":{{\"plan\":\"free\"}}}}");
        assert_eq!(client.post("/v1/identify", body).expect("an answer").status, 200);
    }
    assert_eq!(redis.hgetall("user:u1").len(), 1);
    let letters = house.path("state/dead-letters.ndjson");
    assert!(std::fs::read_to_string(letters).expect("the letter").contains("wrong_type"));

    let pid = worker.0.id().to_string();
    let reload = value("ExecReload").replace("$MAINPID", &pid);
    let words: Vec<&str> = reload.split(' ').collect();
    assert!(Command::new(words[0]).args(&words[1..]).status().expect("kill").success());
    eventually_or(said, || {
        let metrics = ask.get("/metrics").expect("an answer").text();
        metrics.contains("traitsink_config_reloads_total{result=\"applied\"} 1\n")
    });
    kill(Pid::from_raw(pid.parse().expect("a number")), Signal::SIGTERM).expect("SIGTERM");
    assert!(worker.0.wait().expect("own child").success(), "{}", said());
}
